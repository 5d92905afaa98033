//! A tar archive of the folder (POSIX.1-1988 ustar), streamed.

use super::out;
use crate::folder::Folder;
use crate::{Case, CaseError};
use std::io::{self, Read as _, Write};

const BLOCK: usize = 512;

pub(super) fn write(case: &Case, to: &mut dyn Write) -> Result<(), CaseError> {
    let name =
        case.folder().file_name().map_or_else(|| "case".to_owned(), |n| n.to_string_lossy().into_owned());
    // One short plain component: the path in the archive must fit into a header.
    let name: String = name.chars().filter(char::is_ascii_graphic).filter(|c| *c != '/').take(60).collect();
    let root = if name.is_empty() { "case".to_owned() } else { name };
    let seconds = u64::try_from(case.about().created.seconds()).unwrap_or(0);
    let mut tar = Tar { to, seconds };
    tar.folder(&root)?;
    for name in Case::PINNED {
        tar.file(case.root(), name, &root)?;
    }
    let streams = format!("{root}/streams");
    tar.folder(&streams)?;
    for stream in case.streams()? {
        tar.file(&case.streams, &crate::scan::file_name(&stream), &streams)?;
    }
    let evidence = format!("{root}/evidence");
    tar.folder(&evidence)?;
    for name in case.evidence.names()? {
        let (Ok(inside), path) = (case.evidence.sub(&name), format!("{evidence}/{name}")) else { continue };
        tar.folder(&path)?;
        for name in inside.names()? {
            tar.file(&inside, &name, &path)?;
        }
    }
    // The archive ends with two empty blocks.
    tar.to.write_all(&[0; BLOCK * 2]).and_then(|()| tar.to.flush()).map_err(out)
}

struct Tar<'a> {
    to: &'a mut dyn Write,
    seconds: u64,
}

impl Tar<'_> {
    fn folder(&mut self, path: &str) -> Result<(), CaseError> {
        self.header(&format!("{path}/"), b'5', 0, 0o700)
    }

    fn file(&mut self, folder: &Folder, name: &str, path: &str) -> Result<(), CaseError> {
        let file = folder.read(name)?;
        let length = file.metadata().map_err(|error| folder.fault("can not look at", name, error))?.len();
        self.header(&format!("{path}/{name}"), b'0', length, 0o400)?;
        let copied = io::copy(&mut file.take(length), &mut self.to).map_err(out)?;
        // A file that became shorter meanwhile is filled up, so that the archive stays one.
        let padding = (length - copied) + (BLOCK as u64 - length % BLOCK as u64) % BLOCK as u64;
        io::copy(&mut io::repeat(0).take(padding), &mut self.to).map_err(out)?;
        Ok(())
    }

    fn header(&mut self, path: &str, kind: u8, length: u64, mode: u32) -> Result<(), CaseError> {
        // 100 bytes of name and 155 of the folders before it; a case's paths are shorter than both.
        let (prefix, name) = match path.len() {
            0..=100 => ("", path),
            _ => path.split_at_checked(path.len() - 100).map_or(("", path), |(_, tail)| {
                let cut = path.len() - tail.len() + tail.find('/').unwrap_or(0);
                path.split_at_checked(cut).map_or(("", path), |(a, b)| (a, b.trim_start_matches('/')))
            }),
        };
        let mut header = Vec::with_capacity(BLOCK);
        let mut field = |width: usize, bytes: &[u8]| {
            header.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(width));
        };
        field(100, name.as_bytes());
        field(8, format!("{mode:07o}").as_bytes());
        field(8, b"0000000");
        field(8, b"0000000");
        field(12, format!("{length:011o}").as_bytes());
        field(12, format!("{:011o}", self.seconds).as_bytes());
        field(8, b"        ");
        field(1, &[kind]);
        field(100, b"");
        field(8, b"ustar\x0000");
        field(80, b"");
        field(155, prefix.as_bytes());
        field(12, b"");
        // The sum counts its own field as spaces.
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        let digits = format!("{sum:06o}\0 ");
        if let Some(place) = header.get_mut(148..156) {
            place.copy_from_slice(digits.as_bytes());
        }
        self.to.write_all(&header).map_err(out)
    }
}
