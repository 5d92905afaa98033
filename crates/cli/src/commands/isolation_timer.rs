//! The clean side's own timer of a trial: it confirms over a connection of its own, or says that the time is over and what is so.

use super::isolate::confirm;
use crate::args::Isolate;
use crate::exit::Exit;
use crate::machine::Machine;
use crate::show;
use calma_case::Case;
use calma_host::standing;
use calma_isolate::order::Phase;
use calma_isolate::preview::Preview;
use calma_recovery::{Side, SideError};
use calma_views::text::wrap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How often the host is asked whether somebody confirmed elsewhere.
const OFTEN: Duration = Duration::from_secs(5);
/// What the host is given beyond the trial's time, and how long is tried to reach it then.
const GRACE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a trial stands, as the host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Trial,
    Held,
    Open,
}

impl Stands {
    fn of(preview: &Preview) -> Self {
        match &preview.already {
            Some((state, alive)) if *alive || preview.stands => match state.phase {
                Phase::Trial => Self::Trial,
                Phase::Held => Self::Held,
            },
            _ => Self::Open,
        }
    }
}

fn stands(side: &dyn Side) -> Result<Stands, SideError> {
    side.isolation(&[]).map(|preview| Stands::of(&preview))
}

/// Whether this side stays until the trial has ended: where it is another host that is on trial, and somebody is there to be asked
/// or it was asked for.
pub(crate) fn applies(arguments: &Isolate, machine: &Machine<'_>, trial: u64) -> bool {
    let asked = arguments.wait || !arguments.json && std::io::stdin().is_terminal();
    matches!(machine, Machine::At(..)) && trial > 0 && asked
}

/// Waits, asks, confirms; says at the end what is so. `closed` is when the host said that it was.
pub(crate) fn keep(
    arguments: &Isolate,
    machine: &Machine<'_>,
    side: &dyn Side,
    case: &Case,
    closed: Instant,
    trial: u64,
) -> anyhow::Result<Exit> {
    let end = closed + Duration::from_secs(trial);
    let asks = std::io::stdin().is_terminal();
    if asks {
        let words = "Enter: connect anew and confirm   q: leave the timer to the host";
        show::print(&format!("\n  {words}\n"));
    }
    let mut asked = Instant::now();
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        moving(&format!("Closed on trial. It opens by itself in {} s", left.as_secs()));
        let wait = left.min(Duration::from_secs(1));
        let said = if asks { answer(wait) } else { None };
        if said.is_none() && !asks {
            std::thread::sleep(wait);
        }
        match said.as_deref() {
            Some("q") => {
                moving("");
                show::print(&words::left(machine));
                return Ok(Exit::Done);
            }
            Some("") => {
                moving("");
                match anew(arguments, machine, case) {
                    Ok(Exit::Done) => return Ok(Exit::Done),
                    Ok(_) => show::print(&words::not_confirmed("see above")),
                    Err(error) => show::print(&words::not_confirmed(&error.to_string())),
                }
            }
            // Nothing is confirmed by a word that means nothing.
            _ => {}
        }
        if asked.elapsed() >= OFTEN {
            asked = Instant::now();
            match stands(side) {
                // The line that is there says nothing about new ones; at the end a new one is tried.
                Ok(Stands::Trial) | Err(_) => {}
                Ok(Stands::Held | Stands::Open) => {
                    moving("");
                    return told(machine, case, after(machine), arguments.json);
                }
            }
        }
    }
    moving("");
    std::thread::sleep(GRACE);
    told(machine, case, after(machine), arguments.json)
}

/// Where it stands once the trial has ended, asked over a new connection.
fn after(machine: &Machine<'_>) -> Result<Stands, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = machine.side_anew().map_err(|error| error.to_string());
        match asked.and_then(|side| stands(side.as_ref()).map_err(|error| error.to_string())) {
            Ok(Stands::Trial) | Err(_) if Instant::now() < until => {
                std::thread::sleep(Duration::from_secs(1));
            }
            other => return other,
        }
    }
}

/// Confirms over a connection of its own.
fn anew(arguments: &Isolate, machine: &Machine<'_>, case: &Case) -> anyhow::Result<Exit> {
    let side = machine.side_anew()?;
    let preview = side.isolation(&[]).map_err(|error| machine.silent(error, case))?;
    confirm(arguments, machine, side.as_ref(), &preview)
}

/// Says it, and notes it in the case.
fn told(
    machine: &Machine<'_>,
    case: &Case,
    stands: Result<Stands, String>,
    json: bool,
) -> anyhow::Result<Exit> {
    let (what, next, exit) = words::end(machine, &stands);
    if let Err(error) = calma_recovery::note(case, &what, &[]) {
        eprintln!("  The case could not note it: {error}");
    }
    if json {
        let word = match &stands {
            Ok(Stands::Held) => "held",
            Ok(Stands::Open) => "open",
            Ok(Stands::Trial) => "still-on-trial",
            Err(_) => "silent",
        };
        show::print(&format!("{}\n", serde_json::json!({ "type": "trial", "ended": word, "says": what })));
    } else {
        show::print(&format!("\n{}\n{}", wrap("  ", &what), wrap("  Next: ", &next)));
    }
    Ok(exit)
}

/// A line from the terminal, if one is typed within this time. It is read only then: ssh may have to ask for a password there.
fn answer(wait: Duration) -> Option<String> {
    let ready = standing::readable(&[std::io::stdin().as_fd()], wait).unwrap_or_default();
    if ready.first() != Some(&true) {
        return None;
    }
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => {
            // The terminal is gone; the time goes on.
            std::thread::sleep(wait);
            None
        }
        Ok(_) => Some(line.trim().to_owned()),
    }
}

/// One line that moves, where somebody watches.
fn moving(text: &str) {
    let mut err = std::io::stderr().lock();
    if err.is_terminal() {
        let lead = if text.is_empty() { "" } else { "  " };
        drop(write!(err, "\r\u{1b}[K{lead}{text}"));
        drop(err.flush());
    }
}

/// What is said.
mod words {
    use super::{Exit, Machine, Stands, wrap};

    pub(super) fn left(machine: &Machine<'_>) -> String {
        let next = format!("over a new connection: {} isolate --confirm", machine.command());
        format!("\n{}", wrap("  Next: ", &next))
    }

    pub(super) fn not_confirmed(why: &str) -> String {
        let words =
            format!("It was not confirmed: {why}. The trial goes on; do nothing, and all is as it was.");
        format!("\n{}", wrap("  ", &words))
    }

    pub(super) fn end(machine: &Machine<'_>, stands: &Result<Stands, String>) -> (String, String, Exit) {
        let command = machine.command();
        match stands {
            Ok(Stands::Held) => (
                "The host says that the isolation was confirmed: it stays until a person opens it.".to_owned(),
                format!("stop what was found: {command} contain"),
                Exit::Done,
            ),
            Ok(Stands::Open) => (
                "The trial has ended and nobody confirmed: the host says that it is open again, as it was. A new connection came in."
                    .to_owned(),
                format!("isolate it again and confirm: {command} isolate"),
                Exit::Unseen,
            ),
            Ok(Stands::Trial) => (
                "The trial's time is over, and the host still says that it is closed on trial: whoever holds it there was \
                 stopped, or does not say what is so."
                    .to_owned(),
                format!("open it yourself: {command} release"),
                Exit::Failed,
            ),
            Err(why) => (
                format!("The trial is over, and the host does not let a new connection in: {why}."),
                "go to its console, or its hypervisor's, and there: calma release".to_owned(),
                Exit::Failed,
            ),
        }
    }
}
