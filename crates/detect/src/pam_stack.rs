//! What a stack of authentication modules answers to somebody who knows no password.
//!
//! Follows the dispatch of Linux-PAM (pam.conf(5)) with modules replaced by what they say to a wrong password, so that any
//! way of opening a stack is seen: an added `pam_permit.so`, a missing `pam_deny.so`, a changed jump.

use crate::{Row, Tables};
use calma_record::{Text, kinds::PamRule};
use std::collections::BTreeMap;

/// Rules of one stack, includes in place; more are not followed.
const MOST: usize = 4000;

/// The rules of one service in order.
type Rules<'a> = Vec<Row<'a, PamRule>>;

/// The auth stacks of a host by service.
pub(crate) struct Stacks<'a> {
    services: BTreeMap<&'a [u8], Rules<'a>>,
}

/// One step of a stack.
enum Step<'a> {
    Rule(Row<'a, PamRule>),
    Sub(Vec<Step<'a>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Success,
    Failure,
    Ignore,
}

#[derive(Clone, Copy)]
enum Action {
    Ok,
    Done,
    Bad,
    Die,
    Ignore,
    Reset,
    Jump(usize),
}

/// What the modules so far made of it.
#[derive(Default)]
struct State<'a> {
    good: Option<Row<'a, PamRule>>,
    bad: bool,
}

impl<'a> Stacks<'a> {
    /// Sorts the rules by service. Those of /etc/pam.d count before the vendor's directories.
    pub(crate) fn new(tables: &'a Tables) -> Self {
        let mut files: BTreeMap<(&[u8], bool, &Text), Rules<'a>> = BTreeMap::new();
        for rule in tables.of::<PamRule>() {
            let vendor = !rule.path.as_bytes().starts_with(b"/etc/");
            files.entry((rule.fact.service.as_bytes(), vendor, &rule.fact.path)).or_default().push(rule);
        }
        let mut services = BTreeMap::new();
        for ((service, _, _), mut rules) in files {
            rules.sort_by_key(|rule| rule.line);
            services.entry(service).or_insert(rules);
        }
        Self { services }
    }

    /// The services.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'a [u8]> {
        self.services.keys().copied()
    }

    /// The rule that lets somebody in who gave a wrong password; `None` if the stack refuses. With `conditions`, tests of
    /// name and group (pam_succeed_if(8)) are taken as met.
    pub(crate) fn opens(&self, service: &[u8], conditions: bool) -> Option<Row<'a, PamRule>> {
        let mut left = MOST;
        let steps = self.steps(service, 0, &mut left);
        let mut state = State::default();
        run(&steps, conditions, &mut state);
        state.good.filter(|_| !state.bad)
    }

    fn steps(&self, service: &[u8], depth: usize, left: &mut usize) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        for rule in self.services.get(service).into_iter().flatten() {
            if *left == 0 {
                break;
            }
            *left -= 1;
            if rule.stack != "auth" && rule.stack != "all" {
                continue;
            }
            match rule.control.as_bytes() {
                b"include" if depth < 16 => {
                    steps.extend(self.steps(rule.module.file_name(), depth + 1, left))
                }
                b"substack" if depth < 16 => {
                    steps.push(Step::Sub(self.steps(rule.module.file_name(), depth + 1, left)))
                }
                b"include" | b"substack" => {}
                _ => steps.push(Step::Rule(*rule)),
            }
        }
        steps
    }
}

/// Runs a stack; true when it was ended by `done` or `die`.
fn run<'a>(steps: &[Step<'a>], conditions: bool, state: &mut State<'a>) -> bool {
    let mut skip = 0_usize;
    for step in steps {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let rule = match step {
            Step::Sub(steps) => {
                run(steps, conditions, state);
                continue;
            }
            Step::Rule(rule) => *rule,
        };
        let answer = answer(&rule, conditions);
        match action(rule.control.as_bytes(), answer) {
            Action::Jump(steps) => skip = steps,
            Action::Ignore => {}
            Action::Reset => *state = State::default(),
            action @ (Action::Ok | Action::Done) => {
                if !state.bad && answer == Answer::Success {
                    state.good = Some(rule);
                } else if answer == Answer::Failure && state.good.is_none() {
                    // `ok` for a failure keeps the failure's code.
                    state.bad = true;
                }
                if matches!(action, Action::Done) && !state.bad {
                    return true;
                }
            }
            action @ (Action::Bad | Action::Die) => {
                state.bad = true;
                if matches!(action, Action::Die) {
                    return true;
                }
            }
        }
    }
    false
}

