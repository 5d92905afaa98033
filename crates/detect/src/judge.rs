//! Runs all detectors over the tables and groups what they find.

use crate::{ALL, Tables, collapse::collapse, stories};
use calma_record::{Certainty, Finding, Severity, Story};

/// What calma concludes from the facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// All findings, worst first; those of equal weight by key.
    pub findings: Vec<Finding>,
    /// Findings that belong together, worst first. Findings below medium that stand alone are in no story.
    pub stories: Vec<Story>,
    /// Whether something was found that only a kernel that lies explains. Then a running system can not be relied on.
    pub kernel_in_doubt: bool,
}

/// Everything two findings of one key may differ in, so that the same one is kept in every order of the facts.
fn weight(finding: &Finding) -> impl Ord + '_ {
    let Finding { severity, certainty, title, facts, subjects, evidence, .. } = finding;
    (*severity, *certainty, facts, title, subjects, evidence)
}

/// Mechanisms that only code in the kernel can bring about: hidden process ids, unlinked modules, patched text, filtered views.
const IN_THE_KERNEL: [u8; 4] = [15, 25, 26, 27];

fn only_a_kernel_does(finding: &Finding) -> bool {
    let card = ALL.iter().map(|detector| &detector.card).find(|card| card.name == finding.detector);
    finding.severity >= Severity::Medium
        && finding.certainty >= Certainty::Likely
        && card.is_some_and(|card| card.mechanisms.iter().any(|number| IN_THE_KERNEL.contains(number)))
}

/// Judges the tables with every detector. The order of the facts does not matter.
pub fn judge(tables: &Tables) -> Judgement {
    let mut findings = Vec::new();
    for detector in ALL {
        let mut drafts = Vec::new();
        (detector.judge)(tables, &mut drafts);
        findings.extend(drafts.into_iter().map(|draft| draft.finish(&detector.card)));
    }
    // Two facts may tell of the same situation (a file seen by two collectors): one finding, the weightier one.
    findings.sort_by(|a: &Finding, b| a.key.cmp(&b.key).then_with(|| weight(b).cmp(&weight(a))));
    findings.dedup_by(|later, first| later.key == first.key);
    let mut findings = collapse(findings);
    findings.sort_by(|a, b| {
        (b.severity, b.certainty).cmp(&(a.severity, a.certainty)).then_with(|| a.key.cmp(&b.key))
    });
    let stories = stories::group(tables, &mut findings);
    let kernel_in_doubt = findings.iter().any(only_a_kernel_does);
    Judgement { findings, stories, kernel_in_doubt }
}
