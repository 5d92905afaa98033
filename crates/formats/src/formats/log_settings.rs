//! What is recorded, and what is thrown away: rules of loggers and of the audit system, rotation of logs.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "log_settings",
    doc: "Rules that throw messages away, and rules of the audit system and of log rotation.",
    manual: "rsyslog.conf(5), auditctl(8), audit.rules(7), logrotate.conf(5)",
    samples: &[
        b"auth,authpriv.*  /dev/null\n:msg, contains, \"x y\" stop\nif $programname == 'sshd' then {\n  stop\n}\nif $msg contains 'z' then ~\n*.* ~\nauth.* /var/log/auth.log\n& stop\n",
        b"-D\n-e 0\n-a never,exit -F dir=/x -k y\n-a always,exit -S open\n-A exclude,always -F msgtype=LOGIN\n",
        b"weekly\nrotate 4\n/var/log/a /var/log/b\n\"/var/log/c d\" {\n  rotate 0\n  postrotate\n    x }\n  endscript\n}\n/e {\n daily\n}\n",
    ],
    feed: |bytes| {
        drop(discards(bytes));
        drop(audit(bytes));
        drop(rotation(bytes));
    },
};

/// More rules than this are not taken from one file.
const MOST: usize = 10_000;

/// A rule that throws messages away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discard {
    /// Its line, from 1.
    pub line: u32,
    /// Which messages: a selector, a filter or a condition, as written.
    pub which: Text,
}

/// The rules of rsyslog that throw messages away. `& stop`, behind a rule that stored them elsewhere, is none.
pub fn discards(bytes: &[u8]) -> Vec<Discard> {
    let mut all = Vec::new();
    let mut condition: Option<(u32, Text)> = None;
    for (line, text) in lines::meaningful(bytes) {
        if all.len() >= MOST {
            break;
        }
        if text.starts_with(b"&") {
            continue;
        }
        if text.starts_with(b"if ") {
            let at = text.windows(5).rposition(|window| window == b" then");
            let (test, action) = text.split_at(at.unwrap_or(text.len()));
            let test = Text::from(test.get(3..).unwrap_or_default().trim_ascii());
            let action = action.get(5..).unwrap_or_default().trim_ascii();
            let stored = action.windows(6).any(|window| window == b"action");
            if is_nothing(action.trim_ascii_start().strip_prefix(b"{").unwrap_or(action)) {
                all.push(Discard { line, which: test });
                condition = None;
            } else {
                condition = (!stored).then_some((line, test));
            }
            continue;
        }
        let stops = text.strip_suffix(b"}").unwrap_or(text).trim_ascii();
        if is_nothing(stops) || is_nothing(stops.strip_prefix(b"{").unwrap_or(stops)) {
            if let Some((line, which)) = condition.take() {
                all.push(Discard { line, which });
            }
            continue;
        }
        // Whatever else a condition does before it stops stores the message.
        if condition.is_some() && !matches!(text, b"{" | b"then") {
            condition = None;
        }
        let at = text.iter().rposition(|b| matches!(b, b' ' | b'\t'));
        let Some(at) = at.filter(|_| !text.starts_with(b"$")) else { continue };
        let (which, action) = text.split_at(at);
        let selects = which.contains(&b'.') || which.starts_with(b":");
        if selects && (is_nothing(action) || matches!(action.trim_ascii(), b"/dev/null" | b"-/dev/null")) {
            all.push(Discard { line, which: which.trim_ascii().into() });
        }
    }
    all
}

fn is_nothing(action: &[u8]) -> bool {
    let action = action.trim_ascii();
    let action = action.strip_suffix(b"}").unwrap_or(action).trim_ascii();
    matches!(action, b"stop" | b"~" | b"discard")
}

/// Rules of the audit system that switch it off or leave something out: line and words as written.
pub fn audit(bytes: &[u8]) -> Vec<(u32, Text)> {
    let leaves_out = |text: &[u8]| {
        let words: Vec<&[u8]> = lines::words(text).collect();
        words.windows(2).any(|pair| match pair {
            [b"-e", value] => *value == b"0",
            [b"-a" | b"-A", list] => {
                list.split(|b| *b == b',').any(|word| matches!(word, b"never" | b"exclude"))
            }
            _ => false,
        })
    };
    lines::meaningful(bytes)
        .filter(|(_, text)| leaves_out(text))
        .map(|(l, t)| (l, t.into()))
        .take(MOST)
        .collect()
}

/// One block of logrotate.conf(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Its line, from 1.
    pub line: u32,
    /// The logs, as written.
    pub logs: Vec<Text>,
    /// Its directives, one line each, without scripts.
    pub directives: Vec<Text>,
}

/// The blocks of a file of log rotation.
pub fn rotation(bytes: &[u8]) -> Vec<Rotation> {
    let mut all: Vec<Rotation> = Vec::new();
    let (mut names, mut first, mut open, mut script) = (Vec::<Text>::new(), 0, None::<Rotation>, false);
    for (line, text) in lines::meaningful(bytes) {
        if all.len() >= MOST {
            break;
        }
        if let Some(block) = &mut open {
            let word = lines::words(text).next().unwrap_or_default();
            if script {
                script = word != b"endscript";
            } else if matches!(
                word,
                b"postrotate" | b"prerotate" | b"firstaction" | b"lastaction" | b"preremove"
            ) {
                script = true;
            } else if text.starts_with(b"}") {
                all.extend(open.take());
            } else if block.directives.len() < 256 {
                block.directives.push(text.into());
            }
            continue;
        }
        let opens = text.ends_with(b"{");
        let rest = text.strip_suffix(b"{").unwrap_or(text).trim_ascii();
        if rest.starts_with(b"/") || rest.starts_with(b"\"/") || (opens && rest.is_empty()) {
            if names.is_empty() {
                first = line;
            }
            let mut quoted = false;
            let parts = rest.split(|b| {
                quoted ^= *b == b'"';
                *b == b'"' || (!quoted && b.is_ascii_whitespace())
            });
            names.extend(parts.filter(|part| !part.is_empty()).map(Text::from).take(256));
        } else {
            names.clear();
        }
        if opens {
            open = Some(Rotation { line: first, logs: std::mem::take(&mut names), directives: Vec::new() });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_found() {
        let shown: Vec<_> =
            discards(FORMAT.samples[0]).into_iter().map(|d| format!("{} {}", d.line, d.which)).collect();
        assert_eq!(
            shown,
            [
                "1 auth,authpriv.*",
                "2 :msg, contains, \"x y\"",
                "3 $programname == 'sshd'",
                "6 $msg contains 'z'",
                "7 *.*"
            ]
        );
        let lines: Vec<_> = audit(FORMAT.samples[1]).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 3, 5]);
        let all = rotation(FORMAT.samples[2]);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0].logs, ["/var/log/a", "/var/log/b", "/var/log/c d"]);
        assert_eq!(all[0].directives, ["rotate 0"]);
    }
}
