//! Suspects that are frozen before the network is cut, so that they do not see it go and wipe their traces: offered, never forced.

use super::isolation_steps::carry;
use crate::machine::Machine;
use calma_case::Case;
use calma_isolate::order::Order;
use calma_record::step::Step;
use calma_recovery::{History, Side, Stands, Suspect, describe};
use calma_views::text::wrap;
use serde_json::json;

/// The suspects of the newest look of the case, if there is one about this start of the machine. What can not be found out is no
/// reason not to isolate.
pub(crate) fn find(case: Option<&Case>, side: &dyn Side, order: &Order) -> Vec<Suspect> {
    let Some(case) = case else { return Vec::new() };
    let Ok(review) = calma_recovery::review(case) else { return Vec::new() };
    if review.run.target != "live" || !review.run.boot.is_empty() && review.run.boot != *side.boot() {
        return Vec::new();
    }
    let ports: Vec<u32> = order.kept.iter().filter_map(|kept| kept.port).map(u32::from).collect();
    calma_recovery::suspects(case, &review, side, &ports).unwrap_or_default()
}

/// How they stand in the plan.
pub(crate) fn words(suspects: &[Suspect], freeze: bool, asks: bool) -> String {
    let mut out = String::new();
    if freeze && suspects.is_empty() {
        let none = "nobody: no finding of a look at this start of the machine is about a process with a packet socket or a connection out";
        out.push_str(&wrap("  Suspects     ", none));
    }
    let may = |one: &&Suspect| one.doubt.is_empty();
    for one in suspects.iter().filter(may) {
        let lead = if freeze { "  Freezes      " } else { "  Suspect      " };
        out.push_str(&wrap(lead, &format!("{} (it holds {})", describe(&one.step), one.holds)));
    }
    if suspects.iter().any(|one| may(&one)) {
        let say = match (freeze, asks) {
            (true, _) => {
                "before the cut, so that they can not see it and wipe their traces; calma undo thaws them"
            }
            (false, true) => {
                "not frozen unless you say so below; a program that sees the cut may wipe its traces"
            }
            (false, false) => "not frozen without --freeze; a program that sees the cut may wipe its traces",
        };
        out.push_str(&wrap("               ", say));
    }
    for one in suspects.iter().filter(|one| !may(one)) {
        let why = format!("{} (it holds {}): {}", describe(&one.step), one.holds, one.doubt);
        out.push_str(&wrap("  Not frozen   ", &why));
    }
    out
}

/// The same for programs.
pub(crate) fn json(suspects: &[Suspect]) -> serde_json::Value {
    let one = |one: &Suspect| json!({ "step": one.step, "holds": one.holds, "doubt": one.doubt });
    suspects.iter().map(one).collect()
}

/// Freezes them. One that can not be frozen is told of, and nothing waits for it.
pub(crate) fn freeze(
    case: &Case,
    machine: &Machine<'_>,
    side: &dyn Side,
    suspects: Vec<Suspect>,
    json: bool,
) -> anyhow::Result<()> {
    let steps: Vec<Step> =
        suspects.into_iter().filter(|one| one.doubt.is_empty()).map(|one| one.step).collect();
    if !steps.is_empty() {
        carry(case, machine, side, steps, json)?;
    }
    Ok(())
}

/// What is frozen still, by the journal of a case, with how to thaw it; empty if nothing is.
pub(crate) fn still(case: &Case, machine: &Machine<'_>, side: &dyn Side) -> String {
    let Ok(entries) = case.journal_entries() else { return String::new() };
    let history = History::of(entries);
    let killed = |target| {
        history.steps().any(|past| {
            past.intent.step.action == "kill"
                && past.intent.step.target == target
                && past.stands() == Stands::Done
        })
    };
    let frozen: Vec<_> = history
        .steps()
        .filter(|past| past.intent.step.action == "freeze" && past.stands() == Stands::Done)
        // A restart thaws by ending.
        .filter(|past| past.intent.boot == *side.boot())
        .filter(|past| !killed(past.intent.step.target.clone()))
        .collect();
    if frozen.is_empty() {
        return String::new();
    }
    let names: Vec<String> = frozen.iter().map(|past| describe(&past.intent.step)).collect();
    let ids: Vec<String> = frozen.iter().map(|past| past.intent.id.to_string()).collect();
    let words = format!(
        "{}. Thaw with {} undo {}, or end it with {} contain.",
        names.join("; "),
        machine.command(),
        ids.join(" "),
        machine.command()
    );
    wrap("  Still frozen: ", &words)
}
