//! A text file changed as little as possible and at one instant: the new one is written beside it and exchanged.
//!
//! A file with several names, or one that is itself a mount point, can not be exchanged; it is written in place, which a
//! crash can cut. Its first bytes are in the case by then, so the next start finishes or takes back.

use crate::action::{Done, Looking, Trouble, Verdict, refused, state, undo};
use crate::{Acting, Piece, vault, whole};
use calma_host::PROTECTING;
use calma_host::ground::Folder;
use calma_record::step::{FileSeen, FileTime, Manifest, Refusal, Undo, Way};
use calma_record::{Digest, Text};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::io::Read;

/// A text file larger than this is not one that a line is taken out of.
const LARGEST: u64 = 16 << 20;

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    path: Text,
    manifest: Manifest,
    /// The bytes as they were.
    before: Piece,
    /// The bytes as they are to be, and where they are kept.
    after: Piece,
    /// The new file until it is exchanged, then the old one until it is removed.
    beside: Text,
    folder_times: (FileTime, FileTime),
    folder_flags: Option<u32>,
}

/// Prepares a change of the file at `path` from its bytes to what `change` makes of them.
pub(crate) fn prepare(
    looking: &mut Looking<'_>,
    path: &Text,
    seen: Option<&FileSeen>,
    change: impl FnOnce(&[u8]) -> Result<Vec<u8>, Refusal>,
) -> Result<Undo, Refusal> {
    looking.keep_off.allows_path(path)?;
    let (folder, name) = looking.ground.place(path.as_bytes()).map_err(refused)?;
    let file = folder.open(name).map_err(refused)?;
    let mut manifest = file.manifest().map_err(refused)?;
    if manifest.size > LARGEST {
        return Err(Refusal::new("it is too large for a text file"));
    }
    if seen.is_some_and(|seen| (seen.device, seen.inode) != (manifest.device, manifest.inode)) {
        return Err(Refusal::new("the file is another one than when the plan was made")
            .instead("look again: calma triage"));
    }
    // A file that is edited is taken as a whole: a text file's holes are no part of it.
    manifest.extents = if manifest.size == 0 { Vec::new() } else { vec![(0, manifest.size)] };
    let mut bytes = Vec::new();
    file.data(&manifest.extents)
        .read_to_end(&mut bytes)
        .map_err(|error| Refusal::new(format!("it can not be read: {error}")))?;
    let changed = change(&bytes)?;
    let before = looking.vault.keep("file before it was edited", path, None, &mut bytes.as_slice())?;
    looking.vault.check(&before.digest)?;
    let after = looking.vault.keep("file after it was edited", path, None, &mut changed.as_slice())?;
    looking.vault.check(&after.digest)?;
    undo(&State {
        beside: whole::beside(path, &manifest, "edit"),
        folder_times: folder.times().map_err(refused)?,
        folder_flags: folder.flags(),
        path: path.clone(),
        manifest,
        before,
        after,
    })
}

/// Digest of what a name holds now.
fn bytes_now(folder: &Folder, name: &[u8]) -> Result<(Manifest, Digest), Trouble> {
    let file = folder.open(name)?;
    let manifest = file.manifest()?;
    let all = [(0, manifest.size)];
    let digest = vault::digest(file.data(&all))?;
    Ok((manifest, digest))
}

/// Does it, from wherever it was cut.
pub(crate) fn apply(acting: &mut Acting<'_>, undo: &Undo, says: String) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    let fresh =
        Manifest { extents: layout(state.after.size), size: state.after.size, ..state.manifest.clone() };
    change(acting, &folder, name, &state, (state.before, state.after), &fresh, true)?;
    Ok(Done::new(says).leaving(whole::Left::of(&folder)?))
}

/// Takes it back, from wherever it stands.
pub(crate) fn revert(acting: &mut Acting<'_>, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    whole::taking_back(acting, &folder, |acting, found| {
        change(acting, &folder, name, &state, (state.after, state.before), &state.manifest, false)?;
        // The exact times, also where the bytes never changed.
        if folder.manifest(name)?.modified != state.manifest.modified {
            let flags = state.manifest.flags.unwrap_or(0);
            if flags & PROTECTING != 0 {
                acting.hands().set_flags(&folder, name, flags & !PROTECTING)?;
            }
            acting.hands().set_times(&folder, name, (state.manifest.accessed, state.manifest.modified))?;
        }
        if let Some(flags) = state.manifest.flags {
            acting.hands().set_flags(&folder, name, flags)?;
        }
        let ours = whole::Left::noted(acting.looking.noted);
        whole::settle_times(acting, &folder, found, state.folder_times, ours, state.folder_flags)?;
        Ok(Done::new("put back as it was"))
    })
}

fn layout(size: u64) -> Vec<(u64, u64)> {
    if size == 0 { Vec::new() } else { vec![(0, size)] }
}

