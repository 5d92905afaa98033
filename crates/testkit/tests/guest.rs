//! On Debian's own kernel in a guest: clean, under a fork storm, with a doctored list of modules, with a BPF program.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::guest::Guest;
use calma_testkit::report::Report;
use calma_testkit::skip_without_root;

const SCRIPT: &str = r#"
cd /run/share
look() { name=$1; shift; ./calma triage --json --hurry --case /run/case-$name "$@" >$name.json 2>$name.err; echo "$name: $? at $(cut -d. -f1 /proc/uptime) s"; }
cp plant /usr/local/bin/site-storm; cp plant /usr/local/sbin/site-load
systemctl is-active ssh nginx cron rsyslog
look clean
/usr/local/bin/site-storm storm 7200000 & STORM=$!
for run in $(seq "$(cat storms)"); do look "storm$run" --quick; done
kill $STORM
grep -v '^crc16 ' /proc/modules >/run/list; mount --bind /run/list /proc/modules
look modules --quick --no-pid-range
umount /proc/modules
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
/usr/local/sbin/site-load bpf /sys/fs/bpf/site && ls -l /sys/fs/bpf
look bpf --quick --no-pid-range
touch done
"#;

#[test]
fn on_debians_own_kernel() {
    if skip_without_root("on_debians_own_kernel") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: on_debians_own_kernel (the guest is for x86_64)");
        return;
    }
    let storms = if std::env::var_os("CALMA_SOAK").is_some() { 30 } else { 1 };
    let guest = Guest::run(&format!("echo {storms} >/run/share/storms\n{SCRIPT}"));
    eprintln!("{}", guest.text("log"));
    assert!(guest.share().join("done").exists(), "{}\n{}", guest.text("console"), guest.text("log"));
    let report = |name: &str| {
        let report = Report::read(&guest.bytes(&format!("{name}.json")));
        report.assert_complete();
        eprintln!("{name}: {} s\n{}{:#?}", report.end["seconds"], report.listing(), report.gaps);
        report
    };
    let all = [report("clean"), report("modules"), report("bpf")];
    let [clean, modules, bpf] = &all;
    let mut failed = Vec::new();
    let storms = (1..=storms).map(|run| format!("storm{run}"));
    let quiet = storms.map(|name| (report(&name), name)).collect::<Vec<_>>();
    for (report, what) in quiet.iter().map(|(report, name)| (report, name.as_str())).chain([(clean, "clean")])
    {
        if !report.alarms().is_empty() || report.low().len() > 5 {
            failed.push(format!("{what}: alarms:\n{}", report.listing()));
        }
    }
    // What is new compared with the clean look at the same kernel, and names the thing.
    let new = |report: &Report| -> Vec<String> {
        let alarms = report.alarms().into_iter();
        alarms
            .filter(|one| !clean.findings.iter().any(|old| old.key == one.key))
            .map(ToString::to_string)
            .collect()
    };
    let doctored = new(modules);
    if !doctored.iter().any(|line| line.contains("crc16") || line.contains("/proc/modules")) {
        failed.push(format!("25: a module missing from /proc/modules was not found: {doctored:?}"));
    }
    let programs = new(bpf);
    if !programs.iter().any(|line| line.to_lowercase().contains("bpf")) {
        failed.push(format!("21: a BPF program without an owner was not found: {programs:?}"));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
