//! Words for whoever reads the journal: what there is no time for now.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "note",
        doc: "Writes words into the journal, also about a finding.",
        csf: "RS.MA-02",
        undoable: Undoable::Nothing,
        back: "changes nothing",
        against: "Nothing on the host knows of it.",
    },
    ready: None,
    prepare: |_: &mut Looking<'_>, step: &Step| match &step.target {
        Target::Words { .. } => Ok(Undo::default()),
        _ => Err(Refusal::new("there are no words to note")),
    },
    apply: |_: &mut Acting<'_>, _: &Step, _: &Undo| -> Result<Done, Trouble> { Ok(Done::new("noted")) },
    verify: |_: &mut Looking<'_>, _: &Step, _: &Undo, _: Way| Verdict::Holds,
    revert: |_: &mut Acting<'_>, _: &Step, _: &Undo| -> Result<Done, Trouble> {
        Ok(Done::new("a note stays in the journal"))
    },
};
