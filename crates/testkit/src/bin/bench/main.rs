//! `bench/run`: what calma costs, beside other ways of doing the same, in one run on one machine, as a Markdown table.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a development tool: it fails loudly"
)]

mod peers;

use calma_host::{Follow, Live, Question, Tree as _, WorkerJob, Workers};
use calma_testkit::bed::{Bed, Release};
use calma_testkit::binaries;
use calma_testkit::random::Random;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    println!("{}\n", machine());
    println!("| What | Figure | Aim | Beside |\n|---|---|---|---|");
    let size = fs::metadata(binaries::calma()).unwrap().len() as f64 / 1_048_576.0;
    report();
    row("binary", format!("{size:.1} MiB"), "15 MiB", String::new());
    worker();
    rules();
    let bed = Bed::booted(Release::Bookworm);
    whole(&bed);
    first_line(&bed);
    busy(&bed);
    drop(bed);
    let bed = Bed::still(Release::Bookworm);
    hidden(&bed);
    growth(&bed);
    drop(bed);
    if std::env::var_os("CALMA_PEERS").is_some() {
        peers::peers();
    }
}

/// The report of a case with 100,000 facts: written from the case, and opened in a browser.
fn report() {
    let work = std::env::temp_dir().join(format!("calma-bench-{}", std::process::id()));
    fs::create_dir_all(&work).unwrap();
    let (case, page) = (work.join("case"), work.join("case/derived/report.html"));
    calma_testkit::big_case(&case, 100_000);
    let written = (0..5)
        .map(|_| measured(Command::new(binaries::calma()).arg("report").arg(&case)))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap();
    let size = fs::metadata(&page).unwrap().len() as f64 / 1_048_576.0;
    let figure = format!("{:.2} s, {size:.0} MiB, peak {:.0} MiB", written.0, written.1);
    row("report of 100,000 facts, read from the case, judged and written", figure, "2 s", String::new());
    let mut browser = calma_testkit::browser::Browser::start(&work);
    let opened = (0..5).map(|_| browser.open(&page)).fold(f64::MAX, f64::min);
    let tables = "(() => { const start = performance.now(); document.querySelectorAll('details.table').forEach(one => { one.open = true; }); \
                  return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)))); })()";
    let tables = browser.run(tables).as_f64().unwrap() / 1000.0;
    row(
        "that report opened in Chromium",
        format!("{opened:.2} s"),
        "2 s",
        format!("every table drawn: {tables:.2} s more"),
    );
    drop(browser);
    fs::remove_dir_all(&work).unwrap();
}

