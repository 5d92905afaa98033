//! A file made again exactly as it was, and one taken away only if it is the one that is meant.

use crate::action::{Done, Trouble};
use crate::{Acting, Piece, vault};
use calma_host::ground::Folder;
use calma_host::{Hands, HostError, NewFile, PROTECTING, SETTABLE};
use calma_record::step::{FileTime, Manifest};
use calma_record::{Digest, Text};
use serde::Deserialize as _;
use serde_json::Value;
use std::io::Read;

/// A name beside `path` that only calma uses: the same for the same file in the same state, so that a run after a crash
/// finds what an earlier one left.
pub(crate) fn beside(path: &Text, manifest: &Manifest, what: &str) -> Text {
    let inode = manifest.inode.to_le_bytes();
    let changed = manifest.changed.0.to_le_bytes();
    let digest = Digest::of_all([path.as_bytes(), &inode, &changed, what.as_bytes()]).to_string();
    format!(".calma-{what}-{}", digest.get(..12).unwrap_or_default()).into()
}

/// Flags that keep root from changing a file or folder.
pub(crate) fn protecting(flags: Option<u32>) -> u32 {
    flags.unwrap_or(0) & PROTECTING
}

/// Lifts such flags from a folder while `work` is done in it. They are put back whatever comes of it.
pub(crate) fn in_folder<T>(
    acting: &mut Acting<'_>,
    folder: &Folder,
    flags: Option<u32>,
    work: impl FnOnce(&mut Acting<'_>) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let Some(flags) = flags.filter(|flags| protecting(Some(*flags)) != 0) else { return work(acting) };
    acting.hands().set_folder_flags(folder, flags & !PROTECTING)?;
    let done = work(acting);
    acting.hands().set_folder_flags(folder, flags)?;
    done
}

/// Whether a name is the file that was seen, unchanged. Flags that calma lifted itself do not count.
pub(crate) fn is_same(now: &Manifest, seen: &Manifest) -> bool {
    let untouched = now.changed == seen.changed || now.flags != seen.flags || now.links != seen.links;
    now.same_file(seen) && untouched
}

/// Whether a file that was made again is as it was: everything but its identity.
pub(crate) fn is_as_it_was(now: &Manifest, was: &Manifest) -> bool {
    let settable = |flags: Option<u32>| flags.unwrap_or(0) & SETTABLE;
    let now_there = Manifest { device: was.device, inode: was.inode, ..now.clone() };
    now_there.same_file(was) && settable(now.flags) == settable(was.flags)
}

/// Takes a file away: it is moved aside first, looked at, and removed only if it is the one that was seen. A run that was
/// cut in between goes on from the name aside.
pub(crate) fn take_away(
    acting: &mut Acting<'_>,
    folder: &Folder,
    name: &[u8],
    aside: &[u8],
    seen: &Manifest,
) -> Result<(), Trouble> {
    let hands = acting.hands();
    if !folder.has(aside) {
        let now = match folder.manifest(name) {
            Err(error) if error.is_missing() => return Ok(()),
            now => now?,
        };
        if !is_same(&now, seen) {
            return Err(Trouble::new("it was changed after it was looked at; nothing was done to it"));
        }
        if protecting(seen.flags) != 0 {
            hands.set_flags(folder, name, seen.flags.unwrap_or(0) & !PROTECTING)?;
        }
        hands.rename(folder, name, aside)?;
    }
    let moved = folder.manifest(aside)?;
    if !moved.same_file(seen) {
        // Not the one that was seen: swapped in the instant between. Back, and nothing is done.
        hands.rename(folder, aside, name)?;
        return Err(Trouble::new(
            "another file was put in its place at this very moment; nothing was done to it",
        ));
    }
    if protecting(moved.flags) != 0 {
        hands.set_flags(folder, aside, moved.flags.unwrap_or(0) & !PROTECTING)?;
    }
    hands.remove(folder, aside)?;
    Ok(())
}

/// Makes a file or link again under a name that nothing has, complete but for its flags, and brings it to the disk. What could
/// not be kept is told.
pub(crate) fn remake(
    acting: &mut Acting<'_>,
    folder: &Folder,
    name: &[u8],
    was: &Manifest,
    piece: &Piece,
) -> Result<Vec<String>, Trouble> {
    remake_with(acting, folder, name, was, piece, |hands, file| hands.flush(file))
}

/// The same; `flush` sees to it that the file comes to the disk.
pub(crate) fn remake_with(
    acting: &mut Acting<'_>,
    folder: &Folder,
    name: &[u8],
    was: &Manifest,
    piece: &Piece,
    flush: impl FnOnce(&dyn Hands, &NewFile) -> Result<(), HostError>,
) -> Result<Vec<String>, Trouble> {
    let hands = acting.hands();
    if folder.has(name) {
        // Left by a run that was cut.
        hands.remove(folder, name)?;
    }
    if was.link.is_some() {
        hands.symlink(folder, name, was)?;
        return Ok(Vec::new());
    }
    // Asked for first: bytes that are on a disk which is not here leave no trace of the attempt.
    let from = acting.looking.vault.fetch(&piece.digest)?;
    let file = hands.create(folder, name)?;
    let done = fill(acting, &file, was, from).and_then(|()| Ok(hands.dress(&file, was)?)).and_then(|lost| {
        flush(hands, &file)?;
        Ok(lost)
    });
    if done.is_err() {
        // A file of which a part is missing is no use to anybody; if it can not be removed, the next attempt does.
        let _ = hands.remove(folder, name);
    }
    done
}

/// Writes kept bytes to where they were, holes left out.
fn fill(
    acting: &mut Acting<'_>,
    file: &NewFile,
    was: &Manifest,
    mut from: Box<dyn Read>,
) -> Result<(), Trouble> {
    let mut buffer = vec![0; 1 << 17];
    let broken =
        |error: std::io::Error| Trouble::new(format!("the case does not give its bytes back: {error}"));
    for (offset, length) in &was.extents {
        let (mut at, end) = (*offset, offset.saturating_add(*length));
        while at < end {
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..most).unwrap_or_default();
            from.read_exact(part).map_err(broken)?;
            acting.hands().write(file, at, part)?;
            at += most as u64;
        }
    }
    // The last read tells whether the bytes were those of their digest.
    if from.read(&mut buffer).map_err(broken)? != 0 {
        return Err(Trouble::new("the case holds more bytes than the file had"));
    }
    acting.hands().resize(file, was.size)?;
    Ok(())
}

