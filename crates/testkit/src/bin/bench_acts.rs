//! `bench/acts`: what acting costs, beside other ways of doing the same, in one run on one machine, as a Markdown table. It
//! runs in pid, mount and network namespaces of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a development tool: it fails loudly"
)]

use calma_case::{About, Case, PlaceKind};
use calma_host::ground::{boot, process, processes};
use calma_record::step::{Plan, Step, Target};
use calma_testkit::binaries;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const INSIDE: &str = "CALMA_BENCH_INSIDE";
/// Every figure is the middle one of so many runs.
const RUNS: usize = 5;

/// A row of the table: its name, and what measures and prints it below a folder.
type Row = (&'static str, fn(&Path));

fn main() {
    if std::env::var_os(INSIDE).is_none() {
        let calma = binaries::calma();
        let outer = fs::read_link("/proc/self/ns/net").unwrap();
        let status = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", "mount -t tmpfs none /run && \"$@\"; exit $?", "sh"])
            .arg(std::env::current_exe().unwrap())
            .env(INSIDE, outer)
            .env("CALMA_BIN", calma)
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let outer = PathBuf::from(std::env::var_os(INSIDE).unwrap());
    assert_ne!(fs::read_link("/proc/self/ns/net").unwrap(), outer, "not in namespaces of its own");
    assert!(std::process::id() < 100, "not in a pid namespace of its own");
    let work = std::env::var_os("CALMA_BENCH_AT").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let work = work.join(format!(
        "calma-bench-acts-{}",
        std::env::var(INSIDE).unwrap().len() + std::process::id() as usize
    ));
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).unwrap();
    println!("| What | Figure | Aim | Beside |\n|---|---|---|---|");
    // CALMA_BENCH names the one row that is wanted.
    let rows: [Row; 3] = [("freeze", freeze), ("preserve", preserve), ("quarantine", quarantine)];
    let wanted = std::env::var("CALMA_BENCH").ok();
    for (name, row) in rows {
        if wanted.as_ref().is_none_or(|wanted| wanted == name) {
            row(&work);
        }
    }
    fs::remove_dir_all(&work).unwrap();
}

fn row(what: &str, figure: String, aim: &str, beside: String) {
    println!("| {what} | {figure} | {aim} | {beside} |");
}

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn sh(script: &str) -> Duration {
    let began = Instant::now();
    assert!(
        Command::new("sh").args(["-c", script]).stdout(Stdio::null()).status().unwrap().success(),
        "{script}"
    );
    began.elapsed()
}

/// Runs calma with a plan of these steps in a new case; how long, from its start to its end, and what it printed.
fn contain(work: &Path, steps: Vec<(&str, Target)>, what: &str) -> (Duration, String) {
    let folder = work.join("case");
    let _ = fs::remove_dir_all(&folder);
    Case::create(&folder, &About::new("0", "bench", PlaceKind::Named)).unwrap();
    let steps = (1..).zip(steps).map(|(number, (action, target))| Step {
        number,
        action: action.to_owned(),
        target,
        story: 1,
        findings: Vec::new(),
        ticked: true,
        doubt: String::new(),
    });
    let plan = Plan {
        schema: 1,
        host: "bench".into(),
        boot: boot(),
        made: calma_case::now(),
        steps: steps.collect(),
    };
    let file = work.join("plan.json");
    fs::write(&file, serde_json::to_string(&plan).unwrap()).unwrap();
    sh("sync");
    let began = Instant::now();
    let mut command = Command::new(binaries::calma());
    command.args([what, "--yes", "--case"]).arg(&folder);
    if what == "contain" {
        command.args(["--watch", "0", "--plan"]).arg(&file);
    } else {
        command.arg("--all");
    }
    let output = command.output().unwrap();
    let took = began.elapsed();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    (took, text)
}

