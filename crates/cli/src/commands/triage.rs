//! `calma triage`: look at this host or at a mounted root.

use crate::args::{Triage, YaraMemory};
use crate::exit::{Exit, Refusal};
use crate::given::Given;
use crate::progress::Progress;
use crate::{paper, places, show};
use calma_case::Case;
use calma_collect::Options;
use calma_host::{Host as _, Live, Root};
use calma_record::Text;
use calma_recovery::{Ask, HostSide, LocalChild, Looked, Moment, look, unfinished};
use calma_views::{Page, json, text};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Looks, keeps, judges, shows.
pub(crate) fn run(arguments: &Triage) -> anyhow::Result<Exit> {
    let stop = calma_host::on_interrupt();
    let mut notices = Vec::new();
    if let Some(root) = &arguments.root {
        Root::open(root.as_os_str().as_bytes()).map_err(|error| {
            Refusal::new(error.to_string(), "name the directory where the other system's root is mounted")
        })?;
        notices.extend(places::unless_read_only(root));
    }
    let (case, warning) = places::local(arguments)?;
    notices.extend(warning);
    let given = Given::read(arguments)?;
    notices.extend(given.notices());
    let mut page = triage(&case, &mut LocalChild::default(), arguments, &given, "", false, &stop)?;
    page.notices.splice(0..0, notices);
    present(&case, &page, arguments, false)?;
    Ok(code(&page))
}

/// Looks at one host into one case. `host` is the user's word for it, empty for this machine.
pub(crate) fn triage(
    case: &Case,
    host_side: &mut dyn HostSide,
    arguments: &Triage,
    given: &Given,
    host: &str,
    quiet: bool,
    stop: &AtomicBool,
) -> anyhow::Result<Page> {
    let ask = ask(case, arguments, given)?;
    let mut progress = Progress::new(host, quiet);
    let clock = Live::new();
    let mut first_line = arguments.json && !quiet;
    let looked = look(case, host_side, &ask, clock.clock(), stop, &mut |moment| {
        if let (true, Moment::Run(run)) = (first_line, moment) {
            first_line = false;
            let name = if host.is_empty() { run.host.to_string() } else { host.to_owned() };
            show::print(&format!("{}\n", json::run(run, &name, &show::path(case.folder()))));
        }
        progress.show(moment);
    });
    progress.clear();
    let mut looked = looked?;
    if ask.continues.is_some() {
        // A look that continues an interrupted one is judged together with it.
        let review = calma_recovery::review(case)?;
        (looked.tables, looked.judgement, looked.gaps) = (review.tables, review.judgement, review.gaps);
        let skipped = ask.done.len();
        looked.troubles.push(format!("Resumed: {skipped} parts had been seen before the interruption."));
    }
    let Looked { run, tables, judgement, gaps, end, seconds, phrase, troubles, .. } = looked;
    let mut page = show::page(run, &tables, judgement, gaps, end, case.folder());
    page.seconds = seconds;
    page.phrase = phrase;
    page.notices.splice(0..0, troubles);
    if !host.is_empty() {
        page.command = format!("calma at {host}");
        page.host = host.to_owned();
    }
    Ok(paper::after(case, page))
}

/// What to ask of the host side.
fn ask(case: &Case, arguments: &Triage, given: &Given) -> anyhow::Result<Ask> {
    let mut ask = Ask {
        options: Options {
            quick: arguments.quick,
            full_environ: arguments.full_environ,
            hurry: arguments.hurry,
            no_pid_range: arguments.no_pid_range,
            network_mounts: arguments.network_mounts,
            rules: given.rules.as_ref().map(|rules| Arc::clone(&rules.packed)),
            rules_in_all_memory: arguments.yara_memory == YaraMemory::All,
            digests: given.signs.as_ref().is_some_and(|signs| signs.wants_digests()),
        },
        given: given.facts(),
        signs: given.signs.clone(),
        max_time: arguments.max_time.map(Duration::from_secs),
        root: arguments.root.as_ref().map(|root| Text::from(root.as_os_str().as_bytes())),
        ..Ask::default()
    };
    // Told nothing, an interrupted look is finished rather than thrown away.
    if !arguments.fresh {
        match unfinished(case)? {
            Some((stream, done)) => (ask.continues, ask.done) = (Some(stream), done),
            // Killed before its first record: there is nothing to go on from, so it begins.
            None if arguments.resume && calma_recovery::looked_at(case)? => {
                return Err(Refusal::wrong_use(
                    "this case holds no interrupted look to resume",
                    "look again from the start with --fresh",
                ));
            }
            None => {}
        }
    }
    Ok(ask)
}

/// Prints the page as asked. With JSON the first line came when the look began, unless several hosts are looked at.
pub(crate) fn present(case: &Case, page: &Page, arguments: &Triage, several: bool) -> anyhow::Result<()> {
    if !arguments.json {
        show::print(&text::triage(page, show::style()));
        return Ok(());
    }
    if several {
        show::print(&format!("{}\n", json::run(&page.run, &page.host, &page.case)));
    }
    if arguments.facts {
        show::facts(case)?;
    }
    show::print(&json::rest(page));
    Ok(())
}

/// The exit code of a page.
pub(crate) fn code(page: &Page) -> Exit {
    if !page.complete() && calma_host::on_interrupt().load(Ordering::Relaxed) {
        Exit::Interrupted
    } else if page.needs_you() {
        Exit::Findings
    } else if page.important_gap() {
        Exit::Unseen
    } else {
        Exit::Done
    }
}
