//! Locks an account's password and expires the account, so that no way of logging in is left to it.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use crate::{Acting, edit, shadow};
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "lock-account",
        doc: "Locks an account's password and expires the account: neither password nor key logs in any more.",
        csf: "RS.MI-01",
        undoable: Undoable::Reversible,
        back: "undo: unlock",
        against: "Sessions that are open stay open, and another account with the same user id has the same rights. What \
                  the account could open elsewhere stays open: rotate it there.",
    },
    ready: None,
    prepare,
    apply: |acting: &mut Acting<'_>, _: &Step, undo: &Undo| -> Result<Done, Trouble> {
        edit::apply(acting, undo, "locked and expired; sessions that are open stay open".to_owned())
    },
    verify: |looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way| -> Verdict {
        edit::verify(looking, undo, way)
    },
    revert: |acting: &mut Acting<'_>, _: &Step, undo: &Undo| -> Result<Done, Trouble> {
        edit::revert(acting, undo)
    },
};

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Account { name } = &step.target else {
        return Err(Refusal::new("this is not about an account"));
    };
    if *name == "root" {
        return Err(Refusal::new("root is not locked: you might lock yourself out")
            .instead("change root's password and keys by hand when the server is clean"));
    }
    edit::prepare(looking, &"/etc/shadow".into(), None, |bytes| shadow::locked(bytes, name.as_bytes()))
}
