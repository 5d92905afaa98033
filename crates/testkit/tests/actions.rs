//! Every action on a running server: what it changes is exactly what it says, and taking it back leaves everything as it was:
//! every file with everything about it, processes with their states, sockets, mounts, units, BPF, settings, sessions.
//!
//! Excepted by name: inode numbers, times of metadata, when folders and links were read, pids, and for actions whose card says
//! that they can not be taken back, the thing itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_record::step::Undoable;
use calma_testkit::bed::{Bed, Release, quoted};
use calma_testkit::skip_outside_the_soak;
use serde_json::{Value, json};

/// One action on this server.
struct Situation {
    action: &'static str,
    /// Makes what it acts on; the last line it prints is handed to `target`.
    setup: &'static str,
    target: fn(&str) -> Value,
    /// Every line that differs afterwards holds one of these words, and each of these is held by one.
    changes: &'static [&'static str],
    /// The same for what is not as it was when it was taken back.
    lost: &'static [&'static str],
    /// Puts the server back.
    clean: &'static str,
}

const VICTIM: &str = "setsid bash -c 'exec -a calma-victim sleep 100000' </dev/null >/dev/null 2>&1 & sleep 0.2; \
                      P=$(pgrep -xf 'calma-victim 100000'); echo \"$P $(cut -d' ' -f22 /proc/$P/stat)\"";
const END: &str = "pkill -9 -xf 'calma-victim 100000'; true";

fn tree(said: &str) -> Value {
    let (pid, started) = said.split_once(' ').unwrap();
    json!({ "tree": { "pid": pid.parse::<u32>().unwrap(), "started": started.parse::<u64>().unwrap(), "name": "x" } })
}

fn file(said: &str) -> Value {
    json!({ "file": { "path": said, "seen": null } })
}

