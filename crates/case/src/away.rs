//! A folder on another disk, such as a USB stick, to which quarantined files go: each compressed, so that it can not be run
//! and no scanner deletes it, or encrypted; with one list of everything about them beside, for file systems that keep
//! neither owners nor attributes.

use crate::age::{Identity, Opening, Recipient, Sealing};
use crate::evidence::{Digesting, LARGEST};
use crate::folder::Folder;
use crate::{CaseError, now};
use calma_record::step::Manifest;
use calma_record::{Digest, Text, Timestamp};
use rustix::fs::{Mode, fchmod};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The folder that is made on the disk.
const NAME: &str = "calma-quarantine";
/// The list of what is in it: one JSON object a line.
const LIST: &str = "list.jsonl";
const README: &str = "README.txt";
const README_TEXT: &[u8] = b"Files that calma took off a compromised server. Each is compressed (.zst) or encrypted (.age), so that it can \
not be run by mistake.\nlist.jsonl says for each where it stood and everything about it.\nDo not unpack them on a machine you need. \
`calma undo` on the server puts them back.\n";

/// So many files are held open until they are brought to the disk.
const UNSETTLED: usize = 256;

/// One line of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Listed {
    /// SHA-256 of the file's bytes.
    digest: Digest,
    /// SHA-256 of what is stored.
    stored: Digest,
    /// The stored file's name.
    name: String,
    /// Where it stood.
    path: Text,
    /// When it was taken.
    at: Timestamp,
    /// Everything about it but its bytes.
    manifest: Manifest,
}

/// The folder, open.
#[derive(Debug)]
pub struct Away {
    folder: Folder,
    recipient: Option<Recipient>,
    identity: Option<Identity>,
    listed: Vec<Listed>,
    /// What was stored and is not on the disk yet.
    unsettled: Vec<(File, Listed)>,
}

