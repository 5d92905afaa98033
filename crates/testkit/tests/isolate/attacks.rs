//! An intruder with root inside, attack by attack: a witness outside counts every frame, and no time in which calma says that it is
//! closed may hold one.

use crate::bpf;
use crate::own::{bed, guard};
use calma_isolate::witness::{Class, Part};
use calma_testkit::bed::{Bed, quoted};
use calma_testkit::skip_without_root;
use serde_json::Value;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tries to get out the whole time: datagrams, frames past every queue, and datagrams inside for a program to take.
const FLOOD: &str = "import socket, time
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
frame = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
frame.setsockopt(263, 20, 1)
frame.bind(('eth0', 0))
bytes = b'\\xff' * 6 + frame.getsockname()[4] + b'\\x88\\xb5' + b'attack' * 10
while True:
    for send in (lambda: udp.sendto(b'x', ('10.77.0.3', 9)), lambda: frame.send(bytes), lambda: udp.sendto(b'x', ('127.0.0.1', 9))):
        try: send()
        except OSError: pass
    time.sleep(0.003)
";

/// Attacks that are scripts in the server.
const SCRIPTS: &[(&str, &str)] = &[
    ("flush", "nft flush ruleset"),
    ("delete", "nft delete table inet calma; nft delete table netdev calma"),
    (
        "delete-lasting",
        "nft delete table inet calma-held; nft delete table netdev calma-held; nft delete table arp calma-held",
    ),
    (
        "accept-in-lasting",
        "nft insert rule inet calma-held output accept; nft insert rule netdev calma-held egress-2 accept",
    ),
    (
        "lasting-asleep",
        "nft add table inet calma-held '{ flags dormant; }'; nft add table netdev calma-held '{ flags dormant; }'",
    ),
    (
        "own-table",
        "nft add table inet x; nft add chain inet x o '{ type filter hook output priority -500; policy accept; }'; \
      nft add rule inet x o accept",
    ),
    ("own-table-of-the-name", "nft add table ip calma; nft add table ip6 calma-held"),
    (
        "interface",
        "ip link add mvx link eth0 type macvlan; ip addr add 10.77.0.60/24 dev mvx; ip link set mvx up; \
      python3 -c \"import socket; s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('mvx',0)); \
      [s.send(b'\\xff'*6+s.getsockname()[4]+b'\\x88\\xb5'+b'x'*60) for _ in range(300)]\"; ip link del mvx",
    ),
    (
        "namespace",
        "ip netns add atk; ip link add mvy link eth0 netns atk type macvlan; ip -n atk addr add 10.77.0.61/24 dev mvy; \
      ip -n atk link set mvy up; nsenter --net=/run/netns/atk python3 -c \"import socket; \
      s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('mvy',0)); \
      [s.send(b'\\xff'*6+s.getsockname()[4]+b'\\x88\\xb5'+b'x'*60) for _ in range(300)]\"; ip netns del atk",
    ),
    (
        "rename-and-back",
        "ip link set eth0 down; ip link set eth0 name eth9; ip link set eth9 up; sleep 0.3; \
      ip link set eth9 down; ip link set eth9 name eth0; ip link set eth0 up",
    ),
];

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A process of the server, by its number here.
fn outside(bed: &Bed, inside: &str) -> i32 {
    let group = fs::read_link(format!("/proc/{}/ns/pid", bed.leader())).unwrap();
    let fits = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let same = fs::read_link(entry.path().join("ns/pid")).ok()? == group;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let last =
            status.lines().find(|line| line.starts_with("NSpid:"))?.split_whitespace().last()?.to_owned();
        (same && last == inside).then_some(pid)
    };
    fs::read_dir("/proc").unwrap().flatten().find_map(fits).unwrap()
}

/// Deletes the guard's own tables through its own sockets (pidfd_getfd(2)).
fn steal(pid: i32) -> usize {
    // SAFETY: these calls take numbers, and a buffer of this function.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        assert!(process >= 0);
        let mut sent = 0;
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let number: i32 = entry.file_name().to_str().unwrap().parse().unwrap();
            if !fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")) {
                continue;
            }
            let stolen = libc::syscall(libc::SYS_pidfd_getfd, process, number, 0) as i32;
            if stolen < 0 {
                continue;
            }
            let (mut domain, mut length) = (0_i32, 4_u32);
            libc::getsockopt(
                stolen,
                libc::SOL_SOCKET,
                libc::SO_PROTOCOL,
                (&raw mut domain).cast(),
                &raw mut length,
            );
            // Netlink of the packet filter.
            if domain == 12 {
                for name in ["calma", "calma-held"] {
                    for family in [1, 3, 5] {
                        let batch = deletion(family, name);
                        libc::send(stolen, batch.as_ptr().cast(), batch.len(), libc::MSG_DONTWAIT);
                        sent += 1;
                    }
                }
            }
            libc::close(stolen);
        }
        libc::close(process);
        sent
    }
}

