//! Has a symbolic link lead elsewhere, at one instant: an alternative that an intruder pointed to his own program.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, refused, state, undo};
use crate::whole;
use calma_host::ground::Folder;
use calma_record::Text;
use calma_record::step::{FileTime, Manifest, Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "set-link",
        doc: "Has a symbolic link lead where it should again: an alternative of the system, the clock's zone.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: lead it as before",
        against: "Whatever changed the link can change it again; the end of the plan looks whether it is back.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

#[derive(Serialize, Deserialize)]
struct State {
    path: Text,
    manifest: Manifest,
    to: Text,
    /// The new link until it is exchanged, then the old one until it is removed.
    beside: Text,
    folder_times: (FileTime, FileTime),
    folder_flags: Option<u32>,
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Link { path, to, seen } = &step.target else {
        return Err(Refusal::new("this is not about a symbolic link"));
    };
    looking.keep_off.allows_path(path)?;
    let (folder, name) = looking.ground.place(path.as_bytes()).map_err(refused)?;
    let manifest = folder.manifest(name).map_err(refused)?;
    let Some(leads) = &manifest.link else { return Err(Refusal::new("it is no symbolic link")) };
    if seen.as_ref().is_some_and(|seen| *seen != manifest.seen()) {
        return Err(Refusal::new("the link is another one than when the plan was made")
            .instead("look again: calma triage"));
    }
    if leads == to {
        return Err(Refusal::new("it leads there already"));
    }
    let target = calma_host::join(calma_host::parent(path.as_bytes()), to.as_bytes());
    let target = if to.as_bytes().starts_with(b"/") { to.as_bytes() } else { target.as_slice() };
    if looking.host.tree().meta_followed(target).is_err() {
        return Err(Refusal::new(format!("there is nothing at {to}, where it is to lead")));
    }
    undo(&State {
        beside: whole::beside(path, &manifest, "link"),
        folder_times: folder.times().map_err(refused)?,
        folder_flags: folder.flags(),
        path: path.clone(),
        to: to.clone(),
        manifest,
    })
}

/// Puts the link `wanted` in the place of one that leads to `from`.
fn put(
    acting: &mut Acting<'_>,
    folder: &Folder,
    state: &State,
    from: &Text,
    wanted: &Manifest,
) -> Result<(), Trouble> {
    let name = state.path.file_name();
    let beside = state.beside.as_bytes();
    whole::in_folder(acting, folder, state.folder_flags, |acting| {
        let leads = folder.manifest(name)?.link;
        if leads != wanted.link {
            if leads.as_ref() != Some(from) {
                return Err(Trouble::new("something else stands there since; it is left alone"));
            }
            if folder.has(beside) {
                acting.hands().remove(folder, beside)?;
            }
            acting.hands().symlink(folder, beside, wanted)?;
            match acting.hands().exchange(folder, beside, name) {
                // A file system that can not exchange: there is an instant without the link.
                Err(error) if error.is_unsupported() => {
                    acting.hands().remove(folder, name)?;
                    acting.hands().rename(folder, beside, name)?;
                }
                other => other?,
            }
            // What was exchanged must be what was looked at.
            if folder.has(beside) && folder.manifest(beside)?.link.as_ref() != Some(from) {
                acting.hands().exchange(folder, beside, name)?;
                acting.hands().remove(folder, beside)?;
                return Err(Trouble::new("it was changed at this very moment; it is left alone"));
            }
        }
        if folder.has(beside) {
            acting.hands().remove(folder, beside)?;
        }
        Ok(())
    })
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    let was = state.manifest.link.clone().unwrap_or_default();
    let now = (acting.looking.host.clock().now().seconds(), 0);
    let wanted =
        Manifest { link: Some(state.to.clone()), accessed: now, modified: now, ..state.manifest.clone() };
    if !folder.has(name) && folder.has(state.beside.as_bytes()) {
        // Cut where a file system can not exchange.
        acting.hands().rename(&folder, state.beside.as_bytes(), name)?;
    }
    put(acting, &folder, &state, &was, &wanted)?;
    Ok(Done::new(format!("it led to {was} and leads to {}", state.to)).leaving(whole::Left::of(&folder)?))
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let (folder, name) = acting.ground().place(state.path.as_bytes())?;
    whole::taking_back(acting, &folder, |acting, found| {
        if !folder.has(name) && folder.has(state.beside.as_bytes()) {
            acting.hands().rename(&folder, state.beside.as_bytes(), name)?;
        }
        put(acting, &folder, &state, &state.to, &state.manifest)?;
        let ours = whole::Left::noted(acting.looking.noted);
        whole::settle_times(acting, &folder, found, state.folder_times, ours, state.folder_flags)?;
        Ok(Done::new("it leads where it did"))
    })
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let check = || -> Result<Option<&'static str>, Trouble> {
        let state: State = state(undo)?;
        let (folder, name) = looking.ground.place(state.path.as_bytes())?;
        if folder.has(state.beside.as_bytes()) {
            return Ok(Some("a link of calma's own is left beside it"));
        }
        let now = folder.manifest(name)?;
        Ok(match way {
            Way::Do => (now.link.as_ref() != Some(&state.to)).then_some("it leads elsewhere"),
            Way::Undo => (!whole::is_as_it_was(&now, &state.manifest)).then_some("it is not as it was"),
        })
    };
    match check() {
        Ok(None) => Verdict::Holds,
        Ok(Some(why)) => Verdict::Fails(why.to_owned()),
        Err(trouble) => Verdict::Fails(trouble.0),
    }
}
