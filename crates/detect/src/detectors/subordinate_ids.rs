//! Detector: a user may take ids that belong to somebody, or an account's services run though nobody is behind it.

use crate::weigh::{self, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::Account, kinds::Group, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "subordinate-ids",
        doc: "A range of ids that a user may take (subuid, subgid) holds root's or another account's, or services run for an account that is gone.",
        mechanisms: &[41, 69],
        attack: &["T1098", "T1548"],
        why: "In a namespace of its own that user acts with these ids, and so reads and changes what belongs to their owners.",
        innocent: "",
        next: "look who wrote the line; useradd gives ranges from 100000 on",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut accounts: Vec<_> = tables.of::<Account>().collect();
    accounts.sort_by_key(|account| (account.uid, &account.fact.name));
    let mut groups: Vec<_> = tables.of::<Group>().collect();
    groups.sort_by_key(|group| (group.gid, &group.fact.name));
    for row in tables.of::<SystemSetting>() {
        if row.area == "linger" {
            let known = accounts.iter().find(|account| account.fact.name == row.whom);
            let weight = match known {
                None => Weight::of(
                    Severity::Low,
                    format!("services run for \"{}\", an account that is not there", row.whom),
                ),
                Some(account) if account.uid == 0 => {
                    Weight::of(Severity::Info, "root's own services run without a login")
                }
                Some(_) => continue,
            };
            let title = "Services run for an account without a login".to_owned();
            drafts.extend(weigh::draft(weight, row.path.as_bytes(), title, &row.path, 1, &row.whom, &row));
        }
        if row.area != "subordinate ids" {
            continue;
        }
        let mut numbers = row.value.as_bytes().split(|b| *b == b':').map(|digits| {
            let digits = std::str::from_utf8(digits).ok()?.trim();
            match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => digits.parse::<u64>().ok(),
            }
        });
        let (Some(Some(start)), Some(Some(count))) = (numbers.next(), numbers.next()) else { continue };
        let holds = |id: u32| u64::from(id) >= start && u64::from(id) < start.saturating_add(count);
        let own = accounts.iter().find(|account| account.fact.name == row.whom);
        // Another name of root's is not root: what may be done in its name is worth a word.
        if row.whom == "root" || row.whom == "0" {
            continue;
        }
        let mut taken: Vec<String> = if row.name == "user" {
            let others =
                accounts.iter().filter(|account| holds(account.uid) && account.fact.name != row.whom);
            others.map(|account| account.name.to_string()).collect()
        } else {
            let mine = own.map(|account| account.gid);
            groups
                .iter()
                .filter(|group| holds(group.gid) && Some(group.gid) != mine)
                .map(|group| group.name.to_string())
                .collect()
        };
        // Root is there even where no list of accounts could be read.
        if holds(0) && !taken.iter().any(|name| name == "root") {
            taken.insert(0, "root".to_owned());
        }
        let Some(first) = taken.first() else { continue };
        let shown =
            if taken.len() > 1 { format!("{first} and {} more", taken.len() - 1) } else { first.clone() };
        let severity = if start == 0 || holds(0) { Severity::High } else { Severity::Medium };
        let weight = Weight::of(severity, format!("\"{}\" may take the ids of {shown}", row.whom));
        let identity =
            [row.path.as_bytes(), b"\0", row.whom.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let title = format!("The account \"{}\" may act with ids of others", row.whom);
        let written = format!("{}:{}", row.whom, row.value).into();
        let draft = weigh::draft(weight, &identity, title, &row.path, row.line, &written, &row);
        drafts.extend(draft.map(|draft| draft.account(&row.whom)));
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\nyou:x:1001:1001::/home/you:/bin/bash\n")
            .file("/etc/group", "root:x:0:\nshadow:x:42:\nme:x:1000:\nyou:x:1001:\n")
    }

    #[test]
    fn ranges_that_hold_others_ids_are_found() {
        for (path, text) in [
            ("/etc/subuid", "me:0:65536\n"),
            ("/etc/subuid", "you:100000:65536\nme:1001:1\n"),
            ("/etc/subgid", "me:42:1\n"),
            ("/etc/subuid", "www-data:0:1\n"),
            ("/etc/subuid", "33:0x0:65536\n"),
        ] {
            let seen = check(host().file(path, text));
            assert_eq!(seen.alarms("subordinate-ids").len(), 1, "{text}: {:#?}", seen.by("subordinate-ids"));
        }
        // Neither without accounts, nor for a second name of root's.
        let seen = check(Mem::new().file("/etc/subuid", "bin:0:65536\n"));
        assert_eq!(seen.alarms("subordinate-ids").len(), 1);
        let twice = "root:x:0:0::/root:/bin/bash\nsvc:x:0:0::/:/bin/sh\nsvc:x:77:77::/:/bin/false\n";
        let seen = check(Mem::new().file("/etc/passwd", twice).file("/etc/subgid", "svc:0:1\n"));
        assert_eq!(seen.alarms("subordinate-ids").len(), 1);
    }

    #[test]
    fn ordinary_ranges_are_quiet() {
        let ranges = "me:100000:65536\nyou:165536:65536\nroot:1000000:1000000000\n";
        let seen = check(
            host()
                .file("/etc/subuid", ranges)
                .file("/etc/subgid", ranges)
                .file("/var/lib/systemd/linger/me", ""),
        );
        assert!(seen.by("subordinate-ids").is_empty(), "{:#?}", seen.by("subordinate-ids"));
    }
}
