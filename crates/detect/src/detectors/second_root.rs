//! Detector: a second account with user id 0.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::Account};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "second-root",
        doc: "An account other than root has user id 0.",
        mechanisms: &[59],
        attack: &["T1136.001", "T1078.003"],
        why: "Whoever logs in with it is root, under a name nobody watches.",
        innocent: "you or a colleague made it on purpose (some appliances have \"toor\")",
        next: "ask who made it; if nobody did, lock it once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for account in tables.of::<Account>().filter(|account| account.uid == 0 && account.name != "root") {
        let title = format!("The account \"{}\" is a second root", account.name);
        drafts.push(
            Draft::new(Severity::High, Certainty::VeryLikely, account.name.as_bytes(), title)
                .saw(format!("line {} of /etc/passwd gives \"{}\" user id 0", account.line, account.name))
                .account(&account.name)
                .path(&"/etc/passwd".into())
                .from(&account, "user id 0"),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn a_second_root_is_found_and_root_is_not() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nsysadm:x:0:0::/home/s:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";
        let seen = check(Mem::new().file("/etc/passwd", passwd));
        let found = seen.alarms("second-root");
        assert_eq!(found.len(), 1);
        assert!(found[0].title.contains("sysadm"), "{}", found[0].title);
    }
}
