//! Takes a file of the service manager away (a unit, a drop-in, the link that enables one) and lets it read its files again.

use super::quarantine;
use crate::Acting;
use crate::action::{Action, Card, Done, Trouble};
use calma_host::Tell;
use calma_host::ground::process;
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
    prepare: quarantine::prepare,
    apply,
    verify: quarantine::verify,
    revert,
};

fn apply(acting: &mut Acting<'_>, step: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let done = quarantine::apply(acting, step, undo)?;
    Ok(Done { says: format!("{}; {}", done.says, read_again(acting)?), ..done })
}

fn revert(acting: &mut Acting<'_>, step: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let done = quarantine::revert(acting, step, undo)?;
    Ok(Done { says: format!("{}; {}", done.says, read_again(acting)?), ..done })
}

/// Tells systemd to read its files again (systemd(1), SIGHUP), if that is the first process.
fn read_again(acting: &Acting<'_>) -> Result<&'static str, Trouble> {
    match process(1).filter(|first| first.name == "systemd") {
        Some(first) => {
            acting.hands().tell(&first.identity(), Tell::ReadAgain)?;
            Ok("the service manager reads its files again")
        }
        None => Ok("the first process is not systemd, and was told nothing"),
    }
}
