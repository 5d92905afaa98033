//! Pieces of evidence on their way in: bounded, compressed, and named by what really came.

use crate::CaseError;
use crate::again;
use crate::evidence::{self, LARGEST, Piece};
use crate::folder::Folder;
use crate::keeper::Kept;
use crate::packer::{Packer, QUICK};
use calma_record::{Blob, Digest};
use rustix::fs::{Mode, fchmod};
use sha2::{Digest as _, Sha256};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};

/// Bounds of one run, so that a lying host side fills neither memory nor the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of one piece.
    pub(crate) piece: u64,
    /// Bytes of all pieces as they come.
    pub(crate) total: u64,
    /// Bytes of all pieces as stored.
    pub(crate) stored: u64,
    /// Pieces open at a time.
    pub(crate) open: usize,
    /// Pieces in all.
    pub(crate) pieces: usize,
}

impl Bounds {
    /// The bounds for a place with `free` bytes: never more than half of it.
    pub(crate) fn for_free(free: u64) -> Self {
        Self { piece: LARGEST, total: 8 << 30, stored: free / 2, open: 16, pieces: 100_000 }
    }
}

/// Why bytes were left out; the reason of a gap.
pub(crate) type Left = Option<&'static str>;

/// Counts and digests what is written.
struct Store {
    file: File,
    hasher: Sha256,
    length: u64,
}

impl Write for Store {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or_default());
        self.length += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A piece that is still coming.
struct Open {
    name: String,
    to: zstd::Encoder<'static, Store>,
    hasher: Sha256,
    size: u64,
    cut: bool,
}

/// All pieces of one run.
pub(crate) struct Pieces {
    evidence: Folder,
    partial: Folder,
    stream: String,
    bounds: Bounds,
    open: BTreeMap<u32, Open>,
    /// Stored, but not yet named in the stream.
    stored: BTreeMap<u32, (Kept, Left)>,
    /// Pieces that came to an end, one way or the other; a number is used once.
    done: BTreeSet<u32>,
    total: u64,
    total_stored: u64,
    /// Whether the keeper itself gives the bytes: nothing is claimed of them, and it brings them to the disk itself.
    own: bool,
    /// Files and folders that are not on the disk yet.
    unsettled: Vec<File>,
    unsettled_folders: BTreeMap<String, Folder>,
    /// Whether more files than those are not on the disk yet: the whole file system is brought to it then.
    unsettled_more: bool,
    /// Pieces that are read again once they are on the disk, in the order in which they came.
    unchecked: Vec<Digest>,
    /// What compresses small pieces, and where to; made when the first one comes.
    small: Option<Packer>,
    packed: Vec<u8>,
    /// Whether syncfs(2) can be relied on here.
    syncfs: bool,
}

/// More files than these are brought to the disk all at once.
const TOGETHER: usize = 8;

/// Whether syncfs(2) tells that something could not be written: since Linux 5.8.
fn syncfs_tells_errors() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|text| text.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(5), Some(8))
}

/// So many files are held open until they are brought to the disk, where the whole file system can not be at once.
const UNSETTLED: usize = 256;

impl Pieces {
    pub(crate) fn new(evidence: Folder, stream: &str, bounds: Bounds) -> Result<Self, CaseError> {
        let partial = evidence.make_sub("partial")?;
        Ok(Self {
            evidence,
            partial,
            stream: stream.to_owned(),
            bounds,
            open: BTreeMap::new(),
            stored: BTreeMap::new(),
            done: BTreeSet::new(),
            total: 0,
            total_stored: 0,
            own: false,
            unsettled: Vec::new(),
            unsettled_folders: BTreeMap::new(),
            unsettled_more: false,
            unchecked: Vec::new(),
            small: None,
            packed: Vec::new(),
            syncfs: syncfs_tells_errors(),
        })
    }

    /// From now on the keeper itself gives the bytes. It asks for them to be brought to the disk all at once, since a
    /// thousand small files take a thousand times as long one by one.
    pub(crate) fn keepers_own(&mut self) {
        self.own = true;
    }

    /// Brings what the keeper itself gave to the disk, and reads again from there what is to be checked.
    pub(crate) fn settle(&mut self) -> Result<(), CaseError> {
        let fault = |error| self.evidence.fault("can not write to the disk", "", error);
        if self.unsettled_more || (self.syncfs && self.unsettled.len() > TOGETHER) {
            // The whole file system at once: a thousand small files take one journal commit and not a thousand.
            rustix::fs::syncfs(self.evidence.fd()).map_err(|errno| fault(errno.into()))?;
        } else {
            self.unsettled.iter().try_for_each(|file| file.sync_all()).map_err(fault)?;
            self.unsettled_folders.values().try_for_each(Folder::sync)?;
            if !self.unsettled.is_empty() {
                self.evidence.sync()?;
            }
        }
        self.unsettled.clear();
        self.unsettled_more = false;
        let folders = std::mem::take(&mut self.unsettled_folders);
        again::all_come_back(&self.evidence, &folders, &self.unchecked)?;
        self.unchecked.clear();
        Ok(())
    }

