//! The confined worker against jobs that die, hang, allocate without end, recurse, lie and try to get out.
//!
//! Without the test harness: the worker is this very program, started again, as it is in the product.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

use calma_host::{Follow, Input, Kept, Live, Mem, Question, Reply, Tree as _, Trouble, WorkerJob, Workers};
use std::io::Write as _;
use std::time::{Duration, Instant};

type Run = fn(&mut Kept, &[u8], Option<&mut dyn Input>, &mut Reply);

const fn job(name: &'static str, run: Run) -> WorkerJob {
    WorkerJob { name, patience: Duration::from_millis(1500), most: 1 << 20, run }
}

const SUM: WorkerJob = job("sum", |_, words, file, answer| {
    let bytes = file.map(|file| file.piece(0, 1 << 20)).unwrap_or_default();
    let sum: u64 = bytes.iter().map(|b| u64::from(*b)).sum::<u64>() + words.len() as u64;
    let _ = answer.write_all(&sum.to_le_bytes());
});
const KEEP: WorkerJob = job("keep", |kept, words, _, _| kept.put("keep", words.to_vec()));
const KEPT: WorkerJob = job("kept", |kept, _, _, answer| {
    let _ = answer.write_all(kept.get::<Vec<u8>>("keep").map_or(b"none", |bytes| bytes));
});
const LARGE: WorkerJob = job("large", |_, words, _, answer| {
    let length = usize::try_from(u64::from_le_bytes(words.try_into().unwrap())).unwrap();
    let _ = answer.write_all(&vec![7; length]);
});
const LOOP: WorkerJob = job("loop", |_, _, _, _| {
    loop {
        std::hint::spin_loop();
    }
});
const GROW: WorkerJob = job("grow", |_, _, _, _| {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 16 << 20]);
    }
});
const RECURSE: WorkerJob = job("recurse", |_, words, _, answer| {
    fn deeper(n: u64) -> u64 {
        let room = [n; 64];
        if std::hint::black_box(&room)[0] == u64::MAX {
            0
        } else {
            deeper(n + 1) + std::hint::black_box(room)[1]
        }
    }
    let _ = answer.write_all(&deeper(words.len() as u64).to_le_bytes());
});
const PANIC: WorkerJob = job("panic", |_, _, _, _| panic!("on purpose"));
const OPEN: WorkerJob = job("open", |_, _, _, answer| {
    let said = std::fs::read("/etc/hostname").map_or_else(|error| error.to_string(), |_| "read".into());
    let _ = answer.write_all(said.as_bytes());
});
const START: WorkerJob = job("start", |_, _, _, _| drop(std::process::Command::new("/bin/true").status()));
const THREAD: WorkerJob = job("thread", |_, _, _, _| drop(std::thread::Builder::new().spawn(|| {})));
const CONNECT: WorkerJob = job("connect", |_, _, _, _| drop(std::net::UdpSocket::bind("127.0.0.1:0")));

const JOBS: &[WorkerJob] =
    &[SUM, KEEP, KEPT, LARGE, LOOP, GROW, RECURSE, PANIC, OPEN, START, THREAD, CONNECT];

fn workers() -> Workers {
    Workers::confined("/proc/self/exe", &["worker"])
}

fn question(words: &[u8]) -> Question {
    Question { words: words.to_vec(), file: None }
}

fn sum(workers: &Workers) -> Result<Vec<u8>, Trouble> {
    workers.ask(&SUM, question(b"12345"))
}

