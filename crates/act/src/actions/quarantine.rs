//! Takes a file off the system and keeps it whole in the case: content, metadata, every name; and puts it back exactly.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, refused, state, undo};
use crate::{Acting, Piece, whole};
use calma_host::ground::Folder;
use calma_host::{FileKind, Hands, Host, NewFile};
use calma_record::Text;
use calma_record::step::{FileTime, Manifest, Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "quarantine",
        doc: "Keeps a file in the case, with everything about it, where it can not be run; then removes it.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: put back",
        against: "A process that holds it open goes on with it: freeze that first. Whatever made it may make it again: \
                  unhook that first, and look again.",
    },
    ready: Some(ready),
    prepare,
    apply,
    verify,
    revert,
};

/// Other names of a file are looked for among this many at most.
const MOST_NAMES: usize = 300_000;

#[derive(Serialize, Deserialize)]
struct State {
    path: Text,
    manifest: Manifest,
    piece: Piece,
    /// The file's other names.
    names: Vec<Other>,
    /// Where it stands between its name and nothing.
    aside: Text,
    /// Where it stands between nothing and its name.
    again: Text,
    folder_times: (FileTime, FileTime),
    folder_flags: Option<u32>,
}

/// Another name of the file.
#[derive(Serialize, Deserialize)]
struct Other {
    path: Text,
    folder_times: (FileTime, FileTime),
    folder_flags: Option<u32>,
}

pub(super) fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::File { path, seen } = &step.target else {
        return Err(Refusal::new("this is not about a file"));
    };
    looking.keep_off.allows_path(path)?;
    let (folder, name) = looking.ground.place(path.as_bytes()).map_err(refused)?;
    let manifest = folder.manifest(name).map_err(refused)?;
    if seen.as_ref().is_some_and(|seen| *seen != manifest.seen()) {
        return Err(Refusal::new("the file is another one than when the plan was made")
            .instead("look again: calma triage"));
    }
    let names = if manifest.links > 1 && manifest.link.is_none() {
        let known = |path: Text| {
            let (folder, _) = looking.ground.place(path.as_bytes()).ok()?;
            Some(Other { path, folder_times: folder.times().ok()?, folder_flags: folder.flags() })
        };
        other_names(looking.host, path, &manifest).into_iter().filter_map(known).collect()
    } else {
        Vec::new()
    };
    let piece = keep(looking, &folder, name, path, &manifest)?;
    undo(&State {
        aside: whole::beside(path, &manifest, "away"),
        again: whole::beside(path, &manifest, "back"),
        folder_times: folder.times().map_err(refused)?,
        folder_flags: folder.flags(),
        path: path.clone(),
        manifest,
        piece,
        names,
    })
}

/// Keeps the bytes, and reads back what was stored.
fn keep(
    looking: &mut Looking<'_>,
    folder: &Folder,
    name: &[u8],
    path: &Text,
    manifest: &Manifest,
) -> Result<Piece, Refusal> {
    if manifest.link.is_some() {
        return Ok(Piece::default());
    }
    let file = folder.open(name).map_err(refused)?;
    let what = format!("quarantined file, {} bytes", manifest.size);
    let piece = looking.vault.keep_away(&what, path, manifest, &mut file.data(&manifest.extents))?;
    let now = file.manifest().map_err(refused)?;
    if now.changed != manifest.changed || !now.same_file(manifest) {
        return Err(Refusal::new("it changed while it was read").instead("freeze what writes to it first"));
    }
    looking.vault.check(&piece.digest)?;
    Ok(piece)
}

