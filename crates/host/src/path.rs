//! Paths as bytes, and links followed within a tree.

use crate::{Cause, FileKind, HostError, Tree};

/// `directory` and `name` with one slash between them.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    [directory, b"/", name].concat()
}

/// The directory a path stands in; `/` for a path of one component.
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|b| *b == b'/') {
        Some(0) | None => b"/",
        Some(at) => path.get(..at).unwrap_or(b"/"),
    }
}

/// The path without any symbolic link, found one component at a time and never outside the tree.
///
/// A last component that does not exist is kept as it is written.
///
/// # Errors
/// When a directory on the way can not be asked about, or after 40 links (the kernel's own bound, path_resolution(7)).
pub fn resolve(tree: &dyn Tree, path: &[u8]) -> Result<Vec<u8>, HostError> {
    let mut done: Vec<u8> = Vec::new();
    let mut todo: Vec<Vec<u8>> = components(path);
    let mut links = 0;
    while let Some(component) = todo.pop() {
        if component == b".." {
            done.truncate(done.iter().rposition(|b| *b == b'/').unwrap_or(0));
            continue;
        }
        let next = join(&done, &component);
        match tree.meta(&next) {
            Ok(meta) if meta.kind == FileKind::Link => {
                links += 1;
                if links > 40 {
                    return Err(HostError::new("resolve", path, Cause::Loop));
                }
                let target = tree.link(&next)?;
                if target.starts_with(b"/") {
                    done.clear();
                }
                todo.extend(components(&target));
            }
            Ok(_) => done = next,
            Err(error) if todo.is_empty() && error.is_missing() => done = next,
            Err(error) => return Err(error),
        }
    }
    Ok(if done.is_empty() { b"/".to_vec() } else { done })
}

/// The components of a path, last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|b| *b == b'/')
        .rev()
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}
