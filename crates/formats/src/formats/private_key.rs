//! Private keys and stores of keys by their first bytes. What a key holds never leaves this file, only its kind.

use crate::Format;
use base64::Engine as _;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "private_key",
    doc: "Kinds of private keys and key stores, and whether a passphrase protects them.",
    manual: "RFC 7468, OpenSSH PROTOCOL.key, PuTTY appendix C, RFC 9580, RFC 7292, gpg-agent keyformat.txt, MIT Kerberos keytab and ccache formats",
    samples: &[
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n",
        b"Bag Attributes\n  x: y\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n",
        b"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: aes256-cbc\r\nComment: x\r\n",
        b"Created: 20240101T000000\nKey: (protected-private-key (rsa (n #00#)))\n",
        b"(21:protected-private-key(3:rsa))",
        b"\x30\x82\x10\x20\x02\x01\x03\x30\x82",
        b"\x05\x02\x00\x00\x00\x10",
        b"\xfe\xed\xfe\xed\x00\x00\x00\x02",
        b"# created: x\n# public key: age1x\nAGE-SECRET-KEY-1\n",
    ],
    feed: |bytes| {
        let _key = recognise(bytes);
    },
};

/// What kind of key or store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A key in OpenSSH's own format, ssh.com's, or SSH protocol 1's.
    OpenSsh,
    /// A key in PEM form (RFC 7468): of a TLS server, an authority, or SSH in its older form.
    Pem,
    /// PuTTY's format.
    Putty,
    /// An OpenPGP secret key or keyring, or a secret key of gpg-agent.
    OpenPgp,
    /// A PKCS #12 or Java key store.
    KeyStore,
    /// A Kerberos key table.
    Keytab,
    /// A Kerberos ticket cache.
    Tickets,
    /// A key of age, minisign or signify.
    FileKey,
    /// The key of a Tor service.
    Tor,
    /// A DNSSEC zone key of BIND.
    Zone,
    /// A password store of KeePass.
    PasswordStore,
}

/// A key that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Whether a passphrase protects it; `None` if the format does not say at its beginning.
    pub encrypted: Option<bool>,
}

/// A key file may begin with so much other text (certificates, comments of openssl pkcs12).
const HEAD: usize = 64 << 10;

/// The kind of key that the file's beginning shows.
pub fn recognise(bytes: &[u8]) -> Option<Key> {
    let bytes = bytes.get(..HEAD.min(bytes.len())).unwrap_or_default();
    binary(bytes).or_else(|| text(bytes))
}

fn key(kind: Kind, encrypted: Option<bool>) -> Option<Key> {
    Some(Key { kind, encrypted })
}

