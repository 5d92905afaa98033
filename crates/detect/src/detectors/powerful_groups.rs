//! Detector: service accounts in groups that are as good as root.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Account, kinds::Group};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "powerful-groups",
        doc: "A service's account is in a group whose members can become root, or a group shares such a group's id.",
        mechanisms: &[69],
        attack: &["T1098.007", "T1078.003"],
        why: "Members of this group can become root without a password or a trace.",
        innocent: "a service needs it: build runners are put in docker, backup programs in disk",
        next: "ask who put it there; if nobody did, take it out of the group",
    },
    judge,
};

/// Groups whose members become root by themselves: sudo(8), su(1) by pam_wheel(8), container daemons, raw disks, hashes.
const POWERFUL: &[&str] =
    &["sudo", "wheel", "admin", "docker", "lxd", "incus-admin", "disk", "shadow", "kmem"];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let powerful = |name: &Text| POWERFUL.iter().any(|group| name == group);
    for account in tables.of::<Account>().filter(|account| account.system && account.uid != 0) {
        for group in account.groups.iter().filter(|group| powerful(group)) {
            // Runners and backup programs that packages install have ids above 100.
            let needed = *group == "docker" || *group == "lxd" || *group == "disk";
            let fixed = account.uid < 100 || account.uid == 65_534;
            let (severity, certainty) = match (needed, fixed) {
                (true, false) => (Severity::Low, Certainty::Possible),
                (_, true) => (Severity::High, Certainty::Likely),
                _ => (Severity::Medium, Certainty::Likely),
            };
            let title = format!("The service account \"{}\" is in the group \"{group}\"", account.name);
            let identity = [account.name.as_bytes(), b"\0", group.as_bytes()].concat();
            drafts.push(
                Draft::new(severity, certainty, identity, title)
                    .saw(format!("user id {}, shell \"{}\"", account.uid, account.shell))
                    .account(&account.name)
                    .path(&"/etc/group".into())
                    .from(&account, "its groups"),
            );
        }
    }
    let groups: Vec<_> = tables.of::<Group>().collect();
    for group in groups.iter().filter(|group| powerful(&group.name) || group.name == "root") {
        for other in groups.iter().filter(|other| other.gid == group.gid && other.name != group.name) {
            if powerful(&other.name) && other.name > group.name {
                continue;
            }
            let title =
                format!("The group \"{}\" is the group \"{}\" under another name", other.name, group.name);
            drafts.push(
                Draft::new(
                    Severity::Medium,
                    Certainty::Likely,
                    [other.name.as_bytes(), b"\0=\0", group.name.as_bytes()].concat(),
                    title,
                )
                .saw(format!(
                    "lines {} and {} of /etc/group both give group id {}",
                    group.line, other.line, group.gid
                ))
                .path(&"/etc/group".into())
                .from(group, "the group")
                .from(other, "its second name")
                .innocent(""),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nsvc:x:204:204::/opt:/bin/false\nme:x:1000:1000::/home/me:/bin/sh\n";

    #[test]
    fn services_that_can_become_root_are_found() {
        for group in [
            "sudo:x:27:www-data\n",
            "wheel:x:10:me,svc\n",
            "docker:x:998:www-data\n",
            "shadow:x:204:\n",
            "sudo:x:27:me\nweb:x:27:me\n",
            "help:x:0:me\nroot:x:0:\n",
        ] {
            let seen = check(Mem::new().file("/etc/passwd", PASSWD).file("/etc/group", group));
            assert_eq!(seen.alarms("powerful-groups").len(), 1, "{group}");
        }
    }

    #[test]
    fn people_and_build_runners_are_quiet() {
        let group = "root:x:0:\nsudo:x:27:me\ndocker:x:998:me,svc\nadm:x:4:svc\nshadow:x:42:\n";
        let seen = check(Mem::new().file("/etc/passwd", PASSWD).file("/etc/group", group));
        assert!(seen.alarms("powerful-groups").is_empty());
    }
}
