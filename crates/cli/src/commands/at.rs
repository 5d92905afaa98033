//! `calma at HOST …`: the same on other hosts, over the user's own ssh.

use super::triage;
use crate::args::{At, AtCommand, Triage};
use crate::exit::{self, Exit, Refusal};
use crate::given::Given;
use crate::machine::Machine;
use crate::{places, show};
use calma_case::Case;
use calma_recovery::{Link, LinkOptions, LookError, Program};
use calma_views::Page;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Does it there.
pub(crate) fn run(arguments: &At) -> anyhow::Result<Exit> {
    match &arguments.command {
        AtCommand::Triage(asked) => look(arguments, asked),
        AtCommand::Contain(contain) => super::contain::run(contain, &Machine::of(arguments)?),
        AtCommand::Undo(undo) => super::undo::run(undo, &Machine::of(arguments)?),
        AtCommand::Note(note) => super::note::run(note, &Machine::of(arguments)?),
        AtCommand::Isolate(isolate) => super::isolate::run(isolate, &Machine::of(arguments)?),
        AtCommand::Release(release) => super::isolate::release(release, &Machine::of(arguments)?),
    }
}

/// Looks at every host, several at once, one case each.
fn look(arguments: &At, asked: &Triage) -> anyhow::Result<Exit> {
    let stop = calma_host::on_interrupt();
    let given = Given::read(asked)?;
    given.notices().iter().for_each(|notice| eprintln!("  {notice}"));
    let program = Program::own()?;
    let several = arguments.hosts.len() > 1;
    let (next, shown) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let jobs = usize::from(arguments.jobs).clamp(1, arguments.hosts.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(host) = arguments.hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let result = one(arguments, asked, &given, host, &program, several, &stop);
                    // Whole pages, one after another, in the order in which they are done.
                    if let Ok(mut shown) = shown.lock() {
                        shown.push((host.as_str(), present(host, result, asked, several)));
                    }
                }
            });
        }
    });
    let shown = shown.into_inner().unwrap_or_default();
    if several && !asked.json {
        show::print(&summary(&arguments.hosts, &shown));
    }
    let worst = shown.iter().map(|(_, (exit, _))| *exit).max_by_key(|exit| rank(*exit));
    Ok(worst.filter(|_| shown.len() == arguments.hosts.len()).unwrap_or(Exit::Interrupted))
}

/// Looks at one host.
fn one(
    arguments: &At,
    asked: &Triage,
    given: &Given,
    host: &str,
    program: &Program,
    several: bool,
    stop: &AtomicBool,
) -> anyhow::Result<(Case, Page)> {
    let options = LinkOptions { sudo: arguments.sudo, allow_disk: arguments.allow_disk, ssh: Vec::new() };
    let mut link = Link::new(host, options, program.clone())
        .map_err(|error| Refusal::wrong_use(error.to_string(), "name hosts as ssh takes them: root@web1"))?;
    let case = places::remote(asked, host, several)?;
    match triage::triage(&case, &mut link, asked, given, host, several, stop) {
        Ok(page) => Ok((case, page)),
        Err(error) => {
            // Nothing came, so there is nothing to keep.
            case.discard_if_empty();
            Err(match error.downcast_ref::<LookError>() {
                Some(LookError::HostSide(side)) if !side.advice().is_empty() => {
                    Refusal::new(side.to_string(), side.advice())
                }
                _ => error,
            })
        }
    }
}

/// Shows one host's page or error; its exit code and its line of the summary.
fn present(
    host: &str,
    result: anyhow::Result<(Case, Page)>,
    asked: &Triage,
    several: bool,
) -> (Exit, String) {
    let shown = result.and_then(|(case, page)| triage::present(&case, &page, asked, several).map(|()| page));
    match shown {
        Ok(page) => {
            let stories =
                page.stories.iter().filter(|story| story.severity >= calma_record::Severity::Medium).count();
            let line = match (stories, page.complete()) {
                (0, true) => "no sign of compromise in what can be seen".to_owned(),
                (0, false) => "not all was seen; no sign of compromise in the rest".to_owned(),
                (1, _) => "1 story needs you".to_owned(),
                (n, _) => format!("{n} stories need you"),
            };
            (triage::code(&page), format!("{line}   {}", page.case))
        }
        Err(error) => {
            if several {
                eprintln!("\n  {}:", calma_record::Text::from(host));
            }
            eprintln!("{}", super::complaint(&error));
            (exit::of(&error), error.to_string().lines().next().unwrap_or_default().to_owned())
        }
    }
}

/// One line a host.
fn summary(hosts: &[String], shown: &[(&str, (Exit, String))]) -> String {
    let width = hosts.iter().map(|host| host.chars().count()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for host in hosts {
        let line = shown.iter().find(|(name, _)| name == host).map_or("not looked at", |(_, (_, line))| line);
        text.push_str(&format!(
            "  {:width$}   {line}\n",
            calma_record::Text::from(host.as_str()).to_string()
        ));
    }
    text
}

/// Which of several exit codes stands for all: what went wrong before what was found, findings before gaps.
fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Unseen => 1,
        Exit::Findings => 2,
        Exit::WrongUse | Exit::Refused => 3,
        Exit::Failed => 4,
        Exit::Interrupted => 5,
    }
}
