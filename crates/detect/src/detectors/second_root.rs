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
