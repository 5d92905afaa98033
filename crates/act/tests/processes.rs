//! Actions on processes, in namespaces of their own: a tree is frozen, kept, thawed and ended, and nothing else is met.
#![allow(
    clippy::disallowed_methods,
    clippy::zombie_processes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_host::ground::{ProcessLine, process, processes};
use calma_record::step::{ProcessName, Target, Way};
use common::{Stage, isolated};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A shell script in a session of its own, as an intruder's would be.
fn shell(script: &str) -> Child {
    let child =
        Command::new("setsid").args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    child.unwrap()
}

fn tree(pid: u32) -> Target {
    Target::Tree(process(pid).unwrap().identity())
}

/// The living processes below `pid`, itself among them.
fn below(pid: u32) -> Vec<ProcessLine> {
    let all = processes().unwrap();
    let mut ids = vec![pid];
    while let Some(line) = all.iter().find(|l| ids.contains(&l.parent) && !ids.contains(&l.pid)) {
        ids.push(line.pid);
    }
    all.into_iter().filter(|line| ids.contains(&line.pid) && !line.is_gone()).collect()
}

fn wait_for(what: &str, until: impl Fn() -> bool) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn states(pid: u32) -> String {
    below(pid).iter().map(|line| char::from(line.state)).collect()
}

#[test]
fn a_tree_is_frozen_and_thawed() {
    isolated("a_tree_is_frozen_and_thawed", || {
        let neighbour = shell("while :; do sleep 0.01; done");
        let victim = shell("sleep 1000 & (sleep 1000; :) & while :; do sleep 0.02; done");
        let pid = victim.id();
        wait_for("it starts", || below(pid).len() >= 5);
        // One of it was stopped before; it stays so.
        let before = below(pid).into_iter().find(|line| line.name == "sleep").unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(before.pid as i32).unwrap(),
            rustix::process::Signal::STOP,
        )
        .unwrap();
        wait_for("it stops", || process(before.pid).unwrap().state == b'T');
        let mut stage = Stage::new("freeze", tree(pid));
        stage.prepare().unwrap();
        let (_, changes) = stage.apply();
        stage.holds(Way::Do);
        assert!(states(pid).chars().all(|state| state == 'T'), "{}", states(pid));
        let frozen: Vec<u32> = below(pid).iter().map(|line| line.pid).collect();
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(
            below(pid).iter().map(|line| line.pid).collect::<Vec<_>>(),
            frozen,
            "nothing new is started"
        );
        assert_ne!(process(neighbour.id()).unwrap().state, b'T', "its neighbour runs");
        stage.fails(Way::Undo);
        stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(process(before.pid).unwrap().state, b'T', "what was stopped before stays so");
        assert!(below(pid).iter().filter(|line| line.state == b'T').count() == 1, "{}", states(pid));
        // Cut after any signal, it is finished or taken back.
        for cut in 0..changes {
            for finish in [true, false] {
                let mut stage = Stage::new("freeze", tree(pid));
                stage.prepare().unwrap();
                // The last one of the loop may have just ended: then there is one fewer to stop.
                let cut_short = stage.crashes(Way::Do, cut);
                assert!(cut_short || cut + 2 > changes, "{cut} changes of {changes} were enough");
                if finish && cut_short {
                    stage.apply();
                    stage.holds(Way::Do);
                }
                stage.revert();
                stage.holds(Way::Undo);
                assert!(below(pid).iter().filter(|line| line.state == b'T').count() == 1, "cut after {cut}");
            }
        }
    });
}

#[test]
fn a_fork_storm_is_caught() {
    isolated("a_fork_storm_is_caught", || {
        // Each generation starts the next one and ends; what it leaves is found by its session.
        let victim = shell("while :; do sh -c 'sh -c \"sleep 5\" & sleep 5' & sleep 0.005; done");
        wait_for("it forks", || below(victim.id()).len() > 20);
        let mut stage = Stage::new("freeze", tree(victim.id()));
        stage.prepare().unwrap();
        let began = Instant::now();
        let (done, _) = stage.apply();
        eprintln!("{} in {:?}", done.says, began.elapsed());
        stage.holds(Way::Do);
        let count = below(victim.id()).len();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(below(victim.id()).len(), count);
        let mut kill = Stage::new("kill", tree(victim.id()));
        kill.prepare().unwrap();
        kill.apply();
        kill.holds(Way::Do);
        assert!(
            !processes().unwrap().iter().any(|l| l.session == victim.id() && !l.is_gone()),
            "all of it is gone"
        );
    });
}

