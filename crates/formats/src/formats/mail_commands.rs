//! Commands that a message starts: aliases, forwards, filters, transports, viewers.

use crate::init_jobs::Command;
use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "mail_commands",
    doc: "Commands that mail starts: in aliases, forwards, filters and mail servers' settings.",
    manual: "aliases(5), local(8), procmailrc(5), maildropfilter(7), pipe(8), master(5), postconf(5), mailcap(5), Exim specification 3.x",
    samples: &[
        b"root: me\nx: \"|/a b\", y@z\nlist: :include:/l\n  , |/c\nf: /var/f\n",
        b"\\me, \"|IFS=' ' && exec /a || exit 75 #me\"\n",
        b"SHELL=/bin/sh\nX=`/a`\n:0 fw\n| /b -c \\\n d\n:0\n* ^S\n! x@y\nDEFAULT=\"| /e\"\n",
        b"require [\"vnd.dovecot.pipe\"];\nif header :contains \"s\" \"x\" { pipe :copy \"a\" [\"b\"]; }\nexecute :output \"v\" \"c\";\nxfilter \"/d\"\nto \"|/e f\"\n",
        b"smtp inet n - y - - smtpd\n  -o content_filter=f\nf unix - n n - 10 pipe\n  flags=Rq user=filter null_sender=\n  argv=/a -f ${sender} -- ${recipient}\nsp unix - n n - 0 spawn user=nobody argv=/b\n",
        b"mailbox_command = /a -b\nmyhostname = c\nmailq_path = /usr/bin/mailq\n  -x\ncontent_filter = f:d\n",
        b"t:\n  driver = pipe\n  command = \"/a b\"\n  user = me\n  condition = ${run{/c d}{1}{0}}\n  transport_filter = /e\n",
        b"text/html; /a %s; test=/b -n \"$D\"; copiousoutput\nimage/*; \\\n c %s\n",
    ],
    feed: |bytes| {
        drop(aliases(bytes));
        drop(included(bytes));
        drop(procmail(bytes));
        drop(sieve(bytes));
        drop(master(bytes));
        drop(postfix(bytes));
        drop(exim(bytes));
        drop(mailcap(bytes));
    },
};

/// More commands than this are not taken from one file.
const MOST: usize = 10_000;

/// Lines with those that begin with a blank joined to the one before.
fn joined(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut all: Vec<(u32, Vec<u8>)> = Vec::new();
    for (line, text) in lines::meaningful_untrimmed(bytes) {
        let goes_on = text.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        match all.last_mut().filter(|_| goes_on) {
            Some((_, whole)) if whole.len() < 64 << 10 => {
                whole.push(b' ');
                whole.extend_from_slice(text.trim_ascii());
            }
            Some(_) => {}
            None => all.push((line, text.trim_ascii().to_vec())),
        }
    }
    all
}

/// The parts of a list of recipients: commas in quotes do not separate.
fn recipients(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut part, mut quoted) = (Vec::new(), Vec::new(), false);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' => part.extend(bytes.next()),
            b',' | b'\n' if !quoted => all.push(std::mem::take(&mut part)),
            _ => part.push(byte),
        }
    }
    all.push(part);
    all.iter().map(|part| part.trim_ascii().to_vec()).filter(|part| !part.is_empty()).collect()
}

fn piped(line: u32, recipient: &[u8]) -> Option<Command> {
    let command = recipient.strip_prefix(b"|")?.trim_ascii();
    (!command.is_empty()).then(|| Command { line, command: command.into() })
}

/// The commands of aliases(5), or of a file of recipients alone (.forward, an included list).
pub fn aliases(bytes: &[u8]) -> Vec<Command> {
    let all = joined(bytes).into_iter().flat_map(|(line, text)| {
        let parts = recipients(behind_name(&text));
        parts.into_iter().filter_map(move |part| piped(line, &part)).collect::<Vec<_>>()
    });
    all.take(MOST).collect()
}

/// What stands behind `name:`; all of it where no name stands before.
fn behind_name(text: &[u8]) -> &[u8] {
    let colon = match text.first() {
        Some(b'"') => text.iter().skip(1).position(|b| *b == b'"').map(|at| at + 2),
        Some(b'|' | b':' | b'/' | b'\\') => None,
        _ => text.iter().position(|b| *b == b':'),
    };
    let behind = colon.and_then(|at| text.get(at..)).map(<[u8]>::trim_ascii_start);
    behind.and_then(|rest| rest.strip_prefix(b":")).unwrap_or(text)
}