fn binary(bytes: &[u8]) -> Option<Key> {
    match bytes {
        [0x05, 0x02, 0, 0, ..] => key(Kind::Keytab, Some(false)),
        [0x05, 0x04, 0, length, ..] if *length <= 64 => key(Kind::Tickets, Some(false)),
        [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, ..] | [0xce, 0xce, 0xce, 0xce, 0, 0, 0, ..] => {
            key(Kind::KeyStore, Some(true))
        }
        [0x03, 0xd9, 0xa2, 0x9a, 0x65..=0x67, 0xfb, 0x4b, 0xb5, ..] => key(Kind::PasswordStore, Some(true)),
        // SEQUENCE of version 3 and content info: PFX (RFC 7292 section 4).
        [0x30, 0x82, _, _, 0x02, 0x01, 0x03, 0x30, ..] => key(Kind::KeyStore, Some(true)),
        // Secret-key packets, old and new form, version 4 or 6 (RFC 9580 section 4.2 and 5.5.2).
        [0x95, _, _, 4, ..] | [0x94, _, 4, ..] | [0xc5, 0xc0..=0xdf, _, 4 | 6, ..] | [0xc5, _, 4 | 6, ..] => {
            key(Kind::OpenPgp, None)
        }
        _ if bytes.starts_with(b"SSH PRIVATE KEY FILE FORMAT 1.1\n\0") => {
            key(Kind::OpenSsh, bytes.get(33).map(|cipher| *cipher != 0))
        }
        _ if bytes.starts_with(b"== ed25519v1-secret: type0 ==") => key(Kind::Tor, Some(false)),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<Key> {
    if bytes.starts_with(b"PuTTY-User-Key-File-") {
        let line = lines(bytes).find_map(|line| line.strip_prefix(b"Encryption:"));
        return key(Kind::Putty, line.map(|cipher| cipher.trim_ascii() != b"none"));
    }
    if bytes.starts_with(b"Private-key-format: v1.") {
        return key(Kind::Zone, Some(false));
    }
    // gpg-agent: canonical S-expressions, or its extended form with a line `Key:`.
    if bytes.starts_with(b"(11:private-key") || bytes.starts_with(b"(20:shadowed-private-key") {
        return key(Kind::OpenPgp, Some(false));
    }
    if bytes.starts_with(b"(21:protected-private-key") {
        return key(Kind::OpenPgp, Some(true));
    }
    for (at, line) in lines(bytes).enumerate() {
        if at < 64 {
            if let Some(expression) = line.strip_prefix(b"Key: (") {
                let protected = expression.starts_with(b"protected-private-key");
                return (protected || expression.starts_with(b"private-key"))
                    .then_some(Key { kind: Kind::OpenPgp, encrypted: Some(protected) });
            }
            if line.starts_with(b"AGE-SECRET-KEY-1") {
                return key(Kind::FileKey, Some(false));
            }
            if at == 0 && line.starts_with(b"untrusted comment:") && has(line, b"secret key") {
                return key(Kind::FileKey, Some(has(line, b"encrypted")));
            }
        }
        if let Some(found) = armoured(bytes, line) {
            return Some(found);
        }
    }
    None
}

/// The key behind a line `-----BEGIN … PRIVATE KEY-----`; the line may stand indented, as in YAML, or within quotes.
fn armoured(bytes: &[u8], line: &[u8]) -> Option<Key> {
    let at =
        find(line, b"-- BEGIN ").map(|at| at + 9).or_else(|| find(line, b"--BEGIN ").map(|at| at + 8))?;
    let label = line.get(at..)?;
    let label = label.get(..find(label, b"--")?)?.trim_ascii();
    // Behind the line's end, or behind an escaped one where the key is a text of JSON.
    let line_at = (line.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
    let behind = bytes.get(line_at.checked_add(at)?..)?;
    let body = behind.get(find(behind, b"--")?..)?;
    let body = body.get(body.iter().position(|b| *b != b'-')?..)?;
    match label {
        b"OPENSSH PRIVATE KEY" => key(Kind::OpenSsh, cipher(body).map(|cipher| cipher != b"none")),
        b"SSH2 ENCRYPTED PRIVATE KEY" => key(Kind::OpenSsh, None),
        b"ENCRYPTED PRIVATE KEY" => key(Kind::Pem, Some(true)),
        b"PGP PRIVATE KEY BLOCK" => key(Kind::OpenPgp, None),
        b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"DSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"ANY PRIVATE KEY" => {
            let head = body.get(..body.len().min(160)).unwrap_or_default();
            // A documentation's example has no key behind it.
            let material =
                head.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
            (material >= 40 || has(head, b"ENCRYPTED"))
                .then(|| Key { kind: Kind::Pem, encrypted: Some(has(head, b"ENCRYPTED")) })
        }
        _ => None,
    }
}

/// The cipher's name of an OpenSSH key: behind the magic words stands its length in four bytes.
fn cipher(body: &[u8]) -> Option<Vec<u8>> {
    let mut text: Vec<u8> = Vec::new();
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b if b.is_ascii_whitespace() => {}
            b'-' | b'"' | b'=' => break,
            b => text.push(*b),
        }
        if text.len() >= 64 {
            break;
        }
    }
    text.truncate(text.len() / 4 * 4);
    let raw = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let rest = raw.strip_prefix(b"openssh-key-v1\0")?;
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
    rest.get(4..)?.get(..usize::try_from(length).ok()?.min(32)).map(<[u8]>::to_vec)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<(Kind, Option<bool>)> {
        recognise(bytes).map(|key| (key.kind, key.encrypted))
    }

    #[test]
    fn kinds_and_their_protection_are_told() {
        let expected = [
            (Kind::OpenSsh, Some(false)),
            (Kind::Pem, Some(true)),
            (Kind::Putty, Some(true)),
            (Kind::OpenPgp, Some(true)),
            (Kind::OpenPgp, Some(true)),
            (Kind::KeyStore, Some(true)),
            (Kind::Keytab, Some(false)),
            (Kind::KeyStore, Some(true)),
            (Kind::FileKey, Some(false)),
        ];
        for (sample, expected) in FORMAT.samples.iter().zip(expected) {
            assert_eq!(of(sample), Some(expected), "{}", String::from_utf8_lossy(sample));
        }
        let body = "A".repeat(64);
        let json = format!("{{\"k\": \"-----BEGIN PRIVATE KEY-----\\n{body}\\n\"}}");
        assert_eq!(of(json.as_bytes()), Some((Kind::Pem, Some(false))));
        let yaml = format!("k: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {body}\n");
        assert_eq!(of(yaml.as_bytes()), Some((Kind::Pem, Some(false))));
    }

    #[test]
    fn public_things_are_no_keys() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n",
            "see -----BEGIN PRIVATE KEY----- in the manual\n",
            "ssh-ed25519 AAAA x\n",
            "Key: (public-key (rsa))\n",
        ] {
            assert_eq!(of(text.as_bytes()), None, "{text}");
        }
    }
}
