//! The user's YARA rules, read on the keeper's machine, checked rule by rule, and packed for the host side.

use calma_collect::check_rules;
use calma_formats::yara::{RuleFile, RuleSet};
use calma_host::{FileKind, HostError, Tree, Workers, join};
use calma_record::{Digest, Text, kinds};
use std::sync::Arc;

/// Longest packed rules that go to a host.
pub const MOST_RULES: usize = 60 << 20;
/// Longest file of rules.
const LONGEST: usize = 16 << 20;
/// Files of rules.
const FILES: usize = 20_000;
/// Names looked at for them.
const NAMES: usize = 1_000_000;
/// Folders below folders.
const DEEPEST: usize = 32;

/// Rules that can be used, and what can not.
#[derive(Clone, Debug, Default)]
pub struct GivenRules {
    /// The rules as they go to the host side.
    pub packed: Arc<[u8]>,
    /// Files with a rule that can be used.
    pub files: usize,
    /// Rules that can be used.
    pub rules: usize,
    /// What can not: "web/x.yar:12: unknown identifier".
    pub faults: Vec<String>,
    /// For the case.
    pub facts: Vec<kinds::RuleSet>,
}

/// Why rules can not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// They can not be read.
    #[error("{0}")]
    Unread(#[from] HostError),
    /// They are too many for a host to hold.
    #[error("the rules in {0} are longer than 60 MiB together")]
    TooLong(Text),
}

/// Reads and checks all rules of the files and folders named. Each file is compiled in a confined worker, so that one that is
/// hostile to the compiler costs itself alone.
///
/// # Errors
/// When one of the places can not be read, or the rules are too long.
pub fn read_rules(tree: &dyn Tree, workers: &Workers, places: &[Vec<u8>]) -> Result<GivenRules, RulesError> {
    let (mut given, mut set) = (GivenRules::default(), RuleSet::default());
    for place in places {
        let before = (given.rules, given.faults.len());
        let mut read = Vec::new();
        for (path, name) in files(tree, place, &mut given.faults)? {
            let content = match tree.read(&path, LONGEST) {
                Ok(content) if content.cut => {
                    given.faults.push(format!("{name}: it is longer than 16 MiB"));
                    continue;
                }
                Ok(content) => content.bytes,
                Err(error) => {
                    given.faults.push(format!("{name}: {}", error.why()));
                    continue;
                }
            };
            let digest = Digest::of(&content);
            read.push(digest);
            set.own.push((content.len() as u64, digest));
            match check_rules(workers, content) {
                Ok(checked) => {
                    let faults = checked.faults.into_iter();
                    given.faults.extend(
                        faults.map(|fault| format!("{name}:{}: {}", fault.line, Text::from(fault.what))),
                    );
                    if checked.rules > 0 {
                        given.rules += checked.rules;
                        given.files += 1;
                        set.files.push(RuleFile { name, text: checked.text });
                    }
                }
                Err(trouble) => given.faults.push(format!("{name}:1: it can not be compiled: {trouble}")),
            }
        }
        given.facts.push(kinds::RuleSet {
            what: "yara".to_owned(),
            path: place.as_slice().into(),
            digest: Some(Digest::of_all(read.iter().map(|digest| digest.0.as_slice()))),
            entries: (given.rules - before.0) as u64,
            faults: (given.faults.len() - before.1) as u64,
        });
    }
    // A set of text always has a JSON form.
    let packed = serde_json::to_vec(&set).unwrap_or_default();
    if packed.len() > MOST_RULES {
        return Err(RulesError::TooLong(
            places.first().map(|place| place.as_slice().into()).unwrap_or_default(),
        ));
    }
    given.packed = packed.into();
    Ok(given)
}

/// The files of rules at or below `place`, each with its printable name below it.
fn files(
    tree: &dyn Tree,
    place: &[u8],
    faults: &mut Vec<String>,
) -> Result<Vec<(Vec<u8>, String)>, HostError> {
    let printable = |path: &[u8]| Text::from(path).to_string();
    if tree.meta_followed(place)?.kind != FileKind::Directory {
        let name = place.rsplit(|b| *b == b'/').next().unwrap_or_default();
        return Ok(vec![(place.to_vec(), printable(name))]);
    }
    let (mut found, mut left) = (Vec::new(), NAMES);
    let mut todo = vec![(calma_host::resolve(tree, place)?, Vec::new(), 0_usize)];
    while let Some((folder, name, depth)) = todo.pop() {
        let entries = match tree.survey(&folder, left.max(1)) {
            Ok(entries) => entries,
            Err(error) if depth > 0 => {
                faults.push(format!("{}: {}", printable(&name), error.why()));
                continue;
            }
            Err(error) => return Err(error),
        };
        left = left.saturating_sub(entries.len());
        for (entry, meta) in entries.into_iter().rev() {
            let part = entry.name.as_bytes();
            let (path, below) =
                (join(&folder, part), if name.is_empty() { part.to_vec() } else { join(&name, part) });
            match entry.kind {
                Some(FileKind::Directory) if depth < DEEPEST => todo.push((path, below, depth + 1)),
                _ if is_rules(part) && (meta.is_some() || entry.kind == Some(FileKind::Link)) => {
                    found.push((path, printable(&below)));
                }
                _ => {}
            }
        }
        if left == 0 || found.len() > FILES {
            faults.push(format!("{}: there are too many files; the rest is not used", printable(place)));
            break;
        }
    }
    found.sort();
    found.truncate(FILES);
    Ok(found)
}

fn is_rules(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(b".yar") || name.ends_with(b".yara")
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn good_rules_of_a_folder_are_packed_and_the_others_named() {
        let good = "rule a { condition: true }\nrule b { condition: a }\n";
        let host = Mem::new()
            .file("/r/one.yar", good)
            .file("/r/deep er/two.YARA", "rule a { condition: true }\n\nrule x {\n condition: $nothing }\n")
            .file("/r/three.yar", "no rules at all")
            .file("/r/readme.txt", "rule ignored { condition: true }")
            .fifo("/r/pipe.yar")
            .symlink("/r/gone.yar", "/nowhere");
        let given = read_rules(&host, &Workers::in_place(), &[b"/r".to_vec()]).unwrap();
        assert_eq!((given.files, given.rules), (2, 3), "{given:?}");
        assert_eq!(given.faults.len(), 3, "{:?}", given.faults);
        assert!(
            given.faults.iter().any(|fault| fault.starts_with("deep er/two.YARA:4: ")),
            "{:?}",
            given.faults
        );
        let set: RuleSet = serde_json::from_slice(&given.packed).unwrap();
        assert_eq!(
            set.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["deep er/two.YARA", "one.yar"]
        );
        assert_eq!((given.facts[0].entries, given.facts[0].faults), (3, 3));
        assert!(read_rules(&host, &Workers::in_place(), &[b"/nowhere".to_vec()]).is_err());
    }
}
