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
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: Text,
    /// Login shell; empty means /bin/sh.
    pub shell: Text,
}

/// The accounts of a passwd file. Lines without seven fields or with ids that are no numbers are left out, as libc does.
pub fn parse(bytes: &[u8]) -> Vec<Account> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let mut fields = text.split(|b| *b == b':');
            let mut next = || fields.next();
            let (name, password, uid, gid) = (next()?, next()?, next()?, next()?);
            let (_comment, home, shell) = (next()?, next()?, next()?);
            Some(Account {
                line,
                name: name.into(),
                password: password.into(),
                uid: lines::decimal(uid)?,
                gid: lines::decimal(gid)?,
                home: home.into(),
                shell: shell.into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nis_lines_and_broken_lines_are_no_accounts() {
        let accounts =
            parse(b"root:x:0:0:r:/root:/bin/sh\n+::::::\nbad:x:-1:0::/:\nshort:x:1\n# c:x:1:1::/:\n");
        assert_eq!(accounts.len(), 1);
        assert_eq!((accounts[0].uid, accounts[0].line), (0, 1));
    }
}
