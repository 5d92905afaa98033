//! Detector: a key that everybody on the host may read, or that a web server hands out.

use crate::{Card, Detector, Draft, Row, Tables, weigh};
use calma_record::{Certainty, Severity, kinds::Secret};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "exposed-secret",
        doc: "A private key or credential that every account may read, or that stands where a web server serves files.",
        mechanisms: &[],
        attack: &["T1552.001", "T1552.004"],
        why: "Any account, also that of a web server, can take it along and come back with it, here or elsewhere.",
        innocent: "it is a key for tests that opens nothing",
        next: "change it from a clean machine, then make the file readable for its owner alone (mode 0600)",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    drafts.extend(tables.of::<Secret>().filter_map(|row| draft(&row)));
}

fn draft(row: &Row<'_, Secret>) -> Option<Draft> {
    let key = matches!(row.what.as_str(), "private-key" | "host-key" | "certificate-key" | "signing-key");
    let strong = key
        || matches!(
            row.what.as_str(),
            "cloud" | "code" | "kubernetes" | "machine" | "backup" | "password-hashes"
        );
    let path = row.path.as_bytes();
    if row.readable_by != "everybody"
        || row.encrypted == Some(true)
        || row.known_by == "environment"
        || row.package.is_some()
    {
        return None;
    }
    let hashes = matches!(path, b"/etc/shadow" | b"/etc/shadow-");
    let home = weigh::contains(path, b"/.ssh/") || weigh::is_below(path, b"/root");
    let (severity, title) = match row.what.as_str() {
        _ if hashes => (Severity::High, "Every account may read the password hashes of this server"),
        _ if key && row.served => (Severity::Medium, "A private key stands where a web server serves files"),
        "host-key" => (Severity::Medium, "Every account may read this server's own SSH key"),
        "private-key" if home || weigh::is_below(path, b"/etc") => {
            (Severity::Medium, "Every account may read an SSH private key")
        }
        "private-key" if weigh::is_open(path) => {
            (Severity::Medium, "An SSH private key lies where everybody may write and read")
        }
        "password-hashes" | "agent" | "trust" => return None,
        _ if row.own => return None,
        _ if strong => (Severity::Low, "Every account may read a key or credential"),
        _ => return None,
    };
    let mut draft = Draft::new(severity, Certainty::Likely, path, title)
        .saw(format!("{} is {}", row.path, row.words))
        .saw(format!("its mode is {:04o}, and every folder above it is open", row.mode))
        .path(&row.path)
        .from(row, "who may read it");
    if row.served {
        draft = draft.saw("it stands in a folder that a web server serves");
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n";

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    }

    #[test]
    fn keys_that_everybody_may_read_are_found() {
        for path in [
            "/etc/ssh/ssh_host_rsa_key",
            "/home/me/.ssh/id_ed25519",
            "/root/x",
            "/etc/deploy/key",
            "/var/www/html/site.key",
            "/dev/shm/k",
        ] {
            let seen = check(host().directory("/var/www/html").file(path, KEY));
            assert_eq!(seen.alarms("exposed-secret").len(), 1, "{path}: {:#?}", seen.findings);
        }
        let seen = check(host().file("/etc/shadow", "me:$y$j9T$salt$0123456789abcdef:20001:0:99999:7:::\n"));
        assert_eq!(seen.alarms("exposed-secret").len(), 1);
    }

    #[test]
    fn kept_keys_and_settings_of_sites_are_silent() {
        let protected = KEY.replace("BG5vbmUAAAAEbm9uZQ", "CmFlczI1Ni1jdHIAAAAGYmNyeXB0");
        let seen = check(
            host()
                .file("/home/me/.ssh/id_a", KEY)
                .owned("/home/me/.ssh/id_a", 0o600, 1000, 1000)
                .file("/home/me/.ssh/id_b", protected)
                .file("/root/k", KEY)
                .owned("/root", 0o700, 0, 0)
                .file("/var/www/html/wp-config.php", "<?php\ndefine( 'DB_PASSWORD', 'abcdefg' );\n")
                .file("/etc/shadow", "me:$y$j9T$salt$0123456789abcdef:20001:0:99999:7:::\n")
                .owned("/etc/shadow", 0o640, 0, 42),
        );
        assert!(seen.by("exposed-secret").is_empty(), "{:#?}", seen.findings);
    }
}