#[test]
fn five_hundred_processes_are_frozen_soon() {
    isolated("five_hundred_processes_are_frozen_soon", || {
        let victim = shell("i=0; while [ $i -lt 500 ]; do sleep 1000 & i=$((i+1)); done; wait");
        wait_for("they start", || below(victim.id()).len() >= 501);
        let mut stage = Stage::new("freeze", tree(victim.id()));
        let began = Instant::now();
        stage.prepare().unwrap();
        let prepared = began.elapsed();
        stage.apply();
        eprintln!("501 processes: prepared in {prepared:?}, frozen in {:?} more", began.elapsed() - prepared);
        stage.holds(Way::Do);
        assert!(began.elapsed() < Duration::from_secs(2));
        stage.revert();
        stage.holds(Way::Undo);
    });
}

#[test]
fn what_a_process_knows_is_kept() {
    isolated("what_a_process_knows_is_kept", || {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("dropped");
        std::fs::copy("/bin/sh", &program).unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "what was deleted\n").unwrap();
        let script = format!(
            "exec 7<{0}; rm {0} {1}; KEY=$(printf 'canary-%s-canary' 4711); while :; do sleep 1000; done",
            secret.display(),
            program.display()
        );
        let victim = Command::new("setsid")
            .arg(&program)
            .args(["-c", &script])
            .env("WAY", "in")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let sleeps = || below(victim.id()).iter().any(|line| line.name == "sleep");
        wait_for("it deletes itself", || !program.exists() && sleeps());
        let mut freeze = Stage::new("freeze", tree(victim.id()));
        freeze.prepare().unwrap();
        freeze.apply();
        let mut stage = Stage::new("preserve", tree(victim.id()));
        stage.prepare().unwrap();
        let (done, changes) = stage.apply();
        assert_eq!(changes, 1, "keeping changes nothing: only what is done to the disk at the end");
        eprintln!("{}", done.says);
        let find = |what: &str| {
            let found = stage.vault.names.iter().find(|(name, ..)| name.contains(what));
            let (.., digest) = found.unwrap_or_else(|| panic!("no {what} in {:?}", stage.vault.names));
            &stage.vault.pieces[digest]
        };
        assert_eq!(find(&format!("program of process {}", victim.id())), &std::fs::read("/bin/sh").unwrap());
        let core = find(&format!("memory of process {}", victim.id()));
        assert!(core.windows(18).any(|bytes| bytes == b"canary-4711-canary"), "its key is in its memory");
        assert!(
            stage.vault.pieces.values().any(|bytes| bytes == b"what was deleted\n"),
            "the deleted file it holds"
        );
        let told = String::from_utf8(find(&format!("tells of process {}", victim.id())).clone()).unwrap();
        assert!(told.contains("WAY=in") && told.contains("(deleted)") && told.contains("net/tcp"));
        let mut kill = Stage::new("kill", tree(victim.id()));
        kill.prepare().unwrap();
        kill.crash(Way::Do, 1);
        kill.apply();
        kill.holds(Way::Do);
        assert!(kill.revert().0.says.contains("deleted"));
        assert!(freeze.revert().0.says.contains("had ended"));
    });
}

#[test]
fn what_must_not_be_touched_is_refused() {
    isolated("what_must_not_be_touched_is_refused", || {
        let me = process(std::process::id()).unwrap().identity();
        let first = process(1).unwrap().identity();
        let stranger = ProcessName { started: me.started + 5, ..me.clone() };
        for (name, why) in [(&me, "calma itself"), (&first, "first process"), (&stranger, "another one")] {
            for action in ["freeze", "preserve", "kill"] {
                let refusal = Stage::new(action, Target::Tree(name.clone())).prepare().unwrap_err();
                assert!(refusal.why.contains(why), "{action}: {refusal:?}");
            }
        }
        // A process that ended in between: nothing is done to whoever has its id now.
        let mut victim = shell("sleep 1000");
        let target = tree(victim.id());
        let mut stage = Stage::new("kill", target);
        stage.prepare().unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        stage.apply();
        stage.holds(Way::Do);
    });
}

