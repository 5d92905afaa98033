//! Every way out of a server: it passes before, it does not while it is isolated (or calma itself calls it open), and it passes
//! again afterwards. What this kernel can not do is named.

use crate::bpf;
use crate::own::{bed, network, reaches, wait_until};
use calma_testkit::bed::Bed;
use calma_testkit::skip_without_root;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Writes down every frame that comes to the keeper, as hexadecimal digits, a line each.
pub(crate) const EAR: &str = "import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
out = open('heard', 'w', 1)
while True:
    frame, origin = s.recvfrom(65535)
    if origin[2] != 4: out.write(frame.hex() + '\\n')
";

/// Sends, again and again, what the file says, over a connection that was there before.
const SESSION: &str = "import socket, time
s = socket.create_connection(('10.77.0.1', 7778))
while True:
    try: s.send(b'calma-path/session/' + open('/run/phase','rb').read() + b';')
    except OSError: break
    time.sleep(0.2)
";

/// Namespaces and devices of a server with containers, each made by one script, with the namespace that sends and where to.
pub(crate) const WORLDS: &[(&str, &str, &str, &str)] = &[
    (
        "macvlan",
        "ip link add mv0 link eth0 netns mv type macvlan; ip -n mv addr add 10.77.0.50/24 dev mv0; ip -n mv link set mv0 up",
        "mv",
        "10.77.0.3",
    ),
    (
        "ipvlan",
        "ip link add iv0 link eth2 netns iv type ipvlan mode l2 && ip -n iv addr add 10.79.0.51/24 dev iv0 && ip -n iv link set iv0 up && \
      ip -n iv neigh add 10.79.0.1 lladdr 02:00:00:00:00:77 dev iv0",
        "iv",
        "10.79.0.1",
    ),
    (
        "routed-container",
        "ip link add v0 type veth peer name v1 netns ct; ip addr add 10.88.0.1/24 dev v0; ip link set v0 up; \
      ip -n ct addr add 10.88.0.2/24 dev v1; ip -n ct link set v1 up; ip -n ct route add default via 10.88.0.1",
        "ct",
        "10.77.0.3",
    ),
    (
        "bridged-container",
        "ip link add br0 type bridge; ip link set eth1 master br0; ip link set br0 up; \
      ip link add b0 type veth peer name b1 netns bc; ip link set b0 master br0 up; ip -n bc addr add 10.78.0.2/24 dev b1; \
      ip -n bc link set b1 up",
        "bc",
        "10.78.0.1",
    ),
    (
        "vxlan",
        "ip link add vx0 type vxlan id 5 remote 10.77.0.3 dstport 4789 dev eth0; ip link set vx0 netns vx; \
      ip -n vx addr add 10.99.0.2/24 dev vx0; ip -n vx link set vx0 up; ip -n vx neigh add 10.99.0.1 lladdr 02:00:00:00:00:77 dev vx0",
        "vx",
        "10.99.0.1",
    ),
    (
        "vlan",
        "ip link add link eth0 name vl0 netns vl type vlan id 5; ip -n vl addr add 10.55.0.2/24 dev vl0; ip -n vl link set vl0 up; \
      ip -n vl neigh add 10.55.0.1 lladdr 02:00:00:00:00:77 dev vl0",
        "vl",
        "10.55.0.1",
    ),
    (
        "gre-tunnel",
        "ip link add gr1 type gre local 10.77.0.2 remote 10.77.0.3 && ip link set gr1 netns gr && ip -n gr link set gr1 up && \
      ip -n gr addr add 10.56.0.2/24 dev gr1",
        "gr",
        "10.56.0.1",
    ),
    // Made here and moved, so that its datagrams leave from here.
    (
        "wireguard",
        "ip link add wg0 type wireguard && ip link set wg0 netns wg && ip -n wg link set wg0 up && \
      ip -n wg addr add 10.57.0.2/24 dev wg0",
        "wg",
        "10.57.0.1",
    ),
];

/// Ways that leave by a program or socket which no packet filter sees, with what calma says of them.
const PAST: [&str; 3] = ["tcx-redirect", "xdp-tx", "af-xdp"];

struct Table<'a> {
    bed: &'a Bed,
    keeper6: String,
    worlds: Vec<(&'a str, &'a str, &'a str)>,
    skipped: BTreeMap<String, String>,
}

