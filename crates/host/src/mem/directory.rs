//! Open directories of an in-memory host.

use super::{MemFile, Node};
use crate::{Cause, Directory, FileKind, HostError, IMMUTABLE, Named, Opened, Stat, path};
use calma_record::{Text, Timestamp};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The magic number of ext4 (statfs(2)): its directories count their subdirectories in their links.
const EXT4: u64 = 0xef53;

pub(super) struct MemDirectory {
    pub(super) nodes: Arc<BTreeMap<Vec<u8>, Node>>,
    pub(super) path: Vec<u8>,
    pub(super) stat: Stat,
}

impl Node {
    pub(super) fn stat(&self) -> Stat {
        let meta = &self.meta;
        let kind = match meta.kind {
            FileKind::File => libc::S_IFREG,
            FileKind::Directory => libc::S_IFDIR,
            FileKind::Link => libc::S_IFLNK,
            FileKind::Other => libc::S_IFIFO,
        };
        Stat {
            mode: kind | meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            size: meta.size,
            blocks: meta.size.div_ceil(512),
            device: meta.device,
            inode: meta.inode,
            links: meta.links,
            accessed: Timestamp::default(),
            modified: meta.modified,
            changed: meta.changed,
            born: meta.born,
            attributes: self.flags | if meta.immutable == Some(true) { IMMUTABLE } else { 0 },
            attributes_known: if meta.immutable.is_some() { u64::MAX } else { 0 },
            mount: None,
        }
    }
}

impl MemDirectory {
    fn node(&self, call: &'static str, name: &[u8]) -> Result<&Node, HostError> {
        let at = if name == b"." { self.path.clone() } else { path::join(&self.path, name) };
        let node =
            self.nodes.get(&at).ok_or_else(|| HostError::new(call, name, Cause::Errno(libc::ENOENT)))?;
        match node.fails {
            Some(errno) => Err(HostError::new(call, name, Cause::Errno(errno))),
            None => Ok(node),
        }
    }
}

impl Directory for MemDirectory {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn filesystem(&self) -> u64 {
        EXT4
    }

    fn next(&self, without: &[&[u8]], names: &mut Vec<Named>) -> Result<bool, HostError> {
        for (path, node) in self.nodes.range(self.path.clone()..) {
            if !path.starts_with(&self.path) {
                break;
            }
            if path.as_slice() == b"/" || path::parent(path) != self.path {
                continue;
            }
            let name: Text = path.rsplit(|b| *b == b'/').next().unwrap_or_default().into();
            if node.unlisted {
                continue;
            }
            let asked = !without.contains(&name.as_bytes());
            let stat = if asked { Ok(node.stat()) } else { Err(Cause::NotAsked) };
            names.push(Named { name, listed: Some(node.meta.kind), stat });
        }
        Ok(false)
    }

    fn enter(&self, name: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let node = self.node("open", name)?;
        if node.meta.kind != FileKind::Directory {
            return Err(HostError::new("open", name, Cause::Errno(libc::ENOTDIR)));
        }
        let stat = node.stat();
        let path = if name == b"." { self.path.clone() } else { path::join(&self.path, name) };
        Ok(Box::new(Self { nodes: Arc::clone(&self.nodes), path, stat }))
    }

    fn open(&self, name: &[u8]) -> Result<Box<dyn Opened>, HostError> {
        let node = self.node("open", name)?;
        if node.meta.kind != FileKind::File {
            return Err(HostError::new("open", name, Cause::NotAFile));
        }
        Ok(Box::new(MemFile(io::Cursor::new(node.content.clone()), node.meta.clone())))
    }

    fn link(&self, name: &[u8]) -> Result<Vec<u8>, HostError> {
        Ok(self.node("readlink", name)?.content.clone())
    }

    fn attribute(&self, name: &[u8], attribute: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.node("lgetxattr", name)?.attributes.get(attribute).cloned())
    }
}
