//! Files taken off to another disk: it is full, read-only, fails, is pulled in the middle, is encrypted; nothing is lost.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_case::{About, Case, PlaceKind};
use calma_record::step::{Plan, Step, Target};
use calma_testkit::alone::{isolated, sh};
use calma_testkit::binaries;
use calma_testkit::dump::{difference, dump};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The pair of keys that age's own documentation shows.
const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

const TREE: &str = "/mnt/tree";

/// A disk of so many MB at /mnt/stick, five files of so many kB that do not compress, a case and a plan.
fn build(disk: u32, files: u32) -> Vec<String> {
    sh("umount -l /mnt/stick 2>/dev/null; rm -rf /mnt/tree /mnt/case /mnt/plan /mnt/stick; mkdir /mnt/stick");
    sh(&format!(
        "rm -f /mnt/disk; truncate -s {disk}M /mnt/disk; mkfs.ext4 -q -F -m 0 /mnt/disk; mount -o loop /mnt/disk /mnt/stick; \
         mkdir /mnt/tree; cd /mnt/tree; for n in 1 2 3 4 5; do head -c {files}000 /dev/urandom >f$n; chown $n:7 f$n; chmod 475$n f$n; done; \
         find . -exec touch -d '2001-09-09 01:46:40.5' {{}} +"
    ));
    Case::create(Path::new("/mnt/case"), &About::new("0", "test", PlaceKind::Named)).unwrap();
    let step = |number: u32| Step {
        number,
        action: "quarantine".to_owned(),
        target: Target::File { path: format!("{TREE}/f{number}").as_str().into(), seen: None },
        story: 1,
        findings: Vec::new(),
        ticked: true,
        doubt: String::new(),
    };
    let boot = calma_host::ground::boot();
    let plan =
        Plan { schema: 1, host: "test".into(), boot, steps: (1..=5).map(step).collect(), ..Plan::default() };
    std::fs::write("/mnt/plan", serde_json::to_string(&plan).unwrap()).unwrap();
    dump(Path::new(TREE))
}

const DO: &[&str] = &["contain", "--plan", "/mnt/plan", "--yes", "--watch", "0", "--to", "/mnt/stick"];

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(binaries::calma());
    command.args(words).args(["--case", "/mnt/case"]).stdin(Stdio::null());
    command
}

fn calma(words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(words).output().unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

fn well(words: &[&str]) -> String {
    let (code, said) = calma(words);
    assert_eq!(code, Some(0), "{words:?}: {said}");
    said
}

fn left() -> String {
    sh("ls /mnt/tree | tr '\\n' ' '")
}

/// Whatever happened, taking it back brings every file back as it was.
fn comes_back(before: &[String], what: &str) {
    let (code, said) = calma(&["contain", "--finish"]);
    assert!(matches!(code, Some(0 | 5)), "{what}: {said}");
    let (code, said) = calma(&["undo", "--all", "--yes"]);
    assert_eq!(code, Some(0), "{what}: {said}");
    assert_eq!(difference(before, &dump(Path::new(TREE))), "", "{what}");
    assert!(!Case::open(Path::new("/mnt/case")).unwrap().verify().unwrap().is_broken(), "{what}");
}

#[test]
fn files_go_to_another_disk_and_come_back() {
    isolated("files_go_to_another_disk_and_come_back", || {
        let before = build(16, 300);
        let said = well(DO);
        assert!(said.contains("/mnt/stick (ext4,") && said.contains("calma eject"), "{said}");
        assert_eq!(left(), "");
        assert_eq!(sh("ls /mnt/stick/calma-quarantine/*.zst | wc -l").trim(), "5");
        assert_eq!(
            sh("find /mnt/case/evidence -type f | wc -l").trim(),
            "0",
            "they are on the stick, and only there"
        );
        // Without the stick nothing comes back, and nothing is lost.
        sh("umount /mnt/stick");
        let (code, said) = calma(&["undo", "--all", "--yes"]);
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains("not here"), "{said}");
        assert_eq!(left(), "");
        sh("mkdir /mnt/elsewhere; mount -o loop /mnt/disk /mnt/elsewhere");
        well(&["undo", "--all", "--yes", "--from", "/mnt/elsewhere"]);
        assert_eq!(difference(&before, &dump(Path::new(TREE))), "");
        sh("umount /mnt/elsewhere");
        // The server's own disk and its memory are no such place.
        for place in ["/var/tmp", "/mnt", "/nothing/here"] {
            let words = ["contain", "--plan", "/mnt/plan", "--yes", "--watch", "0", "--to", place];
            let (code, said) = calma(&words);
            assert_eq!(code, Some(2), "{place}: {said}");
        }
        assert_eq!(left(), "f1 f2 f3 f4 f5 ");
    });
}

