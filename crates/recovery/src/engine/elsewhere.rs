//! Quarantined files that go to another disk than the case's, and come back from there.

use super::keeping::trouble;
use calma_act::Trouble;
use calma_case::{Away, Case, CaseError, Identity};
use calma_record::{Digest, Text};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where quarantined files go, and where ones that went earlier are looked for.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Where they go now; into the case, if nowhere.
    pub(super) to: Option<Away>,
    /// Where earlier ones went, as far as that is there now.
    from: Vec<Away>,
    /// Where earlier ones went, whether it is there or not.
    known: Vec<PathBuf>,
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

    /// Whether they go elsewhere now.
    pub(super) fn is_sent_to(&self) -> bool {
        self.to.is_some()
    }

    /// Bytes that went elsewhere.
    pub(super) fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
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