/// A batch that deletes a table (nfnetlink: begin, the message, end).
fn deletion(family: u8, name: &str) -> Vec<u8> {
    let message = |kind: u16, flags: u16, body: &[u8]| {
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes
    };
    let mut attribute = (4 + name.len() as u16 + 1).to_ne_bytes().to_vec();
    attribute.extend([1, 0]);
    attribute.extend(name.as_bytes());
    attribute.push(0);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    let edge = [0, 0, 0, 10];
    [
        message(16, 1, &edge),
        message(10 << 8 | 2, 1, &[&[family, 0, 0, 0], attribute.as_slice()].concat()),
        message(17, 1, &edge),
    ]
    .concat()
}

/// Stops a process as a debugger does, for a while.
fn trace(pid: i32, meanwhile: impl FnOnce()) {
    // SAFETY: neither call takes an address that is used.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_ATTACH, pid, 0, 0), 0);
        libc::waitpid(pid, std::ptr::null_mut(), 0x4000_0000);
        meanwhile();
        libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0);
    }
}

/// What calma says that it was: each time that may have been open, by this machine's clock.
fn windows(bed: &Bed, offset: f64) -> Vec<(f64, f64, String)> {
    let status = bed.calma(&["isolate", "--status", "--json"]).text();
    let status: Value = serde_json::from_str(&status).unwrap();
    let incidents = status["state"]["incidents"].as_array().cloned().unwrap_or_default();
    incidents
        .iter()
        .map(|one| {
            let at = one["at"].as_f64().unwrap() / 1000.0 + offset;
            let open = one["open"].as_f64().map_or(-1.0, |open| open / 1000.0);
            (at - open, at, one["what"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn no_attack_gets_a_frame_out_while_calma_says_closed() {
    if skip_without_root("no_attack_gets_a_frame_out_while_calma_says_closed") {
        return;
    }
    let bed = bed();
    let key = "000102030405060708090a0b0c0d0e0f";
    assert!(bed.keeper(&["ip", "addr", "add", "10.77.0.3/24", "dev", "keeper0"]).ok());
    let beat = format!("10.77.0.1/{key}");
    let words = ["isolate", "--yes", "--now", "--trial", "120", "--witness", &beat, "--case", "/root/case"];
    assert!(bed.calma(&words).ok());
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok(), "{anew}");
    let offset: f64 = bed
        .run("python3 -c 'import time; print(time.time()-time.clock_gettime(7))'")
        .text()
        .trim()
        .parse()
        .unwrap();
    let pid = guard(&bed);
    let outer = outside(&bed, &pid);
    bed.live(&format!("exec python3 -c {}", quoted(FLOOD)));
    let case = bed.work().join("witness").display().to_string();
    let lines = bed.work().join("lines");
    let words = [
        "witness",
        "--interface",
        "keeper0",
        "--kept",
        "10.77.0.1:22",
        "--for",
        "600",
        "--json",
        "--key",
        key,
        "--case",
        &case,
    ];
    let mut witness =
        bed.calma_from_keeper_command(&words).stdout(fs::File::create(&lines).unwrap()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));

    // Each attack with the time it took, by this machine's clock.
    let mut attacks: Vec<(&str, f64, f64)> = Vec::new();
    let mut attack = |name: &'static str, work: &mut dyn FnMut()| {
        let from = now();
        work();
        std::thread::sleep(Duration::from_millis(300));
        attacks.push((name, from, now()));
        std::thread::sleep(Duration::from_millis(1_100));
    };
    for (name, script) in SCRIPTS {
        attack(name, &mut || drop(bed.run(script)));
    }
    attack("program", &mut || {
        let held = bpf::within(&bed, || bpf::redirect("lo", "eth0"));
        std::thread::sleep(Duration::from_millis(500));
        drop(held);
    });
    let frame = [b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x09\x88\xb5".as_slice(), &[7; 60]].concat();
    attack("af-xdp", &mut || drop(bpf::within(&bed, || bpf::af_xdp("eth0", &frame))));
    attack("pidfd-getfd", &mut || assert!(steal(outer) > 0));
    attack("ptrace", &mut || {
        trace(outer, || {
            let _ = bed.run("nft flush ruleset");
            std::thread::sleep(Duration::from_millis(800));
        })
    });
    attack("stop", &mut || {
        let _ = bed.run(&format!("kill -STOP {pid}; nft flush ruleset"));
        std::thread::sleep(Duration::from_millis(6_500));
        let _ = bed.run(&format!("kill -CONT {pid}"));
    });
    // Before the guard ends, while it can still be asked.
    std::thread::sleep(Duration::from_millis(500));
    let said = windows(&bed, offset);
    attack("kill", &mut || drop(bed.run(&format!("kill -9 {pid}"))));
    let stands = bed.calma(&["isolate", "--status"]).text();
    assert!(stands.contains("outlive their guard"), "{stands}");
    attack("kill-and-flush", &mut || drop(bed.run("nft flush ruleset")));
    let status = bed.calma(&["isolate", "--status"]).text();
    assert!(status.contains("Open: its guard is gone"), "{status}");
    // So long that a silence shows.
    std::thread::sleep(Duration::from_secs(6));
    let end_it = "kill -INT $(pgrep -f '^[^ ]*calma witness')";
    assert!(bed.keeper(&["bash", "-c", end_it]).ok());
    witness.wait().unwrap();

    let text = fs::read_to_string(&lines).unwrap();
    let seconds = |value: &Value| {
        let text = value.as_str().unwrap();
        let date = std::process::Command::new("date").args(["-d", text, "+%s.%N"]).output().unwrap();
        String::from_utf8(date.stdout).unwrap().trim().parse::<f64>().unwrap()
    };
    let mut intervals = Vec::new();
    let mut end = Value::Null;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] == "interval" {
            let leaks: u64 = line["counted"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| {
                    let mut words = one.as_str()?.split(' ');
                    let class = Class::from_name(words.next()?)?;
                    (class.part() == Part::Leak).then_some(words.next()?.parse::<u64>().ok()?)
                })
                .sum();
            intervals.push((seconds(&line["from"]), seconds(&line["to"]), leaks));
        } else if line["type"] == "end" {
            end = line;
        }
    }
    println!("{:>22} {:>8}  what calma says", "attack", "frames");
    for (name, from, to) in &attacks {
        let frames: u64 = intervals
            .iter()
            .filter(|(begin, end, _)| end > from && begin < to)
            .map(|(_, _, leaks)| leaks)
            .sum();
        let words: Vec<String> =
            said.iter()
                .filter(|(_, at, _)| at >= from && *at <= to + 0.3)
                .map(|(begin, at, what)| {
                    if at > begin {
                        format!("{what} ({:.0} ms)", (at - begin) * 1000.0)
                    } else {
                        what.clone()
                    }
                })
                .collect();
        println!("{name:>22} {frames:>8}  {}", words.join("; "));
    }
    println!("{end}");
    let by = |name: &str| *attacks.iter().find(|(own, ..)| *own == name).unwrap();
    let (_, af_xdp, af_xdp_end) = by("af-xdp");
    let (_, flushed, _) = by("kill-and-flush");
    for (begin, to, leaks) in intervals.iter().filter(|(.., leaks)| *leaks > 0) {
        // What calma called open at that time; AF_XDP, which it says it can not hold; and the time without a guard.
        let told = said.iter().any(|(from, at, _)| at > from && to + 0.05 > *from && *begin < at + 0.05);
        let past = *to > af_xdp && *begin < af_xdp_end;
        let without = *to > flushed;
        assert!(
            told || past || without,
            "{leaks} frames between {begin} and {to} while calma says closed: {said:?}"
        );
    }
    // Every attempt is on record, or the guard's silence is.
    for name in [
        "flush",
        "delete-lasting",
        "accept-in-lasting",
        "lasting-asleep",
        "own-table",
        "program",
        "pidfd-getfd",
        "interface",
    ] {
        let (_, from, to) = by(name);
        assert!(
            said.iter().any(|(_, at, _)| *at >= from && *at <= to + 0.3),
            "{name} is not on record: {said:?}"
        );
    }
    let silent = end["silent"].as_array().unwrap();
    assert!(
        silent.len() >= 2 && silent.last().unwrap()["to"].is_null(),
        "a stopped and a killed guard are missed: {end}"
    );
}