/// The files that `:include:` names.
pub fn included(bytes: &[u8]) -> Vec<Text> {
    let all = joined(bytes).into_iter().flat_map(|(_, text)| recipients(behind_name(&text)));
    all.filter_map(|part| part.strip_prefix(b":include:").map(|path| path.trim_ascii().into()))
        .take(64)
        .collect()
}

/// Commands of procmailrc(5), of maildrop's filters, and of Exim's.
pub fn procmail(bytes: &[u8]) -> Vec<Command> {
    let (mut all, mut open) = (Vec::new(), None::<(u32, Vec<u8>)>);
    for (line, text) in lines::meaningful(bytes) {
        if all.len() >= MOST {
            break;
        }
        let (first, mut whole) = open.take().unwrap_or((line, Vec::new()));
        whole.extend_from_slice(text.strip_suffix(b"\\").unwrap_or(text));
        if text.ends_with(b"\\") && whole.len() < 64 << 10 {
            whole.push(b' ');
            open = Some((first, whole));
            continue;
        }
        let text = whole.trim_ascii();
        let quoted = |text: &[u8]| text.split(|b| *b == b'"').nth(1).unwrap_or_default().to_vec();
        if text.starts_with(b"|") {
            all.extend(piped(first, text));
        } else if text.starts_with(b"to ") || text.starts_with(b"cc ") {
            all.extend(piped(first, &quoted(text)));
        } else if text.starts_with(b"xfilter") || text.starts_with(b"pipe ") {
            all.extend(piped(first, &[b"|", quoted(text).as_slice()].concat()));
        } else if let Some((name, value)) = lines::cut(text, b'=')
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            let value = value.strip_prefix(b"\"").map_or(value, |v| v.strip_suffix(b"\"").unwrap_or(v));
            all.extend(piped(first, value));
            let inside = value.split(|b| *b == b'`').nth(1).unwrap_or_default();
            all.extend(piped(first, &[b"|", inside].concat()));
        }
        // A condition may run a program as well: `* ? command`, and `*!? command`.
        if let Some(condition) = text.strip_prefix(b"*").map(<[u8]>::trim_ascii) {
            let condition = condition.strip_prefix(b"!").unwrap_or(condition).trim_ascii();
            if let Some(program) = condition.strip_prefix(b"?") {
                all.extend(piped(first, &[b"|", program].concat()));
            }
        }
    }
    all
}

/// Programs of Sieve scripts: Dovecot's extprograms (`pipe`, `filter`, `execute`).
pub fn sieve(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        for key in [&b"pipe"[..], b"filter", b"execute"] {
            let Some(at) = text.windows(key.len()).position(|window| window == key) else { continue };
            let before = at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
            let behind = text.get(at + key.len()..).unwrap_or_default();
            if !matches!(before, b' ' | b'\t' | b'{' | b';' | b'}') || !behind.starts_with(b" ") {
                continue;
            }
            let end = behind.iter().position(|b| *b == b';').unwrap_or(behind.len());
            let words: Vec<&[u8]> =
                behind.get(..end).unwrap_or_default().split(|b| *b == b'"').skip(1).step_by(2).collect();
            if !words.is_empty() && all.len() < MOST {
                all.push(Command { line, command: words.join(&b' ').into() });
            }
        }
    }
    all
}

/// A command that Postfix or Exim runs, and its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// Its line, from 1.
    pub line: u32,
    /// The command.
    pub command: Text,
    /// The account; empty where none is named.
    pub user: Text,
}

/// Commands of Postfix's master.cf: `argv=` of pipe(8) and spawn(8).
pub fn master(bytes: &[u8]) -> Vec<Transport> {
    let found = |(line, text): (u32, Vec<u8>)| {
        let at = text.windows(5).position(|window| window == b"argv=")?;
        let before = text.get(..at).unwrap_or_default();
        let user = lines::words(before).find_map(|word| word.strip_prefix(b"user=")).unwrap_or_default();
        let user = user.split(|b| *b == b':').next().unwrap_or_default();
        let command = text.get(at + 5..).unwrap_or_default().trim_ascii().into();
        Some(Transport { line, command, user: user.into() })
    };
    joined(bytes).into_iter().filter_map(found).take(MOST).collect()
}

