//! Settings of the SSH server and client: sshd_config(5), ssh_config(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "ssh_config",
    doc: "Settings of the SSH server or client.",
    manual: "sshd_config(5), ssh_config(5)",
    samples: &[
        b"Include /etc/ssh/sshd_config.d/*.conf\nPort=22\nSubsystem sftp \"/usr/lib/openssh/sftp-server\" -l INFO # c\nMatch User a\n\tForceCommand x\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One line of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line number, from 1.
    pub line: u32,
    /// Keyword in small letters.
    pub keyword: String,
    /// Arguments without their quotes.
    pub arguments: Vec<Text>,
    /// Everything behind the keyword, as written.
    pub rest: Text,
}

/// The settings of a file, in order.
pub fn parse(bytes: &[u8]) -> Vec<Setting> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let end = text.iter().position(|b| matches!(b, b' ' | b'\t' | b'=')).unwrap_or(text.len());
            let keyword = String::from_utf8_lossy(text.get(..end)?).to_ascii_lowercase();
            let rest = text.get(end..)?.trim_ascii_start();
            // One "=" may stand between keyword and arguments.
            let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii();
            Some(Setting { line, keyword, arguments: arguments(rest), rest: rest.into() })
        })
        .collect()
}

/// Arguments split at blanks outside quotes; a `#` that begins one ends the line.
fn arguments(text: &[u8]) -> Vec<Text> {
    let mut all = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut quote: Option<u8> = None;
    for byte in text {
        match (quote, byte) {
            (None, b'#') if current.is_none() => break,
            (None, b' ' | b'\t') => all.extend(current.take().map(Text::from)),
            (None, b'"' | b'\'') => {
                quote = Some(*byte);
                current.get_or_insert_default();
            }
            (Some(open), byte) if open == *byte => quote = None,
            _ => current.get_or_insert_default().push(*byte),
        }
    }
    all.extend(current.map(Text::from));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_signs_quotes_and_comments_are_understood() {
        let all = parse(FORMAT.samples[0]);
        assert_eq!((all[1].keyword.as_str(), &all[1].arguments), ("port", &vec![Text::from("22")]));
        assert_eq!(all[2].arguments.len(), 4);
        assert_eq!(all[2].arguments[1], "/usr/lib/openssh/sftp-server");
        assert_eq!(all[4].rest, "x");
    }
}
