//! Reading settings files: bounded, with a gap for what could not be read, and patterns of paths.

use crate::{Context, Flow, Out};
use calma_host::{FileKind, Tree, join};
use calma_record::{Gap, Source, Text};
use std::ops::ControlFlow;

/// Settings files are read up to this length; the rest is a gap.
const LARGEST: usize = 2 << 20;
/// A pattern of paths gives at most this many.
const MOST: usize = 4096;

/// The content of a settings file; `None`, with a gap where it is more than "not there", if it can not be read.
pub(crate) fn read(
    context: &Context,
    path: &[u8],
    what: &str,
    out: &mut Out,
) -> ControlFlow<(), Option<Vec<u8>>> {
    match context.host.tree().read(path, LARGEST) {
        Ok(content) => {
            if content.cut {
                out.gap(Gap::new(what, "the file goes on beyond 2 MiB").at(path))?;
            }
            ControlFlow::Continue(Some(content.bytes))
        }
        Err(error) => {
            out.unseen(what, &error)?;
            ControlFlow::Continue(None)
        }
    }
}

/// The regular files and links of a directory, by name.
pub(crate) fn files(
    context: &Context,
    directory: &[u8],
    what: &str,
    out: &mut Out,
) -> ControlFlow<(), Vec<Vec<u8>>> {
    match context.host.tree().list(directory) {
        Ok(entries) => ControlFlow::Continue(
            entries
                .iter()
                .filter(|entry| entry.kind != Some(FileKind::Directory))
                .take(MOST)
                .map(|entry| join(directory, entry.name.as_bytes()))
                .collect(),
        ),
        Err(error) => {
            out.unseen(what, &error)?;
            ControlFlow::Continue(Vec::new())
        }
    }
}

/// The paths a pattern names, sorted, as glob(7) does: `*` and `?` match no slash and no dot at the beginning of a name.
pub(crate) fn glob(tree: &dyn Tree, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![b"/".to_vec()];
    for part in pattern.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
        let plain = !part.iter().any(|b| matches!(b, b'*' | b'?' | b'['));
        let mut next = Vec::new();
        for directory in &found {
            if plain {
                next.push(join(directory, part));
                continue;
            }
            for entry in tree.list(directory).unwrap_or_default() {
                let name = entry.name.as_bytes();
                if matches(part, name) && (part.starts_with(b".") || !name.starts_with(b".")) {
                    next.push(join(directory, name));
                }
            }
        }
        next.truncate(MOST);
        found = next;
    }
    found.retain(|path| tree.meta(path).is_ok());
    found
}

/// Whether `name` fits a pattern of `*`, `?` and plain bytes. A bracket matches any one byte: rather one file too many.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(n) {
        let (fits, width) = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => (true, 1),
            Some(b'[') => {
                let rest = pattern.get(p..).unwrap_or_default();
                match rest.iter().position(|b| *b == b']') {
                    Some(end) => (true, end + 1),
                    None => (*byte == b'[', 1),
                }
            }
            Some(other) => (other == byte, 1),
            None => (false, 0),
        };
        if fits {
            (p, n) = (p + width, n + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

/// A home directory with the account it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The directory.
    pub path: Vec<u8>,
    /// The first account with this home, or the directory's own name where no account has it.
    pub account: Text,
    /// Where the account is in the password file, its user id.
    pub uid: Option<u32>,
}

impl Home {
    /// Where facts of a file in this home come from: its owner could have written anything.
    pub(crate) fn source(&self, path: &[u8]) -> Source {
        if self.uid == Some(0) { Source::file(path) } else { Source::owned_file(path) }
    }
}

/// Every home directory with its account.
pub(crate) fn homes(context: &Context) -> Vec<Home> {
    context
        .homes()
        .into_iter()
        .map(|path| {
            let owner = context.accounts().iter().find(|account| account.home.as_bytes() == path);
            let name = Text::from(path.as_slice());
            let account = owner.map_or_else(|| name.file_name().into(), |account| account.name.clone());
            Home { account, uid: owner.map(|account| account.uid), path }
        })
        .collect()
}

/// Describes a file and the directory it stands in, so that a detector sees who may change it.
pub(crate) fn describe_place(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    crate::describe::file(context, path, out)?;
    crate::describe::file(context, calma_host::parent(path), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn patterns_find_files_but_no_hidden_ones() {
        let tree = Mem::new().file("/etc/d/a.conf", "").file("/etc/d/.b.conf", "").file("/etc/d/c.txt", "");
        assert_eq!(glob(&tree, b"/etc/d/*.conf"), [b"/etc/d/a.conf".to_vec()]);
        assert_eq!(glob(&tree, b"/etc/*/[ac].*").len(), 2);
        assert!(glob(&tree, b"/none/*").is_empty());
        assert!(matches(b"*a*b", b"xxaxxb") && !matches(b"*a*b", b"xxaxxbc"));
    }
}