const SITUATIONS: &[Situation] = &[
    Situation {
        action: "note",
        setup: "echo -",
        target: |_| json!({ "words": { "text": "later" } }),
        changes: &[],
        lost: &[],
        clean: "true",
    },
    Situation {
        action: "freeze",
        setup: VICTIM,
        target: tree,
        changes: &["process calma-victim"],
        lost: &[],
        clean: END,
    },
    Situation { action: "preserve", setup: VICTIM, target: tree, changes: &[], lost: &[], clean: END },
    Situation {
        action: "kill",
        setup: VICTIM,
        target: tree,
        changes: &["process calma-victim"],
        lost: &["process calma-victim"],
        clean: END,
    },
    Situation {
        action: "end-session",
        // Not of the session that calma is run from.
        setup: "systemd-run -q --unit=calma-session bash -c 'echo 4711 >/proc/self/loginuid; exec -a calma-victim sleep 100000'; sleep 0.5; \
                P=$(pgrep -xf 'calma-victim 100000'); echo \"$P $(cut -d' ' -f22 /proc/$P/stat)\"",
        target: |said| {
            let target = tree(said);
            json!({ "session": { "leader": target["tree"], "account": "root" } })
        },
        changes: &["process calma-victim", "unit calma-session.service"],
        lost: &["process calma-victim", "unit calma-session.service"],
        clean: "systemctl reset-failed calma-session; true",
    },
    Situation {
        action: "destroy-socket",
        setup: "setsid python3 -c 'import socket,time\nl=socket.create_server((\"127.0.0.1\",4711));a=socket.create_connection((\"127.0.0.1\",4711));b=l.accept()[0];print(a.getsockname()[1],flush=True);time.sleep(100000)' >/run/port 2>&1 </dev/null & \
                sleep 1; cat /run/port",
        target: |said| json!({ "socket": { "protocol": "tcp", "local": format!("127.0.0.1:{said}"), "remote": "127.0.0.1:4711" } }),
        changes: &["socket ESTAB 127.0.0.1"],
        lost: &["socket ESTAB 127.0.0.1"],
        clean: "pkill -9 -f create_server; rm /run/port; true",
    },
    Situation {
        action: "lock-account",
        setup: "useradd -m eve; echo eve",
        target: |said| json!({ "account": { "name": said } }),
        changes: &["/etc/shadow", "/etc "],
        lost: &[],
        clean: "userdel -r eve 2>/dev/null; true",
    },
    Situation {
        action: "leave-group",
        setup: "useradd -m -G sudo,adm eve; echo eve",
        target: |said| json!({ "member": { "account": said, "group": "sudo" } }),
        changes: &["/etc/group", "/etc/gshadow", "/etc "],
        lost: &[],
        clean: "userdel -r eve 2>/dev/null; true",
    },
    Situation {
        action: "unmount",
        setup: "mkdir -p /var/tmp/hidden /var/tmp/over; echo x >/var/tmp/hidden/f; touch -d 2001-01-01 /var/tmp/over; mount --bind /var/tmp/over /var/tmp/hidden; \
                mount -o remount,bind,ro,nosuid /var/tmp/hidden; echo /var/tmp/hidden",
        target: |said| json!({ "mount": { "point": said } }),
        changes: &[
            "mount /var/tmp/hidden",
            "/var/tmp/hidden/f",
            "/var/tmp/hidden  ",
            "unit var-tmp-hidden.mount",
        ],
        lost: &[],
        clean: "umount /var/tmp/hidden; rm -r /var/tmp/hidden /var/tmp/over",
    },
    Situation {
        action: "set-sysctl",
        setup: "mount -o remount,bind,rw /proc/sys; echo 1 >/proc/sys/net/ipv4/ip_forward; echo /proc/sys/net/ipv4/ip_forward",
        target: |said| json!({ "setting": { "path": said, "value": "0", "seen": "1" } }),
        // The kernel changes these along (ip-sysctl.rst).
        changes: &["forwarding", "ip_forward", "accept_redirects"],
        lost: &[],
        clean: "echo 0 >/proc/sys/net/ipv4/ip_forward; mount -o remount,bind,ro /proc/sys",
    },
    Situation {
        action: "edit-line",
        // Made anew first: of a file that comes from the lower layer the overlay keeps a label of its own, in a block more.
        setup: "cp -a /etc/crontab /etc/crontab.new; mv /etc/crontab.new /etc/crontab; printf '* * * * * root /tmp/.x\\n' >>/etc/crontab; python3 -c 'import os; os.setxattr(\"/etc/crontab\", \"user.label\", b\"kept\")'; echo -",
        target: |_| json!({ "line": { "path": "/etc/crontab", "line": "* * * * * root /tmp/.x", "instead": null, "seen": null } }),
        changes: &["/etc/crontab", "/etc "],
        lost: &[],
        clean: "sed -i '/tmp..x/d' /etc/crontab",
    },
    Situation {
        action: "set-link",
        setup: "ln -sfn /tmp/.x/pager /etc/alternatives/pager; echo -",
        target: |_| json!({ "link": { "path": "/etc/alternatives/pager", "to": "/usr/bin/more", "seen": null } }),
        changes: &["/etc/alternatives/pager", "/etc/alternatives "],
        lost: &[],
        clean: "ln -sfn /bin/more /etc/alternatives/pager",
    },
    Situation {
        action: "unhook-file",
        setup: "printf '* * * * * root /tmp/.x\\n' >/etc/cron.d/php; chmod 640 /etc/cron.d/php; chattr +i /etc/cron.d/php; echo /etc/cron.d/php",
        target: file,
        changes: &["/etc/cron.d/php", "/etc/cron.d "],
        lost: &[],
        clean: "chattr -i /etc/cron.d/php; rm /etc/cron.d/php",
    },
    Situation {
        action: "unhook-unit",
        setup: "printf '[Timer]\\nOnActiveSec=1d\\nUnit=nginx.service\\n' >/etc/systemd/system/php.timer; systemctl daemon-reload; echo /etc/systemd/system/php.timer",
        target: file,
        changes: &["/etc/systemd/system/php.timer", "/etc/systemd/system ", "unit file php.timer"],
        lost: &[],
        clean: "rm /etc/systemd/system/php.timer; systemctl daemon-reload",
    },
    Situation {
        action: "block-module",
        setup: "echo nethelper",
        target: |said| json!({ "module": { "name": said } }),
        changes: &["/etc/modprobe.d/calma-nethelper.conf", "/etc/modprobe.d "],
        lost: &[],
        clean: "true",
    },
    Situation {
        action: "quarantine",
        setup: "mkdir -p /var/tmp/.x; cp /bin/true '/var/tmp/.x/a b'; chown 33:33 '/var/tmp/.x/a b'; chmod 4750 '/var/tmp/.x/a b'; \
                python3 -c 'import os; os.setxattr(\"/var/tmp/.x/a b\", \"trusted.x\", b\"y\")'; ln '/var/tmp/.x/a b' /var/tmp/.x/second; truncate -s 3M /var/tmp/.x/second; \
                touch -d '2001-01-01 01:01:01.123456789' '/var/tmp/.x/a b'; echo '/var/tmp/.x/a b'",
        target: file,
        changes: &["/var/tmp/.x/a b", "/var/tmp/.x/second", "/var/tmp/.x "],
        lost: &[],
        clean: "rm -r /var/tmp/.x",
    },
];