    /// Remembers a file that is not on the disk yet.
    fn unsettled(&mut self, file: File) -> Result<(), CaseError> {
        self.unsettled.push(file);
        if self.syncfs && self.unsettled.len() > TOGETHER {
            self.unsettled.clear();
            self.unsettled_more = true;
        }
        if self.unsettled.len() >= UNSETTLED { self.settle() } else { Ok(()) }
    }

    /// Has a piece read again once it is on the disk.
    pub(crate) fn check_later(&mut self, digest: Digest) {
        self.unchecked.push(digest);
    }

    /// Takes bytes of piece `id`. Some reason, when they are left out.
    pub(crate) fn chunk(&mut self, id: u32, bytes: &[u8]) -> Result<Left, CaseError> {
        if self.done.contains(&id) || self.stored.contains_key(&id) {
            return Ok(Some("the host side sent bytes for a piece that had ended"));
        }
        if !self.open.contains_key(&id) {
            if self.open.len() >= self.bounds.open {
                return Ok(Some("the host side sent too many pieces at once"));
            }
            if self.done.len() >= self.bounds.pieces {
                return Ok(Some("the host side sent too many pieces"));
            }
            let name = format!("{}-{id}.zst", self.stream);
            let file = self.partial.create_new(&name)?;
            let store = Store { file, hasher: Sha256::new(), length: 0 };
            let to = zstd::Encoder::new(store, if self.own { QUICK } else { 3 })
                .map_err(|error| self.partial.fault("can not compress", &name, error))?;
            self.open.insert(id, Open { name, to, hasher: Sha256::new(), size: 0, cut: false });
        }
        let Some(open) = self.open.get_mut(&id) else { return Ok(None) };
        let length = bytes.len() as u64;
        let stored: u64 = self.total_stored.saturating_add(open.to.get_ref().length);
        if open.cut
            || open.size.saturating_add(length) > self.bounds.piece
            || self.total.saturating_add(length) > self.bounds.total
            || stored.saturating_add(length) > self.bounds.stored
        {
            open.cut = true;
            return Ok(Some("more evidence came than the case may hold"));
        }
        if let Err(error) = open.to.write_all(bytes) {
            // The compressor's state is lost with the bytes, so the piece is too; its space is given back.
            let name = open.name.clone();
            self.drop_piece(id);
            return Err(self.partial.fault("can not keep a piece of evidence", &name, error));
        }
        open.hasher.update(bytes);
        open.size += length;
        self.total += length;
        Ok(None)
    }

    /// The host side says that a piece is whole. What came is kept under its true digest.
    pub(crate) fn finish(&mut self, blob: &Blob) -> Result<(Option<Kept>, Left), CaseError> {
        if let Some((kept, left)) = self.stored.get(&blob.id) {
            return Ok((Some(kept.clone()), *left));
        }
        if self.done.contains(&blob.id) {
            return Ok((None, Some("its bytes did not come, or could not be kept")));
        }
        if !self.open.contains_key(&blob.id) {
            if blob.size != 0 {
                return Ok((None, Some("its bytes did not come, or could not be kept")));
            }
            // An empty file has no chunks; it is evidence all the same.
            if let left @ Some(_) = self.chunk(blob.id, &[])? {
                return Ok((None, left));
            }
        }
        self.store(blob.id, Some(blob))
    }

    /// Numbers of the pieces that never came to their end.
    pub(crate) fn unfinished(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }

    /// Moves what came of piece `id` into the evidence.
    pub(crate) fn store(&mut self, id: u32, blob: Option<&Blob>) -> Result<(Option<Kept>, Left), CaseError> {
        let Some(open) = self.open.remove(&id) else { return Ok((None, None)) };
        let (name, cut, size) = (open.name, open.cut, open.size);
        let digest = Digest(open.hasher.finalize().into());
        let store = match open.to.finish() {
            Ok(store) => store,
            Err(error) => {
                self.partial.remove(&name);
                self.done.insert(id);
                return Err(self.partial.fault("can not keep a piece of evidence", &name, error));
            }
        };
        let stored = Digest(store.hasher.finalize().into());
        // Where the file system has no modes, compression alone keeps the piece from being run.
        let _ = fchmod(&store.file, Mode::RUSR);
        let synced = if self.own { Ok(()) } else { store.file.sync_all() };
        let placed = synced
            .map_err(|error| self.partial.fault("can not keep a piece of evidence", &name, error))
            .and_then(|()| self.place(&name, &digest, stored));
        let stored = match placed {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                // What came stays where it is, for whoever looks into the broken one.
                self.done.insert(id);
                return Ok((None, Some("the case holds a broken piece of the same name")));
            }
            Err(error) => {
                self.partial.remove(&name);
                self.done.insert(id);
                return Err(error);
            }
        };
        self.total_stored = self.total_stored.saturating_add(store.length);
        if self.own {
            self.unsettled(store.file)?;
        }
        let (claimed, left) = match blob {
            Some(blob) if blob.digest == digest && blob.size == size => (None, None),
            Some(blob) if cut => (Some(blob.digest), Some("more evidence came than the case may hold")),
            Some(blob) => (Some(blob.digest), Some("what came is not what the host side said it sent")),
            None if self.own && cut => (None, Some("it is more than the case may hold")),
            None if self.own => (None, None),
            None => (None, Some("the host side did not send it to its end")),
        };
        let kept = Kept { id, digest, size, stored, claimed, whole: left.is_none() };
        self.stored.insert(id, (kept.clone(), left));
        Ok((Some(kept), left))
    }

    /// Stores a small piece of the keeper's own, which is whole and has this digest. It may be compressed already.
    pub(crate) fn store_small(
        &mut self,
        id: u32,
        bytes: &[u8],
        digest: Digest,
        ready: &[u8],
    ) -> Result<Kept, CaseError> {
        let size = bytes.len() as u64;
        if self.total.saturating_add(size) > self.bounds.total
            || self.total_stored.saturating_add(size) > self.bounds.stored
        {
            return Err(CaseError::NotKept("it is more than the case may hold"));
        }
        let name = format!("{}-{id}.zst", self.stream);
        let fault = |error| self.partial.fault("can not keep a piece of evidence", &name, error);
        let packed = match (ready, &mut self.small) {
            ([], small) => {
                let small = match small {
                    Some(small) => small,
                    none => none.insert(Packer::new().map_err(fault)?),
                };
                small.pack(bytes, &mut self.packed).map_err(fault)?;
                self.packed.as_slice()
            }
            (ready, _) => ready,
        };
        let (stored, length) = (Digest::of(packed), packed.len() as u64);
        let mut file = self.partial.create_as(&name, Mode::RUSR)?;
        let placed = file.write_all(packed).map_err(fault).and_then(|()| self.place(&name, &digest, stored));
        let there = match placed {
            Ok(Some(there)) => there,
            Ok(None) => return Err(CaseError::NotKept("the case holds a broken piece of the same name")),
            Err(error) => {
                self.partial.remove(&name);
                return Err(error);
            }
        };
        self.total += size;
        self.total_stored += length;
        self.unsettled(file)?;
        self.done.insert(id);
        Ok(Kept { id, digest, size, stored: there, claimed: None, whole: true })
    }

    /// The stream names piece `id` now.
    pub(crate) fn named(&mut self, id: u32) {
        self.stored.remove(&id);
        self.done.insert(id);
    }

    /// Moves a finished file to its place and returns the digest of the file that stands there; `None` when something
    /// stands there that is not what its name says.
    fn place(&mut self, partial: &str, digest: &Digest, stored: Digest) -> Result<Option<Digest>, CaseError> {
        let (folder_name, name) = evidence::place(digest);
        let folder = match self.unsettled_folders.entry(folder_name) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => {
                let made = self.evidence.make_sub(free.key())?;
                free.insert(made)
            }
        };
        if folder.has(&name) {
            // The same bytes came before and are not written again.
            let there = Piece::open(folder, &name, *digest).ok().and_then(|piece| piece.check().ok());
            if there.is_some() {
                self.partial.remove(partial);
            }
            return Ok(there.map(|(stored, _)| stored));
        }
        self.partial.rename_new(partial, folder, &name)?;
        if !self.own {
            folder.sync()?;
            self.unsettled_folders.clear();
        }
        Ok(Some(stored))
    }

    /// Forgets a piece that is still coming.
    pub(crate) fn drop_piece(&mut self, id: u32) {
        if let Some(open) = self.open.remove(&id) {
            self.partial.remove(&open.name);
        }
        self.done.insert(id);
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} pieces open, {} done", self.open.len(), self.done.len())
    }
}
