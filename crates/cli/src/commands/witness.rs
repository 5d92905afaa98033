//! `calma witness`: hears from another machine whether a suspect host is silent, and signs what was heard.

use crate::args::Witness;
use crate::exit::{Exit, Refusal};
use crate::{paper, places, show};
use calma_case::{ExportForm, ExportOptions};
use calma_host::{Host as _, Live};
use calma_isolate::Kept;
use calma_isolate::beat::{Key, NoBeat};
use calma_isolate::canary::Offset;
use calma_isolate::witness::proof::{Proof, Question, Weighed, weigh};
use calma_isolate::witness::{Class, Counts, Hush, Interval, Options, Part, Silence, place, row};
use calma_record::Text;
use calma_recovery::Attestation;
use calma_views::text::wrap;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Destinations that are shown one by one.
const SHOWN: usize = 12;

/// Hears until it is told to stop, seals, shows.
pub(crate) fn run(arguments: &Witness) -> anyhow::Result<Exit> {
    let stop = calma_host::on_interrupt();
    let host = Arc::new(Live::new());
    let interface = arguments.interface.as_ref().map(|name| Text::from(name.as_bytes()));
    let found = place(host.as_ref(), interface.as_ref(), &arguments.host).map_err(|error| {
        Refusal::wrong_use(
            error.to_string(),
            "name the interface with --interface IF and the suspect with --host ADDR",
        )
    })?;
    let kept = arguments.kept.iter().map(|word| {
        word.parse::<Kept>().map_err(|error| {
            Refusal::wrong_use(
                error.to_string(),
                "name your own address and the port of the suspect you use: --kept 192.0.2.9:22",
            )
        })
    });
    let kept: Vec<Kept> = kept.collect::<Result<_, _>>()?;
    let names = found.suspect.names();
    let suspect = if names.is_empty() { "everything that comes in".to_owned() } else { names.join(", ") };
    let key = match &arguments.key {
        None => Key::new(),
        Some(word) => Some(word.parse().map_err(|error: NoBeat| {
            Refusal::wrong_use(error.to_string(), "calma witness --key KEY, with the key of that isolation")
        })?),
    };
    let options = Options { kept, key, buffer: arguments.buffer, port: arguments.port, ..Options::at(found) };
    let (name, case) = (options.place.name.clone(), places::witness(arguments)?);
    let begun = host.clock().now();
    let mut attestation =
        match Attestation::begin(&case, Arc::clone(&host) as Arc<dyn calma_host::Host>, options) {
            Ok(attestation) => attestation,
            Err(error) => {
                case.discard_if_empty();
                return Err(error.into());
            }
        };
    let notes = attestation.witness().notes().to_vec();
    if arguments.json {
        let line = serde_json::json!({
            "type": "run", "schema": calma_views::json::SCHEMA, "tool": "calma", "version": env!("CARGO_PKG_VERSION"),
            "host": suspect, "started": begun, "case": show::path(case.folder()), "command": ["witness"],
            "interface": name, "hears": attestation.witness().hears().to_string(), "notes": notes,
            "key": key.map(|key| key.to_string()),
        });
        show::print(&format!("{line}\n"));
    }
    notes.iter().for_each(|note| eprint!("{}", wrap("  ", note)));
    if let Some(key) = key.filter(|_| arguments.key.is_none()) {
        let words = format!("isolate it with --witness ADDR/{key}, where ADDR is this machine as it sees it");
        eprint!("{}", wrap("  ", &format!("So that it is noticed here when the guard is gone: {words}")));
    }
    let began = Instant::now();
    let end = arguments.seconds.map(|seconds| began + Duration::from_secs(seconds));
    let (mut intervals, mut hush) = (Vec::new(), Hush::default());
    let mut progress = Moving::default();
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        std::thread::sleep(left.min(Duration::from_millis(200)));
        take(attestation.write()?, arguments.json, &mut intervals, &mut hush);
        progress.show(&format!("Hearing {name}: {}", in_short(&attestation.snapshot())));
    }
    progress.clear();
    let seconds = began.elapsed().as_secs_f64();
    let (counts, last, seal) = attestation.end()?;
    take(last, arguments.json, &mut intervals, &mut hush);
    let weighed = judged(&intervals);
    if let Some(file) = &arguments.out {
        let form = ExportOptions { form: ExportForm::Tar, secrets: false };
        paper::hand_on(file, |to| case.export(to, form).map_err(std::io::Error::other))?;
    }
    if arguments.json {
        show::print(&format!("{}\n", end_line(&weighed, &counts, &hush, &seal.phrase, seconds)));
    } else {
        let folder = show::path(case.folder());
        show::print(&screen(&weighed, &hush, &suspect, &name, &seal.phrase, &folder, seconds));
    }
    Ok(match weighed.proof {
        Proof::Silent => Exit::Done,
        Proof::Heard => Exit::Findings,
        Proof::NotProven => Exit::Unseen,
    })
}

