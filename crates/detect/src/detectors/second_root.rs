//! Detector: a second account with user id 0, and accounts that share an id.

use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::Account};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "second-root",
        doc: "An account other than root has user id 0, or two accounts are one user to the kernel.",
        mechanisms: &[59],
        attack: &["T1136.001", "T1078.003"],
        why: "Whoever logs in with it is root, under a name nobody watches.",
        innocent: "you or a colleague made it on purpose (some appliances have \"toor\")",
        next: "ask who made it; if nobody did, lock it once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut by_id: BTreeMap<u32, Vec<Row<'_, Account>>> = BTreeMap::new();
    for account in tables.of::<Account>() {
        by_id.entry(account.uid).or_default().push(account);
    }
    for (uid, mut accounts) in by_id {
        accounts.sort_by_key(|account| account.line);
        if uid == 0 {
            roots(&accounts, drafts);
        } else {
            shared(&accounts, drafts);
        }
    }
}

fn roots(accounts: &[Row<'_, Account>], drafts: &mut Vec<Draft>) {
    let root = accounts.iter().find(|account| account.name == "root").map(|account| account.line);
    for account in accounts.iter().filter(|account| Some(account.line) != root) {
        let title = match account.name == "root" {
            true => "The account \"root\" is listed twice".to_owned(),
            false => format!("The account \"{}\" is a second root", account.name),
        };
        // A name may stand twice; its line does not, but lines move, so the name is the identity.
        let mut draft = Draft::new(Severity::High, Certainty::VeryLikely, account.name.as_bytes(), title)
            .saw(format!("line {} of /etc/passwd gives \"{}\" user id 0", account.line, account.name));
        if let Some(written) = &account.uid_written {
            draft = draft.saw(format!("the id is written \"{written}\", so that a search for 0 misses it"));
        }
        if root.is_some_and(|root| account.line < root) {
            draft = draft.saw("it stands before root, so programs show its name where root acts");
        }
        if account.in_backup == Some(false) {
            draft = draft.saw("it is not in the backup /etc/passwd-: it was added last");
        }
        if account.password.as_deref() == Some("hash") {
            draft = draft.saw("it has a password");
        }
        drafts.push(draft.account(&account.name).path(&"/etc/passwd".into()).from(account, "user id 0"));
    }
}

/// Two names for one user: what one may do, the other may. Ordinary systems have none.
fn shared(accounts: &[Row<'_, Account>], drafts: &mut Vec<Draft>) {
    let [first, others @ ..] = accounts else { return };
    for other in others.iter().filter(|other| other.name != first.name) {
        let usable = other.login && other.password.as_deref() != Some("none");
        let severity = if usable { Severity::Medium } else { Severity::Low };
        drafts.push(
            Draft::new(
                severity,
                Certainty::Possible,
                [first.name.as_bytes(), b"\0", other.name.as_bytes()].concat(),
                format!("The accounts \"{}\" and \"{}\" are the same user", first.name, other.name),
            )
            .saw(format!("lines {} and {} of /etc/passwd both give user id {}", first.line, other.line, first.uid))
            .account(&other.name)
            .path(&"/etc/passwd".into())
            .from(first, "first account")
            .from(other, "second account")
            .why("Each of them owns the other's files and processes; the second name is a way in that is easily overlooked.")
            .innocent("two people or two services share their files on purpose (virtual users of an FTP or mail server)"),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn a_second_root_is_found_and_root_is_not() {
        for line in [
            "sysadm:x:0:0::/home/s:/bin/sh",
            "sysadm:x:00:0::/home/s:/bin/sh",
            "sysadm::+0:0",
            "sysadm:x: 0:100::/:",
        ] {
            let passwd =
                format!("root:x:0:0:root:/root:/bin/bash\n{line}\nme:x:1000:1000::/home/me:/bin/sh\n");
            let seen = check(Mem::new().file("/etc/passwd", passwd));
            let found = seen.alarms("second-root");
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].title.contains("sysadm"), "{}", found[0].title);
        }
    }

    #[test]
    fn a_second_name_for_a_person_is_found() {
        let passwd = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nnsd:x:1000:9::/:/bin/sh\n";
        let mem = Mem::new().file("/etc/passwd", passwd).file("/etc/shadow", "nsd:$6$a$b:1::::::\n");
        assert_eq!(check(mem).alarms("second-root").len(), 1);
    }

    #[test]
    fn ordinary_accounts_are_quiet() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\nme:x:1000:0::/home/me:/bin/sh\n";
        assert!(check(Mem::new().file("/etc/passwd", passwd)).by("second-root").is_empty());
    }
}
