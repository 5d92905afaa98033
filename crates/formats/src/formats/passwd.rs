//! Accounts: passwd(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "passwd",
    doc: "The account database.",
    manual: "passwd(5)",
    samples: &[
        b"root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n+::::::\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One line of the account database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Line number, from 1.
    pub line: u32,
    /// Login name.
    pub name: Text,
    /// The password field: `x` where the hash is in shadow(5), empty where no password is needed.
    pub password: Text,
    /// User id.
    pub uid: u32,
    /// The user id as it is written, which may hide its value ("00", "+0").
    pub uid_written: Text,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: Text,
    /// Login shell; empty means /bin/sh.
    pub shell: Text,
}

/// The accounts of a passwd file. Lines without four fields or with ids that are no numbers are left out, as libc does;
/// glibc takes missing last fields for empty ones.
pub fn parse(bytes: &[u8]) -> Vec<Account> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let mut fields = text.split(|b| *b == b':');
            let mut next = || fields.next();
            let (name, password, uid, gid) = (next()?, next()?, next()?, next()?);
            let (_comment, home, shell) = (next(), next().unwrap_or_default(), next().unwrap_or_default());
            Some(Account {
                line,
                name: name.into(),
                password: password.into(),
                uid: id(uid)?,
                uid_written: uid.into(),
                gid: id(gid)?,
                home: home.into(),
                shell: shell.into(),
            })
        })
        .collect()
}

/// An id as strtoul(3), and so glibc, reads it: blanks and a sign may stand before the digits. Negative ids other than
/// -0 are refused, as an account with one can not be used.
pub fn id(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii_start();
    match text.strip_prefix(b"-") {
        Some(rest) => lines::decimal(rest).filter(|id| *id == 0),
        None => lines::decimal(text.strip_prefix(b"+").unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_spellings_of_an_id_and_short_lines_count_as_libc_counts_them() {
        let accounts = parse(b"a:x:00:0::/:\nb:x: +0:0::/:\nc::-0:0\nd:x:0x0:0::/:\n");
        assert_eq!(accounts.iter().map(|account| account.uid).collect::<Vec<_>>(), [0, 0, 0]);
        assert!(accounts[2].password.is_empty());
    }

    #[test]
    fn nis_lines_and_broken_lines_are_no_accounts() {
        let accounts =
            parse(b"root:x:0:0:r:/root:/bin/sh\n+::::::\nbad:x:-1:0::/:\nshort:x:1\n# c:x:1:1::/:\n");
        assert_eq!(accounts.len(), 1);
        assert_eq!((accounts[0].uid, accounts[0].line), (0, 1));
    }
}
