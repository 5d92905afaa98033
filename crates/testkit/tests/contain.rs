//! `calma contain` and `calma undo` on a disposable server: a planted, harmless intrusion that brings itself back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::Bed;
use calma_testkit::intrusion::{alive, dump, planted};
use calma_testkit::skip_without_root;

/// Asks nginx, sshd and cron for their service twice a second, from the clean machine.
struct Polls(std::process::Child);

impl Polls {
    fn start(bed: &Bed) -> Self {
        // What a program that cron starts every minute writes; it belongs to nobody's plan.
        bed.run("mkdir -p /run/alive; printf '* * * * * root /usr/bin/touch /run/alive/cron\n' >/etc/cron.d/alive; chmod 644 /etc/cron.d/alive");
        let script = r#"while :; do
            line=$(exec 3<>/dev/tcp/10.77.0.2/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && timeout 3 head -c 12 <&3)
            [ "$line" = 'HTTP/1.1 200' ] && echo nginx yes || echo "nginx no $line"
            line=$(exec 3<>/dev/tcp/10.77.0.2/22 && timeout 3 head -c 4 <&3)
            [ "$line" = 'SSH-' ] && echo sshd yes || echo "sshd no $line"
            sleep 0.5
        done >polls 2>&1"#;
        Self(bed.keeper_command(&["bash", "-c", script]).spawn().unwrap())
    }

    /// Ends it: everything was served all the time, and cron started something within the last minute.
    fn assert_served(mut self, bed: &Bed) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let polls = std::fs::read_to_string(bed.work().join("polls")).unwrap();
        let count = |word: &str| polls.lines().filter(|line| line.starts_with(word)).count();
        eprintln!("nginx served {} times, sshd {} times", count("nginx yes"), count("sshd yes"));
        assert!(count("nginx yes") > 60 && count("sshd yes") > 60, "{polls}");
        assert_eq!(count("nginx no") + count("sshd no"), 0, "{polls}");
        assert_eq!(
            bed.run("find /run/alive/cron -mmin -1.2 | wc -l").text().trim(),
            "1",
            "cron starts nothing"
        );
    }
}

#[test]
fn a_self_respawning_intrusion_is_contained_and_comes_back_whole_with_undo() {
    if skip_without_root("a_self_respawning_intrusion_is_contained_and_comes_back_whole_with_undo") {
        return;
    }
    let mut bed = planted();
    let polls = Polls::start(&bed);
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
    polls.assert_served(&bed);
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
    // Contained again, it does not come back after a restart either.
    let looked = bed.calma(&["triage", "--case", "/root/second"]);
    assert_eq!(looked.code, Some(1), "{looked}");
    let done = bed.calma(&["contain", "--case", "/root/second", "--yes"]);
    assert!(done.ok(), "{done}");
    bed.reboot();
    bed.run(if soak { "sleep 125" } else { "sleep 25" });
    assert_eq!(alive(&bed), "", "it came back after a restart");
    assert_eq!(bed.run(gone).text(), "");
    assert_eq!(bed.run(serving).text(), "active\nactive\nactive\nactive\n");
    assert!(bed.calma(&["case", "verify", "--case", "/root/second"]).ok());
}
