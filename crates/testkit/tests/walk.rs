//! The walk over hostile file systems: memory-backed ones of the test's own, in namespaces of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that acts on namespaces of its own"
)]

use calma_collect::{Context, Examiner, Flow, Item, Options, Out, Seen, sweep};
use calma_host::Live;
use calma_record::kinds::WalkedDirectory;
use calma_record::{Fact, Gap};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const INSIDE: &str = "CALMA_TEST_INSIDE";
/// Where each test mounts a file system of its own, in its own mount namespace.
const PLACE: &str = "/mnt";

fn namespace(kind: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

/// Runs this test program's `name` again in its own pid, mount and network namespaces, with a memory-backed file system of
/// its own at [`PLACE`]. True for the one inside.
fn inside(name: &str) -> bool {
    if let Ok(outer) = std::env::var(INSIDE) {
        for (kind, outer) in ["net", "pid", "mnt"].into_iter().zip(outer.split(' ')) {
            assert_ne!(namespace(kind), outer, "not in a {kind} namespace of its own: nothing was done");
        }
        mount("tmpfs", PLACE, "tmpfs", 0, "nr_inodes=0,size=4g");
        return true;
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: needs root (CALMA_NO_ROOT is set)");
        return false;
    }
    let outer = ["net", "pid", "mnt"].map(namespace).join(" ");
    let status = Command::new("unshare")
        .args(["-n", "-p", "-f", "--mount-proc", "-m", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, outer)
        .status()
        .expect("unshare");
    assert!(status.success(), "{name} failed inside (root is needed)");
    false
}

fn mount(source: &str, target: &str, kind: &str, flags: u64, data: &str) {
    let text = |text: &str| CString::new(text).unwrap();
    let (source, target, kind, data) = (text(source), text(target), text(kind), text(data));
    // SAFETY: all four are strings that end in NUL and live through the call.
    let done =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) };
    assert_eq!(done, 0, "mount: {}", std::io::Error::last_os_error());
}

#[derive(Default)]
struct Walked {
    rows: Vec<WalkedDirectory>,
    gaps: Vec<Gap>,
    largest: usize,
}

impl Walked {
    fn names(&self) -> usize {
        self.rows.iter().map(|row| row.names.len()).sum()
    }

    fn visits(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut visits = BTreeMap::new();
        for row in &self.rows {
            *visits.entry(row.path.as_bytes().to_vec()).or_default() += 1;
        }
        visits
    }
}

fn walk(examiners: Vec<Box<dyn Examiner>>, network_mounts: bool, keep: bool) -> Walked {
    let options = Options { hurry: true, network_mounts, ..Options::default() };
    let context = Context::new(Arc::new(Live::new()), options);
    let (mut out, from) = Out::new(64, Arc::default());
    let walk = std::thread::spawn(move || sweep(&context, &[PLACE.as_bytes()], examiners, &mut out));
    let mut walked = Walked::default();
    loop {
        let item = match from.recv_timeout(std::time::Duration::from_millis(200)) {
            Ok(item) => item,
            Err(_) if walk.is_finished() => break,
            Err(_) => continue,
        };
        match item {
            Item::Fact(_, fact) => {
                if let Fact::WalkedDirectory(mut row) = *fact {
                    walked.largest = walked.largest.max(row.names.len());
                    if !keep {
                        row = WalkedDirectory { names: row.names, ..WalkedDirectory::default() };
                    }
                    walked.rows.push(row);
                }
            }
            Item::Gap(gap) => walked.gaps.push(gap),
            _ => {}
        }
    }
    assert!(walk.join().unwrap().is_continue());
    walked
}

fn peak() -> u64 {
    calma_host::peak_kib() / 1024
}

fn soak() -> bool {
    std::env::var_os("CALMA_SOAK").is_some()
}

