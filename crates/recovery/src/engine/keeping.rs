//! The case as the vault of actions, and its journal as their ledger.

use calma_act::{Ledger, Piece, Trouble, Vault};
use calma_case::{Away, Case, CaseError, Identity, Journal};
use calma_record::step::{Entry, Intent, Manifest};
use calma_record::{Digest, Text};
use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where quarantined files go, and where ones that went earlier are looked for.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Where they go now; into the case, if nowhere.
    pub(super) to: Option<Away>,
    /// Where earlier ones went, as far as that is there now.
    pub(super) from: Vec<Away>,
    /// Where earlier ones went, whether it is there or not.
    pub(super) known: Vec<PathBuf>,
}

/// Name of the list of such places in the case.
const AWAY: &str = "away.json";

impl Elsewhere {
    /// The places that the case knows of.
    pub(super) fn of(case: &Case) -> Result<Self, CaseError> {
        let bytes = case.private(AWAY)?.unwrap_or_default();
        let known: Vec<PathBuf> = serde_json::from_slice(&bytes).unwrap_or_default();
        let from = known.iter().filter_map(|path| Away::open(path, None).ok()).collect();
        Ok(Self { to: None, from, known })
    }

    /// Sends quarantined files there from now on; the case knows of it before the first one goes.
    pub(super) fn send(&mut self, case: &Case, to: Away) -> Result<(), CaseError> {
        let path = to.path().to_owned();
        if !self.known.contains(&path) {
            self.known.push(path);
            let bytes = serde_json::to_vec(&self.known).unwrap_or_default();
            case.put_private(AWAY, &bytes)?;
        }
        self.to = Some(to);
        Ok(())
    }

    /// Opens the places again with the key that reads them, and one more place.
    pub(super) fn unlock(&mut self, identity: Option<&Identity>, more: Option<&Path>) {
        let places = self.known.iter().map(PathBuf::as_path).chain(more);
        self.from = places.filter_map(|path| Away::open(path, identity.cloned()).ok()).collect();
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        let found = self.to.iter().chain(&self.from).find(|away| away.has(digest));
        match found {
            Some(away) => away.fetch(digest).map_err(trouble),
            None if self.known.is_empty() => Err(trouble(CaseError::NoPiece(*digest))),
            None => {
                let places: Vec<String> = self
                    .known
                    .iter()
                    .map(|path| Text::from(path.as_os_str().as_encoded_bytes()).to_string())
                    .collect();
                Err(Trouble::new(format!(
                    "its bytes are on a disk that is not here: mount it so that {} is there, or name the folder with --from",
                    places.join(" or ")
                )))
            }
        }
    }
}

/// Evidence of the case, and what went elsewhere.
pub(super) struct CaseVault<'a> {
    pub(super) case: &'a Case,
    pub(super) journal: &'a RefCell<Journal>,
    pub(super) elsewhere: &'a RefCell<Elsewhere>,
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

    fn keep_away(
        &mut self,
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

    fn check(&mut self, digest: &Digest) -> Result<(), Trouble> {
        // Once it is on the disk: no step is promised before that. What went elsewhere is read again there.
        let (folder, there) = (self.elsewhere.borrow(), self.case.has_evidence(digest));
        if folder.to.is_none() || there {
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
}

/// The case's journal.
pub(super) struct JournalLedger<'a> {
    pub(super) journal: &'a RefCell<Journal>,
    pub(super) elsewhere: &'a RefCell<Elsewhere>,
}

impl Ledger for JournalLedger<'_> {
    fn promise(&mut self, intents: &[Intent]) -> Result<(), Trouble> {
        let entries = intents.iter().map(|intent| Entry::Intent(Box::new(intent.clone()))).collect();
        if let Some(away) = &mut self.elsewhere.borrow_mut().to {
            away.settle().map_err(trouble)?;
        }
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
