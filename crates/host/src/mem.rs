//! A machine made of values, for tests.

mod bpf;
mod directory;
mod network;
mod processes;

pub use bpf::MemBpf;
pub use network::MemNetwork;
pub use processes::MemProcesses;

use crate::{
    Bpf, Cause, Clock, Directory, Entry, FileKind, Follow, Host, HostError, Identity, Kernel, Meta, Network,
    Opened, Processes, Tree, path,
};
use calma_record::{Text, Timestamp};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

/// A machine made of values. Built by chaining: `Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")`.
#[derive(Debug, Default)]
pub struct Mem {
    nodes: Arc<BTreeMap<Vec<u8>, Node>>,
    kernel: Option<MemKernel>,
    now: Timestamp,
}

#[derive(Clone, Debug)]
struct Node {
    meta: Meta,
    content: Vec<u8>,
    attributes: BTreeMap<String, Vec<u8>>,
    fails: Option<i32>,
    /// Attributes of statx(2) beside the immutable one.
    flags: u64,
    /// Whether listings leave it out, as a kernel that lies does.
    unlisted: bool,
}

/// Where covered files are kept; listings leave it out.
const COVERED: &[u8] = b"/\x01covered";

/// The running kernel of a [`Mem`] host.
#[derive(Debug, Default)]
pub struct MemKernel {
    identity: Identity,
    /// Its BPF objects.
    pub bpf: MemBpf,
    /// Its answers to netlink questions.
    pub network: MemNetwork,
    /// Its answers about processes.
    pub processes: MemProcesses,
}

impl Mem {
    /// A tree with nothing but `/`, and no running kernel.
    pub fn new() -> Self {
        Self { now: Timestamp::new(1_795_000_000, 0), ..Self::default() }.directory("/")
    }

    /// The same with a running kernel that answers what it is told to.
    pub fn running() -> Self {
        Self { kernel: Some(MemKernel::default()), ..Self::new() }
    }