/// The other names of a file: looked for in its own folder, then in ever larger parts of its file system.
fn other_names(host: &dyn Host, path: &Text, manifest: &Manifest) -> Vec<Text> {
    let mut found: Vec<Text> = Vec::new();
    let wanted = usize::try_from(manifest.links.saturating_sub(1)).unwrap_or(0);
    let here = |folder: &[u8]| host.tree().meta(folder).is_ok_and(|meta| meta.device == manifest.device);
    let (mut left, mut start, mut searched) = (MOST_NAMES, calma_host::parent(path.as_bytes()), None);
    while here(start) && left > 0 && found.len() < wanted {
        let mut folders = vec![start.to_vec()];
        while let Some(folder) = folders.pop().filter(|_| left > 0 && found.len() < wanted) {
            for (entry, meta) in host.tree().survey(&folder, left).unwrap_or_default() {
                left = left.saturating_sub(1);
                let place: Text = calma_host::join(&folder, entry.name.as_bytes()).into();
                if meta.is_some_and(|m| (m.device, m.inode) == (manifest.device, manifest.inode)) {
                    if place != *path {
                        found.push(place);
                    }
                } else if entry.kind == Some(FileKind::Directory)
                    && searched != Some(place.as_bytes())
                    && here(place.as_bytes())
                {
                    folders.push(place.as_bytes().to_vec());
                }
            }
        }
        if start == b"/" {
            break;
        }
        // Its parent next, without what was searched.
        searched = Some(start);
        start = calma_host::parent(start);
    }
    found.sort();
    found.dedup();
    found
}

pub(super) fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    whole::in_folder(acting, &folder, state.folder_flags, |acting| {
        whole::take_away(acting, &folder, name, state.aside.as_bytes(), &state.manifest)
    })?;
    for other in &state.names {
        let (folder, name) = acting.ground().place(other.path.as_bytes())?;
        // It has one name less than it had, and may have lost its flags: the rest must be as it was.
        let seen = Manifest { links: 0, ..state.manifest.clone() };
        whole::in_folder(acting, &folder, other.folder_flags, |acting| {
            whole::take_away(acting, &folder, name, state.aside.as_bytes(), &seen)
        })?;
    }
    let more = usize::try_from(state.manifest.links.saturating_sub(1)).unwrap_or(0);
    let more = if state.manifest.link.is_some() { 0 } else { more };
    let says = match (more, state.names.len()) {
        (0, _) => "kept and removed".to_owned(),
        (all, found) if all == found => format!("kept and removed, with its {all} other names"),
        (all, found) => {
            format!("kept and removed, with {found} of its {all} other names; the rest was not found")
        }
    };
    Ok(Done::new(says).leaving(whole::Left::of(&folder)?))
}

pub(super) fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    match check(looking, undo, way) {
        Ok(None) => Verdict::Holds,
        Ok(Some(why)) => Verdict::Fails(why),
        Err(trouble) => Verdict::Fails(trouble.0),
    }
}

fn check(looking: &mut Looking<'_>, undo: &Undo, way: Way) -> Result<Option<String>, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = match looking.ground.place(state.path.as_bytes()) {
        // With its folder it is gone all the more.
        Err(error) if error.is_missing() && way == Way::Do => return Ok(None),
        other => other?,
    };
    if way == Way::Do {
        let there = folder.has(name) || folder.has(state.aside.as_bytes());
        return Ok(there.then(|| format!("there is a file at {} again", state.path)));
    }
    if folder.has(state.aside.as_bytes()) || folder.has(state.again.as_bytes()) {
        return Ok(Some("a file of calma's own is left beside it".to_owned()));
    }
    let now = folder.manifest(name)?;
    if !whole::is_as_it_was(&now, &state.manifest) {
        return Ok(Some("it is back, but not everything about it is as it was".to_owned()));
    }
    if !whole::same_bytes(&folder, name, &state.manifest, &state.piece)? {
        return Ok(Some("it is back, but its bytes are not what they were".to_owned()));
    }
    Ok(None)
}

