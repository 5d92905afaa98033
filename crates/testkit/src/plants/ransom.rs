//! What ransomware leaves: many small files under new names, with noise in them, and a note in every folder.

use super::{Maker, Plant, RANSOM, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[(RANSOM, 4, ransom)];

const ORIGINALS: &[&str] =
    &["invoice", "contract", "photo", "report", "plan", "backup", "letter", "orders", "customers", "salary"];
const ENDINGS: &[&str] = &["docx", "xlsx", "pdf", "jpg", "sql", "tar.gz", "csv", "odt", "pst", "vmdk"];

/// Bytes without a pattern, as encryption leaves them.
fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.below(256) as u8).collect()
}

fn ransom(shape: usize, random: &mut Random) -> Plant {
    let place = random.pick(&["/srv/data", "/home/files", "/var/www/html/storage", "/srv/samba/office"]);
    let ending = match shape {
        0 => random.letters(7),
        1 => format!(
            "id-{}.[{}@mail.test].{}",
            random.hex(8).to_uppercase(),
            random.letters(6),
            random.letters(5)
        ),
        2 => random.pick(&["locked", "encrypted", "crypted", "enc"]).to_owned(),
        _ => random.hex(6),
    };
    let (note, html) = match shape {
        0 => (format!("README_{}.txt", random.letters(5).to_uppercase()), false),
        1 => ("HOW_TO_RESTORE_FILES.html".to_owned(), true),
        2 => ("!!!_IMPORTANT_!!!.txt".to_owned(), false),
        _ => (format!("{}-DECRYPT.txt", random.letters(6)), false),
    };
    let id = random.hex(32);
    let text = format!(
        "Your files have been encrypted with a strong algorithm. Do not rename them. To get the key pay 0.{} bitcoin and write to {}@mail.test with your id {id}. After 72 hours your data will be published.\n",
        random.below(90),
        random.letters(7)
    );
    let text = if html { format!("<html><body><p>{text}</p></body></html>\n") } else { text };
    let mut plant =
        Plant::new(RANSOM, "files under new names, with noise in them, and a note in every folder");
    for folder in 0..4 {
        let folder = format!("{place}/{}{folder}", random.pick(&["year", "team", "customer"]));
        for number in 0..12 {
            let name = format!("{}-{number}.{}", random.pick(ORIGINALS), random.pick(ENDINGS));
            let length = 2000 + random.below(4000);
            let name = if shape == 3 { random.hex(24) } else { name };
            plant = plant.file(format!("{folder}/{name}.{ending}"), noise(random, length), 0o644);
        }
        plant = plant
            .file(format!("{folder}/{note}"), text.clone(), 0o644)
            .expect(format!("{folder}/{note}"))
            .expect(folder);
    }
    plant.expect(place)
}

pub(super) fn near() -> Vec<Plant> {
    let mut random = Random::new(4, 4);
    let mut vault = Plant::new(RANSOM, "backups that their owner encrypts, with a note how to read them");
    for number in 0..60 {
        let name = format!("/srv/vault/2026-{:02}/db-{number:02}.sql.gz.gpg", 1 + number % 12);
        vault = vault.file(name, noise(&mut random, 2000), 0o600);
    }
    vault = vault.file(
        "/srv/vault/README.txt",
        "Encrypted backups. To restore: gpg -d FILE | gunzip | psql. The key is in the safe.\n",
        0o644,
    );
    let mut cache = Plant::new(RANSOM, "pictures and a cache with meaningless names");
    for number in 0..60 {
        let name = random.hex(32);
        cache = cache
            .file(format!("/srv/cache/{}/{name}", &name[..2]), noise(&mut random, 1500), 0o644)
            .file(format!("/srv/pictures/{number:03}.jpg.webp"), noise(&mut random, 1500), 0o644);
    }
    vec![vault, cache.step(Step::Folder("/srv/cache/tmp".into(), 0o700))]
}
