//! Making and opening a case, and beginning a stream in it.

use crate::chain::Chain;
use crate::folder::{Folder, fault, rename_new};
use crate::keeper::{Earlier, Line, Opening};
use crate::pieces::{Bounds, Pieces};
use crate::scan::{self, Scan};
use crate::seal::SealLine;
use crate::{About, CaseError, PlaceKind, StreamWriter, about, now};
use calma_record::{Digest, StreamName};
use ed25519_dalek::SigningKey;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, fstat, mkdirat};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ABOUT: &str = "case.json";
const README: &str = "README.txt";
const README_TEXT: &str = include_str!("readme.txt");

/// A case: one folder.
#[derive(Debug)]
pub struct Case {
    folder: Folder,
    pub(crate) streams: Folder,
    pub(crate) evidence: Folder,
    about: About,
}

/// The case's own lock, held while streams are named or sealed; gone when dropped.
pub(crate) struct Lock {
    _folder: Folder,
}

impl Case {
    /// Makes a new case, with mode 0700. The folder appears whole or not at all.
    ///
    /// # Errors
    /// [`CaseError::AlreadyThere`] when there is a case, [`CaseError::InTheWay`] when there is something else.
    pub fn create(folder: &Path, about: &About) -> Result<Self, CaseError> {
        if folder.symlink_metadata().is_ok() {
            return Err(Self::in_the_way(folder));
        }
        let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Err(CaseError::InTheWay(folder.to_owned()));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| {
            CaseError::Io { doing: "can not make the folder", place: parent.to_owned(), error }
        })?;
        let mut unfinished = std::ffi::OsString::from(".");
        unfinished.push(name);
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = parent.join(unfinished);
        mkdirat(CWD, &unfinished, Mode::RWXU).map_err(fault("can not make the folder", &unfinished))?;
        let made = Self::fill(&unfinished, about).and_then(|()| {
            rename_new(CWD, &unfinished, CWD, folder).map_err(|errno| match errno {
                Errno::EXIST | Errno::NOTEMPTY => Self::in_the_way(folder),
                errno => fault("can not make the folder", folder)(errno),
            })
        });
        if let Err(error) = made {
            // Only what this call has made; if that fails too, an unfinished folder stays, which is no case.
            let _ = std::fs::remove_dir_all(&unfinished);
            return Err(error);
        }
        Folder::open(parent)?.sync()?;
        Self::open(folder)
    }

    fn fill(folder: &Path, about: &About) -> Result<(), CaseError> {
        let folder = Folder::open(folder)?;
        folder.make_sub("streams")?.sync()?;
        folder.make_sub("evidence")?.sync()?;
        folder.make_sub("derived")?;
        folder.write_new(README, README_TEXT.as_bytes())?;
        let mut text = serde_json::to_vec_pretty(about)
            .map_err(|error| folder.fault("can not write", ABOUT, error.into()))?;
        text.push(b'\n');
        folder.write_new(ABOUT, &text)?;
        folder.sync()
    }

    fn in_the_way(folder: &Path) -> CaseError {
        match Self::open(folder) {
            Ok(_) | Err(CaseError::Newer(_)) => CaseError::AlreadyThere(folder.to_owned()),
            Err(_) => CaseError::InTheWay(folder.to_owned()),
        }
    }

    /// Opens a case.
    ///
    /// # Errors
    /// When the folder is not a case, was written by a newer calma, or can not be read.
    pub fn open(folder: &Path) -> Result<Self, CaseError> {
        let path = folder;
        let folder = Folder::open(path)?;
        if !folder.has(ABOUT) {
            return Err(CaseError::NotACase(path.to_owned()));
        }
        let text = folder.read_small(ABOUT)?;
        let about: About = serde_json::from_slice(&text).map_err(|_| CaseError::NotACase(path.to_owned()))?;
        if about.format > about::FORMAT {
            return Err(CaseError::Newer(path.to_owned()));
        }
        let (streams, evidence) = (folder.sub("streams")?, folder.sub("evidence")?);
        Ok(Self { folder, streams, evidence, about })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it is about.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The names of its streams, by kind and number.
    ///
    /// # Errors
    /// When the folder can not be listed.
    pub fn streams(&self) -> Result<Vec<StreamName>, CaseError> {
        scan::names(&self.streams)
    }

    /// A folder for what can be made again from the rest.
    ///
    /// # Errors
    /// When it can not be made.
    pub fn derived(&self) -> Result<PathBuf, CaseError> {
        self.folder.make_sub("derived").map(|folder| folder.path().to_owned())
    }

    /// Writes a file of `derived/` whole, in the place of one of that name: it is there as before, or as it is now. Only
    /// this user can read it. Returns where it stands.
    ///
    /// # Errors
    /// When it can not be written; a file begun is removed.
    pub fn derive(
        &self,
        name: &str,
        write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
    ) -> Result<PathBuf, CaseError> {
        Self::write_over(&self.folder.make_sub("derived")?, name, write)
    }

    /// Writes a file of `private/` whole, in the place of one of that name: what belongs to the case and is never part
    /// of what is handed on. Only this user can read it.
    ///
    /// # Errors
    /// When it can not be written; a file begun is removed.
    pub fn put_private(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CaseError> {
        let write = |file: &mut std::fs::File| std::io::Write::write_all(file, bytes);
        Self::write_over(&self.folder.make_sub("private")?, name, write)
    }

    /// A file of `private/`; `None` if there is none.
    ///
    /// # Errors
    /// When it is there and can not be read.
    pub fn private(&self, name: &str) -> Result<Option<Vec<u8>>, CaseError> {
        if !self.folder.has("private") {
            return Ok(None);
        }
        let folder = self.folder.sub("private")?;
        if !folder.has(name) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut folder.read(name)?, &mut bytes)
            .map_err(|error| folder.fault("can not read", name, error))?;
        Ok(Some(bytes))
    }

    fn write_over(
        folder: &Folder,
        name: &str,
        write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
    ) -> Result<PathBuf, CaseError> {
        let unfinished = format!(".{name}.{}", std::process::id());
        folder.remove(&unfinished);
        let mut file = folder.create_new(&unfinished)?;
        let written = write(&mut file).and_then(|()| file.sync_all());
        if let Err(error) = written {
            folder.remove(&unfinished);
            return Err(folder.fault("can not write", name, error));
        }
        folder.replace(&unfinished, name)?;
        Ok(folder.path().join(name))
    }

    /// Removes a case in which nothing was ever written; any other stays.
    pub fn discard_if_empty(self) {
        let no_lock = Errno::WOULDBLOCK;
        if flock(self.folder.fd(), FlockOperation::NonBlockingLockExclusive) == Err(no_lock)
            || !matches!(self.streams.names().as_deref(), Ok([]))
            || !matches!(self.evidence.names().as_deref(), Ok([]))
        {
            return;
        }
        // The folders go only if they are empty, the two files only in a case that is.
        for name in ["streams", "evidence", "derived"] {
            self.folder.remove_folder(name);
        }
        if !self.folder.has("streams") {
            Self::PINNED.iter().for_each(|name| self.folder.remove(name));
            let _ = std::fs::remove_dir(self.folder.path());
        }
    }

    /// Begins the next stream of a kind: `collection-1`, `collection-2` and so on. Its opening names the heads of all
    /// streams before it. While it is written, no other stream of the kind can be begun.
    ///
    /// # Errors
    /// [`CaseError::Busy`] when another one is being written; [`CaseError::NotOurs`] when others may write into the folder.
    pub fn begin(&self, kind: &str) -> Result<StreamWriter, CaseError> {
        let case = Self::open(self.folder())?;
        case.is_ours()?;
        let lock = case.lock()?;
        let mut earlier = Vec::new();
        let mut number = 1;
        for name in case.streams()? {
            let (its_kind, its_number) = scan::parts(&name.0);
            if its_kind == kind {
                let file = scan::open(&case.streams, &name)?;
                if flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK) {
                    return Err(CaseError::Busy);
                }
                number = number.max(its_number.saturating_add(1));
            }
            let scan = scan::scan(&case.streams, &name, false)?;
            earlier.push(Earlier { frames: scan.frames(), head: scan.head(), stream: name.0 });
        }
        let name = StreamName(format!("{kind}-{number}"));
        if !scan::is_name(&name.0) {
            return Err(CaseError::NoStream(name.0));
        }
        let key = new_key().map_err(fault("can not make a key", self.folder()))?;
        let opening = Opening {
            stream: name.0.clone(),
            opened: now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            about: scan::digest_of(&case.folder, ABOUT)?,
            readme: scan::digest_of(&case.folder, README)?,
            key: Digest(key.verifying_key().to_bytes()),
            earlier,
        };
        let mut free = case.evidence.free();
        if case.about.place == PlaceKind::Memory {
            // The examined machine needs its memory itself: half of half of what it can spare.
            free = free.min(crate::place::available_memory() / 2);
        }
        let bounds = Bounds::for_free(free);
        let pieces = Pieces::new(case.folder.sub("evidence")?, &name.0, bounds)?;
        let chain = case.new_chain(&name, opening)?;
        drop(lock);
        Ok(StreamWriter::new(case, name, chain, key, pieces))
    }

    /// A new stream file with its opening, on the disk.
    fn new_chain(&self, name: &StreamName, opening: Opening) -> Result<Chain, CaseError> {
        let file_name = scan::file_name(name);
        let file = self.streams.create_new(&file_name)?;
        // A file system without locks has none to wait for.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(CaseError::Busy);
        }
        let mut chain = Chain::new(file);
        let written = chain
            .put_lines(&[Line::Opening(Box::new(opening))])
            .and_then(|()| chain.file().sync_all())
            .map_err(|error| self.streams.fault("can not write", &file_name, error))
            .and_then(|()| self.streams.sync());
        if let Err(error) = written {
            self.streams.remove(&file_name);
            return Err(error);
        }
        Ok(chain)
    }

    /// The seal that comes next in this case, for a stream that stands at `end`.
    pub(crate) fn next_seal(
        &self,
        stream: &StreamName,
        end: (Digest, u64),
        key: &SigningKey,
    ) -> Result<SealLine, CaseError> {
        let mut last: Option<(u32, Digest)> = None;
        for name in self.streams()?.iter().filter(|name| *name != stream) {
            let scan: Scan = scan::scan(&self.streams, name, false)?;
            if let Some(seal) = scan.good_seal()
                && last.is_none_or(|(number, _)| number < seal.number)
            {
                last = Some((seal.number, seal.digest(name)));
            }
        }
        let (number, previous) = last.unwrap_or_default();
        Ok(SealLine::sign(stream, (number.saturating_add(1), previous), end, key))
    }

    /// The six words of the newest seal, as it says; whether the case still fits them is a matter of [`Case::verify`].
    /// `None` when nothing is sealed.
    ///
    /// # Errors
    /// When a stream can not be read.
    pub fn phrase(&self) -> Result<Option<String>, CaseError> {
        let mut newest: Option<(u32, String)> = None;
        for name in self.streams()? {
            let scan: Scan = scan::scan(&self.streams, &name, false)?;
            if let Some(seal) = scan.good_seal()
                && newest.as_ref().is_none_or(|(number, _)| *number < seal.number)
            {
                newest = Some((seal.number, seal.phrase(&name)));
            }
        }
        Ok(newest.map(|(_, phrase)| phrase))
    }

    /// Takes the case's own lock; waits a little for another calma that names or seals a stream at this moment.
    pub(crate) fn lock(&self) -> Result<Lock, CaseError> {
        let folder = Folder::open(self.folder())?;
        for _ in 0..100 {
            match flock(folder.fd(), FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(Duration::from_millis(20)),
                Ok(()) | Err(_) => return Ok(Lock { _folder: folder }),
            }
        }
        Err(CaseError::Busy)
    }

    /// Whether the folder belongs to this user and nobody else may write into it.
    fn is_ours(&self) -> Result<(), CaseError> {
        let others = Mode::WGRP | Mode::WOTH;
        for folder in [&self.folder, &self.streams, &self.evidence] {
            let stat = fstat(folder.fd().as_fd()).map_err(fault("can not look at", folder.path()))?;
            if stat.st_uid != rustix::process::geteuid().as_raw()
                || Mode::from_raw_mode(stat.st_mode).intersects(others)
            {
                return Err(CaseError::NotOurs(self.folder().to_owned()));
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Folder {
        &self.folder
    }

    /// Names of the small files that each opening pins.
    pub(crate) const PINNED: [&str; 2] = [ABOUT, README];
}

/// A signing key of this run, which never leaves memory.
fn new_key() -> Result<SigningKey, Errno> {
    let mut seed = [0; 32];
    random(&mut seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Fills a buffer from the kernel's own randomness (getrandom(2)).
pub(crate) fn random(mut rest: &mut [u8]) -> Result<(), Errno> {
    while !rest.is_empty() {
        match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => rest = rest.get_mut(n..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Kernels before 3.17 have only the file (random(4)).
            Err(Errno::NOSYS) => {
                let file = rustix::fs::open("/dev/urandom", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                let read = rustix::io::read(&file, &mut *rest)?;
                if read == 0 {
                    return Err(Errno::IO);
                }
                rest = rest.get_mut(read..).unwrap_or_default();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