fn answers_come_back() {
    let workers = workers();
    assert_eq!(sum(&workers).unwrap(), 5_u64.to_le_bytes());
    let folder = std::env::temp_dir().join(format!("calma-worker-{}", std::process::id()));
    std::fs::write(&folder, vec![1; 100_000]).unwrap();
    let path = folder.to_str().unwrap().as_bytes().to_vec();
    let open = || Live::new().open(&path, Follow::No).unwrap();
    let with = |file| Question { words: Vec::new(), file: Some(file) };
    assert_eq!(workers.ask(&SUM, with(open())).unwrap(), 100_000_u64.to_le_bytes());
    // Hundreds of files are on their way one after another, none is left open, and the order is kept.
    let mut seen = Vec::new();
    workers.ask_all(&SUM, (0..500).map(|_| with(open())), &mut |number, answer| {
        assert_eq!(answer.unwrap(), 100_000_u64.to_le_bytes());
        seen.push(number);
    });
    assert_eq!(seen, (0..500).collect::<Vec<u64>>());
    std::fs::remove_file(folder).unwrap();
    // Words and answers of many packets.
    assert_eq!(workers.ask(&SUM, question(&vec![0; 3_000_000])).unwrap(), 3_000_000_u64.to_le_bytes());
    assert_eq!(workers.ask(&LARGE, question(&1_000_000_u64.to_le_bytes())).unwrap(), vec![7; 1_000_000]);
    assert_eq!(workers.ask(&LARGE, question(&2_000_000_u64.to_le_bytes())), Err(Trouble::TooMuch));
    assert_eq!(workers.ask(&PANIC, question(b"")), Err(Trouble::Failed));
    assert!(sum(&workers).is_ok());
    assert_eq!((workers.pids().len(), workers.lost()), (1, 0));
}

fn what_it_was_told_first_survives_its_end() {
    let workers = workers().with_setup(&KEEP, b"rules".to_vec());
    assert_eq!(workers.ask(&KEPT, question(b"")).unwrap(), b"rules");
    assert_eq!(workers.ask(&LOOP, question(b"")), Err(Trouble::Hung));
    assert_eq!(workers.ask(&KEPT, question(b"")).unwrap(), b"rules");
    let here = Workers::in_place().with_setup(&KEEP, b"rules".to_vec());
    assert_eq!(here.ask(&KEPT, question(b"")).unwrap(), b"rules");
}

fn one_that_ends_hangs_or_grows_costs_one_answer() {
    for (bad, trouble) in [
        (&LOOP, Trouble::Hung),
        (&GROW, Trouble::Died),
        (&RECURSE, Trouble::Died),
        (&OPEN, Trouble::Died),
        (&START, Trouble::Died),
        (&CONNECT, Trouble::Died),
    ] {
        let workers = workers().with_memory(200 << 20);
        assert!(sum(&workers).is_ok());
        let start = Instant::now();
        assert_eq!(workers.ask(bad, question(b"")), Err(trouble), "{}", bad.name);
        assert!(start.elapsed() < Duration::from_secs(5), "{}: {:?}", bad.name, start.elapsed());
        assert!(sum(&workers).is_ok(), "after {}", bad.name);
        assert_eq!(workers.lost(), 1, "{}", bad.name);
    }
    // A thread is refused by ending the process too.
    assert_eq!(workers().ask(&THREAD, question(b"")), Err(Trouble::Died));
}

fn a_killed_one_is_followed_by_another() {
    let workers = workers();
    assert!(sum(&workers).is_ok());
    let pid = i32::try_from(workers.pids()[0]).unwrap();
    let mut answers = Vec::new();
    workers.ask_all(&SUM, (0..200).map(|_| question(b"x")), &mut |number, answer| {
        if number == 50 {
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                rustix::process::Signal::KILL,
            )
            .unwrap();
        }
        answers.push(answer.is_ok());
    });
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().filter(|ok| !**ok).count() <= 1);
    assert_eq!(workers.pids().len(), 2);
    // One that was killed while nobody asked costs nothing.
    let pid =
        i32::try_from(workers.pids().into_iter().find(|one| *one != pid.unsigned_abs()).unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(sum(&workers).is_ok());
}

fn it_holds_nothing() {
    let workers = workers();
    assert!(sum(&workers).is_ok());
    let status = workers.confinement().unwrap();
    assert_eq!(status.no_filter, "", "no seccomp filter here");
    let pid = workers.pids()[0];
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(line("Seccomp:"), "Seccomp:\t2");
    assert_eq!(line("NoNewPrivs:"), "NoNewPrivs:\t1");
    assert_eq!(line("CapEff:"), "CapEff:\t0000000000000000");
    if rustix::process::geteuid().is_root() {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        assert_eq!(open, 3, "the socket and two null devices");
    }
}

