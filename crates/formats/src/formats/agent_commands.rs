//! Commands that agents run: loggers, monitors, watchers, super-servers, and daemons with hooks.

mod logs;

use crate::init_jobs::Command;
use crate::{Format, lines, unit};
use calma_record::Text;

pub use logs::{rsyslog, syslog_ng};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "agent_commands",
    doc: "Commands that logging and monitoring agents, super-servers and daemons with hooks run.",
    manual: "rsyslog.conf(5), syslog-ng.conf(5), snmpd.conf(5), auditd-plugins(5), collectd.conf(5), monit(1), inetd.conf(5), xinetd.conf(5), jail.conf(5)",
    samples: &[
        b"$ActionOMProgBinary /a\n*.* ^/b;RSYSLOG_FileFormat\naction(type=\"omprog\"\n  binary=\"/c -x\")\nmodule(load=\"improg\") input(type=\"improg\" binary=\"/d\")\nauth.* /var/log/auth.log\n",
        b"destination d { program(\"/a -b\" template(\"x\")); };\nsource s { program('/c'); };\n# program(\"/n\")\n",
        b"extend .1.3.6 name /bin/sh /a -b\nextend name2 /b\nexec n /c\npass .1.3 /d\ntraphandle default /e\ndlmod x /f.so\n",
        b"[[inputs.exec]]\n  commands = [\n    \"/a -b\", # c\n    '/c'\n  ]\n[[inputs.cpu]]\ncommands = [\"/n\"]\n",
        b"<Plugin exec>\n  Exec \"nobody:x\" \"/a\" \"b c\"\n  NotificationExec me /d\n</Plugin>\n",
        b"check program x with path \"/a b\"\n start program = \"/c\" as uid 0\n if failed then exec \"/d -e\"\n",
        b"ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd -l\n<500> stream tcp nowait nobody /a a -b\n",
        b"service x\n{\n disable = no\n user = root\n server = /a\n server_args = -b c\n}\n",
        b"active = yes\npath = /a\nargs = b c\n",
        b"UserParameter=k,/a b\ncommand[check]=/c d\nPostUp = /e %i\n",
        b"[Definition]\nactionban = a <ip>\n            b\nactionunban =\n",
    ],
    feed: |bytes| {
        drop(rsyslog(bytes));
        drop(syslog_ng(bytes));
        drop(snmp(bytes));
        drop(telegraf(bytes));
        drop(collectd(bytes));
        drop(monit(bytes));
        drop(inetd(bytes));
        drop(xinetd(bytes));
        drop(audit_plugin(bytes));
        drop(keyed(bytes, &["UserParameter", "command", "PostUp"]));
        drop(fail2ban(bytes));
    },
};

/// More commands than this are not taken from one file.
const MOST: usize = 10_000;

/// What is run instead of the agent's own account, where the file says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Its line, from 1.
    pub line: u32,
    /// The program with its arguments.
    pub command: Text,
    /// The account it runs as; empty where none is named.
    pub user: Text,
}

/// A word or a quoted text at the beginning, and what follows.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    match text {
        [quote @ (b'"' | b'\''), inside @ ..] => {
            let end = inside.iter().position(|b| b == quote).unwrap_or(inside.len());
            (inside.get(..end).unwrap_or_default(), inside.get(end + 1..).unwrap_or_default())
        }
        _ => {
            let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
            text.split_at(end)
        }
    }
}

fn command(line: u32, text: &[u8]) -> Option<Command> {
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| Command { line, command: text.into() })
}

/// Values of lines whose name is one of `names`, whatever stands between: `name=value`, `name[x]=value`, `name value`.
/// Where the name of zabbix's parameter comes first (`UserParameter=key,command`), it is left out.
pub fn keyed(bytes: &[u8], names: &[&str]) -> Vec<Command> {
    let value = |(line, text): (u32, &[u8])| {
        let end = text.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        names.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        let mut rest = rest.trim_ascii_start();
        if let Some(behind) = rest.strip_prefix(b"[") {
            rest = behind.get(behind.iter().position(|b| *b == b']')? + 1..)?.trim_ascii_start();
        }
        rest = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b":")).unwrap_or(rest).trim_ascii();
        if name.eq_ignore_ascii_case(b"UserParameter") {
            rest = rest.get(rest.iter().position(|b| *b == b',')? + 1..)?;
        }
        // A value that is one quoted text.
        let whole = matches!(rest, [a @ (b'"' | b'\''), .., b] if a == b);
        command(line, if whole { rest.get(1..rest.len() - 1)? } else { rest })
    };
    lines::meaningful(bytes).filter_map(value).take(MOST).collect()
}

