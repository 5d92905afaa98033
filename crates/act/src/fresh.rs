//! A small file that calma itself puts into the system: complete at one instant, and gone again when it is taken back.

use crate::action::{Done, Looking, Trouble, Verdict, refused, state, undo};
use crate::{Acting, Piece, vault, whole};
use calma_host::ground::Folder;
use calma_record::Text;
use calma_record::step::{FileTime, Manifest, Refusal, Undo, Way};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct State {
    path: Text,
    manifest: Manifest,
    piece: Piece,
    /// Where it stands until it is complete.
    beside: Text,
    folder_times: (FileTime, FileTime),
    folder_flags: Option<u32>,
}

/// Prepares a new file of root's that everybody may read, at a path where nothing stands.
pub(crate) fn prepare(looking: &mut Looking<'_>, path: &Text, bytes: &[u8]) -> Result<Undo, Refusal> {
    looking.keep_off.allows_path(path)?;
    let (folder, name) = looking.ground.place(path.as_bytes()).map_err(refused)?;
    if folder.has(name) {
        return Err(Refusal::new(format!("something stands at {path} already")));
    }
    let now = (looking.host.clock().now().seconds(), 0);
    let size = bytes.len() as u64;
    let manifest = Manifest {
        mode: 0o644,
        size,
        accessed: now,
        modified: now,
        extents: vec![(0, size)],
        ..Manifest::default()
    };
    let mut from = bytes;
    let piece = looking.vault.keep("file that calma puts into the system", path, None, &mut from)?;
    looking.vault.check(&piece.digest)?;
    undo(&State {
        beside: whole::beside(path, &manifest, "new"),
        folder_times: folder.times().map_err(refused)?,
        folder_flags: folder.flags(),
        path: path.clone(),
        manifest,
        piece,
    })
}

/// Whether a name holds the file's bytes.
fn is_ours(folder: &Folder, name: &[u8], state: &State) -> Result<bool, Trouble> {
    let file = folder.open(name)?;
    let all = [(0, file.manifest()?.size)];
    Ok(vault::digest(file.data(&all))? == state.piece.digest)
}

/// Makes it, from wherever it was cut.
pub(crate) fn apply(acting: &mut Acting<'_>, undo: &Undo, says: String) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    let beside = state.beside.as_bytes();
    whole::in_folder(acting, &folder, state.folder_flags, |acting| {
        if !folder.has(name) {
            whole::remake(acting, &folder, beside, &state.manifest, &state.piece)?;
            acting.hands().rename(&folder, beside, name)?;
        } else if !is_ours(&folder, name, &state)? {
            return Err(Trouble::new("something else was put there since; it is left alone"));
        }
        if folder.has(beside) {
            acting.hands().remove(&folder, beside)?;
        }
        Ok(())
    })?;
    Ok(Done::new(says).leaving(whole::Left::of(&folder)?))
}

/// Removes it, if it is still what calma made.
pub(crate) fn revert(acting: &mut Acting<'_>, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    whole::taking_back(acting, &folder, |acting, found| {
        let beside = state.beside.as_bytes();
        whole::in_folder(acting, &folder, state.folder_flags, |acting| {
            if folder.has(name) {
                if !is_ours(&folder, name, &state)? {
                    return Err(Trouble::new("it was changed since; it is left alone"));
                }
                acting.hands().remove(&folder, name)?;
            }
            if folder.has(beside) {
                acting.hands().remove(&folder, beside)?;
            }
            Ok(())
        })?;
        let ours = whole::Left::noted(acting.looking.noted);
        whole::settle_times(acting, &folder, found, state.folder_times, ours, state.folder_flags)?;
        Ok(Done::new("taken away again"))
    })
}

/// Whether it is there, or is not.
pub(crate) fn verify(looking: &mut Looking<'_>, undo: &Undo, way: Way) -> Verdict {
    let check = || -> Result<Option<&'static str>, Trouble> {
        let state: State = state(undo)?;
        let (folder, name) = looking.ground.place(state.path.as_bytes())?;
        if folder.has(state.beside.as_bytes()) {
            return Ok(Some("a file of calma's own is left beside it"));
        }
        let there = folder.has(name);
        Ok(match way {
            Way::Undo => there.then_some("it is still there"),
            Way::Do if !there => Some("it is not there"),
            Way::Do => (!is_ours(&folder, name, &state)?).then_some("it does not hold what it should"),
        })
    };
    match check() {
        Ok(None) => Verdict::Holds,
        Ok(Some(why)) => Verdict::Fails(why.to_owned()),
        Err(trouble) => Verdict::Fails(trouble.0),
    }
}
