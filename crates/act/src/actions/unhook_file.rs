//! Takes a whole file away that starts something: a cron file, a profile, a preload list. Like a quarantine, but before the
//! processes of the story are ended, so that nothing starts them again.

use super::quarantine;
use crate::action::{Action, Card};
use calma_record::step::Undoable;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "unhook-file",
        doc: "Keeps a file in the case that starts something by itself, with everything about it; then removes it.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: put back",
        against: "Whatever wrote it may write it again; the end of the plan looks whether it is back.",
    },
    ready: Some(quarantine::ready),
    prepare: quarantine::prepare,
    apply: quarantine::apply,
    verify: quarantine::verify,
    revert: quarantine::revert,
};
