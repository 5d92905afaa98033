//! Ways out that only other kernels have (SCTP, DCCP, VLAN, GRE, ipvlan, WireGuard), on Debian's own in a guest: the same table,
//! with the guest's own namespace as the machine outside.

use crate::paths::{EAR, WORLDS};
use calma_testkit::guest::Guest;
use calma_testkit::skip_without_root;
use std::collections::{BTreeMap, BTreeSet};

/// Ways that must be there: the test is for them.
const HERE: [&str; 9] = [
    "sctp-socket",
    "dccp-socket",
    "vlan",
    "gre-tunnel",
    "ipvlan",
    "wireguard",
    "vxlan",
    "macvlan",
    "routed-container",
];

/// Wires and a machine outside, which the server can not see: it has processes, mounts and a network of its own.
const OUTSIDE: &str = r#"
cd /run/share; cp calma plant /usr/local/bin/; cp paths.py server /run/
modprobe -a veth sctp dccp dccp_ipv4 8021q ip_gre ipvlan macvlan wireguard vxlan bridge nf_tables 2>/dev/null
unshare --net --pid --mount --fork --kill-child --mount-proc sh /run/server >server.log 2>&1 & SERVER=$!
until [ -e /run/inside ]; do sleep 0.1; done
CHILD=$(pgrep -P $SERVER | head -1)
for n in 0 1 2; do
  ip link add keeper$n type veth peer name eth$n netns $CHILD; ip link set keeper$n up; ip addr add 10.$((77 + n)).0.1/24 dev keeper$n
  nsenter -t $CHILD -n ip link set eth$n up
done
ip addr add 10.77.0.3/24 dev keeper0
python3 -c 'import socket
s = socket.create_server(("10.77.0.1", 7777))
while True: s.accept()[0].close()' & LISTENER=$!
python3 /run/share/ear.py >ear.log 2>&1 & EAR=$!
until [ -e /run/heard ]; do sleep 0.1; done
until ip -6 -o addr show dev keeper0 scope link | grep -v tentative | grep -q fe80; do sleep 0.1; done
ip -6 -o addr show dev keeper0 scope link | sed 's/.*inet6 \([^/]*\).*/\1/' >/run/keeper6
touch /run/wired
wait $SERVER
kill $EAR $LISTENER; cp /run/heard heard
touch finished
"#;

/// The server: sends by every way in each phase, and isolates and releases in between.
const SERVER: &str = r#"
touch /run/inside; until [ -e /run/wired ]; do sleep 0.1; done
mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs none /run/netns; }
ip link set lo up
ip addr add 10.77.0.2/24 dev eth0; echo 1 >/proc/sys/net/ipv4/ip_forward
cd /run/share
while read -r name namespace script; do
  ip netns add "$namespace" && sh -c "$script" 2>>made.err || echo "$name" >>not-made
done <worlds
until ! ip -6 addr | grep -q tentative; do sleep 0.1; done
phase() {
  echo "phase $1 at $(cut -d. -f1 /proc/uptime) s"
  python3 /run/paths.py $1 "$(cat /run/keeper6)" >sent.$1 &
  while read -r name namespace to; do
    nsenter --net=/run/netns/$namespace python3 /run/paths.py $1 - only $name $to >sent.$1.$name &
  done <senders
  wait; cat sent.$1.* >>sent.$1
  sleep 0.5
}
state() { ip -o link | sed 's/ state .*//'; ip -o addr; ip route show table all; calma isolate --status | tail -4; }
state >before
mkdir -p /sys/fs/cgroup/site /sys/fs/cgroup/later; plant bpf-group /sys/fs/cgroup/site
phase 0
calma isolate --yes --now --trial 300 --allow 10.77.0.1:22 --case /run/case >trial 2>&1; echo "trial: $?"
phase 1
calma isolate --confirm --case /run/case >held 2>&1; echo "held: $?"
# The guard looks at all of it when a network changes, and by itself more seldom the slower the machine.
plant bpf-group /sys/fs/cgroup/later; ip addr add 127.0.0.9/8 dev lo; ip addr del 127.0.0.9/8 dev lo
phase 2
calma isolate --status >status
calma release --yes --case /run/case >released 2>&1; echo "released: $?"
state >after
phase 3
# Its time is counted by a clock that nobody sets.
calma isolate --yes --now --trial 30 --allow 10.77.0.1:22 --case /run/case >jumped 2>&1
read -r BEGAN _ </proc/uptime; NOW=$(date +%s)
date -s @$((NOW + 31536000)) >/dev/null; sleep 2; calma isolate --status >forward
date -s @$((NOW - 31536000)) >/dev/null; calma isolate --status >back
until calma isolate --status | grep -q "Not isolated"; do sleep 0.2; done
read -r ENDED _ </proc/uptime; echo "trial of 30 s: $((${ENDED%.*} - ${BEGAN%.*}))"
calma case verify --case /run/case >/dev/null || echo "case broken"
"#;

