//! Who may act as whom: sudoers(5).

use crate::Format;
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "sudoers",
    doc: "Who may run what as whom.",
    manual: "sudoers(5)",
    samples: &[
        b"Defaults env_reset, env_keep += \"A B\"\nDefaults:ann !authenticate\nUser_Alias OPS = ann, \\\n  bob : WEB = www\nOPS ALL = (ALL:ALL) NOPASSWD: SETENV: /bin/a x\\, y, /bin/b, (bin) !/bin/c\n%sudo\tALL=(ALL:ALL) ALL # c\n#33 ALL=ALL\n@includedir /etc/sudoers.d\n#include \"/etc/a b\"\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One entry. A rule with several commands gives several entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Line number of its beginning, from 1.
    pub line: u32,
    /// Longest run of blanks in it.
    pub blanks: u32,
    /// What it is.
    pub what: What,
    /// Whom it is for; the alias' name.
    pub who: Vec<Text>,
    /// On which hosts.
    pub hosts: Text,
    /// As whom.
    pub runas: Text,
    /// Tags in force.
    pub tags: Vec<String>,
    /// The command, setting, members or path.
    pub command: Text,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// Who may run what.
    #[default]
    Rule,
    /// A setting.
    Defaults,
    /// A name for several users or commands.
    Alias,
    /// Another file.
    Include,
    /// All files of a directory.
    IncludeDirectory,
}

/// Entries of one file that are kept at most.
const MOST: usize = 20_000;

/// The entries of a sudoers file, in order.
pub fn parse(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (line, text) in joined(bytes) {
        if entries.len() >= MOST {
            break;
        }
        let blanks = text.split(|b| !matches!(b, b' ' | b'\t')).map(<[u8]>::len).max().unwrap_or(0);
        let base = Entry { line, blanks: u32::try_from(blanks).unwrap_or(u32::MAX), ..Entry::default() };
        let text = without_comment(&text).trim_ascii();
        let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let rest = text.get(word.len()..).unwrap_or_default().trim_ascii();
        match word {
            b"" => {}
            b"@include" | b"#include" => {
                entries.push(Entry { what: What::Include, command: unquoted(rest), ..base });
            }
            b"@includedir" | b"#includedir" => {
                entries.push(Entry { what: What::IncludeDirectory, command: unquoted(rest), ..base });
            }
            b"User_Alias" | b"Runas_Alias" | b"Host_Alias" | b"Cmnd_Alias" | b"Cmd_Alias" => {
                alias(rest, &base, &mut entries);
            }
            _ if word.starts_with(b"Defaults") => {
                let scope = word.get(8..).unwrap_or_default();
                let who = if scope.is_empty() { Vec::new() } else { vec![scope.into()] };
                for setting in split(rest, b',') {
                    let (who, command) = (who.clone(), setting.trim_ascii().into());
                    entries.push(Entry { what: What::Defaults, who, command, ..base.clone() });
                }
            }
            _ => rule(text, &base, &mut entries),
        }
    }
    entries
}

/// Lines with those joined that end with a backslash.
fn joined(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut all: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut open = false;
    for (number, line) in crate::lines::numbered(bytes) {
        let (text, goes_on) = match line.strip_suffix(b"\\") {
            Some(text) => (text, true),
            None => (line, false),
        };
        match all.last_mut().filter(|_| open) {
            Some((_, whole)) => whole.extend_from_slice(text),
            None => all.push((number, text.to_vec())),
        }
        open = goes_on;
    }
    all
}

/// A `#` begins a comment, except where digits follow at the beginning of a word (a user id) and in includes.
fn without_comment(text: &[u8]) -> &[u8] {
    let trimmed = text.trim_ascii_start();
    if trimmed.starts_with(b"#include") {
        return trimmed;
    }
    let (mut quoted, mut before) = (false, b' ');
    for (at, byte) in text.iter().enumerate() {
        let id = text.get(at + 1).is_some_and(u8::is_ascii_digit)
            && matches!(before, b' ' | b'\t' | b',' | b'(' | b'%' | b'!' | b'=' | b':');
        match byte {
            b'"' if before != b'\\' => quoted = !quoted,
            b'#' if !quoted && before != b'\\' && !id => return text.get(..at).unwrap_or_default(),
            _ => {}
        }
        before = *byte;
    }
    text
}

/// Splits at a separator that is not escaped, quoted or inside parentheses.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut depth) = (0, false, false, 0_u32);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth = depth.saturating_add(1),
            b')' if !quoted => depth = depth.saturating_sub(1),
            _ if *byte == separator && !quoted && depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn list(text: &[u8]) -> Vec<Text> {
    split(text, b',').into_iter().map(unquoted).filter(|name| !name.is_empty()).collect()
}

fn unquoted(text: &[u8]) -> Text {
    let text = text.trim_ascii();
    text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(text).into()
}