/// A tree of 500 processes, stopped: the program's whole run, and of that the time in which the tree is stopped.
fn freeze(work: &Path) {
    let mut victim = Command::new("setsid")
        .args(["sh", "-c", "i=0; while [ $i -lt 499 ]; do sleep 10000 & i=$((i+1)); done; wait"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let below = || {
        let all = processes().unwrap();
        all.into_iter().filter(|line| line.session == victim.id() && !line.is_gone()).collect::<Vec<_>>()
    };
    while below().len() < 500 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let target = Target::Tree(process(victim.id()).unwrap().identity());
    let (mut whole, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        whole.push(contain(work, vec![("freeze", target.clone())], "contain").0);
        // What the journal says: from the intent to the outcome, with the promise brought to the disk in between.
        let (mut begun, mut ended) = (0, 0);
        for entry in Case::open(&work.join("case")).unwrap().journal_entries().unwrap() {
            match entry {
                calma_record::step::Entry::Intent(intent) => begun = intent.at.nanoseconds(),
                calma_record::step::Entry::Outcome(outcome) => ended = outcome.at.nanoseconds(),
                _ => {}
            }
        }
        alone.push(Duration::from_nanos(u64::try_from(ended - begun).unwrap()));
        assert!(below().iter().all(|line| line.is_stopped()), "not all stand");
        for line in below() {
            let pid = rustix::process::Pid::from_raw(line.pid as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        }
    }
    let figure = format!("{:.0} ms", middle(alone) * 1000.0);
    let beside = format!(
        "the program's whole run, with the case's journal on the disk: {:.0} ms",
        middle(whole) * 1000.0
    );
    row(
        "a tree of 500 processes frozen, from the intent to the last one seen to stand",
        figure,
        "100 ms",
        beside,
    );
    for line in below() {
        let pid = rustix::process::Pid::from_raw(line.pid as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    victim.wait().unwrap();
}

/// 400 MB of a process's memory, half of it random, into the case; beside the same bytes copied from memory to the same disk.
fn preserve(work: &Path) {
    const SCRIPT: &str = "import os,time\na=[os.urandom(1<<20) for _ in range(200)]\nb=[bytes(range(256))*4096 for _ in range(200)]\n\
                          open(os.environ['READY'],'w').write('x')\ntime.sleep(100000)";
    let ready = work.join("ready");
    let mut victim = Command::new("setsid")
        .args(["python3", "-c", SCRIPT])
        .env("READY", &ready)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    while !ready.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let target = Target::Tree(process(victim.id()).unwrap().identity());
    let (mut ours, mut plain, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
    let status = fs::read_to_string(format!("/proc/{}/status", victim.id())).unwrap();
    let resident: f64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
        .unwrap();
    let megabytes = resident * 1024.0 / 1e6;
    sh(&format!(
        "head -c {0} /dev/urandom >/dev/shm/calma-bench; yes 0123456789abcdef | head -c {0} >>/dev/shm/calma-bench",
        (megabytes * 5e5) as u64
    ));
    for _ in 0..3 {
        sh("sync");
        plain.push(sh(&format!(
            "dd if=/dev/shm/calma-bench of={}/copy bs=1M conv=fsync 2>/dev/null",
            work.display()
        )));
        fs::remove_file(work.join("copy")).unwrap();
        ours.push(contain(work, vec![("freeze", target.clone()), ("preserve", target.clone())], "contain").0);
        bytes = bytes.max(1);
    }
    fs::remove_file("/dev/shm/calma-bench").unwrap();
    let (ours, plain) = (middle(ours), middle(plain));
    row(
        &format!("{megabytes:.0} MB of a process's memory frozen, kept and on the disk"),
        format!("{ours:.2} s, {:.0} MB/s, {:.0} %", megabytes / ours, plain / ours * 100.0),
        "60 % of the copy",
        format!(
            "the same amount copied from memory to the same disk with fsync: {plain:.2} s, {:.0} MB/s",
            megabytes / plain
        ),
    );
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// A new file system with a journal, in a file of the disk and past its cache. Every run has its own: on one that was in use, what
/// was removed a moment ago makes the next files dear (ext4 without a journal passes over every inode that was freed in the last
/// minutes before it gives out another: recently_deleted of fs/ext4/ialloc.c).
fn fresh(work: &Path) -> PathBuf {
    let at = work.join("fresh");
    sh(&format!(
        "cd {0} && rm -f image && truncate -s 2G image && mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 image && \
         mkdir -p fresh && device=$(losetup -f --show --direct-io=on image) && mount $device fresh && losetup -d $device",
        work.display()
    ));
    at
}

/// A thousand programs of 20 kB taken off; beside `cp -a`, `sync` of that file system and `sha256sum`. Nothing is removed before
/// either of them.
fn quarantine(work: &Path) {
    let program = fs::read(binaries::calma()).unwrap();
    let (mut ours, mut plain, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let at = fresh(work);
        let tree = at.join("tree");
        fs::create_dir(&tree).unwrap();
        for number in 0..1000_usize {
            let from = number * 4099 % (program.len() - 20_000);
            fs::write(tree.join(format!("f{number}")), &program[from..from + 20_000]).unwrap();
        }
        sh("sync");
        plain.push(sh(&format!(
            "cd {0} && cp -a tree copy && sync -f copy && find copy -type f -exec sha256sum {{}} + >sums",
            at.display()
        )));
        let steps = (0..1000)
            .map(|number| {
                let path = tree.join(format!("f{number}"));
                ("quarantine", Target::File { path: path.to_str().unwrap().into(), seen: None })
            })
            .collect();
        ours.push(contain(&at, steps, "contain").0);
        assert_eq!(fs::read_dir(&tree).unwrap().count(), 0);
        let began = Instant::now();
        let case = at.join("case");
        let undone = Command::new(binaries::calma())
            .args(["undo", "--all", "--yes", "--case"])
            .arg(case)
            .output()
            .unwrap();
        back.push(began.elapsed());
        assert!(undone.status.success());
        assert_eq!(fs::read_dir(&tree).unwrap().count(), 1000);
        sh(&format!("umount {}", at.display()));
    }
    eprintln!("copies {plain:?}, quarantines {ours:?}, undone {back:?}");
    let (ours, plain, back) = (middle(ours), middle(plain), middle(back));
    row(
        "1,000 files of 20 kB quarantined: kept, on the disk, read again, removed",
        format!("{ours:.2} s, {:.0} %", plain / ours * 100.0),
        "60 % of the copy",
        format!(
            "`cp -a`, `sync -f` and `sha256sum` of the same on the same disk: {plain:.2} s; all taken back: {back:.2} s"
        ),
    );
}