/// Prints and keeps intervals. Of a long watch the counts matter, not each quiet interval.
fn take(closed: Vec<Interval>, json: bool, intervals: &mut Vec<Interval>, hush: &mut Hush) {
    for interval in closed {
        if let Some(silence) = hush.take(&interval) {
            eprint!("\r\u{1b}[K{}", wrap("  ", &fell(&silence)));
        }
        if json && let Ok(serde_json::Value::Object(mut line)) = serde_json::to_value(row(&interval)) {
            line.insert("type".to_owned(), "interval".into());
            show::print(&format!("{}\n", serde_json::Value::Object(line)));
        }
        intervals.push(interval);
    }
}

/// That the guard fell silent, in words.
fn fell(silence: &Silence) -> String {
    let until = silence.to.map_or_else(String::new, |to| format!(" until {to}"));
    format!(
        "The guard fell silent at {}{until}: it was ended, it is cut off, or the isolation was released.",
        silence.from
    )
}

/// The whole time, by this machine's own clock. Where the guard gave signs of life, no more is claimed than up to the last
/// one.
fn judged(intervals: &[Interval]) -> Weighed {
    let offset = Offset { ahead: 0, give_or_take: 0 };
    let from = intervals.first().map(|one| one.from).unwrap_or_default();
    let to = intervals.last().map(|one| one.to).unwrap_or_default();
    let alive = intervals.iter().any(|one| one.counts.beats > 0);
    weigh(intervals, &Question { from, to, offset, upkeep: true, alive })
}

fn in_short(counts: &Counts) -> String {
    let (kept, upkeep, leaks) = (counts.of(Part::Kept), counts.of(Part::Upkeep), counts.of(Part::Leak));
    format!("{leaks} frames that should not be there, {kept} of your session, {upkeep} of the link")
}

fn end_line(
    weighed: &Weighed,
    counts: &Counts,
    hush: &Hush,
    phrase: &str,
    seconds: f64,
) -> serde_json::Value {
    let silent: Vec<_> =
        hush.all().iter().map(|one| serde_json::json!({ "from": one.from, "to": one.to })).collect();
    let proof = match weighed.proof {
        Proof::Silent => "silent",
        Proof::Heard => "heard",
        Proof::NotProven => "not-proven",
    };
    let by: serde_json::Map<String, serde_json::Value> =
        counts.by.iter().map(|(class, tally)| (class.name().to_owned(), tally.frames.into())).collect();
    serde_json::json!({
        "type": "end", "proof": proof, "from": weighed.from, "to": weighed.to, "why": weighed.why,
        "leaks": counts.of(Part::Leak), "kept": counts.of(Part::Kept), "upkeep": counts.of(Part::Upkeep),
        "canaries": counts.canaries.len(), "beats": counts.beats, "silent": silent, "by": by, "seconds": (seconds * 10.0).round() / 10.0, "phrase": phrase,
    })
}