#[test]
fn a_directory_of_very_many_names_streams_past() {
    if !inside("a_directory_of_very_many_names_streams_past") {
        return;
    }
    let count = if soak() { 2_000_000 } else { 200_000 };
    for number in 0..count {
        std::fs::File::create(format!("{PLACE}/f{number:07}")).unwrap();
    }
    let before = peak();
    let start = Instant::now();
    let context = Context::new(Arc::new(Live::new()), Options { hurry: true, ..Options::default() });
    let (mut out, from) = Out::new(64, Arc::default());
    let walk = std::thread::spawn(move || sweep(&context, &[PLACE.as_bytes()], Vec::new(), &mut out));
    let (mut names, mut largest) = (0, 0);
    for item in from {
        if let Item::Fact(_, fact) = item
            && let Fact::WalkedDirectory(row) = *fact
        {
            names += row.names.len();
            largest = largest.max(row.names.len());
        }
    }
    assert!(walk.join().unwrap().is_continue());
    let grown = peak() - before;
    eprintln!(
        "{count} names in one directory: {:.2} s, {grown} MiB more at the peak",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(names, count);
    assert!(largest <= 256);
    assert!(grown < 50, "{grown} MiB: the directory was held whole");
}

#[test]
fn deep_trees_hard_links_and_names_are_survived() {
    if !inside("deep_trees_hard_links_and_names_are_survived") {
        return;
    }
    // 4,000 deep, each level with a second directory; made step by step, since no path reaches it.
    std::env::set_current_dir(PLACE).unwrap();
    for _ in 0..4000 {
        std::fs::create_dir("deep directory").unwrap();
        std::fs::create_dir("side").unwrap();
        std::env::set_current_dir("deep directory").unwrap();
    }
    std::fs::write("bottom", "x").unwrap();
    std::env::set_current_dir(PLACE).unwrap();
    let hostile: [&[u8]; 6] = [b"new\nline", b"\x1b[2J\x1b]0;x\x07", b"\xff\xfe", b" ", b"-rf", &[b'n'; 255]];
    std::fs::create_dir("names").unwrap();
    for name in hostile {
        std::fs::write(Path::new("names").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let fifo = CString::new("names/fifo").unwrap();
    // SAFETY: the path is a string that ends in NUL and lives through the call.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o644) }, 0);
    std::fs::create_dir("farm").unwrap();
    std::fs::write("farm/0", "one file").unwrap();
    for number in 1..5000 {
        std::fs::hard_link("farm/0", format!("farm/{number}")).unwrap();
    }
    let sparse = std::fs::File::create("sparse").unwrap();
    sparse.set_len(100 << 40).unwrap();
    std::os::unix::fs::symlink("/", "names/loop").unwrap();
    let walked = walk(Vec::new(), false, true);
    assert!(walked.gaps.is_empty(), "{:?}", walked.gaps);
    assert_eq!(walked.names(), 3 + 8000 + 1 + 8 + 5000);
    let names: BTreeSet<_> =
        walked.rows.iter().filter(|row| row.path == "/mnt/names").flat_map(|row| &row.names).collect();
    assert!(hostile.iter().all(|name| names.iter().any(|seen| seen.as_bytes() == *name)));
    let farm = walked.rows.iter().find(|row| row.path == "/mnt/farm").unwrap();
    assert_eq!(farm.links, [5000]);
    let root = walked.rows.iter().find(|row| row.path == "/mnt").unwrap();
    assert!(root.sizes.contains(&(100 << 40)));
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open < 64, "{open} descriptors are open");
}

#[test]
fn loops_of_bind_mounts_end_and_nothing_is_walked_twice() {
    if !inside("loops_of_bind_mounts_end_and_nothing_is_walked_twice") {
        return;
    }
    for directory in ["a/b/c", "loop", "again", "other"] {
        std::fs::create_dir_all(format!("{PLACE}/{directory}")).unwrap();
    }
    std::fs::write(format!("{PLACE}/a/b/file"), "x").unwrap();
    mount(PLACE, &format!("{PLACE}/loop"), "", libc::MS_BIND | libc::MS_REC, "");
    mount(&format!("{PLACE}/a"), &format!("{PLACE}/again"), "", libc::MS_BIND, "");
    mount(PLACE, &format!("{PLACE}/a/b/c"), "", libc::MS_BIND | libc::MS_REC, "");
    mount("proc", &format!("{PLACE}/other"), "proc", 0, "");
    let walked = walk(Vec::new(), false, true);
    let visits = walked.visits();
    assert!(visits.values().all(|count| *count == 1), "{visits:?}");
    assert!(visits.contains_key(b"/mnt/a/b".as_slice()), "under its own name: {visits:?}");
    assert!(!visits.contains_key(b"/mnt/again".as_slice()));
    assert!(!visits.contains_key(b"/mnt/other".as_slice()), "proc is no place for files");
    assert!(visits.len() < 12, "{visits:?}");
}

/// Wants every file; counts those it can open.
struct Opener(Arc<std::sync::atomic::AtomicUsize>);

impl Examiner for Opener {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        // Between the question and the opening somebody puts another file there.
        if seen.name.as_bytes() == b"victim" {
            let path = Path::new(OsStr::from_bytes(seen.path())).to_path_buf();
            std::fs::write(path.with_extension("other"), "another").unwrap();
            std::fs::rename(path.with_extension("other"), &path).unwrap();
        }
        if seen.name.as_bytes() == b"pipe" {
            let path = CString::new(seen.path()).unwrap();
            // SAFETY: the path is a string that ends in NUL and lives through both calls.
            unsafe {
                libc::unlink(path.as_ptr());
                libc::mkfifo(path.as_ptr(), 0o644);
            }
        }
        seen.is_file()
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        match seen.open() {
            Ok(_) => {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                out.flow()
            }
            Err(error) => out.unseen("opened files", &error),
        }
    }
}

#[test]
fn files_that_are_replaced_after_they_were_seen_are_gaps() {
    if !inside("files_that_are_replaced_after_they_were_seen_are_gaps") {
        return;
    }
    for name in ["victim", "pipe", "plain"] {
        std::fs::write(format!("{PLACE}/{name}"), "x").unwrap();
    }
    let opened = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let walked = walk(vec![Box::new(Opener(Arc::clone(&opened)))], false, true);
    assert_eq!(opened.load(std::sync::atomic::Ordering::Relaxed), 1);
    let why: BTreeSet<_> = walked.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert_eq!(
        why,
        BTreeSet::from([
            "it is not a regular file, and was not opened",
            "it was replaced while calma looked at it"
        ])
    );
}

#[test]
fn a_file_system_that_never_answers_is_left_behind() {
    if !inside("a_file_system_that_never_answers_is_left_behind") {
        return;
    }
    let Ok(device) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
        eprintln!("skipped: there is no /dev/fuse here");
        return;
    };
    for directory in ["hangs", "answers"] {
        std::fs::create_dir(format!("{PLACE}/{directory}")).unwrap();
    }
    std::fs::write(format!("{PLACE}/answers/x"), "x").unwrap();
    let data = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    mount("nobody", &format!("{PLACE}/hangs"), "fuse", 0, &data);
    let start = Instant::now();
    let walked = walk(Vec::new(), false, true);
    assert!(start.elapsed().as_secs() < 5, "it was asked");
    assert_eq!(walked.gaps.len(), 1, "{:?}", walked.gaps);
    assert!(walked.gaps[0].why.contains("not entered"));
    assert!(walked.visits().contains_key(b"/mnt/answers".as_slice()));
    // Asked to enter it, the walk leaves it behind and ends.
    let walked = walk(Vec::new(), true, true);
    assert!(walked.gaps.iter().any(|gap| gap.why.contains("15 seconds")), "{:?}", walked.gaps);
    assert!(walked.visits().contains_key(b"/mnt/answers".as_slice()));
}
