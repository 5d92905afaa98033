//! Rules of pluggable authentication: pam.conf(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "pam",
    doc: "Rules of pluggable authentication.",
    manual: "pam.conf(5), pam.d(5)",
    samples: &[
        b"auth\t[success=1 default=ignore]\tpam_unix.so nullok\n-session optional pam_systemd.so\n@include common-auth\nauth required \\\n pam_exec.so [quiet a\\] b] /bin/x\nsshd auth sufficient pam_permit.so\n",
    ],
    feed: |bytes| {
        drop(parse(bytes, false));
        drop(parse(bytes, true));
    },
};

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Line number, from 1.
    pub line: u32,
    /// The service, in /etc/pam.conf alone.
    pub service: Text,
    /// `auth`, `account`, `password`, `session`, or `all` for `@include`.
    pub stack: String,
    /// The control field.
    pub control: Text,
    /// The module or the included service.
    pub module: Text,
    /// Arguments.
    pub arguments: Vec<Text>,
}

/// The rules of a file in /etc/pam.d, or with `services` of /etc/pam.conf, where the first word is the service.
pub fn parse(bytes: &[u8], services: bool) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut pending: Option<(u32, Vec<u8>)> = None;
    for (number, line) in lines::numbered(bytes) {
        let (line, goes_on) = match line.strip_suffix(b"\\") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (first, mut whole) = pending.take().unwrap_or((number, Vec::new()));
        whole.extend_from_slice(line);
        if goes_on {
            whole.push(b' ');
            pending = Some((first, whole));
        } else {
            rules.extend(rule(first, &whole, services));
        }
    }
    rules.extend(pending.and_then(|(first, whole)| rule(first, &whole, services)));
    rules
}

fn rule(line: u32, text: &[u8], services: bool) -> Option<Rule> {
    let text = text.split(|b| *b == b'#').next().unwrap_or_default();
    let mut words = words(text).into_iter();
    let mut first = words.next()?;
    if first == b"@include" {
        let (stack, control) = ("all".to_owned(), "include".into());
        let module = words.next()?.into();
        return Some(Rule { line, stack, control, module, ..Rule::default() });
    }
    let mut service = Text::default();
    if services {
        service = first.into();
        first = words.next()?;
    }
    let stack = String::from_utf8_lossy(first.strip_prefix(b"-").unwrap_or(&first)).to_ascii_lowercase();
    if !matches!(stack.as_str(), "auth" | "account" | "password" | "session") {
        return None;
    }
    let control = words.next()?.into();
    let module = words.next()?.into();
    Some(Rule { line, service, stack, control, module, arguments: words.map(Text::from).collect() })
}

/// Words; what stands in brackets is one, with `\]` for a bracket. The control field keeps its brackets.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut current = Vec::new();
    let (mut bracket, mut escaped) = (false, false);
    for byte in text {
        match byte {
            b' ' | b'\t' | b'\r' if !bracket => {
                if !current.is_empty() {
                    all.push(std::mem::take(&mut current));
                }
                continue;
            }
            b'[' if current.is_empty() => bracket = true,
            b']' if bracket && !escaped => bracket = false,
            _ => {}
        }
        escaped = *byte == b'\\';
        current.push(*byte);
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_includes_and_joined_lines_are_understood() {
        let all = parse(FORMAT.samples[0], false);
        assert_eq!(all[0].control, "[success=1 default=ignore]");
        assert_eq!((all[1].stack.as_str(), &all[1].module), ("session", &"pam_systemd.so".into()));
        assert_eq!((all[2].stack.as_str(), &all[2].module), ("all", &"common-auth".into()));
        assert_eq!(all[3].arguments, [Text::from("[quiet a\\] b]"), "/bin/x".into()]);
        assert_eq!(parse(b"sshd auth sufficient pam_permit.so\n", true)[0].service, "sshd");
    }
}
