//! The keeper's end: a machine far away as a [`Side`]. What it says can add to the case's journal as its claims, within
//! bounds, and nothing else.

mod attend;
mod bounds;

use super::PREAMBLE;
use super::wire::{Heard, Wire};
use super::words::{Claim, Order, Taking, VERSION};
use crate::HostSideError;
use crate::link::Link;
use crate::side::{Answer, Errand, Keeper, Question, Side, SideError, Stage, Taken};
use bounds::{Allowance, clean, short};
use calma_record::step::{Intent, Refusal, Step, Undo};
use calma_record::{Digest, Text};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The words that make the program at the other end the one that acts.
const WORD: &str = "act-side";
/// So many bytes of a piece are asked for and sent at once.
pub(super) const AT_ONCE: usize = 4 << 20;

/// A machine at the other end of a connection.
pub struct RemoteSide {
    wire: Wire,
    boot: Text,
    name: Text,
    link: RefCell<Option<Link>>,
    /// Pieces that came in this run.
    came: RefCell<BTreeSet<Digest>>,
}

impl RemoteSide {
    /// Connects, and has calma's own program act there. `stop` gives the connection up.
    ///
    /// # Errors
    /// When there is no connection, or no calma at its other end.
    pub fn connect(mut link: Link, stop: Arc<AtomicBool>) -> Result<Self, HostSideError> {
        let (from, to) = link.converse(&[WORD.into()], PREAMBLE)?;
        let host = link.host().to_owned();
        Self::begin(from, to, stop, Some(link)).map_err(|error| {
            let why = io::Error::other(error.to_string());
            HostSideError::new(format!("calma at {host} does not answer"), why)
        })
    }

    /// The same over any two ends, from the preamble on.
    ///
    /// # Errors
    /// When there is no calma at the other end.
    pub fn over(mut from: Box<dyn Read + Send>, to: Box<dyn Write + Send>) -> Result<Self, SideError> {
        let mut preamble = vec![0; PREAMBLE.len()];
        match from.read_exact(&mut preamble) {
            Ok(()) if preamble == PREAMBLE => Self::begin(from, to, Arc::default(), None),
            Ok(()) => Err(SideError::Lies("no preamble")),
            Err(error) => Err(SideError::Lost(error.to_string())),
        }
    }

    fn begin(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        stop: Arc<AtomicBool>,
        link: Option<Link>,
    ) -> Result<Self, SideError> {
        let mut side = Self {
            wire: Wire::new(from, to, stop),
            boot: Text::default(),
            name: Text::default(),
            link: RefCell::new(link),
            came: RefCell::default(),
        };
        match side.hear()? {
            Claim::Here { version, boot, name } if version == VERSION => {
                (side.boot, side.name) = (short(&boot), short(&name));
                Ok(side)
            }
            Claim::Here { .. } => Err(SideError::Lies("another version")),
            _ => Err(SideError::Lies("no introduction")),
        }
    }

    /// What the other end says next.
    fn hear(&self) -> Result<Claim, SideError> {
        match self.wire.hear().map_err(|why| self.lost(&why))? {
            Heard::Words(claim) => Ok(claim),
            Heard::Bytes(_) => Err(SideError::Lies("bytes that nobody asked for")),
        }
    }

    fn say(&self, order: &Order) -> Result<(), SideError> {
        self.wire.say(order).map_err(|why| self.lost(&why))
    }

    /// The connection is gone; what ssh said of it.
    fn lost(&self, why: &str) -> SideError {
        self.wire.close();
        let said = self.link.borrow_mut().as_mut().map(|link| link.end().1).unwrap_or_default();
        SideError::Lost(if said.is_empty() { clean(why) } else { said })
    }
}

impl Drop for RemoteSide {
    fn drop(&mut self) {
        // The end of its input is the other end's sign to end.
        self.wire.close();
    }
}

impl Side for RemoteSide {
    fn boot(&self) -> &Text {
        &self.boot
    }

    fn name(&self) -> &Text {
        &self.name
    }

    fn ask(&self, question: Question) -> Result<Answer, SideError> {
        self.say(&Order::Ask(question))?;
        match self.hear()? {
            Claim::Answer(answer) => Ok(answer),
            _ => Err(SideError::Lies("no answer to a question")),
        }
    }

    fn take<'s>(&'s self, _: &Text) -> Result<Box<dyn Taken + 's>, SideError> {
        self.say(&Order::Take)?;
        match self.hear()? {
            Claim::Taken(Taking::Taken) => Ok(Box::new(Held(self))),
            Claim::Taken(Taking::NotAlone) => Err(SideError::NotAlone),
            Claim::Taken(Taking::Refused(why)) => Err(SideError::Refused(clean(&why))),
            _ => Err(SideError::Lies("no answer to being taken")),
        }
    }
}

/// The machine, taken.
struct Held<'a>(&'a RemoteSide);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // One that is gone gives the machine back by itself.
        drop(self.0.wire.say(&Order::Release));
    }
}

impl Taken for Held<'_> {
    fn even_databases(&mut self) -> Result<(), SideError> {
        self.0.say(&Order::EvenDatabases)
    }

    fn prepare(&self, steps: &[&Step], keeper: &dyn Keeper) -> Result<Vec<Result<Undo, Refusal>>, SideError> {
        let mut prepared = Vec::new();
        if steps.is_empty() {
            return Ok(prepared);
        }
        self.0.say(&Order::Prepare { steps: steps.iter().copied().cloned().collect() })?;
        self.0.attend(keeper, &BTreeSet::new(), |claim| match claim {
            Claim::Prepared(result) => {
                prepared.push(bounds::prepared(result));
                Ok(prepared.len() == steps.len())
            }
            _ => Err(SideError::Lies("something else than whether a step can be done")),
        })?;
        Ok(prepared)
    }

    fn go(
        &self,
        errands: Vec<Errand>,
        keeper: &dyn Keeper,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), SideError> {
        let intents: Vec<Intent> = errands.iter().map(|errand| errand.intent.clone()).collect();
        // Nothing is said before they are on the disk.
        keeper.promise(&intents).map_err(SideError::Keeper)?;
        self.0.say(&Order::Go { count: errands.len() })?;
        for errand in &errands {
            self.0.say(&Order::Errand(Box::new(errand.clone())))?;
        }
        let mut allowance = Allowance::new(&errands);
        let mut gone = None;
        self.0.attend(keeper, &bounds::digests(&errands), |claim| match claim {
            Claim::Begins(id) => allowance.begins(id).map(|()| tell(Stage::Begins(id))).map(|()| false),
            Claim::Note { id, note } => {
                allowance.note(id, &note)?;
                self.0.say(&match keeper.note(id, &note, true) {
                    Ok(()) => Order::Noted,
                    Err(trouble) => Order::Sorry(trouble.0),
                })?;
                Ok(false)
            }
            Claim::Ended(report) => {
                tell(Stage::Ended(allowance.ended(report)?));
                Ok(false)
            }
            Claim::Gone(why) => {
                gone = why;
                Ok(true)
            }
            _ => Err(SideError::Lies("something else than how the steps go")),
        })?;
        match gone {
            Some(why) => Err(SideError::Refused(clean(&why))),
            None if allowance.is_over() => Ok(()),
            None => Err(SideError::Lies("it did not say how every step ended")),
        }
    }
}