fn alias(text: &[u8], base: &Entry, entries: &mut Vec<Entry>) {
    for part in split(text, b':') {
        let Some((name, members)) = crate::lines::cut(part, b'=') else { continue };
        let (who, command) = (vec![name.into()], members.into());
        entries.push(Entry { what: What::Alias, who, command, ..base.clone() });
    }
}

/// `users hosts = (runas) TAGS: command, command : hosts = …`
fn rule(text: &[u8], base: &Entry, entries: &mut Vec<Entry>) {
    let mut parts = split(text, b'=').into_iter();
    let Some(left) = parts.next() else { return };
    let right = text.get(left.len() + 1..).unwrap_or_default();
    let (users, hosts) = users_and_hosts(left);
    let mut entry = Entry { who: list(&users), hosts: hosts.into(), ..base.clone() };
    for item in split(right, b',') {
        let mut item = item.trim_ascii();
        if let Some(inside) = item.strip_prefix(b"(") {
            let end = inside.iter().position(|b| *b == b')').unwrap_or(inside.len());
            entry.runas = inside.get(..end).unwrap_or_default().trim_ascii().into();
            item = inside.get(end + 1..).unwrap_or_default().trim_ascii();
        }
        loop {
            let end = item.iter().position(|b| !(b.is_ascii_uppercase() || *b == b'_')).unwrap_or(item.len());
            let (word, rest) = item.split_at(end);
            let rest = rest.trim_ascii_start();
            if let Some(rest) = rest.strip_prefix(b":").filter(|_| word.len() > 2) {
                // A later tag takes the opposite one back: PASSWD, NOPASSWD.
                let tag = String::from_utf8_lossy(word).into_owned();
                let opposite = tag.strip_prefix("NO").map_or_else(|| format!("NO{tag}"), str::to_owned);
                entry.tags.retain(|other| *other != opposite && *other != tag);
                entry.tags.push(tag);
                item = rest.trim_ascii();
            } else if let Some(rest) = rest.strip_prefix(b"=").filter(|_| word.len() > 2) {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                item = rest.get(end..).unwrap_or_default().trim_ascii();
            } else {
                break;
            }
        }
        // `: hosts = …` begins another list for the same users; its first command carries all that matters.
        let further = split(item, b'=').len() > 1 && !item.starts_with(b"/");
        let command =
            if further { item.rsplit(|b| *b == b'=').next().unwrap_or(item).trim_ascii() } else { item };
        if entries.len() < MOST && !command.is_empty() {
            entries.push(Entry { command: command.into(), ..entry.clone() });
        }
    }
}

/// The left side: lists whose commas may have blanks around them; the last word is the hosts.
fn users_and_hosts(left: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut glue, mut quoted, mut escaped, mut space) = (false, false, false, true);
    for byte in left {
        match byte {
            b' ' | b'\t' if !quoted && !escaped => {
                space = true;
                continue;
            }
            b'"' => quoted = !quoted,
            _ => {}
        }
        if space && !glue && *byte != b',' {
            words.push(Vec::new());
        }
        space = false;
        glue = *byte == b',';
        escaped = *byte == b'\\' && !escaped;
        match words.last_mut() {
            Some(word) => word.push(*byte),
            None => words.push(vec![*byte]),
        }
    }
    let hosts = if words.len() > 1 { words.pop().unwrap_or_default() } else { Vec::new() };
    (words.join(&b' '), hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_aliases_defaults_and_includes_are_understood() {
        let all = parse(FORMAT.samples[0]);
        let rules: Vec<&Entry> = all.iter().filter(|entry| entry.what == What::Rule).collect();
        assert_eq!(rules[0].tags, ["NOPASSWD", "SETENV"]);
        assert_eq!((&rules[0].runas, &rules[0].command), (&"ALL:ALL".into(), &"/bin/a x\\, y".into()));
        assert_eq!(rules[1].command, "/bin/b");
        assert_eq!((&rules[2].runas, &rules[2].command), (&"bin".into(), &"!/bin/c".into()));
        assert_eq!((&rules[3].who[0], &rules[3].command), (&"%sudo".into(), &"ALL".into()));
        assert_eq!(rules[4].who[0], "#33");
        let aliases: Vec<&Entry> = all.iter().filter(|entry| entry.what == What::Alias).collect();
        assert_eq!((&aliases[0].command, &aliases[1].who[0]), (&"ann,   bob".into(), &"WEB".into()));
        let defaults: Vec<&Entry> = all.iter().filter(|entry| entry.what == What::Defaults).collect();
        assert_eq!(defaults[1].command, "env_keep += \"A B\"");
        assert_eq!(defaults[2].who[0], ":ann");
        assert_eq!(all.last().map(|entry| entry.command.clone()), Some("/etc/a b".into()));
    }
}
