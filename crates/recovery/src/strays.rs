//! Processes that run a file of the intrusion and that no finding names: what cron started since the look.

use calma_host::ground::{ProcessLine, processes};
use calma_host::{Live, Tree as _};
use calma_record::Text;
use calma_record::step::{Plan, Step, Target};
use std::collections::BTreeSet;

/// Programs that run what they are given: that they are a package's says nothing of what they run.
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "perl", "python", "ruby", "php", "node", "lua",
    "nc", "ncat", "netcat", "socat", "sleep", "curl", "wget", "env", "timeout", "nohup", "setsid", "awk",
    "gawk", "mawk", "tclsh",
];

/// Whether a program runs what it is given: `python3.11` too.
pub(crate) fn is_interpreter(program: &Text) -> bool {
    let name = String::from_utf8_lossy(program.file_name()).into_owned();
    INTERPRETERS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-'))
}

/// The files that a plan takes off the system and that could run.
pub fn programs(plan: &Plan) -> BTreeSet<Text> {
    let taken = |step: &&Step| step.ticked && step.action == "quarantine";
    plan.steps.iter().filter(taken).filter_map(|step| step.target.path().cloned()).collect()
}

/// Living processes of this machine whose program is one of these files, or that are an interpreter of one of them.
pub(crate) fn here(host: &Live, programs: &BTreeSet<Text>) -> Vec<ProcessLine> {
    let all = processes().unwrap_or_default();
    all.into_iter()
        .filter(|line| line.pid > 1 && !line.is_gone() && !line.kernel_thread && runs(host, line, programs))
        .collect()
}

fn runs(host: &Live, line: &ProcessLine, programs: &BTreeSet<Text>) -> bool {
    let at = |file: &str| format!("/proc/{}/{file}", line.pid).into_bytes();
    let program = host.link(&at("exe")).unwrap_or_default();
    let program: Text = program.strip_suffix(b" (deleted)").unwrap_or(&program).into();
    if programs.contains(&program) {
        return true;
    }
    if !is_interpreter(&program) {
        return false;
    }
    let words = host.read(&at("cmdline"), 1 << 16).map(|content| content.bytes).unwrap_or_default();
    let given = words.split(|b| *b == 0).skip(1).find(|word| !word.starts_with(b"-"));
    given.is_some_and(|word| programs.contains(&Text::from(word)))
}

/// A plan that ends these processes as well: frozen and kept before.
pub fn more(plan: &Plan, strays: &[ProcessLine]) -> Plan {
    let ids: BTreeSet<u32> = strays.iter().map(|line| line.pid).collect();
    let tops = strays.iter().filter(|line| !ids.contains(&line.parent));
    let targets: Vec<Target> = tops.map(|line| Target::Tree(line.identity())).collect();
    let mut steps = Vec::new();
    for action in ["freeze", "preserve", "kill"] {
        for target in &targets {
            steps.push(Step {
                number: u32::try_from(steps.len() + 1).unwrap_or(u32::MAX),
                action: action.to_owned(),
                target: target.clone(),
                story: 0,
                findings: Vec::new(),
                ticked: true,
                doubt: String::new(),
            });
        }
    }
    Plan { steps, ..plan.clone() }
}
