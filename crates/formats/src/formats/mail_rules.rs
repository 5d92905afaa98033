//! What mailboxes' own filters hand on, and which filters a mail store runs for everybody.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "mail_rules",
    doc: "Letters that Sieve scripts hand to somebody else, and Dovecot's filters for every mailbox.",
    manual: "RFC 5228 (Sieve), RFC 3894 (copying without side effects); Dovecot Pigeonhole documentation",
    samples: &[
        b"require [\"fileinto\"];\n# x\nif header :contains \"subject\" [\"invoice\", \"a;b\"] {\n  redirect \"x@example.net\";\n  discard; stop;\n}\nredirect :copy \"y@example.org\";\n",
        b"if true { if true { redirect \"a@b\"; } fileinto \"Trash\"; } /* c */ keep;",
        b"plugin {\n  sieve_before = file:/usr/lib/.x/a.sieve;active=~/x\n  sieve_pipe_bin_dir = /usr/lib/.x\n  sieve = ~/.dovecot.sieve\n}\n",
    ],
    feed: |bytes| {
        drop(redirects(bytes));
        drop(dovecot(bytes));
    },
};

/// A letter handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// Its line, from 1.
    pub line: u32,
    /// To whom.
    pub to: Text,
    /// Whether it is also thrown away, or laid where nobody looks.
    pub away: bool,
    /// Whether only certain letters are.
    pub chosen: bool,
}

/// Deeper blocks than this are not told apart.
const DEEPEST: usize = 64;
/// More are not taken from one file.
const MOST: usize = 1_000;

#[derive(Default)]
struct Block {
    redirects: Vec<(u32, Text)>,
    away: bool,
}

/// What a Sieve script hands to somebody else.
pub fn redirects(bytes: &[u8]) -> Vec<Redirect> {
    let mut all: Vec<Redirect> = Vec::new();
    let mut blocks = vec![Block::default()];
    let (mut rest, mut line) = (bytes, 1_u32);
    let (mut command, mut strings): (Vec<u8>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let count = |part: &[u8]| u32::try_from(part.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX);
    while let Some((first, behind)) = rest.split_first() {
        let mut taken = 1;
        match *first {
            b'#' => taken = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            b'/' if behind.starts_with(b"*") => {
                taken = rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |at| at + 2);
            }
            b'"' => {
                let mut escaped = false;
                let end = behind.iter().position(|b| {
                    let ends = !escaped && *b == b'"';
                    escaped = !escaped && *b == b'\\';
                    ends
                });
                let end = end.unwrap_or(behind.len());
                strings.push(behind.get(..end).unwrap_or_default().to_vec());
                taken = (end + 2).min(rest.len());
            }
            byte @ (b';' | b'{' | b'}') => {
                let name = command.trim_ascii().to_ascii_lowercase();
                let verb = name.split(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
                if let Some(block) = blocks.last_mut() {
                    match verb {
                        b"redirect" if byte == b';' => {
                            block.redirects.extend(strings.last().map(|to| (line, to.as_slice().into())));
                        }
                        b"discard" => block.away = true,
                        b"fileinto" => block.away |= strings.last().is_some_and(|folder| unseen(folder)),
                        _ => {}
                    }
                }
                if byte == b'{' && blocks.len() < DEEPEST {
                    blocks.push(Block::default());
                } else if byte == b'}' && blocks.len() > 1 {
                    end(blocks.pop().unwrap_or_default(), true, &mut all);
                }
                command.clear();
                strings.clear();
            }
            byte => command.push(byte),
        }
        line = line.saturating_add(count(rest.get(..taken).unwrap_or_default()));
        rest = rest.get(taken..).unwrap_or_default();
    }
    for (index, block) in blocks.into_iter().enumerate() {
        end(block, index > 0, &mut all);
    }
    all.truncate(MOST);
    all
}

fn end(block: Block, chosen: bool, all: &mut Vec<Redirect>) {
    if all.len() < MOST {
        let away = block.away;
        all.extend(block.redirects.into_iter().map(|(line, to)| Redirect { line, to, away, chosen }));
    }
}

/// Folders that people do not look into.
fn unseen(folder: &[u8]) -> bool {
    let lower = folder.to_ascii_lowercase();
    [&b"trash"[..], b"deleted", b"junk", b"rss", b"conversation history", b"archive"]
        .iter()
        .any(|name| lower.windows(name.len()).any(|window| window == *name))
}

/// Of Dovecot's settings, the filters for every mailbox (`before`, `after`) and the directories of programs that filters may
/// start: line, name, path.
pub fn dovecot(bytes: &[u8]) -> Vec<(u32, Text, Text)> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let Some((name, value)) = lines::cut(text, b'=') else { continue };
        let ours = [
            &b"sieve_before"[..],
            b"sieve_after",
            b"sieve_default",
            b"sieve_global",
            b"sieve_script_path",
            b"sieve_pipe_",
            b"sieve_filter_",
            b"sieve_execute_",
        ];
        let script = value.ends_with(b".sieve") && value.contains(&b'/');
        if !script && !ours.iter().any(|begin| name.starts_with(begin)) {
            continue;
        }
        let value = value.split(|b| *b == b';').next().unwrap_or_default();
        let value = value.strip_prefix(b"file:").unwrap_or(value);
        if value.starts_with(b"/") && all.len() < MOST {
            all.push((line, name.into(), value.into()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_on_and_where_it_stays_is_told() {
        let told = |bytes: &[u8]| -> Vec<String> {
            redirects(bytes)
                .into_iter()
                .map(|one| format!("{} {} {} {}", one.line, one.to, one.away, one.chosen))
                .collect()
        };
        assert_eq!(told(FORMAT.samples[0]), ["4 x@example.net true true", "7 y@example.org false false"]);
        assert_eq!(told(FORMAT.samples[1]), ["1 a@b false true"]);
        let seen: Vec<String> =
            dovecot(FORMAT.samples[2]).into_iter().map(|(_, _, v)| v.to_string()).collect();
        assert_eq!(seen, ["/usr/lib/.x/a.sieve", "/usr/lib/.x"]);
    }
}