/// Commands of snmpd.conf(5) and snmptrapd.conf(5).
pub fn snmp(bytes: &[u8]) -> Vec<Command> {
    let found = |(line, text): (u32, &[u8])| {
        let (name, rest) = word(text);
        let skip = match name.to_ascii_lowercase().as_slice() {
            b"extend" | b"extend-sh" | b"extendfix" | b"exec" | b"sh" | b"execfix" => {
                let (first, _) = word(rest);
                1 + usize::from(first.starts_with(b".") || first.first().is_some_and(u8::is_ascii_digit))
            }
            b"pass" | b"pass_persist" => {
                if word(rest).0 == b"-p" {
                    3
                } else {
                    1
                }
            }
            b"traphandle" | b"dlmod" => 1,
            b"perl" => 0,
            _ => return None,
        };
        let rest = (0..skip).fold(rest, |rest, _| word(rest).1);
        command(line, rest)
    };
    lines::meaningful(bytes).filter_map(found).take(MOST).collect()
}

/// Commands of Telegraf's exec plugins (TOML).
pub fn telegraf(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    let (mut runs, mut open) = (false, false);
    for (line, text) in lines::meaningful(bytes) {
        let mut rest = text;
        if !open {
            if text.starts_with(b"[") {
                let name = text.split(|b| *b == b']').next().unwrap_or_default();
                runs = name.ends_with(b".exec") || name.ends_with(b".execd");
                continue;
            }
            let Some((name, value)) = lines::cut(text, b'=').filter(|_| runs) else { continue };
            if !matches!(name, b"command" | b"commands") {
                continue;
            }
            rest = value;
            open = value.starts_with(b"[");
        }
        let mut whole = Vec::new();
        while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'\'' | b']' | b'#')) {
            match rest.get(at) {
                Some(b']') => {
                    open = false;
                    break;
                }
                Some(b'#') => break,
                _ => {
                    let (text, after) = word(rest.get(at..).unwrap_or_default());
                    whole.push(text);
                    rest = after;
                }
            }
        }
        all.extend(whole.into_iter().filter_map(|text| command(line, text)));
        if all.len() >= MOST {
            break;
        }
    }
    all
}

/// Programs of collectd's exec plugin: account, program, arguments.
pub fn collectd(bytes: &[u8]) -> Vec<Served> {
    let found = |(line, text): (u32, &[u8])| {
        let (name, rest) = word(text);
        if !name.eq_ignore_ascii_case(b"Exec") && !name.eq_ignore_ascii_case(b"NotificationExec") {
            return None;
        }
        let (user, mut rest) = word(rest);
        let user = user.split(|b| *b == b':').next().unwrap_or_default();
        let mut words = Vec::new();
        while !rest.trim_ascii().is_empty() && words.len() < 64 {
            let (one, after) = word(rest);
            words.push(one);
            rest = after;
        }
        let command = words.join(&b' ').into();
        Some(Served { line, command, user: user.into() })
    };
    lines::meaningful(bytes).filter_map(found).take(MOST).collect()
}

/// Commands of Monit: whatever stands quoted behind `exec`, `program`, `path` of a checked program.
pub fn monit(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let lower = text.to_ascii_lowercase();
        let checked = lower.starts_with(b"check program");
        for key in
            [&b"exec"[..], b"start program", b"stop program", b"restart program", b"start", b"stop", b"path"]
        {
            if key == b"path" && !checked {
                continue;
            }
            let Some(at) = lower.windows(key.len()).position(|window| window == key) else { continue };
            let rest = text.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
            let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start();
            let takes = matches!(rest.first(), Some(b'"' | b'\'' | b'/'));
            let found = if takes { command(line, word(rest).0) } else { None };
            all.extend(found.filter(|found| !all.contains(found)));
        }
        if all.len() >= MOST {
            break;
        }
    }
    all
}

/// Services of inetd.conf(5).
pub fn inetd(bytes: &[u8]) -> Vec<Served> {
    let found = |(line, text): (u32, &[u8])| {
        let words: Vec<&[u8]> = lines::words(text).collect();
        let wait = words.get(3)?;
        if !(wait.starts_with(b"wait") || wait.starts_with(b"nowait")) {
            return None;
        }
        let user = words.get(4)?.split(|b| matches!(b, b'.' | b':' | b'/')).next()?;
        let program = *words.get(5)?;
        // The next word is the program's own name.
        let arguments = words.get(7..).unwrap_or_default();
        let behind = if program.ends_with(b"/tcpd") { words.get(6..)? } else { arguments };
        let command = std::iter::once(program).chain(behind.iter().copied()).collect::<Vec<_>>().join(&b' ');
        Some(Served { line, command: command.into(), user: user.into() })
    };
    lines::meaningful(bytes).filter_map(found).take(MOST).collect()
}

