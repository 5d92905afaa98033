//! Suspects that hold packet sockets or connections are frozen before the cut, if that is asked for, and nobody else is.

use crate::own::{bed, reaches, wait_until};
use calma_testkit::bed::Bed;
use calma_testkit::binaries;
use calma_testkit::skip_without_root;
use serde_json::Value;

/// A program of no package that waits below the packet filter, and one with a connection out. Their files are gone by now.
fn planted(bed: &Bed) -> [u64; 2] {
    let program = std::fs::read(binaries::plant()).unwrap();
    for path in ["/var/tmp/.cache-a", "/dev/shm/.cache-b"] {
        bed.put(path, &program, 0o755);
    }
    let hears = bed.live("exec /var/tmp/.cache-a packet raw");
    let script = "exec 3<>/dev/tcp/10.77.0.1/7778; exec /dev/shm/.cache-b sleep";
    bed.put("/root/connects", script.as_bytes(), 0o755);
    let connects = bed.live("exec bash /root/connects");
    wait_until("a connection stands", 10, || bed.run("ss -Htn dst 10.77.0.1:7778").text().contains("ESTAB"));
    let _ = bed.run("rm -f /var/tmp/.cache-a /dev/shm/.cache-b /root/connects");
    [hears, connects]
}

fn state(bed: &Bed, pid: u64) -> String {
    bed.run(&format!("cut -d' ' -f3 /proc/{pid}/stat; cat /sys/fs/cgroup$(cut -d: -f3 /proc/{pid}/cgroup | tail -1)/cgroup.freeze"))
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn stands(bed: &Bed, pid: u64) -> bool {
    let state = state(bed, pid);
    state.starts_with('T') || state.ends_with('1')
}

/// Does what a release says of those that are frozen.
fn thaw(bed: &Bed, words: &str) {
    let steps = words.split("calma undo ").nth(1).unwrap().split(',').next().unwrap();
    let thawed = bed.run(&format!("/root/calma undo {steps} --yes --case /root/case"));
    assert!(thawed.ok(), "{thawed}");
}

#[test]
fn suspects_are_frozen_before_the_cut_when_asked_and_thaw() {
    if skip_without_root("suspects_are_frozen_before_the_cut_when_asked_and_thaw") {
        return;
    }
    let bed = bed();
    let [hears, connects] = planted(&bed);
    // Without a look there is nobody to suspect.
    let unseen = bed.calma(&["isolate", "--dry-run", "--freeze", "--case", "/root/case"]);
    assert!(unseen.ok() && !unseen.text().contains("Freezes"), "{unseen}");
    assert!(unseen.text().contains("Suspects     nobody"), "{unseen}");
    let looked = bed.calma(&["triage", "--quick", "--no-pid-range", "--case", "/root/case"]);
    assert_eq!(looked.code, Some(1), "{looked}");

    // It is offered.
    let dry = bed.calma(&["isolate", "--dry-run", "--case", "/root/case"]);
    eprintln!("{dry}");
    let words = dry.text().split_whitespace().collect::<Vec<_>>().join(" ");
    for (pid, what) in [(hears, "a packet socket"), (connects, "a connection with 10.77.0.1, port 7778")] {
        assert!(
            words.contains(&format!("Suspect pid {pid} ")) && words.contains(what),
            "{pid}, {what}: {dry}"
        );
    }
    assert!(words.contains("--freeze"), "{dry}");
    let json = bed.calma(&["isolate", "--dry-run", "--json", "--case", "/root/case"]);
    let plan: Value = serde_json::from_str(json.text().lines().next().unwrap()).unwrap();
    assert_eq!(plan["suspects"].as_array().unwrap().len(), 2, "{json}");
    let services = "systemctl show -p MainPID --value ssh nginx cron rsyslog systemd-journald | grep .";
    let served: Vec<u64> =
        bed.run(services).text().lines().map(|pid| pid.parse().unwrap()).chain([1]).collect();

    // Not asked for, nobody is frozen.
    let done = bed.calma(&["isolate", "--yes", "--now", "--trial", "90", "--case", "/root/case"]);
    assert!(done.ok() && !stands(&bed, hears) && !stands(&bed, connects), "{done}");
    assert!(bed.calma(&["release", "--yes", "--case", "/root/case"]).ok());

    let done = bed.calma(&["isolate", "--yes", "--now", "--trial", "90", "--freeze", "--case", "/root/case"]);
    eprintln!("{done}");
    assert!(done.ok() && done.text().contains("Freezes"), "{done}");
    assert!(
        stands(&bed, hears) && stands(&bed, connects),
        "{} {}",
        state(&bed, hears),
        state(&bed, connects)
    );
    // Before the cut, by the journal's order.
    let text = done.text();
    assert!(text.find("freeze ").unwrap() < text.find("cut off ").unwrap(), "{text}");
    for pid in &served {
        assert!(!stands(&bed, *pid), "process {pid} is frozen");
    }
    // A new connection comes in, confirms, and opens; who is frozen stays so, and it says how to thaw.
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok(), "{anew}");
    let released = bed.calma(&["release", "--yes", "--case", "/root/case"]);
    eprintln!("{released}");
    let words = released.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        released.ok() && words.contains("Still frozen:") && words.contains("Thaw with calma undo"),
        "{released}"
    );
    assert!(reaches(&bed, 80) && stands(&bed, hears) && stands(&bed, connects));
    thaw(&bed, &words);
    assert!(!stands(&bed, hears) && !stands(&bed, connects));

    // Asked at a terminal, it is one letter.
    let line = "/root/calma isolate --now --trial 90 --case /root/case";
    let asked = bed.run(&format!("printf 'f\n' | script -qec '{line}' /dev/null"));
    eprintln!("{asked}");
    assert!(asked.ok() && asked.text().contains("f: freeze the suspects"), "{asked}");
    assert!(stands(&bed, hears) && !reaches(&bed, 80));
    let released = bed.calma(&["release", "--yes", "--case", "/root/case"]);
    assert!(released.ok() && released.text().contains("Still frozen:"), "{released}");
    thaw(&bed, &released.text().split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(!stands(&bed, hears) && !stands(&bed, connects));
    assert!(bed.calma(&["case", "verify", "--case", "/root/case"]).ok());
}