/// Brings the file from the bytes of `from` to those of `to`. With `now` the new file's time is this moment, so that
/// daemons which go by it read it again.
fn change(
    acting: &mut Acting<'_>,
    folder: &Folder,
    name: &[u8],
    state: &State,
    (from, to): (Piece, Piece),
    dress: &Manifest,
    now: bool,
) -> Result<(), Trouble> {
    let (beside, flags) = (state.beside.as_bytes(), state.manifest.flags.unwrap_or(0));
    whole::in_folder(acting, folder, state.folder_flags, |acting| {
        let (current, digest) = bytes_now(folder, name)?;
        let mid_way =
            acting.looking.noted.iter().any(|note| note.get("in-place") == Some(&json!(state.path)));
        if digest != from.digest && digest != to.digest && !mid_way {
            return Err(Trouble::new("the file was changed by someone else since; it is left alone"));
        }
        if now && digest == from.digest && !current.same_file(&state.manifest) && !mid_way {
            return Err(Trouble::new("the file was changed after it was looked at; it is left alone"));
        }
        if digest != to.digest {
            if flags & PROTECTING != 0 {
                acting.hands().set_flags(folder, name, flags & !PROTECTING)?;
            }
            if state.manifest.links > 1
                || mid_way
                || !exchange(acting, folder, name, beside, dress, &from, &to, now)?
            {
                in_place(acting, folder, &state.path, dress, &to, now)?;
            }
        }
        if folder.has(beside) {
            acting.hands().remove(folder, beside)?;
        }
        if flags & PROTECTING != 0 {
            acting.hands().set_flags(folder, name, flags)?;
        }
        Ok(())
    })
}

/// Writes the new file beside the old one and exchanges them. `false` where the file system can not.
#[expect(clippy::too_many_arguments, reason = "each is one thing that must be right")]
fn exchange(
    acting: &mut Acting<'_>,
    folder: &Folder,
    name: &[u8],
    beside: &[u8],
    dress: &Manifest,
    from: &Piece,
    to: &Piece,
    now: bool,
) -> Result<bool, Trouble> {
    let lost = whole::remake(acting, folder, beside, dress, to)?;
    if let Some(lost) = lost.first() {
        return Err(Trouble::new(format!(
            "the new file can not be given everything the old one had: {lost}"
        )));
    }
    if now {
        let this_moment = acting.looking.host.clock().now();
        let this_moment = (this_moment.seconds(), 0);
        acting.hands().set_times(folder, beside, (dress.accessed, this_moment))?;
    }
    match acting.hands().exchange(folder, beside, name) {
        Err(error) if error.is_unsupported() || error.cause == calma_host::Cause::Errno(16) => {
            return Ok(false);
        }
        other => other?,
    }
    // What was exchanged must be what was looked at.
    if bytes_now(folder, beside)?.1 != from.digest {
        acting.hands().exchange(folder, beside, name)?;
        acting.hands().remove(folder, beside)?;
        return Err(Trouble::new("the file was changed at this very moment; it is left alone"));
    }
    Ok(true)
}

fn in_place(
    acting: &mut Acting<'_>,
    folder: &Folder,
    path: &Text,
    dress: &Manifest,
    to: &Piece,
    now: bool,
) -> Result<(), Trouble> {
    let mut bytes = Vec::new();
    acting
        .looking
        .vault
        .fetch(&to.digest)?
        .read_to_end(&mut bytes)
        .map_err(|error| Trouble::new(format!("the case does not give its bytes back: {error}")))?;
    (acting.progress)(json!({ "in-place": path }))?;
    let hands = acting.hands();
    let file = hands.open(folder, path.file_name())?;
    hands.write(&file, 0, &bytes)?;
    hands.resize(&file, to.size)?;
    if !now {
        hands.dress(&file, dress)?;
    }
    hands.flush(&file)?;
    Ok(())
}

/// Whether the file holds what it should, this way or the other.
pub(crate) fn verify(looking: &mut Looking<'_>, undo: &Undo, way: Way) -> Verdict {
    let check = || -> Result<Option<&'static str>, Trouble> {
        let state: State = state(undo)?;
        let (folder, name) = looking.ground.place(state.path.as_bytes())?;
        let (now, digest) = bytes_now(&folder, name)?;
        let wanted = if way == Way::Do { state.after } else { state.before };
        if folder.has(state.beside.as_bytes()) {
            return Ok(Some("a file of calma's own is left beside it"));
        }
        if digest != wanted.digest {
            return Ok(Some("the file does not hold what it should; something wrote to it"));
        }
        let as_it_was = whole::is_as_it_was(
            &Manifest { extents: state.manifest.extents.clone(), ..now },
            &state.manifest,
        );
        Ok((way == Way::Undo && !as_it_was)
            .then_some("its bytes are back, but not everything about it is as it was"))
    };
    match check() {
        Ok(None) => Verdict::Holds,
        Ok(Some(why)) => Verdict::Fails(why.to_owned()),
        Err(trouble) => Verdict::Fails(trouble.0),
    }
}
