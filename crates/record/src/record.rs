//! One record of a stream.

use crate::{Digest, Fact, Gap, Schema, Source, Text, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a stream within a case, for example `collection-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamName(pub String);

/// Where a record stands: its stream and its number there. Shown as `collection-1#42`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The stream.
    pub stream: StreamName,
    /// The record's number in the stream, from 0.
    pub seq: u64,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.stream.0, self.seq)
    }
}

/// One record as it stands in a stream: one line of JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number in the stream, from 0, without holes.
    pub seq: u64,
    /// What it says.
    pub body: Body,
}

/// Straight into the text: serde's own flattening makes a tree of every value first.
impl Serialize for Record {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut record = to.serialize_map(None)?;
        record.serialize_entry("seq", &self.seq)?;
        match &self.body {
            Body::Fact { from, fact } => record.serialize_entry("fact", &Told { from, is: fact }),
            Body::Run(run) => record.serialize_entry("run", run),
            Body::Schema(schema) => record.serialize_entry("schema", schema),
            Body::Gap(gap) => record.serialize_entry("gap", gap),
            Body::Step(step) => record.serialize_entry("step", step),
            Body::Blob(blob) => record.serialize_entry("blob", blob),
            Body::End(end) => record.serialize_entry("end", end),
            Body::Action(entry) => record.serialize_entry("action", entry),
            Body::Unknown(value) => value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| *key != "seq")
                .try_for_each(|(key, value)| record.serialize_entry(key, value)),
        }?;
        record.end()
    }
}

#[derive(Serialize)]
struct Told<'a> {
    from: &'a Source,
    is: &'a Fact,
}

/// A record of a kind that this version knows.
#[derive(Deserialize)]
struct Known {
    seq: u64,
    fact: Option<Seen>,
    run: Option<Box<Run>>,
    schema: Option<Box<Schema>>,
    gap: Option<Gap>,
    step: Option<Step>,
    blob: Option<Blob>,
    end: Option<End>,
    action: Option<Box<crate::step::Entry>>,
}

#[derive(Deserialize)]
struct Seen {
    from: Source,
    is: Box<Fact>,
}

impl Known {
    fn body(self) -> Option<Body> {
        None.or_else(|| self.fact.map(|Seen { from, is }| Body::Fact { from, fact: is }))
            .or_else(|| self.run.map(Body::Run))
            .or_else(|| self.schema.map(Body::Schema))
            .or_else(|| self.gap.map(Body::Gap))
            .or_else(|| self.step.map(Body::Step))
            .or_else(|| self.blob.map(Body::Blob))
            .or_else(|| self.end.map(Body::End))
            .or_else(|| self.action.map(Body::Action))
    }
}

/// A record of another kind.
#[derive(Deserialize)]
struct Foreign {
    seq: u64,
    #[serde(flatten)]
    body: serde_json::Map<String, serde_json::Value>,
}

impl Record {
    /// Reads one line of a stream, in one go where it is of a known kind: a look has hundreds of thousands of them.
    ///
    /// # Errors
    /// When the line is no record at all. One of an unknown kind is one.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        if let Ok(known) = serde_json::from_slice::<Known>(line) {
            let seq = known.seq;
            if let Some(body) = known.body() {
                return Ok(Self { seq, body });
            }
        }
        let Foreign { seq, body } = serde_json::from_slice(line)?;
        Ok(Self { seq, body: Body::Unknown(body.into()) })
    }
}

/// From within something else. There is one way to read the many kinds of facts, and it reads text.
impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let object = serde_json::Map::<String, serde_json::Value>::deserialize(from)?;
        let line = serde_json::to_vec(&object).map_err(D::Error::custom)?;
        Self::parse(&line).map_err(D::Error::custom)
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The first record of a stream: who looks at what.
    Run(Box<Run>),
    /// The columns of a fact kind, so that any later version can show it.
    Schema(Box<Schema>),
    /// Something that was seen.
    Fact {
        /// Where it was seen.
        from: Source,
        /// What was seen.
        fact: Box<Fact>,
    },
    /// Something that could not be seen.
    Gap(Gap),
    /// A collector began or ended.
    Step(Step),
    /// A piece of evidence was stored whole.
    Blob(Blob),
    /// The last record of a stream that ended in order.
    End(End),
    /// An entry of the journal of actions. Only a keeper writes it.
    Action(Box<crate::step::Entry>),
    /// A record of a kind that this version does not know, as an object; kept as it is.
    Unknown(serde_json::Value),
}

