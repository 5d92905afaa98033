//! Programs that loggers start or feed: rsyslog.conf(5), syslog-ng.conf(5).

use super::{MOST, command, word};
use crate::init_jobs::Command;
use crate::lines;

/// Programs of rsyslog: `omprog`, `improg`, `mmexternal`, `^program`, and the older `$ActionOMProgBinary`.
pub fn rsyslog(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        if all.len() >= MOST {
            break;
        }
        let (first, rest) = word(text);
        if first.eq_ignore_ascii_case(b"$ActionOMProgBinary") {
            all.extend(command(line, rest));
            continue;
        }
        // `binary="…"` stands in an object that may run over several lines.
        let lower = text.to_ascii_lowercase();
        let mut from = 0;
        while let Some(at) = lower.get(from..).and_then(|rest| rest.windows(6).position(|w| w == b"binary")) {
            let behind = text.get(from + at + 6..).unwrap_or_default().trim_ascii_start();
            if let Some(value) = behind.strip_prefix(b"=") {
                all.extend(command(line, word(value).0));
            }
            from += at + 6;
        }
        // `selector ^program;template`: the shell-execute action.
        let action = text.rsplit(|b| matches!(b, b' ' | b'\t')).find(|part| part.starts_with(b"^"));
        if let Some(action) = action.filter(|_| !text.starts_with(b"^")) {
            let at = text.len() - action.len();
            let whole =
                text.get(text.iter().position(|b| *b == b'^').unwrap_or(at) + 1..).unwrap_or_default();
            all.extend(command(line, whole.split(|b| *b == b';').next().unwrap_or_default()));
        }
    }
    all
}

/// Programs of syslog-ng: `program("…")` in sources and destinations.
pub fn syslog_ng(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.windows(7).position(|w| w == b"program")) {
            let behind = text.get(from + at + 7..).unwrap_or_default().trim_ascii_start();
            if let Some(value) = behind.strip_prefix(b"(").map(<[u8]>::trim_ascii_start)
                && matches!(value.first(), Some(b'"' | b'\''))
                && word(value).0.contains(&b'/')
                && all.len() < MOST
            {
                all.extend(command(line, word(value).0));
            }
            from += at + 7;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::FORMAT;
    use super::*;

    #[test]
    fn programs_of_loggers_are_found() {
        let texts = |all: Vec<Command>| all.into_iter().map(|f| f.command.to_string()).collect::<Vec<_>>();
        assert_eq!(texts(rsyslog(FORMAT.samples[0])), ["/a", "/b", "/c -x", "/d"]);
        assert_eq!(texts(syslog_ng(FORMAT.samples[1])), ["/a -b", "/c"]);
    }
}
