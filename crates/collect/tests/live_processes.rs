//! The processes of the machine that runs the tests, looked at read-only.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use calma_collect::{Context, Item, Options, gather};
use calma_host::Live;
use calma_record::{Fact, kinds};
use std::process::{Child, Command};
use std::sync::Arc;

fn collector(name: &str) -> &'static calma_collect::Collector {
    calma_collect::ALL.iter().find(|collector| collector.card.name == name).unwrap()
}

fn look(name: &str) -> Vec<Item> {
    gather(collector(name), &Context::new(Arc::new(Live::new()), Options::default()))
}

/// A child that ends with the test.
struct Mine(Child);

impl Drop for Mine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_deleted_program_of_our_own_is_seen_and_kept_whole() {
    let folder = std::env::temp_dir().join(format!("calma-live-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("speci men");
    // By another process: a program that this one writes can not be started as long as a child of another test's thread, between
    // fork and exec, holds it open for writing too (execve(2), ETXTBSY).
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().unwrap().success());
    let child = Mine(Command::new(&program).arg("60").spawn().unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
    let expected = std::fs::read("/bin/sleep").unwrap();
    let items = look("processes");
    let pid = child.0.id();
    let process = items
        .iter()
        .find_map(|item| match item {
            Item::Fact(_, fact) => match &**fact {
                Fact::Process(process) if process.pid == pid => Some(kinds::Process::clone(process)),
                _ => None,
            },
            _ => None,
        })
        .unwrap();
    assert!(process.deleted && !process.memfd && process.same_files);
    assert_eq!(process.program.unwrap().as_bytes(), program.as_os_str().as_encoded_bytes());
    assert_eq!(process.parent, std::process::id());
    let id = items
        .iter()
        .find_map(|item| match item {
            Item::Whole { id, pid: Some(whole), partial: false, .. } if *whole == pid => Some(*id),
            _ => None,
        })
        .unwrap();
    let kept: Vec<u8> = items
        .iter()
        .filter_map(|item| match item {
            Item::Chunk(of, bytes) if *of == id => Some(bytes.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    assert!(kept == expected, "the evidence is the program");
}

#[test]
#[ignore = "prints what it costs; for measuring"]
fn cost() {
    let context = Context::new(Arc::new(Live::new()), Options::default());
    context.packages();
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let items = gather(collector("processes"), &context);
        let count = |kind: &str| {
            items.iter().filter(|item| matches!(item, Item::Fact(_, fact) if fact.kind() == kind)).count()
        };
        println!("{:?} for {} processes, {} items", start.elapsed(), count("process"), items.len());
        for kind in ["open-file", "process-variable", "mapped-object", "file", "process-mismatch"] {
            println!("  {kind}: {}", count(kind));
        }
        for item in &items {
            if let Item::Gap(gap) = item {
                println!("  gap: {} / {} {:?}", gap.what, gap.why, gap.example);
            }
        }
    }
}

/// Runs a test of this file that is ignored otherwise, in its own pid and mount namespaces.
fn inside(test: &str) {
    let program = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("CALMA_INSIDE", std::process::id().to_string())
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed inside its namespaces");
}

/// Asserted first by whatever acts: this process is the first of its own pid namespace, made for it.
fn assert_inside() {
    assert!(
        std::env::var_os("CALMA_INSIDE").is_some() && std::process::id() == 1,
        "not in a namespace of our own"
    );
}

#[test]
fn nothing_is_hidden_while_processes_come_and_go() {
    inside("storm");
}

#[test]
#[ignore = "runs inside namespaces made for it"]
fn storm() {
    assert_inside();
    // Since Linux 6.14 the bound is the namespace's own; before, it is left as it is.
    let before = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
    let own = std::fs::read_to_string("/proc/version").is_ok_and(|version| {
        let mut numbers = version.split_whitespace().nth(2).unwrap_or_default().split('.');
        let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
        (next(), next()) >= (6, 14)
    });
    if own {
        std::fs::write("/proc/sys/kernel/pid_max", "4194304").unwrap();
    }
    let storm =
        || Mine(Command::new("/bin/sh").args(["-c", "while :; do (:) & (:) & wait; done"]).spawn().unwrap());
    let storms = [storm(), storm()];
    let (mut hidden, mut mismatches) = (0, 0);
    for run in 0..5 {
        for name in ["hidden-processes", "processes", "pid-range"] {
            let start = std::time::Instant::now();
            let items = look(name);
            let count = |kind: &str| {
                items.iter().filter(|item| matches!(item, Item::Fact(_, fact) if fact.kind() == kind)).count()
            };
            (hidden, mismatches) = (hidden + count("hidden-process"), mismatches + count("process-mismatch"));
            let stat = std::fs::read_to_string("/proc/loadavg").unwrap();
            println!("run {run}: {name} took {:?}, {} items; {}", start.elapsed(), items.len(), stat.trim());
            for item in &items {
                if let Item::Gap(gap) = item {
                    println!("  gap: {} / {}", gap.what, gap.why);
                }
            }
        }
    }
    drop(storms);
    if own {
        std::fs::write("/proc/sys/kernel/pid_max", before).unwrap();
    }
    assert_eq!((hidden, mismatches), (0, 0));
}

#[test]
#[ignore = "prints what it costs; for measuring"]
fn cost_of_views() {
    use calma_host::{Asking, Host as _};
    let host = Live::new();
    let processes = host.kernel().unwrap().processes();
    for asking in Asking::ALL {
        let spent = || {
            let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        let start = spent();
        let found = processes.sweep(asking, 1 << 20..2 << 20).unwrap();
        println!("{asking:?}: {} ns of processor time an id, {} found", (spent() - start) >> 20, found.len());
    }
}
