//! Signs of life: a witness outside notices when the guard is gone, and nothing else passes by their way.

use crate::own::{bed, gets_out, guard, reaches};
use calma_testkit::skip_without_root;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_witness_misses_the_guard() {
    if skip_without_root("a_witness_misses_the_guard") {
        return;
    }
    let bed = bed();
    let case = bed.work().join("witness").display().to_string();
    let words = [
        "witness",
        "--host",
        "10.77.0.2",
        "--kept",
        "10.77.0.1:22",
        "--for",
        "17",
        "--json",
        "--case",
        &case,
    ];
    // What the server's own kernel says before it is closed is no leak of the isolation.
    let isolate = |key: &str| {
        let beat = format!("10.77.0.1/{key}");
        bed.calma(&["isolate", "--yes", "--now", "--trial", "90", "--witness", &beat, "--case", "/root/case"])
    };
    let key = "000102030405060708090a0b0c0d0e0f";
    let done = isolate(key);
    assert!(done.ok() && done.text().contains("that the guard lives"), "{done}");
    let mut witness = bed.calma_from_keeper_command(&[&words[..], &["--key", key]].concat());
    let mut witness = witness.stdout(Stdio::piped()).spawn().unwrap();
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok(), "{anew}");
    std::thread::sleep(Duration::from_secs(5));
    // Its program is in memory for good, and not also the room that its allocator keeps.
    let status = bed.run(&format!("cat /proc/{}/status", guard(&bed))).text();
    let kibibytes = |field: &str| -> u64 {
        let of = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        of.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let program = std::fs::metadata(calma_testkit::binaries::calma()).unwrap().len() / 1024;
    let resident = kibibytes("VmRSS:");
    assert!(
        kibibytes("VmLck:") > program && resident > program * 9 / 10 && resident < program * 2,
        "{status}"
    );
    assert!(bed.run(&format!("kill -9 {}", guard(&bed))).ok());
    let lines: Vec<Value> = BufReader::new(witness.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    witness.wait().unwrap();
    let end = lines.last().unwrap();
    eprintln!("{end}");
    assert_eq!((&end["proof"], &end["leaks"]), (&"silent".into(), &0.into()), "{end}");
    let beats = end["beats"].as_u64().unwrap();
    assert!((4..20).contains(&beats) && end["by"]["beat"].as_u64() == Some(beats), "{end}");
    let silent = end["silent"].as_array().unwrap();
    assert!(silent.len() == 1 && silent[0]["to"].is_null(), "{end}");
    assert!(
        end["to"].as_str() < lines[lines.len() - 2]["to"].as_str(),
        "it claims more than it was told: {end}"
    );
    assert!(!reaches(&bed, 80) && !gets_out(&bed), "it opened with its guard");
    assert!(bed.calma(&["release", "--yes", "--case", "/root/case"]).ok());

    // What goes by their way without the right code is a leak; the port is the guard's alone.
    let done = isolate(key);
    assert!(done.ok(), "{done}");
    let words = [
        "witness",
        "--host",
        "10.77.0.2",
        "--kept",
        "10.77.0.1:22",
        "--for",
        "4",
        "--json",
        "--key",
        key,
        "--case",
        &case,
    ];
    let mut witness = bed.calma_from_keeper_command(&words);
    let witness = witness.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let send = "import socket; s=socket.socket(socket.AF_INET,socket.SOCK_RAW,17); \
                s.sendto(bytes([0x51,0xb9,0x51,0xb7,0,76,0,0])+b'calmaCN1@'+b'x'*59,('10.77.0.1',0))";
    assert!(bed.run(&format!("python3 -c \"{send}\"")).ok());
    let taken = bed.run(
        "python3 -c \"import socket; socket.socket(socket.AF_INET,socket.SOCK_DGRAM).bind(('',20921))\"",
    );
    assert!(!taken.ok(), "the guard's port can be had");
    let output = witness.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    eprintln!("{end}");
    assert_eq!((&end["proof"], &end["leaks"]), (&"heard".into(), &1.into()), "{end}");
}
