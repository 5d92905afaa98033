//! The case and its journal, as the engine and whoever acts need them.

use super::elsewhere::Elsewhere;
use crate::side::{Keeper, SideError};
use calma_act::{Piece, Trouble};
use calma_case::{Away, Case, CaseError, Identity, Journal};
use calma_record::step::{Entry, Intent, Manifest};
use calma_record::{Digest, Gap, Text};
use serde_json::Value;
use std::cell::RefCell;
use std::io::Read;
use std::path::Path;

/// The case with this run's part of its journal.
pub(super) struct Keeping<'a> {
    case: &'a Case,
    journal: RefCell<Journal>,
    elsewhere: RefCell<Elsewhere>,
}

impl<'a> Keeping<'a> {
    /// Opens a new part of the journal.
    pub(super) fn open(case: &'a Case) -> Result<Self, CaseError> {
        let elsewhere = RefCell::new(Elsewhere::of(case)?);
        Ok(Self { case, journal: RefCell::new(case.journal()?), elsewhere })
    }

    /// Quarantined files go there from now on.
    pub(super) fn send_to(&mut self, to: Away) -> Result<(), CaseError> {
        self.elsewhere.get_mut().send(self.case, to)
    }

    /// Files that went elsewhere are opened with this key, and looked for in this folder too.
    pub(super) fn fetch_with(&mut self, identity: Option<&Identity>, folder: Option<&Path>) {
        self.elsewhere.get_mut().unlock(identity, folder);
    }

    /// Adds entries.
    pub(super) fn write(&self, entries: Vec<Entry>) -> Result<(), CaseError> {
        self.journal.borrow_mut().write(entries)
    }

    /// Makes everything so far survive a power cut.
    pub(super) fn sync(&self) -> Result<(), CaseError> {
        self.journal.borrow_mut().sync()
    }

    /// Writes that nobody knows what became of so many steps, and why.
    pub(super) fn gap(&self, steps: usize, why: &SideError) -> Result<(), CaseError> {
        let mut gap = Gap::new("how the steps that were promised last ended", why.to_string())
            .instead("the next run finishes them or takes them back")
            .important();
        gap.count = steps as u64;
        let mut journal = self.journal.borrow_mut();
        journal.gap(gap)?;
        journal.sync()
    }

    /// Ends this run's part; the seal's words.
    pub(super) fn seal(self) -> Result<String, CaseError> {
        Ok(self.journal.into_inner().seal()?.phrase)
    }
}

impl Keeper for Keeping<'_> {
    fn keep(
        &self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let kept = self.journal.borrow_mut().keep(what, place, pid, from).map_err(trouble)?;
        Ok(Piece { digest: kept.digest, size: kept.size })
    }

    fn keep_whole(
        &self,
        what: &str,
        place: &Text,
        pid: Option<u32>,
        (bytes, piece): (&[u8], &Piece),
        packed: &[u8],
    ) -> Result<(), Trouble> {
        let mut journal = self.journal.borrow_mut();
        journal.keep_whole(what, place, pid, (bytes, piece.digest), packed).map(drop).map_err(trouble)
    }

    fn sends_away(&self) -> bool {
        self.elsewhere.borrow().is_sent_to()
    }

    fn keep_away(
        &self,
        what: &str,
        place: &Text,
        manifest: &Manifest,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        match &mut self.elsewhere.borrow_mut().to {
            Some(away) => {
                let (digest, size) = away.keep(place, manifest, from).map_err(trouble)?;
                Ok(Piece { digest, size })
            }
            None => self.keep(what, place, None, from),
        }
    }

    fn check(&self, digest: &Digest) -> Result<(), Trouble> {
        // Once it is on the disk: no step is promised before that. What went elsewhere is read again there.
        if !self.elsewhere.borrow().is_sent_to() || self.case.has_evidence(digest) {
            self.journal.borrow_mut().check_later(*digest);
        }
        Ok(())
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        if self.case.has_evidence(digest) {
            return Ok(Box::new(self.case.evidence(digest).map_err(trouble)?));
        }
        self.elsewhere.borrow().fetch(digest)
    }

    fn promise(&self, intents: &[Intent]) -> Result<(), Trouble> {
        let entries = intents.iter().map(|intent| Entry::Intent(Box::new(intent.clone()))).collect();
        if let Some(away) = &mut self.elsewhere.borrow_mut().to {
            away.settle().map_err(trouble)?;
        }
        let mut journal = self.journal.borrow_mut();
        // What the intents rest on first: if that does not come back from the disk, nothing is promised.
        journal.settle().and_then(|()| journal.write(entries)).and_then(|()| journal.sync()).map_err(trouble)
    }

    fn notes(&self, notes: &[(u64, Value)]) -> Result<(), Trouble> {
        if notes.is_empty() {
            return Ok(());
        }
        let entries =
            notes.iter().map(|(id, note)| Entry::Progress { id: *id, note: note.clone() }).collect();
        let mut journal = self.journal.borrow_mut();
        journal.write(entries).and_then(|()| journal.sync()).map_err(trouble)
    }

    fn note(&self, id: u64, note: &Value, lasting: bool) -> Result<(), Trouble> {
        let mut journal = self.journal.borrow_mut();
        journal.write(vec![Entry::Progress { id, note: note.clone() }]).map_err(trouble)?;
        if lasting { journal.sync().map_err(trouble) } else { Ok(()) }
    }
}

/// The case's trouble in words, with its cause.
pub(super) fn trouble(error: CaseError) -> Trouble {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Trouble::new(format!("{error}{cause}"))
}
