//! A witness that writes down what it hears: a sealed stream of a case, and reading it back.

use calma_case::{Case, CaseError, KEEPER, Seal, StreamState, StreamWriter, Verification};
use calma_host::Host;
use calma_isolate::witness::{Counts, Interval, Options, Witness, WitnessError, from_row, row};
use calma_record::kinds::WitnessInterval;
use calma_record::{Body, Forger, Kind as _, Source, View};
use std::sync::Arc;

/// The kind of stream in which it stands.
const KIND: &str = "witness";

/// A witness at work, and its log.
#[must_use = "a log that is not ended is not sealed, and proves nothing"]
pub struct Attestation {
    witness: Witness,
    writer: StreamWriter,
}

/// Why there is no attestation.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// Nothing can be heard.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The log can not be written or read.
    #[error(transparent)]
    Case(#[from] CaseError),
}

impl Attestation {
    /// Begins to hear, and a stream of the case that will hold what was heard.
    ///
    /// # Errors
    /// When nothing can be heard, or the case takes no stream.
    pub fn begin(case: &Case, host: Arc<dyn Host>, options: Options) -> Result<Self, AttestError> {
        // A witness that can not hear leaves no stream behind.
        let witness = Witness::start(host, options)?;
        let mut writer = case.begin(KIND)?;
        writer.note(Body::Schema(Box::new(WitnessInterval::schema())))?;
        Ok(Self { witness, writer })
    }

    /// The witness.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Everything counted so far.
    pub fn snapshot(&self) -> Counts {
        self.witness.snapshot()
    }

    /// Writes the intervals that were closed since the last time; they survive a power cut when this returns.
    ///
    /// # Errors
    /// When the disk refuses. What was not written is lost, and the hole shows.
    pub fn write(&mut self) -> Result<Vec<Interval>, CaseError> {
        let intervals = self.witness.intervals();
        put(&mut self.writer, &intervals)?;
        Ok(intervals)
    }

    /// Stops, writes the rest and seals. Gives what was counted in all, the last intervals, and the seal.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end(mut self) -> Result<(Counts, Vec<Interval>, Seal), CaseError> {
        self.witness.cut();
        let counts = self.witness.snapshot();
        let intervals = self.witness.stop();
        put(&mut self.writer, &intervals)?;
        Ok((counts, intervals, self.writer.seal()?))
    }
}

fn put(writer: &mut StreamWriter, intervals: &[Interval]) -> Result<(), CaseError> {
    if intervals.is_empty() {
        return Ok(());
    }
    let body = |interval: &Interval| {
        let from = Source { place: interval.interface.clone(), view: View::Own, forger: Forger::Nobody };
        Body::Fact { from, fact: Box::new(row(interval).into()) }
    };
    writer.add(intervals.iter().map(body).collect())?;
    writer.sync()
}

/// What the logs of a case say, and whether they can be relied on.
#[derive(Clone, Debug, Default)]
pub struct Testimony {
    /// The intervals of the newest log, in order.
    pub intervals: Vec<Interval>,
    /// Why the log can not be relied on, one clause each; empty if it can.
    pub doubts: Vec<String>,
}

/// Reads the newest log of a witness in a case, after every byte of the case was checked.
///
/// # Errors
/// When the case can not be read at all.
pub fn testimony(case: &Case) -> Result<Testimony, CaseError> {
    let mut testimony = Testimony::default();
    let verification: Verification = case.verify()?;
    let number = |name: &str| name.strip_prefix(KIND)?.strip_prefix('-')?.parse::<u32>().ok();
    let newest = verification.streams.iter().max_by_key(|(name, _)| number(&name.0));
    let Some((name, state)) = newest.filter(|(name, _)| number(&name.0).is_some()) else {
        testimony.doubts.push("there is no log of a witness".to_owned());
        return Ok(testimony);
    };
    match state {
        StreamState::Sealed { .. } => {}
        StreamState::Unsealed { .. } => {
            testimony.doubts.push("the witness's log is not sealed: its end may be missing".to_owned());
        }
        StreamState::Broken { frame, why } => {
            testimony
                .doubts
                .push(format!("the witness's log is not what was written (frame {frame}: {why})"));
        }
    }
    testimony.doubts.extend(verification.problems.iter().map(|problem| format!("the case: {problem}")));
    for record in case.records(name)? {
        // Behind the first broken frame nothing is the witness's word.
        let Ok(record) = record else { break };
        if let (true, Body::Fact { fact, .. }) = (record.seq >= KEEPER, &record.body)
            && let Some(row) = WitnessInterval::of(fact)
        {
            testimony.intervals.push(from_row(row));
        }
    }
    Ok(testimony)
}

impl Testimony {
    /// Weighs the log as [`calma_isolate::witness::proof::weigh`] does; with a doubt about the log, silence is not proven.
    pub fn weigh(
        &self,
        question: &calma_isolate::witness::proof::Question,
    ) -> calma_isolate::witness::proof::Weighed {
        use calma_isolate::witness::proof::{Proof, weigh};
        let mut weighed = weigh(&self.intervals, question);
        if !self.doubts.is_empty() {
            weighed.why.extend(self.doubts.iter().cloned());
            if weighed.proof == Proof::Silent {
                weighed.proof = Proof::NotProven;
            }
        }
        weighed
    }
}
