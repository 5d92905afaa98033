//! `bench/walk`: what the walk over the file systems costs, beside `find`, on trees made for it, as a Markdown table.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a development tool: it fails loudly"
)]

use calma_record::frame::{Decoder, FrameKind, PREAMBLE, read_records};
use calma_record::{Body, Fact};
use calma_testkit::binaries;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

fn main() {
    let sizes: Vec<u64> = match std::env::var("CALMA_WALK") {
        Ok(list) => list.split(',').map(|number| number.parse().unwrap()).collect(),
        Err(_) => vec![50_000, 450_000, 1_000_000],
    };
    println!("| What | Figure | Aim | Beside |\n|---|---|---|---|");
    let mut per_file = Vec::new();
    for files in sizes {
        let tree = Tree::of_files(files);
        let find = best(|| find(&tree.0).as_secs_f64());
        let runs: Vec<Walk> = (0..RUNS).map(|_| walk(&tree.0)).collect();
        let seconds = runs.iter().map(|run| run.seconds).fold(f64::MAX, f64::min);
        let peak = runs.iter().map(|run| run.peak_mib).max().unwrap();
        assert!(runs.iter().all(|run| run.names > files), "names are missing");
        per_file.push(seconds / files as f64);
        println!(
            "| metadata walk of {files} files, warm, `--hurry` | {seconds:.2} s, peak {peak} MiB | \
             1.5 × `find`, 200 MiB | `find -xdev -printf` with all fields: {find:.2} s ({:.2} ×) |",
            seconds / find
        );
    }
    if let (Some(first), Some(last)) = (per_file.first(), per_file.last()) {
        println!("| growth: time a file, most files against fewest | {:.2} × | linear | |", last / first);
    }
    hashing();
}

const RUNS: usize = 3;

fn best(run: impl Fn() -> f64) -> f64 {
    (0..RUNS).map(|_| run()).fold(f64::MAX, f64::min)
}

/// A tree below the temporary folder, removed at the end.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        // Each its own: two trees stand side by side where one is measured against the other.
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("calma-bench-walk-{}-{number}", std::process::id()));
        assert!(!place.exists(), "{} is there already", place.display());
        fs::create_dir_all(place.join("etc")).unwrap();
        fs::create_dir_all(place.join("usr")).unwrap();
        Self(place)
    }

    /// A server's shape: twenty files a directory, three levels, and a package list that names every other one.
    fn of_files(files: u64) -> Self {
        let tree = Self::new();
        let mut list = String::new();
        for number in 0..files {
            let directory =
                format!("usr/share/p{}/d{}/e{}", number / 20_000, number / 400 % 50, number / 20 % 20);
            if number % 20 == 0 {
                fs::create_dir_all(tree.0.join(&directory)).unwrap();
            }
            let name = format!("{directory}/a-file-{number}.conf");
            fs::File::create(tree.0.join(&name)).unwrap();
            if number % 2 == 0 {
                list += &format!("/{name}\n");
            }
        }
        fs::create_dir_all(tree.0.join("var/lib/dpkg/info")).unwrap();
        fs::write(tree.0.join("var/lib/dpkg/info/bench.list"), list).unwrap();
        tree
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn find(tree: &Path) -> std::time::Duration {
    let start = Instant::now();
    let fields = "%p %i %m %y %n %U %G %s %b %A@ %T@ %C@ %B@ %D %l\\n";
    let status = Command::new("find")
        .arg(tree)
        .args(["-xdev", "-printf", fields])
        .stdout(Stdio::null())
        .status()
        .expect("find");
    assert!(status.success());
    start.elapsed()
}

struct Walk {
    seconds: f64,
    names: u64,
    digests: u64,
    digested: u64,
    peak_mib: u64,
}

/// The host side with its walk alone, from start to end; what it sends is read, checked and counted.
fn walk(tree: &Path) -> Walk {
    let mut command = Command::new(binaries::calma());
    command.arg("host-side").arg("--hurry").arg("--root").arg(tree);
    for collector in calma_collect::ALL.iter().filter(|collector| collector.card.name != "file-walk") {
        command.args(["--done", collector.card.name]);
    }
    let start = Instant::now();
    // Its input stays open: when it closes, the look ends.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("calma's host side");
    let mut stream = child.stdout.take().unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(child.wait().unwrap().success());
    let mut walk = Walk { seconds, names: 0, digests: 0, digested: 0, peak_mib: 0 };
    let mut decoder = Decoder::new(bytes.strip_prefix(PREAMBLE.as_slice()).unwrap());
    while let Some(frame) = decoder.next_frame().unwrap() {
        if frame.kind != FrameKind::Records {
            continue;
        }
        for record in read_records(&frame.raw().unwrap()) {
            match record.unwrap().body {
                Body::Fact { fact, .. } => match *fact {
                    Fact::WalkedDirectory(row) => walk.names += row.names.len() as u64,
                    Fact::FileDigest(file) => {
                        walk.digests += 1;
                        walk.digested += file.size;
                    }
                    _ => {}
                },
                Body::End(end) => {
                    assert!(end.complete);
                    walk.peak_mib = end.peak_kib / 1024;
                }
                _ => {}
            }
        }
    }
    walk
}

/// Digests of programs that no package claims, against what the machine's cores can digest of the same warm files.
fn hashing() {
    const FILES: usize = 256;
    const LENGTH: usize = 4 << 20;
    let tree = Tree::new();
    fs::create_dir_all(tree.0.join("opt/programs")).unwrap();
    let mut content = vec![0_u8; LENGTH];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in &mut content {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    content[..4].copy_from_slice(b"\x7fELF");
    let paths: Vec<PathBuf> =
        (0..FILES).map(|number| tree.0.join(format!("opt/programs/p{number}"))).collect();
    for (number, path) in paths.iter().enumerate() {
        content[8] = u8::try_from(number % 256).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.write_all(&content).unwrap();
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        file.set_permissions(mode).unwrap();
    }
    let all = (FILES * LENGTH) as f64 / 1e6;
    let limit = all / best(|| digest_all(&paths));
    let walked = best(|| {
        let walk = walk(&tree.0);
        // Every file once, and whole: a figure above what the machine can do would mean that some were not read.
        assert_eq!((walk.digests, walk.digested), (FILES as u64, (FILES * LENGTH) as u64));
        walk.seconds
    });
    let nothing = Tree::new();
    let empty = best(|| {
        let walk = walk(&nothing.0);
        assert_eq!(walk.digests, 0);
        walk.seconds
    });
    assert!(
        empty < walked / 2.0,
        "the walk without files took {empty:.2} s of {walked:.2} s: the difference tells nothing"
    );
    let rate = all / (walked - empty);
    println!(
        "| digests of {FILES} programs of {} MiB, walk and start apart | {rate:.0} MB/s | 60 % of the limit | \
         `sha2` over the same warm files on all cores: {limit:.0} MB/s ({:.0} %) |",
        LENGTH >> 20,
        rate / limit * 100.0
    );
}

fn digest_all(paths: &[PathBuf]) -> f64 {
    let start = Instant::now();
    let cores = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for share in 0..cores {
            scope.spawn(move || {
                let mut piece = vec![0; 128 << 10];
                for path in paths.iter().skip(share).step_by(cores) {
                    let mut file = fs::File::open(path).unwrap();
                    let mut hasher = Sha256::new();
                    loop {
                        match file.read(&mut piece).unwrap() {
                            0 => break,
                            length => hasher.update(&piece[..length]),
                        }
                    }
                    std::hint::black_box(hasher.finalize());
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}
