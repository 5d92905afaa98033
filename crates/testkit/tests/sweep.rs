//! The walk of all file systems under strain: masses, depths, loops, holes, file systems that err or never answer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::report::Report;
use calma_testkit::{binaries, skip_without_root};
use std::time::{Duration, Instant};

const HELPER: &str = "/usr/local/bin/site-load";

fn prepared() -> Bed {
    let bed = Bed::booted(Release::Bookworm);
    bed.put(HELPER, &std::fs::read(binaries::plant()).unwrap(), 0o755);
    bed.put("/root/calma", &std::fs::read(binaries::calma()).unwrap(), 0o755);
    assert!(bed.run("mkdir -p /run/calma-test /srv/strain").ok());
    bed
}

/// Looks, within a time and an amount of memory (MiB).
fn look(bed: &Bed, name: &str, seconds: u64, memory: u64) -> Report {
    let start = Instant::now();
    let line = format!(
        "{HELPER} measure /run/calma-test/memory /root/calma triage --json --no-pid-range --case /run/calma-test/{name}"
    );
    let report = bed.run(&line).report();
    let took = start.elapsed();
    let most: u64 = bed.run("cat /run/calma-test/memory").text().trim().parse().unwrap();
    eprintln!("{name}: {took:?}, {} MiB, {} gaps\n{}", most / 1024, report.gaps.len(), report.listing());
    assert!(took < Duration::from_secs(seconds), "{name}: {took:?}");
    assert!(most / 1024 < memory, "{name}: {} MiB", most / 1024);
    report
}

#[test]
fn masses_depths_loops_and_holes() {
    if skip_without_root("masses_depths_loops_and_holes") {
        return;
    }
    let bed = prepared();
    let many = if std::env::var_os("CALMA_SOAK").is_some() { 2_000_000 } else { 100_000 };
    let make = format!(
        "set -e; mount -t tmpfs -o size=4g,nr_inodes=3m tmpfs /srv/strain
         {HELPER} files many:{many} /srv/strain/many; {HELPER} files deep:4000 /srv/strain/deep
         {HELPER} files links:20000 /srv/strain/links; {HELPER} files hole:109951162777600 /srv/strain/hole
         {HELPER} files names /srv/strain/names; mkfifo /srv/strain/fifo; mknod /srv/strain/null c 1 3
         mkdir -p /srv/strain/loop /srv/loop; mount --bind /srv /srv/strain/loop; mount --rbind /srv/strain /srv/loop"
    );
    let made = bed.run(&make);
    assert!(made.ok(), "{made}");
    let report = look(&bed, "masses", if many > 1_000_000 { 600 } else { 120 }, 200);
    report.assert_complete();
    assert!(
        report.alarms().iter().all(|one| one.paths.iter().any(|path| path.starts_with("/srv/"))),
        "{}",
        report.listing()
    );
}

#[test]
fn a_file_system_that_errs_and_one_that_never_answers() {
    if skip_without_root("a_file_system_that_errs_and_one_that_never_answers") {
        return;
    }
    let bed = prepared();
    assert!(bed.run("[ -e /dev/fuse ] || mknod /dev/fuse c 10 229").ok());
    let pids = [
        bed.live(&format!("exec {HELPER} fuse err /srv/strain/errs")),
        bed.live(&format!("exec {HELPER} fuse hang /srv/strain/hangs")),
    ];
    let mounted = bed.run("for i in 1 2 3 4 5 6 7 8 9 10; do [ $(grep -c ' fuse ' /proc/mounts) = 2 ] && exit 0; sleep 0.2; done; exit 1");
    assert!(mounted.ok(), "{mounted} {}", bed.run("ls -l /dev/fuse; cat /proc/mounts"));
    let report = look(&bed, "fuse", 120, 200);
    bed.run(&format!("kill {} {}", pids[0], pids[1]));
    assert!(
        report.alarms().iter().all(|one| one.paths.iter().any(|path| path.starts_with("/srv/strain"))
            || one.pids.iter().any(|pid| pids.contains(pid))
            || one.paths.iter().any(|path| path == HELPER)),
        "{}",
        report.listing()
    );
}

/// Files that become links to elsewhere, folders, and nothing, again and again, while they are looked at.
#[test]
fn files_that_change_under_the_look() {
    if skip_without_root("files_that_change_under_the_look") {
        return;
    }
    let bed = prepared();
    let swap = "mkdir -p /usr/local/lib/s; cd /usr/local/lib/s; while :; do for n in 1 2 3 4 5 6 7 8; do \
                printf '#!/bin/sh\\nexit 0\\n' >a; chmod 755 a; mv a f$n; ln -s /dev/zero l; mv -T l f$n; \
                ln -s /proc/kmsg m; mv -T m f$n; rm f$n; mkfifo f$n; rm f$n; mkdir f$n; rmdir f$n; done; done";
    let pid = bed.live(&format!("exec timeout 100 sh -c {}", calma_testkit::bed::quoted(swap)));
    for run in 0..3 {
        look(&bed, &format!("change-{run}"), 120, 200).assert_complete();
    }
    bed.run(&format!("kill {pid}"));
}