    /// Adds a regular file, mode 0644, root's, and the directories above it.
    #[must_use]
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.node(path.as_ref(), FileKind::File, 0o644, content.as_ref())
    }

    /// Adds a directory, mode 0755, root's.
    #[must_use]
    pub fn directory(self, path: impl AsRef<[u8]>) -> Self {
        self.node(path.as_ref(), FileKind::Directory, 0o755, b"")
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.node(path.as_ref(), FileKind::Link, 0o777, target.as_ref())
    }

    /// Adds a FIFO.
    #[must_use]
    pub fn fifo(self, path: impl AsRef<[u8]>) -> Self {
        self.node(path.as_ref(), FileKind::Other, 0o644, b"")
    }

    /// Changes the metadata of a node that was added before.
    #[must_use]
    pub fn with(mut self, path: impl AsRef<[u8]>, change: impl FnOnce(&mut Meta)) -> Self {
        if let Some(node) = self.change(path.as_ref()) {
            change(&mut node.meta);
        }
        self
    }

    /// Sets mode, owner and group of a node that was added before.
    #[must_use]
    pub fn owned(self, path: impl AsRef<[u8]>, mode: u32, uid: u32, gid: u32) -> Self {
        self.with(path, |meta| (meta.mode, meta.uid, meta.gid) = (mode, uid, gid))
    }

    /// Sets an extended attribute.
    #[must_use]
    pub fn xattr(mut self, path: impl AsRef<[u8]>, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Some(node) = self.change(path.as_ref()) {
            node.attributes.insert(name.to_owned(), value.as_ref().to_vec());
        }
        self
    }

    /// Sets attributes of statx(2) beside the immutable one, for example [`crate::APPEND_ONLY`].
    #[must_use]
    pub fn flagged(mut self, path: impl AsRef<[u8]>, attributes: u64) -> Self {
        if let Some(node) = self.change(path.as_ref()) {
            node.flags = attributes;
        }
        self
    }

    /// Leaves a node out of listings, as a kernel that lies does.
    #[must_use]
    pub fn unlisted(mut self, path: impl AsRef<[u8]>) -> Self {
        if let Some(node) = self.change(path.as_ref()) {
            node.unlisted = true;
        }
        self
    }

    /// Adds a regular file that a mount covers: [`Tree::beneath`] alone shows it.
    #[must_use]
    pub fn covered(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.file([COVERED, path.as_ref()].concat(), content).unlisted(COVERED)
    }

    fn change(&mut self, path: &[u8]) -> Option<&mut Node> {
        Arc::make_mut(&mut self.nodes).get_mut(path)
    }

    /// Lets every operation on the content of a node fail with an error number.
    #[must_use]
    pub fn failing(mut self, path: impl AsRef<[u8]>, errno: i32) -> Self {
        if let Some(node) = self.change(path.as_ref()) {
            node.fails = Some(errno);
        }
        self
    }

    /// Changes the running kernel's answers; makes one if there is none.
    #[must_use]
    pub fn kernel_with(mut self, change: impl FnOnce(&mut MemKernel)) -> Self {
        change(self.kernel.get_or_insert_default());
        self
    }

    /// Scripts the running kernel's answers to netlink questions; makes a kernel if there is none.
    #[must_use]
    pub fn network(self, change: impl FnOnce(&mut MemNetwork)) -> Self {
        self.kernel_with(|kernel| change(&mut kernel.network))
    }

    /// Every path of the tree, for tests that fail one node after another.
    pub fn paths(&self) -> Vec<Vec<u8>> {
        self.nodes.keys().cloned().collect()
    }

    fn node(mut self, path: &[u8], kind: FileKind, mode: u32, content: &[u8]) -> Self {
        let mut missing = Vec::new();
        let mut above = path::parent(path);
        while path != b"/" && !self.nodes.contains_key(above) && above != b"/" {
            missing.push(above.to_vec());
            above = path::parent(above);
        }
        for directory in missing.into_iter().rev() {
            self.insert(&directory, FileKind::Directory, 0o755, b"");
        }
        self.insert(path, kind, mode, content);
        self
    }

    fn insert(&mut self, path: &[u8], kind: FileKind, mode: u32, content: &[u8]) {
        let meta = Meta {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: content.len() as u64,
            device: 1,
            inode: self.nodes.get(path).map_or(self.nodes.len() as u64 + 2, |node| node.meta.inode),
            links: 1,
            modified: Timestamp::new(1_790_000_000, 0),
            changed: Timestamp::new(1_790_000_000, 0),
            born: Some(Timestamp::new(1_790_000_000, 0)),
            immutable: Some(false),
        };
        let node = Node {
            meta,
            content: content.to_vec(),
            attributes: BTreeMap::new(),
            fails: None,
            flags: 0,
            unlisted: false,
        };
        Arc::make_mut(&mut self.nodes).insert(path.to_vec(), node);
    }

    fn find(&self, call: &'static str, path: &[u8], follow: Follow) -> Result<&Node, HostError> {
        let missing = || HostError::new(call, path, Cause::Errno(libc::ENOENT));
        let real = match follow {
            Follow::Links => path::resolve(self, path)?,
            Follow::No => {
                let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
                if name.is_empty() {
                    b"/".to_vec()
                } else {
                    path::join(&path::resolve(self, path::parent(path))?, name)
                }
            }
        };
        let node = self.nodes.get(&real).ok_or_else(missing)?;
        match node.fails {
            Some(errno) if call != "statx" => Err(HostError::new(call, path, Cause::Errno(errno))),
            _ => Ok(node),
        }
    }
}

impl Host for Mem {
    fn target(&self) -> &'static str {
        "memory"
    }

    fn tree(&self) -> &dyn Tree {
        self
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        self.kernel.as_ref().map(|kernel| kernel as &dyn Kernel)
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn touched(&self) -> (u64, Option<Text>) {
        (0, None)
    }
}

impl Clock for Mem {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn since_boot(&self) -> u64 {
        0
    }
}

impl Tree for Mem {
    fn meta(&self, path: &[u8]) -> Result<Meta, HostError> {
        // Looked up without `find`, which resolves links by asking this.
        let missing = || HostError::new("statx", path, Cause::Errno(libc::ENOENT));
        if let Some(node) = self.nodes.get(path) {
            return Ok(node.meta.clone());
        }
        let above = path::parent(path);
        if above == path || above == b"/" {
            return Err(missing());
        }
        let real = path::resolve(self, above)?;
        if real == above {
            Err(missing())
        } else {
            self.find("statx", path, Follow::No).map(|node| node.meta.clone())
        }
    }