fn a_program_that_is_no_worker_is_said_so() {
    for program in ["/bin/true", "/nonexistent"] {
        let workers = Workers::confined(program, &[]);
        let start = Instant::now();
        assert!(matches!(sum(&workers), Err(Trouble::NotStarted(_) | Trouble::Lied)), "{program}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

fn values_of_a_test_are_read_in_place() {
    let host = Mem::new().file("/x", vec![2; 1000]);
    let file = host.open(b"/x", Follow::No).unwrap();
    let answer = Workers::in_place().ask(&SUM, Question { words: b"1".to_vec(), file: Some(file) });
    assert_eq!(answer.unwrap(), 2001_u64.to_le_bytes());
    assert_eq!(Workers::in_place().ask(&PANIC, question(b"")), Err(Trouble::Failed));
}

/// Old kernels lack seccomp(2), landlock and close_range(2): the filter goes in by prctl(2), and the rest is said.
fn an_old_kernel_confines_as_far_as_it_can() {
    let workers = Workers::confined("/proc/self/exe", &["old-worker"]);
    assert_eq!(sum(&workers).unwrap(), 5_u64.to_le_bytes());
    let status = workers.confinement().unwrap();
    assert_eq!(status.no_filter, "");
    assert!(!status.no_landlock.is_empty());
    assert_eq!(workers.ask(&OPEN, question(b"")), Err(Trouble::Died));
    // Where not even the filter is to be had, it says so and works all the same.
    let workers = Workers::confined("/proc/self/exe", &["bare-worker"]);
    assert!(sum(&workers).is_ok());
    assert!(!workers.confinement().unwrap().no_filter.is_empty());
    assert_eq!(workers.ask(&LOOP, question(b"")), Err(Trouble::Hung));
    assert!(sum(&workers).is_ok());
}

/// Lets these system calls not exist for this process.
fn without(calls: impl Iterator<Item = i64>) {
    use seccompiler::{SeccompAction, SeccompFilter};
    let rules = calls.map(|call| (call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, architecture).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("old-worker") => {
            // Numbers of calls that came later than these, on all architectures (landlock, close_range, seccomp).
            without([libc::SYS_seccomp, libc::SYS_close_range].into_iter().chain(424..=460));
            return calma_host::serve_worker(JOBS);
        }
        Some("bare-worker") => {
            without([libc::SYS_seccomp, libc::SYS_prctl, libc::SYS_close_range].into_iter().chain(424..=460));
            return calma_host::serve_worker(JOBS);
        }
        _ => {}
    }
    if std::env::args().nth(1).as_deref() == Some("worker") {
        calma_host::serve_worker(JOBS);
        return;
    }
    let tests: &[(&str, fn())] = &[
        ("answers_come_back", answers_come_back),
        ("what_it_was_told_first_survives_its_end", what_it_was_told_first_survives_its_end),
        ("one_that_ends_hangs_or_grows_costs_one_answer", one_that_ends_hangs_or_grows_costs_one_answer),
        ("a_killed_one_is_followed_by_another", a_killed_one_is_followed_by_another),
        ("it_holds_nothing", it_holds_nothing),
        ("a_program_that_is_no_worker_is_said_so", a_program_that_is_no_worker_is_said_so),
        ("an_old_kernel_confines_as_far_as_it_can", an_old_kernel_confines_as_far_as_it_can),
        ("values_of_a_test_are_read_in_place", values_of_a_test_are_read_in_place),
    ];
    for (name, test) in tests {
        let start = Instant::now();
        test();
        println!("test {name} ... ok ({:?})", start.elapsed());
    }
    measure();
}

/// Prints what a worker costs; asserts nothing, since other work may run beside.
fn measure() {
    let start = Instant::now();
    for _ in 0..20 {
        sum(&workers()).unwrap();
    }
    let spawn = start.elapsed() / 20;
    let (workers, mut answered) = (workers(), 0_u32);
    sum(&workers).unwrap();
    let start = Instant::now();
    workers.ask_all(&SUM, (0..20_000).map(|_| question(b"x")), &mut |_, answer| {
        answered += u32::from(answer.is_ok())
    });
    println!(
        "a worker's start, first answer and end {spawn:?}; a small question {:?}",
        start.elapsed() / answered
    );
}