struct Counting<W> {
    to: W,
    hasher: Sha256,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Away {
    /// Makes the folder on a disk, or opens the one that is there.
    ///
    /// # Errors
    /// When it can not be made, or its list can not be read.
    pub fn begin(disk: &Path, recipient: Option<Recipient>) -> Result<Self, CaseError> {
        let folder = Folder::open(disk)?.make_sub(NAME)?;
        if !folder.has(README) {
            folder.write_new(README, README_TEXT)?;
        }
        let mut away = Self::open(folder.path(), None)?;
        away.recipient = recipient;
        Ok(away)
    }

    /// Opens such a folder for reading.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(folder: &Path, identity: Option<Identity>) -> Result<Self, CaseError> {
        let folder = Folder::open(folder)?;
        let mut text = Vec::new();
        if folder.has(LIST) {
            let read = folder.read(LIST)?.take(1 << 30).read_to_end(&mut text);
            read.map_err(|error| folder.fault("can not read", LIST, error))?;
        }
        // A line that a power cut left half is none; what it named is stored again under the same name.
        let listed =
            text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        Ok(Self { folder, recipient: None, identity, listed, unsettled: Vec::new() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Number of the device it is on.
    pub fn device(&self) -> Option<u64> {
        rustix::fs::fstat(self.folder.fd()).ok().map(|stat| stat.st_dev)
    }

    /// The folder's path on a disk.
    pub fn on(disk: &Path) -> PathBuf {
        disk.join(NAME)
    }

    /// Whether it has a file's bytes.
    pub fn has(&self, digest: &Digest) -> bool {
        self.listed.iter().any(|one| one.digest == *digest && self.folder.has(&one.name))
    }

    /// Stores everything `from` gives. It is on the disk after [`Away::settle`].
    ///
    /// # Errors
    /// When it can not be read or written to its end; nothing of it is left then.
    pub fn keep(
        &mut self,
        path: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<(Digest, u64), CaseError> {
        let unfinished = format!("unfinished-{}-{}.part", std::process::id(), self.unsettled.len());
        self.folder.remove(&unfinished);
        let file = self.folder.create_new(&unfinished)?;
        let stored = self.write(file, from);
        let (file, digest, stored, size) = match stored {
            Ok(stored) => stored,
            Err(error) => {
                self.folder.remove(&unfinished);
                return Err(self.folder.fault("can not write to", &unfinished, error));
            }
        };
        let _ = fchmod(&file, Mode::RUSR);
        let ending = if self.recipient.is_some() { "zst.age" } else { "zst" };
        // The same bytes may be there already, for another key: a number makes the name free.
        let name = (1..10_000)
            .map(|n| if n == 1 { format!("{digest}.{ending}") } else { format!("{digest}-{n}.{ending}") })
            .find(|name| !self.folder.has(name))
            .ok_or(CaseError::NotKept("the disk has no free name for it"))?;
        if let Err(error) = self.folder.rename_new(&unfinished, &self.folder, &name) {
            self.folder.remove(&unfinished);
            return Err(error);
        }
        let listed =
            Listed { digest, stored, name, path: path.clone(), at: now(), manifest: manifest.clone() };
        self.unsettled.push((file, listed));
        if self.unsettled.len() >= UNSETTLED {
            self.settle()?;
        }
        Ok((digest, size))
    }

    /// Compresses, encrypts and writes; the file, the digests of what came and of what is stored, and how much came.
    fn write(&self, file: File, from: &mut dyn Read) -> io::Result<(File, Digest, Digest, u64)> {
        let to = Counting { to: file, hasher: Sha256::new() };
        let mut from = Digesting::new(from);
        let to = match &self.recipient {
            Some(recipient) => {
                let mut zstd = zstd::Encoder::new(Sealing::new(to, recipient)?, 3)?;
                io::copy(&mut from, &mut zstd)?;
                zstd.finish()?.finish()?
            }
            None => {
                let mut zstd = zstd::Encoder::new(to, 3)?;
                io::copy(&mut from, &mut zstd)?;
                zstd.finish()?
            }
        };
        Ok((to.to, from.digest(), Digest(to.hasher.finalize().into()), from.length))
    }

    /// Brings everything to the disk and reads it again from there; then lists it.
    ///
    /// # Errors
    /// When the disk refuses, was taken away, or does not give back what was written.
    pub fn settle(&mut self) -> Result<(), CaseError> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        self.still_there()?;
        for (file, one) in &self.unsettled {
            let fault = |error| self.folder.fault("can not bring to the disk", &one.name, error);
            file.sync_all().map_err(fault)?;
        }
        self.folder.sync()?;
        for (file, one) in &self.unsettled {
            // From the medium and not from memory.
            let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
            let again = self.folder.read(&one.name).map(crate::evidence::digest)?;
            match again {
                Ok(digest) if digest == one.stored => {}
                Ok(_) => {
                    return Err(CaseError::NotKept("the disk does not give back what was written to it"));
                }
                Err(error) => return Err(self.folder.fault("can not read again", &one.name, error)),
            }
        }
        let mut text = Vec::new();
        for (_, one) in &self.unsettled {
            serde_json::to_writer(&mut text, one)
                .map_err(|error| self.folder.fault("can not write", LIST, error.into()))?;
            text.push(b'\n');
        }
        let mut list = self.folder.append(LIST)?;
        list.write_all(&text)
            .and_then(|()| list.sync_all())
            .map_err(|error| self.folder.fault("can not write", LIST, error))?;
        self.folder.sync()?;
        // Once more: what was let go lazily in between took all of this into nothing.
        self.still_there()?;
        self.listed.extend(self.unsettled.drain(..).map(|(_, one)| one));
        Ok(())
    }

    /// The path still leads to this very folder: a disk that was pulled and let go lazily would take writes into nothing.
    fn still_there(&self) -> Result<(), CaseError> {
        let id = |folder: &Folder| rustix::fs::fstat(folder.fd()).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        let now = Folder::open(self.folder.path())?;
        if id(&now) != id(&self.folder) {
            return Err(CaseError::NotKept("the disk was taken away"));
        }
        Ok(())
    }

    /// A file's bytes; reading fails at the end if they are not those of the digest.
    ///
    /// # Errors
    /// When they are not here, or the key that opens them is missing.
    pub fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, CaseError> {
        let mut why = CaseError::NoPiece(*digest);
        for one in self.listed.iter().filter(|one| one.digest == *digest && self.folder.has(&one.name)) {
            let file = BufReader::with_capacity(1 << 16, self.folder.read(&one.name)?);
            let opened: io::Result<Box<dyn Read>> = match (&self.identity, one.name.ends_with(".age")) {
                (_, false) => zstd::Decoder::with_buffer(file).map(|read| Box::new(read) as Box<dyn Read>),
                (Some(identity), true) => Opening::new(file, identity)
                    .and_then(zstd::Decoder::new)
                    .map(|read| Box::new(read) as Box<dyn Read>),
                (None, true) => {
                    why = CaseError::NotKept("it is encrypted: the key that opens it is needed");
                    continue;
                }
            };
            match opened {
                Ok(from) => return Ok(Box::new(Checked { from: Digesting::new(from), expected: *digest })),
                Err(error) => why = self.folder.fault("can not open", &one.name, error),
            }
        }
        Err(why)
    }
}

/// Bytes whose last read fails if they were not those of their digest.
struct Checked {
    from: Digesting<Box<dyn Read>>,
    expected: Digest,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        if self.from.length > LARGEST || (n == 0 && !buffer.is_empty() && self.from.digest() != self.expected)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this file was changed"));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_away_comes_back_plain_or_encrypted() {
        let disk = tempfile::tempdir().unwrap();
        let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let identity = Identity::find(secret).unwrap();
        let manifest = Manifest { mode: 0o4755, uid: 7, ..Manifest::default() };
        let bytes = b"\x7fELF, and what follows".repeat(9000);
        for recipient in [None, Some(identity.recipient())] {
            let encrypted = recipient.is_some();
            let mut away = Away::begin(disk.path(), recipient).unwrap();
            let (digest, size) = away.keep(&"/tmp/.x\n".into(), &manifest, &mut bytes.as_slice()).unwrap();
            assert_eq!(size, bytes.len() as u64);
            assert!(encrypted || !away.has(&digest), "not before it is on the disk");
            away.settle().unwrap();
            let name = format!("{digest}.zst{}", if encrypted { ".age" } else { "" });
            let stored = std::fs::read(Away::on(disk.path()).join(&name)).unwrap();
            assert!(!stored.starts_with(b"\x7fELF"), "it can not be run");
            let mut back = Vec::new();
            let again = Away::open(&Away::on(disk.path()), Some(identity.clone())).unwrap();
            again.fetch(&digest).unwrap().read_to_end(&mut back).unwrap();
            assert_eq!(back, bytes);
            if encrypted {
                std::fs::remove_file(Away::on(disk.path()).join(format!("{digest}.zst"))).unwrap();
                let without = Away::open(&Away::on(disk.path()), None).unwrap();
                assert!(without.fetch(&digest).is_err());
            }
            let list = std::fs::read_to_string(Away::on(disk.path()).join(LIST)).unwrap();
            assert!(list.contains("/tmp/.x") && list.contains("\"uid\":7"), "{list}");
        }
    }

    #[test]
    fn a_disk_that_is_taken_away_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let disk = place.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let mut away = Away::begin(&disk, None).unwrap();
        away.keep(&"/x".into(), &Manifest::default(), &mut &b"bytes"[..]).unwrap();
        std::fs::rename(&disk, place.path().join("gone")).unwrap();
        assert!(away.settle().is_err());
        std::fs::create_dir_all(Away::on(&disk)).unwrap();
        assert!(away.settle().unwrap_err().to_string().contains("taken away"));
    }
}
