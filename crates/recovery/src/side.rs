//! The machine that is acted on: this one, or one at the other end of an ssh connection.
//!
//! The engine knows a machine through [`Side`] alone. It may be asked simple questions at any time; what changes it needs
//! [`Taken`], which one calma at a time has. The two ends of a connection share [`Here`]: what acts on this machine acts
//! there as well, and the keeper's disk is reached through [`Keeper`] either way.

mod ahead;
mod here;
mod local;
mod question;

use calma_act::{Ledger, Piece, Trouble, Vault};
use calma_record::step::{Ended, Intent, Manifest, Refusal, Step, Undo};
use calma_record::{Digest, Text};
pub(crate) use here::Here;
pub use local::LocalSide;
pub(crate) use question::answer;
pub use question::{Answer, Question};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Read;

/// Why a machine gave no answer, or what was begun may not be at its end.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// Another calma changes this machine now.
    #[error("another calma is changing this machine now")]
    NotAlone,
    /// The machine refuses.
    #[error("{0}")]
    Refused(String),
    /// The keeper's own disk refuses; nothing was begun.
    #[error("{0}")]
    Keeper(Trouble),
    /// The connection is gone. What was being done there is finished or taken back by the other end alone.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The other end says what no calma says.
    #[error("the other end sent what calma does not understand: {0}")]
    Lies(&'static str),
}

/// A machine.
pub trait Side {
    /// The kernel's boot id there.
    fn boot(&self) -> &Text;

    /// Its own name for itself.
    fn name(&self) -> &Text;

    /// Asks it something; nothing is changed by it.
    ///
    /// # Errors
    /// When it does not answer.
    fn ask(&self, question: Question) -> Result<Answer, SideError>;

    /// Takes it for this run. `own` is the case's folder, which is left alone if it stands there.
    ///
    /// # Errors
    /// When another calma has it, or it refuses.
    fn take<'s>(&'s self, own: &Text) -> Result<Box<dyn Taken + 's>, SideError>;
}

/// A machine that this run alone may change; it is given back when this is dropped.
pub trait Taken {
    /// From now on servers of databases are ended like any other process, whatever they are writing.
    ///
    /// # Errors
    /// When the machine does not answer.
    fn even_databases(&mut self) -> Result<(), SideError>;

    /// Whether steps are taken back together here, where their action can: what was made ready for them is gone with a
    /// connection otherwise.
    fn together(&self) -> bool {
        false
    }

    /// Looks whether steps can be done and gathers what taking them back needs. Changes nothing there.
    ///
    /// # Errors
    /// When the machine does not answer.
    fn prepare(&self, steps: &[&Step], keeper: &dyn Keeper) -> Result<Vec<Result<Undo, Refusal>>, SideError>;

    /// Promises the intents, then goes their ways, settles, verifies, and takes back what did not work. What was told of
    /// as ended before an error is so all the same.
    ///
    /// # Errors
    /// When they could not be promised, and then nothing was begun; or the machine does not answer any more.
    fn go(
        &self,
        errands: Vec<Errand>,
        keeper: &dyn Keeper,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), SideError>;
}

/// The keeper's disk, as whoever acts needs it.
pub trait Keeper {
    /// As [`Vault::keep`].
    ///
    /// # Errors
    /// When the bytes can not be read to their end, or not be kept whole.
    fn keep(&self, what: &str, place: &Text, pid: Option<u32>, from: &mut dyn Read)
    -> Result<Piece, Trouble>;

    /// Keeps these bytes, which are known to be this piece, and which a [`calma_case::Packer`] may have compressed.
    ///
    /// # Errors
    /// As for [`Keeper::keep`].
    fn keep_whole(
        &self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        (bytes, piece): (&[u8], &Piece),
        packed: &[u8],
    ) -> Result<(), Trouble> {
        let _ = packed;
        match self.keep(what, place, pid, &mut &*bytes)? {
            kept if kept == *piece => Ok(()),
            _ => Err(Trouble::new("what was stored is not what was read")),
        }
    }

    /// Whether files that are taken off the system go elsewhere than all other pieces.
    fn sends_away(&self) -> bool {
        true
    }

    /// As [`Vault::keep_away`].
    ///
    /// # Errors
    /// As for [`Keeper::keep`].
    fn keep_away(
        &self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble>;

    /// As [`Vault::check`].
    ///
    /// # Errors
    /// When it is known already that what is stored does not give these bytes back.
    fn check(&self, digest: &Digest) -> Result<(), Trouble>;

    /// As [`Vault::fetch`].
    ///
    /// # Errors
    /// When they are not there.
    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble>;

    /// As [`Ledger::promise`].
    ///
    /// # Errors
    /// When they are not on the disk; nothing may be done then.
    fn promise(&self, intents: &[Intent]) -> Result<(), Trouble>;

    /// Writes down what a step touches next. A `lasting` note is on the disk when this returns; one about processes, which
    /// a machine that loses power loses too, may be on its way until [`Keeper::certain`].
    ///
    /// # Errors
    /// When it can not be written.
    fn note(&self, id: u64, note: &Value, lasting: bool) -> Result<(), Trouble>;

    /// Writes down what several steps touch next; all of it is on the disk when this returns.
    ///
    /// # Errors
    /// When it can not be written.
    fn notes(&self, notes: &[(u64, Value)]) -> Result<(), Trouble> {
        notes.iter().try_for_each(|(id, note)| self.note(*id, note, true))
    }

    /// Waits until every note has arrived.
    ///
    /// # Errors
    /// When one has not, and never will.
    fn certain(&self) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether the keeper is gone: nothing new is begun then, and notes can not be written any more.
    fn is_lost(&self) -> bool {
        false
    }
}

/// One step to go, with what it noted before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errand {
    /// What is promised.
    pub intent: Intent,
    /// What earlier attempts noted and left, in order.
    pub notes: Vec<Value>,
}

/// How an errand ended, by the word of whoever went it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The step's permanent number.
    pub id: u64,
    /// How it ended.
    pub ended: Ended,
    /// What a person should know: one sentence.
    pub says: String,
    /// What the action left, for taking it back.
    pub left: Value,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// This step begins.
    Begins(u64),
    /// This step ended.
    Ended(Report),
}

/// A keeper as the vault of an action.
pub(crate) struct AsVault<'a>(pub(crate) &'a dyn Keeper);

impl Vault for AsVault<'_> {
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        self.0.keep(what, place, pid, from)
    }

    fn keep_away(
        &mut self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        self.0.keep_away(what, place, manifest, from)
    }

    fn check(&mut self, digest: &Digest) -> Result<(), Trouble> {
        self.0.check(digest)
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        self.0.fetch(digest)
    }
}

/// A keeper as the ledger of a permit.
pub(crate) struct AsLedger<'a>(pub(crate) &'a dyn Keeper);

impl Ledger for AsLedger<'_> {
    fn promise(&mut self, intents: &[Intent]) -> Result<(), Trouble> {
        self.0.promise(intents)
    }
}
