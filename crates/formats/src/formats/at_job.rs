//! Jobs of at and batch: at(1), the files that atd runs.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "at_job",
    doc: "A job of at: a script that sets up an environment and then runs what was asked.",
    manual: "at(1), atd(8)",
    samples: &[
        b"#!/bin/sh\n# atrun uid=1000 gid=100\n# mail me 0\numask 22\nPATH=/usr/bin:/bin; export PATH\nPWD=/home/me; export PWD\ncd /home/me || {\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\n/home/me/x\n",
        b"#!/bin/sh\n# atrun uid=0 gid=0\numask 22\ncd / || {\n\t exit 1\n}\n${SHELL:-/bin/sh} << 'marcinDELIMITER0123'\ntouch /root/y\n\nmarcinDELIMITER0123\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// User id it runs as.
    pub uid: Option<u32>,
    /// Working directory.
    pub directory: Text,
    /// Settings of its environment, `NAME=value`.
    pub environment: Vec<Text>,
    /// What was asked to be run.
    pub command: Text,
    /// Line at which that begins, from 1.
    pub line: u32,
}

/// A job's parts. A file without the header of at is one command as a whole.
pub fn parse(bytes: &[u8]) -> Job {
    let mut job = Job { line: 1, ..Job::default() };
    let mut header = false;
    let mut at = 0;
    let mut begins = 0;
    for (number, line) in lines::numbered(bytes) {
        let next = (at + line.len() + 1).min(bytes.len());
        let next = next + usize::from(bytes.get(at + line.len()) == Some(&b'\r'));
        if let Some(ids) = line.strip_prefix(b"# atrun ") {
            header = true;
            job.uid = lines::words(ids).find_map(|word| lines::decimal(word.strip_prefix(b"uid=")?));
        } else if let Some(rest) = line.strip_prefix(b"cd ").filter(|_| header && job.directory.is_empty()) {
            let end = rest.windows(3).position(|three| three == b" ||").unwrap_or(rest.len());
            job.directory = rest.get(..end).unwrap_or_default().into();
        } else if line == b"}" && !job.directory.is_empty() {
            begins = next;
            job.line = number.saturating_add(1);
            break;
        } else if let Some(set) =
            line.split(|b| *b == b';').next().filter(|set| header && set.contains(&b'='))
            && job.environment.len() < 500
        {
            job.environment.push(set.into());
        }
        at = next;
    }
    let body = bytes.get(begins..).unwrap_or_default();
    job.command = unwrapped(body).into();
    job
}

/// The text inside `${SHELL:-/bin/sh} << 'DELIMITER'`, as newer versions of at write it.
fn unwrapped(body: &[u8]) -> &[u8] {
    let first = body.split(|b| *b == b'\n').next().unwrap_or_default();
    let delimiter = first
        .windows(4)
        .position(|four| four == b"<< '")
        .and_then(|at| first.get(at + 4..))
        .and_then(|rest| rest.strip_suffix(b"'"))
        .filter(|delimiter| !delimiter.is_empty() && first.starts_with(b"$"));
    let Some(delimiter) = delimiter else { return body.trim_ascii() };
    let inside = body.get(first.len() + 1..).unwrap_or_default();
    let end = inside.windows(delimiter.len()).position(|part| part == delimiter).unwrap_or(inside.len());
    inside.get(..end).unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_command() {
        let job = parse(FORMAT.samples[0]);
        assert_eq!((job.uid, job.line, job.command), (Some(1000), 11, Text::from("/home/me/x")));
        assert_eq!(job.environment.first(), Some(&Text::from("PATH=/usr/bin:/bin")));
        assert_eq!(parse(FORMAT.samples[1]).command, Text::from("touch /root/y"));
        assert_eq!(parse(b"/tmp/x\n").command, Text::from("/tmp/x"));
    }
}
