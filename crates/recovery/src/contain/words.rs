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
        "leave-group" => "take out",
        "end-session" => "end",
        "destroy-socket" => "cut",
        "set-sysctl" => "set back",
        "set-link" => "lead back",
        "block-module" => "block",
        "detach-program" => "detach",
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
        (Target::Setting { path, value, .. }, _) => format!("{path} to \"{value}\""),
        (Target::Module { name }, _) => format!("kernel module {name}, from the next boot on"),
        (Target::Program { id, name, .. }, _) => format!("BPF program {id} ({name})"),
        (Target::Socket(socket), _) => {
            format!("the {} connection {} to {}", socket.protocol, socket.local, socket.remote)
        }
        (Target::Session { leader, account }, _) => {
            format!("the session of {account}, led by pid {} ({})", leader.pid, leader.name)
        }
        (Target::Member { account, group }, _) => format!("account {account} from the group {group}"),
        (Target::Link { path, to, .. }, _) => format!("{path}, to lead to {to}"),
        (Target::Words { text }, _) => text.clone(),
    }
}

/// How far a step can be taken back, and the plan's words for it.
pub fn undoable(step: &Step) -> Option<(Undoable, &'static str)> {
    calma_act::named(&step.action).map(|action| (action.card.undoable, action.card.back))
}

/// What taking a step back brings to life again, if anything; it goes on after "this brings back".
pub fn revives(step: &Step) -> Option<String> {
    Some(match (&step.target, step.action.as_str()) {
        (Target::Tree(name), "freeze") => format!("pid {} ({}), which runs on", name.pid, name.name),
        (Target::File { path, .. }, "unhook-unit" | "unhook-file") => {
            format!("{path}, which starts things by itself")
        }
        (Target::File { path, .. }, _) => path.to_string(),
        (Target::Line { path, .. }, _) => format!("the line of {path}"),
        (Target::Account { name }, _) => format!("the logins of {name}"),
        (Target::Member { account, group }, _) => format!("the rights of {group} for {account}"),
        (Target::Setting { path, .. }, _) => format!("what {path} was set to"),
        (Target::Link { path, .. }, _) => format!("what {path} led to"),
        (Target::Module { name }, _) => format!("the module {name}, which can be loaded again"),
        (Target::Mount { point }, _) => format!("what was mounted over {point}"),
        _ => return None,
    })
}
