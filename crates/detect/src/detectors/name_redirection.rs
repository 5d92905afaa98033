//! Detector: names of updates or of protection lead elsewhere, or connections go through a stranger.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Severity, Text, kinds::EnvironmentSetting, kinds::SystemSetting};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "name-redirection",
        doc: "A name that updates, logs or protection need leads elsewhere, a resolver or proxy is a stranger's, or checks of certificates are off.",
        mechanisms: &[80],
        attack: &["T1565", "T1557", "T1562"],
        why: "Updates and warnings do not reach this server, or come from somebody else.",
        innocent: "you use a mirror, a proxy or a list against advertising",
        next: "compare the address with what a clean machine is told for that name; remove the line if nobody made it",
    },
    judge,
};

/// Parts of names by which software, updates and warnings come.
const PARTS: &[&str] = &[
    "update",
    "updates",
    "security",
    "mirror",
    "mirrors",
    "archive",
    "archives",
    "packages",
    "package",
    "repo",
    "repos",
    "repository",
    "yum",
    "apt",
    "deb",
    "dnf",
    "rpm",
    "download",
    "downloads",
    "registry",
    "signatures",
    "definitions",
    "av",
    "antivirus",
    "malware",
    "virus",
    "threat",
    "abuse",
    "cve",
    "intel",
    "telemetry",
    "siem",
    "logs",
    "syslog",
    "ingest",
    "sensor",
    "edr",
    "keyserver",
    "keys",
    "ocsp",
    "crl",
    "ntp",
    "time",
    "snapcraft",
];
/// Organisations that make systems or watch over them: the last labels of their names.
const ORGANISATIONS: &[&str] = &[
    "debian.org",
    "debian.net",
    "ubuntu.com",
    "canonical.com",
    "launchpad.net",
    "redhat.com",
    "centos.org",
    "fedoraproject.org",
    "rockylinux.org",
    "almalinux.org",
    "oracle.com",
    "suse.com",
    "opensuse.org",
    "archlinux.org",
    "alpinelinux.org",
    "gentoo.org",
    "kernel.org",
    "gnu.org",
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "npmjs.com",
    "rubygems.org",
    "crates.io",
    "golang.org",
    "packagist.org",
    "github.com",
    "githubusercontent.com",
    "gitlab.com",
    "docker.com",
    "docker.io",
    "quay.io",
    "k8s.io",
    "letsencrypt.org",
    "clamav.net",
    "virustotal.com",
    "crowdstrike.com",
    "sentinelone.net",
    "sophos.com",
    "trendmicro.com",
    "eset.com",
    "kaspersky.com",
    "mcafee.com",
    "symantec.com",
    "bitdefender.com",
    "malwarebytes.com",
    "f-secure.com",
    "wazuh.com",
    "elastic.co",
    "splunk.com",
    "datadoghq.com",
    "tenable.com",
    "qualys.com",
    "rapid7.com",
    "spamhaus.org",
    "abuseipdb.com",
    "shodan.io",
    "mitre.org",
    "nist.gov",
    "cisa.gov",
    "aliyun.com",
    "aliyuncs.com",
    "amazonaws.com",
    "windowsupdate.com",
    "microsoft.com",
    "google.com",
    "cloudflare.com",
    "wordpress.org",
    "cpanel.net",
    "plesk.com",
    "cloudlinux.com",
    "imunify360.com",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    // The hosts that this system's own packages come from.
    let sources: Vec<Vec<u8>> = tables
        .of::<SystemSetting>()
        .filter(|row| row.area == "package source" || row.area == "index source")
        .map(|row| reach::host(row.name.as_bytes()).to_ascii_lowercase())
        .filter(|host| reach::of(host) == Reach::Name)
        .collect();
    let mut told: BTreeMap<(&Text, Severity), (Weight, u32, usize, Text)> = BTreeMap::new();
    let mut rows: Vec<_> = tables.of::<SystemSetting>().collect();
    rows.sort_by(|a, b| (&a.fact.path, a.line, &a.fact.name).cmp(&(&b.fact.path, b.line, &b.fact.name)));
    for row in rows.iter().filter(|row| row.area == "host name") {
        let weight = name(row, &sources);
        let Some(severity) = weight.severity.filter(|_| weight.counts()) else { continue };
        let entry = told.entry((&row.fact.path, severity)).or_insert_with(|| {
            (Weight::default(), row.line, 0, format!("{} {}", row.value, row.name).into())
        });
        if entry.2 < 8 {
            entry.0 = std::mem::take(&mut entry.0).and(weight);
        }
        entry.2 += 1;
    }
    for ((path, severity), (weight, line, count, written)) in told {
        let Some(row) =
            rows.iter().find(|row| row.area == "host name" && row.line == line && row.fact.path == *path)
        else {
            continue;
        };
        let title = format!(
            "{} of updates or protection lead{} elsewhere",
            if count == 1 { "A name".to_owned() } else { format!("{count} names") },
            if count == 1 { "s" } else { "" }
        );
        let identity = [path.as_bytes(), b"\0", severity.to_string().as_bytes()].concat();
        drafts.extend(weigh::draft(weight, &identity, title, path, line, &written, row));
    }
    for row in rows.iter() {
        let (weight, title) = match row.area.as_str() {
            "proxy" => (proxy(&row.name, &row.value), "Connections go through a stranger, or unchecked"),
            "package check" if row.name.as_bytes().ends_with(b"::proxy") => {
                (proxy(&"http_proxy".into(), &row.value), "Packages come through a stranger")
            }
            "name order" => (order(&row.name, &row.value), "Names are asked elsewhere first"),
            "resolver" => (resolver(&files, row.fact), "Names are asked of an odd resolver"),
            _ => continue,
        };
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let written = format!("{} {}", row.name, entry::short(&row.value)).into();
        drafts.extend(weigh::draft(
            weight,
            &identity,
            title.to_owned(),
            &row.path,
            row.line.max(1),
            &written,
            row,
        ));
    }
    for row in tables.of::<EnvironmentSetting>() {
        let name = Text::from(row.name.as_bytes().to_ascii_lowercase());
        let weight = proxy(&name, &row.value);
        let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes()].concat();
        let written = format!("{}={}", row.name, entry::short(&row.value)).into();
        let title = "Connections go through a stranger".to_owned();
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line.max(1), &written, &row));
    }
}

