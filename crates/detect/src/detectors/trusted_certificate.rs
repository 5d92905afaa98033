//! Detector: programs trust an authority that came in an odd way.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, kinds::SystemSetting};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "trusted-certificate",
        doc: "An authority whose certificates programs trust passes for a public one, stands in an odd place, or is in the bundle alone.",
        mechanisms: &[79],
        attack: &["T1553.004"],
        why: "Whoever holds its key can pass for any server: updates, clouds, mail, whatever this server connects to.",
        innocent: "you or your company added its own authority",
        next: "compare the certificate's digest with your own list of authorities; remove it and run update-ca-certificates once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let rows: Vec<Row<'_, SystemSetting>> =
        tables.of::<SystemSetting>().filter(|row| row.area.ends_with("certificate")).collect();
    // Names of the authorities that packages bring; a stranger with one of these names passes for it.
    let (mut names, mut digests) = (BTreeSet::new(), BTreeSet::new());
    for row in rows.iter().filter(|row| row.package.is_some()) {
        names.insert(spoken(row.name.as_bytes()));
        digests.insert(row.value.as_bytes());
    }
    let mut seen: BTreeMap<&[u8], ()> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.package.is_none() && row.packages_known) {
        if digests.contains(row.value.as_bytes()) && row.area == "certificate" {
            continue;
        }
        let mut weight = Weight::default();
        let shown = entry::short(&row.name);
        let name = spoken(row.name.as_bytes());
        let known: Vec<&[u8]> = name.split(|b| *b == b'/').filter(|part| part.len() > 3).collect();
        let passes = names.iter().any(|other: &Vec<u8>| {
            other.split(|b| *b == b'/').filter(|part| part.len() > 3).any(|part| known.contains(&part))
        });
        if passes && !digests.contains(row.value.as_bytes()) {
            let reason =
                format!("it bears the name of a public authority ({shown}), but is another certificate");
            weight = weight.and(Weight::of(Severity::Medium, reason));
        }
        match row.area.as_str() {
            "bundled certificate" => {
                let reason =
                    format!("{shown} is in the bundle, but among no authorities that it is made from");
                weight = weight.and(Weight::of(Severity::Medium, reason));
            }
            "installed certificate" => {
                let file = row.path.file_name();
                let hashed = file.len() > 9
                    && file.iter().take(8).all(u8::is_ascii_hexdigit)
                    && file.get(8) == Some(&b'.');
                let what = files.get(&row.path).map(|file| file.what.clone()).unwrap_or_default();
                let real = files
                    .get(&row.path)
                    .and_then(|file| file.real.clone())
                    .unwrap_or_else(|| row.path.clone());
                if hashed && what == "file" && real == row.path {
                    weight = weight.and(Weight::of(
                        Severity::Medium,
                        format!("{shown} is trusted directly, past update-ca-certificates"),
                    ));
                }
                if weigh::is_open(real.as_bytes()) || entry::is_hidden(real.as_bytes()) {
                    let reason = format!("it is {real}, where anybody may put files or nobody looks");
                    weight = weight.and(Weight { paths: vec![real], ..Weight::of(Severity::Medium, reason) });
                }
            }
            _ => {
                if weigh::is_below(row.path.as_bytes(), b"/usr/share/ca-certificates") {
                    weight = weight.and(Weight::of(
                        Severity::Medium,
                        format!("{shown} stands among the authorities of packages, but no package owns it"),
                    ));
                }
                if entry::is_hidden(row.path.as_bytes()) {
                    weight = weight.and(Weight::of(Severity::Medium, "its name is made to be overlooked"));
                }
            }
        }
        if let Some(file) = files.get(&row.path).filter(|file| file.mode & 0o002 != 0 && file.what == "file")
        {
            let reason = format!("everybody may change it (mode {:04o})", file.mode);
            weight = weight.and(Weight::of(Severity::Medium, reason));
        }
        // One certificate in several places is one matter.
        if !weight.counts() || seen.insert(row.value.as_bytes(), ()).is_some() {
            continue;
        }
        let title = format!("An authority that programs trust came in an odd way: {shown}");
        drafts.extend(weigh::draft(weight, row.value.as_bytes(), title, &row.path, 1, &row.name, row));
    }
}

