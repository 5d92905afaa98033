//! On Debian's own kernel in a guest: clean, under a fork storm, with a doctored list of modules, with BPF programs,
//! probes, and settings of the kernel that run something.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::guest::Guest;
use calma_testkit::report::Report;
use calma_testkit::skip_outside_the_soak;

const SCRIPT: &str = r#"
cd /run/share
look() { name=$1; shift; ./calma triage --json --hurry --case /run/case-$name "$@" >$name.json 2>$name.err; echo "$name: $? at $(cut -d. -f1 /proc/uptime) s"; }
cp plant /usr/local/bin/site-storm; cp plant /usr/local/sbin/site-load
systemctl is-active ssh nginx cron rsyslog
look clean
modprobe -a vsock_loopback vsock_diag
/usr/local/sbin/site-load listen-vsock 4711 & VSOCK=$!
look views --quick --no-pid-range --facts
kill $VSOCK
/usr/local/bin/site-storm storm 7200000 & STORM=$!
for run in $(seq "$(cat storms)"); do look "storm$run" --quick; done
kill $STORM
doctored() { grep -v "^$1 " /proc/modules >$2; mount --bind $2 /proc/modules; look modules-$1 --quick --no-pid-range; umount /proc/modules; }
doctored crc16 /run/list
mkdir -p /run/lists; doctored virtio_blk /run/lists/m
mount -t tmpfs none /sys/module/9pnet; look modules-9pnet --quick --no-pid-range; umount /sys/module/9pnet
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mkdir -p /sys/fs/bpf/tc/globals
/usr/local/sbin/site-load bpf sys_enter /sys/fs/bpf/site
/usr/local/sbin/site-load bpf sched_process_exec /sys/fs/bpf/tc/globals/acl
cp plant /usr/local/sbin/site-cache; /usr/local/sbin/site-cache bpf sys_exit - & HOLDER=$!
find /sys/fs/bpf; sleep 2; rm /usr/local/sbin/site-cache
look bpf --quick --no-pid-range
echo $HOLDER >holder; kill $HOLDER
ip link set lo up
/usr/local/sbin/site-load bpf-interface lo /sys/fs/bpf/edge
/usr/local/sbin/site-load bpf-group /sys/fs/cgroup
look hooks --quick --no-pid-range
cat /proc/sys/kernel/core_pattern >core
mkdir -p /var/lib/.site /usr/lib/.site; cp /bin/true /var/lib/.site/dump; cp /bin/true /usr/lib/.site/open
echo '|/var/lib/.site/dump %p' >/proc/sys/kernel/core_pattern
echo /var/tmp/.load >/proc/sys/kernel/modprobe
modprobe binfmt_misc; mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc b /proc/sys/fs/binfmt_misc
echo ':site:E::sh1::/usr/lib/.site/open:OC' >/proc/sys/fs/binfmt_misc/register; ls /proc/sys/fs/binfmt_misc
look settings --quick --no-pid-range
touch done
"#;

#[test]
fn on_debians_own_kernel() {
    if skip_outside_the_soak("on_debians_own_kernel") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: on_debians_own_kernel (the guest is for x86_64)");
        return;
    }
    // CALMA_STORMS: how many looks under a storm; thirty take half an hour under emulation.
    let storms: usize =
        std::env::var("CALMA_STORMS").ok().and_then(|number| number.parse().ok()).unwrap_or(30);
    let guest = Guest::run(&format!("echo {storms} >/run/share/storms\n{SCRIPT}"));
    eprintln!("{}", guest.text("log"));
    assert!(guest.share().join("done").exists(), "{}\n{}", guest.text("console"), guest.text("log"));
    let any = |name: &str| {
        let report = Report::read(&guest.bytes(&format!("{name}.json")));
        eprintln!("{name}: {} s\n{}{:#?}", report.end["seconds"], report.listing(), report.gaps);
        report
    };
    let report = |name: &str| {
        let report = any(name);
        report.assert_complete();
        report
    };
    let all = ["clean", "views", "bpf", "hooks", "settings"].map(report);
    let [clean, views, bpf, hooks, settings] = &all;
    let mut failed = Vec::new();
    // Views that the container's kernel refuses: here each of them answers.
    for view in ["bpf task iterator", "taskstats", "sock_diag"] {
        if let Some((what, why, _)) = views.gaps.iter().find(|(what, ..)| what.contains(view)) {
            failed.push(format!("{view} did not answer: {what}: {why}"));
        }
    }
    let vsock = |fact: &&serde_json::Value| fact.to_string().contains("\"vsock\"");
    match views.facts.iter().find(vsock).map(ToString::to_string) {
        Some(row) if row.contains("4711") && row.contains("site-load") => eprintln!("{row}"),
        other => failed.push(format!("a listener for the hypervisor was not seen with its port: {other:?}")),
    }
    // In a storm under emulation the whole range of ids may take longer than a collector's bound: that is said, and no false hit.
    let quiet: Vec<_> =
        (1..=storms).map(|run| format!("storm{run}")).map(|name| (any(&name), name)).collect();
    let whole = quiet.iter().filter(|(report, _)| report.end["complete"] == true).count();
    eprintln!("{whole} of {storms} looks under a storm were whole");
    if whole * 10 < storms * 8 {
        failed.push(format!("only {whole} of {storms} looks under a storm were whole"));
    }
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
    for module in ["crc16", "virtio_blk", "9pnet"] {
        let said = new(&report(&format!("modules-{module}")));
        if !said.iter().any(|line| line.contains(&format!("\"{module}\""))) {
            failed.push(format!("25: {module}, missing from a view, was not found: {said:?}"));
        }
    }
    let programs = new(bpf);
    let holder = guest.text("holder");
    for place in ["/sys/fs/bpf/site", "/sys/fs/bpf/tc/globals/acl", holder.trim()] {
        if !programs.iter().any(|line| line.to_lowercase().contains("bpf") && line.contains(place)) {
            failed.push(format!("21: nothing names {place}: {programs:?}"));
        }
    }
    for (mechanism, report, words) in [
        (22, hooks, ["xdp", "/sys/fs/bpf/edge"]),
        (23, hooks, ["control group", "cgroup"]),
        (30, settings, ["/var/lib/.site/dump", "core_pattern"]),
        (30, settings, ["/var/tmp/.load", "kernel/modprobe"]),
        (31, settings, ["/usr/lib/.site/open", "binfmt_misc/site"]),
    ] {
        let said = new(report);
        if !said.iter().any(|line| words.iter().any(|word| line.to_lowercase().contains(word))) {
            failed.push(format!("{mechanism}: nothing names {words:?}: {said:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
