//! A clean server gives nothing of medium or worse and at most five small things.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::report::Report;
use calma_testkit::{plants, skip_without_root};

fn assert_clean(what: &str, report: &Report) {
    eprintln!("{what}: {} s, {} gaps\n{}", report.end["seconds"], report.gaps.len(), report.listing());
    report.assert_complete();
    let alarms: Vec<_> = report.alarms().iter().map(ToString::to_string).collect();
    assert!(alarms.is_empty(), "{what}: alarms on a clean system:\n{}", alarms.join("\n"));
    assert!(report.low().len() <= 5, "{what}: {} small things", report.low().len());
}

#[test]
fn booted_servers_are_clean() {
    if skip_without_root("booted_servers_are_clean") {
        return;
    }
    for release in [Release::Bookworm, Release::Trixie] {
        let bed = Bed::booted(release);
        assert_clean(&format!("{} booted", release.name()), &bed.triage(&[]));
        assert_clean(&format!("{} --quick", release.name()), &bed.triage(&["--quick"]));
    }
}

#[test]
fn trees_are_clean() {
    if skip_without_root("trees_are_clean") {
        return;
    }
    for release in [Release::Bookworm, Release::Trixie] {
        let bed = Bed::still(release);
        assert_clean(&format!("{} --root", release.name()), &bed.triage_root(&[]));
    }
}

#[test]
fn what_administrators_do_is_no_alarm() {
    if skip_without_root("what_administrators_do_is_no_alarm") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    plants::near_misses().iter_mut().for_each(|plant| plant.apply(&bed));
    let report = bed.triage(&[]);
    eprintln!("{}", report.listing());
    report.assert_complete();
    let alarms: Vec<_> = report.alarms().iter().map(ToString::to_string).collect();
    assert!(alarms.is_empty(), "false alarms:\n{}", alarms.join("\n"));
}

/// The fifty-package server takes minutes and gigabytes to build: part of the soak.
#[test]
fn a_server_with_fifty_packages_is_clean() {
    if std::env::var_os("CALMA_SOAK").is_none() || skip_without_root("a_server_with_fifty_packages_is_clean")
    {
        eprintln!("skipped: a_server_with_fifty_packages_is_clean (part of bench/soak)");
        return;
    }
    let bed = Bed::booted(Release::Server50);
    eprintln!("units that failed here:\n{}", bed.run("systemctl --failed --plain --no-legend").text());
    assert_clean("server50 booted", &bed.triage(&[]));
    drop(bed);
    assert_clean("server50 --root", &Bed::still(Release::Server50).triage_root(&[]));
}

/// Web applications, their languages, databases, containers and backups from packages, and WordPress as people unpack
/// it themselves. Three gigabytes: part of the soak.
#[test]
fn a_server_with_web_applications_is_clean() {
    let name = "a_server_with_web_applications_is_clean";
    if std::env::var_os("CALMA_SOAK").is_none() || skip_without_root(name) {
        eprintln!("skipped: {name} (part of bench/soak)");
        return;
    }
    let bed = Bed::booted(Release::Apps);
    eprintln!("units that failed here:\n{}", bed.run("systemctl --failed --plain --no-legend").text());
    assert_clean("apps booted", &bed.triage(&[]));
    drop(bed);
    assert_clean("apps --root", &Bed::still(Release::Apps).triage_root(&[]));
}
