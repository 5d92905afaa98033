//! Looks at an in-memory host the way the product does: collectors, frames, tables, detectors.

use calma_collect::{Context, Options, Progress};
use calma_detect::{Tables, judge};
use calma_host::Host;
use calma_record::frame::{Decoder, FrameKind, read_records};
use calma_record::{Body, Fact, Finding, Gap, Record, Run, Severity, StreamName};
use std::sync::Arc;

/// What calma saw on a host.
#[derive(Debug, Default)]
pub struct Seen {
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Facts in the order in which they came.
    pub facts: Vec<Fact>,
    /// Gaps.
    pub gaps: Vec<Gap>,
    /// All records.
    pub records: Vec<Record>,
}

impl Seen {
    /// The findings of one detector.
    pub fn by(&self, detector: &str) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.detector == detector).collect()
    }

    /// The findings of one detector that are medium or worse.
    pub fn alarms(&self, detector: &str) -> Vec<&Finding> {
        self.by(detector).into_iter().filter(|finding| finding.severity >= Severity::Medium).collect()
    }
}

/// Collects everything from `host` and judges it; also checks that shuffled facts give equal findings.
pub fn check(host: impl Host + 'static) -> Seen {
    check_with(host, Options::default())
}

/// The same, with rules of the user's, as they come from the keeper.
pub fn check_rules(host: impl Host + 'static, rules: &str) -> Seen {
    check_with(host, Options { rules: Some(rules.as_bytes().into()), ..Options::default() })
}

fn check_with(host: impl Host + 'static, options: Options) -> Seen {
    let context = Context::new(Arc::new(host), options);
    let mut stream = Vec::new();
    calma_collect::run(&context, Run::default(), &Progress::default(), &Arc::default(), &mut stream).unwrap();
    let mut seen = Seen::default();
    let mut decoder = Decoder::new(stream.as_slice());
    while let Some(frame) = decoder.next_frame().unwrap() {
        if frame.kind == FrameKind::Records {
            seen.records.extend(read_records(&frame.raw().unwrap()).map(Result::unwrap));
        }
    }
    for record in &seen.records {
        match &record.body {
            Body::Fact { fact, .. } => seen.facts.push(Fact::clone(fact)),
            Body::Gap(gap) => seen.gaps.push(gap.clone()),
            _ => {}
        }
    }
    seen.findings = judged(&seen.records);
    let mut shuffled = seen.records.clone();
    shuffled.reverse();
    assert_eq!(judged(&shuffled), seen.findings, "the order of facts changed the findings");
    seen
}

fn judged(records: &[Record]) -> Vec<Finding> {
    let mut tables = Tables::default();
    for record in records {
        tables.fold(&StreamName("test".to_owned()), record.clone());
    }
    judge(&tables).findings
}
