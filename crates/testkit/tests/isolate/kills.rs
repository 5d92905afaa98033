//! The command and the guard are killed at random moments: never locked out, never silently open.

use crate::own::{bed, guard, network, wait_until};
use calma_testkit::bed::Bed;
use calma_testkit::random::Random;
use calma_testkit::{skip_outside_the_soak, skip_without_root};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What is killed, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kill {
    /// The command, somewhere between its start and its end.
    Command,
    /// The guard, somewhere from its first instant on, in the trial.
    GuardInTrial,
    /// The guard, while somebody confirms.
    GuardAtConfirmation,
    /// The guard, after that.
    GuardHeld,
    /// The command or the guard, at a console, where nothing is on trial.
    AtConsole,
    /// The command that confirms, somewhere between its start and its end.
    Confirmation,
    /// The command that opens, on trial or held.
    Release,
}

/// Whether the keeper reaches the server, asked shortly.
fn reaches(bed: &Bed) -> bool {
    bed.keeper(&["timeout", "0.5", "bash", "-c", "echo >/dev/tcp/10.77.0.2/80"]).ok()
}

fn status(bed: &Bed) -> Value {
    let text = bed.run("/root/calma isolate --status --json").text();
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What calma says is what is so, and a new session always comes in.
fn is_as_it_says(bed: &Bed, kill: Kill) -> bool {
    assert!(bed.keeper(&["ssh", "srv", "true"]).ok(), "{kill:?}: locked out");
    // A trial may end between the two questions.
    for _ in 0..2 {
        let (said, open) = (status(bed), reaches(bed));
        if said["isolated"] == !open {
            return open;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    let (said, open) = (status(bed), reaches(bed));
    assert_eq!(said["isolated"], !open, "{kill:?}: it says {said}, and open is {open}");
    open
}

/// One trial; a script in the server starts, waits and kills, so that the moments are exact. Whether a command was still at it.
fn once(bed: &Bed, kill: Kill, moment: u64, before: &str, number: usize) -> bool {
    let case = format!("/root/case-{}", number / 10);
    let wait = format!("sleep {}.{:03}", moment / 1000, moment % 1000);
    let (trial, console) = match kill {
        Kill::Command => ("5", ""),
        // Long enough to connect anew and confirm.
        Kill::Confirmation => ("8", ""),
        Kill::AtConsole => ("60", "--console --allow 10.77.0.1:22"),
        _ => ("60", ""),
    };
    let isolate =
        format!("/root/calma isolate --yes --now --trial {trial} {console} --case {case} >/dev/null 2>&1");
    // One that is still ending after the trial before would be taken for this one's.
    let none = "while pgrep -f 'isolation-guard$' >/dev/null; do :; done";
    let its_guard =
        "g=; until [ -n \"$g\" ] || ! kill -0 $c 2>/dev/null; do g=$(pgrep -f 'isolation-guard$'); done";
    let script = match kill {
        Kill::Command => format!("{isolate} & c=$!; {wait}; kill -9 $c 2>/dev/null && echo cut"),
        Kill::AtConsole if number.is_multiple_of(2) => {
            format!("{isolate} & c=$!; {wait}; kill -9 $c 2>/dev/null")
        }
        Kill::GuardInTrial | Kill::AtConsole => {
            format!("{none}; {isolate} & c=$!; {its_guard}; {wait}; [ -z \"$g\" ] || kill -9 $g; wait $c")
        }
        Kill::GuardAtConfirmation | Kill::GuardHeld | Kill::Confirmation | Kill::Release => isolate,
    };
    let mut cut = bed.run(&script).text().contains("cut");
    if matches!(kill, Kill::GuardAtConfirmation | Kill::GuardHeld) {
        let held = guard(bed);
        let confirm = format!("/root/calma isolate --confirm --case {case} >/dev/null 2>&1");
        let script = if kill == Kill::GuardHeld {
            format!("{confirm} && {{ {wait}; kill -9 {held}; }}")
        } else {
            format!("{confirm} & c=$!; {wait}; kill -9 {held}; wait $c")
        };
        // Over a new connection.
        let _ = bed.keeper(&["ssh", "srv", &script]);
    }
    if matches!(kill, Kill::Confirmation | Kill::Release) {
        let confirm = format!("/root/calma isolate --confirm --case {case} >/dev/null 2>&1");
        let release = format!("/root/calma release --yes --case {case} >/dev/null 2>&1");
        let held = if number.is_multiple_of(2) { format!("{confirm}; ") } else { String::new() };
        let script = if kill == Kill::Confirmation {
            format!("{confirm} & c=$!; {wait}; kill -9 $c 2>/dev/null && echo cut")
        } else {
            format!("{held}{release} & c=$!; {wait}; kill -9 $c 2>/dev/null && echo cut")
        };
        cut = bed.keeper(&["ssh", "srv", &script]).text().contains("cut");
    }
    match kill {
        // It was never closed, or the time is over, or the kernel opens.
        Kill::Command | Kill::GuardInTrial => {
            let until = Instant::now() + Duration::from_secs(9);
            while !is_as_it_says(bed, kill) {
                let runs = || bed.run("ps -eo pid,ppid,stat,etimes,args | grep calma").text();
                assert!(Instant::now() < until, "{kill:?} at {moment} ms: {}\n{}", status(bed), runs());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Kill::GuardHeld => {
            std::thread::sleep(Duration::from_millis(300));
            assert!(
                !is_as_it_says(bed, kill),
                "it opened with its guard, {moment} ms after the confirmation"
            );
        }
        // Confirmed, and it stays; or not, and then the timer opens it. What it is, it says.
        Kill::Confirmation => wait_until("a trial goes on for ever", 15, || {
            is_as_it_says(bed, kill) || status(bed)["state"]["phase"] == "held"
        }),
        Kill::GuardAtConfirmation | Kill::AtConsole | Kill::Release => {
            std::thread::sleep(Duration::from_millis(300));
            is_as_it_says(bed, kill);
        }
    }
    let released = bed.run(&format!("/root/calma release --yes --case {case}"));
    assert!(released.ok(), "{kill:?} at {moment} ms: {released}");
    assert!(is_as_it_says(bed, kill), "{kill:?} at {moment} ms: a release does not open");
    assert_eq!(network(bed), before, "{kill:?} at {moment} ms");
    cut
}

/// How long each command takes here and half as much again, in milliseconds: the moments are to lie within, also when there is more
/// to do.
fn durations(bed: &Bed) -> [usize; 3] {
    let timed = |command: &str| {
        let script = format!(
            "n=$EPOCHREALTIME; /root/calma {command} --case /root/case-0 >/dev/null 2>&1 || exit 1; m=$EPOCHREALTIME; \
             echo $(( (${{m/./}} - ${{n/./}}) / 1000 ))"
        );
        let done = bed.keeper(&["ssh", "srv", "bash", "-c", &calma_testkit::bed::quoted(&script)]);
        let took: usize = done.text().trim().parse().unwrap_or_else(|_| panic!("{command}: {done}"));
        took * 3 / 2
    };
    let all = ["isolate --yes --now --trial 60", "isolate --confirm", "release --yes"].map(timed);
    println!("isolate, confirm and release are killed within {all:?} ms");
    all
}

fn trials(kinds: &[(Kill, usize)]) {
    let bed = bed();
    let before = network(&bed);
    assert!(bed.calma(&["isolate", "--status"]).ok());
    let [isolates, confirms, releases] = durations(&bed);
    let mut random = Random::new(Random::seed(), 6);
    let mut number = 0;
    for (kill, times) in kinds {
        let longest = match kill {
            Kill::Command => isolates,
            Kill::Confirmation => confirms,
            Kill::Release => releases,
            Kill::AtConsole => 1_200,
            _ => 600,
        };
        let mut cut = 0;
        for _ in 0..*times {
            cut += usize::from(once(&bed, *kill, random.below(longest) as u64, &before, number));
            number += 1;
        }
        println!("{kill:?}: {times} of {times}; a command was cut in the middle {cut} times");
    }
    for case in 0..number.div_ceil(10) {
        let verified = bed.calma(&["case", "verify", "--case", &format!("/root/case-{case}")]);
        println!("case {case}: exit {:?}", verified.code);
    }
}

#[test]
fn killed_at_some_moments_it_is_neither_locked_nor_silently_open() {
    if skip_without_root("killed_at_some_moments_it_is_neither_locked_nor_silently_open") {
        return;
    }
    trials(&[
        (Kill::GuardInTrial, 2),
        (Kill::GuardAtConfirmation, 1),
        (Kill::GuardHeld, 2),
        (Kill::AtConsole, 1),
    ]);
}

#[test]
fn the_command_is_killed_at_some_moments() {
    if skip_without_root("the_command_is_killed_at_some_moments") {
        return;
    }
    trials(&[(Kill::Command, 1), (Kill::Confirmation, 1), (Kill::Release, 2)]);
}

#[test]
fn the_command_is_killed_at_fifty_moments() {
    if skip_outside_the_soak("the_command_is_killed_at_fifty_moments") {
        return;
    }
    trials(&[(Kill::Command, 17), (Kill::Confirmation, 17), (Kill::Release, 16)]);
}

#[test]
fn killed_in_a_hundred_trials_it_opens() {
    if skip_outside_the_soak("killed_in_a_hundred_trials_it_opens") {
        return;
    }
    trials(&[(Kill::GuardInTrial, 100), (Kill::GuardAtConfirmation, 30)]);
}

#[test]
fn killed_a_hundred_times_once_confirmed_it_stays_closed() {
    if skip_outside_the_soak("killed_a_hundred_times_once_confirmed_it_stays_closed") {
        return;
    }
    trials(&[(Kill::GuardHeld, 100), (Kill::AtConsole, 30)]);
}
