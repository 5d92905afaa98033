//! The test bed itself: it boots, answers, keeps to its namespaces, and leaves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::{plants, skip_without_root};
use std::time::Instant;

#[test]
fn both_releases_boot_answer_and_leave_nothing() {
    if skip_without_root("both_releases_boot_answer_and_leave_nothing") {
        return;
    }
    for release in [Release::Bookworm, Release::Trixie] {
        let start = Instant::now();
        let bed = Bed::booted(release);
        eprintln!("{} booted in {:.2} s", release.name(), start.elapsed().as_secs_f32());
        let services = bed.run("systemctl is-active ssh nginx cron rsyslog");
        assert_eq!(services.text(), "active\nactive\nactive\nactive\n", "{services}");
        let sleeper = bed.live("exec sleep 100");
        assert!(bed.run(&format!("kill -0 {sleeper}")).ok());
        let work = bed.work().to_owned();
        let leader = bed.leader();
        drop(bed);
        assert!(!work.exists());
        assert!(!std::path::Path::new(&format!("/proc/{leader}")).exists());
        assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains("calma-bed-"));
    }
}

#[test]
fn every_plant_can_be_planted() {
    if skip_without_root("every_plant_can_be_planted") {
        return;
    }
    let seed = calma_testkit::random::Random::seed();
    for round in 0..plants::rounds() {
        let bed = Bed::booted(if round % 2 == 0 { Release::Bookworm } else { Release::Trixie });
        for mut plant in plants::round(seed, round) {
            plant.apply(&bed);
            for pid in plant.pids {
                assert!(bed.run(&format!("kill -0 {pid}")).ok(), "{}: {:?}", plant.what, plant.steps);
            }
        }
    }
    let bed = Bed::booted(Release::Bookworm);
    plants::near_misses().iter_mut().for_each(|plant| plant.apply(&bed));
}