impl Table<'_> {
    fn heard(&self) -> String {
        fs::read_to_string(self.bed.work().join("heard")).unwrap_or_default()
    }

    /// Sends one packet by every way, and says which arrived.
    fn passes(&mut self, phase: u32) -> BTreeMap<String, bool> {
        let bed = self.bed;
        bed.put("/run/phase", phase.to_string().as_bytes(), 0o644);
        let mut script = format!("python3 /root/paths.py {phase} {}", self.keeper6);
        for (name, namespace, to) in &self.worlds {
            script += &format!(
                "; nsenter --net=/run/netns/{namespace} python3 /root/paths.py {phase} - only {name} {to}"
            );
        }
        let sent = bed.run(&script);
        let token = |name: &str| format!("calma-path/{name}/{phase};");
        let frame = |name: &str| {
            [b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x09\x88\xb5".as_slice(), token(name).as_bytes(), &[0; 40]]
                .concat()
        };
        let _ = bed.run(&format!(
            "python3 -c \"import socket; socket.socket(socket.AF_INET,socket.SOCK_DGRAM).sendto(b'{}',('127.0.0.1',9))\"",
            token("tcx-redirect")
        ));
        let _ = bed.keeper(&["python3", "-c", &format!(
            "import socket; s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind(('keeper2',0)); s.send(bytes.fromhex('{}'))",
            hex(&frame("xdp-tx"))
        )]);
        let xdp = bpf::within(bed, || bpf::af_xdp("eth0", &frame("af-xdp")));
        let mut lines: Vec<(String, Vec<String>)> =
            PAST.iter().map(|name| ((*name).to_owned(), vec![hex(token(name).as_bytes())])).collect();
        if let Err(error) = xdp
            && phase == 0
        {
            self.skipped.insert("af-xdp".to_owned(), error.to_string());
        }
        lines.push(("session".to_owned(), vec![hex(token("session").as_bytes())]));
        for line in sent.text().lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["sent", name, marks] => {
                    lines.push(((*name).to_owned(), marks.split(',').map(str::to_owned).collect()));
                }
                ["skip", name, reason] => drop(self.skipped.insert((*name).to_owned(), (*reason).to_owned())),
                _ => panic!("{line}: {sent}"),
            }
        }
        std::thread::sleep(Duration::from_millis(700));
        let heard = self.heard();
        let arrived = |marks: &[String]| {
            heard.lines().any(|line| marks.iter().all(|mark| line.contains(mark.as_str())))
        };
        let mut passes: BTreeMap<String, bool> = lines
            .into_iter()
            .map(|(name, marks)| {
                let it = arrived(&marks);
                (name, it)
            })
            .collect();
        passes.insert("listener".to_owned(), reaches(bed, 80));
        passes.retain(|name, _| !self.skipped.contains_key(name));
        passes
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(passes: &BTreeMap<String, bool>) -> Vec<&str> {
    passes.iter().filter(|(_, passes)| **passes).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_way_out_is_closed_or_called_open_and_comes_back() {
    if skip_without_root("every_way_out_is_closed_or_called_open_and_comes_back") {
        return;
    }
    let bed = bed();
    let keeper = |script: &str| {
        let done = bed.keeper(&["bash", "-ec", script]);
        assert!(done.ok(), "{script}: {done}");
        done.text().trim().to_owned()
    };
    // Another address of the keeper's, a second and a third wire, and forwarding, which the server itself may not set.
    keeper(
        "ip addr add 10.77.0.3/24 dev keeper0; mount -t sysfs none /sys 2>/dev/null || true
         for n in 1 2; do ip link add keeper$n type veth peer name eth$n netns srv; ip link set keeper$n up; done
         ip addr add 10.78.0.1/24 dev keeper1
         nsenter --net=/run/netns/srv sh -c 'ip link set eth1 up; ip link set eth2 up; echo 1 >/proc/sys/net/ipv4/ip_forward'",
    );
    let keeper6 = keeper("ip -6 -o addr show dev keeper0 scope link | sed 's/.*inet6 \\([^/]*\\).*/\\1/'");
    bed.put("/root/paths.py", include_bytes!("paths.py"), 0o755);
    let mut table = Table { bed: &bed, keeper6, worlds: Vec::new(), skipped: BTreeMap::new() };
    for (name, script, namespace, to) in WORLDS {
        let made = bed.run(&format!("ip netns add {namespace} && {script}"));
        if made.ok() {
            table.worlds.push((name, namespace, to));
        } else {
            table.skipped.insert((*name).to_owned(), String::from_utf8_lossy(&made.err).trim().to_owned());
        }
    }
    let mut programs = Vec::new();
    for (name, made) in
        bpf::within(&bed, || [(PAST[0], bpf::redirect("lo", "eth0")), (PAST[1], bpf::reflect("eth2"))])
    {
        match made {
            Ok(link) => programs.push(link),
            Err(error) => drop(table.skipped.insert(name.to_owned(), error.to_string())),
        }
    }
    bed.put("/run/phase", b"0", 0o644);
    let mut ear = bed.keeper_command(&["python3", "-c", EAR]).spawn().unwrap();
    let session = bed.live(&format!("exec python3 -c {}", calma_testkit::bed::quoted(SESSION)));
    wait_until("addresses are checked", 20, || !bed.run("ip -6 addr").text().contains("tentative"));
    wait_until("the ear hears the session", 20, || table.heard().contains(&hex(b"calma-path/session/0")));
    std::thread::sleep(Duration::from_millis(500));

    let before = network(&bed);
    let passed = table.passes(0);
    for (name, why) in &table.skipped {
        eprintln!("skipped: {name}: {why}");
    }
    eprintln!("before: {} ways, {:?}", passed.len(), open(&passed));
    let closed: Vec<&String> = passed.iter().filter(|(_, passes)| !**passes).map(|(name, _)| name).collect();
    assert!(closed.is_empty(), "does not pass even before: {closed:?}");
    assert!(passed.len() >= 30, "{passed:?}");

    let done = bed.calma(&["isolate", "--yes", "--now", "--trial", "300", "--case", "/root/case"]);
    assert!(done.ok(), "{done}");
    std::thread::sleep(Duration::from_millis(500));
    let trial = table.passes(1);
    eprintln!("in the trial: {:?}\n{done}", open(&trial));
    // What still passes is what calma says of itself: programs until the confirmation, and AF_XDP in any case.
    let words: String = done.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let called = |name: &str| match name {
        "tcx-redirect" => words.contains("stays on lo (tcx, in) until you confirm"),
        "xdp-tx" => words.contains("stays on eth2 (XDP) until you confirm"),
        "af-xdp" => words.contains("AF_XDP"),
        _ => false,
    };
    let uncalled: Vec<&str> = open(&trial).into_iter().filter(|name| !called(name)).collect();
    assert!(uncalled.is_empty(), "passes in the trial, and calma does not say so: {uncalled:?}");

    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok(), "{anew}");
    let held = table.passes(2);
    eprintln!("held: {:?}\n{anew}", open(&held));
    let uncalled: Vec<&str> =
        open(&held).into_iter().filter(|name| *name != "af-xdp" || !called(name)).collect();
    assert!(uncalled.is_empty(), "passes, and calma does not say so: {uncalled:?}");
    // Questions for neighbours are asked for some seconds.
    std::thread::sleep(Duration::from_secs(4));

    assert!(bed.calma(&["release", "--yes", "--case", "/root/case"]).ok());
    assert_eq!(network(&bed), before);
    std::thread::sleep(Duration::from_millis(1500));
    let after = table.passes(3);
    eprintln!("after: {:?}", open(&after));
    // A connection that was ended does not come back, nor does what was said on it meanwhile.
    let closed: Vec<&String> =
        after.iter().filter(|(name, passes)| !**passes && *name != "session").map(|(name, _)| name).collect();
    assert!(closed.is_empty(), "does not pass any more: {closed:?}");
    assert!(!after["session"]);
    let heard = table.heard();
    for phase in 1..3 {
        for name in ["session", "udp4", "tcp4", "routed-container", "fragments4"] {
            let late = hex(format!("calma-path/{name}/{phase};").as_bytes());
            assert!(!heard.contains(&late), "{name} of phase {phase} came later");
        }
    }
    let _ = bed.run(&format!("kill {session} 2>/dev/null"));
    ear.kill().unwrap();
    ear.wait().unwrap();
}
