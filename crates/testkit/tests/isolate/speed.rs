//! What isolation costs: a server with 20 interfaces, 50 namespaces and 5,000 sockets. Printed by `bench/isolate`.

use crate::own::{bed, guard, wait_until};
use calma_testkit::bed::Bed;
use calma_testkit::skip_outside_the_soak;
use serde_json::Value;

/// 2,500 connections inside, which are two sockets each, and 200 to the keeper.
const SOCKETS: &str = "import socket, time
l = socket.create_server(('127.0.0.1', 7900), backlog=4096)
keep = []
for n in range(2500):
    keep.append(socket.create_connection(('127.0.0.1', 7900)))
    keep.append(l.accept()[0])
for n in range(200):
    keep.append(socket.create_connection(('10.77.0.1', 7778)))
open('/run/ready', 'w').close()
time.sleep(3600)
";

/// Removes the lasting table, and waits until it is there again; microseconds.
const REACTION: &str = "n=$EPOCHREALTIME; nft delete table inet calma-held || exit 1; \
    until nft list table inet calma-held >/dev/null 2>&1; do :; done; m=$EPOCHREALTIME; echo $(( ${m/./} - ${n/./} ))";

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Processor time of the guard, in hundredths of a second (proc_pid_stat(5), fields 14 and 15).
fn ticks(bed: &Bed, pid: &str) -> u64 {
    let stat = bed.run(&format!("cat /proc/{pid}/stat")).text();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn busy(bed: &Bed, pid: &str) -> f64 {
    let before = ticks(bed, pid);
    std::thread::sleep(std::time::Duration::from_secs(20));
    (ticks(bed, pid) - before) as f64 / 20.0
}

fn row(bed: &Bed, what: &str) {
    let (mut enter, mut took, mut window, mut reaction, mut idle) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0.0);
    for round in 0..5 {
        let script =
            "cut -d' ' -f1 /proc/uptime; /root/calma isolate --yes --now --trial 300 --case /root/case";
        let done = bed.run(script);
        let text = done.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("closed within"), "{done}");
        let number = |before: &str| -> u64 {
            text.split(before).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
        };
        let began: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let status: Value =
            serde_json::from_str(bed.run("/root/calma isolate --status --json").text().trim()).unwrap();
        enter.push(status["state"]["closed"].as_u64().unwrap() - (began * 1000.0) as u64);
        took.push(number("closed within "));
        window.push(number(" ms ("));
        let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
        assert!(anew.ok(), "{anew}");
        for _ in 0..10 {
            reaction.push(
                bed.run(&format!("bash -c {}", calma_testkit::bed::quoted(REACTION)))
                    .text()
                    .trim()
                    .parse()
                    .unwrap(),
            );
        }
        if round == 0 {
            idle = busy(bed, &guard(bed));
        }
        assert!(bed.run("/root/calma release --yes --case /root/case").ok());
    }
    println!(
        "{what:<42} Enter to closed {:>4} ms (worst {:>4}); guard {:>4} ms; first to last {:>3} ms; table back after {:>3} ms; \
         guard idle {idle:.1} % of a core",
        median(enter.clone()),
        enter.iter().max().unwrap(),
        median(took),
        median(window),
        median(reaction) / 1000
    );
    // The best of five: what else runs on the machine is not the guard's.
    assert!(enter.iter().min() < Some(&1_000), "too slow");
    assert!(idle < 1.5, "the guard is too busy: {idle} %");
}

#[test]
fn a_large_server_is_closed_within_a_second() {
    if skip_outside_the_soak("a_large_server_is_closed_within_a_second") {
        return;
    }
    let bed = bed();
    assert!(bed.calma(&["isolate", "--status"]).ok());
    row(&bed, "1 interface");
    let script = "for n in $(seq 1 20); do ip link add k$n type veth peer name eth$n netns srv; ip link set k$n up; done
                  nsenter --net=/run/netns/srv sh -c 'for n in $(seq 1 20); do ip link set eth$n up; done'";
    assert!(bed.keeper(&["bash", "-ec", script]).ok());
    let made = bed.run(
        "for n in $(seq 1 50); do ip netns add n$n; ip link add mv0 link eth$((n % 20 + 1)) netns n$n type macvlan; \
         ip -n n$n link set mv0 up; ip -n n$n addr add 10.90.$n.2/24 dev mv0; done",
    );
    assert!(made.ok(), "{made}");
    bed.live(&format!("ulimit -n 20000; exec python3 -c {}", calma_testkit::bed::quoted(SOCKETS)));
    wait_until("the sockets are there", 60, || bed.run("test -e /run/ready").ok());
    row(&bed, "20 interfaces, 50 namespaces, 5,200 sockets");
}