/// Makes the file again beside its name. The folder's times stay as they are: it is not back yet.
pub(super) fn ready(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Option<Vec<String>>, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    // Only what is simply gone.
    let plain = state.manifest.link.is_none() && state.names.is_empty();
    if !plain
        || folder.has(name)
        || folder.has(state.aside.as_bytes())
        || whole::protecting(state.folder_flags) != 0
    {
        return Ok(None);
    }
    let times = folder.times()?;
    let (again, later) =
        (state.again.as_bytes(), |hands: &dyn Hands, file: &NewFile| hands.flush_later(file));
    let made = whole::remake_with(acting, &folder, again, &state.manifest, &state.piece, later);
    acting.hands().set_folder_times(&folder, times)?;
    made.map(Some)
}

pub(super) fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    whole::taking_back(acting, &folder, |acting, found| {
        let (aside, again) = (state.aside.as_bytes(), state.again.as_bytes());
        let mut lost = Vec::new();
        whole::in_folder(acting, &folder, state.folder_flags, |acting| {
            let there = if folder.has(name) { Some(folder.manifest(name)?) } else { None };
            if there.is_some() && acting.ahead.ready.is_some() && folder.has(again) {
                // Something came to its name since the file was made ready.
                acting.hands().remove(&folder, again)?;
                acting.hands().set_folder_times(&folder, found)?;
            }
            match there {
                // It never left, or it is back already.
                Some(now)
                    if now.same_file(&state.manifest)
                        || whole::is_as_it_was(&unflagged(&now), &unflagged(&state.manifest)) =>
                {
                    if state.manifest.link.is_none()
                        && !whole::same_bytes(&folder, name, &state.manifest, &state.piece)?
                    {
                        return Err(taken());
                    }
                }
                Some(_) => return Err(taken()),
                None if folder.has(aside) && folder.manifest(aside)?.inode == state.manifest.inode => {
                    acting.hands().rename(&folder, aside, name)?;
                }
                None if still_named(acting, &state, &folder, name)? => {}
                None => {
                    lost = match &acting.ahead.ready {
                        Some(lost) => lost.clone(),
                        None => whole::remake(acting, &folder, again, &state.manifest, &state.piece)?,
                    };
                    acting.hands().rename(&folder, again, name)?;
                }
            }
            if folder.has(again) {
                acting.hands().remove(&folder, again)?;
            }
            Ok(())
        })?;
        for other in &state.names {
            let (to, new) = acting.ground().place(other.path.as_bytes())?;
            whole::in_folder(acting, &to, other.folder_flags, |acting| {
                if !to.has(new) {
                    acting.hands().link(&folder, name, &to, new)?;
                }
                if to.has(aside) {
                    acting.hands().remove(&to, aside)?;
                }
                if calma_host::parent(other.path.as_bytes()) != folder.path() {
                    acting.hands().set_folder_times(&to, other.folder_times)?;
                }
                Ok(())
            })?;
        }
        if let Some(flags) = state.manifest.flags.filter(|_| state.manifest.link.is_none()) {
            acting.hands().set_flags(&folder, name, flags)?;
        }
        let ours = whole::Left::noted(acting.looking.noted);
        whole::settle_times(acting, &folder, found, state.folder_times, ours, state.folder_flags)?;
        Ok(Done::new(match lost.is_empty() {
            true => "put back as it was".to_owned(),
            false => format!("put back, but for what this file system does not take: {}", lost.join(", ")),
        }))
    })
}

/// Whether the file still has another of its names, also one that stands aside; it is given its first name from there.
fn still_named(
    acting: &mut Acting<'_>,
    state: &State,
    folder: &Folder,
    name: &[u8],
) -> Result<bool, Trouble> {
    for other in &state.names {
        let (from, its) = acting.ground().place(other.path.as_bytes())?;
        for its in [its, state.aside.as_bytes()] {
            let same = |now: Manifest| now.inode == state.manifest.inode && now.same_file(&state.manifest);
            if from.has(its) && same(from.manifest(its)?) {
                acting.hands().link(&from, its, folder, name)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn unflagged(manifest: &Manifest) -> Manifest {
    Manifest { flags: None, ..manifest.clone() }
}

fn taken() -> Trouble {
    Trouble::new("something else stands at its name now; it is left alone, and the file stays in the case")
}