/// What a server is, one line a thing.
const STATE: &str = r#"
cd /
P='-xdev ( -path /var/lib/systemd -o -path /var/log -o -path /var/cache -o -path /root/case* -o -path /root/calma -o -path /root/plan* ) -prune -o'
find /etc /var /root /home /srv /opt /usr/local /boot $P -type d -printf '%p  %M %U:%G changed %T+\n'
find /etc /var /root /home /srv /opt /usr/local /boot $P -type l -printf '%p %M %U:%G %s changed %T+ to %l\n'
find /etc /var /root /home /srv /opt /usr/local /boot $P ! -type d ! -type l -printf '%p %M %U:%G %s %b blocks %n names changed %T+\n'
find /etc /var /root /home /srv /opt /usr/local /boot $P -type f -print0 | xargs -0 sha256sum | awk '{print $2, $3, $1}'
python3 - <<'END'
import os
for top in ('/etc', '/var/tmp', '/home', '/root'):
    for folder, folders, files in os.walk(top):
        for path in (os.path.join(folder, name) for name in folders + files if '/root/case' not in folder):
            named = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
            if named: print(path, 'attributes', sorted(named.items()))
END
lsattr -R /etc /var/tmp 2>/dev/null | grep -v '^/\|^$' | awk '{print $2, $3, "flags", $1}'
for p in /proc/[0-9]*; do
  a=$(tr '\0' ' ' <$p/cmdline 2>/dev/null) || continue; s=$(sed 's/.*) //; s/ .*//' $p/stat 2>/dev/null)
  case "$a" in ''|*'sh -c '*|bash*|sshd:*|*calma\ *|sed*|tr*|cut*|sleep\ [0-9]|*systemd-userwork*|*sftp*) continue;; esac
  case $s in T) s=stopped;; Z|X) continue;; *) s=alive;; esac
  echo "process $a $s"
done
ss -Hantu | grep -v ':22 ' | awk '{print "socket", $2, $5, $6}'
awk '{print "mount", $5, $6, $9, $10, $11}' /proc/self/mountinfo
systemctl list-units --all --no-legend --plain --type=service,timer,socket,path,mount | awk '$1 !~ /^(session|user|run-user|systemd-(tmpfiles|timedated|hostnamed|localed)|e2scrub|apt-|dpkg-|fstrim|logrotate|man-db|ssh@)/ {print "unit", $1, $2, $3, $4}'
systemctl list-unit-files --no-legend | awk '{print "unit file", $1, $2}'
find /sys/fs/bpf -mindepth 1 2>/dev/null | sed 's/^/bpf /'
sysctl -a 2>/dev/null | grep -v -e random -e '^fs\.\(dentry\|inode\|file-nr\|quota\)' -e '^kernel\.\(ns_last_pid\|pty\.nr\)' -e 'route.flush' -e nf_conntrack_count -e '^kernel.sched_domain' -e tcp_fastopen_key
loginctl --no-legend list-sessions | awk '{print "session", $1, $3}'
awk -F: '{print "account", $0}' /etc/passwd
"#;