/// The note of a folder's times as they were when taking back began.
const FOUND: &str = "folder-found";

/// A folder's times as they were found, as they were noted last.
pub(crate) fn found(noted: &[Value]) -> Option<(FileTime, FileTime)> {
    let last = noted.iter().rev().find_map(|note| note.get(FOUND))?;
    Option::<(FileTime, FileTime)>::deserialize(last).ok().flatten()
}

/// The note of them.
pub(crate) fn note(found: (FileTime, FileTime)) -> Value {
    serde_json::json!({ FOUND: found })
}

/// The note that whatever was noted of them before does not count any more.
pub(crate) fn none() -> Value {
    serde_json::json!({ FOUND: null })
}

/// Takes something back in a folder whose times are put right at the end: `work` is given them as they were when that began,
/// also if it was cut and begins anew. An attempt that did not work leaves no such note behind: the next one begins by
/// itself.
pub(crate) fn taking_back(
    acting: &mut Acting<'_>,
    folder: &Folder,
    work: impl FnOnce(&mut Acting<'_>, (FileTime, FileTime)) -> Result<Done, Trouble>,
) -> Result<Done, Trouble> {
    let now = folder.times()?;
    // What was foreseen counts if it came so. What an attempt that was cut has noted counts whatever stands there now.
    let noted = found(acting.looking.noted).filter(|times| !acting.ahead.foreseen || times.1 == now.1);
    let found = match noted {
        Some(times) => times,
        None => {
            if let Err(trouble) = (acting.progress)(note(now)) {
                // It may have come as far as the journal's file: it must not count for an attempt that begins later.
                let _ = (acting.progress)(none());
                return Err(trouble);
            }
            now
        }
    };
    let done = work(acting, found);
    if done.is_err() && folder.times().is_ok_and(|now| now.1 != found.1) {
        // What was tried and did not work leaves the folder as it was found, for the steps that come after it.
        let _ = acting.hands().set_folder_times(folder, found);
    }
    if done.is_err() && folder.times().is_ok_and(|now| now.1 == found.1) {
        (acting.progress)(none())?;
    }
    done
}

/// What a folder's time of change was when calma was through with it.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Left {
    folder_modified: FileTime,
}

impl Left {
    /// As it is now.
    pub(crate) fn of(folder: &Folder) -> Result<Self, Trouble> {
        Ok(Self { folder_modified: folder.times()?.1 })
    }

    /// As it was noted. After a cut nobody knows whether the folder's time is ours; then it is taken to be.
    pub(crate) fn noted(notes: &[Value]) -> Option<FileTime> {
        let left = notes.iter().rev().find_map(|note| Self::deserialize(note).ok());
        left.map(|left| left.folder_modified)
    }
}

/// Whether a folder that was found so gets the times back that it had: nobody else changed it since.
pub(crate) fn settles(
    found: (FileTime, FileTime),
    was: (FileTime, FileTime),
    ours: Option<FileTime>,
) -> bool {
    found.1 == was.1 || ours.is_none_or(|ours| ours == found.1)
}

/// Puts a folder's times back if nobody else changed it since.
pub(crate) fn settle_times(
    acting: &mut Acting<'_>,
    folder: &Folder,
    found: (FileTime, FileTime),
    was: (FileTime, FileTime),
    ours: Option<FileTime>,
    flags: Option<u32>,
) -> Result<(), Trouble> {
    if settles(found, was, ours) {
        return in_folder(acting, folder, flags, |acting| {
            Ok(acting.hands().set_folder_times(folder, was)?)
        });
    }
    Ok(())
}

/// Whether the bytes of a name are those of a piece, laid out as in `was`.
pub(crate) fn same_bytes(
    folder: &Folder,
    name: &[u8],
    was: &Manifest,
    piece: &Piece,
) -> Result<bool, Trouble> {
    if was.link.is_some() {
        return Ok(true);
    }
    let file = folder.open(name)?;
    Ok(vault::digest(file.data(&was.extents))? == piece.digest)
}
