//! Links taken down, and the network put back.

use crate::own::{attempt, inside, named, run, script, wires};
use calma_host::wires::{Links, SavedNetwork};
use calma_host::{Namespace, Wires};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What `ip` shows of everything that is to come back, as sorted lines.
fn judged(namespace: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for what in [
        "-d -o link",
        "-d -o addr",
        "-d -4 route show table all",
        "-d -6 route show table all",
        "-d -4 rule",
        "-d -6 rule",
        "neigh show nud permanent",
        "-4 neigh show proxy",
        "-6 neigh show proxy",
        "nexthop",
    ] {
        let text = run(&format!("ip -n {namespace} {what}"));
        let lasting = |line: &str| {
            // Timers of bridges and running lifetimes are no state; nothing else is left out.
            let mut words = line.split_whitespace().peekable();
            let mut kept = Vec::new();
            while let Some(word) = words.next() {
                let ticks =
                    word.ends_with("_timer") || matches!(word, "expires" | "valid_lft" | "preferred_lft");
                if ticks && words.peek() != Some(&"forever") {
                    words.next();
                } else {
                    kept.push(word);
                }
            }
            kept.join(" ")
        };
        let mut lines: Vec<String> = text.lines().map(lasting).collect();
        lines.sort();
        all.insert(what, lines);
    }
    all
}

fn assert_same(before: &BTreeMap<&str, Vec<String>>, after: &BTreeMap<&str, Vec<String>>) {
    for (what, lines) in before {
        let missing: Vec<_> = lines.iter().filter(|line| !after[what].contains(line)).collect();
        let new: Vec<_> = after[what].iter().filter(|line| !lines.contains(line)).collect();
        assert!(missing.is_empty() && new.is_empty(), "ip {what}\nmissing {missing:#?}\nnew {new:#?}");
    }
}

/// Links of kinds that not every kernel has, with what leads over them.
const KINDS: [(&str, &str); 6] = [
    (
        "vlan",
        "link add link w0 name v7 type vlan id 7\nlink set v7 up\naddr add 198.18.7.1/24 dev v7\n\
              addr add 2001:db8:7::1/64 dev v7 nodad\nroute add 198.19.7.0/24 via 198.18.7.9",
    ),
    ("vlan", "link add link w0 name v8 type vlan id 8 loose_binding on\naddr add 198.18.8.1/24 dev v8"),
    ("dummy", "link add d0 type dummy\nlink set d0 up\naddr add 198.18.9.1/24 dev d0"),
    (
        "vrf",
        "link add vrf0 type vrf table 1001\nlink set vrf0 up\nlink add d1 type dummy\n\
             link set d1 master vrf0\nlink set d1 up\naddr add 198.18.10.1/24 dev d1\n\
             addr add 2001:db8:10::1/64 dev d1 nodad\nroute add default via 198.18.10.9 vrf vrf0\n\
             route add unreachable default metric 4278198272 vrf vrf0\n-6 route add 2001:db8:11::/48 dev d1 vrf vrf0",
    ),
    (
        "ipip",
        "link add t0 type ipip local 192.0.2.1 remote 198.51.100.9\nlink set t0 up\n\
              addr add 198.18.11.1/30 dev t0\nroute add 198.19.11.0/24 dev t0",
    ),
    (
        "gre",
        "link add g0 type gre local 192.0.2.1 remote 198.51.100.9 dev w0\nlink set g0 up\n\
             addr add 198.18.12.1/30 dev g0\nroute add 198.19.12.0/24 via 198.18.12.2",
    ),
];

/// Makes links of the kinds that this kernel has.
fn furnish_kinds() {
    let mut also = Vec::new();
    for (kind, commands) in KINDS {
        let mut lines = commands.lines();
        let (code, _, err) = attempt(&format!("ip -n a {}", lines.next().unwrap()));
        if code == Some(0) {
            lines.for_each(|line| drop(run(&format!("ip -n a {line}"))));
            also.push(kind);
        } else {
            assert!(err.contains("Unknown device type") || err.contains("not supported"), "{kind}: {err}");
        }
    }
    println!("also: {}", also.join(" "));
}

