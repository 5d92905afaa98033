//! `calma contain` and `calma undo` on a disposable server: a planted, harmless intrusion that brings itself back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::intrusion::{alive, dump, planted};
use calma_testkit::skip_without_root;

#[test]
fn a_self_respawning_intrusion_is_contained_and_comes_back_whole_with_undo() {
    if skip_without_root("a_self_respawning_intrusion_is_contained_and_comes_back_whole_with_undo") {
        return;
    }
    let bed = planted();
    let looked = bed.calma(&["triage", "--case", "/root/case"]);
    eprintln!("{looked}");
    let before = dump(&bed);
    let dry = bed.calma(&["contain", "--case", "/root/case", "--dry-run", "--plan", "/root/plan.json"]);
    assert!(dry.ok(), "{dry}");
    assert_eq!(dump(&bed), before, "a dry run changed something");
    let wrong = bed.calma(&["contain", "--case", "/root/case"]);
    assert_eq!(wrong.code, Some(4), "without --yes and a terminal nothing is done: {wrong}");
    let done = bed.calma(&["contain", "--case", "/root/case", "--yes", "--plan", "/root/plan.json"]);
    eprintln!("{done}");
    assert!(done.ok(), "{done}");
    assert_eq!(alive(&bed), "", "processes of it are left");
    let serving = "systemctl is-active ssh nginx cron rsyslog";
    assert_eq!(bed.run(serving).text(), "active\nactive\nactive\nactive\n");
    let gone = "ls /etc/cron.d/php-session /etc/systemd/system/php-gc.* /etc/ld.so.preload /etc/profile.d/zz-term.sh \
                /var/tmp/.x/wa /var/tmp/.x/wb /var/www/.ssh/authorized_keys 2>/dev/null; true";
    assert_eq!(bed.run(gone).text(), "");
    // Long enough for cron and the timer; two minutes in the soak.
    let soak = std::env::var_os("CALMA_SOAK").is_some();
    bed.run(if soak { "sleep 125" } else { "sleep 62" });
    assert_eq!(alive(&bed), "", "it came back");
    assert!(bed.calma(&["case", "verify", "--case", "/root/case"]).ok());
    // The deleted program and its memory are whole in the case.
    let pieces = bed.run("cat /root/case/streams/journal-1.calma | wc -c; ls /root/case/evidence | wc -l");
    eprintln!("journal and evidence: {}", pieces.text());
    let undone = bed.calma(&["undo", "--case", "/root/case", "--all", "--yes"]);
    eprintln!("{undone}");
    assert!(undone.ok(), "{undone}");
    let after = dump(&bed);
    let lost: Vec<&str> = before.lines().filter(|line| !after.contains(line)).collect();
    let new: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert!(lost.is_empty() && new.is_empty(), "not as it was:\nbefore {lost:#?}\nafter {new:#?}");
    // What was planted lives again, by its own hooks, but for the program that was deleted.
    bed.run("sleep 62");
    let again = alive(&bed);
    assert!(again.contains("/var/tmp/.x/wa") && again.contains("/var/tmp/.x/wb"), "{again}");
    assert!(undone.text().contains("cannot come back"), "{undone}");
    assert!(bed.calma(&["case", "verify", "--case", "/root/case"]).ok());
}
