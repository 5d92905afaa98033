//! Bad circumstances: no rights, an old kernel, storms of processes, kills at any moment, hostile names, lying views.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::random::Random;
use calma_testkit::{binaries, skip_without_root};
use std::process::Stdio;
use std::time::Duration;

fn soak() -> bool {
    std::env::var_os("CALMA_SOAK").is_some()
}

fn helper(bed: &Bed, path: &str) {
    bed.put(path, &std::fs::read(binaries::plant()).unwrap(), 0o755);
}

#[test]
fn an_ordinary_account_sees_less_and_says_so() {
    if skip_without_root("an_ordinary_account_sees_less_and_says_so") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    bed.run("useradd -m plain");
    let case = "/tmp/case-plain";
    let report = bed.calma_as("plain", &["triage", "--json", "--case", case]).report();
    eprintln!("{}{:#?}", report.listing(), report.gaps);
    assert!(report.alarms().is_empty(), "{}", report.listing());
    let gaps = report.gaps.len();
    assert!((1..60).contains(&gaps), "{gaps} gaps: aggregated, and not none");
}

#[test]
fn no_false_hit_under_a_fork_storm() {
    if skip_without_root("no_false_hit_under_a_fork_storm") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    helper(&bed, "/usr/local/bin/site-storm");
    let runs = if soak() { 30 } else { 5 };
    for run in 0..runs {
        let pid = bed.live("exec /usr/local/bin/site-storm storm 60000");
        let report = bed.triage(&["--quick"]);
        bed.run(&format!("kill {pid}"));
        report.assert_complete();
        assert!(report.alarms().is_empty(), "run {run}:\n{}", report.listing());
    }
    eprintln!("{runs} runs under a fork storm without a false hit");
}

/// Every call newer than Linux 3.10 answers ENOSYS to the host side: what is then lost is a gap, nothing fails.
///
/// The keeper is another machine; everything that the examined host runs for it is behind the filter.
#[test]
fn on_a_kernel_without_new_calls() {
    if skip_without_root("on_a_kernel_without_new_calls") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: on_a_kernel_without_new_calls (call numbers differ here)");
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    helper(&bed, "/usr/local/bin/old-kernel");
    helper(&bed, "/usr/sbin/netwatchd");
    let sleeper = bed.live("exec /usr/sbin/netwatchd titled kworker/1:1 '[kworker/1:1]'");
    let key = std::fs::read_to_string(bed.path("/root/.ssh/authorized_keys")).unwrap();
    let forced = format!(
        r#"command="/usr/local/bin/old-kernel old-kernel 313 sh -c \"$SSH_ORIGINAL_COMMAND\"" {key}"#
    );
    bed.put("/root/.ssh/authorized_keys", forced.as_bytes(), 0o600);
    let case = bed.work().join("case-old").display().to_string();
    let output = bed.calma_from_keeper(&["at", "root@srv", "triage", "--json", "--case", &case]);
    let report = output.report();
    eprintln!("{}{:#?}", report.listing(), report.gaps);
    report.assert_complete();
    assert!(report.names(2, &[], Some(sleeper)), "{}", report.listing());
    assert!(bed.calma_from_keeper(&["case", "verify", "--case", &case]).ok());
}

