//! A real ssh session that has to survive, confirmed, unconfirmed, and over a link.

use crate::own::{bed, gets_out, guard, network, pings, reaches, wait_until};
use calma_testkit::skip_without_root;
use std::time::Duration;

#[test]
fn a_session_survives_a_new_one_confirms_and_a_release_makes_all_as_it_was() {
    if skip_without_root("a_session_survives_a_new_one_confirms_and_a_release_makes_all_as_it_was") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    let dry = bed.calma(&["isolate", "--dry-run", "--case", "/root/case"]);
    assert!(dry.ok() && dry.text().contains("10.77.0.1"), "{dry}");
    assert_eq!(network(&bed), before, "a dry run changed something");
    let unasked = bed.calma(&["isolate", "--case", "/root/case"]);
    assert_eq!(unasked.code, Some(4), "{unasked}");
    // A connection that was there before, and will be ended.
    let held = bed.live("exec python3 -c 'import socket,time; s=socket.create_connection((\"10.77.0.1\",7778)); time.sleep(600)'");
    wait_until("a connection stands", 10, || bed.run("ss -Htn dst 10.77.0.1:7778").text().contains("ESTAB"));
    let done = bed.calma(&["isolate", "--yes", "--trial", "90", "--case", "/root/case"]);
    eprintln!("{done}");
    assert!(done.ok(), "{done}");
    assert!(!reaches(&bed, 80) && !gets_out(&bed) && !pings(&bed), "something passes");
    // The session lives; a confirmation through it proves nothing.
    assert!(bed.run("true").ok());
    let same = bed.calma(&["isolate", "--confirm", "--case", "/root/case"]);
    assert_eq!(same.code, Some(4), "{same}");
    // A new connection of the same peer comes in, and confirms.
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    eprintln!("{anew}");
    assert!(anew.ok(), "{anew}");
    assert!(bed.run("true").ok(), "the session was ended");
    assert!(anew.text().contains("1 connection"), "{anew}");
    assert_eq!(
        bed.run("ss -Htn dst 10.77.0.1:7778").text(),
        "",
        "a connection that was there before lives on"
    );
    let status = bed.calma(&["isolate", "--status"]);
    eprintln!("{status}");
    assert!(status.text().contains("Closed, and held"), "{status}");
    let _ = bed.run(&format!("kill {held}"));
    // Its guard is killed: it stays.
    let pid = guard(&bed);
    assert!(bed.run(&format!("kill -9 {pid}")).ok(), "{pid}");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reaches(&bed, 80) && !gets_out(&bed) && !pings(&bed), "it opened with its guard");
    let orphan = bed.calma(&["isolate", "--status"]);
    assert!(orphan.text().contains("outlive their guard"), "{orphan}");
    let released = bed.calma(&["release", "--yes", "--case", "/root/case"]);
    eprintln!("{released}");
    assert!(released.ok(), "{released}");
    assert!(reaches(&bed, 80) && gets_out(&bed) && pings(&bed), "it is not open");
    assert_eq!(network(&bed), before);
    assert!(bed.calma(&["case", "verify", "--case", "/root/case"]).ok());
}

#[test]
fn an_unconfirmed_trial_opens_by_itself_and_with_its_guard() {
    if skip_without_root("an_unconfirmed_trial_opens_by_itself_and_with_its_guard") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    for kill in [false, true] {
        let trial = if kill { "60" } else { "6" };
        let done = bed.calma(&["isolate", "--yes", "--now", "--trial", trial, "--case", "/root/case"]);
        assert!(done.ok(), "{done}");
        if kill {
            assert!(!reaches(&bed, 80));
            assert!(bed.run(&format!("kill -9 {}", guard(&bed))).ok());
        }
        wait_until("it did not open", 15, || reaches(&bed, 80));
        assert!(gets_out(&bed) && pings(&bed));
        assert_eq!(network(&bed), before);
        // What is left of a guard that was killed is cleared away.
        if kill {
            let released = bed.calma(&["release", "--yes", "--case", "/root/case"]);
            assert!(released.ok(), "{released}");
        }
    }
}

#[test]
fn over_a_link_it_is_isolated_confirmed_and_released() {
    if skip_without_root("over_a_link_it_is_isolated_confirmed_and_released") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    let case = bed.work().join("case").display().to_string();
    let at = |words: &[&str]| bed.calma_from_keeper(&[&["at", "srv"], words, &["--case", &case]].concat());
    let done = at(&["isolate", "--yes", "--trial", "60"]);
    eprintln!("{done}");
    assert!(done.ok(), "{done}");
    // The keeper is a witness by itself: what reached it before and does not any more is proved.
    for way in ["udp4", "icmp4", "tcp4", "frame", "frame-bypass", "raw4", "gre4", "fragments4", "multicast4"]
    {
        assert!(done.text().contains(way), "{way}: {done}");
    }
    assert!(done.text().contains("Stopped, seen from outside") && !done.text().contains("  Open:"), "{done}");
    assert!(!reaches(&bed, 80) && !gets_out(&bed));
    let confirmed = at(&["isolate", "--confirm"]);
    assert!(confirmed.ok(), "{confirmed}");
    assert!(!reaches(&bed, 80) && !gets_out(&bed));
    let partly = at(&["release", "--only", "80", "--yes"]);
    assert!(partly.ok(), "{partly}");
    assert!(reaches(&bed, 80) && !gets_out(&bed), "only port 80 is open");
    let released = at(&["release", "--yes"]);
    assert!(released.ok(), "{released}");
    assert!(reaches(&bed, 80) && gets_out(&bed));
    assert_eq!(network(&bed), before);
}