/// A namespace with a bit of everything that this kernel has.
fn furnish() {
    script(
        "ip netns add a
         ip netns add b
         ip link add w0 netns a type veth peer name w0 netns b
         ip link add w1 netns a type veth peer name w1 netns b
         ip -n b link set w0 up
         ip -n b link set w1 up
         ip -n b addr add 2001:db8::ff/64 dev w0 nodad
         ip -n a link set lo up
         ip -n a link set w0 mtu 1400 txqueuelen 77
         ip -n a link set w0 alias uplink
         ip -n a link set w0 up
         ip -n a link add br0 type bridge
         ip -n a link set w1 master br0
         ip -n a link set w1 addrgenmode none
         ip -n a link set w1 up promisc on
         ip -n a link set br0 up
         ip -n a link add link w0 name mv0 type macvlan mode bridge
         ip -n a link set mv0 up
         ip -n a link add idle0 type veth peer name idle1
         ip -n a tuntap add mode tun name tun0
         ip -n a link add vx0 type vxlan id 7 dstport 4789 remote 198.51.100.9
         ip -n a link set vx0 up
         ip -n a link set tun0 up
         ip -n a addr add 192.0.2.1/24 brd + dev w0
         ip -n a addr add 192.0.2.2/24 dev w0 label w0:two
         ip -n a addr add 192.0.2.3/24 dev w0 metric 77
         ip -n a addr add 10.9.0.1/16 dev br0 noprefixroute
         ip -n a addr add 10.8.0.1 peer 10.8.0.2 dev tun0
         ip -n a addr add 192.0.2.77/24 dev w0 valid_lft 5000 preferred_lft 4000
         ip -n a addr add 203.0.113.1/28 dev idle0
         ip -n a addr add 2001:db8::1/64 dev w0
         ip -n a addr add 2001:db8::2/64 dev w0 valid_lft 5000 preferred_lft 4000
         ip -n a addr add 2001:db8:1::1/64 dev br0 noprefixroute nodad
         ip -n a addr add 2001:db8:2::1/128 dev lo",
    );
    furnish_kinds();
    // Duplicate address detection.
    await_addresses();
    script(
        "ip -n a route add default via 192.0.2.254 proto static src 192.0.2.2 mtu 1300 advmss 1200
         ip -n a route add default via 192.0.2.253 dev w0 metric 500
         ip -n a route add 198.51.100.0/24 via 10.99.0.1 dev br0 onlink tos 4
         ip -n a route add 198.51.101.0/24 nexthop via 192.0.2.9 weight 3 nexthop via 192.0.2.10 dev w0 weight 5
         ip -n a route add 198.51.102.0/24 dev br0 scope link table 100
         ip -n a route add default via 198.51.102.5 table 100
         ip -n a route add blackhole 198.51.103.0/24 metric 9
         ip -n a route add unreachable 198.51.104.0/24 table 300",
    );
    script(
        "ip -n a -6 route add default via fe80::1 dev w0 metric 300 proto static
         ip -n a -6 route add default via 2001:db8::ff dev w0 metric 301 pref high
         ip -n a -6 route add 2001:db8:9::/48 via 2001:db8::fe table 100 src 2001:db8::1
         ip -n a -6 route add 2001:db8:a::/48 nexthop via 2001:db8::5 weight 2 nexthop via 2001:db8::6 dev w0
         ip -n a -6 route add blackhole 2001:db8:b::/48
         ip -n a -6 route add 2001:db8:c::/48 dev br0 expires 4000
         ip -n a nexthop add id 7 via 192.0.2.20 dev w0 proto static
         ip -n a nexthop add id 8 via 192.0.2.21 dev w0
         ip -n a nexthop add id 9 group 7,3/8
         ip -n a route add 198.51.105.0/24 nhid 9
         ip -n a rule add pref 100 from 192.0.2.2 table 100
         ip -n a rule add pref 101 not fwmark 0x7/0xff iif w0 lookup 300 suppress_prefixlength 0
         ip -n a rule add pref 102 ipproto 6 dport 22-23 uidrange 0-99 lookup 100
         ip -n a -6 rule add pref 100 from 2001:db8::/64 oif w0 table 100
         ip -n a neigh replace 192.0.2.254 lladdr 02:00:00:00:00:fe dev w0 nud permanent
         ip -n a neigh replace 2001:db8::ff lladdr 02:00:00:00:00:ff dev w0 nud permanent router
         ip -n a neigh add proxy 192.0.2.99 dev w0
         ip -n a neigh add proxy 2001:db8::99 dev w0",
    );
}

