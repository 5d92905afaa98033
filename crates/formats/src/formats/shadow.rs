//! Password states: shadow(5) and the password field of passwd(5). Hashes themselves never leave this file.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "shadow",
    doc: "The password states of accounts.",
    manual: "shadow(5), crypt(5)",
    samples: &[
        b"root:$y$j9T$salt$0123456789abcdef:20001:0:99999:7:::\ndaemon:*:19000::::::\nx:!$6$s$h:1::::::\ne::::::::\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// What a password field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Password {
    /// `empty` (none is asked), `hash` (a password can be given), `locked` (a hash behind a lock mark) or `none` (no
    /// password fits).
    pub state: &'static str,
    /// How the password is hashed (crypt(5)): `yescrypt`, `sha512crypt` and so on; empty where there is no hash.
    pub scheme: &'static str,
}

/// One line of the shadow file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Line number, from 1.
    pub line: u32,
    /// Login name.
    pub name: Text,
    /// What its password field says.
    pub password: Password,
    /// Last change of the password in days since 1970-01-01.
    pub changed: Option<u32>,
}

/// The lines of a shadow file that have a name and a password field.
pub fn parse(bytes: &[u8]) -> Vec<Shadow> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let mut fields = text.split(|b| *b == b':');
            let (name, field) = (fields.next()?, fields.next()?);
            let changed = fields.next().and_then(lines::decimal);
            Some(Shadow { line, name: name.into(), password: password(field), changed })
        })
        .collect()
}

/// Reads one password field.
pub fn password(field: &[u8]) -> Password {
    if field.is_empty() {
        return Password { state: "empty", scheme: "" };
    }
    let bare = field.trim_ascii_start();
    let start = bare.iter().position(|b| !matches!(b, b'!' | b'*')).unwrap_or(bare.len());
    match scheme(bare.get(start..).unwrap_or_default()) {
        "" => Password { state: "none", scheme: "" },
        scheme if start == 0 => Password { state: "hash", scheme },
        scheme => Password { state: "locked", scheme },
    }
}

/// The hashing scheme by its prefix (crypt(5)); empty for what is no hash.
fn scheme(hash: &[u8]) -> &'static str {
    const PREFIXES: &[(&[u8], &str)] = &[
        (b"$y$", "yescrypt"),
        (b"$gy$", "gost-yescrypt"),
        (b"$7$", "scrypt"),
        (b"$2", "bcrypt"),
        (b"$6$", "sha512crypt"),
        (b"$5$", "sha256crypt"),
        (b"$sha1$", "sha1crypt"),
        (b"$md5", "sunmd5"),
        (b"$1$", "md5crypt"),
        (b"$3$", "nthash"),
    ];
    if let Some((_, name)) = PREFIXES.iter().find(|(prefix, _)| hash.starts_with(prefix)) {
        return name;
    }
    let crypt = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
    match hash {
        [b'_', rest @ ..] if rest.len() == 19 && rest.iter().all(crypt) => "bsdicrypt",
        _ if hash.len() == 13 && hash.iter().all(crypt) => "descrypt",
        [b'$', ..] => "unknown",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart_and_no_hash_comes_out() {
        for (field, state, scheme) in [
            (&b""[..], "empty", ""),
            (b"*", "none", ""),
            (b"!!", "none", ""),
            (b"x", "none", ""),
            (b"$y$j9T$a$b", "hash", "yescrypt"),
            (b"!$6$a$b", "locked", "sha512crypt"),
            (b"ab01FAX.bQRSU", "hash", "descrypt"),
        ] {
            assert_eq!(password(field), Password { state, scheme }, "{field:?}");
        }
    }
}
