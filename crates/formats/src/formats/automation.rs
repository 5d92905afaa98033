//! Commands in definitions of automation: build runners, Jenkins, Salt, configuration management, hosting panels.

use crate::init_jobs::Command;
use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "automation",
    doc: "Commands that build systems, configuration management and hosting panels run by themselves.",
    manual: "https://docs.gitlab.com/runner/configuration/advanced-configuration/, https://www.jenkins.io/doc/book/, https://docs.saltproject.io, https://api.docs.cpanel.net/guides/guide-to-standardized-hooks/",
    samples: &[
        b"[[runners]]\n  executor = \"shell\"\n  pre_build_script = \"echo a\"\n  post_clone_script = \"\"\"\n  x\n  y\n  \"\"\"\n  volumes = [\"/:/host\"]\n",
        b"<project><hudson.tasks.Shell>\n<command>make &amp;&amp; ./x\nb</command></hudson.tasks.Shell><script>sh 'a'</script></project>",
        b"a:\n  cmd.run:\n    - name: echo x\n  cron.present:\n    - name: \"y\"\n",
        b"hooks:\n  Whostmgr:\n    Accounts::Create:\n      -\n        hook: /opt/x.sh\n        exectype: script\n",
    ],
    feed: |bytes| {
        drop(toml(bytes));
        drop(jenkins(bytes));
        drop(salt(bytes));
        drop(after(bytes, &["hook", "pre_command"]));
    },
};

/// No more commands than this are taken from one file.
const MOST: usize = 2_000;

/// One setting of a TOML file, with the text of several lines as one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line, from 1.
    pub line: u32,
    /// Its name.
    pub name: Text,
    /// Its value without quotes; a list as it is written.
    pub value: Text,
}

/// `name = value` of TOML, whatever table it stands in.
pub fn toml(bytes: &[u8]) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut open: Option<(Setting, Vec<u8>)> = None;
    for (line, text) in lines::numbered(bytes) {
        if let Some((mut setting, mut value)) = open.take() {
            let end = text.windows(3).position(|three| three == b"\"\"\"" || three == b"'''");
            value.extend_from_slice(text.get(..end.unwrap_or(text.len())).unwrap_or_default());
            if end.is_none() && value.len() < 64 << 10 {
                value.push(b'\n');
                open = Some((setting, value));
            } else {
                setting.value = value.into();
                settings.push(setting);
            }
            continue;
        }
        let text = text.trim_ascii();
        if text.starts_with(b"#") || settings.len() >= MOST {
            continue;
        }
        let Some((name, value)) = lines::cut(text, b'=') else { continue };
        let setting = Setting { line, name: name.into(), value: Text::default() };
        match value {
            [b'"', b'"', b'"', rest @ ..] | [b'\'', b'\'', b'\'', rest @ ..] => {
                let end = rest.windows(3).position(|three| three == b"\"\"\"" || three == b"'''");
                match end {
                    Some(end) => settings
                        .push(Setting { value: rest.get(..end).unwrap_or_default().into(), ..setting }),
                    None => open = Some((setting, [rest, b"\n"].concat())),
                }
            }
            [quote @ (b'"' | b'\''), rest @ ..] => {
                settings.push(Setting { value: unescape(rest, *quote).into(), ..setting })
            }
            _ => settings.push(Setting { value: value.into(), ..setting }),
        }
    }
    settings
}

/// A quoted text up to its closing quote; `\n` and the like are what they stand for.
fn unescape(inside: &[u8], quote: u8) -> Vec<u8> {
    let mut value = Vec::new();
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b if b == quote => break,
            b'\\' if quote == b'"' => match bytes.next() {
                Some(b'n') => value.push(b'\n'),
                Some(b't') => value.push(b'\t'),
                other => value.extend(other),
            },
            other => value.push(other),
        }
    }
    value
}

