//! What is machine-wide, on Debian's own kernel in a guest: programs of BPF are detached, settings that make the kernel run
//! something are put back; proposed from what `triage` finds, done, taken back, and cut in between.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::guest::Guest;
use calma_testkit::skip_without_root;

const SCRIPT: &str = r#"
cd /run/share
cp plant /usr/local/sbin/site-load; ip link set lo up
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mkdir -p /var/lib/.site /usr/lib/.site; cp /bin/true /var/lib/.site/dump; cp /bin/true /usr/lib/.site/open
echo core >/proc/sys/kernel/core_pattern
modprobe binfmt_misc; mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc b /proc/sys/fs/binfmt_misc
settings() {
  echo '|/var/lib/.site/dump %p' >/proc/sys/kernel/core_pattern
  echo /var/tmp/.load >/proc/sys/kernel/modprobe
}
state() {
  echo "pins: $(ls /sys/fs/bpf | tr '\n' ' ')"; ip -o link show lo | grep -o 'xdp[a-z]*' | head -1
  echo "core: $(cat /proc/sys/kernel/core_pattern)"; echo "modprobe: $(cat /proc/sys/kernel/modprobe)"
  head -1 /proc/sys/fs/binfmt_misc/site
}
# The numbers of the plan's steps with one of these actions.
numbers() { grep -E "\"action\":\"($1)\"" plan | grep -o '"number":[0-9]*' | cut -d: -f2 | paste -sd,; }
/usr/local/sbin/site-load bpf /sys/fs/bpf/site
/usr/local/sbin/site-load bpf-interface lo /sys/fs/bpf/edge
/usr/local/sbin/site-load bpf-group /sys/fs/cgroup
settings; echo ':site:E::sh1::/usr/lib/.site/open:OC' >/proc/sys/fs/binfmt_misc/register
state >before
./calma triage --quick --no-pid-range --hurry --case /root/c >/dev/null 2>&1; echo "looked: $?"
./calma contain --case /root/c --dry-run --json >plan
./calma contain --case /root/c --only "$(numbers 'detach-program|set-sysctl')" --yes --watch 0 >done; echo "done: $?"; state >after
./calma undo --case /root/c --all --yes >undone; echo "undone: $?"; state >again
# Cut at any moment, and put right.
for delay in 0.2 0.5 0.8 1.1; do
  settings
  timeout -s KILL $delay ./calma contain --case /root/c --only "$(numbers set-sysctl)" --yes --watch 0 >/dev/null 2>&1; echo "cut after $delay: $?"
  ./calma contain --case /root/c --finish >finished 2>&1 || { echo "not finished"; cat finished; }
  ./calma undo --case /root/c --all --yes >finished 2>&1 || { echo "not undone"; cat finished; }
  state | diff again - || echo "not as before"
done
./calma case verify --case /root/c >/dev/null || echo "case broken"
touch finished-all
"#;

#[test]
fn machine_wide_actions_on_debians_own_kernel() {
    if skip_without_root("machine_wide_actions_on_debians_own_kernel") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: machine_wide_actions_on_debians_own_kernel (the guest is for x86_64)");
        return;
    }
    let guest = Guest::run(SCRIPT);
    let log = guest.text("log");
    eprintln!("{log}\n{}\n{}\n{}", guest.text("plan"), guest.text("done"), guest.text("undone"));
    assert!(guest.share().join("finished-all").exists(), "{}\n{log}", guest.text("console"));
    let (before, after, again) = (guest.text("before"), guest.text("after"), guest.text("again"));
    let plan = guest.text("plan");
    // Each is proposed from a finding: three programs, three settings.
    for words in ["detach-program", "core_pattern", "/proc/sys/kernel/modprobe", "binfmt_misc/site"] {
        assert!(plan.contains(words), "{words} is not in the plan:\n{plan}");
    }
    assert_eq!(plan.matches("\"action\":\"detach-program\"").count(), 3, "{plan}");
    assert!(log.contains("done: 0") && log.contains("undone: 0"), "{log}");
    assert_eq!(
        before,
        "pins: edge site \nxdpgeneric\ncore: |/var/lib/.site/dump %p\nmodprobe: /var/tmp/.load\nenabled\n"
    );
    assert_eq!(after, "pins: \ncore: core\nmodprobe: /sbin/modprobe\ndisabled\n");
    // All but the programs, whose card says that they can not be attached again.
    assert_eq!(again, "pins: \ncore: |/var/lib/.site/dump %p\nmodprobe: /var/tmp/.load\nenabled\n");
    for bad in ["not finished", "not undone", "not as before", "case broken"] {
        assert!(!log.contains(bad), "{log}");
    }
}