/// Services of xinetd.conf(5) that are not switched off.
pub fn xinetd(bytes: &[u8]) -> Vec<Served> {
    let mut all = Vec::new();
    let (mut server, mut arguments, mut off) = (Served::default(), Vec::new(), false);
    for (line, text) in lines::meaningful(bytes) {
        if text.starts_with(b"}") {
            if !off && !server.command.is_empty() && all.len() < MOST {
                let command = [server.command.as_bytes(), b" ", &arguments].concat();
                all.push(Served { command: command.trim_ascii().into(), ..server });
            }
            (server, arguments, off) = Default::default();
        } else if let Some((name, value)) = lines::cut(text, b'=') {
            let name = name.strip_suffix(b"+").unwrap_or(name).trim_ascii();
            match name {
                b"server" => (server.line, server.command) = (line, value.into()),
                b"server_args" => arguments = value.to_vec(),
                b"user" => server.user = value.into(),
                b"disable" => off = value.eq_ignore_ascii_case(b"yes"),
                _ => {}
            }
        }
    }
    all
}

/// The program of a plugin of the audit daemon, if it is switched on (auditd-plugins(5)).
pub fn audit_plugin(bytes: &[u8]) -> Option<Command> {
    let value = |name: &[u8]| {
        lines::meaningful(bytes).find_map(|(line, text)| {
            lines::cut(text, b'=')
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, v)| (line, v))
        })
    };
    let (line, path) = value(b"path")?;
    let active = value(b"active").is_some_and(|(_, value)| value.eq_ignore_ascii_case(b"yes"));
    let arguments = value(b"args").map(|(_, value)| value).unwrap_or_default();
    let whole = [path, b" ", arguments].concat();
    command(line, &whole).filter(|_| active && path.starts_with(b"/"))
}

/// Commands of fail2ban's actions, continued lines joined.
pub fn fail2ban(bytes: &[u8]) -> Vec<Command> {
    let mut all: Vec<Command> = Vec::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    let close = |open: &mut Option<(u32, Vec<u8>)>, all: &mut Vec<Command>| {
        all.extend(open.take().and_then(|(line, text)| command(line, &text)));
    };
    for (line, text) in lines::numbered(bytes) {
        let goes_on =
            text.first().is_some_and(|b| matches!(b, b' ' | b'\t')) && !text.trim_ascii().is_empty();
        if goes_on {
            if let Some((_, body)) = &mut open {
                body.push(b'\n');
                body.extend_from_slice(text.trim_ascii());
            }
            continue;
        }
        close(&mut open, &mut all);
        let Some((name, value)) = lines::cut(text, b'=').filter(|_| all.len() < MOST) else { continue };
        if name.starts_with(b"action") && name != b"action" && !name.starts_with(b"action_") {
            open = Some((line, value.to_vec()));
        }
    }
    close(&mut open, &mut all);
    all
}

/// `Exec=` of a file of the desktop's or the bus's form, with the account of `User=`; nothing if it is switched off.
pub fn exec(bytes: &[u8]) -> Option<Served> {
    let settings = unit::parse(bytes);
    let value = |name: &str| settings.iter().find(|setting| setting.name == name);
    let off = value("Hidden").is_some_and(|setting| setting.value.as_bytes().eq_ignore_ascii_case(b"true"));
    let exec = value("Exec").filter(|setting| !setting.value.is_empty() && !off)?;
    let user = value("User").map(|setting| setting.value.clone()).unwrap_or_default();
    Some(Served { line: exec.line, command: exec.value.clone(), user })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: Vec<Command>) -> Vec<String> {
        all.into_iter().map(|found| format!("{} {}", found.line, found.command)).collect()
    }

    fn served(all: Vec<Served>) -> Vec<String> {
        all.into_iter().map(|found| format!("{} {} {}", found.line, found.user, found.command)).collect()
    }

    #[test]
    fn each_form_gives_its_commands() {
        assert_eq!(
            texts(snmp(FORMAT.samples[2])),
            ["1 /bin/sh /a -b", "2 /b", "3 /c", "4 /d", "5 /e", "6 /f.so"]
        );
        assert_eq!(texts(telegraf(FORMAT.samples[3])), ["3 /a -b", "4 /c"]);
        assert_eq!(served(collectd(FORMAT.samples[4])), ["2 nobody /a b c", "3 me /d"]);
        assert_eq!(texts(monit(FORMAT.samples[5])), ["1 /a b", "2 /c", "3 /d -e"]);
        assert_eq!(served(inetd(FORMAT.samples[6])), ["1 root /usr/sbin/tcpd in.ftpd -l", "2 nobody /a -b"]);
        assert_eq!(served(xinetd(FORMAT.samples[7])), ["5 root /a -b c"]);
        assert_eq!(audit_plugin(FORMAT.samples[8]).unwrap().command, "/a b c");
        let names = ["UserParameter", "command", "PostUp"];
        assert_eq!(texts(keyed(FORMAT.samples[9], &names)), ["1 /a b", "2 /c d", "3 /e %i"]);
        assert_eq!(texts(fail2ban(FORMAT.samples[10])), ["2 a <ip>\\nb"]);
        assert_eq!(exec(b"[D-BUS Service]\nExec=/a\nUser=x\n").unwrap().user, "x");
        assert!(exec(b"[Desktop Entry]\nExec=/a\nHidden=true\n").is_none());
    }
}
