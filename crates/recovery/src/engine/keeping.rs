//! The case as the vault of actions, and its journal as their ledger.

use calma_act::{Ledger, Piece, Trouble, Vault};
use calma_case::{Case, CaseError, Journal};
use calma_record::step::{Entry, Intent};
use calma_record::{Digest, Text};
use std::cell::RefCell;
use std::io::Read;

/// Evidence of the case.
pub(super) struct CaseVault<'a> {
    pub(super) case: &'a Case,
    pub(super) journal: &'a RefCell<Journal>,
}

impl Vault for CaseVault<'_> {
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let kept = self.journal.borrow_mut().keep(what, place, pid, from).map_err(trouble)?;
        Ok(Piece { digest: kept.digest, size: kept.size })
    }

    fn check(&self, digest: &Digest) -> Result<(), Trouble> {
        // Once it is on the disk: no step is promised before that.
        self.journal.borrow_mut().check_later(*digest);
        Ok(())
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        Ok(Box::new(self.case.evidence(digest).map_err(trouble)?))
    }
}

/// The case's journal.
pub(super) struct JournalLedger<'a> {
    pub(super) journal: &'a RefCell<Journal>,
}

impl Ledger for JournalLedger<'_> {
    fn promise(&mut self, intents: &[Intent]) -> Result<(), Trouble> {
        let entries = intents.iter().map(|intent| Entry::Intent(Box::new(intent.clone()))).collect();
        let mut journal = self.journal.borrow_mut();
        // What the intents rest on first: if that does not come back from the disk, nothing is promised.
        journal.settle().and_then(|()| journal.write(entries)).and_then(|()| journal.sync()).map_err(trouble)
    }
}

/// The case's trouble in words, with its cause.
fn trouble(error: CaseError) -> Trouble {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Trouble::new(format!("{error}{cause}"))
}
