//! Where a directory stands, kept as a chain of names: what waits to be walked costs a name each, not a path.

use std::sync::Arc;

/// A directory's place.
#[derive(Debug)]
pub(super) struct Node {
    above: Option<Arc<Node>>,
    name: Box<[u8]>,
    pub(super) depth: usize,
    pub(super) length: usize,
}

impl Node {
    /// The place where a walk begins: an absolute path.
    pub(super) fn root(path: &[u8]) -> Arc<Self> {
        let name = path.strip_suffix(b"/").unwrap_or(path);
        Arc::new(Self { above: None, name: name.into(), depth: 0, length: name.len() })
    }

    /// The place of `name` in the directory `above`.
    pub(super) fn below(above: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        let (depth, length) = (above.depth + 1, above.length + 1 + name.len());
        Arc::new(Self { above: Some(Arc::clone(above)), name: name.into(), depth, length })
    }

    /// The last name.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// The whole path.
    pub(super) fn path(&self) -> Vec<u8> {
        let mut parts = Vec::with_capacity(self.depth + 1);
        let mut at = Some(self);
        while let Some(node) = at {
            parts.push(&node.name);
            at = node.above.as_deref();
        }
        let mut path = Vec::with_capacity(self.length.max(1));
        for (index, part) in parts.iter().rev().enumerate() {
            if index > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        path
    }
}

impl Drop for Node {
    // One after another: dropped by recursion, a chain of many thousands would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.above.take();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.above.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_together_and_long_chains_dropped() {
        let root = Node::root(b"/");
        assert_eq!(root.path(), b"/");
        let etc = Node::below(&root, b"etc");
        assert_eq!(Node::below(&etc, b"x").path(), b"/etc/x");
        assert_eq!(Node::below(&Node::root(b"/srv/a"), b"b").path(), b"/srv/a/b");
        let deep = (0..500_000).fold(root, |node, _| Node::below(&node, b"d"));
        assert_eq!(deep.path().len(), 1_000_000);
    }
}