/// Who looked at what, when, with what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Version of the record format.
    pub schema: u32,
    /// Version of calma.
    pub version: String,
    /// SHA-256 of the program that observed, where it could read itself.
    pub program: Option<Digest>,
    /// What was asked: the words of the command line.
    pub command: Vec<Text>,
    /// The examined host's own name for itself.
    pub host: Text,
    /// `live`, `root` (a mounted tree), or `memory` (tests).
    pub target: String,
    /// The examined root directory as the host side knows it; empty for a live host.
    pub root: Text,
    /// The host's clock at the start.
    pub started: Timestamp,
    /// The kernel's release and version, as it says.
    pub kernel: Text,
    /// Machine architecture as uname(2) says.
    pub machine: Text,
    /// The kernel's boot id (/proc/sys/kernel/random/boot_id).
    pub boot: Text,
    /// User id calma ran with.
    pub uid: u32,
    /// calma's own process id on the host.
    pub pid: u32,
    /// The interrupted stream that this one continues; empty for a fresh look.
    pub continues: String,
}

/// A collector's begin or end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The collector's name.
    pub collector: String,
    /// What happened to it.
    pub state: StepState,
    /// Milliseconds since the run began.
    pub at_ms: u64,
    /// How many facts it gave; 0 at its begin.
    #[serde(default)]
    pub facts: u64,
}

/// What happened to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It began.
    Began,
    /// It ended by itself.
    Done,
    /// It was left behind at its time bound; what it had given is kept.
    TimedOut,
    /// It was stopped by the user.
    Stopped,
    /// It failed inside; what it had given is kept.
    Failed,
    /// A resumed run found it already done.
    Skipped,
}

/// A piece of evidence that came whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// Number of its chunks' frames.
    pub id: u32,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What it is: "program of process 4711".
    pub what: String,
    /// Where it was.
    pub place: Text,
    /// The process it belongs to, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Whether the source ended before `size` was reached or changed while it was read.
    #[serde(default)]
    pub partial: bool,
}

/// How a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    /// Whether every collector ran to its end.
    pub complete: bool,
    /// Milliseconds since the run began.
    pub took_ms: u64,
    /// Facts given.
    pub facts: u64,
    /// Gaps given.
    pub gaps: u64,
    /// Peak resident memory of the host side, in KiB.
    pub peak_kib: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_read_and_all_others_are_kept() {
        let setting =
            crate::kinds::KernelSetting { value: Text::from(&b"|/x\n\xff\\u0041"[..]), ..Default::default() };
        let fact = Fact::from(setting);
        let (from, is) = (Source::file("/proc"), serde_json::to_string(&fact).unwrap());
        let known = Body::Fact { from: from.clone(), fact: Box::new(fact) };
        let (from, is) =
            (format!("\"from\":{}", serde_json::to_string(&from).unwrap()), format!("\"is\":{is}"));
        for line in [
            format!(r#"{{"seq":4,"fact":{{{from},{is}}}}}"#),
            format!(r#"{{"fact":{{{is},{from}}},"seq":4}}"#),
            format!(r#"{{"seq":4,"fact":{{{from},{is},"more":1}}}}"#),
            format!(r#"{{"seq":4,"fact":{{{from},{is}}},"more":1}}"#),
        ] {
            let record = Record::parse(line.as_bytes()).unwrap();
            assert_eq!((record.seq, &record.body), (4, &known), "{line}");
            assert_eq!(serde_json::from_slice::<Record>(line.as_bytes()).unwrap(), record);
            let written = serde_json::to_vec(&record).unwrap();
            assert_eq!(Record::parse(&written).unwrap(), record);
        }
        for line in [
            format!(r#"{{"seq":4,"fact":{{{from},"is":{{"omen":{{"bird":"raven"}}}}}}}}"#),
            format!(r#"{{"seq":4,"fact":{{{is}}}}}"#),
            r#"{"seq":4,"gap":5}"#.to_owned(),
            r#"{"seq":4,"omen":1}"#.to_owned(),
            r#"{"seq":4}"#.to_owned(),
        ] {
            let record = Record::parse(line.as_bytes()).unwrap();
            assert!(matches!(&record.body, Body::Unknown(value) if value.get("seq").is_none()), "{line}");
            assert_eq!(
                serde_json::to_value(&record).unwrap(),
                serde_json::from_str::<serde_json::Value>(&line).unwrap()
            );
        }
        for line in [r#"{"seq":-4,"omen":1}"#, r#"{"omen":1}"#, "[4,5]", "{", ""] {
            assert!(Record::parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn every_kind_of_record_comes_back() {
        for body in [
            Body::Run(Box::default()),
            Body::Gap(Gap::new("a", "b")),
            Body::End(End::default()),
            Body::Step(Step { collector: "a".to_owned(), state: StepState::Done, at_ms: 1, facts: 2 }),
            Body::Schema(Box::new(crate::kinds::schemas().remove(0))),
        ] {
            let record = Record { seq: 1, body };
            assert_eq!(Record::parse(&serde_json::to_vec(&record).unwrap()).unwrap(), record);
        }
    }
}
