//! `calma contain`: a plan from what was found; shown, asked, carried out, watched.

use crate::args::Contain;
use crate::exit::{Exit, Refusal};
use crate::machine::Machine;
use crate::{changes, places, show};
use calma_case::{Away, Case, PlaceFacts, PlaceKind, Recipient};
use calma_host::{Live, Tree as _};
use calma_record::step::{Ended, Plan};
use calma_recovery::{
    Back, Engine, EngineError, Event, History, ProposeError, Side, more, programs, propose, watch,
};
use std::io::{BufRead as _, IsTerminal as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Proposes, asks, carries out, watches.
pub(crate) fn run(arguments: &Contain, machine: &Machine<'_>) -> anyhow::Result<Exit> {
    let case = machine.case(arguments.case.as_deref())?;
    if arguments.finish || arguments.take_back {
        return put_right(&case, machine, arguments.take_back);
    }
    let command = machine.command();
    let history = History::of(case.journal_entries()?);
    if let Some(past) = history.open().next().filter(|_| !arguments.dry_run) {
        return Err(Refusal::new(
            format!("an earlier run was cut off at step {}", past.intent.id),
            format!(
                "finish it with {command} contain --finish, or take it back with {command} contain --take-back"
            ),
        ));
    }
    let side = machine.side()?;
    let mut plan = match &arguments.plan {
        Some(file) if !arguments.dry_run && places::is_there(file) => changes::read_plan(file)?,
        _ => {
            let review = calma_recovery::review(&case)?;
            if review.run.target != "live" {
                return Err(Refusal::new(
                    "this case is about a mounted root, where nothing runs",
                    "contain works on the running server itself",
                ));
            }
            if !review.run.boot.is_empty() && review.run.boot != *side.boot() {
                return Err(Refusal::new(
                    "this case was made on another machine, or before it was restarted",
                    format!("look again: {command} triage --case DIR"),
                ));
            }
            propose(&case, &review, side.as_ref(), &arguments.stories).map_err(|error| match error {
                ProposeError::Side(error) => machine.silent(error, &case),
                ProposeError::Case(error) => error.into(),
            })?
        }
    };
    tick(&mut plan, &arguments.only, &arguments.except)?;
    if plan.steps.is_empty() {
        show::print("\n  Nothing to contain: no finding of weight names a process or file that is there.\n");
        return Ok(Exit::Done);
    }
    let target = Target::of(arguments, machine)?;
    if arguments.json {
        show::print(&changes::json_plan(&plan));
    } else {
        show::print(&changes::plan(&plan, arguments.dry_run));
        if plan.steps.iter().any(|step| step.ticked && step.action == "quarantine") {
            let disks = PlaceFacts::gather().disks;
            let (to, encrypted) =
                (arguments.to.as_deref(), target.as_ref().is_some_and(|to| to.recipient.is_some()));
            show::print(&changes::places(&show::path(case.folder()), to, encrypted, &disks));
        }
    }
    if arguments.dry_run {
        if let Some(file) = &arguments.plan {
            changes::write_plan(file, &plan)?;
            show::print(&format!(
                "  The plan stands in {}. Edit it and give it again with --plan.\n",
                show::path(file)
            ));
        }
        return Ok(Exit::Done);
    }
    if case.about().place == PlaceKind::Memory {
        return Err(not_durable());
    }
    if !arguments.yes && !ask(&mut plan)? {
        show::print("\n  Left as it is. Nothing was changed.\n");
        return Ok(Exit::Done);
    }
    carry_out(&case, machine, side.as_ref(), &plan, arguments, target)
}

/// The disk that quarantined files go to, and who can read them there.
struct Target {
    disk: PathBuf,
    /// The device that was looked at: the disk may be pulled before it is written to.
    device: u64,
    recipient: Option<Recipient>,
}

impl Target {
    /// As it was asked for. A memory is no such place, nor is the server's own disk; from afar it is a disk of this machine.
    fn of(arguments: &Contain, machine: &Machine<'_>) -> anyhow::Result<Option<Self>> {
        let Some(to) = &arguments.to else { return Ok(None) };
        let host = Live::new();
        let device = |path: &Path| host.meta_followed(path.as_os_str().as_bytes()).map(|meta| meta.device);
        let there = device(to).map_err(|error| {
            Refusal::wrong_use(error.to_string(), "mount the disk and name a folder on it: --to DIR")
        })?;
        let on_root = device(Path::new("/")).is_ok_and(|own| own == there);
        let (fits, it_is) = match machine {
            Machine::Here => (!on_root && on_a_disk(to), "on this server's own disk or in its memory"),
            Machine::At(..) => (on_root || on_a_disk(to), "in this machine's memory"),
        };
        if !fits {
            return Err(Refusal::wrong_use(
                format!("{} is {it_is}", show::path(to)),
                "mount a USB stick or another disk and name a folder on it: --to DIR",
            ));
        }
        let recipient = match &arguments.encrypt_to {
            Some(key) => Some(recipient(key)?),
            None => None,
        };
        Ok(Some(Self { disk: to.clone(), device: there, recipient }))
    }
}

/// Whether a path is on a file system that is still there after a power cut.
fn on_a_disk(path: &Path) -> bool {
    let real = calma_host::resolve(&Live::new(), path.as_os_str().as_bytes());
    let real = real.map(|real| PathBuf::from(std::ffi::OsString::from_vec(real)));
    let Ok(real) = real else { return false };
    PlaceFacts::gather()
        .disks
        .iter()
        .any(|disk| real.starts_with(&disk.mounted_at) && disk.mounted_at != Path::new("/"))
}

/// An age recipient, as it is written or as the first line of a file that begins like one.
fn recipient(key: &str) -> anyhow::Result<Recipient> {
    let wrong = || {
        Refusal::wrong_use(
            "that is no age recipient".to_owned(),
            "give one as age-keygen prints it (age1…), or the file it stands in; ssh keys are not taken",
        )
    };
    if let Some(recipient) = Recipient::parse(key) {
        return Ok(recipient);
    }
    let text = places::read_text(Path::new(key)).map_err(|_| wrong())?;
    text.lines().find_map(Recipient::parse).ok_or_else(wrong)
}

fn carry_out(
    case: &Case,
    machine: &Machine<'_>,
    side: &dyn Side,
    plan: &Plan,
    arguments: &Contain,
    target: Option<Target>,
) -> anyhow::Result<Exit> {
    machine.survive_signals();
    let mut engine = Engine::start(case, side).map_err(|error| machine.refusal(error, case))?;
    if arguments.even_databases {
        engine.even_databases().map_err(|error| machine.refusal(error, case))?;
    }
    if let Some(Target { disk, device, recipient }) = target {
        let away = Away::begin(&disk, recipient)?;
        if away.device() != Some(device) {
            return Err(Refusal::new(
                format!("the disk at {} was taken away", show::path(&disk)),
                "put it in again, mount it, and try again",
            ));
        }
        engine.send_to(away).map_err(|error| machine.refusal(error, case))?;
    }
    let first = engine.history().steps().last().map_or(1, |past| past.intent.id + 1);
    let (mut failed, mut refused) = (0, 0);
    let mut tell = |event: &Event<'_>| {
        changes::count(event, &mut failed, &mut refused);
        if !arguments.json {
            changes::tell(event);
        }
    };
    let done = all(&mut engine, side, plan, first, arguments, &mut tell);
    show::print("");
    let json = arguments
        .json
        .then(|| changes::json_outcomes(engine.history(), first, done.as_deref().unwrap_or_default()));
    // Sealed also where the machine does not answer any more: what is known by then is the keeper's.
    let phrase = engine.end()?;
    if let Some(json) = json {
        show::print(&json);
    }
    let back = done.map_err(|error| machine.refusal(error, case))?;
    if !arguments.json {
        show::print(&changes::summary(&machine.command(), first, (failed, refused), &back, &phrase));
        if let Some(to) = &arguments.to {
            show::print(&format!("  Before you pull it: calma eject {}\n", show::path(to)));
        }
    }
    Ok(if failed > 0 || refused > 0 || !back.is_empty() { Exit::Failed } else { Exit::Done })
}

