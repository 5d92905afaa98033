//! Plans, what becomes of them, and the journal, in words.

use crate::exit::Refusal;
use crate::show;
use calma_record::step::{Ended, Outcome, Plan, Step, Undoable, Way};
use calma_recovery::{Back, Event, History, Past, Stands, describe, verb};
use calma_views::text::wrap;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

fn line(lead: &str, step: &Step, tail: &str) -> String {
    let text = if tail.is_empty() { describe(step) } else { format!("{} · {tail}", describe(step)) };
    wrap(&format!("{lead}{:<11}", verb(step)), &text)
}

/// How far a step can be taken back, in the plan's words.
fn back(step: &Step) -> &'static str {
    match calma_recovery::undoable(step) {
        Some((Undoable::Nothing, _)) | None => "",
        Some((_, back)) => back,
    }
}

/// The plan as it is shown before anything is changed.
pub(crate) fn plan(plan: &Plan, dry: bool) -> String {
    let mut out = format!(
        "\n  This {} change {}. Nothing has been changed yet.\n",
        if dry { "would" } else { "will" },
        plan.host
    );
    let mut unticked: Vec<&Step> = Vec::new();
    out.push('\n');
    for step in &plan.steps {
        if !step.ticked {
            unticked.push(step);
            continue;
        }
        out.push_str(&line(&format!("  {:>4}  ", step.number), step, back(step)));
    }
    if !unticked.is_empty() {
        out.push_str("\n  Not ticked:\n");
        for step in unticked {
            let why = if step.doubt.is_empty() { "you took the tick away" } else { &step.doubt };
            out.push_str(&line(&format!("  [ ]{:>2} ", step.number), step, &format!("not ticked: {why}")));
        }
    }
    out.push('\n');
    let kills = plan.steps.iter().any(|step| step.ticked && step.action == "kill");
    if kills {
        out.push_str(&wrap(
            "  ",
            "What is killed cannot come back; before that, its memory and files are kept in the case. Whatever else runs one \
             of the quarantined files by then goes the same way.",
        ));
    }
    out.push_str(&wrap(
        "  ",
        "Your own session, the first process and everything not named here stay as they are.",
    ));
    out
}

/// One line a step as it happens.
pub(crate) fn event(event: &Event<'_>) -> String {
    match event {
        Event::Begins(..) => String::new(),
        Event::Ended(step, outcome) => {
            let mark = match outcome.ended {
                Ended::Done => "done",
                Ended::NotHeld => "NOT WHOLE",
                Ended::Refused => "not done",
            };
            let what =
                if outcome.way == Way::Undo { format!("undo {}", verb(step)) } else { verb(step).to_owned() };
            wrap(
                &format!("  {:>4}  {what:<16}", outcome.id),
                &format!("{}: {mark}. {}", describe(step), outcome.says),
            )
        }
        Event::Refused(step, refusal) => {
            let instead = if refusal.instead.is_empty() {
                String::new()
            } else {
                format!(" Instead: {}.", refusal.instead)
            };
            wrap(
                &format!("     -  {:<16}", verb(step)),
                &format!("{}: not done. {}.{instead}", describe(step), refusal.why),
            )
        }
    }
}

/// Prints it: what ended comes together with what else ended, before the next step begins.
pub(crate) fn tell(event: &Event<'_>) {
    match event {
        Event::Begins(..) => show::print(""),
        event => show::print_soon(&self::event(event)),
    }
}

/// Counts what did not go as planned.
pub(crate) fn count(event: &Event<'_>, failed: &mut u32, refused: &mut u32) {
    match event {
        Event::Ended(_, outcome) if outcome.ended == Ended::NotHeld => *failed += 1,
        Event::Ended(_, outcome) if outcome.ended == Ended::Refused => *refused += 1,
        Event::Refused(..) => *refused += 1,
        _ => {}
    }
}

/// What holds at the end, and the next step.
pub(crate) fn summary(
    command: &str,
    first: u64,
    (failed, refused): (u32, u32),
    back: &[Back],
    phrase: &str,
) -> String {
    let mut out = String::from("\n");
    if failed == 0 && refused == 0 && back.is_empty() {
        out.push_str("  Everything that was ticked is done and holds; nothing of it came back.\n");
    }
    if refused > 0 {
        out.push_str(&wrap(
            "  ",
            &format!("{refused} of the steps were not done; the reason stands beside each."),
        ));
    }
    if failed > 0 {
        out.push_str(&wrap(
            "  ",
            &format!("{failed} of the steps did not hold; the reason stands beside each."),
        ));
    }
    for one in back {
        let by = if one.by.is_empty() { String::new() } else { format!(", started by {}", one.by) };
        out.push_str(&wrap("  ", &format!("It comes back: {}{by}.", one.what)));
    }
    let _ = writeln!(out, "\n  The journal is sealed: {phrase}");
    let _ = writeln!(out, "  Take it all back:   {command} undo --all      (steps from {first} on)");
    let _ = writeln!(out, "  Next: look again:   {command} triage");
    out
}

/// The steps of the journal.
pub(crate) fn journal(command: &str, history: &History) -> String {
    let mut out = String::from("\n  What calma did here, by step:\n\n");
    let mut any = false;
    for past in history.steps() {
        any = true;
        out.push_str(&line(&format!("  {:>4}  ", past.intent.id), &past.intent.step, stands(past)));
    }
    if !any {
        return "\n  Nothing was changed in this case.\n".to_owned();
    }
    let _ = writeln!(
        out,
        "\n  Take steps back:   {command} undo STEP…\n  or all of them:    {command} undo --all"
    );
    out
}

