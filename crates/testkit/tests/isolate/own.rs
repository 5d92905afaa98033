//! What these tests share: a server with listeners outside of it, and who reaches whom.

use calma_testkit::bed::{Bed, Release};
use std::time::{Duration, Instant};

/// Whether the keeper reaches this port of the server.
pub(crate) fn reaches(bed: &Bed, port: u16) -> bool {
    let script = format!("echo >/dev/tcp/10.77.0.2/{port}");
    bed.keeper(&["timeout", "1", "bash", "-c", &script]).ok()
}

/// Whether the server reaches a listener of the keeper.
pub(crate) fn gets_out(bed: &Bed) -> bool {
    bed.run("timeout 1 bash -c 'echo >/dev/tcp/10.77.0.1/7777'").ok()
}

/// Whether an echo of this family comes back to the server, and a datagram is taken.
pub(crate) fn pings(bed: &Bed) -> bool {
    bed.keeper(&["timeout", "2", "ping", "-c", "1", "-W", "1", "10.77.0.2"]).ok()
}

/// The packet filter, links, addresses, routes and rules; handles, counters, lifetimes and timers apart.
pub(crate) fn network(bed: &Bed) -> String {
    bed.run(
        "nft list ruleset; ip -d -o link | sed -E 's/(timer) +[0-9.]+/\\1/g'; ip -o addr; ip route show table all; \
         ip -6 route show table all; ip rule; ip -6 rule",
    )
    .text()
}

pub(crate) fn guard(bed: &Bed) -> String {
    bed.run("cat /run/calma/isolation.json 2>/dev/null | sed 's/.*\"guard\":{\"pid\":\\([0-9]*\\).*/\\1/'")
        .text()
        .trim()
        .to_owned()
}

pub(crate) fn wait_until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A server with a listener outside of it.
pub(crate) fn bed() -> Bed {
    let bed = Bed::booted(Release::Bookworm);
    let mut listener = bed.keeper_command(&["python3", "-c",
        "import socket,threading\n\ndef serve(port,keep):\n s=socket.create_server(('10.77.0.1',port))\n while 1:\n  c=s.accept()[0]\n  keep.append(c) if keep is not None else c.close()\nthreading.Thread(target=serve,args=(7778,[])).start()\nserve(7777,None)"]);
    drop(listener.spawn().unwrap());
    wait_until("the keeper listens", 20, || gets_out(&bed));
    // Packets pass a moment before the kernel says that the link is up and gives it its own address.
    wait_until("the link is up and its address of IPv6 checked", 20, || {
        let own = bed.run("ip -6 addr show dev eth0").text();
        own.contains("fe80:")
            && !own.contains("tentative")
            && bed.run("ip link show eth0").text().contains("state UP")
    });
    assert!(reaches(&bed, 80) && pings(&bed), "nginx and the kernel answer");
    bed
}