#[test]
fn encrypted_files_need_their_key() {
    isolated("encrypted_files_need_their_key", || {
        let before = build(16, 300);
        std::fs::write("/mnt/key", format!("# made for a test\n{SECRET}\n")).unwrap();
        let mut words = DO.to_vec();
        words.extend(["--encrypt-to", "age1nonsense"]);
        assert_eq!(calma(&words).0, Some(2));
        *words.last_mut().unwrap() = PUBLIC;
        well(&words);
        let (code, said) = calma(&["undo", "--all", "--yes"]);
        assert!(code == Some(5) && said.contains("key"), "{said}");
        if Command::new("age").arg("--version").output().is_ok() {
            let digests = sh(
                "for f in /mnt/stick/calma-quarantine/*.age; do [ \"$(age -d -i /mnt/key $f | zstd -dq | sha256sum | cut -c1-64)\" = \
                 \"$(basename $f .zst.age)\" ] && echo same; done",
            );
            assert_eq!(digests, "same\n".repeat(5), "age itself reads them");
        } else {
            assert!(std::env::var_os("CI").is_none(), "age is not installed (scripts/setup --tests)");
        }
        well(&["undo", "--all", "--yes", "--identity", "/mnt/key"]);
        assert_eq!(difference(&before, &dump(Path::new(TREE))), "");
    });
}

#[test]
fn a_full_a_read_only_and_a_failing_disk_lose_nothing() {
    isolated("a_full_a_read_only_and_a_failing_disk_lose_nothing", || {
        // Three of five fit.
        let before = build(14, 3000);
        let (code, said) = calma(DO);
        assert_eq!(code, Some(5), "{said}");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("No space left"), "{said}");
        let there = dump(Path::new(TREE));
        let missing = before.iter().filter(|line| line.contains("/f") && !there.contains(line)).count();
        assert!((1..5).contains(&missing), "some went and some stayed: {}", left());
        comes_back(&before, "a full disk");
        // Read-only from the start.
        let before = build(14, 100);
        sh("mount -o remount,ro /mnt/stick");
        let (code, said) = calma(DO);
        assert_ne!(code, Some(0), "{said}");
        assert_eq!(difference(&before, &dump(Path::new(TREE))), "", "{said}");
        // The case's own disk is full.
        let before = build(14, 3000);
        sh("mount -t tmpfs -o size=2M,mode=700 none /mnt/case/evidence");
        let (code, said) = calma(&DO[..6]);
        assert_eq!(code, Some(5), "{said}");
        assert_eq!(difference(&before, &dump(Path::new(TREE))), "", "{said}");
        sh("umount /mnt/case/evidence");
        // It fails at one call or another: nothing that was not read again from it is removed.
        for call in ["fsync", "write", "renameat2", "openat"] {
            for at in [1, 2, 3, 5, 8, 13, 21, 34] {
                let before = build(14, 100);
                let status = Command::new("strace")
                    .args(["-f", "-qq", "-o", "/dev/null", "-P", "/mnt/stick/calma-quarantine", "-e"])
                    .arg(format!("inject={call}:error=EIO:when={at}+"))
                    .arg(binaries::calma())
                    .args(DO)
                    .args(["--case", "/mnt/case"])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .unwrap();
                comes_back(&before, &format!("{call} fails from the {at}th on ({status})"));
            }
        }
    });
}

#[test]
fn a_disk_that_is_pulled_in_the_middle_loses_nothing() {
    isolated("a_disk_that_is_pulled_in_the_middle_loses_nothing", || {
        let mut went = 0;
        for delay in (0..24_u64).map(|n| n * 9) {
            let before = build(14, 300);
            let mut run = command(DO).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            sh("umount -l /mnt/stick");
            run.wait().unwrap();
            let gone = 5 - left().split_whitespace().count();
            went += usize::from((1..5).contains(&gone) || gone == 5);
            // It is put in again, once the kernel has let go of it.
            let began = Instant::now();
            while !sh("losetup -j /mnt/disk").is_empty() {
                assert!(began.elapsed() < Duration::from_secs(20), "the disk is still held");
                std::thread::sleep(Duration::from_millis(10));
            }
            sh("mount -o loop /mnt/disk /mnt/stick");
            comes_back(&before, &format!("pulled after {delay} ms, {gone} files gone"));
        }
        eprintln!("24 pulls, {went} after files had gone");
    });
}

#[test]
fn a_disk_is_let_go_when_nothing_uses_it() {
    isolated("a_disk_is_let_go_when_nothing_uses_it", || {
        build(14, 100);
        well(DO);
        let mut user = Command::new("sleep").arg("1000").current_dir("/mnt/stick").spawn().unwrap();
        let eject = |at: &str| {
            let output = Command::new(binaries::calma()).args(["eject", at]).output().unwrap();
            (
                output.status.code(),
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            )
        };
        let (code, said) = eject("/mnt/stick");
        assert!(
            code == Some(4) && said.contains("do not pull it yet") && said.contains(&user.id().to_string()),
            "{said}"
        );
        user.kill().unwrap();
        user.wait().unwrap();
        let (code, said) = eject("/mnt/stick");
        assert!(code == Some(0) && said.contains("safe to pull"), "{said}");
        assert_eq!(sh("grep -c ' /mnt/stick ' /proc/self/mountinfo; true").trim(), "0");
        for place in ["/", "/mnt/stick", "/proc", "/nothing"] {
            assert_ne!(eject(place).0, Some(0), "{place}");
        }
        sh("mount -o loop /mnt/disk /mnt/stick && test $(ls /mnt/stick/calma-quarantine/*.zst | wc -l) = 5");
    });
}
