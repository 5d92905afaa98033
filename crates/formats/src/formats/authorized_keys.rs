//! Keys that open an account over SSH: AUTHORIZED_KEYS FILE FORMAT in sshd(8).

use crate::{Format, lines};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use calma_record::{Digest, Text};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "authorized_keys",
    doc: "Public keys that open an account, with their options.",
    manual: "sshd(8), AUTHORIZED_KEYS FILE FORMAT",
    samples: &[
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home\n",
        b"# note\nfrom=\"10.0.0.0/8,!10.1.1.1\",command=\"/usr/bin/rsync \\\"--server\\\"\",no-pty ssh-rsa AAAAB3NzaC1yc2E= a b c\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Line number, from 1.
    pub line: u32,
    /// Blanks before the entry begins.
    pub indent: u32,
    /// Options, each as `name` or `name=value` with the quotes of the value taken away.
    pub options: Vec<Text>,
    /// Key type.
    pub algorithm: String,
    /// SHA-256 of the key in base64 without padding, as ssh-keygen(1) shows it.
    pub fingerprint: String,
    /// Everything behind the key.
    pub comment: Text,
}

/// The keys of a file. Lines without a key of a known form are left out, as sshd(8) does.
pub fn parse(bytes: &[u8]) -> Vec<Key> {
    lines::meaningful_untrimmed(bytes)
        .filter_map(|(line, text)| {
            let entry = text.trim_ascii();
            let indent = text.len().saturating_sub(text.trim_ascii_start().len());
            let (options, key) = if is_algorithm(first_word(entry)) {
                (Vec::new(), entry)
            } else {
                let end = end_of_options(entry);
                (options(entry.get(..end)?), entry.get(end..)?.trim_ascii_start())
            };
            let algorithm = first_word(key);
            if !is_algorithm(algorithm) {
                return None;
            }
            let rest = key.get(algorithm.len()..)?.trim_ascii_start();
            let blob = first_word(rest);
            let comment = rest.get(blob.len()..)?.trim_ascii();
            let decoded =
                BASE64_STANDARD.decode(blob).or_else(|_| BASE64_STANDARD_NO_PAD.decode(blob)).ok()?;
            Some(Key {
                line,
                indent: u32::try_from(indent).unwrap_or(u32::MAX),
                options,
                algorithm: String::from_utf8_lossy(algorithm).into_owned(),
                fingerprint: BASE64_STANDARD_NO_PAD.encode(Digest::of(&decoded).0),
                comment: comment.into(),
            })
        })
        .collect()
}

fn first_word(text: &[u8]) -> &[u8] {
    text.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default()
}

/// Key types of ssh-keygen(1), by how their names are built.
fn is_algorithm(word: &[u8]) -> bool {
    let families = [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-", b"webauthn-sk-", b"rsa-sha2-"];
    families.iter().any(|family| word.starts_with(family))
        && word.len() < 80
        && word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.'))
}

/// Where the options end: at the first blank outside quotes.
fn end_of_options(text: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn options(text: &[u8]) -> Vec<Text> {
    let (mut quoted, mut escaped) = (false, false);
    let mut all = Vec::new();
    let mut current = Vec::new();
    for byte in text {
        match byte {
            _ if escaped => {
                escaped = false;
                if *byte != b'"' {
                    current.push(b'\\');
                }
                current.push(*byte);
            }
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => all.push(Text::from(std::mem::take(&mut current))),
            _ => current.push(*byte),
        }
    }
    all.push(current.into());
    all.retain(|option| !option.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_comment_and_fingerprint_come_out() {
        let keys = parse(FORMAT.samples[1]);
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].options[1], "command=/usr/bin/rsync \"--server\"");
        assert_eq!(keys[0].comment, "a b c");
        assert_eq!(keys[0].line, 2);
        let keys = parse(FORMAT.samples[0]);
        // ssh-keygen -lf gives the same.
        assert_eq!(keys[0].fingerprint.len(), 43);
    }
}
