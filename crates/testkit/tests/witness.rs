//! Canaries and the witness on real interfaces: a suspect in a network namespace, the witness at the other end of its
//! wire, which is also its router and name server. Everything in namespaces of the test's own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that acts on namespaces of its own"
)]

use calma_case::{About, Case, PlaceKind};
use calma_host::wire::{Came, How, Shot, fire};
use calma_host::{Host, Live, Namespace};
use calma_isolate::canary::{Aim, CanaryKind, Offset, Outlook, Sent, Taken, Volley, canaries, round};
use calma_isolate::witness::proof::{Proof, Question, Weighed, weigh};
use calma_isolate::witness::{Class, Counts, Hears, Interval, Options, Witness, place};
use calma_recovery::{Attestation, Testimony, testimony};
use calma_testkit::binaries;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const INSIDE: &str = "CALMA_TEST_INSIDE";
const WAIT: Duration = Duration::from_millis(400);

fn namespace(kind: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy().into_owned()
}

/// Runs this test program's `name` again in its own pid, mount and network namespaces. True for the one inside.
fn inside(name: &str) -> bool {
    if let Ok(outer) = std::env::var(INSIDE) {
        let outer: Vec<&str> = outer.split(' ').collect();
        for (kind, outer) in ["net", "pid", "mnt"].into_iter().zip(outer) {
            assert_ne!(namespace(kind), outer, "not in a {kind} namespace of its own: nothing was done");
        }
        wire_up();
        return true;
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: needs root (CALMA_NO_ROOT is set)");
        return false;
    }
    let outer = ["net", "pid", "mnt"].map(namespace).join(" ");
    let status = Command::new("unshare")
        .args(["-n", "-p", "-f", "--mount-proc", "-m", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, outer)
        .status()
        .expect("unshare");
    assert!(status.success(), "{name} failed inside (root is needed)");
    false
}

fn sh(script: &str) {
    let status = Command::new("bash").args(["-euc", script]).status().unwrap();
    assert!(status.success(), "{script}");
}

/// The suspect in a namespace of its own at one end of a wire, this process at the other.
fn wire_up() {
    sh("mount -t tmpfs none /run; mount -t tmpfs none /tmp
        ip link set lo up
        ip netns add suspect
        ip link add w0 type veth peer name s0 netns suspect
        ip addr add 192.0.2.2/24 dev w0; ip addr add 2001:db8:1::2/64 dev w0 nodad; ip link set w0 up
        echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip netns exec suspect bash -euc 'ip link set lo up; ip addr add 192.0.2.1/24 dev s0
          ip addr add 2001:db8:1::1/64 dev s0 nodad; ip link set s0 up
          ip route add default via 192.0.2.2; ip route add default via 2001:db8:1::2 dev s0'
        echo nameserver 192.0.2.2 >/tmp/resolv.conf; mount --bind /tmp/resolv.conf /etc/resolv.conf");
}

fn suspect() -> Namespace {
    Namespace::At("/run/netns/suspect".into())
}

fn in_suspect(script: &str) {
    sh(&format!("ip netns exec suspect bash -euc '{script}'"));
}

/// Stops what the suspect's kernel says by itself, such as reports of the groups it hears, as isolation would.
fn hush() {
    in_suspect(
        "nft add table inet t; nft add chain inet t out \"{ type filter hook output priority -300; policy drop; }\"",
    );
}

fn options() -> Options {
    let hosts = ["192.0.2.1".to_owned(), "2001:db8:1::1".to_owned()];
    Options::at(place(&Live::new(), Some(&"w0".into()), &hosts).unwrap())
}

/// One round to the witness, and the counts of exactly its time.
fn one_round(witness: &Witness, aims: &[&str]) -> (Volley, Vec<Interval>) {
    let host = Live::new();
    let witnesses = aims.iter().map(|aim| aim.parse().unwrap()).collect();
    let outlook = Outlook::of(&host, suspect(), witnesses).unwrap();
    let canaries = canaries(&outlook).unwrap();
    witness.cut();
    witness.intervals();
    let volley = round(&host, &outlook, &canaries, WAIT).unwrap();
    witness.cut();
    (volley, witness.intervals())
}

fn counted(intervals: &[Interval]) -> Counts {
    let mut counts = Counts::default();
    intervals.iter().for_each(|one| counts.merge(&one.counts));
    counts
}

fn weighed(intervals: &[Interval], upkeep: bool) -> Weighed {
    let offset = Offset { ahead: 0, give_or_take: 0 };
    let (from, to) = (intervals[0].from, intervals.last().unwrap().to);
    weigh(intervals, &Question { from, to, offset, upkeep, alive: false })
}

const BOTH: [&str; 2] = ["192.0.2.2", "2001:db8:1::2"];

fn kinds(sent: &[&Sent]) -> BTreeSet<&'static str> {
    sent.iter().map(|sent| sent.kind.name()).collect()
}

/// The class in which a canary of each kind is counted.
fn expected(kind: CanaryKind) -> Class {
    use CanaryKind as K;
    match kind {
        K::Udp4 | K::Dns4 | K::Multicast4 | K::Broadcast4 | K::Fragments4 | K::FramePacket => Class::Udp4,
        K::Udp6 | K::Dns6 | K::Multicast6 => Class::Udp6,
        K::Tcp4 | K::Metadata4 => Class::Tcp4,
        K::Tcp6 | K::Metadata6 => Class::Tcp6,
        K::Icmp4 => Class::Icmp4,
        K::Icmp6 => Class::Icmp6,
        K::Sctp4 | K::Dccp4 | K::Gre4 | K::Raw4 => Class::Other4,
        K::Sctp6 | K::Raw6 => Class::Other6,
        // The first fragment says UDP, as the whole would have.
        K::Fragments6 => Class::Udp6,
        K::Frame | K::FrameBypass => Class::OtherProtocol,
        K::Beat => panic!("no canary"),
    }
}

#[test]
fn every_canary_arrives_while_nothing_is_closed_and_none_when_everything_is() {
    if !inside("every_canary_arrives_while_nothing_is_closed_and_none_when_everything_is") {
        return;
    }
    let host: Arc<dyn Host> = Arc::new(Live::new());
    // Neighbours get to know each other, as they would long before.
    let unheard = Witness::start(Arc::clone(&host), options()).unwrap();
    one_round(&unheard, &BOTH);
    unheard.stop();
    let options = options();
    assert_eq!(options.place.suspect.macs.len(), 1, "{:?}", options.place);
    let witness = Witness::start(host, options).unwrap();
    assert_eq!((witness.hears(), witness.notes()), (Hears::Everything, [].as_slice()));

    let (volley, intervals) = one_round(&witness, &BOTH);
    let counts = counted(&intervals);
    let mut seen = BTreeMap::new();
    for sent in &volley.sent {
        assert_eq!(sent.taken, Taken::Yes, "{sent:?}");
        assert!(counts.has(sent), "did not arrive: {sent:?}\n{counts:?}");
        if !sent.kind.is_stream() {
            let heard = counts.canaries.iter().find(|heard| heard.nonce == sent.nonce).unwrap();
            assert_eq!(heard.class, expected(sent.kind), "{sent:?}");
        }
        *seen.entry(sent.kind).or_insert(0) += 1;
    }
    let missing: Vec<_> =
        CanaryKind::all().filter(|kind| *kind != CanaryKind::Beat && !seen.contains_key(kind)).collect();
    assert!(missing.is_empty(), "no canary of {missing:?}");
    assert!(counts.fragments >= 4 && counts.multicast >= 4, "{counts:?}");
    // What this host alone can tell of an open way: the witness answered, and the device moved.
    let answered: Vec<&Sent> = volley.sent.iter().filter(|sent| sent.came.is_some()).collect();
    assert!(kinds(&answered).is_superset(&["udp4", "udp6", "tcp4", "tcp6", "icmp4", "icmp6"].into()));
    assert!(volley.moved.unwrap() >= volley.sent.len() as u64);
    let offset = volley.offset().expect("the witness told its clock");
    assert!(offset.give_or_take < 200_000_000 && offset.ahead.abs() <= offset.give_or_take, "{offset:?}");
    assert_eq!(weighed(&intervals, true).proof, Proof::Heard);

    // The usual firewall: packet sockets pass it, and the verdict knows which ways are open.
    in_suspect(
        "nft add table inet t; nft add chain inet t out \"{ type filter hook output priority -300; policy drop; }\"",
    );
    let (volley, intervals) = one_round(&witness, &BOTH);
    let counts = counted(&intervals);
    let arrived: Vec<&Sent> = volley.sent.iter().filter(|sent| counts.has(sent)).collect();
    assert_eq!(kinds(&arrived), ["frame", "frame-bypass", "frame-packet"].into());
    assert_eq!(weighed(&intervals, true).proof, Proof::Heard);
    let udp = volley.sent.iter().find(|sent| sent.kind == CanaryKind::Udp4).unwrap();
    assert_eq!((udp.taken, udp.moved), (Taken::RefusedHere(libc::EPERM), Some(0)));

    // With the device's own way out closed too, nothing arrives, not even a question for a neighbour.
    in_suspect(
        "nft add table netdev n; nft add chain netdev n out \"{ type filter hook egress device s0 priority -500; policy drop; }\"",
    );
    std::thread::sleep(Duration::from_millis(200));
    let (volley, intervals) = one_round(&witness, &BOTH);
    let counts = counted(&intervals);
    assert!(volley.sent.iter().all(|sent| !counts.has(sent)), "{counts:?}");
    assert_eq!((counts.total(), volley.moved), (0, Some(0)), "{counts:?}");
    let weighed_now = weighed(&intervals, false);
    assert_eq!(weighed_now.proof, Proof::Silent, "{weighed_now:?}");
    let frame = volley.sent.iter().find(|sent| sent.kind == CanaryKind::Frame).unwrap();
    assert_eq!(frame.taken, Taken::RefusedHere(libc::ENOBUFS));

    // The wire pulled: nothing can leave, and the witness does not take its own deafness for silence.
    in_suspect("ip link set s0 down");
    let (volley, intervals) = one_round(&witness, &BOTH);
    assert!(
        volley.sent.iter().all(|sent| matches!(sent.taken, Taken::NoWay(_) | Taken::RefusedHere(_))),
        "{volley:?}"
    );
    let weighed_now = weighed(&intervals, false);
    assert_eq!(weighed_now.proof, Proof::NotProven, "{weighed_now:?}");
    assert!(weighed_now.why[0].contains("unplugged"), "{weighed_now:?}");

    in_suspect(
        "ip link set s0 up; nft flush ruleset; ip addr replace 2001:db8:1::1/64 dev s0 nodad
                ip route replace default via 192.0.2.2; ip route replace default via 2001:db8:1::2 dev s0",
    );
    one_round(&witness, &BOTH);
    let (volley, intervals) = one_round(&witness, &BOTH);
    let counts = counted(&intervals);
    let lost: Vec<&Sent> = volley.sent.iter().filter(|sent| !counts.has(sent)).collect();
    assert!(lost.is_empty(), "does not arrive any more: {lost:?}");
    witness.stop();
}

#[test]
fn without_a_witness_the_next_hop_answers_and_nothing_goes_further() {
    if !inside("without_a_witness_the_next_hop_answers_and_nothing_goes_further") {
        return;
    }
    // The next hop has a way on, and counts what it passes on of this.
    // It also answers every time: by default it holds back after six errors to one host.
    sh("echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
        ip link add o0 type veth peer name o1; ip link set o0 up; ip link set o1 up
        ip addr add 198.51.100.1/24 dev o0; ip route add default via 198.51.100.2
        ip addr add 2001:db8:2::1/64 dev o0 nodad; ip route add default via 2001:db8:2::2 dev o0
        nft add table inet on; nft add chain inet on on '{ type filter hook forward priority 0; }'
        nft add rule inet on on ip daddr 203.0.113.1 counter; nft add rule inet on on ip6 daddr 2001:db8::1 counter");
    let host: Arc<dyn Host> = Arc::new(Live::new());
    let witness = Witness::start(host, options()).unwrap();
    one_round(&witness, &[]);
    let (volley, intervals) = one_round(&witness, &[]);
    let passed = Command::new("nft").args(["list", "table", "inet", "on"]).output().unwrap();
    let passed = String::from_utf8(passed.stdout).unwrap();
    assert_eq!(passed.matches("counter packets 0 ").count(), 2, "{passed}");
    let counts = counted(&intervals);
    let by: std::net::IpAddr = "192.0.2.2".parse().unwrap();
    for sent in volley.sent.iter().filter(|sent| sent.aim == Aim::Nowhere && sent.kind == CanaryKind::Udp4) {
        // Time exceeded, from the next hop: it left this host and went no further.
        assert_eq!(sent.came, Some(Came::Error { by: Some(by), kind: 11, code: 0 }), "{sent:?}");
    }
    for kind in ["udp4", "udp6", "tcp4", "tcp6", "icmp4", "icmp6"] {
        for aim in [Aim::Gateway, Aim::Nowhere] {
            let of = |sent: &&Sent| sent.kind.name() == kind && sent.aim == aim;
            let sent = volley.sent.iter().find(of).unwrap_or_else(|| panic!("no {kind} to {aim:?}"));
            assert!(counts.has(sent), "{sent:?}");
            assert!(sent.came.is_some(), "no answer: {sent:?}");
        }
    }
    in_suspect(
        "nft add table inet t; nft add chain inet t out \"{ type filter hook output priority -300; policy drop; }\"",
    );
    let (volley, _) = one_round(&witness, &[]);
    assert!(volley.sent.iter().all(|sent| sent.came.is_none()), "{volley:?}");
    // A reset the host's own rules make is no answer from outside: nothing moved.
    in_suspect(
        "nft flush ruleset; nft add table inet t
                nft add chain inet t out \"{ type filter hook output priority 0; }\"
                nft add rule inet t out meta l4proto tcp reject with tcp reset",
    );
    let (volley, _) = one_round(&witness, &[]);
    for sent in volley.sent.iter().filter(|sent| sent.kind == CanaryKind::Tcp4) {
        assert_ne!(sent.came, Some(Came::Connected));
        assert_eq!(sent.moved, Some(0), "{sent:?}");
    }
    witness.stop();
}

#[test]
fn the_session_is_kept_apart_and_a_false_source_counts() {
    if !inside("the_session_is_kept_apart_and_a_false_source_counts") {
        return;
    }
    let host: Arc<dyn Host> = Arc::new(Live::new());
    let unheard = Witness::start(Arc::clone(&host), options()).unwrap();
    one_round(&unheard, &BOTH);
    unheard.stop();
    let options = Options { kept: vec!["192.0.2.2:2222".parse().unwrap()], ..options() };
    let mac = options.place.suspect.macs[0];
    let witness = Witness::start(host, options).unwrap();
    // A session to the suspect's port 2222, while packets with a false source leave it.
    hush();
    in_suspect("nft add rule inet t out tcp sport 2222 accept");
    let serve = "import socket; s=socket.create_server((\"\",2222)); c=s.accept()[0]; c.sendall(b\"hello\"); c.recv(9)";
    let mut server = Command::new("ip")
        .args(["netns", "exec", "suspect", "python3", "-c", serve])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    witness.cut();
    witness.intervals();
    let mut connect = (0..50).filter_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        std::net::TcpStream::connect("192.0.2.1:2222").ok()
    });
    let mut session = connect.next().expect("the suspect listens");
    std::io::Read::read_exact(&mut session, &mut [0; 5]).unwrap();
    std::io::Write::write_all(&mut session, b"bye").unwrap();
    server.wait().unwrap();
    witness.cut();
    let intervals = witness.intervals();
    let counts = counted(&intervals);
    assert!(counts.frames(Class::Kept) >= 3, "{counts:?}");
    assert_eq!(weighed(&intervals, true).proof, Proof::Silent, "{counts:?}");

    // From a hardware address and a source that are both another's, and then each alone.
    let frame = |source: [u8; 6], address: [u8; 4]| {
        let mut bytes = [[0xff; 6], source].concat();
        bytes.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
        bytes.extend(address);
        bytes.extend([203, 0, 113, 9, 0, 53, 0, 53, 0, 8, 0, 0]);
        bytes.resize(60, 0);
        let how = How::Frame { interface: link_of_suspect(), bypass: true };
        Shot { how, bytes, hops: None, from: None, device: None }
    };
    let other = [2, 0, 0, 0, 0, 0x77];
    for (shot, expected) in [
        (frame(other, [198, 51, 100, 7]), 0),
        (frame(mac, [198, 51, 100, 7]), 1),
        (frame(other, [192, 0, 2, 1]), 1),
    ] {
        let fired = fire(&suspect(), &[shot], Duration::ZERO, &mut |_| ()).unwrap();
        assert_eq!(fired[0].error, None);
        witness.cut();
        assert_eq!(counted(&witness.intervals()).frames(Class::Udp4), expected);
    }
    witness.stop();
}

