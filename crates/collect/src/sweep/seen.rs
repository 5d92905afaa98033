//! A name as the walk shows it to examiners.

use crate::place::Place;
use crate::{Context, Owner};
use calma_host::{Cause, Content, Directory, FileKind, HostError, Named, Opened, Stat, join};
use calma_record::Text;
use std::cell::OnceCell;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// First bytes that [`Seen::head`] gives.
const HEAD: usize = 4096;

/// A directory while it, or a file in it, is looked at.
pub struct Swept {
    pub(super) path: Vec<u8>,
    pub(super) place: Place,
    pub(super) handle: Box<dyn Directory>,
    pub(super) held: Arc<AtomicUsize>,
}

impl Swept {
    pub(super) fn new(path: Vec<u8>, handle: Box<dyn Directory>, held: &Arc<AtomicUsize>) -> Arc<Self> {
        held.fetch_add(1, Ordering::Relaxed);
        let place = crate::place::of(&path);
        Arc::new(Self { path, place, handle, held: Arc::clone(held) })
    }

    /// Its path, without any link on the way.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Its own metadata.
    pub fn stat(&self) -> &Stat {
        self.handle.stat()
    }

    /// The type of its file system, as statfs(2) numbers it; 0 where that is not known.
    pub fn filesystem(&self) -> u64 {
        self.handle.filesystem()
    }

    /// The open directory itself.
    pub fn handle(&self) -> &dyn Directory {
        self.handle.as_ref()
    }

    /// What it is for, as far as its path tells.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A directory all of whose names were met.
pub struct Listed<'a> {
    /// The directory.
    pub directory: &'a Swept,
    /// How many names it has.
    pub names: u64,
    /// How many of them are directories.
    pub directories: u64,
}

/// Names that stand together.
pub struct Neighbours<'a> {
    /// Their directory.
    pub directory: &'a Swept,
    pub(super) names: &'a [Named],
    pub(super) context: &'a Context,
}

impl<'a> Neighbours<'a> {
    /// Whether packages alone fill this directory, so that sampling it tells nothing.
    pub(crate) fn is_packaged_place(&self) -> bool {
        let path = self.directory.path();
        let below = |place: &[u8]| crate::odd::is_below(path, place);
        below(b"/usr") && !below(b"/usr/local")
            || [&b"/lib"[..], b"/lib64", b"/bin", b"/sbin", b"/boot", b"/var/lib/dpkg", b"/var/cache/apt"]
                .iter()
                .any(|place| below(place))
    }

    /// Every name whose metadata is known.
    ///
    /// What they were asked is not asked twice: each is made anew.
    pub fn iter(&self) -> impl Iterator<Item = Seen<'a>> + '_ {
        self.names.iter().filter_map(|named| {
            let stat = named.stat.as_ref().ok()?;
            Some(Seen::new(self.context, self.directory, &named.name, stat))
        })
    }
}

/// A name as the walk shows it to examiners.
pub struct Seen<'a> {
    /// Its directory.
    pub directory: &'a Swept,
    /// Its name there.
    pub name: &'a Text,
    /// Its metadata; of the link itself if it is one.
    pub stat: &'a Stat,
    pub(super) context: &'a Context,
    path: OnceCell<Vec<u8>>,
    owner: OnceCell<Option<u32>>,
    head: OnceCell<Result<Vec<u8>, HostError>>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(context: &'a Context, directory: &'a Swept, name: &'a Text, stat: &'a Stat) -> Self {
        let (path, owner, head) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { directory, name, stat, context, path, owner, head }
    }

    pub(crate) fn context(&self) -> &Context {
        self.context
    }

    /// Its whole path.
    pub fn path(&self) -> &[u8] {
        self.path.get_or_init(|| join(&self.directory.path, self.name.as_bytes()))
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.stat.kind() == FileKind::File
    }

    /// Whether it is a regular file that may be executed.
    pub fn is_executable(&self) -> bool {
        self.is_file() && self.stat.mode & 0o111 != 0
    }

    /// What the host's package list says of it. Root can forge that: a hint, never a verdict.
    pub fn owner(&self) -> Owner {
        let packages = self.context.packages();
        match self.package_number() {
            Some(number) => packages.name(number).map_or(Owner::Nobody, Owner::Package),
            None if packages.known() => Owner::Nobody,
            None => Owner::Unknown,
        }
    }

    /// Whether there is a package list, and it does not name this file.
    pub fn is_unowned(&self) -> bool {
        self.context.packages().known() && self.package_number().is_none()
    }

    /// Whether a package claims it.
    pub fn is_packaged(&self) -> bool {
        self.package_number().is_some()
    }

    pub(crate) fn package_number(&self) -> Option<u32> {
        *self.owner.get_or_init(|| self.context.packages().number(self.path()))
    }

    /// Its first 4,096 bytes, read once for all examiners.
    ///
    /// # Errors
    /// When it is no regular file, was replaced since, or can not be read.
    pub fn head(&self) -> Result<&[u8], &HostError> {
        let read = || self.content(HEAD).map(|content| content.bytes);
        self.head.get_or_init(read).as_deref()
    }

    /// Opens it for reading from its beginning. It is the file that [`Seen::stat`] describes, or an error.
    ///
    /// # Errors
    /// When it is no regular file, was replaced since, or can not be opened.
    pub fn open(&self) -> Result<Box<dyn Opened>, HostError> {
        let at_path = |mut error: HostError| {
            error.place = self.path().into();
            error
        };
        if !self.is_file() {
            return Err(HostError::new("open", self.path(), Cause::NotAFile));
        }
        let file = self.directory.handle.open(self.name.as_bytes()).map_err(at_path)?;
        let meta = file.meta();
        if (meta.device, meta.inode) != (self.stat.device, self.stat.inode) {
            return Err(HostError::new("open", self.path(), Cause::Replaced));
        }
        Ok(file)
    }

    /// Its first `limit` bytes.
    ///
    /// # Errors
    /// As for [`Seen::open`], and when reading fails.
    pub fn content(&self, limit: usize) -> Result<Content, HostError> {
        let file = self.open()?;
        let meta = file.meta().clone();
        let expected = usize::try_from(meta.size).unwrap_or(usize::MAX).min(limit).min(1 << 20);
        let mut bytes = Vec::with_capacity(expected + 1);
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(bound).read_to_end(&mut bytes).map_err(|error| {
            let cause = error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno);
            HostError::new("read", self.path(), cause)
        })?;
        let cut = bytes.len() > limit;
        bytes.truncate(limit);
        Ok(Content { bytes, cut, meta })
    }

    /// An extended attribute of it (xattr(7)).
    ///
    /// # Errors
    /// When it is not there or its file system has no such attributes.
    pub fn attribute(&self, attribute: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.directory.handle.attribute(self.name.as_bytes(), attribute).map_err(|mut error| {
            error.place = self.path().into();
            error
        })
    }
}
