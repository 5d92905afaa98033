//! An old case, judged again with today's detectors.

use crate::Signs;
use crate::signs::Matches;
use calma_case::{Case, CaseError};
use calma_detect::{Judgement, Tables, judge};
use calma_record::{Body, End, Gap, Record, Run, StepState, StreamName};
use std::collections::BTreeSet;

/// A case judged again.
#[derive(Debug, Default)]
pub struct Review {
    /// The newest look's own words.
    pub run: Run,
    /// Its facts, with those of the looks it continues.
    pub tables: Tables,
    /// What they mean.
    pub judgement: Judgement,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// How it ended; `None` if it was cut.
    pub end: Option<End>,
}

/// Why a case could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The case can not be read.
    #[error("{0}")]
    Case(#[from] CaseError),
    /// The case holds no look yet.
    #[error("this case holds no look at a host yet")]
    Empty,
}

/// Judges the newest look of a case, with the interrupted looks that it continues.
///
/// # Errors
/// When the case can not be read or holds no look.
pub fn review(case: &Case) -> Result<Review, ReviewError> {
    review_with(case, None, |_, _| {})
}

/// The same, compared with lists of signs; `besides` sees each record on its way.
///
/// # Errors
/// As for [`review`].
pub fn review_with(
    case: &Case,
    signs: Option<&Signs>,
    mut besides: impl FnMut(&StreamName, &Record),
) -> Result<Review, ReviewError> {
    let mut matches = Matches::default();
    let mut review = Review::default();
    let mut newest = None;
    each_record(case, |stream, record| {
        let is_newest = newest.get_or_insert_with(|| stream.clone()) == stream;
        match &record.body {
            Body::Run(run) if is_newest => review.run = Run::clone(run),
            Body::Gap(gap) => review.gaps.push(gap.clone()),
            Body::End(end) if is_newest => review.end = Some(end.clone()),
            _ => {}
        }
        if let Some(signs) = signs {
            // A match stands where the fact stands that it is about.
            for found in matches.of(signs, &record.body) {
                let Body::Fact { from, .. } = &record.body else { continue };
                let body = Body::Fact { from: from.clone(), fact: Box::new(found.into()) };
                review.tables.fold(stream, Record { seq: record.seq, body });
            }
        }
        besides(stream, &record);
        review.tables.fold(stream, record);
    })?;
    if newest.is_none() {
        return Err(ReviewError::Empty);
    }
    review.judgement = judge(&review.tables);
    Ok(review)
}

/// Hands out every record of the newest look, then those of the interrupted looks that it continues.
///
/// # Errors
/// When the case can not be read.
pub fn each_record(case: &Case, mut each: impl FnMut(&StreamName, Record)) -> Result<(), CaseError> {
    let mut wanted = looks(case)?.pop();
    let mut seen = BTreeSet::new();
    while let Some(stream) = wanted.take().filter(|stream| seen.insert(stream.clone())) {
        for record in case.records(&stream)? {
            let record = record?;
            if let Body::Run(run) = &record.body {
                wanted = Some(run.continues.clone()).filter(|name| !name.is_empty()).map(StreamName);
            }
            each(&stream, record);
        }
    }
    Ok(())
}

/// The newest look, if it did not run to its end: its stream, and the collectors that did (also in looks it continued).
///
/// # Errors
/// When the case can not be read.
pub fn unfinished(case: &Case) -> Result<Option<(StreamName, BTreeSet<String>)>, CaseError> {
    let Some(newest) = looks(case)?.pop() else { return Ok(None) };
    let mut done = BTreeSet::new();
    let mut complete = false;
    for record in case.records(&newest)? {
        match record?.body {
            Body::Step(step) if matches!(step.state, StepState::Done | StepState::Skipped) => {
                done.insert(step.collector);
            }
            Body::End(end) => complete = end.complete,
            _ => {}
        }
    }
    Ok((!complete).then_some((newest, done)))
}

/// Whether any look of this case gave a record of the host's.
///
/// # Errors
/// When the case can not be read.
pub fn looked_at(case: &Case) -> Result<bool, CaseError> {
    let mut any = false;
    each_record(case, |_, record| any |= matches!(record.body, Body::Run(_)))?;
    Ok(any)
}

/// The collection streams, oldest first.
fn looks(case: &Case) -> Result<Vec<StreamName>, CaseError> {
    let mut looks: Vec<(u32, StreamName)> = case
        .streams()?
        .into_iter()
        .filter_map(|name| Some((name.0.strip_prefix("collection-")?.parse().ok()?, name)))
        .collect();
    looks.sort();
    Ok(looks.into_iter().map(|(_, name)| name).collect())
}