/// What the confined worker costs, asked about files that are no ELF.
fn worker() {
    let job =
        WorkerJob { name: "elf", patience: Duration::from_secs(5), most: 1 << 20, run: |_, _, _, _| {} };
    let workers = || Workers::confined(binaries::calma(), &["worker"]);
    let host = Live::new();
    let question = || Question { words: Vec::new(), file: host.open(b"/etc/passwd", Follow::Links).ok() };
    let best = (0..50)
        .map(|_| {
            let start = Instant::now();
            workers().ask(&job, question()).unwrap();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::MAX, f64::min);
    row(
        "confined worker: start, first answer, end",
        format!("{:.1} ms", best * 1000.0),
        "2 ms",
        String::new(),
    );
    let (workers, many) = (workers(), 20_000);
    workers.ask(&job, question()).unwrap();
    let start = Instant::now();
    workers.ask_all(&job, (0..many).map(|_| question()), &mut |_, answer| drop(answer.unwrap()));
    let each = start.elapsed().as_secs_f64() / f64::from(many);
    let figure = format!("{:.1} µs", each * 1e6);
    row("confined worker: one small file of many, with its opening", figure, "20 µs", String::new());
}

/// 500 rules without hits over half a gigabyte, beside the `yara` program with the same.
fn rules() {
    const FILES: usize = 64;
    const EACH: usize = 8 << 20;
    let folder = std::env::temp_dir().join(format!("calma-bench-{}", std::process::id()));
    for name in ["root/etc", "root/usr/bin", "root/data"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let mut random = Random::new(500, 5);
    let mut word = |length: usize| random.letters(length);
    let rules: String = (0..500)
        .map(|n| {
            let (a, b, c) = (word(12), word(9), word(6));
            let hex = a.bytes().map(|b| format!("{b:02X} ")).collect::<String>();
            format!("rule r{n} {{ strings: $a = \"{a}\" nocase $b = {{ {hex}?? [2-4] 90 90 }} $c = /{c}[0-9]{{2,8}}{b}/ condition: any of them }}\n")
        })
        .collect();
    fs::write(folder.join("rules.yar"), rules).unwrap();
    // Half of it programs as they are, half of it letters.
    let program = fs::read(binaries::calma()).unwrap();
    for number in 0..FILES {
        let mut bytes: Vec<u8> = program.iter().copied().cycle().skip(number * 4099).take(EACH / 2).collect();
        bytes.extend(word(EACH / 2).bytes());
        fs::write(folder.join(format!("root/data/{number}")), bytes).unwrap();
    }
    let path = |name: &str| folder.join(name).display().to_string();
    let timed = |command: &mut Command| {
        let one = |command: &mut Command| {
            let start = Instant::now();
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            start.elapsed().as_secs_f64()
        };
        (0..3).map(|_| one(command)).fold(f64::MAX, f64::min)
    };
    let look = |more: &[&str]| {
        let mut command = Command::new(binaries::calma());
        command.args([
            "triage",
            "--hurry",
            "--fresh",
            "--json",
            "--root",
            &path("root"),
            "--case",
            &path("case"),
        ]);
        timed(command.args(more))
    };
    let (with, without) = (look(&["--yara", &path("rules.yar")]), look(&[]));
    let yara = timed(Command::new("yara").args(["-r", &path("rules.yar"), &path("root/data")]));
    let bytes = (FILES * EACH) as f64 / 1e6;
    row(
        "500 YARA rules over 537 MB (best of three), the rest of the look apart",
        format!("{:.2} s, {:.0} MB/s", with - without, bytes / (with - without)),
        "the `yara` program's",
        format!("`yara -r`: {yara:.2} s, {:.0} MB/s ({:.1} ×)", bytes / yara, yara / (with - without)),
    );
    fs::remove_dir_all(folder).unwrap();
}

fn row(what: &str, figure: String, aim: &str, beside: String) {
    println!("| {what} | {figure} | {aim} | {beside} |");
}

fn machine() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cpu = text("/proc/cpuinfo");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!(
        "Machine: {} × {}, {} memory, Linux {}, load {} at the start. Best of five unless said.",
        cores,
        field(&cpu, "model name"),
        field(&text("/proc/meminfo"), "MemTotal"),
        text("/proc/sys/kernel/osrelease").trim(),
        text("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}

/// The best of five runs of a shell line in the victim, in seconds.
fn best(bed: &Bed, line: &str) -> f64 {
    let one = || {
        let script = format!(
            "rm -rf /run/bench; S=$(date +%s%N); {line} >/dev/null 2>&1; E=$(date +%s%N); echo $((E-S))"
        );
        let output = bed.run(&script);
        output.text().trim().parse::<f64>().unwrap_or_else(|_| panic!("{output}")) / 1e9
    };
    (0..5).map(|_| one()).fold(f64::MAX, f64::min)
}

const TRIAGE: &str = "/root/calma triage --json --hurry --case /run/bench";

fn whole(bed: &Bed) {
    bed.calma(&["--version"]);
    let files = bed.run("find / -xdev | wc -l").text().trim().to_owned();
    let seconds = best(bed, &format!("{TRIAGE} --no-pid-range"));
    // What a collector in shell would at the least do: hash and list what calma reads.
    let shell = best(
        bed,
        "sh -c 'for p in /proc/[0-9]*; do cat $p/status $p/maps; tr \"\\0\" \" \" <$p/cmdline; ls -l $p/fd; ls -l $p/exe; done; \
         find / -xdev -printf \"%p %m %u %g %s %T@\\n\"; ss -anp; cat /etc/passwd /etc/crontab'",
    );
    row(
        &format!("whole triage of the container ({files} files), pid range apart"),
        format!("{seconds:.2} s"),
        "1 s",
        format!("a shell loop over processes and one `find`: {shell:.2} s ({:.1} ×)", shell / seconds),
    );
    let seconds = best(bed, TRIAGE);
    row("whole triage with the pid range", format!("{seconds:.2} s"), "", String::new());
}

fn first_line(bed: &Bed) {
    let best = (0..5)
        .map(|number| {
            let case = bed.work().join(format!("first-{number}")).display().to_string();
            let start = Instant::now();
            let mut command = bed.calma_from_keeper_command(&[
                "triage",
                "--quick",
                "--json",
                "--no-pid-range",
                "--case",
                &case,
            ]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(child.stdout.take().unwrap());
            reader.read_line(&mut line).unwrap();
            let taken = start.elapsed().as_secs_f64();
            let _ = reader.read_to_end(&mut Vec::new());
            child.wait().unwrap();
            taken
        })
        .fold(f64::MAX, f64::min);
    row("start to first line", format!("{:.0} ms", best * 1000.0), "100 ms", String::new());
}

fn busy(bed: &Bed) {
    bed.put("/usr/local/bin/load", &fs::read(binaries::plant()).unwrap(), 0o755);
    let processes = bed.live("exec /usr/local/bin/load children 1000");
    let sockets = bed.live("exec /usr/local/bin/load sockets 5000");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let count = bed.run("ls -d /proc/[0-9]* | wc -l; ss -lnt | wc -l").text().replace('\n', " ");
    let seconds = best(bed, &format!("{TRIAGE} --quick --no-pid-range"));
    row(
        &format!("`--quick`, 1,000 processes and 5,000 sockets (counted: {}), pid range apart", count.trim()),
        format!("{seconds:.2} s"),
        "2 s",
        String::new(),
    );
    bed.run(&format!("kill {processes} {sockets}"));
}

/// Runs a command of the keeper to its end: seconds, and the most memory that its processes held together at one moment, in
/// MiB. What they share counts once (Pss of proc_pid_smaps(5)).
fn measured(command: &mut Command) -> (f64, f64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while matches!(child.try_wait(), Ok(None)) {
        peak = peak.max(together(&child));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (start.elapsed().as_secs_f64(), peak as f64 / 1024.0)
}

/// What a process and all that came from it hold now, in KiB.
fn together(child: &Child) -> u64 {
    let (mut pids, mut sum) = (vec![child.id()], 0);
    while let Some(pid) = pids.pop() {
        let text = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        pids.extend(
            text(&format!("task/{pid}/children"))
                .split_whitespace()
                .filter_map(|word| word.parse::<u32>().ok()),
        );
        let held = text("smaps_rollup");
        let held = held.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
        sum += held.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
    }
    sum
}

fn quick(bed: &Bed, name: &str, more: &[&str]) -> (f64, f64) {
    let case = bed.work().join(name).display().to_string();
    let mut args = vec!["triage", "--quick", "--json", "--hurry", "--case", &case];
    args.extend_from_slice(more);
    measured(&mut bed.calma_from_keeper_command(&args))
}

/// The keeper has a pid namespace of its own, and with it a `pid_max` of its own.
fn hidden(bed: &Bed) {
    for limit in ["32768", "4194304"] {
        bed.keeper(&["sh", "-c", &format!("echo {limit} >/proc/sys/kernel/pid_max")]);
        let with = (0..3).map(|n| quick(bed, &format!("with-{limit}-{n}"), &[]).0).fold(f64::MAX, f64::min);
        let without = (0..3)
            .map(|n| quick(bed, &format!("without-{limit}-{n}"), &["--no-pid-range"]).0)
            .fold(f64::MAX, f64::min);
        let unhide = if limit == "32768" || std::env::var_os("CALMA_UNHIDE").is_some() {
            let seconds = measured(&mut bed.keeper_command(&["unhide", "quick"])).0;
            format!("`unhide quick`: {seconds:.2} s ({:.1} ×)", seconds / (with - without).max(0.001))
        } else {
            "`unhide quick`: set CALMA_UNHIDE=1 (about a minute)".to_owned()
        };
        let aim = if limit == "32768" { "faster than unhide" } else { "3 s" };
        row(
            &format!("hidden processes over the whole pid range, `pid_max` {limit} (best of three)"),
            format!("{:.2} s", with - without),
            aim,
            unhide,
        );
    }
}

fn growth(bed: &Bed) {
    let helper = bed.work().join("home/load").display().to_string();
    fs::copy(binaries::plant(), &helper).unwrap();
    for number in [100, 1_000, 10_000] {
        let mut load = bed
            .keeper_command(&[&helper, "children", &number.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(load.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let runs: Vec<_> =
            (0..3).map(|n| quick(bed, &format!("growth-{number}-{n}"), &["--no-pid-range"])).collect();
        let seconds = runs.iter().map(|run| run.0).fold(f64::MAX, f64::min);
        let memory = runs.iter().map(|run| run.1).fold(0.0, f64::max);
        row(
            &format!("`--quick`, {number} processes (best of three), pid range apart"),
            format!("{seconds:.2} s, peak {memory:.0} MiB (both sides together)"),
            if number == 10_000 { "150 MiB" } else { "" },
            format!("{:.2} ms a process", seconds * 1000.0 / f64::from(number)),
        );
        bed.keeper(&["pkill", "-KILL", "-x", "load"]);
        let _ = load.wait();
    }
}
