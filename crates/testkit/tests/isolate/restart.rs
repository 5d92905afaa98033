//! Isolated after a restart, where that was asked for.

use crate::own::{bed, gets_out, guard, network, pings, reaches, wait_until};
use calma_testkit::skip_without_root;

const LEFT: &str =
    "ls -d /etc/systemd/system/calma* /etc/systemd/system/*/calma* /var/lib/calma* 2>/dev/null";

#[test]
fn a_restart_stays_isolated_where_that_was_asked_for() {
    if skip_without_root("a_restart_stays_isolated_where_that_was_asked_for") {
        return;
    }
    let mut bed = bed();
    let before = network(&bed);
    let done =
        bed.calma(&["isolate", "--yes", "--now", "--after-restart", "--trial", "90", "--case", "/root/case"]);
    assert!(done.ok() && done.text().contains("calma-isolation.service"), "{done}");
    assert_eq!(bed.run(LEFT).text(), "", "something is written during the trial");
    let anew = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(anew.ok() && anew.text().contains("a unit keeps it"), "{anew}");
    // This server's network namespace outlives its restart, which no other's does: what the kernel would forget is taken away.
    let _ = bed.run(&format!("kill -9 {}; sleep 0.2; nft flush ruleset", guard(&bed)));
    wait_until("it is not open", 10, || reaches(&bed, 80));
    bed.reboot();
    assert!(!reaches(&bed, 80) && !gets_out(&bed) && !pings(&bed), "a restart opened it");
    let unit =
        bed.run("systemctl show -p ActiveState,Result calma-isolation.service; systemctl is-system-running");
    assert!(unit.text().contains("ActiveState=active") && unit.text().contains("Result=success"), "{unit}");
    let status = bed.calma(&["isolate", "--status"]);
    assert!(status.text().contains("Closed, and held"), "{status}");
    assert!(status.text().contains("after a restart too"), "{status}");
    // It outlives its unit.
    assert!(bed.run("systemctl stop calma-isolation.service").ok());
    assert!(bed.run(&format!("kill -0 {}", guard(&bed))).ok(), "the guard ended with its unit");
    let released = bed.calma(&["release", "--yes", "--case", "/root/case"]);
    assert!(released.ok(), "{released}");
    assert!(reaches(&bed, 80) && pings(&bed));
    assert_eq!(bed.run(LEFT).text(), "");
    assert_eq!(network(&bed), before);
    bed.reboot();
    assert!(reaches(&bed, 80) && pings(&bed), "a released server is closed by a restart");
}
