//! A mounted root, seen from another system.

use crate::live::directory::OpenDirectory;
use crate::live::files::{self, Touched};
use crate::{Cause, Clock, Directory, Entry, Follow, Host, HostError, Kernel, Meta, Opened, Tree, path};
use calma_record::{Text, Timestamp};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::sync::Arc;

/// A directory that holds another system's root file system. Absolute links in it stay inside it.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    touched: Arc<Touched>,
    clock: crate::Live,
}

/// The directory can not serve as a root.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It can not be opened.
    #[error("{0}")]
    Closed(#[from] HostError),
    /// It holds none of the directories that make a Linux root.
    #[error("{0} does not look like the root of a Linux system: it has no etc and no usr or bin directory")]
    NotARoot(Text),
}

impl Root {
    /// Opens the directory and checks that it looks like a root.
    ///
    /// # Errors
    /// When it can not be opened or is no root.
    pub fn open(directory: &[u8]) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, directory, flags, Mode::empty())
            .map_err(|e| HostError::errno("open", directory, e))?;
        let root = Self { directory: opened, touched: Arc::default(), clock: crate::Live::new() };
        let has = |name: &[u8]| root.meta(name).is_ok();
        if has(b"/etc") && (has(b"/usr") || has(b"/bin")) {
            Ok(root)
        } else {
            Err(RootError::NotARoot(directory.into()))
        }
    }

    /// Opens `path` as if the directory were `/`, by openat2(2), or component by component on kernels before 5.6.
    fn handle(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, HostError> {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        let relative = if relative.is_empty() { b"." } else { relative };
        let flags = flags | OFlags::CLOEXEC;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.directory, relative, flags, Mode::empty(), within) {
            Err(Errno::NOSYS) => self.handle_stepwise(path, flags),
            other => other.map_err(|e| HostError::errno("openat2", path, e)),
        }
    }

    /// Walks one component at a time, each opened without following, so that no link can lead outside.
    fn handle_stepwise(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, HostError> {
        let error = |e| HostError::errno("openat", path, e);
        let step = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut todo: Vec<Vec<u8>> = split(path);
        let mut stack: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(component) = todo.pop() {
            if component == b".." {
                stack.pop();
                continue;
            }
            let here = stack.last().unwrap_or(&self.directory);
            let next = rustix::fs::openat(here, component.as_slice(), step, Mode::empty()).map_err(error)?;
            let target = match rustix::fs::readlinkat(&next, b"".as_slice(), Vec::new()) {
                Ok(target) if !(todo.is_empty() && flags.contains(OFlags::NOFOLLOW)) => target.into_bytes(),
                _ => {
                    stack.push(next);
                    continue;
                }
            };
            links += 1;
            if links > 40 {
                return Err(HostError::new("openat", path, Cause::Loop));
            }
            if target.starts_with(b"/") {
                stack.clear();
            }
            todo.extend(split(&target));
        }
        let last = stack.last().unwrap_or(&self.directory);
        if flags.contains(OFlags::PATH) {
            return rustix::io::fcntl_dupfd_cloexec(last, 0).map_err(error);
        }
        rustix::fs::openat(last, b".".as_slice(), flags, Mode::empty()).map_err(error)
    }
}

fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|b| *b == b'/')
        .rev()
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

impl Host for Root {
    fn target(&self) -> &'static str {
        "root"
    }

    fn tree(&self) -> &dyn Tree {
        self
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        None
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn touched(&self) -> (u64, Option<Text>) {
        self.touched.get()
    }
}

impl Clock for Root {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn since_boot(&self) -> u64 {
        0
    }
}

impl Tree for Root {
    fn meta(&self, path: &[u8]) -> Result<Meta, HostError> {
        let handle = self.handle(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        files::meta_at(&handle, b"", AtFlags::EMPTY_PATH).map_err(|e| HostError::errno("statx", path, e))
    }

    fn meta_followed(&self, path: &[u8]) -> Result<Meta, HostError> {
        self.meta(&path::resolve(self, path)?)
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Entry>, HostError> {
        let handle = self.handle(path, OFlags::PATH | OFlags::DIRECTORY)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let directory = files::open_untouched(flags, path, &self.touched, |flags| {
            rustix::fs::openat(&handle, ".", flags, Mode::empty())
        })
        .map_err(|e| HostError::errno("open", path, e))?;
        files::entries(directory).map_err(|e| HostError::errno("getdents64", path, e))
    }

    fn survey(&self, path: &[u8], most: usize) -> Result<Vec<(Entry, Option<Meta>)>, HostError> {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        let directory = files::open_for_walk(&self.directory, relative, path, &self.touched)
            .map_err(|e| HostError::errno("open", path, e))?;
        files::survey(&directory, most).map_err(|e| HostError::errno("getdents64", path, e))
    }

    fn directory(&self, path: &[u8]) -> Result<Box<dyn Directory>, HostError> {
        let failed = |e| HostError::errno("open", path, e);
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        let descriptor =
            files::open_for_walk(&self.directory, relative, path, &self.touched).map_err(failed)?;
        Ok(Box::new(OpenDirectory::new(descriptor, Arc::clone(&self.touched)).map_err(failed)?))
    }

    fn open(&self, path: &[u8], follow: Follow) -> Result<Box<dyn Opened>, HostError> {
        let mut flags = OFlags::PATH;
        if follow == Follow::No {
            flags |= OFlags::NOFOLLOW;
        }
        files::reopen(&self.handle(path, flags)?, path, &self.touched)
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, HostError> {
        let handle = self.handle(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        rustix::fs::readlinkat(&handle, b"".as_slice(), Vec::new())
            .map(std::ffi::CString::into_bytes)
            .map_err(|e| HostError::errno("readlink", path, e))
    }

    fn attribute(&self, path: &[u8], name: &str) -> Result<Option<Vec<u8>>, HostError> {
        let real = path::resolve(self, path::parent(path))?;
        let parent = self.handle(&real, OFlags::PATH | OFlags::DIRECTORY)?;
        // lgetxattr has no form relative to a directory; the handle's own name under /proc/self/fd is one.
        let name_in = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let at = path::join(
            format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&parent)).as_bytes(),
            name_in,
        );
        files::attribute(&at, name).map_err(|e| HostError::errno("lgetxattr", path, e))
    }
}
