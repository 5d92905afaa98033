//! `calma at HOST …`: the same on other hosts, over the user's own ssh. Key, clock, case and judgement stay here.

use crate::args::{At, AtCommand, Triage};
use crate::commands::triage;
use crate::exit::Exit;
use crate::{places, show};
use calma_recovery::Remote;
use calma_views::{Page, json, text};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Looks at every host, some at once, one case each.
pub(crate) fn run(arguments: &At) -> anyhow::Result<Exit> {
    let AtCommand::Triage(triage) = &arguments.command;
    let stop = calma_host::on_interrupt();
    if let [host] = arguments.hosts.as_slice() {
        let (case, page) = one(arguments, triage, host, false, &stop)?;
        crate::commands::triage::present(&case, &page, triage)?;
        return Ok(crate::commands::triage::code(&page));
    }
    several(arguments, triage, &stop)
}

fn one(
    arguments: &At,
    triage: &Triage,
    host: &str,
    several: bool,
    stop: &AtomicBool,
) -> anyhow::Result<(calma_case::Case, Page)> {
    let case = places::remote(triage, host, several)?;
    let mut remote = Remote::new(host, arguments.sudo, arguments.allow_disk);
    let page = triage::triage(&case, &mut remote, triage, host, several, stop)?;
    Ok((case, page))
}

fn several(arguments: &At, triage: &Triage, stop: &AtomicBool) -> anyhow::Result<Exit> {
    let waiting = Mutex::new(arguments.hosts.iter().rev().collect::<Vec<_>>());
    let (pages, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..usize::from(arguments.jobs).min(arguments.hosts.len()) {
            scope.spawn(|| {
                while let Some(host) = waiting.lock().ok().and_then(|mut hosts| hosts.pop()) {
                    if stop.load(Ordering::Relaxed) {
                        push(&failed, (host.clone(), "stopped before it was looked at".to_owned()));
                        continue;
                    }
                    match one(arguments, triage, host, true, stop) {
                        Ok((_, page)) => {
                            eprintln!("  {host}: looked at in {:.1} s", page.seconds);
                            push(&pages, page);
                        }
                        Err(error) => {
                            eprintln!("  {host}: not looked at");
                            push(&failed, (host.clone(), format!("{error:#}")));
                        }
                    }
                }
            });
        }
    });
    let (pages, failed) = (pages.into_inner().unwrap_or_default(), failed.into_inner().unwrap_or_default());
    if triage.json {
        pages.iter().for_each(|page| show::print(&json::lines(page)));
    } else {
        show::print(&text::hosts(&pages, &failed, show::style()));
    }
    let worst = [Exit::Interrupted, Exit::Findings, Exit::Unseen];
    let codes: Vec<Exit> = pages.iter().map(triage::code).collect();
    Ok(match worst.into_iter().find(|exit| codes.contains(exit)) {
        Some(exit) => exit,
        None if failed.is_empty() => Exit::Done,
        None if pages.is_empty() => Exit::Failed,
        None => Exit::Unseen,
    })
}

fn push<T>(to: &Mutex<Vec<T>>, item: T) {
    if let Ok(mut items) = to.lock() {
        items.push(item);
    }
}
