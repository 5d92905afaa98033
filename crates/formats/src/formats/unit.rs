//! Settings of the service manager: systemd.syntax(7).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "unit",
    doc: "A unit file or a drop-in of the service manager.",
    manual: "systemd.syntax(7), systemd.unit(5)",
    samples: &[
        b"[Unit]\nDescription=a b\n# c\n[Service]\nExecStart=/bin/sh -c 'a \\\n; comment\n b'\nEnvironment=\"A=1 2\" B=3\nUser = me\n[Install]\nWantedBy=multi-user.target\n",
        b"\xef\xbb\xbf[Timer]\r\nOnCalendar=daily\r\nUnit=x.service\r\n[Broken\nA\n=b\n",
    ],
    feed: |bytes| {
        for setting in parse(bytes) {
            drop(words(setting.value.as_bytes()));
        }
    },
};

/// More settings than this are not taken from one file.
const MOST: usize = 20_000;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line of its name, from 1.
    pub line: u32,
    /// Section, without brackets.
    pub section: Text,
    /// Name.
    pub name: Text,
    /// Value, continued lines joined with a space; specifiers and quotes as written.
    pub value: Text,
}

/// The settings of a file in their order. Lines that are no setting are left out.
pub fn parse(bytes: &[u8]) -> Vec<Setting> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut settings = Vec::new();
    let mut section = Text::default();
    let mut open: Option<(u32, Vec<u8>)> = None;
    for (number, line) in lines::numbered(bytes) {
        let trimmed = line.trim_ascii();
        // Comments are left out even between continued lines.
        if trimmed.starts_with(b"#") || trimmed.starts_with(b";") {
            continue;
        }
        if settings.len() >= MOST {
            break;
        }
        let (first, mut whole) = open.take().unwrap_or((number, Vec::new()));
        let (part, goes_on) = match line.strip_suffix(b"\\") {
            Some(part) => (part, true),
            None => (line, false),
        };
        if !whole.is_empty() {
            whole.push(b' ');
        }
        whole.extend_from_slice(part.trim_ascii());
        if goes_on {
            open = Some((first, whole));
        } else {
            take(first, &whole, &mut section, &mut settings);
        }
    }
    if let Some((first, whole)) = open {
        take(first, &whole, &mut section, &mut settings);
    }
    settings
}

fn take(line: u32, whole: &[u8], section: &mut Text, settings: &mut Vec<Setting>) {
    let whole = whole.trim_ascii();
    if let Some(name) = whole.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        *section = name.into();
    } else if let Some((name, value)) = lines::cut(whole, b'=').filter(|(name, _)| !name.is_empty()) {
        settings.push(Setting { line, section: section.clone(), name: name.into(), value: value.into() });
    }
}

/// The words of a value, without their quotes: `"A=1 2" B=3`.
pub fn words(value: &[u8]) -> Vec<Text> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quote) = (Vec::new(), false, 0_u8);
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                begun = true;
                word.extend(bytes.next());
            }
            _ if quote != 0 && byte == quote => quote = 0,
            b'"' | b'\'' if quote == 0 => (quote, begun) = (byte, true),
            b' ' | b'\t' if quote == 0 => {
                if begun {
                    words.push(std::mem::take(&mut word).into());
                }
                begun = false;
            }
            _ => {
                begun = true;
                word.push(byte);
            }
        }
    }
    if begun {
        words.push(word.into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continued_lines_comments_and_quotes() {
        let settings = parse(FORMAT.samples[0]);
        let shown: Vec<_> =
            settings.iter().map(|s| format!("{} {}.{}={}", s.line, s.section, s.name, s.value)).collect();
        assert_eq!(
            shown,
            [
                "2 Unit.Description=a b",
                "5 Service.ExecStart=/bin/sh -c 'a b'",
                "8 Service.Environment=\"A=1 2\" B=3",
                "9 Service.User=me",
                "11 Install.WantedBy=multi-user.target"
            ]
        );
        assert_eq!(words(b"\"A=1 2\" B=3"), [Text::from("A=1 2"), Text::from("B=3")]);
    }
}
