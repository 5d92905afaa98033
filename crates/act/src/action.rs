//! What an action is.

use crate::{KeepOff, Permit, Vault};
use calma_host::ground::Ground;
use calma_host::{Hands, Host, HostError};
use calma_record::step::{Refusal, Step, Undo, Undoable, Way};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// An action's card.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Name, the same as its file's with `-` for `_`.
    pub name: &'static str,
    /// One sentence for help and documentation.
    pub doc: &'static str,
    /// Where it stands in the Cybersecurity Framework 2.0 (NIST SP 800-61r3): RS.MI-01 contains, RS.MI-02 eradicates,
    /// RS.AN-07 preserves.
    pub csf: &'static str,
    /// How far it can be taken back.
    pub undoable: Undoable,
    /// What taking it back means, in the words of a plan: "undo: thaw".
    pub back: &'static str,
    /// What an intruder could do against it.
    pub against: &'static str,
}

/// An action: its card and its functions. Each file in `actions/` has one, `ACTION`.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Its card.
    pub card: Card,
    /// Looks whether the step can be done, and gathers what taking it back needs. Changes nothing on the host.
    pub prepare: fn(&mut Looking<'_>, &Step) -> Result<Undo, Refusal>,
    /// Does it, from wherever an earlier attempt was cut.
    pub apply: fn(&mut Acting<'_>, &Step, &Undo) -> Result<Done, Trouble>,
    /// Looks whether it holds, this way or the other.
    pub verify: fn(&mut Looking<'_>, &Step, &Undo, Way) -> Verdict,
    /// Takes it back, from wherever it stands.
    pub revert: fn(&mut Acting<'_>, &Step, &Undo) -> Result<Done, Trouble>,
    /// Makes ready beside what `revert` will put in its place, for steps that are taken back together: what that wrote is
    /// brought to the disk for all of them at once. Nothing, where this step has nothing to be made ready.
    pub ready: Option<Ready>,
}

/// See [`Action::ready`]: what could not be given back, in words, once it stands ready.
pub type Ready = fn(&mut Acting<'_>, &Step, &Undo) -> Result<Option<Vec<String>>, Trouble>;

/// What was done ahead for a step that is taken back together with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// The last note says what its folder will be found as, and was written before anything was done.
    pub foreseen: bool,
    /// What is put in its place stands ready and is on the disk; what could not be given back, in words.
    pub ready: Option<Vec<String>>,
}

/// What an action sees while it only looks.
pub struct Looking<'a> {
    /// The machine.
    pub host: &'a dyn Host,
    /// Its files, closely.
    pub ground: &'a Ground,
    /// Where bytes are kept.
    pub vault: &'a mut dyn Vault,
    /// What must not be touched.
    pub keep_off: &'a KeepOff,
    /// What `apply` left and noted, if it ran: the outcome's `left` last.
    pub noted: &'a [Value],
}

/// What an action has while it acts.
pub struct Acting<'a> {
    /// The machine and the rest.
    pub looking: Looking<'a>,
    /// The permit, which has the hands.
    pub permit: &'a Permit,
    /// What was done ahead.
    pub ahead: &'a Ahead,
    /// Writes into the journal what is touched next and could not be known before.
    pub progress: &'a mut dyn FnMut(Value) -> Result<(), Trouble>,
}

impl<'a> Acting<'a> {
    /// The hands.
    pub(crate) fn hands(&self) -> &'a dyn Hands {
        self.permit.hands()
    }

    /// The files.
    pub(crate) fn ground(&self) -> &'a Ground {
        self.looking.ground
    }
}

/// A step that was carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// What a person should know: one sentence.
    pub says: String,
    /// What it left, for taking it back.
    pub left: Value,
}

impl Done {
    /// Done, in one sentence.
    pub fn new(says: impl Into<String>) -> Self {
        Self { says: says.into(), left: Value::Null }
    }

    /// What it left, for taking it back.
    #[must_use]
    pub fn leaving(mut self, left: impl Serialize) -> Self {
        self.left = serde_json::to_value(left).unwrap_or_default();
        self
    }
}

/// Whether a step holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not: why, one sentence.
    Fails(String),
}

/// Why a step could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

impl Trouble {
    /// A trouble in one sentence.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        Self(error.to_string())
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.0)
    }
}

/// An action's own state as an [`Undo`].
pub(crate) fn undo(state: &impl Serialize) -> Result<Undo, Refusal> {
    Undo::of(state).map_err(|error| Refusal::new(format!("its state can not be written: {error}")))
}

/// An action's own state out of an [`Undo`].
pub(crate) fn state<T: DeserializeOwned>(undo: &Undo) -> Result<T, Trouble> {
    undo.read().map_err(|error| Trouble::new(format!("the journal's entry can not be read: {error}")))
}

/// A refusal of the machine.
pub(crate) fn refused(error: HostError) -> Refusal {
    if error.is_missing() {
        return Refusal::new("it is not there any more");
    }
    match error.cause {
        // ELOOP of openat2(2): a path of a plan has no links.
        calma_host::Cause::Errno(40) => {
            Refusal::new("a symbolic link stands on the way to it, which was not there when it was found")
                .instead("look again: calma triage")
        }
        _ => Refusal::new(error.to_string()),
    }
}
