//! What the user gave to look for: rules, read once however many hosts are looked at.

use crate::args::Triage;
use crate::commands::worker::workers;
use crate::exit::Refusal;
use calma_host::{Host as _, Live};
use calma_record::kinds;
use calma_recovery::{GivenRules, Signs, read_rules, read_signs};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Faults printed; the case holds their number.
const SHOWN: usize = 12;

/// What the user gave to look for.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// YARA rules.
    pub(crate) rules: Option<GivenRules>,
    /// Lists of signs.
    pub(crate) signs: Option<Arc<Signs>>,
}

/// Lists of signs that were named on the command line.
pub(crate) fn signs(places: &[PathBuf]) -> anyhow::Result<Option<Signs>> {
    if places.is_empty() {
        return Ok(None);
    }
    let places: Vec<Vec<u8>> = places.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
    let instead = "name a list with hashes, names, paths, addresses, domains or ssh keys";
    let signs = read_signs(Live::new().tree(), &places)
        .map_err(|error| Refusal::wrong_use(error.to_string(), instead))?;
    if signs.count() == 0 {
        let first = signs.faults.first().map_or(String::new(), |fault| format!(" ({fault})"));
        return Err(Refusal::wrong_use(format!("no sign can be used{first}"), instead));
    }
    Ok(Some(signs))
}

/// What the user should know of the lists, a sentence each.
pub(crate) fn about(signs: &Signs) -> Vec<String> {
    let mut lines = vec![format!("Everything is compared with {} signs of your lists.", signs.count())];
    lines.extend(faults("Not used", &signs.faults, signs.faulty));
    lines
}

impl Given {
    /// Reads everything that was named on the command line.
    pub(crate) fn read(arguments: &Triage) -> anyhow::Result<Self> {
        let mut given = Self::default();
        if !arguments.yara.is_empty() {
            let places: Vec<Vec<u8>> =
                arguments.yara.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
            let rules = read_rules(Live::new().tree(), &workers(), &places).map_err(|error| {
                Refusal::wrong_use(
                    error.to_string(),
                    "name a file of YARA rules, or a folder with *.yar files",
                )
            })?;
            if rules.rules == 0 {
                let first = rules.faults.first().map_or(String::new(), |fault| format!(" ({fault})"));
                return Err(Refusal::wrong_use(
                    format!("no rule can be used{first}"),
                    "name a file of YARA rules, or a folder with *.yar files",
                ));
            }
            given.rules = Some(rules);
        }
        given.signs = signs(&arguments.ioc)?.map(Arc::new);
        Ok(given)
    }

    /// What the user should know of what was given, a sentence each.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if let Some(rules) = &self.rules {
            let used = format!("{} of your rules are searched for, from {} files.", rules.rules, rules.files);
            notices.push(used);
            notices.extend(faults("Not used", &rules.faults, rules.faults.len() as u64));
        }
        notices.extend(self.signs.iter().flat_map(|signs| about(signs)));
        notices
    }

    /// For the case.
    pub(crate) fn facts(&self) -> Vec<kinds::RuleSet> {
        let rules = self.rules.iter().flat_map(|rules| rules.facts.clone());
        rules.chain(self.signs.iter().flat_map(|signs| signs.facts.clone())).collect()
    }
}

/// The first faults, and how many more there are.
fn faults(what: &str, faults: &[String], all: u64) -> Vec<String> {
    let mut lines: Vec<String> = faults.iter().take(SHOWN).map(|fault| format!("{what}: {fault}")).collect();
    if let Some(more) = all.checked_sub(SHOWN as u64).filter(|more| *more > 0) {
        lines.push(format!("and {more} more that can not be used."));
    }
    lines
}

/// A path of the keeper's machine from its root on.
fn absolute(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    Ok(std::path::absolute(path)?.as_os_str().as_bytes().to_vec())
}
