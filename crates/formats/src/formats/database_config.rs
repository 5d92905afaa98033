//! Settings of database servers: MySQL and MariaDB, PostgreSQL with its access list, Redis.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "database_config",
    doc: "Settings of MySQL, MariaDB, PostgreSQL and Redis.",
    manual: "https://dev.mysql.com/doc/refman/8.4/en/option-files.html, https://www.postgresql.org/docs/current/config-setting.html, https://redis.io/docs/latest/operate/oss_and_stack/management/config/",
    samples: &[
        b"# c\n[mysqld]\ninit-file = \"/etc/mysql/i.sql\" # c\nskip_grant_tables\n!includedir /etc/mysql/conf.d/\n",
        b"listen_addresses = '*' # c\narchive_command 'cp %p ''/b/%f'''\ninclude_dir = 'conf.d'\n",
        b"local all postgres peer\nhost all \"a b\" 0.0.0.0/0 trust\nhostssl a,b all 10.0.0.0 255.0.0.0 scram-sha-256\n",
        b"bind 127.0.0.1 -::1\ndir /var/lib/redis\nloadmodule \"/x y.so\" a\n",
    ],
    feed: |bytes| {
        drop(mysql(bytes));
        drop(postgresql(bytes));
        drop(access(bytes));
        drop(redis(bytes));
    },
};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line, from 1.
    pub line: u32,
    /// The section it stands in, where the form has sections.
    pub section: Text,
    /// Its name in lower case, with `_` for `-`.
    pub name: String,
    /// Its value without quotes.
    pub value: Text,
}

/// Settings kept of one file.
const MOST: usize = 20_000;

fn name(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_lowercase().replace('-', "_")
}

/// An option file of MySQL or MariaDB. `!include` and `!includedir` are settings of those names.
pub fn mysql(bytes: &[u8]) -> Vec<Setting> {
    let (mut settings, mut section) = (Vec::new(), Text::default());
    for (line, text) in lines::meaningful(bytes).take(MOST) {
        if text.starts_with(b";") {
            continue;
        }
        if let Some(inside) = text.strip_prefix(b"[") {
            section = inside.split(|b| *b == b']').next().unwrap_or_default().trim_ascii().into();
            continue;
        }
        let (key, value) = match text.strip_prefix(b"!") {
            Some(_) => {
                let at = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
                (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default().trim_ascii())
            }
            None => lines::cut(text, b'=').unwrap_or((text, b"")),
        };
        let key = name(key.strip_prefix(b"loose-").or(key.strip_prefix(b"loose_")).unwrap_or(key));
        settings.push(Setting { line, section: section.clone(), name: key, value: unquoted(value).into() });
    }
    settings
}

/// A value up to its closing quote, or to a comment.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => rest.split(|b| b == quote).next().unwrap_or_default(),
        _ => {
            let end = value.windows(2).position(|two| matches!(two, [b' ' | b'\t', b'#']));
            value.get(..end.unwrap_or(value.len())).unwrap_or(value).trim_ascii()
        }
    }
}

/// postgresql.conf: `name = 'value'`, the sign may be missing, a quote in the value is written twice.
pub fn postgresql(bytes: &[u8]) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (line, text) in lines::meaningful(bytes).take(MOST) {
        let at = text.iter().position(|b| b.is_ascii_whitespace() || *b == b'=').unwrap_or(text.len());
        let rest = text.get(at..).unwrap_or_default().trim_ascii_start();
        let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start();
        let value = match rest {
            [b'\'', inside @ ..] => quoted(inside),
            _ => rest.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii().to_vec(),
        };
        let key = name(text.get(..at).unwrap_or_default());
        settings.push(Setting { line, section: Text::default(), name: key, value: value.into() });
    }
    settings
}

fn quoted(inside: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut bytes = inside.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' if bytes.peek() == Some(&b'\'') => value.extend(bytes.next()),
            b'\'' => break,
            b'\\' => value.extend(bytes.next()),
            other => value.push(other),
        }
    }
    value
}

/// One line of pg_hba.conf: who may come from where, and how it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Line, from 1.
    pub line: u32,
    /// `local`, `host`, `hostssl`, ….
    pub kind: Text,
    /// Databases.
    pub databases: Text,
    /// Accounts of the database.
    pub users: Text,
    /// Where from; empty for `local`.
    pub address: Text,
    /// How it is checked: `trust`, `peer`, `scram-sha-256`, ….
    pub method: Text,
}

/// The lines of pg_hba.conf.
pub fn access(bytes: &[u8]) -> Vec<Access> {
    let mut rules = Vec::new();
    for (line, text) in lines::meaningful(bytes).take(MOST) {
        let words: Vec<&[u8]> = lines::words(text).take(8).collect();
        let [kind, databases, users, rest @ ..] = words.as_slice() else { continue };
        let (address, method): (Vec<u8>, &[u8]) = match (*kind, rest) {
            (b"local", [method, ..]) => (Vec::new(), method),
            (_, [address, mask, method, ..])
                if mask.first().is_some_and(u8::is_ascii_digit) || mask.contains(&b':') =>
            {
                ([address, &b"/"[..], mask].concat(), method)
            }
            (_, [address, method, ..]) => (address.to_vec(), method),
            _ => continue,
        };
        rules.push(Access {
            line,
            kind: (*kind).into(),
            databases: (*databases).into(),
            users: (*users).into(),
            address: address.into(),
            method: method.into(),
        });
    }
    rules
}

/// Settings of Redis and of what came from it: `name value …`.
pub fn redis(bytes: &[u8]) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (line, text) in lines::meaningful(bytes).take(MOST) {
        let at = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let value = text.get(at..).unwrap_or_default().trim_ascii();
        let value = match value {
            [quote @ (b'"' | b'\''), rest @ ..] => rest.split(|b| b == quote).next().unwrap_or_default(),
            _ => value,
        };
        let key = name(text.get(..at).unwrap_or_default());
        settings.push(Setting { line, section: Text::default(), name: key, value: value.into() });
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_names_and_values() {
        let all = mysql(FORMAT.samples[0]);
        assert_eq!((all[0].name.as_str(), &all[0].value), ("init_file", &"/etc/mysql/i.sql".into()));
        assert_eq!(all[2].name, "!includedir");
        let all = postgresql(FORMAT.samples[1]);
        assert_eq!((&all[0].value, &all[1].value), (&"*".into(), &"cp %p '/b/%f'".into()));
        let all = access(FORMAT.samples[2]);
        assert_eq!((&all[0].method, all.len()), (&"peer".into(), 3));
        assert_eq!(all[2].address, "10.0.0.0/255.0.0.0");
        assert_eq!(redis(FORMAT.samples[3])[2].value, "/x y.so");
    }
}
