//! Steps in the words of a plan.

use calma_record::step::{Step, Target, Undoable};

/// The verb of a step, as it stands in the plan's first column.
pub fn verb(step: &Step) -> &'static str {
    match step.action.as_str() {
        "freeze" => "freeze",
        "preserve" => "keep",
        "kill" => "kill",
        "quarantine" => "quarantine",
        "edit-line" | "unhook-file" | "unhook-unit" => "unhook",
        "lock-account" => "lock",
        "unmount" => "unmount",
        "note" => "note",
        "isolate" => "cut off",
        "hold-isolation" => "hold",
        "release" => "open",
        _ => "do",
    }
}

/// What a step is about.
pub fn describe(step: &Step) -> String {
    match (&step.target, step.action.as_str()) {
        (Target::Tree(name), "preserve") => {
            format!("memory, program and open files of pid {} ({})", name.pid, name.name)
        }
        (Target::Tree(name), _) => format!("pid {} ({}) and what it started", name.pid, name.name),
        (Target::File { path, .. }, _) => path.to_string(),
        (Target::Line { path, line, instead, .. }, _) => {
            let shown: String = line.to_string().chars().take(60).collect();
            match instead {
                Some(_) => format!("{path}, one line changed: {shown}"),
                None => format!("{path}, one line out: {shown}"),
            }
        }
        (Target::Account { name }, _) => format!("account {name}"),
        (Target::Mount { point }, _) => format!("what is mounted over {point}"),
        (Target::Network { says, .. }, _) => says.clone(),
        (Target::Words { text }, _) => text.clone(),
    }
}

/// How far a step can be taken back, and the plan's words for it.
pub fn undoable(step: &Step) -> Option<(Undoable, &'static str)> {
    calma_act::named(&step.action).map(|action| (action.card.undoable, action.card.back))
}
