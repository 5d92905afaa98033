//! What stands in the way of an isolation: it is gone around, or said, and then nothing was changed.

use crate::own::{bed, gets_out, network, pings, reaches, wait_until};
use calma_testkit::bed::{Bed, Output};
use calma_testkit::skip_without_root;

const CASE: &str = "/root/case";

fn isolate(bed: &Bed, trial: &str) -> Output {
    bed.calma(&["isolate", "--yes", "--now", "--trial", trial, "--case", CASE])
}

fn is_closed(bed: &Bed) -> bool {
    !reaches(bed, 80) && !gets_out(bed) && !pings(bed)
}

fn releases_to(bed: &Bed, before: &str) {
    let released = bed.calma(&["release", "--yes", "--case", CASE]);
    assert!(released.ok(), "{released}");
    assert!(reaches(bed, 80) && gets_out(bed) && pings(bed), "it is not open");
    assert_eq!(network(bed), before);
}

#[test]
fn others_rules_names_and_a_missing_family_are_gone_around() {
    if skip_without_root("others_rules_names_and_a_missing_family_are_gone_around") {
        return;
    }
    let bed = bed();
    // Three thousand rules of somebody else, three of the four names that calma would take, and no IPv6.
    let theirs = "{ echo 'table inet theirs {'; echo 'chain c { type filter hook input priority -300;'; \
                  for n in $(seq 3000); do echo \"ip saddr 192.0.2.$((n % 250)) tcp dport $n counter drop\"; done; \
                  echo '}'; echo '}'; \
                  for name in 'inet calma' 'arp calma-guard' 'bridge calma-isolation'; do echo \"add table $name\"; done; \
                  } | nft -f - && mkdir /root/p && mount -t proc proc /root/p && \
                  echo 1 >/root/p/sys/net/ipv6/conf/all/disable_ipv6; umount /root/p";
    let made = bed.run(theirs);
    assert!(made.ok(), "{made}");
    let before = network(&bed);
    assert!(before.lines().count() > 3000 && !before.contains("inet6"), "it was not made");
    let done = isolate(&bed, "90");
    assert!(done.ok() && is_closed(&bed), "{done}");
    assert!(network(&bed).contains("dport 3000 counter"), "their rules are gone");
    releases_to(&bed, &before);
    // The last name is taken too.
    assert!(bed.run("nft add table inet calma-cut").ok());
    let before = network(&bed);
    let refused = isolate(&bed, "90");
    assert!(!refused.ok() && refused.text().contains("of all names"), "{refused}");
    assert!(reaches(&bed, 80) && network(&bed) == before, "it was changed all the same");
}

#[test]
fn without_the_right_to_filter_nothing_is_done() {
    if skip_without_root("without_the_right_to_filter_nothing_is_done") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    assert!(bed.calma(&["isolate", "--status"]).ok());
    let refused = bed.run(
        "setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
         /root/calma isolate --yes --now --trial 30 --case /root/case",
    );
    eprintln!("{refused}");
    assert!(!refused.ok() && refused.text().contains("denied"), "{refused}");
    assert!(refused.text().contains("Next: ") && refused.text().contains("--level 3"), "{refused}");
    assert!(reaches(&bed, 80) && gets_out(&bed) && network(&bed) == before, "it was changed all the same");
    let status = bed.calma(&["isolate", "--status"]);
    assert!(status.text().contains("Not isolated"), "{status}");
    // With it, the same command does it.
    let done = isolate(&bed, "90");
    assert!(done.ok() && is_closed(&bed), "{done}");
    releases_to(&bed, &before);
}

#[test]
fn a_wrong_address_is_refused_or_the_trial_gives_everything_back() {
    if skip_without_root("a_wrong_address_is_refused_or_the_trial_gives_everything_back") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    for wrong in ["nonsense", "10.77.0.1:ssh", "10.77.0.1:70000", "10.77.0.300", ""] {
        let refused = bed.calma(&["isolate", "--yes", "--now", "--allow", wrong, "--case", CASE]);
        assert_eq!(refused.code, Some(2), "{wrong}: {refused}");
    }
    // Where nobody can tell which connection is the administrator's, it takes his word: here a wrong one.
    let unit = "systemd-run --quiet --collect /root/calma isolate --yes --now --trial 8 --allow 192.0.2.9:22 --case /root/case";
    let begun = bed.run(unit);
    assert!(begun.ok(), "{begun}");
    wait_until("it did not close", 10, || !reaches(&bed, 22));
    wait_until("the trial did not end", 30, || reaches(&bed, 22) && reaches(&bed, 80));
    assert!(bed.run("true").ok() && gets_out(&bed) && pings(&bed));
    assert_eq!(network(&bed), before);
}

#[test]
fn interfaces_that_come_and_go_meanwhile_do_not_keep_it_open() {
    if skip_without_root("interfaces_that_come_and_go_meanwhile_do_not_keep_it_open") {
        return;
    }
    let bed = bed();
    let before = network(&bed);
    for _ in 0..4 {
        let restless = bed.live(
            "while :; do ip link add v0 type veth peer name v1; ip addr add 198.51.100.1/24 dev v0; ip link set v0 up; \
             ip link del v0; done",
        );
        let done = isolate(&bed, "60");
        assert!(done.ok() && is_closed(&bed), "{done}");
        assert!(bed.run(&format!("kill {restless}")).ok());
        wait_until("the restless one lives on", 5, || !bed.run(&format!("kill -0 {restless}")).ok());
        let _ = bed.run("ip link del v0 2>/dev/null");
        let held = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
        assert!(held.ok() && is_closed(&bed), "{held}");
        releases_to(&bed, &before);
    }
}
