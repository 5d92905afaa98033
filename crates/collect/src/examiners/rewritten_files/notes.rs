//! Notes: the same small text in many directories, that speaks of encryption and payment.

use crate::Seen;
use calma_record::{Text, kinds};
use std::collections::{BTreeMap, HashMap};

/// A note stands in at least so many directories before it is read.
const DIRECTORIES: u32 = 3;
/// Notes are this small.
const LARGEST: u64 = 64 << 10;
/// Names that are counted.
const NAMES: usize = 200_000;
/// Names that are read.
const READ: usize = 2_000;

/// Small texts by name and length.
#[derive(Debug, Default)]
pub(super) struct Notes {
    met: HashMap<(Vec<u8>, u64), u32>,
    read: usize,
    /// Those that speak of it: words, one path, by name and length.
    told: BTreeMap<(Vec<u8>, u64), (Vec<String>, Text)>,
}

/// Whether a name and length may be a note's.
pub(super) fn may_be(name: &[u8], size: u64) -> bool {
    if !(32..=LARGEST).contains(&size) {
        return false;
    }
    match name.rsplit(|b| *b == b'.').next() {
        Some(ending) if ending.len() < name.len() => {
            let lower = ending.to_ascii_lowercase();
            matches!(
                lower.as_slice(),
                b"txt" | b"html" | b"htm" | b"hta" | b"md" | b"rtf" | b"log" | b"readme"
            )
        }
        _ => name.iter().any(u8::is_ascii_alphabetic),
    }
}

impl Notes {
    /// Counts a text; reads it when it stands in several directories.
    pub(super) fn meet(&mut self, seen: &Seen<'_>) {
        let key = (seen.name.as_bytes().to_vec(), seen.stat.size);
        if self.met.len() >= NAMES && !self.met.contains_key(&key) {
            return;
        }
        let count = self.met.entry(key.clone()).or_default();
        *count += 1;
        let count = *count;
        if count == DIRECTORIES && self.read < READ {
            self.read += 1;
            let words = seen.head().map(words).unwrap_or_default();
            if speaks_of_ransom(&words) {
                self.told.insert(key, (words.into_iter().map(str::to_owned).collect(), seen.path().into()));
            }
        }
    }

    /// The note that stands in most directories.
    pub(super) fn loudest(&self) -> Note {
        let told = self
            .told
            .iter()
            .map(|(key, (words, path))| (self.met.get(key).copied().unwrap_or_default(), key, words, path));
        told.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)))
            .map(|(count, _, words, path)| Note {
                directories: u64::from(count),
                words: words.clone(),
                path: Some(path.clone()),
            })
            .unwrap_or_default()
    }
}

/// A note that stands in many directories.
#[derive(Debug, Default)]
pub(super) struct Note {
    directories: u64,
    words: Vec<String>,
    path: Option<Text>,
}

impl Note {
    pub(super) fn is_loud(&self) -> bool {
        self.path.is_some()
    }

    pub(super) fn apply(&self, fact: &mut kinds::RewrittenFiles) {
        fact.note = self.path.clone();
        fact.notes = self.directories;
        fact.words = self.words.clone();
    }
}

/// What it is about, each of one side of such a letter: what was done, and what is asked.
const DONE: &[&str] =
    &["encrypt", "decrypt", "locked", "your files", "your data", "stolen", "leak", "exfiltrat", "crypted"];
const ASKED: &[&str] = &[
    "bitcoin",
    "btc",
    "monero",
    "xmr",
    "wallet",
    "ransom",
    "payment",
    "pay ",
    ".onion",
    "tor browser",
    "contact us",
    "deadline",
    "recover your",
    "restore your",
    "get back",
    "private key",
    "decryptor",
    "tox id",
];

fn words(head: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(head).to_lowercase();
    DONE.iter().chain(ASKED).copied().filter(|word| text.contains(word)).collect()
}

fn speaks_of_ransom(words: &[&str]) -> bool {
    let done = words.iter().filter(|word| DONE.contains(word)).count();
    let asked = words.iter().filter(|word| ASKED.contains(word)).count();
    done >= 2 && asked >= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_that_kind_are_told_from_documentation() {
        let letter = b"All your files have been encrypted! To decrypt them pay 1 BTC and visit abc.onion";
        assert!(speaks_of_ransom(&words(letter)));
        for plain in
            [&b"This library encrypts and decrypts data with AES."[..], b"Copyright. All rights reserved."]
        {
            assert!(!speaks_of_ransom(&words(plain)));
        }
        assert!(may_be(b"README_NOW.txt", 300) && may_be(b"HOW-TO", 300) && !may_be(b"a.docx", 300));
    }
}
