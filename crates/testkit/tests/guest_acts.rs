//! What is machine-wide, on Debian's own kernel in a guest: programs of BPF are detached, settings that make the kernel run
//! something are put back, a module is blocked; proposed from what `triage` finds, done, taken back, and cut in between.
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
mkdir -p /var/lib/.site /usr/lib/.site /root/c; cp /bin/true /var/lib/.site/dump; cp /bin/true /usr/lib/.site/open
echo core >/proc/sys/kernel/core_pattern
modprobe binfmt_misc; mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc b /proc/sys/fs/binfmt_misc
plant_all() {
  /usr/local/sbin/site-load bpf /sys/fs/bpf/site
  /usr/local/sbin/site-load bpf-interface lo /sys/fs/bpf/edge
  /usr/local/sbin/site-load bpf-group /sys/fs/cgroup
  echo '|/var/lib/.site/dump %p' >/proc/sys/kernel/core_pattern
  echo /var/tmp/.load >/proc/sys/kernel/modprobe
  [ -e /proc/sys/fs/binfmt_misc/site ] || echo ':site:E::sh1::/usr/lib/.site/open:OC' >/proc/sys/fs/binfmt_misc/register
}
state() {
  echo "pins: $(ls /sys/fs/bpf | tr '\n' ' ')"; ip -o link show lo | grep -o 'xdp[a-z]*' | head -1
  echo "core: $(cat /proc/sys/kernel/core_pattern)"; echo "modprobe: $(cat /proc/sys/kernel/modprobe)"
  head -1 /proc/sys/fs/binfmt_misc/site; ls /etc/modprobe.d | grep calma
}
# A plan with every step of these actions ticked; the block-module step is added, since nothing here is a module.
ticked() { python3 - "$1" <<'END'
import json, sys
plan = json.load(open('/root/plan.json')); wanted = sys.argv[1].split(',')
plan['steps'] = [step for step in plan['steps'] if step['action'] in wanted]
plan['steps'].append({'number': 99, 'action': 'block-module', 'target': {'module': {'name': 'crc16x'}}, 'ticked': True})
for step in plan['steps']: step['ticked'] = True
json.dump(plan, open('/root/plan.json', 'w'))
print(sorted((step['action'], json.dumps(step['target'])) for step in plan['steps']))
END
}
look() { rm -rf "/root/c/$1" /root/plan.json; ./calma triage --quick --no-pid-range --hurry --case "/root/c/$1" >/dev/null 2>&1
  ./calma contain --case "/root/c/$1" --dry-run --plan /root/plan.json; ticked detach-program,set-sysctl; }
plant_all; state >before
look one >plan
./calma contain --case /root/c/one --plan /root/plan.json --yes --watch 0 >done; echo "done: $?"; state >after
./calma undo --case /root/c/one --all --yes >undone; echo "undone: $?"; state >again
# Cut at any moment, and put right.
for delay in 0.3 0.6 0.9 1.3 1.8 2.4; do
  plant_all; look cut >/dev/null
  timeout -s KILL $delay ./calma contain --case /root/c/cut --plan /root/plan.json --yes --watch 0 >/dev/null 2>&1; echo "cut after $delay: $?"
  ./calma contain --case /root/c/cut --finish >finished 2>&1 || { echo "not finished"; cat finished; }
  ./calma undo --case /root/c/cut --all --yes >finished 2>&1 || { echo "not undone"; cat finished; }
  state | grep -v -e pins -e xdp >cut; grep -v -e pins -e xdp before | diff - cut || echo "not as before"
  ./calma case verify --case /root/c/cut >/dev/null || echo "case broken"
done
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
    assert_eq!(plan.matches("'detach-program'").count(), 3, "{plan}");
    assert!(log.contains("done: 0") && log.contains("undone: 0"), "{log}");
    assert_eq!(
        before,
        "pins: edge site \nxdpgeneric\ncore: |/var/lib/.site/dump %p\nmodprobe: /var/tmp/.load\nenabled\n"
    );
    assert_eq!(after, "pins: \ncore: core\nmodprobe: /sbin/modprobe\ndisabled\ncalma-crc16x.conf\n");
    // All but the programs, whose card says that they can not be attached again.
    assert_eq!(again, "pins: \ncore: |/var/lib/.site/dump %p\nmodprobe: /var/tmp/.load\nenabled\n");
    for bad in ["not finished", "not undone", "not as before", "case broken"] {
        assert!(!log.contains(bad), "{log}");
    }
}
