//! The clean side's own timer: it says that a trial ended unconfirmed, that somebody confirmed, and confirms by itself when asked.

use crate::own::{bed, network, reaches, wait_until};
use calma_testkit::skip_without_root;
use serde_json::Value;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn the_clean_side_sees_how_a_trial_ends() {
    if skip_without_root("the_clean_side_sees_how_a_trial_ends") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    let case = bed.work().join("case").display().to_string();
    let words = |host: &'static str, more: &[&str]| -> Vec<String> {
        let all = [&["at", host], more, &["--case", &case]].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let at = |host, more: &[&str]| {
        let all = words(host, more);
        bed.calma_from_keeper(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };

    // Nobody confirms: it waits, asks anew, and says so, also in the case.
    let done = at("srv", &["isolate", "--yes", "--now", "--trial", "8", "--wait", "--json"]);
    eprintln!("{done}");
    assert_eq!(done.code, Some(3), "{done}");
    let last: Value = serde_json::from_str(done.text().lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["ended"]), (&"trial".into(), &"open".into()));
    assert!(reaches(&bed, 80), "it is not open");
    assert_eq!(network(&bed), before);
    let noted = at("srv", &["undo"]);
    assert!(noted.text().contains("nobody confirmed"), "{noted}");

    // Somebody confirms from elsewhere.
    let mut command = bed.calma_from_keeper_command(
        &words("srv", &["isolate", "--yes", "--now", "--trial", "90", "--wait"])
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let waiting = command.stdout(Stdio::piped()).spawn().unwrap();
    wait_until("it is not closed", 30, || !reaches(&bed, 80));
    std::thread::sleep(Duration::from_secs(2));
    let confirmed = at("srv", &["isolate", "--confirm"]);
    assert!(confirmed.ok(), "{confirmed}");
    let output = waiting.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("was confirmed"), "{text}");
    assert!(!reaches(&bed, 80));
    assert!(at("srv", &["release", "--yes"]).ok() && reaches(&bed, 80));

    // Somebody sits here: Enter connects anew, also where ssh would share the connection that was there before.
    let line = words("mux", &["isolate", "--yes", "--now", "--trial", "90"]).join(" ");
    let line = format!("{} {line}", bed.work().join("home/calma").display());
    let mut command = bed.keeper_command(&["script", "-qefc", &line, "/dev/null"]);
    let mut asked = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_until("it is not closed", 30, || !reaches(&bed, 80));
    // It proves first, then it asks.
    std::thread::sleep(Duration::from_secs(6));
    let mut keys = asked.stdin.take().unwrap();
    keys.write_all(b"\n").unwrap();
    keys.flush().unwrap();
    let output = asked.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{text}");
    assert!(text.contains("It opens by itself in") && text.contains("It stays, also when"), "{text}");
    assert!(!reaches(&bed, 80));
    assert!(at("srv", &["release", "--yes"]).ok() && reaches(&bed, 80));
    assert_eq!(network(&bed), before);
}
