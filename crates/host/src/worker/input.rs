//! The bytes a job reads: a descriptor, or a value of a test.

use crate::Opened;
use rustix::fd::{AsFd, OwnedFd};
use std::io::{self, Read as _};

/// A value of a test is read up to here.
const LARGEST_VALUE: u64 = 64 << 20;

/// An open file that can be read at any place. Its size is what the file system said when it was opened; files of /proc say
/// 0, and any file may have changed since.
pub trait Input: Send {
    /// Size as it was said.
    fn size(&self) -> u64;

    /// Reads some bytes from `at` on; 0 at the end.
    ///
    /// # Errors
    /// When the file system can not give them.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// At most `length` bytes from `at` on: fewer at the end of the file or where reading fails.
    fn piece(&mut self, at: u64, length: usize) -> Vec<u8> {
        let known = usize::try_from(self.size().saturating_sub(at)).unwrap_or(usize::MAX);
        // A size that is said is no reason to take memory for it before the bytes come.
        let mut piece = Vec::with_capacity(known.min(length).min(1 << 20));
        while piece.len() < length {
            let have = piece.len();
            let step = (length - have).min(have.max(64 << 10));
            piece.resize(have + step, 0);
            let from = at.saturating_add(have as u64);
            let got = piece.get_mut(have..).map_or(Ok(0), |buffer| self.read_at(from, buffer));
            let got = got.unwrap_or(0).min(step);
            piece.truncate(have + got);
            if got == 0 {
                break;
            }
        }
        piece
    }
}

/// An open file of this process, to be read at any place.
pub fn read_in_place(file: &mut dyn Opened) -> impl Input + '_ {
    InPlace::new(file)
}

/// A descriptor that came to the worker.
pub(super) struct Handed {
    pub(super) file: OwnedFd,
    pub(super) size: u64,
}

impl Input for Handed {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_at(&self.file, at, buffer)
    }
}

/// A file that is read in place: by its descriptor, or as a value.
pub(super) struct InPlace<'a> {
    file: &'a mut dyn Opened,
    value: Option<Vec<u8>>,
}

impl<'a> InPlace<'a> {
    pub(super) fn new(file: &'a mut dyn Opened) -> Self {
        Self { file, value: None }
    }
}

impl Input for InPlace<'_> {
    fn size(&self) -> u64 {
        self.file.meta().size
    }

    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = self.file.descriptor() {
            return read_at(file, at, buffer);
        }
        if self.value.is_none() {
            let mut value = Vec::new();
            (&mut *self.file).take(LARGEST_VALUE).read_to_end(&mut value)?;
            self.value = Some(value);
        }
        let value = self.value.as_deref().unwrap_or_default();
        let rest = usize::try_from(at).ok().and_then(|at| value.get(at..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

fn read_at(file: impl AsFd, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::pread(&file, &mut *buffer, at) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}