fn screen(
    weighed: &Weighed,
    hush: &Hush,
    suspect: &str,
    interface: &Text,
    phrase: &str,
    folder: &str,
    seconds: f64,
) -> String {
    let counts = &weighed.counts;
    let mut text = wrap("\n  ", &format!("Heard {interface} for {seconds:.0} s: {suspect}."));
    let of = |part: Part| -> String {
        let classes = counts.by.iter().filter(|(class, _)| class.part() == part);
        classes.map(|(class, _)| class.words()).collect::<Vec<_>>().join("; ")
    };
    text.push_str(&match weighed.proof {
        Proof::Silent => {
            wrap("  ", "Nothing got out, as seen from here: nothing was lost, and the wire was plugged in.")
        }
        Proof::Heard => wrap("  ", &format!("Something got out: {} frames.", counts.of(Part::Leak))),
        Proof::NotProven => wrap("  ", &format!("Not proven: {}.", weighed.why.join("; "))),
    });
    for silence in hush.all() {
        text.push_str(&wrap("  ", &fell(&silence)));
    }
    if hush.began() {
        text.push_str(&wrap(
            "  ",
            &format!("Said for the time up to {}, its last sign of life.", weighed.to),
        ));
    }
    text.push('\n');
    for (class, tally) in counts.by.iter().filter(|(class, _)| class.part() == Part::Leak) {
        text.push_str(&wrap(&format!("  {:>9}  ", tally.frames), class.words()));
        text.push_str(&destinations(counts, *class));
    }
    for (part, words) in [(Part::Kept, "of your own session"), (Part::Upkeep, "that keep it alive")] {
        match counts.of(part) {
            0 if part == Part::Kept => {}
            0 => {}
            frames if part == Part::Kept => text.push_str(&wrap(&format!("  {frames:>9}  "), words)),
            frames => text.push_str(&wrap(&format!("  {frames:>9}  "), &format!("{words}: {}", of(part)))),
        }
    }
    if !counts.canaries.is_empty() {
        text.push_str(&wrap(
            &format!("  {:>9}  ", counts.canaries.len()),
            "canaries arrived (they are counted above too)",
        ));
    }
    if weighed.proof == Proof::Heard && !weighed.why.is_empty() {
        text.push_str(&wrap("  Not known: ", &format!("how much more: {}.", weighed.why.join("; "))));
    }
    text.push_str(&wrap("\n  Sealed: ", &format!("{phrase}   (write these words down)")));
    text.push_str(&wrap(
        "  Next: check the log on any machine:   ",
        &format!("calma case verify --case {folder}"),
    ));
    text
}

/// Where frames of a class went, the most of them first.
fn destinations(counts: &Counts, class: Class) -> String {
    let mut flows: Vec<_> =
        counts.flows.iter().filter(|(flow, _)| flow.class == class && flow.to.is_some()).collect();
    flows.sort_by_key(|(_, frames)| std::cmp::Reverse(**frames));
    let mut text = String::new();
    for (flow, frames) in flows.iter().take(SHOWN) {
        let to = flow.to.map_or_else(String::new, |to| to.to_string());
        let port = if flow.port == 0 { String::new() } else { format!(", port {}", flow.port) };
        text.push_str(&wrap(&format!("  {frames:>13}  "), &format!("to {to}{port}")));
    }
    if flows.len() > SHOWN {
        text.push_str(&wrap("                 ", &format!("and {} other destinations", flows.len() - SHOWN)));
    }
    text
}

/// One line that moves; a line every ten seconds where nobody watches.
#[derive(Default)]
struct Moving {
    last: Option<Instant>,
    drawn: bool,
}

impl Moving {
    fn show(&mut self, text: &str) {
        let mut err = std::io::stderr().lock();
        if err.is_terminal() {
            let cut: String = text.chars().take(76).collect();
            drop(write!(err, "\r\u{1b}[K  {cut}"));
            drop(err.flush());
            self.drawn = true;
        } else if self.last.is_some_and(|last| last.elapsed().as_secs() >= 10) {
            drop(writeln!(err, "  {text}"));
            self.last = Some(Instant::now());
        }
        self.last.get_or_insert_with(Instant::now);
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            drop(write!(std::io::stderr().lock(), "\r\u{1b}[K"));
        }
    }
}
