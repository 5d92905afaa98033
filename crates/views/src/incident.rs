//! Several hosts of one incident.

use crate::Page;
use calma_record::Severity;

/// Several hosts of one incident.
#[derive(Clone, Debug, Default)]
pub struct Incident {
    /// The looks, in the order in which the user named them.
    pub hosts: Vec<Page>,
    /// Cases that could not be read, with the reason.
    pub failed: Vec<(String, String)>,
    /// What was met on more than one host, worst first.
    pub shared: Vec<Shared>,
    /// Whether names, addresses and secrets were replaced.
    pub redacted: bool,
}

/// Something that was met on several hosts.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What kind of thing: `hash`, `key`, `address`, `unit`, `account`, `path`.
    pub what: String,
    /// Its value.
    pub value: String,
    /// The worst finding about it.
    pub severity: Option<Severity>,
    /// The hosts by position, with the worst finding about it there.
    pub on: Vec<(usize, Option<Severity>)>,
}

impl Incident {
    /// The hosts, worst first.
    pub(crate) fn sorted(&self) -> Vec<&Page> {
        let mut hosts: Vec<&Page> = self.hosts.iter().collect();
        hosts.sort_by_key(|page| std::cmp::Reverse((worst(page), page.stories.len())));
        hosts
    }

    /// The names of the hosts of a shared thing, with how bad it is there.
    pub(crate) fn names<'a>(
        &'a self,
        shared: &'a Shared,
    ) -> impl Iterator<Item = (&'a str, Option<Severity>)> {
        shared.on.iter().filter_map(|(at, severity)| Some((self.hosts.get(*at)?.host.as_str(), *severity)))
    }
}

/// The worst finding of a page.
pub(crate) fn worst(page: &Page) -> Option<Severity> {
    page.findings.iter().map(|finding| finding.severity).max()
}

/// What a page says of its host in a line.
pub(crate) fn state(page: &Page) -> String {
    match page.stories.as_slice() {
        [] if page.complete() => "no sign of compromise in what could be seen".to_owned(),
        [] => "not all was seen; no sign of compromise in the rest".to_owned(),
        [one] => one.title.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.title, rest.len()),
    }
}
