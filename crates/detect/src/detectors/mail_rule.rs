//! Detector: letters are handed to somebody else, behind the back of whom they are for.

use crate::reach::{self, Reach};
use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry};
use calma_record::{Severity, Text, kinds::SystemSetting};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "mail-rule",
        doc: "A mailbox's filter hands letters on and hides them, a hidden filter stands before every mailbox, or the mail server sends copies away.",
        mechanisms: &[111],
        attack: &["T1564.008", "T1114.003"],
        why: "Somebody else reads the letters, and whom they are for never sees them.",
        innocent: "the owner of the mailbox, or you, set it up so: an archive, or a substitute's address",
        next: "ask the owner of the mailbox; look since when the rule stands, and keep it before it is removed",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    // Scripts that run for every mailbox.
    let everybody: BTreeSet<&Text> = tables
        .of::<SystemSetting>()
        .filter(|row| row.area == "mail rule" && row.name == "for-everybody")
        .map(|row| &row.fact.value)
        .collect();
    for row in tables.of::<SystemSetting>() {
        let (weight, title) = match row.area.as_str() {
            "mail rule" if row.name == "for-everybody" => {
                (place(&files, &row.value), "Every mailbox goes through a filter that stands at an odd place")
            }
            "mail rule" => {
                let global = everybody.contains(&row.fact.path);
                (redirect(&row, global), "A mail filter hands letters to somebody else")
            }
            "mail copy" => (copy(&row), "The mail server sends copies of letters to somebody else"),
            _ => continue,
        };
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let written = Text::from([row.name.as_bytes(), b" ", row.value.as_bytes()].concat());
        let draft =
            weigh::draft(weight, &identity, title.to_owned(), &row.path, row.line.max(1), &written, &row);
        drafts.extend(draft);
    }
}

fn place(files: &Files<'_>, path: &Text) -> Weight {
    let bytes = path.as_bytes();
    let packaged = files.get(path).is_some_and(|file| file.package.is_some());
    let reason = if entry::is_hidden(bytes) || weigh::is_deceptive(bytes) {
        "it is hidden"
    } else if weigh::is_open(bytes) {
        "it stands where anybody may put files"
    } else if weigh::is_packaged_place(bytes) && !packaged && !weigh::contains(bytes, b"/dovecot") {
        "it stands among the files of packages, and no package owns it"
    } else {
        return Weight::default();
    };
    Weight { paths: vec![path.clone()], ..Weight::of(Severity::Medium, reason) }
}

fn redirect(row: &SystemSetting, everybody: bool) -> Weight {
    let shown = entry::short(&row.value);
    match row.name.as_str().unwrap_or_default() {
        "redirect-chosen-away" => Weight::of(
            Severity::Medium,
            format!("certain letters go to {shown} and are thrown away or laid where nobody looks"),
        ),
        "redirect-away" => {
            let severity = if everybody { Severity::Medium } else { Severity::Low };
            Weight::of(severity, format!("all letters go to {shown}, and none is kept"))
        }
        _ if everybody => Weight::of(Severity::Medium, format!("letters of every mailbox go to {shown}")),
        _ => Weight::default(),
    }
}

fn copy(row: &SystemSetting) -> Weight {
    let value = row.value.as_bytes();
    let Some(domain) = value.rsplit(|b| *b == b'@').next().filter(|domain| domain.len() < value.len()) else {
        return Weight::default();
    };
    let domain = domain.to_ascii_lowercase();
    let organisation = |name: &[u8]| -> Vec<u8> {
        let mut labels: Vec<&[u8]> = name.rsplit(|b| *b == b'.').take(2).collect();
        labels.reverse();
        labels.join(&b'.')
    };
    let known: Vec<Vec<u8>> = row
        .whom
        .as_bytes()
        .split(|b| matches!(b, b' ' | b','))
        .filter(|name| name.contains(&b'.') && !name.contains(&b'/'))
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let own = known.iter().any(|name| organisation(name) == organisation(&domain));
    if own || reach::of(&domain) != Reach::Name {
        return Weight::default();
    }
    let severity = Severity::Medium;
    Weight::of(
        severity,
        format!("copies go to {}, which is none of this server's domains", entry::short(&row.value)),
    )
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn letters_handed_on_are_found() {
        let rule =
            "if header :contains \"subject\" [\"invoice\"] {\n redirect \"x@example.net\";\n discard;\n}\n";
        for (path, text) in [
            ("/var/vmail/example.org/me/.dovecot.sieve", rule),
            ("/var/mail/vhosts/example.org/me/sieve/own.sieve", rule),
            (
                "/home/me/.dovecot.sieve",
                "if anyof (body :contains \"iban\") { redirect \"a@b.example\"; fileinto \"Trash\"; }\n",
            ),
            ("/etc/dovecot/conf.d/99-x.conf", "plugin {\n sieve_before = /usr/lib/.x/a.sieve\n}\n"),
            ("/etc/dovecot/local.conf", "sieve_script a {\n path = /var/lib/.x/a.sieve\n}\n"),
            ("/etc/postfix/main.cf", "myhostname = m.example.org\nalways_bcc = a@x.example.net\n"),
            ("/etc/postfix/main.cf", "recipient_bcc_maps = static:a@x.other.net\n"),
        ] {
            let mem = Mem::new().file("/etc/passwd", "me:x:1000:1000::/home/me:/bin/sh\n");
            let seen = check(mem.file(path, text));
            let found = seen.alarms("mail-rule");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let seen = check(
            Mem::new()
                .file("/etc/dovecot/conf.d/90.conf", "plugin {\n sieve_after = /srv/s/a.sieve\n}\n")
                .file("/srv/s/a.sieve", "redirect :copy \"x@example.net\";\n"),
        );
        assert_eq!(seen.alarms("mail-rule").len(), 1, "{:#?}", seen.findings);
    }

    #[test]
    fn ordinary_rules_are_quiet() {
        let seen = check(
            Mem::new()
                .file("/etc/passwd", "me:x:1000:1000::/home/me:/bin/sh\n")
                .file("/home/me/.dovecot.sieve", "require \"fileinto\";\nif header :contains \"X-Spam\" \"yes\" { fileinto \"Junk\"; stop; }\nif address :is \"from\" \"a@b\" { discard; }\nredirect :copy \"me@example.net\";\n")
                .file("/etc/dovecot/conf.d/90-sieve.conf", "plugin {\n sieve = file:~/sieve;active=~/.dovecot.sieve\n sieve_before = /var/lib/dovecot/sieve/spam.sieve\n sieve_pipe_bin_dir = /usr/lib/dovecot/sieve-pipe\n}\n")
                .file("/etc/postfix/main.cf", "myhostname = mail.example.org\nalways_bcc = archive@example.org\n"),
        );
        assert!(seen.by("mail-rule").is_empty(), "{:#?}", seen.by("mail-rule"));
    }
}
