//! Detector: many files renamed or rewritten by one cause, as ransomware does.

use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::RewrittenFiles};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "rewritten-files",
        doc: "Many files were renamed or rewritten by one cause, or a note asking for payment lies in many directories.",
        mechanisms: &[113],
        attack: &["T1486"],
        why: "Programs that take files hostage go on as long as they run and reach shares and backups that are mounted.",
        innocent: "a backup or encryption program of yours renamed them on purpose",
        next: "cut the server off now, leave it switched on, and disconnect its backups; keep note and files for a decryptor",
    },
    judge,
};

/// Endings under which administrators encrypt on purpose.
const ON_PURPOSE: &[&[u8]] =
    &[b"gpg", b"pgp", b"age", b"enc", b"aes", b"crypt", b"cpt", b"vault", b"kbx", b"p7m", b"ccrypt"];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut told_with_note = false;
    let rows: Vec<_> = tables.of::<RewrittenFiles>().collect();
    for row in rows.iter().filter(|row| row.what != "note") {
        if let Some(draft) = rewritten(row) {
            told_with_note |= row.notes > 0;
            drafts.push(draft);
        }
    }
    for row in rows.iter().filter(|row| row.what == "note" && !told_with_note) {
        if let Some(path) = &row.note {
            let title = format!("A note that asks for payment lies in {} directories", row.notes);
            let draft = Draft::new(Severity::High, Certainty::Likely, path.file_name(), title)
                .saw(format!("it speaks of: {}", row.words.join(", ").trim()))
                .saw(format!("one of them is {path}"))
                .path(path)
                .from(row, "the same small text in many directories");
            drafts.push(draft);
        }
    }
}

fn rewritten(row: &Row<'_, RewrittenFiles>) -> Option<Draft> {
    let note = row.notes > 0;
    let random = row.sampled > 0 && row.random * 10 >= row.sampled * 8;
    let (title, enough) = match row.what.as_str() {
        "renamed" => {
            let ending = row.ending.as_bytes().to_ascii_lowercase();
            let purpose = ON_PURPOSE.contains(&ending.as_slice());
            let enough = random && (note || (!purpose && row.directories >= 2 && row.sampled >= 3));
            (
                format!(
                    "{} files in {} directories got the new ending \".{}\"",
                    row.files, row.directories, row.ending
                ),
                enough,
            )
        }
        "new" => {
            let ending = row.ending.as_bytes().to_ascii_lowercase();
            let enough =
                note || (row.directories >= 2 && row.files >= 10 && !ON_PURPOSE.contains(&ending.as_slice()));
            let title = format!(
                "{} files in {} directories have the ending \".{}\" and hold random bytes alone",
                row.files, row.directories, row.ending
            );
            (title, enough)
        }
        _ => (
            format!(
                "{} files in {} directories hold random bytes instead of what they are named",
                row.files, row.directories
            ),
            note || (row.files >= 8 && row.directories >= 2 && row.files * 10 >= row.sampled),
        ),
    };
    if !enough {
        return None;
    }
    let certainty = if note { Certainty::VeryLikely } else { Certainty::Likely };
    let severity = if row.what == "new" && !note { Severity::Medium } else { Severity::High };
    let identity = [row.what.as_bytes(), b" ", row.ending.as_bytes()].concat();
    let mut draft = Draft::new(severity, certainty, identity, title)
        .saw(format!(
            "{} of {} that were looked into hold nothing but random-looking bytes",
            row.random, row.sampled
        ))
        .saw(format!("their content was last changed between {} and {}", row.first, row.last));
    if let Some(path) = &row.note {
        draft = draft.saw(format!(
            "a note in {} directories, as {path}, speaks of: {}",
            row.notes,
            row.words.join(", ").trim()
        ));
    }
    for path in &row.examples {
        draft = draft.path(path);
    }
    if let Some(path) = &row.note {
        draft = draft.path(path);
    }
    Some(draft.from(row, "names and first bytes of many files"))
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn noise(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(1500)
        .collect()
    }

    fn tree(place: &str, ending: &str, content: impl Fn(u64) -> Vec<u8>) -> Mem {
        (0..24).fold(Mem::new(), |host, n| {
            host.file(format!("{place}/d{}/file{n}.{ending}", n % 3), content(n + 1))
        })
    }

    #[test]
    fn mass_renames_and_rewrites_are_one_finding() {
        for (place, ending) in [
            ("/home/u/docs", "pdf.lckd"),
            ("/srv/share", "xlsx.id-77.mail"),
            ("/var/www/html", "php.3xz9"),
            ("/var/lib/mysql", "ibd.crypted"),
            ("/home/u/pictures", "jpg"),
            ("/srv/data", "csv"),
            ("/home/u/all", "lukitus"),
        ] {
            let seen = check(tree(place, ending, noise));
            assert_eq!(seen.alarms("rewritten-files").len(), 1, "{place} {ending}: {:?}", seen.findings);
        }
        let letter = "Your files are encrypted. Pay in Monero within three days and we decrypt them.";
        let host = (0..5).fold(Mem::new(), |host, n| host.file(format!("/srv/s{n}/!!!READ.txt"), letter));
        assert_eq!(check(host).alarms("rewritten-files").len(), 1);
    }

    #[test]
    fn backups_compression_and_templates_are_not() {
        for (ending, content) in [
            ("sql.gpg", noise as fn(u64) -> Vec<u8>),
            ("log.gz", |n| [b"\x1f\x8b".as_slice(), &noise(n)].concat()),
            ("php.dist", |_| b"<?php echo 1; ".repeat(90)),
            ("html.mustache", |_| b"<p>{{x}}</p> ".repeat(90)),
            ("sst", |n| [b"\x01\x02store".as_slice(), &noise(n)].concat()),
            ("txt.blah", |_| b"plain words stay plain words ".repeat(60)),
        ] {
            let seen = check(tree("/srv/backup", ending, content));
            assert!(seen.by("rewritten-files").is_empty(), "{ending}: {:?}", seen.by("rewritten-files"));
        }
    }
}