/// A name of /etc/hosts.
fn name(row: &SystemSetting, sources: &[Vec<u8>]) -> Weight {
    let name = String::from_utf8_lossy(row.name.as_bytes()).to_ascii_lowercase();
    if reach::of(name.as_bytes()) != Reach::Name {
        return Weight::default();
    }
    let own = sources.iter().any(|source| source.as_slice() == name.as_bytes());
    let organisation = ORGANISATIONS
        .iter()
        .any(|known| name.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let labels: Vec<&str> = name.split('.').collect();
    let spoken = labels
        .iter()
        .rev()
        .skip(2)
        .any(|label| label.split(|c: char| !c.is_ascii_alphabetic()).any(|part| PARTS.contains(&part)));
    if !(own || organisation || spoken) {
        return Weight::default();
    }
    let shown = entry::short(&row.name);
    let what = if own { "packages come from there" } else { "updates or warnings come from there" };
    match reach::of(row.value.as_bytes()) {
        Reach::Own | Reach::Nowhere if own || organisation => Weight::of(
            Severity::Medium,
            format!("{shown} leads to this machine itself, so nothing gets there; {what}"),
        ),
        Reach::Own | Reach::Nowhere => {
            Weight::of(Severity::Info, format!("{shown} leads to this machine itself"))
        }
        Reach::Private if own => {
            Weight::of(Severity::Info, format!("{shown} leads to {}, a private address", row.value))
        }
        Reach::Private => Weight::default(),
        _ if own || organisation => Weight::of(
            Severity::Medium,
            format!("{shown} leads to {}, whatever its owner says; {what}", row.value),
        ),
        _ => Weight::of(Severity::Info, format!("{shown} leads to {}", row.value)),
    }
}

/// A proxy, or a check that is left out. An administrator's own proxy has a name or a private address.
fn proxy(name: &Text, value: &Text) -> Weight {
    let text = value.as_bytes();
    match name.as_str().unwrap_or_default() {
        "insecure" => Weight::of(Severity::Low, "nobody checks whether it is the right server"),
        "check_certificate" | "check-certificate" | "sslverify" => {
            let off = [&b"off"[..], b"0", b"no", b"false"].iter().any(|word| text.eq_ignore_ascii_case(word));
            if off {
                Weight::of(Severity::Low, "nobody checks whether it is the right server")
            } else {
                Weight::default()
            }
        }
        "http_proxy" | "https_proxy" | "ftp_proxy" | "all_proxy" | "proxy" | "socks5" | "socks5-hostname"
        | "preproxy" | "x" | "socks_proxy" | "rsync_proxy" => match reach::of(reach::host(text)) {
            _ if text.is_empty()
                || text.contains(&b'$')
                || text == b"_none_"
                || text.eq_ignore_ascii_case(b"direct") =>
            {
                Weight::default()
            }
            Reach::Public => Weight::of(
                Severity::Medium,
                "the proxy is an address anywhere on the Internet, without a name",
            ),
            Reach::Hidden => Weight::of(Severity::Medium, "the proxy is a hidden service"),
            Reach::Own => Weight::of(Severity::Info, "the proxy is a program on this machine"),
            _ => Weight::default(),
        },
        _ => Weight::default(),
    }
}

/// The order of nsswitch.conf(5).
fn order(name: &Text, value: &Text) -> Weight {
    let words: Vec<&[u8]> =
        value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    if name == "hosts" && !words.is_empty() && !words.contains(&&b"files"[..]) {
        return Weight::of(Severity::Low, "/etc/hosts is not asked at all");
    }
    let local = words.iter().position(|word| matches!(*word, b"files" | b"compat" | b"db" | b"systemd"));
    if matches!(name.as_str(), Some("passwd" | "shadow" | "group")) && !words.is_empty() && local.is_none() {
        return Weight::of(Severity::Medium, "the accounts of this machine are not asked for at all");
    }
    Weight::default()
}

/// How the list of resolvers stands.
fn resolver(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let mut weight = Weight::default();
    let Some(file) = files.get(&row.path) else { return weight };
    let real = file.real.as_ref().unwrap_or(&row.path);
    let first = row.name == "nameserver" || row.name == "dns";
    if first && (weigh::is_open(real.as_bytes()) || entry::is_hidden(real.as_bytes())) {
        let reason = format!("it is {real}, where anybody may put files or nobody looks");
        weight = Weight { paths: vec![real.clone()], ..Weight::of(Severity::Medium, reason) };
    }
    if first && file.mode & 0o002 != 0 && file.what == "file" {
        weight = weight
            .and(Weight::of(Severity::Medium, format!("everybody may change it (mode {:04o})", file.mode)));
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn names_and_proxies_that_lead_elsewhere_are_found() {
        for (path, text) in [
            ("/etc/hosts", "127.0.0.1 localhost\n203.0.113.5 security.debian.org\n"),
            ("/etc/hosts", "0.0.0.0 database.clamav.net\n127.0.0.1 www.virustotal.com\n"),
            ("/etc/hosts", "198.51.100.7 pkg.vendor.example.org\n"),
            ("/etc/hosts", "::1 archive.ubuntu.com security.ubuntu.com\n"),
            ("/etc/environment", "https_proxy=http://203.0.113.9:3128\n"),
            ("/etc/apt/apt.conf.d/00p", "Acquire::http::Proxy \"http://203.0.113.9:8080\";\n"),
            ("/root/.curlrc", "proxy = socks5h://abcdef.onion:9050\n"),
            ("/etc/wgetrc", "http_proxy = http://198.51.100.4:80/\n"),
            ("/etc/nsswitch.conf", "passwd: extrausers\nhosts: files dns\n"),
        ] {
            let mem = Mem::new()
                .file("/etc/apt/sources.list.d/v.list", "deb https://pkg.vendor.example.org/x y main\n");
            let seen = check(mem.file(path, text));
            let found = seen.alarms("name-redirection");
            assert_eq!(found.len(), 1, "{path}: {text}: {:#?}", seen.by("name-redirection"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let linked = Mem::new()
            .file("/var/tmp/r", "nameserver 203.0.113.53\n")
            .symlink("/etc/resolv.conf", "/var/tmp/r");
        assert_eq!(check(linked).alarms("name-redirection").len(), 1);
    }

    #[test]
    fn what_administrators_write_is_quiet() {
        let seen = check(
            Mem::new()
                .file("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 srv.example.org srv\n10.0.0.5 db.internal db\n10.0.0.9 deb.debian.org\n203.0.113.20 www.example.org\n0.0.0.0 ads.example.com tracker.example.net\nff02::1 ip6-allnodes\n")
                .file("/etc/apt/sources.list", "deb http://deb.debian.org/debian x main\n")
                .file("/etc/environment", "http_proxy=http://proxy.example.org:3128\nno_proxy=localhost\n")
                .file("/etc/resolv.conf", "nameserver 9.9.9.9\nsearch example.org\n")
                .file("/etc/nsswitch.conf", "passwd: files systemd\nhosts: files mymachines dns myhostname\n")
                .file("/etc/apt/apt.conf.d/00p", "Acquire::http::Proxy \"http://10.0.0.2:3142\";\n"),
        );
        assert!(seen.alarms("name-redirection").is_empty(), "{:#?}", seen.by("name-redirection"));
    }
}
