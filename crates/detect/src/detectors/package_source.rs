//! Detector: packages or modules are taken from an odd place, or without looking at who signed them.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "package-source",
        doc: "Packages or modules are taken without checking who signed them, or from an odd address; a key they are checked with can be changed by others.",
        mechanisms: &[79, 51],
        attack: &["T1195.002", "T1553"],
        why: "Whoever holds that address, or the way to it, can install anything here as root, at the next ordinary update.",
        innocent: "you use a repository of your own and did not sign it",
        next: "do not install or update before you know who set this; then remove the line, or sign the repository",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<SystemSetting>() {
        let (weight, title) = match row.area.as_str() {
            "package source" => (source(&row), "Packages are taken from somewhere without a check"),
            "package check" => (check(&row), "Packages are installed without a check"),
            "index source" => (index(&row), "Modules are taken from an odd place"),
            "keyring" => (keyring(&files, &row), "A key that packages are checked with stands open"),
            _ => continue,
        };
        let written = format!("{} {}", entry::short(&row.name), entry::short(&row.value));
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let written = written.trim().into();
        drafts.extend(weigh::draft(
            weight,
            &identity,
            title.to_owned(),
            &row.path,
            row.line.max(1),
            &written,
            &row,
        ));
    }
}

fn has(row: &SystemSetting, options: &[&str]) -> bool {
    let all = row.value.as_bytes().split(|b| *b == b' ');
    all.into_iter().any(|word| options.iter().any(|option| word == option.as_bytes()))
}

/// How bad it is to take something from an address that nothing vouches for.
fn unchecked(address: &[u8]) -> Severity {
    if address.starts_with(b"file:") || address.starts_with(b"cdrom:") || address.starts_with(b"/") {
        let open = weigh::is_open(
            address.strip_prefix(b"file://").or(address.strip_prefix(b"file:")).unwrap_or(address),
        );
        return if open { Severity::Medium } else { Severity::Info };
    }
    match reach::of(reach::host(address)) {
        Reach::Own | Reach::Private => Severity::Low,
        _ => Severity::Medium,
    }
}

fn source(row: &SystemSetting) -> Weight {
    let uri = row.name.as_bytes();
    let mut weight = Weight::default();
    // pacman's own keyring is checked unless it says otherwise; yum's default is to check.
    let off = [
        "trusted=yes",
        "allow-insecure=yes",
        "gpgcheck=0",
        "gpgcheck=no",
        "gpgcheck=false",
        "siglevel=never",
        "siglevel=optional trustall",
    ];
    let never = row.value.as_bytes().windows(8).any(|window| window == b"trustall");
    if has(row, &off) || never {
        let severity = if uri.is_empty() { Severity::Medium } else { unchecked(uri) };
        weight = weight.and(Weight::of(severity, "nobody checks who made these packages"));
    } else if has(row, &["allow-weak=yes", "check-valid-until=no"]) {
        weight = weight.and(Weight::of(Severity::Info, "its signature is checked less strictly"));
    }
    if has(row, &["sslverify=0", "sslverify=false", "sslverify=no"]) {
        weight = weight.and(Weight::of(Severity::Low, "nobody checks whether it is that server"));
    }
    match reach::of(reach::host(uri)) {
        Reach::Hidden => {
            weight = weight.and(Weight::of(Severity::Low, "it is reached through a hidden service"));
        }
        Reach::Public if row.whom == "apk" || !uri.is_empty() => {
            weight = weight.and(Weight::of(Severity::Low, "it is an address without a name"));
        }
        _ => {}
    }
    let signed = row.value.as_bytes().split(|b| *b == b' ').find_map(|word| word.strip_prefix(b"signed-by="));
    if let Some(key) = signed.filter(|key| weigh::is_open(key) || entry::is_hidden(key)) {
        let reason = format!(
            "its key stands in {}, where anybody may put files or nobody looks",
            calma_record::Text::from(key)
        );
        weight = weight.and(Weight { paths: vec![key.into()], ..Weight::of(Severity::Medium, reason) });
    }
    weight
}

fn check(row: &SystemSetting) -> Weight {
    let name = row.name.as_str().unwrap_or_default();
    let value = row.value.as_bytes().to_ascii_lowercase();
    let on = matches!(value.as_slice(), b"1" | b"true" | b"yes" | b"on");
    let off = matches!(value.as_slice(), b"0" | b"false" | b"no" | b"off");
    if on && (name.ends_with("allowunauthenticated") || name.ends_with("allowinsecurerepositories")) {
        return Weight::of(Severity::Medium, "packages that nobody signed are installed as well");
    }
    if on
        && (name.ends_with("allowweakrepositories") || name.ends_with("allowdowngradetoinsecurerepositories"))
    {
        return Weight::of(Severity::Low, "packages with a weak signature are installed as well");
    }
    if off && (name.ends_with("verify-peer") || name.ends_with("verify-host")) {
        return Weight::of(Severity::Medium, "nobody checks whether it is the right server");
    }
    Weight::default()
}

