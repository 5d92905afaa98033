//! A thousand files changed by one cause are one finding.

use calma_record::{Digest, Finding, Subject};
use std::collections::BTreeMap;

/// From this many findings of one detector in one place on, they are one.
const MANY: usize = 5;
/// Sentences and pieces of evidence that a collapsed finding keeps; the subjects stay, up to [`SUBJECTS`].
const KEPT: usize = 8;
/// Subjects that a collapsed finding names.
const SUBJECTS: usize = 1000;

/// Makes one finding of many that the same detector gave with the same weight about files in one place.
pub(crate) fn collapse(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: BTreeMap<_, Vec<Finding>> = BTreeMap::new();
    let mut out = Vec::new();
    for finding in findings {
        match place(&finding) {
            Some(place) => {
                let weight = (finding.detector, finding.severity, finding.certainty, place);
                groups.entry(weight).or_default().push(finding);
            }
            None => out.push(finding),
        }
    }
    for ((detector, severity, _, place), mut members) in groups {
        members.sort_by(|a, b| a.subjects.cmp(&b.subjects));
        if members.len() < MANY {
            out.append(&mut members);
            continue;
        }
        let identity =
            Digest::of_all([detector.as_bytes(), b"\0", severity.to_string().as_bytes(), b"\0", &place]);
        let count = members.len();
        let mut members = members.into_iter();
        let Some(mut one) = members.next() else { continue };
        for member in members {
            one.subjects.extend(member.subjects);
            one.evidence.extend(member.evidence);
            one.facts.extend(member.facts);
            if one.next != member.next {
                one.next =
                    "look at a few of them; if they are one thing you know, all of them are".to_owned();
            }
        }
        let sentences = one.facts.len();
        one.facts.truncate(KEPT);
        if sentences > KEPT {
            one.facts.push(format!("and {} more like these", sentences - KEPT));
        }
        one.evidence.truncate(KEPT);
        let subjects: std::collections::BTreeSet<Subject> = one.subjects.drain(..).collect();
        one.subjects = subjects.into_iter().take(SUBJECTS).collect();
        one.key = format!("{detector}-{}", identity.to_string().get(..12).unwrap_or_default());
        let below = calma_record::Text::from(place.as_slice());
        one.title = format!("{} (and {} more of the kind below {below})", one.title, count - 1);
        out.push(one);
    }
    out
}

/// Where the finding's file stands, at most two directories deep: what one cause usually reaches.
fn place(finding: &Finding) -> Option<Vec<u8>> {
    let Some(Subject::Path(path)) = finding.subjects.first() else { return None };
    let directories = path.as_bytes().strip_suffix(path.file_name())?;
    let mut place = Vec::new();
    for part in directories.split(|b| *b == b'/').filter(|part| !part.is_empty()).take(2) {
        place.push(b'/');
        place.extend_from_slice(part);
    }
    (!place.is_empty()).then_some(place)
}
