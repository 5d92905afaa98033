//! Other ways to sit at a server than a plain session over IPv4: IPv6 alone, a shell that outlived its session, a console with and
//! without links.

use crate::bpf;
use crate::own::{bed, gets_out, guard, network, pings, reaches, wait_until};
use calma_testkit::bed::{Bed, Output};
use calma_testkit::skip_without_root;
use std::process::Command;
use std::time::Duration;

/// Runs a script in the server as at its console: no connection leads to it.
fn at_console(bed: &Bed, script: &str) -> Output {
    let leader = bed.leader().to_string();
    let words = [
        "-t",
        &leader,
        "-m",
        "-u",
        "-i",
        "-n",
        "-p",
        "-C",
        "env",
        "-i",
        "PATH=/usr/sbin:/usr/bin",
        "setsid",
        "sh",
        "-c",
        script,
    ];
    Output::of(Command::new("nsenter").args(words))
}

/// Addresses, routes and neighbours of every kind, and a program at a device.
fn furnish(bed: &Bed) -> std::os::fd::OwnedFd {
    let outside = "ip link add keeper1 type veth peer name eth1 netns srv; ip link set keeper1 up; \
                   ip -6 addr add 2001:db8:77::1/64 dev keeper0 nodad";
    assert!(bed.keeper(&["bash", "-ec", outside]).ok());
    let inside = bed.run(
        "set -e; ip link set eth1 up; ip addr add 192.0.2.2/24 dev eth1; ip -6 addr add 2001:db8:77::2/64 dev eth0 nodad
         ip route add 198.51.100.0/24 via 10.77.0.1; ip route add default via 192.0.2.1 table 77; ip rule add from 192.0.2.2 table 77
         ip -6 route add default via 2001:db8:77::1; ip neigh add 10.77.0.9 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
         nft add table inet own; nft add chain inet own in '{ type filter hook input priority 0; policy accept; }'
         nft add rule inet own in tcp dport 25 drop",
    );
    assert!(inside.ok(), "{inside}");
    let program = bpf::within(bed, || bpf::reflect("eth1")).unwrap();
    wait_until("addresses are checked", 20, || !bed.run("ip -6 addr").text().contains("tentative"));
    assert!(bed.calma(&["isolate", "--status"]).ok());
    program
}

/// The network with what was set by hand.
fn shown(bed: &Bed) -> String {
    format!("{}{}", network(bed), bed.run("ip neigh show nud permanent").text())
}