fn index(row: &SystemSetting) -> Weight {
    let (name, value) = (row.name.as_str().unwrap_or_default(), row.value.as_bytes());
    let host = reach::host(value);
    let far = reach::of(host);
    if name == "strict-ssl" {
        let off = value.eq_ignore_ascii_case(b"false");
        return if off {
            Weight::of(Severity::Low, "nobody checks whether it is the right server")
        } else {
            Weight::default()
        };
    }
    let address = value.windows(3).any(|window| window == b"://");
    if matches!(name, "trusted-host" | "unsafehttpwhitelist") {
        return match far {
            Reach::Public | Reach::Hidden => {
                Weight::of(Severity::Medium, "it is trusted without a check, by its address alone")
            }
            Reach::Name => Weight::of(Severity::Low, "it is trusted without a check"),
            _ => Weight::default(),
        };
    }
    if name == "cafile" || name.ends_with("proxy") || !address {
        return Weight::default();
    }
    let open = value.starts_with(b"http://");
    match far {
        Reach::Hidden => Weight::of(Severity::Medium, "modules come from a hidden service"),
        Reach::Public => Weight::of(Severity::Medium, "modules come from an address without a name"),
        Reach::Name if open => {
            Weight::of(Severity::Medium, "modules come over a connection that nothing protects")
        }
        _ => Weight::default(),
    }
}

fn keyring(files: &Files<'_>, row: &Row<'_, SystemSetting>) -> Weight {
    let mut weight = Weight::default();
    let Some(file) = files.get(&row.path) else { return weight };
    let what = file.what.as_str();
    if what == "file" && (file.mode & 0o002 != 0 || file.uid != 0) {
        let reason =
            format!("somebody other than root may change it (mode {:04o}, user id {})", file.mode, file.uid);
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    let real = file.real.as_ref().unwrap_or(&row.path);
    if weigh::is_open(real.as_bytes()) {
        let reason = format!("it is {real}, where anybody may put files");
        weight = weight.and(Weight { paths: vec![real.clone()], ..Weight::of(Severity::Medium, reason) });
    } else if weigh::is_deceptive(row.path.as_bytes()) {
        weight = weight.and(Weight::of(Severity::Medium, "its name is made to be overlooked"));
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn unchecked_sources_and_open_keys_are_found() {
        for (path, text) in [
            (
                "/etc/apt/sources.list.d/x.list",
                "deb [trusted=yes] http://pkg.example.org/debian stable main\n",
            ),
            ("/etc/apt/sources.list", "deb [ arch=amd64 Trusted=yes ] https://203.0.113.4/d x main\n"),
            (
                "/etc/apt/sources.list.d/y.sources",
                "Types: deb\nURIs: http://pkg.example.org\nSuites: x\nTrusted: yes\n",
            ),
            (
                "/etc/apt/sources.list.d/z.list",
                "deb [signed-by=/var/tmp/k.gpg] https://pkg.example.org x main\n",
            ),
            ("/etc/apt/apt.conf.d/99x", "APT::Get::AllowUnauthenticated \"true\";\n"),
            ("/etc/apt/apt.conf.d/99y", "Acquire::https::Verify-Peer \"false\";\n"),
            ("/etc/apt/apt.conf", "Acquire { AllowInsecureRepositories \"1\"; };\n"),
            ("/etc/yum.repos.d/x.repo", "[x]\nbaseurl=http://pkg.example.org/x\ngpgcheck=0\n"),
            ("/etc/pacman.conf", "[x]\nSigLevel = Never\nServer = http://pkg.example.org/x\n"),
            ("/etc/pip.conf", "[global]\nindex-url = http://pypi.example.org/simple\n"),
            ("/root/.npmrc", "registry=http://203.0.113.4:4873/\n"),
            ("/home/me/.config/pip/pip.conf", "[global]\nextra-index-url = https://203.0.113.4/simple\n"),
            ("/root/.gemrc", ":sources:\n- http://gems.example.org/\n"),
        ] {
            let seen = check(Mem::new().directory("/home/me").file(path, text));
            let found = seen.alarms("package-source");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("package-source"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let open =
            Mem::new().file("/usr/share/keyrings/x.gpg", "k").owned("/usr/share/keyrings/x.gpg", 0o666, 0, 0);
        assert_eq!(check(open).alarms("package-source").len(), 1);
    }

    #[test]
    fn signed_and_local_sources_are_quiet() {
        let seen = check(
            Mem::new()
                .file("/etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main\ndeb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian bookworm stable\ndeb [trusted=yes] file:/srv/repo ./\n")
                .file("/etc/apt/keyrings/docker.asc", "k")
                .file("/etc/apt/sources.list.d/debian.sources", "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: x\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
                .file("/etc/apt/apt.conf.d/01x", "APT::Periodic::Unattended-Upgrade \"1\";\nAcquire::http::Proxy \"http://apt.example.org:3142\";\n")
                .file("/etc/yum.repos.d/x.repo", "[x]\nmirrorlist=https://mirrors.example.org\ngpgcheck=1\n[debug]\nbaseurl=http://x.org\ngpgcheck=0\nenabled=0\n")
                .file("/root/.npmrc", "registry=https://npm.example.org/\n//npm.example.org/:_authToken=x\n")
                .file("/etc/pip.conf", "[global]\nindex-url = https://pypi.example.org/simple\ntrusted-host = pypi.lan\nbreak-system-packages = true\n"),
        );
        assert!(seen.alarms("package-source").is_empty(), "{:#?}", seen.by("package-source"));
    }
}
