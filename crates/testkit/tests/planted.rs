//! Every planted situation is found at medium or worse, by the built binary, naming its path or its process.
//!
//! A mechanism counts only when its plant is *named*; the report of a failing run lists what else was said about it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::plants::{self, Plant, Step};
use calma_testkit::random::Random;
use calma_testkit::report::{Report, SEVERITIES};
use calma_testkit::skip_without_root;

/// A line for each plant that was not named at medium or worse.
fn missed(report: &Report, planted: &[Plant]) -> Vec<String> {
    planted
        .iter()
        .filter(|plant| {
            let by_path = report.names(2, &plant.paths, None);
            !by_path && !plant.pids.iter().any(|pid| report.names(2, &[], Some(*pid)))
        })
        .map(|plant| {
            let at = (0..2).rev().find(|level| report.names(*level, &plant.paths, None));
            let said = at.map_or("nothing", |level| SEVERITIES[level]);
            format!(
                "| {} | {} | {} {:?} | {said} |",
                plant.mechanism,
                plant.what,
                plant.paths.join(", "),
                plant.pids
            )
        })
        .collect()
}

/// A line for each plant of which only the program was named, not the setting that starts it.
fn only_the_program(report: &Report, planted: &[Plant]) -> Vec<String> {
    let program = |plant: &Plant, path: &String| {
        plant
            .steps
            .iter()
            .any(|step| matches!(step, Step::Helper(to, _) | Step::Copy(_, to, _) if to == path))
    };
    planted
        .iter()
        .filter_map(|plant| {
            let settings: Vec<_> = plant.paths.iter().filter(|path| !program(plant, path)).cloned().collect();
            let weak = !settings.is_empty()
                && !report.names(2, &settings, None)
                && report.names(2, &plant.paths, None);
            weak.then(|| {
                format!(
                    "| {} | {} | {} | only its program |",
                    plant.mechanism,
                    plant.what,
                    settings.join(", ")
                )
            })
        })
        .collect()
}

fn finish(what: &str, report: &Report, lost: &[String]) {
    if lost.is_empty() {
        return;
    }
    panic!("{what}: {} missed\n{}\n\nsaid:\n{}", lost.len(), lost.join("\n"), report.listing());
}

fn booted_round(release: Release, seed: u64, round: usize) {
    let bed = Bed::booted(release);
    let mut planted = plants::round(seed, round);
    planted.iter_mut().for_each(|plant| plant.apply(&bed));
    let report = bed.triage(&[]);
    report.assert_complete();
    let lost = missed(&report, &planted);
    eprintln!(
        "{} round {round}: {} of {} found, {} s",
        release.name(),
        planted.len() - lost.len(),
        planted.len(),
        report.end["seconds"]
    );
    eprintln!("{}", only_the_program(&report, &planted).join("\n"));
    finish(&format!("{} round {round}, CALMA_SEED={seed}", release.name()), &report, &lost);
}

macro_rules! rounds {
    ($($name:ident: $release:ident $round:literal;)*) => {$(
        #[test]
        fn $name() {
            if !skip_without_root(stringify!($name)) {
                booted_round(Release::$release, Random::seed(), $round);
            }
        }
    )*};
}

rounds! {
    planted_0_on_bookworm: Bookworm 0;
    planted_1_on_trixie: Trixie 1;
    planted_2_on_bookworm: Bookworm 2;
    planted_3_on_trixie: Trixie 3;
    planted_4_on_bookworm: Bookworm 4;
    planted_5_on_trixie: Trixie 5;
}

/// Each plant alone on a tree, looked at with `--root`: nothing else on the system helps to find it.
#[test]
fn each_alone_on_a_tree() {
    if skip_without_root("each_alone_on_a_tree") {
        return;
    }
    let seed = Random::seed();
    let rounds = if std::env::var_os("CALMA_SOAK").is_some() { 0..plants::rounds() } else { 0..1 };
    let (mut lost, mut looked) = (Vec::new(), 0);
    for round in rounds {
        for mut plant in plants::round(seed, round) {
            if plant.live() {
                continue;
            }
            let bed = Bed::still(Release::Bookworm);
            plant.apply(&bed);
            lost.extend(missed(&bed.triage_root(&[]), &[plant]));
            looked += 1;
        }
    }
    eprintln!("alone: {} of {looked} found", looked - lost.len());
    assert!(
        lost.is_empty(),
        "alone on a tree, CALMA_SEED={seed}: {} missed\n{}",
        lost.len(),
        lost.join("\n")
    );
}