fn stands(past: &Past) -> &'static str {
    match past.stands() {
        Stands::Doing => "cut off in the middle",
        Stands::Done => "done",
        Stands::NotHeld => "did not hold",
        Stands::Refused => "not done",
        Stands::Undoing => "taking it back was cut off in the middle",
        Stands::Undone => "taken back",
        Stands::NotUndone => "could not be taken back whole",
    }
}

/// What taking steps back would bring.
pub(crate) fn undo_plan(wanted: &[&Past]) -> String {
    let mut out = String::from("\n  This will take back what calma did. Nothing has been changed yet.\n\n");
    let mut revived = Vec::new();
    for past in wanted.iter().rev() {
        let step = &past.intent.step;
        revived.extend(calma_recovery::revives(step));
        out.push_str(&line(&format!("  {:>4}  ", past.intent.id), step, back(step)));
    }
    if !revived.is_empty() {
        out.push_str("\n  This brings back to life:\n");
        revived.iter().for_each(|what| out.push_str(&wrap("    - ", what)));
        out.push_str(&wrap("  ", "Cut the server off from the network first, if you have not."));
    }
    out
}

/// Whether taking these steps back brings anything to life.
pub(crate) fn brings_back(wanted: &[&Past]) -> bool {
    wanted.iter().any(|past| calma_recovery::revives(&past.intent.step).is_some())
}

/// Where quarantined files will go, and to which disks they could go.
pub(crate) fn places(case: &str, to: Option<&Path>, encrypted: bool, disks: &[calma_case::Disk]) -> String {
    let fits: Vec<&calma_case::Disk> = disks.iter().filter(|disk| disk.removable && disk.writable).collect();
    let words = |disk: &calma_case::Disk| {
        format!("{} ({}, {:.1} GB free)", show::path(&disk.mounted_at), disk.kind, disk.free as f64 / 1e9)
    };
    let mut out = String::new();
    match to {
        Some(to) => {
            // The mount that the folder lies on: the longest path that begins it.
            let on = disks.iter().filter(|disk| to.starts_with(&disk.mounted_at));
            let on = on.max_by_key(|disk| disk.mounted_at.as_os_str().len());
            let on = on.map_or_else(|| show::path(to), words);
            let how = if encrypted { ", encrypted" } else { "" };
            out.push_str(&wrap("  ", &format!("Quarantined files go to {on}{how}, and are read again there before they are removed here.")));
        }
        None => {
            out.push_str(&wrap("  ", &format!("Quarantined files go into the case, {case}.")));
            for disk in fits {
                out.push_str(&wrap(
                    "  ",
                    &format!("They can go to {} instead: --to {}", words(disk), show::path(&disk.mounted_at)),
                ));
            }
        }
    }
    out
}

/// The end of an undo.
pub(crate) fn undone(steps: usize, failed: usize, phrase: &str) -> String {
    let mut out = String::from("\n");
    if failed == 0 {
        let _ = writeln!(out, "  {steps} steps taken back, each verified.");
    } else {
        let _ = writeln!(
            out,
            "  {failed} of {steps} steps could not be taken back whole; the reason stands beside each."
        );
    }
    let _ = writeln!(out, "  The journal is sealed: {phrase}");
    out
}

/// The plan as JSON lines.
pub(crate) fn json_plan(plan: &Plan) -> String {
    plan.steps.iter().fold(String::new(), |mut out, step| {
        let mut value = json!({ "type": "step", "says": describe(step) });
        if let (Some(object), Ok(serde_json::Value::Object(step))) =
            (value.as_object_mut(), serde_json::to_value(step))
        {
            object.extend(step);
        }
        let _ = writeln!(out, "{value}");
        out
    })
}

/// What became of each step, as JSON lines.
pub(crate) fn json_outcomes(history: &History, first: u64, back: &[Back]) -> String {
    let mut out = json_steps(history, first);
    let mut counts = (0, 0);
    for done in history.steps().filter(|past| past.intent.id >= first).filter_map(|past| past.done.as_ref()) {
        if done.ended == Ended::Done { counts.0 += 1 } else { counts.1 += 1 }
    }
    for one in back {
        let _ = writeln!(out, "{}", json!({ "type": "came-back", "what": one.what, "by": one.by }));
    }
    let _ = writeln!(
        out,
        "{}",
        json!({ "type": "end", "done": counts.0, "not_done": counts.1, "came_back": back.len() })
    );
    out
}

/// How each step from `first` on ended, a line each.
pub(crate) fn json_steps(history: &History, first: u64) -> String {
    let mut out = String::new();
    for past in history.steps().filter(|past| past.intent.id >= first) {
        let Some(Outcome { id, ended, says, .. }) = &past.done else { continue };
        let step = &past.intent.step;
        let value = json!({ "type": "outcome", "id": id, "step": step.number, "action": step.action, "ended": ended, "says": says });
        let _ = writeln!(out, "{value}");
    }
    out
}

/// Reads a plan that was saved and perhaps edited.
pub(crate) fn read_plan(file: &Path) -> anyhow::Result<Plan> {
    let text = crate::places::read_text(file)?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| {
        Refusal::wrong_use(
            format!("{} is no plan of calma: {error}", show::path(file)),
            "calma contain --dry-run --plan FILE writes one",
        )
    })?;
    Ok(plan)
}

/// Saves a plan.
pub(crate) fn write_plan(file: &Path, plan: &Plan) -> anyhow::Result<()> {
    crate::places::write_new(file, &(serde_json::to_string_pretty(plan)? + "\n"))
}
