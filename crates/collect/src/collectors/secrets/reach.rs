//! Who may read a file besides root.

use calma_host::{Meta, Tree, parent};
use std::collections::BTreeMap;

/// Directories that were asked about: whether everybody may pass through them.
#[derive(Default)]
pub(super) struct Reach(BTreeMap<Vec<u8>, bool>);

impl Reach {
    /// `everybody`, `group`, `owner` or `root`, by the permission bits of the file and of the directories above it.
    pub(super) fn of(&mut self, tree: &dyn Tree, path: &[u8], meta: &Meta) -> &'static str {
        if meta.mode & 0o004 != 0 && self.open(tree, parent(path), 0) {
            "everybody"
        } else if meta.mode & 0o040 != 0 && meta.gid != 0 {
            "group"
        } else if meta.uid != 0 {
            "owner"
        } else {
            "root"
        }
    }

    fn open(&mut self, tree: &dyn Tree, directory: &[u8], depth: usize) -> bool {
        if directory == b"/" || depth > 256 {
            return true;
        }
        if let Some(known) = self.0.get(directory) {
            return *known;
        }
        let passes = tree.meta(directory).is_ok_and(|meta| meta.mode & 0o001 != 0)
            && self.open(tree, parent(directory), depth + 1);
        if self.0.len() < 50_000 {
            self.0.insert(directory.to_vec(), passes);
        }
        passes
    }
}
