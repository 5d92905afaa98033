//! Detector: an account lets somebody elsewhere in by name, host or ticket; a table of Kerberos keys is open.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, Text, kinds::Account, kinds::SystemSetting};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "remote-trust",
        doc: "A file lets users of other hosts or other Kerberos realms in without a password (.rhosts, hosts.equiv, .k5login), or a keytab can be read by others.",
        mechanisms: &[70],
        attack: &["T1098", "T1078", "T1558"],
        why: "Whoever it names can log in without a password; the file opens an account as a key does, and is seldom looked at.",
        innocent: "your cluster or Kerberos realm is set up this way",
        next: "ask who put the line there; if nobody did, keep it as evidence and remove it",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let accounts: BTreeMap<&Text, Row<'_, Account>> =
        tables.of::<Account>().map(|row| (&row.fact.name, row)).collect();
    let realm: Vec<&Text> = tables
        .of::<SystemSetting>()
        .filter(|row| row.area == "kerberos realm")
        .map(|row| &row.fact.value)
        .collect();
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "remote login") {
        let account = accounts.get(&row.fact.whom);
        let whole = row.whom.is_empty();
        let root = whole || account.is_some_and(|account| account.uid == 0);
        let service = account.is_some_and(|account| account.system && account.uid != 0);
        let kerberos = row.name.as_bytes().starts_with(b".k5");
        let weight =
            if kerberos { principal(&row.value, &realm, service) } else { host(&row, root, service) };
        let weight = if root { weight.and(entry::loose(&files, &row.path, Some(0))) } else { weight };
        let opened = if whole { "every account".to_owned() } else { format!("the account \"{}\"", row.whom) };
        let title = format!("Somebody elsewhere can open {opened} without a password");
        let identity = [row.path.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let draft = weigh::draft(weight, &identity, title, &row.path, row.line, &row.value, &row);
        drafts.extend(draft.map(|draft| if whole { draft } else { draft.account(&row.whom) }));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "keytab") {
        let Some(file) = files.get(&row.path).filter(|file| file.what == "file") else { continue };
        let mut weight = Weight::default();
        if file.mode & 0o004 != 0 {
            weight = Weight::of(Severity::Medium, format!("everybody may read it (mode {:04o})", file.mode));
        } else if file.uid != 0 && weigh::is_below(row.path.as_bytes(), b"/etc") && file.mode & 0o600 != 0 {
            let system = accounts.values().any(|account| account.uid == file.uid && account.system);
            let severity = if system { Severity::Info } else { Severity::Medium };
            weight = Weight::of(severity, format!("it belongs to user id {}", file.uid));
        }
        if weigh::is_open(row.path.as_bytes()) {
            weight = weight.and(Weight::of(Severity::Medium, "it stands where anybody may put files"));
        }
        let title = "A table of Kerberos keys is open to others".to_owned();
        drafts.extend(weigh::draft(
            weight,
            row.path.as_bytes(),
            title,
            &row.path,
            row.line,
            &row.value,
            &row,
        ));
    }
}

/// A line of hosts.equiv(5), `.rhosts` or `.shosts`.
fn host(row: &SystemSetting, root: bool, service: bool) -> Weight {
    let value = row.value.as_bytes();
    let ssh = row.name.as_bytes().ends_with(b"shosts") || row.name.as_bytes().ends_with(b"shosts.equiv");
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (host, user) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if host.starts_with(b"-") || host.starts_with(b"+@") && user != b"+" {
        return if host.starts_with(b"+@") && !ssh {
            Weight::of(Severity::Medium, "a whole group of hosts is trusted")
        } else {
            Weight::default()
        };
    }
    if host == b"+" || user == b"+" {
        return Weight::of(Severity::High, "a plus sign trusts every host, or every user of it");
    }
    let reason = format!("it trusts users of {}", Text::from(host));
    let severity = match () {
        () if service => Severity::High,
        () if !ssh || (root && row.whom.as_bytes() != b"") => Severity::Medium,
        () => Severity::Low,
    };
    Weight::of(severity, reason)
}

/// A line of `.k5login` or `.k5users`.
fn principal(value: &Text, realm: &[&Text], service: bool) -> Weight {
    let name = value.as_bytes().split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let own = name.rsplit(|b| *b == b'@').next().unwrap_or_default();
    let known = name.contains(&b'@') && realm.iter().any(|realm| realm.as_bytes() == own);
    let shown = Text::from(name);
    if service {
        Weight::of(Severity::High, format!("the ticket of {shown} opens a service's account"))
    } else if realm.is_empty() {
        Weight::of(
            Severity::Medium,
            format!("the ticket of {shown} opens it, though this server is in no realm"),
        )
    } else if !known {
        Weight::of(Severity::Medium, format!("the ticket of {shown} opens it, which is of another realm"))
    } else {
        Weight::of(Severity::Info, format!("the ticket of {shown} opens it"))
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/etc/krb5.conf", "[libdefaults]\n default_realm = EXAMPLE.ORG\n")
    }

    #[test]
    fn trust_in_others_is_found() {
        for (path, text) in [
            ("/etc/hosts.equiv", "+\n"),
            ("/etc/hosts.equiv", "192.0.2.7 root\n"),
            ("/root/.rhosts", "+ +\n"),
            ("/home/me/.rhosts", "evil.example.org me\n"),
            ("/etc/ssh/shosts.equiv", "+ root\n"),
            ("/root/.shosts", "192.0.2.9\n"),
            ("/root/.k5login", "helper@OTHER.NET\n"),
            ("/var/www/.k5login", "admin@EXAMPLE.ORG\n"),
            ("/home/me/.k5users", "x@OTHER.NET /bin/sh\n"),
            ("/etc/krb5.keytab", "\x05\x02"),
        ] {
            let seen = check(host().file(path, text));
            let found = seen.alarms("remote-trust");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("remote-trust"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_kerberos_and_clusters_are_quiet() {
        let seen = check(
            host()
                .file("/root/.k5login", "admin@EXAMPLE.ORG\n")
                .file("/etc/ssh/shosts.equiv", "# nodes\nnode1.example.org\nnode2.example.org\n")
                .file("/etc/hosts.equiv", "# nobody\n-bad.example.org\n")
                .file("/etc/krb5.keytab", "\x05\x02")
                .owned("/etc/krb5.keytab", 0o600, 0, 0),
        );
        assert!(seen.alarms("remote-trust").is_empty(), "{:#?}", seen.by("remote-trust"));
    }
}