/// What a module says to a wrong password. Modules that are not known here check something, and refuse.
fn answer(rule: &PamRule, conditions: bool) -> Answer {
    let name = rule.module.file_name();
    let name = name.strip_suffix(b".so").unwrap_or(name);
    let has = |word: &str| rule.arguments.iter().any(|argument| *argument == word);
    match name {
        b"pam_permit" => Answer::Success,
        // Preconditions that ordinary users meet.
        b"pam_nologin" | b"pam_securetty" | b"pam_shells" | b"pam_access" | b"pam_time" | b"pam_sepermit"
        | b"pam_localuser" | b"pam_usertype" => Answer::Success,
        b"pam_faillock" if has("authfail") => Answer::Failure,
        b"pam_faillock" | b"pam_tally2" | b"pam_tally" => Answer::Success,
        b"pam_env" | b"pam_faildelay" | b"pam_echo" | b"pam_warn" | b"pam_keyinit" | b"pam_group"
        | b"pam_cap" | b"pam_issue" | b"pam_motd" | b"pam_mail" | b"pam_limits" | b"pam_loginuid"
        | b"pam_umask" | b"pam_selinux" => Answer::Ignore,
        b"pam_succeed_if" if conditions => Answer::Success,
        b"pam_exec" if rule.arguments.iter().any(|argument| argument.file_name() == b"true") => {
            Answer::Success
        }
        _ => Answer::Failure,
    }
}

/// What the control field makes of an answer.
fn action(control: &[u8], answer: Answer) -> Action {
    let success = answer == Answer::Success;
    match control.to_ascii_lowercase().as_slice() {
        _ if answer == Answer::Ignore && !control.starts_with(b"[") => Action::Ignore,
        b"required" => {
            if success {
                Action::Ok
            } else {
                Action::Bad
            }
        }
        b"requisite" => {
            if success {
                Action::Ok
            } else {
                Action::Die
            }
        }
        b"sufficient" => {
            if success {
                Action::Done
            } else {
                Action::Ignore
            }
        }
        b"optional" => {
            if success {
                Action::Ok
            } else {
                Action::Ignore
            }
        }
        control => bracket(control, answer),
    }
}

/// `[value=action …]`; the first that fits by name counts, else `default`, else the answer is bad.
fn bracket(control: &[u8], answer: Answer) -> Action {
    let names: &[&[u8]] = match answer {
        Answer::Success => &[b"success"],
        Answer::Failure => &[b"auth_err", b"perm_denied"],
        Answer::Ignore => &[b"ignore"],
    };
    let inside = control.strip_prefix(b"[").unwrap_or(control);
    let inside = inside.strip_suffix(b"]").unwrap_or(inside);
    let pairs = || {
        inside.split(u8::is_ascii_whitespace).filter_map(|pair| {
            let at = pair.iter().position(|b| *b == b'=')?;
            Some((pair.get(..at)?, pair.get(at + 1..)?))
        })
    };
    let found = pairs()
        .find(|(name, _)| names.contains(name))
        .or_else(|| pairs().find(|(name, _)| *name == b"default"));
    match found.map(|(_, action)| action) {
        Some(b"ok") => Action::Ok,
        Some(b"done") => Action::Done,
        Some(b"die") => Action::Die,
        Some(b"ignore") => Action::Ignore,
        Some(b"reset") => Action::Reset,
        Some(number) => match std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()) {
            Some(steps) => Action::Jump(steps),
            None => Action::Bad,
        },
        None if answer == Answer::Ignore => Action::Ignore,
        None => Action::Bad,
    }
}