fn state(bed: &Bed) -> Vec<String> {
    let output = bed.run(&format!("LC_ALL=C bash -c {}", quoted(STATE)));
    let mut lines: Vec<String> = output.text().lines().map(str::to_owned).collect();
    let tail: Vec<&String> = lines.iter().rev().take(20).collect();
    assert!(lines.len() > 1000 && lines.iter().any(|line| line.starts_with("unit nginx")), "{tail:#?}");
    lines.sort();
    lines
}

/// The lines that stand in one and not in the other.
fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let lost = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    lost.chain(new).collect()
}

/// What is wrong with a difference; empty if it is exactly what was said.
fn wrong(found: &[String], said: &[&str]) -> String {
    let more: Vec<&String> =
        found.iter().filter(|line| !said.iter().any(|word| line.contains(word))).collect();
    let less: Vec<&&str> =
        said.iter().filter(|word| !found.iter().any(|line| line.contains(**word))).collect();
    if more.is_empty() && less.is_empty() {
        return String::new();
    }
    format!("changed without being said: {more:#?}\nsaid and not changed: {less:?}")
}

#[test]
fn every_action_changes_what_it_says_and_can_be_taken_back() {
    if skip_outside_the_soak("every_action_changes_what_it_says_and_can_be_taken_back") {
        return;
    }
    // One that is machine-wide is tried in the guest (tests/guest_acts.rs), those about the network in tests/isolate.rs.
    const ELSEWHERE: [&str; 4] = ["detach-program", "isolate", "hold-isolation", "release"];
    for action in calma_act::actions::ALL.iter().filter(|action| !ELSEWHERE.contains(&action.card.name)) {
        assert!(
            SITUATIONS.iter().any(|one| one.action == action.card.name),
            "{} has no situation",
            action.card.name
        );
    }
    let bed = Bed::booted(Release::Bookworm);
    bed.run("systemctl stop 'apt-daily*.timer' 'dpkg-db-backup.timer' 'fstrim.timer' 'e2scrub_all.timer' 'systemd-tmpfiles-clean.timer' 2>/dev/null");
    let boot = bed.run("cat /proc/sys/kernel/random/boot_id").text().trim().to_owned();
    // A case to act from, and calma itself in its place.
    let looked = bed.calma(&["triage", "--quick", "--case", "/root/case"]);
    assert!(matches!(looked.code, Some(0 | 1 | 3)), "{looked}");
    let mut failed = Vec::new();
    for situation in SITUATIONS {
        let action = situation.action;
        let set = bed.run(situation.setup);
        let said = set.text().lines().last().unwrap_or_default().to_owned();
        eprintln!("{action}: {said}");
        assert!(!said.is_empty(), "{action}: {set}");
        let step =
            json!({ "number": 1, "action": action, "target": (situation.target)(&said), "ticked": true });
        let plan = json!({ "schema": 1, "host": "srv", "boot": boot, "made": "2026-01-01T00:00:00Z", "steps": [step] });
        bed.put("/root/plan.json", plan.to_string().as_bytes(), 0o600);
        let before = state(&bed);
        let arguments =
            ["contain", "--case", "/root/case", "--plan", "/root/plan.json", "--yes", "--watch", "0"];
        let done = bed.calma(&arguments);
        let after = state(&bed);
        let undone = bed.calma(&["undo", "--case", "/root/case", "--all", "--yes"]);
        let again = state(&bed);
        bed.run(situation.clean);
        if !done.ok() || !undone.ok() {
            failed.push(format!("{action}: {done}\n{undone}"));
            continue;
        }
        let there = wrong(&difference(&before, &after), situation.changes);
        let back = wrong(&difference(&before, &again), situation.lost);
        if !there.is_empty() || !back.is_empty() {
            failed.push(format!("{action}\nwhen done: {there}\nwhen taken back: {back}"));
        }
        let card = calma_act::named(action).unwrap().card;
        assert!(
            situation.lost.is_empty() || card.undoable > Undoable::Reversible,
            "{action} is called reversible and is not"
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(bed.calma(&["case", "verify", "--case", "/root/case"]).ok());
}