/// Settings of Postfix's main.cf, continued lines joined: line, name, value.
pub fn postfix(bytes: &[u8]) -> Vec<(u32, Text, Text)> {
    let all = joined(bytes).into_iter().filter_map(|(line, text)| {
        let (name, value) = lines::cut(&text, b'=')?;
        Some((line, name.into(), value.into()))
    });
    all.take(MOST).collect()
}

/// Commands of Exim: of pipe transports, filters, and `${run{…}}`.
pub fn exim(bytes: &[u8]) -> Vec<Transport> {
    let mut all: Vec<Transport> = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        if all.len() >= MOST {
            break;
        }
        let mut rest = text;
        while let Some(at) = rest.windows(5).position(|window| window == b"${run") {
            let behind = rest.get(at + 5..).unwrap_or_default();
            let start = behind.iter().position(|b| *b == b'{').map_or(behind.len(), |at| at + 1);
            let inside = behind.get(start..).unwrap_or_default();
            let command = inside.split(|b| *b == b'}').next().unwrap_or_default();
            if command.starts_with(b"/") {
                all.push(Transport { line, command: command.into(), user: Text::default() });
            }
            rest = inside;
        }
        let Some((name, value)) = lines::cut(text, b'=') else { continue };
        let value = value.strip_prefix(b"\"").map_or(value, |v| v.strip_suffix(b"\"").unwrap_or(v));
        let value = value.strip_prefix(b"|").unwrap_or(value).trim_ascii();
        match name {
            b"command" | b"transport_filter" | b"perl_startup" => {
                all.push(Transport { line, command: value.into(), user: Text::default() });
            }
            b"user" => {
                if let Some(last) = all.last_mut().filter(|last| last.user.is_empty()) {
                    last.user = value.into();
                }
            }
            _ => {}
        }
    }
    all
}

/// Commands of mailcap(5): viewers, and tests whether they fit.
pub fn mailcap(bytes: &[u8]) -> Vec<Command> {
    let (mut all, mut open) = (Vec::new(), None::<(u32, Vec<u8>)>);
    for (line, text) in lines::meaningful(bytes) {
        let (first, mut whole) = open.take().unwrap_or((line, Vec::new()));
        whole.extend_from_slice(text.strip_suffix(b"\\").unwrap_or(text));
        if text.ends_with(b"\\") && whole.len() < 64 << 10 {
            open = Some((first, whole));
            continue;
        }
        let mut fields = whole.split(|b| *b == b';').map(<[u8]>::trim_ascii).skip(1);
        let mut commands: Vec<&[u8]> = fields.next().into_iter().collect();
        let named = fields.filter_map(|field| {
            let (name, value) = lines::cut(field, b'=')?;
            matches!(name, b"test" | b"compose" | b"composetyped" | b"edit" | b"print").then_some(value)
        });
        commands.extend(named);
        for command in commands.into_iter().filter(|command| !command.is_empty()) {
            if all.len() < MOST {
                all.push(Command { line: first, command: command.into() });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: Vec<Command>) -> Vec<String> {
        all.into_iter().map(|found| format!("{} {}", found.line, found.command)).collect()
    }

    #[test]
    fn each_form_gives_its_commands() {
        assert_eq!(texts(aliases(FORMAT.samples[0])), ["2 /a b", "3 /c"]);
        assert_eq!(included(FORMAT.samples[0]), ["/l"]);
        assert_eq!(texts(aliases(FORMAT.samples[1])), ["1 IFS=' ' && exec /a || exit 75 #me"]);
        assert_eq!(texts(aliases(b"|/x y\n")), ["1 /x y"]);
        assert_eq!(texts(procmail(FORMAT.samples[2])), ["2 /a", "4 /b -c  d", "9 /e"]);
        assert_eq!(texts(sieve(FORMAT.samples[3])), ["2 a b", "3 v c"]);
        assert_eq!(texts(procmail(b"xfilter \"/d\"\nto \"|/e f\"\n")), ["1 /d", "2 /e f"]);
        let all = master(FORMAT.samples[4]);
        assert_eq!((all[0].user.clone(), all[1].command.clone()), ("filter".into(), "/b".into()));
        assert_eq!(postfix(FORMAT.samples[5]).len(), 4);
        let all = exim(FORMAT.samples[6]);
        assert_eq!((all[0].user.clone(), all[1].command.clone()), ("me".into(), "/c d".into()));
        assert_eq!(texts(mailcap(FORMAT.samples[7])), ["1 /a %s", "1 /b -n \"$D\"", "2 c %s"]);
    }
}
