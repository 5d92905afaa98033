//! Takes a file of the service manager away (a unit, a drop-in, the link that enables one) and lets it read its files again.

use super::quarantine;
use crate::Acting;
use crate::action::{Action, Card, Done, Trouble};
use calma_host::Tell;
use calma_host::ground::{process, processes};
use calma_record::Text;
use calma_record::step::{Step, Undo, Undoable};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "unhook-unit",
        doc: "Keeps a unit, timer, drop-in or enabling link in the case, removes it, and has the service manager read again.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: put back",
        against: "What the unit started runs on until it is ended; a generator or a user's own manager may bring it back.",
    },
    ready: None,
    prepare: quarantine::prepare,
    apply,
    verify: quarantine::verify,
    revert,
};

fn apply(acting: &mut Acting<'_>, step: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let done = quarantine::apply(acting, step, undo)?;
    Ok(Done { says: format!("{}; {}", done.says, read_again(acting, step)?), ..done })
}

fn revert(acting: &mut Acting<'_>, step: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let done = quarantine::revert(acting, step, undo)?;
    Ok(Done { says: format!("{}; {}", done.says, read_again(acting, step)?), ..done })
}

/// Tells the service manager that reads this file to read its files again (systemd(1), SIGHUP).
fn read_again(acting: &Acting<'_>, step: &Step) -> Result<String, Trouble> {
    let path = step.target.path().cloned().unwrap_or_default();
    if path.as_bytes().windows(14).any(|part| part == b"/systemd/user/") {
        return users_managers(acting, &path);
    }
    match process(1).filter(|first| first.name == "systemd") {
        Some(first) => {
            acting.hands().tell(&first.identity(), Tell::ReadAgain)?;
            Ok("the service manager reads its files again".to_owned())
        }
        None => Ok("the first process is not systemd, and was told nothing".to_owned()),
    }
}

/// The managers of users: of the one whose home the file lies in, or of all of them.
fn users_managers(acting: &Acting<'_>, path: &Text) -> Result<String, Trouble> {
    let system =
        [&b"/etc/"[..], b"/usr/", b"/run/", b"/lib/"].iter().any(|start| path.as_bytes().starts_with(start));
    let tree = acting.looking.host.tree();
    let owner = tree.meta(calma_host::parent(path.as_bytes())).map(|meta| meta.uid);
    let mut told = 0;
    for line in processes()?.into_iter().filter(|line| line.pid > 1 && line.name == "systemd") {
        let at = |file: &str| format!("/proc/{}{file}", line.pid).into_bytes();
        let words = tree.read(&at("/cmdline"), 4096).map(|content| content.bytes).unwrap_or_default();
        let its = tree.meta(&at("")).map(|meta| meta.uid);
        let of_owner = matches!((&its, &owner), (Ok(its), Ok(owner)) if its == owner);
        if words.split(|b| *b == 0).any(|word| word == b"--user") && (system || of_owner) {
            match acting.hands().tell(&line.identity(), Tell::ReadAgain) {
                Err(error) if !error.is_missing() => return Err(error.into()),
                _ => told += 1,
            }
        }
    }
    Ok(match told {
        0 => "no user's service manager that reads it runs".to_owned(),
        1 => "that user's service manager reads its files again".to_owned(),
        n => format!("{n} users' service managers read their files again"),
    })
}