/// Waits until the kernel has checked all IPv6 addresses.
fn await_addresses() {
    let until = Instant::now() + Duration::from_secs(30);
    while run("ip -n a -6 addr").contains("tentative") {
        assert!(Instant::now() < until, "{}", run("ip -n a -6 addr"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn links(namespace: &str) -> Box<dyn Links> {
    wires().links(&named(namespace)).unwrap()
}

/// Indices of all links but the loopback.
fn indices(namespace: &str) -> Vec<u32> {
    let text = run(&format!("ip -n {namespace} -o link"));
    let numbers = text.lines().map(|line| line.split(':').next().unwrap().parse().unwrap());
    numbers.filter(|index| *index != 1).collect()
}

#[test]
fn everything_comes_back_after_all_links_were_down() {
    inside("links::everything_comes_back_after_all_links_were_down", || {
        furnish();
        let before = judged("a");
        println!("{before:#?}");
        let mut links = links("a");
        let saved = links.save().unwrap();
        assert_eq!(links.compare(&saved).unwrap(), [""; 0]);
        for index in indices("a") {
            links.set_up(index, false).unwrap();
        }
        let down = links.compare(&saved).unwrap();
        println!("{} differences: {down:#?}", down.len());
        assert!(
            down.iter()
                .any(|line| line.starts_with("link w0 (") && line.ends_with(") has changed: it is down")),
            "{down:#?}"
        );
        assert!(!run("ip -n a route show table all").contains("default via"));
        let kept = saved.as_bytes().to_vec();
        let saved = SavedNetwork::from_bytes(kept).unwrap();
        let start = Instant::now();
        let trouble = links.restore(&saved).unwrap();
        println!("restored in {:?}", start.elapsed());
        assert_eq!(trouble, [""; 0]);
        await_addresses();
        std::thread::sleep(Duration::from_millis(300));
        assert_same(&before, &judged("a"));
        assert_eq!(links.compare(&saved).unwrap(), [""; 0]);
        // Run again from where it is: nothing happens.
        assert_eq!(links.restore(&saved).unwrap(), [""; 0]);
        assert_same(&before, &judged("a"));
    });
}

#[test]
fn what_can_not_come_back_is_told() {
    inside("links::what_can_not_come_back_is_told", || {
        furnish();
        let mut links = links("a");
        let saved = links.save().unwrap();
        script("ip -n a link del mv0\nip -n a link del idle0\nip -n a route add 198.18.0.0/15 dev w0");
        let trouble = links.restore(&saved).unwrap();
        println!("{trouble:#?}");
        assert!(trouble.iter().any(|line| line.starts_with("link mv0") && line.ends_with("it is gone")));
        assert!(trouble.iter().any(|line| line.contains("203.0.113.1/28")), "{trouble:#?}");
        let differences = links.compare(&saved).unwrap();
        assert!(differences.iter().any(|line| line.starts_with("route 198.18.0.0/15")), "{differences:#?}");
        assert!(differences.iter().any(|line| line.contains("mv0") && line.ends_with("is missing")));
    });
}

#[test]
fn running_lifetimes_are_pinned_and_given_back() {
    inside("links::running_lifetimes_are_pinned_and_given_back", || {
        furnish();
        let mut links = links("a");
        let saved = links.save().unwrap();
        let running = |text: &str| text.split_whitespace().filter(|word| word.ends_with("sec")).count();
        assert_eq!(running(&run("ip -n a addr")), 4);
        assert_eq!(links.pin_addresses().unwrap(), 2);
        assert_eq!(running(&run("ip -n a addr")), 0);
        assert_eq!(links.restore(&saved).unwrap(), [""; 0]);
        let text = run("ip -n a addr");
        assert_eq!(running(&text), 4, "{text}");
        let seconds = text.split_whitespace().filter_map(|word| word.strip_suffix("sec")?.parse().ok());
        let seconds: Vec<u32> = seconds.collect();
        assert!(seconds.iter().all(|left| (3_700..5_000).contains(left)), "{text}");
    });
}

#[test]
fn a_thousand_routes_take_little_time() {
    inside("links::a_thousand_routes_take_little_time", || {
        script("ip link add w0 type veth peer name w1\nip link set w1 up\nip link set w0 up");
        run("ip addr add 192.0.2.1/24 dev w0");
        let routes: String = (0..1000_u32)
            .map(|at| format!("route add 10.{}.{}.0/24 via 192.0.2.9\n", at / 256, at % 256))
            .collect();
        std::fs::write("/run/routes", routes).unwrap();
        run("ip -b /run/routes");
        let mut links = wires().links(&Namespace::Own).unwrap();
        let start = Instant::now();
        let saved = links.save().unwrap();
        let took = start.elapsed();
        links.set_up(2, false).unwrap();
        links.set_up(3, false).unwrap();
        let start = Instant::now();
        let trouble = links.restore(&saved).unwrap();
        println!("1000 routes: saved in {took:?}, restored in {:?}", start.elapsed());
        assert_eq!(trouble, [""; 0]);
        assert_eq!(run("ip route").lines().count(), 1001);
    });
}