/// Elements of a Jenkins job that hold commands of the shell (`command`) or a pipeline's script (`script`).
pub fn jenkins(bytes: &[u8]) -> Vec<Command> {
    let mut commands = Vec::new();
    for (open, close) in [(&b"<command>"[..], &b"</command>"[..]), (b"<script>", b"</script>")] {
        let mut at = 0;
        while let Some(begins) = bytes.get(at..).and_then(|rest| find(rest, open)) {
            let from = at + begins + open.len();
            let Some(length) = bytes.get(from..).and_then(|rest| find(rest, close)) else { break };
            let text = plain(bytes.get(from..from + length).unwrap_or_default());
            let before = bytes.get(..from).unwrap_or_default();
            if commands.len() < MOST.min(200) {
                let line = u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX);
                commands.push(Command { line: line.saturating_add(1), command: text.into() });
            }
            at = from + length;
        }
    }
    commands
}

/// Text of XML with the five named entities and character references of line ends put back.
fn plain(text: &[u8]) -> Vec<u8> {
    const NAMED: &[(&[u8], u8)] = &[
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
        (b"&#xd;", b'\n'),
        (b"&#xa;", b'\n'),
        (b"&#13;", b'\n'),
        (b"&#10;", b'\n'),
    ];
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some((first, behind)) = rest.split_first() {
        match NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, byte)) => {
                out.push(*byte);
                rest = rest.get(name.len()..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// Commands of Salt's states: `- name:` below `cmd.run`, `cmd.wait`, `cmd.script` and the like, and `- cmd.run: TEXT`.
pub fn salt(bytes: &[u8]) -> Vec<Command> {
    let (mut commands, mut inside) = (Vec::new(), None);
    for (line, text) in lines::meaningful_untrimmed(bytes) {
        let indent = text.iter().take_while(|b| **b == b' ').count();
        let text = text.trim_ascii();
        if inside.is_some_and(|deep| indent <= deep && !text.starts_with(b"-")) {
            inside = None;
        }
        let bare = text.strip_prefix(b"-").unwrap_or(text).trim_ascii();
        if let Some((key, value)) = lines::cut(bare, b':') {
            if key.starts_with(b"cmd.") || key == b"function" && value.starts_with(b"cmd.") {
                inside = Some(indent);
                if !value.is_empty() && key != b"function" {
                    commands.push(Command { line, command: bare_value(value).into() });
                }
            } else if inside.is_some() && matches!(key, b"name" | b"args" | b"source" | b"cmd") {
                commands.push(Command { line, command: bare_value(value).into() });
            }
        }
        if commands.len() >= MOST {
            break;
        }
    }
    commands
}

/// Values behind names, in the form `name: value` or `name=value`.
pub fn after(bytes: &[u8], names: &[&str]) -> Vec<Command> {
    let mut commands = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let text = text.strip_prefix(b"- ").unwrap_or(text);
        let at = text.iter().position(|b| matches!(b, b':' | b'=' | b' ')).unwrap_or(text.len());
        let key = text.get(..at).unwrap_or_default();
        let value = text.get(at..).unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b":").or(value.strip_prefix(b"=")).unwrap_or(value).trim_ascii();
        if names.iter().any(|name| key == name.as_bytes()) && !value.is_empty() && commands.len() < MOST {
            commands.push(Command { line, command: bare_value(value).into() });
        }
    }
    commands
}

fn bare_value(value: &[u8]) -> &[u8] {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => rest.strip_suffix(&[*quote]).unwrap_or(rest),
        _ => value,
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_every_form() {
        let all = toml(FORMAT.samples[0]);
        assert_eq!(all[1].value, "echo a");
        assert_eq!(all[2].value, "\n  x\n  y\n  ");
        let all = jenkins(FORMAT.samples[1]);
        assert_eq!(all[0].command, "make && ./x\nb");
        assert_eq!((all[0].line, all.len()), (2, 2));
        let all = salt(FORMAT.samples[2]);
        assert_eq!((all.len(), &all[0].command), (1, &"echo x".into()));
        assert_eq!(after(FORMAT.samples[3], &["hook"])[0].command, "/opt/x.sh");
    }
}
