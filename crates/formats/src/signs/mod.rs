//! Lists of signs of an intrusion (indicators of compromise) as people exchange them: plain lines, CSV, MISP events, STIX
//! bundles.
//!
//! A list comes from people who had other things to do than to please a parser: what is understood is handed out one by one,
//! what is not is named with its line, and nothing stops the rest.

mod csv;
mod guess;
mod misp;
mod pattern;
mod place;
mod plain;
mod stix;

pub use guess::{guess, of_type};

/// What a sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// MD5 of a file, 32 hexadecimal digits.
    Md5,
    /// SHA-1 of a file, 40 digits.
    Sha1,
    /// SHA-256 of a file, 64 digits.
    Sha256,
    /// Name of a file, without its folder; may hold `*` and `?`.
    Name,
    /// Path; may hold `*` and `?`.
    Path,
    /// Address, or network as `ADDRESS/LENGTH`.
    Address,
    /// Name of a host or domain; names below it count too.
    Domain,
    /// Fingerprint of an ssh key, `SHA256:` and base64 without padding, as ssh-keygen(1) prints it.
    Key,
}

impl Sort {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Name => "file name",
            Self::Path => "path",
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Key => "ssh key",
        }
    }
}

/// One sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What it is.
    pub sort: Sort,
    /// Its value in the form named at [`Sort`].
    pub value: String,
    /// How bad it is in the list's own word, or empty.
    pub severity: String,
    /// What the list says of it, or empty.
    pub note: String,
}

/// A sign, or what could not be understood, with its line from 1.
pub type Found = (usize, Result<Sign, String>);

/// Reads a list of any of these forms.
pub fn read(bytes: &[u8], each: &mut dyn FnMut(Found)) {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let start = text.trim_start();
    if start.starts_with('{') || start.starts_with('[') {
        let head: String = start.chars().take(4096).collect();
        if head.contains("\"Event\"") || head.contains("\"Attribute\"") || head.contains("\"response\"") {
            misp::read(&text, each);
        } else {
            stix::read(&text, each);
        }
    } else if csv::is_csv(&text) {
        csv::read(&text, each);
    } else {
        plain::read(&text, each);
    }
}

/// A sign of a value whose sort was told or guessed.
fn sign(sort: Sort, value: String) -> Sign {
    Sign { sort, value, severity: String::new(), note: String::new() }
}

/// The first so many letters.
fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn all(text: &str) -> (Vec<Sign>, Vec<(usize, String)>) {
        let (mut signs, mut faults) = (Vec::new(), Vec::new());
        read(text.as_bytes(), &mut |(line, found)| match found {
            Ok(sign) => signs.push(sign),
            Err(what) => faults.push((line, what)),
        });
        (signs, faults)
    }

    #[test]
    fn every_form_is_recognised_and_cut_samples_are_survived() {
        let samples = [
            "# list\n192.0.2.7\n",
            "type,value\nmd5,d41d8cd98f00b204e9800998ecf8427e\n",
            "{\"Event\":{\"info\":\"x\",\"Attribute\":[{\"type\":\"ip-dst\",\"value\":\"192.0.2.7\",\"comment\":\"c2\"}]}}",
            "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"name\":\"n\",\"pattern_type\":\"stix\",\"pattern\":\"[ipv4-addr:value = '192.0.2.7']\"}]}",
        ];
        for sample in samples {
            assert_eq!(all(sample).0.len(), 1, "{sample}");
            for length in 0..sample.len() {
                all(&sample[..length]);
            }
        }
        for odd in ["", "{", "[", "\"", "{}", "[]", "null,\"", "\u{feff}a", "[[[[[[", "type,value", "[1,2]"] {
            all(odd);
        }
    }
}
