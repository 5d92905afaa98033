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
use calma_testkit::skip_outside_the_soak;

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
/usr/local/sbin/site-load bpf sys_enter /sys/fs/bpf/site
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
    if skip_outside_the_soak("machine_wide_actions_on_debians_own_kernel") {
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

/// Files with everything that FAT can not hold, taken off to a stick with FAT and put back.
const STICK: &str = r#"
cd /run/share
modprobe vfat; modprobe nls_cp437 2>/dev/null; modprobe nls_iso8859-1 2>/dev/null; modprobe nls_ascii 2>/dev/null; modprobe loop
mkdir -p /media/stick /srv/.x
mount -t vfat -o loop fat.img /media/stick || mount -t vfat -o loop,codepage=437,iocharset=ascii fat.img /media/stick; echo "mounted: $?"
cp /bin/true '/srv/.x/A:b*c?'; chown 33:7 '/srv/.x/A:b*c?'; chmod 6755 '/srv/.x/A:b*c?'
cp /bin/true /srv/.x/a; cp /bin/true /srv/.x/A; ln /srv/.x/a /srv/.x/second
head -c 300000 /dev/urandom >/srv/.x/holes; truncate -s 3M /srv/.x/holes; ln -s /nowhere /srv/.x/link
python3 -c 'import os
os.setxattr("/srv/.x/a", "trusted.x", b"y"); os.setxattr("/srv/.x/holes", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'
touch -h -d '2001-01-01 01:01:01.123456789' /srv/.x/* /srv/.x
chattr +i /srv/.x/holes
state() {
  find /srv/.x -printf '%p %M %U:%G %s %b %n %T+ %l\n' | sort; find /srv/.x -type f | sort | xargs -d '\n' sha256sum; lsattr /srv/.x
  python3 -c 'import os
for f in sorted(os.listdir("/srv/.x")): print(f, sorted((n, os.getxattr("/srv/.x/"+f, n, follow_symlinks=False)) for n in os.listxattr("/srv/.x/"+f, follow_symlinks=False)))'
}
state >before
./calma triage --quick --no-pid-range --hurry --case /root/c >/dev/null 2>&1; echo "looked: $?"
sed "s/BOOT/$(cat /proc/sys/kernel/random/boot_id)/" plan.in >/root/plan
./calma contain --case /root/c --plan /root/plan --yes --watch 0 --to /media/stick >done 2>&1; echo "done: $?"
ls /srv/.x | wc -l >after; ls /media/stick/calma-quarantine | grep -c 'zst$' >>after
./calma eject /media/stick >ejected 2>&1; echo "ejected: $?"
mount -t vfat -o loop fat.img /media/stick || mount -t vfat -o loop,codepage=437,iocharset=ascii fat.img /media/stick
./calma undo --case /root/c --all --yes >undone 2>&1; echo "undone: $?"
state >again
./calma case verify --case /root/c >/dev/null || echo "case broken"
touch finished-all
"#;

#[test]
fn files_go_to_a_stick_with_fat_and_come_back_exactly() {
    if skip_outside_the_soak("files_go_to_a_stick_with_fat_and_come_back_exactly") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: files_go_to_a_stick_with_fat_and_come_back_exactly (the guest is for x86_64)");
        return;
    }
    let here = std::env::temp_dir().join(format!("calma-fat-{}", std::process::id()));
    std::fs::create_dir_all(&here).unwrap();
    let (image, plan) = (here.join("fat.img"), here.join("plan.in"));
    let made = format!("truncate -s 64M {0} && busybox mkdosfs {0}", image.display());
    calma_testkit::alone::sh(&made);
    let names = ["A:b*c?", "a", "A", "holes", "link"];
    let steps: Vec<_> = (1..)
        .zip(names)
        .map(|(number, name)| {
            let target = serde_json::json!({ "file": { "path": format!("/srv/.x/{name}"), "seen": null } });
            serde_json::json!({ "number": number, "action": "quarantine", "target": target, "ticked": true })
        })
        .collect();
    let text = serde_json::json!({ "schema": 1, "host": "srv", "boot": "BOOT", "made": "2026-01-01T00:00:00Z", "steps": steps });
    std::fs::write(&plan, text.to_string()).unwrap();
    let guest = Guest::run_beside(STICK, &[("fat.img", &image), ("plan.in", &plan)]);
    let _ = std::fs::remove_dir_all(&here);
    let log = guest.text("log");
    eprintln!("{log}\n{}\n{}\n{}", guest.text("done"), guest.text("ejected"), guest.text("undone"));
    assert!(guest.share().join("finished-all").exists(), "{}\n{log}", guest.text("console"));
    for good in ["mounted: 0", "done: 0", "ejected: 0", "undone: 0"] {
        assert!(log.contains(good), "{good}: {log}");
    }
    // Nothing is left of it, and four files are on the stick.
    assert_eq!(guest.text("after"), "0\n4\n", "{}", guest.text("done"));
    assert!(guest.text("before").contains("trusted.x"), "{}", guest.text("before"));
    assert_eq!(guest.text("before"), guest.text("again"));
    assert!(!log.contains("case broken"), "{log}");
}
