//! The permit: hands that exist only after the intent is on the keeper's disk.

use crate::Trouble;
use calma_host::{Hands, LiveHands};
use calma_record::step::Intent;

/// Whoever writes the journal.
pub trait Ledger {
    /// Writes the intents. When this returns they survive a power cut (fdatasync(2)).
    ///
    /// # Errors
    /// When they do not; nothing may be done then.
    fn promise(&mut self, intents: &[Intent]) -> Result<(), Trouble>;
}

/// Leave to carry out intents that are on the keeper's disk.
pub struct Permit {
    hands: Box<dyn Hands>,
}

impl Permit {
    /// Writes the intents and gives leave to carry them out on this machine.
    ///
    /// # Errors
    /// When they could not be written.
    pub fn obtain(ledger: &mut dyn Ledger, intents: &[Intent]) -> Result<Self, Trouble> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place: the intent is on the disk when the hands are used"
        )]
        let hands = LiveHands::take();
        Self::with(ledger, intents, Box::new(hands))
    }

    /// The same with other hands, for tests that let them fail.
    ///
    /// # Errors
    /// When they could not be written.
    pub fn with(ledger: &mut dyn Ledger, intents: &[Intent], hands: Box<dyn Hands>) -> Result<Self, Trouble> {
        ledger.promise(intents)?;
        Ok(Self { hands })
    }

    /// Brings what was done to the disk. Outcomes are written after this.
    ///
    /// # Errors
    /// When a disk refuses.
    pub fn settle(&self) -> Result<(), Trouble> {
        Ok(self.hands.settle()?)
    }

    /// Brings what was made ready to the disk, before anything rests on it.
    ///
    /// # Errors
    /// When a disk refuses.
    pub fn settle_files(&self) -> Result<(), Trouble> {
        Ok(self.hands.settle_files()?)
    }

    pub(crate) fn hands(&self) -> &dyn Hands {
        self.hands.as_ref()
    }
}
