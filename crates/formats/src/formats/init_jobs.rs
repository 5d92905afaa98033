//! Commands of init: inittab(5), and jobs of Upstart, init(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "init_jobs",
    doc: "Commands that init runs.",
    manual: "inittab(5), init(5) of Upstart",
    samples: &[
        b"# c\nid:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n1:2345:respawn:+/sbin/getty 38400 tty1\n",
        b"::respawn:/bin/a\nx:3:off:/b\n",
        b"description \"x\"\npre-start script\n  a\n  b\nend script\nexec /opt/c --d\n",
    ],
    feed: |bytes| {
        drop(inittab(bytes));
        drop(upstart(bytes));
    },
};

/// More commands than this are not taken from one file.
const MOST: usize = 10_000;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its first line, from 1.
    pub line: u32,
    /// The command, or the text of a script.
    pub command: Text,
}

/// The commands of an inittab: `id:runlevels:action:process`.
pub fn inittab(bytes: &[u8]) -> Vec<Command> {
    let command = |(line, text): (u32, &[u8])| {
        let mut fields = text.splitn(4, |b| *b == b':').skip(2);
        let (action, process) = (fields.next()?, fields.next()?);
        let process = process.strip_prefix(b"+").unwrap_or(process).trim_ascii();
        let runs = !process.is_empty() && action != b"off" && action != b"initdefault";
        runs.then(|| Command { line, command: process.into() })
    };
    lines::meaningful(bytes).filter_map(command).take(MOST).collect()
}

/// The commands of a job of Upstart: `exec` and `script … end script`, for each step of the job.
pub fn upstart(bytes: &[u8]) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut script: Option<(u32, Vec<u8>)> = None;
    for (line, text) in lines::numbered(bytes) {
        let words: Vec<&[u8]> = lines::words(text).take(3).collect();
        if let Some((_, body)) = &mut script {
            if words.as_slice() != [&b"end"[..], b"script"] {
                body.extend_from_slice(text);
                body.push(b'\n');
                continue;
            }
            commands.extend(script.take().map(|(line, body)| Command { line, command: body.into() }));
            continue;
        }
        let step =
            matches!(words.first().copied(), Some(b"pre-start" | b"post-start" | b"pre-stop" | b"post-stop"));
        match words.get(usize::from(step)).copied() {
            Some(b"script") => script = Some((line + 1, Vec::new())),
            Some(b"exec") => {
                let at = text.windows(4).position(|window| window == b"exec").unwrap_or(0);
                let command = text.get(at + 4..).unwrap_or_default().trim_ascii();
                commands.push(Command { line, command: command.into() });
            }
            _ => {}
        }
        if commands.len() >= MOST {
            break;
        }
    }
    commands.extend(script.map(|(line, body)| Command { line, command: body.into() }));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(commands: Vec<Command>) -> Vec<String> {
        commands.iter().map(|command| format!("{}:{}", command.line, command.command)).collect()
    }

    #[test]
    fn commands_are_found() {
        assert_eq!(shown(inittab(FORMAT.samples[0])), ["3:/etc/init.d/rcS", "4:/sbin/getty 38400 tty1"]);
        assert_eq!(shown(inittab(FORMAT.samples[1])), ["1:/bin/a"]);
        let commands = upstart(FORMAT.samples[2]);
        assert_eq!((commands[0].line, commands[0].command.as_bytes()), (3, &b"  a\n  b\n"[..]));
        assert_eq!((commands[1].line, commands[1].command.as_bytes()), (6, &b"/opt/c --d"[..]));
    }
}