/// Kills one of the two sides at a random moment; the case is whole up to its last frame, and resumes.
#[test]
fn killed_at_any_moment_the_case_is_whole() {
    if skip_without_root("killed_at_any_moment_the_case_is_whole") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    let seed = Random::seed();
    let mut random = Random::new(seed, 9);
    let kills = if soak() { 500 } else { 8 };
    bed.calma(&["--version"]);
    let (mut interrupted, mut failed) = (0, Vec::new());
    for number in 0..kills {
        let case = format!("/run/cases/k{number}");
        let delay = format!("{:.3}", (5 + random.below(1500)) as f32 / 1000.0);
        let side = if random.below(2) == 0 { "tail -1" } else { "head -1" };
        let script = format!(
            "mkdir -p /run/cases; /root/calma triage --json --hurry --no-pid-range --case {case} >/run/out 2>/run/err & P=$!; \
             sleep {delay}; K=$(echo $P $(cat /proc/$P/task/$P/children 2>/dev/null) | tr ' ' '\\n' | grep . | {side}); \
             kill -9 $K; wait $P; echo $?"
        );
        bed.run(&script);
        if !bed.path(&case).exists() {
            continue;
        }
        interrupted += 1;
        let verified = bed.run(&format!("/root/calma case verify --case {case}"));
        if !verified.ok() {
            failed.push(format!("after {delay} s, {side}: verify: {verified}"));
        }
        let mut resumed =
            bed.run(&format!("/root/calma triage --json --hurry --no-pid-range --resume --case {case}"));
        if resumed.code == Some(2) {
            // Killed before the look began: there is nothing to resume, and calma says to start afresh.
            resumed =
                bed.run(&format!("/root/calma triage --json --hurry --no-pid-range --fresh --case {case}"));
        }
        if !matches!(resumed.code, Some(0 | 1 | 3)) {
            failed.push(format!("after {delay} s, {side}: resume: {resumed}"));
        } else if !bed.run(&format!("/root/calma case verify --case {case}")).ok() {
            failed.push(format!("after {delay} s, {side}: not whole after resuming"));
        }
        bed.run("rm -rf /run/cases");
    }
    eprintln!("{kills} kills, {interrupted} cases, {} failures, CALMA_SEED={seed}", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn hostile_names_and_files_are_survived() {
    if skip_without_root("hostile_names_and_files_are_survived") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    let script = r#"
set -e
for d in /etc/cron.d /etc/systemd/system /etc/profile.d /etc/apt/apt.conf.d /etc/udev/rules.d /etc/sudoers.d /etc/ssh/sshd_config.d /var/www/html /etc/pam.d /var/tmp; do
  mkdir -p $d; cd $d
  printf x >"$(printf 'a\nb\033[2Jc.conf')"; printf x >"$(printf 'bad\377\376utf8.conf')"
  mkfifo pipe.conf fifo.service 2>/dev/null || true; ln -sf loop.conf loop.conf; ln -sf /proc/kmsg k.conf; ln -sf /dev/zero zero.rules
  ln -sf .. up; mknod zero.conf c 1 5; mknod zero.service c 1 5
  touch -d @99999999999 future.conf; touch -d @-99999999 past.conf
  touch "$(head -c 250 /dev/zero | tr '\0' 'n')"
done
cd /etc/systemd/system; (printf '[Service]\nExecStart=/bin/'; head -c 50000000 /dev/zero | tr '\0' 'a') >big.service
truncate -s 100G sparse.service; mkdir dir.service; (printf '[Service]\nExecStart=/bin/true'; yes '\' | head -200000) >cont.service
ln -s /etc/systemd/system/a.service b.service; ln -s /etc/systemd/system/b.service a.service
mkdir -p /root/.ssh; ln -sf /dev/zero /root/.ssh/authorized_keys2; mkfifo /root/.bash_login
printf 'x:x:0' >>/etc/passwd; printf '\377\376:\n::::::::::::\n' >>/etc/passwd
printf '#include /etc/sudoers\n@includedir /etc/sudoers.d\n' >>/etc/sudoers
echo 'Include /etc/ssh/sshd_config' >>/etc/ssh/sshd_config
d=/var/tmp/deep; for i in $(seq 300); do d=$d/d; done; mkdir -p $d
printf '\377\0\n%% * * * * * *\n@reboot' >/var/spool/cron/crontabs/root
"#;
    let output = bed.run(script);
    assert!(output.ok(), "{output}");
    bed.live("exec -a \"$(printf 'evil\\n\\033[31m\\377')\" sleep 100 2>/dev/null || exec sleep 100");
    let (out, err, code) = {
        let output = bed.run("ls /root/calma 2>/dev/null; true");
        assert!(output.ok());
        let output = bed.calma(&["triage", "--json", "--case", "/run/case-hostile"]);
        (output.out, output.err, output.code)
    };
    assert!(matches!(code, Some(0 | 1 | 3)), "{code:?} {}", String::from_utf8_lossy(&err));
    let report = calma_testkit::report::Report::read(&out);
    assert!(!out.iter().any(|byte| *byte < 0x20 && *byte != b'\n'), "control characters in JSON");
    assert!(!err.windows(2).any(|pair| pair == b"\x1b["), "escapes from the host on standard error");
    eprintln!("{} s\n{}", report.end["seconds"], report.listing());
    assert!(report.end["seconds"].as_f64().unwrap() < 60.0);
    let shown = bed.run("/root/calma show --low; cd /run/case-hostile && /root/calma show --low");
    assert!(!shown.out.windows(4).any(|four| four == b"\x1b[2J"), "the screen was cleared by a file's name");
}

/// Mechanism 15: a process that listings of /proc leave out. What a kernel module would do, done to calma alone.
#[test]
fn a_process_left_out_of_proc_is_found() {
    if skip_without_root("a_process_left_out_of_proc_is_found") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    bed.calma(&["--version"]);
    helper(&bed, "/usr/local/bin/site-hide");
    let seed = Random::seed();
    let mut random = Random::new(seed, 15);
    for (variant, folder) in ["/usr/sbin", "/usr/lib", "/usr/local/bin"].into_iter().enumerate() {
        let path = format!("{folder}/{}", random.letters(7));
        helper(&bed, &path);
        let command = match variant {
            0 => format!("exec {path} wait"),
            1 => format!("exec runuser -u www-data -- {path} wait"),
            _ => format!("exec {path} listen {}", 20_000 + random.below(20_000)),
        };
        let pid = bed.live(&command);
        let hidden = if variant == 1 {
            bed.run(&format!("sleep 0.3; pgrep -P {pid}")).text()
        } else {
            pid.to_string()
        };
        let hidden: u64 = hidden.trim().parse().unwrap();
        let script = format!(
            "/usr/local/bin/site-hide hide {hidden} /root/calma triage --json --case /run/case-hidden-{hidden}"
        );
        let report = bed.run(&script).report();
        report.assert_complete();
        assert!(report.names(2, &[], Some(hidden)), "variant {variant}, pid {hidden}:\n{}", report.listing());
        let hiding = report
            .findings
            .iter()
            .any(|f| f.severity >= 2 && f.pids.contains(&hidden) && f.title.contains("hid"));
        assert!(hiding, "variant {variant}: found, but not as hidden:\n{}", report.listing());
        bed.run(&format!("kill {hidden} {pid}"));
    }
}

/// A listener in a network namespace of its own is a fact with its port.
#[test]
fn a_listener_in_another_namespace_is_seen() {
    if skip_without_root("a_listener_in_another_namespace_is_seen") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    helper(&bed, "/usr/local/bin/site-listen");
    bed.live("exec unshare -n /usr/local/bin/site-listen listen 45871");
    let report = bed.triage(&["--quick", "--facts"]);
    let seen = report.facts.iter().any(|fact| fact.to_string().contains("45871"));
    assert!(seen, "port 45871 is in no fact");
}

/// Ctrl-C keeps what was collected.
#[test]
fn an_interrupted_look_keeps_its_case() {
    if skip_without_root("an_interrupted_look_keeps_its_case") {
        return;
    }
    let bed = Bed::still(Release::Bookworm);
    let case = bed.work().join("case-int").display().to_string();
    let tree = bed.tree().display().to_string();
    let mut command = bed.calma_from_keeper_command(&["triage", "--json", "--root", &tree, "--case", &case]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // nsenter replaces itself by calma, or is its parent: both are told, as a terminal would.
    let pid = child.id();
    let below = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for pid in below.split_whitespace().filter_map(|word| word.parse().ok()) {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(130 | 0 | 1 | 3)), "{output:?}");
    let verified = bed.calma_from_keeper(&["case", "verify", "--case", &case]);
    assert!(verified.ok(), "{verified}");
}