    fn meta_followed(&self, path: &[u8]) -> Result<Meta, HostError> {
        self.meta(&path::resolve(self, path)?)
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Entry>, HostError> {
        let node = self.find("open", path, Follow::Links)?;
        if node.meta.kind != FileKind::Directory {
            return Err(HostError::new("open", path, Cause::Errno(libc::ENOTDIR)));
        }
        let real = path::resolve(self, path)?;
        Ok(self
            .nodes
            .iter()
            .filter(|(name, node)| name.as_slice() != b"/" && path::parent(name) == real && !node.unlisted)
            .map(|(name, node)| Entry {
                name: name.rsplit(|b| *b == b'/').next().unwrap_or_default().into(),
                kind: Some(node.meta.kind),
                inode: node.meta.inode,
            })
            .collect())
    }

    fn directory(&self, path: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let node = self.find("open", path, Follow::No)?;
        if node.meta.kind != FileKind::Directory {
            return Err(HostError::new("open", path, Cause::NotADirectory));
        }
        let stat = node.stat();
        Ok(Box::new(directory::MemDirectory { nodes: Arc::clone(&self.nodes), path: path.to_vec(), stat }))
    }

    fn beneath(&self, mount: &[u8], directory: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let mut path = COVERED.to_vec();
        for part in mount.split(|b| *b == b'/').chain(directory.split(|b| *b == b'/')) {
            if !part.is_empty() {
                path = path::join(&path, part);
            }
        }
        self.directory(&path)
    }

    fn open(&self, path: &[u8], follow: Follow) -> Result<Box<dyn Opened>, HostError> {
        let node = self.find("open", path, follow)?;
        match node.meta.kind {
            FileKind::File => Ok(Box::new(MemFile(io::Cursor::new(node.content.clone()), node.meta.clone()))),
            FileKind::Link => Err(HostError::new("open", path, Cause::Errno(libc::ELOOP))),
            FileKind::Directory | FileKind::Other => Err(HostError::new("open", path, Cause::NotAFile)),
        }
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, HostError> {
        match self.nodes.get(path) {
            Some(node) if node.meta.kind == FileKind::Link => Ok(node.content.clone()),
            Some(_) => Err(HostError::new("readlink", path, Cause::Errno(libc::EINVAL))),
            None => match self.find("readlink", path, Follow::No)? {
                node if node.meta.kind == FileKind::Link => Ok(node.content.clone()),
                _ => Err(HostError::new("readlink", path, Cause::Errno(libc::EINVAL))),
            },
        }
    }

    fn attribute(&self, path: &[u8], name: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.find("lgetxattr", path, Follow::No)?.attributes.get(name).cloned())
    }
}

struct MemFile(io::Cursor<Vec<u8>>, Meta);

impl Read for MemFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Opened for MemFile {
    fn meta(&self) -> &Meta {
        &self.1
    }
}

impl Kernel for MemKernel {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn own_pid(&self) -> u32 {
        2
    }

    fn own_uid(&self) -> u32 {
        0
    }

    fn ticks_per_second(&self) -> u64 {
        100
    }

    fn page_size(&self) -> u64 {
        4096
    }

    fn processes(&self) -> &dyn Processes {
        &self.processes
    }

    fn network(&self) -> &dyn Network {
        &self.network
    }

    fn bpf(&self) -> &dyn Bpf {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_within_the_tree_and_loops_end() {
        let host = Mem::new()
            .file("/usr/lib/x", "yes")
            .symlink("/lib", "usr/lib")
            .symlink("/a", "/b")
            .symlink("/b", "a");
        assert_eq!(host.read(b"/lib/x", 9).unwrap().bytes, b"yes");
        assert_eq!(host.read(b"/lib/../lib/x", 2).unwrap().bytes, b"ye");
        assert_eq!(host.list(b"/lib").unwrap().len(), 1);
        assert!(matches!(host.open(b"/a", Follow::Links), Err(error) if error.cause == Cause::Loop));
        assert!(
            matches!(host.fifo("/p").open(b"/p", Follow::Links), Err(error) if error.cause == Cause::NotAFile)
        );
    }
}
