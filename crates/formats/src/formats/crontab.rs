//! Tables of cron and anacron: crontab(5), anacrontab(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "crontab",
    doc: "Jobs of cron and anacron.",
    manual: "crontab(5), anacrontab(5)",
    samples: &[
        b"SHELL=/bin/sh\nPATH = \"/bin:/usr/bin\"\n# c\n17 *\t* * *\troot\tcd / && run-parts /etc/cron.hourly\n@reboot me /home/me/x\n",
        b"*/5 0-6 1,2 jan mon-fri tar c a | mail -s 50\\% me%hello\n\t@daily -q\n",
        b"1\t5\tcron.daily\tnice run-parts --report /etc/cron.daily\n@monthly 10 m run-parts /etc/cron.monthly\n",
    ],
    feed: |bytes| {
        drop(parse(bytes, true));
        drop(parse(bytes, false));
        drop(anacron(bytes));
    },
};

/// More jobs than this are not taken from one table.
const MOST: usize = 10_000;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Line, from 1.
    pub line: u32,
    /// The five time fields, or the word that stands for them.
    pub when: Text,
    /// The account, in tables that name one.
    pub user: Option<Text>,
    /// The command as written.
    pub command: Text,
    /// Settings of the environment that stand before it, `NAME=value`.
    pub environment: Vec<Text>,
}

/// The jobs of a table; `with_user` where the sixth field is the account (/etc/crontab and /etc/cron.d).
pub fn parse(bytes: &[u8], with_user: bool) -> Vec<Job> {
    table(bytes, |first| if first.starts_with(b"@") { 1 } else { 5 }, with_user, false)
}

/// The jobs of an anacron table: period, delay, name, command.
pub fn anacron(bytes: &[u8]) -> Vec<Job> {
    table(bytes, |_| 3, false, true)
}

fn table(bytes: &[u8], fields: impl Fn(&[u8]) -> usize, with_user: bool, anacron: bool) -> Vec<Job> {
    let (mut jobs, mut environment) = (Vec::new(), Vec::new());
    for (line, text) in bytes.split(|b| *b == b'\n').zip(1..).map(|(text, line)| (line, text.trim_ascii())) {
        if text.is_empty() || text.starts_with(b"#") || jobs.len() >= MOST {
            continue;
        }
        if let Some(setting) = setting(text) {
            if environment.len() < 100 {
                environment.push(setting);
            }
            continue;
        }
        // A dash before the time keeps the job out of the log, in some crons.
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let time = fields(text);
        let Some((when, rest)) = leading(text, time) else { continue };
        let (user, command) = if with_user {
            let Some((user, command)) = leading(rest, 1) else { continue };
            (Some(user.into()), command)
        } else {
            (None, rest)
        };
        if command.is_empty() || !(anacron || is_time(when)) {
            continue;
        }
        jobs.push(Job {
            line,
            when: when.into(),
            user,
            command: command.into(),
            environment: environment.clone(),
        });
    }
    jobs
}

/// The first `count` fields, and what stands behind them.
fn leading(text: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    for _ in 0..count {
        let rest = text.get(at..)?;
        at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let width = text.get(at..)?.iter().take_while(|b| !matches!(b, b' ' | b'\t')).count();
        if width == 0 {
            return None;
        }
        at += width;
    }
    Some((text.get(..at)?.trim_ascii(), text.get(at..)?.trim_ascii()))
}

/// Whether fields can be a time: cron reads past lines that are none, and so do we.
fn is_time(when: &[u8]) -> bool {
    when.starts_with(b"@")
        || when.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'*' | b'/' | b',' | b'-' | b' ' | b'\t' | b'~' | b'?' | b'#')
        })
}

/// A line that sets a variable, without its quotes.
fn setting(text: &[u8]) -> Option<Text> {
    let (name, value) = lines::cut(text, b'=')?;
    let quote = |b: &u8| matches!(b, b'"' | b'\'');
    let name = name.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(name);
    let plain = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let value = match value.first().filter(|b| quote(b)) {
        Some(open) => value.get(1..).unwrap_or_default().split(|b| b == open).next().unwrap_or_default(),
        None => value,
    };
    plain.then(|| [name, b"=", value].concat().into())
}

/// A job's command as its shell sees it: an unescaped percent sign ends a line, and what follows is what it reads.
pub fn shell_text(command: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(command.len());
    let mut bytes = command.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.peek() == Some(&b'%') => text.extend(bytes.next()),
            b'%' => text.push(b'\n'),
            _ => text.push(byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_tables_name_accounts() {
        let jobs = parse(FORMAT.samples[0], true);
        assert_eq!(jobs.len(), 2);
        assert_eq!((jobs[0].line, jobs[0].when.clone()), (4, Text::from("17 *\t* * *")));
        assert_eq!(jobs[0].command, Text::from("cd / && run-parts /etc/cron.hourly"));
        assert_eq!(jobs[0].environment, [Text::from("SHELL=/bin/sh"), Text::from("PATH=/bin:/usr/bin")]);
        assert_eq!((jobs[1].when.clone(), jobs[1].user.clone()), ("@reboot".into(), Some("me".into())));
    }

    #[test]
    fn user_tables_and_anacron_and_junk() {
        let jobs = parse(FORMAT.samples[1], false);
        assert_eq!(jobs.len(), 2);
        assert_eq!(shell_text(jobs[0].command.as_bytes()), b"tar c a | mail -s 50% me\nhello");
        assert_eq!(anacron(FORMAT.samples[2])[1].command, Text::from("run-parts /etc/cron.monthly"));
        let dump = b"REDIS0006\xfe\x00\x00\x03abcx\n\n* * * * * /opt/x\n\n\xff\x01\x02";
        assert_eq!(parse(dump, false)[0].command, Text::from("/opt/x"));
    }
}