/// A name without what writers of it vary.
fn spoken(name: &[u8]) -> Vec<u8> {
    name.iter()
        .filter(|b| b.is_ascii_alphanumeric() || **b == b'/' || **b >= 0x80)
        .map(u8::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x82, (content.len() >> 8) as u8, (content.len() & 0xff) as u8];
        out.extend_from_slice(content);
        out
    }

    fn base64(bytes: &[u8]) -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
            let bits = (at(0) << 16) | (at(1) << 8) | at(2);
            for index in 0..4 {
                let letter = letters[((bits >> (18 - 6 * index)) & 63) as usize];
                out.push(if index > three.len() { '=' } else { char::from(letter) });
            }
        }
        out
    }

    /// A certificate that is nobody's: names and a number, no key and no signature.
    fn pem(organisation: &str, name: &str, number: u8) -> String {
        let attribute = |kind: u8, text: &str| {
            let pair = [value(6, &[0x55, 4, kind]), value(0x0c, text.as_bytes())].concat();
            value(0x31, &value(0x30, &pair))
        };
        let names = value(0x30, &[attribute(10, organisation), attribute(3, name)].concat());
        let body = [value(2, &[number]), value(0x30, b""), names.clone(), value(0x30, b""), names].concat();
        let der = value(0x30, &value(0x30, &body));
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&der))
    }

    fn host() -> Mem {
        let public = pem("Trusty Inc", "Trusty Root R1", 1);
        Mem::new()
            .file(
                "/var/lib/dpkg/info/ca-certificates.list",
                "/usr/share/ca-certificates/mozilla/Trusty_R1.crt\n",
            )
            .file("/usr/share/ca-certificates/mozilla/Trusty_R1.crt", &public)
            .symlink("/etc/ssl/certs/Trusty_R1.pem", "/usr/share/ca-certificates/mozilla/Trusty_R1.crt")
            .file("/etc/ssl/certs/ca-certificates.crt", &public)
    }

    #[test]
    fn odd_authorities_are_found() {
        for (path, text) in [
            ("/usr/local/share/ca-certificates/t.crt", pem("Trusty Inc.", "Trusty Root R2", 2)),
            ("/usr/share/ca-certificates/mozilla/Other.crt", pem("Other", "Other Root", 3)),
            ("/usr/local/share/ca-certificates/.x.crt", pem("X", "X Root", 4)),
            ("/etc/ssl/certs/1a2b3c4d.0", pem("Y", "Y Root", 5)),
            ("/etc/pki/ca-trust/source/anchors/a.pem", pem("Z", "Trusty Root R1", 6)),
            (
                "/etc/ssl/certs/ca-certificates.crt",
                pem("Trusty Inc", "Trusty Root R1", 1) + &pem("Q", "Q Root", 7),
            ),
        ] {
            let seen = check(host().file(path, &text));
            let found = seen.alarms("trusted-certificate");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.by("trusted-certificate"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn a_companys_own_authority_is_quiet() {
        let own = pem("Example GmbH", "Example Internal CA", 9);
        let bundle = pem("Trusty Inc", "Trusty Root R1", 1) + &own;
        let seen = check(
            host()
                .file("/usr/local/share/ca-certificates/example.crt", &own)
                .symlink("/etc/ssl/certs/example.pem", "/usr/local/share/ca-certificates/example.crt")
                .file("/etc/ssl/certs/ca-certificates.crt", &bundle)
                .file("/etc/ssl/certs/ssl-cert-snakeoil.pem", pem("", "srv", 8)),
        );
        assert!(seen.by("trusted-certificate").is_empty(), "{:#?}", seen.by("trusted-certificate"));
    }
}