/// A file system on which every write waits without end, and cannot be interrupted: frozen, as before a snapshot.
struct Waiting;

impl Waiting {
    const AT: &str = "/mnt/disk";

    fn sh(script: &str) {
        assert!(Command::new("sh").args(["-c", script]).status().unwrap().success(), "{script}");
    }

    fn begin() -> Self {
        Self::sh(
            "mount -t tmpfs none /mnt && mkdir /mnt/disk && truncate -s 8M /mnt/image && mkfs.ext4 -q -F /mnt/image",
        );
        Self::sh("mount -o loop /mnt/image /mnt/disk && fsfreeze -f /mnt/disk");
        Self
    }
}

impl Drop for Waiting {
    // Also when the test fails: what waits there could not be ended otherwise.
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").args(["-u", Self::AT]).status();
    }
}

#[test]
fn one_that_waits_for_a_device_is_told_of_and_stops_once_it_answers() {
    isolated("one_that_waits_for_a_device_is_told_of_and_stops_once_it_answers", || {
        let disk = Waiting::begin();
        let victim = shell("echo x >/mnt/disk/f; sleep 1000");
        // For good, and not for a moment as every program does at its start.
        let waits = || process(victim.id()).is_some_and(|line| line.state == b'D');
        wait_for("it waits", || {
            (0..20).all(|_| {
                std::thread::sleep(Duration::from_millis(1));
                waits()
            })
        });
        let mut freeze = Stage::new("freeze", tree(victim.id()));
        freeze.prepare().unwrap();
        freeze.apply();
        let why = freeze.fails(Way::Do);
        assert!(why.contains(&format!("process {} waits for a device", victim.id())), "{why}");
        // Ten seconds go by until that is given up.
        if std::env::var_os("CALMA_SOAK").is_some() {
            let mut kill = Stage::new("kill", tree(victim.id()));
            kill.prepare().unwrap();
            let why = kill.try_apply().unwrap_err().0;
            assert!(why.contains("waits for a device"), "{why}");
            kill.fails(Way::Do);
            drop(disk);
            wait_for("it ends", || below(victim.id()).is_empty());
            kill.holds(Way::Do);
            return;
        }
        drop(disk);
        wait_for("it stops", || states(victim.id()) == "T");
        freeze.holds(Way::Do);
        freeze.revert();
        freeze.holds(Way::Undo);
    });
}

#[test]
fn one_in_namespaces_of_its_own_is_frozen_kept_and_ended() {
    isolated("one_in_namespaces_of_its_own_is_frozen_kept_and_ended", || {
        let victim = Command::new("setsid")
            .args([
                "unshare",
                "--user",
                "--map-root-user",
                "--pid",
                "--fork",
                "--mount-proc",
                "--net",
                "--ipc",
            ])
            .args(["sh", "-c", "trap '' TERM INT; sleep 1000 & sleep 1000 & wait"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("it starts", || below(victim.id()).len() == 4);
        let inner = below(victim.id()).iter().map(|line| line.pid).max().unwrap();
        for kind in ["user", "pid", "net"] {
            let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
            assert_ne!(namespace(inner), namespace(std::process::id()), "{kind}");
        }
        let mut freeze = Stage::new("freeze", tree(victim.id()));
        freeze.prepare().unwrap();
        freeze.apply();
        freeze.holds(Way::Do);
        assert_eq!(states(victim.id()), "TTTT");
        let mut keep = Stage::new("preserve", tree(victim.id()));
        keep.prepare().unwrap();
        let (done, _) = keep.apply();
        assert!(!done.says.contains("not kept"), "{}", done.says);
        let memory = keep.vault.names.iter().filter(|(name, ..)| name.contains("memory of process")).count();
        assert_eq!(memory, 4);
        freeze.revert();
        freeze.holds(Way::Undo);
        let mut kill = Stage::new("kill", tree(victim.id()));
        kill.prepare().unwrap();
        kill.apply();
        kill.holds(Way::Do);
        assert!(!processes().unwrap().iter().any(|line| line.session == victim.id() && !line.is_gone()));
    });
}