/// Carries the plan out and watches; what came back.
fn all(
    engine: &mut Engine<'_>,
    side: &dyn Side,
    plan: &Plan,
    first: u64,
    arguments: &Contain,
    tell: &mut dyn FnMut(&Event<'_>),
) -> Result<Vec<Back>, EngineError> {
    engine.carry_out(plan, tell)?;
    // What was started in between from one of these files goes the same way.
    let files = programs(plan);
    for _ in 0..3 {
        let left = side.strays(&files)?;
        if left.is_empty() {
            break;
        }
        engine.carry_out(&more(plan, &left), tell)?;
    }
    let stop = calma_host::on_interrupt();
    if !arguments.json && arguments.watch > 0 {
        show::print(&format!("\n  Watching for {} s whether anything of it comes back.\n", arguments.watch));
    }
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    Ok(watch(side, engine.history(), first, arguments.watch, &stopped)?)
}

/// Ticks what was named, and nothing that was excepted.
fn tick(plan: &mut Plan, only: &[u32], except: &[u32]) -> anyhow::Result<()> {
    for number in only.iter().chain(except) {
        if !plan.steps.iter().any(|step| step.number == *number) {
            return Err(Refusal::wrong_use(
                format!("the plan has no step {number}"),
                "calma contain --dry-run",
            ));
        }
    }
    for step in &mut plan.steps {
        if !only.is_empty() {
            step.ticked = only.contains(&step.number);
        }
        step.ticked &= !except.contains(&step.number);
    }
    Ok(())
}

/// Asks; numbers tick and untick. `false` when it is to be left.
fn ask(plan: &mut Plan) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Refusal::new(
            "nobody is there to be asked",
            "give --yes to do what is ticked, or --dry-run to see it only",
        ));
    }
    loop {
        show::print("\n  Enter: do what is ticked   numbers: tick or untick   q: leave it\n  ");
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 || line.trim() == "q" {
            return Ok(false);
        }
        if line.trim().is_empty() {
            return Ok(true);
        }
        for number in line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u32>().ok()) {
            if let Some(step) = plan.steps.iter_mut().find(|step| step.number == number) {
                step.ticked = !step.ticked;
            }
        }
        show::print(&changes::plan(plan, false));
    }
}

/// Finishes or takes back what a crash, or a lost connection, left.
fn put_right(case: &Case, machine: &Machine<'_>, take_back: bool) -> anyhow::Result<Exit> {
    let history = History::of(case.journal_entries()?);
    if history.open().next().is_none() {
        show::print("\n  Nothing was left in the middle.\n");
        return Ok(Exit::Done);
    }
    let side = machine.side()?;
    machine.survive_signals();
    let mut engine = Engine::start(case, side.as_ref()).map_err(|error| machine.refusal(error, case))?;
    let outcomes = engine.put_right(take_back, &mut |event| changes::tell(event));
    show::print("");
    engine.end()?;
    let outcomes = outcomes.map_err(|error| machine.refusal(error, case))?;
    let whole = outcomes.iter().all(|outcome| outcome.ended != Ended::NotHeld);
    Ok(if whole { Exit::Done } else { Exit::Failed })
}

/// The case would not survive a power cut.
pub(crate) fn not_durable() -> anyhow::Error {
    Refusal::new(
        "the case is in this machine's memory: after a power cut nobody could take the changes back",
        "look again into a case on a removable disk or another folder that stays: calma triage --case DIR; then calma contain --case DIR",
    )
}