/// Number of the suspect's interface in its namespace.
fn link_of_suspect() -> u32 {
    let outlook = Outlook::of(&Live::new(), suspect(), Vec::new()).unwrap();
    outlook.outward.iter().find(|interface| interface.name == "s0").unwrap().index
}

#[test]
fn what_was_lost_before_it_was_counted_proves_nothing() {
    if !inside("what_was_lost_before_it_was_counted_proves_nothing") {
        return;
    }
    let host: Arc<dyn Host> = Arc::new(Live::new());
    in_suspect("ping -c 1 -W 2 192.0.2.2 >/dev/null");
    hush();
    // Honest questions for a neighbour, far more of them at once than the smallest queue holds.
    let flood = |pause: &str| {
        sh(&format!(
            "ip netns exec suspect python3 -c '
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((\"s0\", 0))
mac = s.getsockname()[4]
ask = bytes([0, 1, 8, 0, 6, 4, 0, 1]) + mac + bytes([192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2])
frame = (b\"\\xff\" * 6 + mac + bytes([8, 6]) + ask).ljust(60, b\"\\0\")
for number in range(5000):
    s.send(frame)
    if number % 100 == 0: time.sleep({pause})
'"
        ));
    };
    for (buffer, pause) in [(16 << 20, "0.01"), (16 << 20, "0"), (1, "0")] {
        let witness = Witness::start(Arc::clone(&host), Options { buffer, ..options() }).unwrap();
        witness.cut();
        witness.intervals();
        flood(pause);
        witness.cut();
        let intervals = witness.intervals();
        let (counts, answer) = (counted(&intervals), weighed(&intervals, true));
        let lost: u64 = intervals.iter().map(|one| one.lost).sum();
        println!("buffer {buffer}, pause {pause}: {} counted, {lost} lost", counts.total());
        // Each frame is counted, or known to be lost, be it before the witness's queue.
        assert!(counts.frames(Class::Arp) + lost >= 5_000);
        assert_eq!(answer.proof, if lost == 0 { Proof::Silent } else { Proof::NotProven }, "{answer:?}");
        assert_eq!(lost == 0, answer.why.is_empty());
        assert!(buffer == 1 || pause == "0" || lost == 0, "a link at ease loses nothing");
        assert!(buffer > 1 || lost > 0, "the smallest queue loses something");
        witness.stop();
    }
}

fn ask_all(testimony: &Testimony, intervals: &[Interval]) -> Weighed {
    let offset = Offset { ahead: 0, give_or_take: 0 };
    let (from, to) = (intervals[0].from, intervals.last().unwrap().to);
    testimony.weigh(&Question { from, to, offset, upkeep: true, alive: false })
}

#[test]
fn a_log_that_was_changed_cut_or_taken_away_proves_nothing() {
    if !inside("a_log_that_was_changed_cut_or_taken_away_proves_nothing") {
        return;
    }
    // So that its hardware address is known.
    in_suspect("ping -c 1 -W 2 192.0.2.2 >/dev/null");
    hush();
    let folder = Path::new("/tmp/case");
    let case = Case::create(folder, &About::new("test", "suspect", PlaceKind::Named)).unwrap();
    let mut attestation = Attestation::begin(&case, Arc::new(Live::new()), options()).unwrap();
    let mut intervals = Vec::new();
    for _ in 0..4 {
        attestation.witness().cut();
        intervals.extend(attestation.write().unwrap());
    }
    // Not sealed yet: it may still lose its end.
    let unsealed = testimony(&case).unwrap();
    assert_eq!((unsealed.intervals.len(), unsealed.doubts.len()), (4, 1));
    assert_eq!(ask_all(&unsealed, &intervals).proof, Proof::NotProven);
    let (_, rest, seal) = attestation.end().unwrap();
    intervals.extend(rest);
    assert_eq!(seal.stream.0, "witness-1");
    let sealed = testimony(&case).unwrap();
    assert!(sealed.doubts.is_empty());
    assert_eq!(sealed.intervals, intervals);
    assert_eq!(ask_all(&sealed, &intervals).proof, Proof::Silent);

    let changed = Path::new("/tmp/changed");
    let fresh = || sh("rm -rf /tmp/changed; cp -a /tmp/case /tmp/changed");
    let stream = changed.join("streams/witness-1.calma");
    let whole = std::fs::read(folder.join("streams/witness-1.calma")).unwrap();
    for at in (0..whole.len()).step_by(37) {
        fresh();
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&stream, bytes).unwrap();
        let told = testimony(&Case::open(changed).unwrap()).unwrap();
        assert!(!told.doubts.is_empty(), "byte {at}");
        assert_ne!(ask_all(&told, &intervals).proof, Proof::Silent, "byte {at}");
    }
    for length in [0, whole.len() / 2, whole.len() - 1, whole.len() - 300] {
        fresh();
        std::fs::write(&stream, &whole[..length]).unwrap();
        let told = testimony(&Case::open(changed).unwrap()).unwrap();
        assert_ne!(ask_all(&told, &intervals).proof, Proof::Silent, "cut to {length}");
    }
    fresh();
    std::fs::remove_file(&stream).unwrap();
    let told = testimony(&Case::open(changed).unwrap()).unwrap();
    assert_eq!(ask_all(&told, &intervals).proof, Proof::NotProven);
    assert!(told.doubts[0].contains("no log"));
}

#[test]
fn the_command_hears_seals_and_says_when_it_is_blind() {
    if !inside("the_command_hears_seals_and_says_when_it_is_blind") {
        return;
    }
    let calma = binaries::calma();
    sh(&format!("cp {} /run/calma; chmod 755 /run/calma; chmod 1777 /tmp", calma.display()));
    let common = ["witness", "--interface", "w0", "--host", "192.0.2.1", "--for", "3", "--json", "--case"];
    let run = |before: &[&str], case: &str| {
        let mut words: Vec<&str> = before.to_vec();
        words.push("/run/calma");
        words.extend(common);
        words.push(case);
        let child = Command::new(words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        in_suspect("ping -c 1 -W 1 192.0.2.2 >/dev/null; echo x >/dev/udp/192.0.2.2/20919");
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), lines)
    };
    in_suspect("ping -c 1 -W 1 192.0.2.2 >/dev/null");
    let (code, lines) = run(&[], "/tmp/heard");
    let (first, last) = (&lines[0], lines.last().unwrap());
    assert_eq!((code, &last["proof"]), (1, &"heard".into()), "{lines:?}");
    assert_eq!(first["hears"], "everything");
    assert_eq!((&last["by"]["icmp4"], &last["by"]["udp4"]), (&1.into(), &1.into()), "{last}");
    assert!(lines.iter().any(|line| line["type"] == "interval"));
    sh("/run/calma case verify --case /tmp/heard | grep -q sealed");

    // Nothing but the port: silence is not proven, and it says why.
    let (code, lines) = run(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], "/tmp/blind");
    let (first, last) = (&lines[0], lines.last().unwrap());
    assert_eq!(first["hears"], "port", "{lines:?}");
    assert!(first["notes"].to_string().contains("blind for everything else"), "{first}");
    assert_eq!((code, &last["proof"]), (1, &"heard".into()), "{lines:?}");
    assert_eq!(last["by"]["icmp4"], serde_json::Value::Null);
    assert_eq!(last["by"]["udp4"], 1);
}