#[test]
fn over_ipv6_from_a_left_shell_and_at_a_console() {
    if skip_without_root("over_ipv6_from_a_left_shell_and_at_a_console") {
        return;
    }
    let bed = bed();
    let _program = furnish(&bed);
    let shown = || shown(&bed);
    let before = shown();
    let release = || {
        let done = at_console(&bed, "/root/calma release --yes --case /root/case");
        assert!(done.ok(), "{done}");
        wait_until("it is not open", 10, || reaches(&bed, 80) && gets_out(&bed) && pings(&bed));
        assert_eq!(shown(), before);
    };

    // Nobody confirms: all is as it was, the program too.
    let done = bed.calma(&["isolate", "--yes", "--now", "--trial", "5", "--case", "/root/case"]);
    assert!(done.ok() && !reaches(&bed, 80), "{done}");
    wait_until("the trial does not end", 10, || reaches(&bed, 80));
    assert_eq!(shown(), before);

    // A session over IPv6 alone is kept, and its neighbours are found again.
    let six = |script: &str| bed.keeper(&["ssh", "-o", "HostName=2001:db8:77::2", "srv", script]);
    let done = six("/root/calma isolate --yes --now --trial 60 --case /root/case");
    assert!(done.ok() && done.text().contains("2001:db8:77::1"), "{done}");
    assert!(!reaches(&bed, 22) && !reaches(&bed, 80), "IPv4 is open");
    assert!(bed.keeper(&["ip", "-6", "neigh", "flush", "dev", "keeper0"]).ok());
    let confirmed = six("ip -6 neigh flush dev eth0; exec /root/calma isolate --confirm --case /root/case");
    assert!(confirmed.ok(), "{confirmed}");
    let ping = bed.keeper(&["timeout", "2", "ping", "-c", "1", "-W", "1", "2001:db8:77::2"]);
    assert!(!ping.ok() && !reaches(&bed, 80), "something else is open");
    release();

    // A shell that was left behind, as in tmux: the session it was started from still stands, and no other could be meant.
    let _ = bed.keeper(&["ssh", "-O", "exit", "mux"]);
    assert!(bed.run("true").ok());
    bed.live("/root/calma isolate --yes --now --trial 60 --case /root/case >/root/left 2>&1");
    wait_until("it is not closed", 15, || !reaches(&bed, 80));
    assert!(bed.run("true").ok() && bed.keeper(&["ssh", "srv", "true"]).ok());
    wait_until("it does not end", 15, || bed.run("cat /root/left").text().contains("--confirm"));
    release();

    // At a console nobody could confirm: it must be said, and then it closes for good.
    let unsaid = at_console(&bed, "/root/calma isolate --yes --now --case /root/case");
    assert_eq!(unsaid.code, Some(4), "{unsaid}");
    assert!(reaches(&bed, 80));
    let held = bed.live("exec python3 -c 'import socket,time; s=socket.create_connection((\"10.77.0.1\",7778)); time.sleep(600)'");
    wait_until("a connection stands", 10, || bed.run("ss -Htn dst 10.77.0.1:7778").text().contains("ESTAB"));
    let done = at_console(&bed, "/root/calma isolate --yes --now --console --case /root/case");
    assert!(done.ok(), "{done}");
    let words = done.text().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("taken off eth1 (XDP)") && words.contains("ended; this can not be taken back"),
        "{done}"
    );
    let ended = at_console(&bed, "ss -Htn dst 10.77.0.1:7778");
    assert_eq!(ended.text(), "", "a connection lives on");
    assert!(!reaches(&bed, 80) && !reaches(&bed, 22) && !pings(&bed));
    let state = "sed 's/.*\"guard\":{\"pid\":\\([0-9]*\\).*/\\1/' /run/calma/isolation.json";
    let killed = at_console(&bed, &format!("kill -9 $({state}); kill {held}; true"));
    assert!(killed.ok(), "{killed}");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reaches(&bed, 80) && !reaches(&bed, 22) && !pings(&bed), "it opened with its guard");
    // What the guard took off only it could put back: that is said.
    let done = at_console(&bed, "/root/calma release --yes --case /root/case");
    assert!(done.ok() && done.text().contains("start anew"), "{done}");
    wait_until("it is not open", 10, || reaches(&bed, 80) && gets_out(&bed) && pings(&bed));
}

#[test]
fn links_go_down_and_come_back_as_they_were() {
    if skip_without_root("links_go_down_and_come_back_as_they_were") {
        return;
    }
    let bed = bed();
    let _program = furnish(&bed);
    let shown = || shown(&bed);
    let before = shown();
    let over_network = bed.calma(&["isolate", "--level", "2", "--yes", "--case", "/root/case"]);
    assert_eq!(over_network.code, Some(4), "{over_network}");
    for kill in [false, true] {
        let done = at_console(&bed, "/root/calma isolate --level 2 --yes --now --console --case /root/case");
        assert!(done.ok(), "{done}");
        let links = at_console(&bed, "ip -o link show up").text();
        assert!(!links.contains("eth"), "{links}");
        assert!(!reaches(&bed, 80) && !reaches(&bed, 22) && !pings(&bed));
        if kill {
            let pid = guard_at_console(&bed);
            assert!(at_console(&bed, &format!("kill -9 {pid}")).ok());
            std::thread::sleep(Duration::from_millis(300));
            let links = at_console(&bed, "ip -o link show up").text();
            assert!(
                !links.contains("eth") && !reaches(&bed, 22),
                "links came up with the guard's end: {links}"
            );
        }
        let done = at_console(&bed, "/root/calma release --yes --case /root/case");
        assert!(done.ok(), "{done}");
        wait_until("it is not open", 10, || reaches(&bed, 80) && gets_out(&bed) && pings(&bed));
        wait_until("the network differs", 10, || kill || shown() == before);
        assert!(kill || guard(&bed).is_empty());
    }
    // After a guard that was killed only its program at the device is another; addresses are checked anew.
    let differs = || -> Vec<String> {
        let after = shown();
        after.lines().filter(|line| !before.contains(*line)).map(str::to_owned).collect()
    };
    wait_until("the network differs", 10, || {
        differs().iter().all(|line| line.contains("name calma_neutral"))
    });
}

/// The guard's number, asked at the console.
fn guard_at_console(bed: &Bed) -> String {
    at_console(bed, "pgrep -f 'isolation-guard$'").text().trim().to_owned()
}
