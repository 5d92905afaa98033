//! Kernels that do not take rules away with their owner: a second guardian opens.

use crate::own::{bed, gets_out, guard, network, pings, reaches, wait_until};
use calma_testkit::bed::Bed;
use calma_testkit::skip_without_root;
use std::time::Duration;

/// The second guardian.
fn second(bed: &Bed) -> String {
    bed.run("pgrep -f 'isolation-guard --second'").text().trim().to_owned()
}

fn isolate(bed: &Bed, trial: &str) {
    let words = ["isolate", "--yes", "--now", "--without-owner", "--trial", trial, "--case", "/root/case"];
    let done = bed.calma(&words);
    assert!(done.ok() && done.text().contains("second guardian"), "{done}");
    assert!(!reaches(bed, 80) && !gets_out(bed) && !pings(bed), "something passes");
}

fn is_open_as_before(bed: &Bed, before: &str) {
    wait_until("it did not open", 15, || reaches(bed, 80));
    assert!(gets_out(bed) && pings(bed));
    assert_eq!(network(bed), before);
    wait_until("a guardian is left", 5, || second(bed).is_empty());
}

#[test]
fn without_owners_a_second_guardian_opens() {
    if skip_without_root("without_owners_a_second_guardian_opens") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    // The guard is killed in the trial.
    isolate(&bed, "60");
    assert!(bed.run(&format!("kill -9 {}", guard(&bed))).ok());
    is_open_as_before(&bed, &before);
    // The time is over: by the guard itself, and past one that was stopped.
    for stop in [false, true] {
        isolate(&bed, "5");
        let held = guard(&bed);
        if stop {
            assert!(bed.run(&format!("kill -STOP {held}")).ok());
        }
        is_open_as_before(&bed, &before);
        if stop {
            assert!(bed.run(&format!("kill -CONT {held}")).ok());
            wait_until("the guard ends", 5, || !bed.run(&format!("kill -0 {held}")).ok());
            is_open_as_before(&bed, &before);
        }
    }
    // The second one is killed: another one comes. Both are killed: it stays closed until a person opens.
    isolate(&bed, "60");
    let one = second(&bed);
    assert!(bed.run(&format!("kill -9 {one}")).ok());
    wait_until("no other guardian came", 5, || !second(&bed).is_empty() && second(&bed) != one);
    // Stopped first, so that the guard does not start yet another one in between.
    let (one, other) = (guard(&bed), second(&bed));
    assert!(bed.run(&format!("kill -STOP {one}; kill -9 {other}; kill -9 {one}")).ok());
    std::thread::sleep(Duration::from_millis(600));
    assert!(!reaches(&bed, 80) && !gets_out(&bed), "it opened with both");
    let status = bed.calma(&["isolate", "--status"]);
    assert!(status.text().contains("stays closed until you release it"), "{status}");
    assert!(bed.calma(&["release", "--yes", "--case", "/root/case"]).ok());
    is_open_as_before(&bed, &before);
    // Once somebody came back, nothing opens by itself.
    isolate(&bed, "60");
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok(), "{anew}");
    wait_until("the second guardian goes", 5, || second(&bed).is_empty());
    assert!(bed.run(&format!("kill -9 {}", guard(&bed))).ok());
    std::thread::sleep(Duration::from_millis(600));
    assert!(!reaches(&bed, 80) && !gets_out(&bed) && !pings(&bed), "it opened with its guard");
    assert!(bed.calma(&["release", "--yes", "--case", "/root/case"]).ok());
    is_open_as_before(&bed, &before);
}