#[test]
fn ways_that_only_other_kernels_have_are_closed_too() {
    if skip_without_root("ways_that_only_other_kernels_have_are_closed_too") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("skipped: ways_that_only_other_kernels_have_are_closed_too (the guest is for x86_64)");
        return;
    }
    let here = std::env::temp_dir().join(format!("calma-ways-{}", std::process::id()));
    std::fs::create_dir_all(&here).unwrap();
    let line = |(name, script, namespace, _): &(&str, &str, &str, &str)| {
        format!("{name} {namespace} {}\n", script.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let sender = |(name, _, namespace, to): &(&str, &str, &str, &str)| format!("{name} {namespace} {to}\n");
    let files = [
        ("paths.py", include_str!("paths.py").to_owned()),
        ("ear.py", EAR.replace("'heard'", "'/run/heard'")),
        ("server", SERVER.to_owned()),
        ("worlds", WORLDS.iter().map(line).collect()),
        ("senders", WORLDS.iter().map(sender).collect()),
    ];
    let paths: Vec<_> = files.iter().map(|(name, _)| here.join(name)).collect();
    files.iter().zip(&paths).for_each(|((_, text), path)| std::fs::write(path, text).unwrap());
    let beside: Vec<_> = files.iter().zip(&paths).map(|((name, _), path)| (*name, path.as_path())).collect();
    let guest = Guest::run_plain(OUTSIDE, &beside);
    std::fs::remove_dir_all(&here).unwrap();
    let log = guest.text("server.log");
    eprintln!("{log}\n{}{}", guest.text("made.err"), guest.text("trial"));
    assert!(guest.share().join("finished").exists(), "{}\n{}", guest.text("console"), guest.text("log"));
    for step in ["trial: 0", "held: 0", "released: 0"] {
        assert!(log.contains(step), "{step}: {log}\n{}{}", guest.text("held"), guest.text("released"));
    }
    assert!(!log.contains("case broken"), "{log}");
    let lasted =
        log.lines().find_map(|line| line.strip_prefix("trial of 30 s: ")).and_then(|n| n.parse::<u32>().ok());
    assert!(lasted.is_some_and(|seconds| (10..=40).contains(&seconds)), "the clock's jumps counted: {log}");
    for file in ["forward", "back"] {
        assert!(guest.text(file).contains("on trial"), "{file}: {}", guest.text(file));
    }
    // A program of a control group lets nothing out, and is named: one that was there, and one that came.
    for (file, words) in [
        ("trial", "control group /sys/fs/cgroup/site"),
        ("status", "/sys/fs/cgroup/later (packets in) appeared"),
    ] {
        let told = guest.text(file).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(words), "{words} is not in what calma said: {told}");
    }
    let heard = guest.text("heard");
    let passes = [0, 1, 2, 3].map(|phase| passes(&guest.text(&format!("sent.{phase}")), &heard));
    let open = |phase: usize| -> BTreeSet<&str> {
        passes[phase].iter().filter(|(_, passes)| **passes).map(|(name, _)| name.as_str()).collect()
    };
    eprintln!(
        "before: {:?}\nin the trial: {:?}\nheld: {:?}\nafter: {:?}",
        open(0),
        open(1),
        open(2),
        open(3)
    );
    let lacking: Vec<&str> = HERE.into_iter().filter(|name| !open(0).contains(name)).collect();
    assert!(lacking.is_empty(), "do not pass even before: {lacking:?}\n{}", guest.text("not-made"));
    assert!(open(0).len() >= 39, "only {} ways pass before", open(0).len());
    // Without programs and AF_XDP nothing may pass, whatever calma says of it.
    assert!(open(1).is_empty() && open(2).is_empty(), "passes while it is isolated");
    let lost: Vec<_> = open(0).difference(&open(3)).copied().collect();
    assert!(lost.is_empty(), "does not pass any more: {lost:?}");
    assert_eq!(guest.text("before"), guest.text("after"));
}

/// What was sent in one phase, and whether it was heard outside.
fn passes(sent: &str, heard: &str) -> BTreeMap<String, bool> {
    let mut passes = BTreeMap::new();
    for line in sent.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["sent", name, marks] => {
                let marks: Vec<&str> = marks.split(',').collect();
                let arrived = heard.lines().any(|line| marks.iter().all(|mark| line.contains(mark)));
                passes.insert((*name).to_owned(), arrived);
            }
            ["skip", name, why] => eprintln!("skipped: {name}: {why}"),
            _ => panic!("{line}"),
        }
    }
    passes
}
