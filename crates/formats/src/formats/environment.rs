//! Variables set for programs that start later: environment.d(5), pam_env.conf(5), assignments of sh(1).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "environment",
    doc: "Environment variables set by a file.",
    manual: "environment.d(5), pam_env.conf(5), systemd-system.conf(5)",
    samples: &[
        b"PATH=\"/usr/bin:/bin\"\nexport LD_PRELOAD=/x.so # c\nA='b c'\n",
        b"LD_PRELOAD DEFAULT=/x.so OVERRIDE=${HOME}/y\n",
        b"[Manager]\nDefaultEnvironment=\"A=b c\" LD_PRELOAD=/x.so\n",
    ],
    feed: |bytes| {
        drop(parse(bytes));
        drop(pam_env(bytes));
        drop(manager(bytes));
    },
};

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Line number, from 1.
    pub line: u32,
    /// Its name.
    pub name: Text,
    /// Its value without quotes.
    pub value: Text,
}

/// Lines of the form `NAME=value`, perhaps after `export`.
pub fn parse(bytes: &[u8]) -> Vec<Variable> {
    lines::meaningful(bytes).filter_map(|(line, text)| assignment(line, text)).collect()
}

fn assignment(line: u32, text: &[u8]) -> Option<Variable> {
    let text = text.strip_prefix(b"export ").unwrap_or(text).trim_ascii_start();
    let at = text.iter().position(|b| *b == b'=')?;
    let (name, value) = (text.get(..at)?, text.get(at + 1..)?.trim_ascii());
    if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return None;
    }
    Some(Variable { line, name: name.into(), value: unquoted(value).into() })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [quote @ (b'"' | b'\''), rest @ ..] => rest.split(|b| b == quote).next().unwrap_or_default(),
        _ => value.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default(),
    }
}

/// Lines of pam_env.conf(5): `NAME DEFAULT=value OVERRIDE=value`; each value is one variable.
pub fn pam_env(bytes: &[u8]) -> Vec<Variable> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let mut words = lines::words(text);
        let Some(name) = words.next() else { continue };
        for word in words {
            let value = word.strip_prefix(b"DEFAULT=").or_else(|| word.strip_prefix(b"OVERRIDE="));
            if let Some(value) = value {
                all.push(Variable { line, name: name.into(), value: value.trim_ascii().into() });
            }
        }
        // The older form of one assignment a line is accepted in ~/.pam_environment.
        all.extend(assignment(line, text));
    }
    all
}

/// `DefaultEnvironment=` and `ManagerEnvironment=` of the service manager's settings.
pub fn manager(bytes: &[u8]) -> Vec<Variable> {
    let mut all = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let Some((key, value)) = lines::cut(text, b'=') else { continue };
        if !matches!(key, b"DefaultEnvironment" | b"ManagerEnvironment") {
            continue;
        }
        let mut rest = value;
        while !rest.is_empty() {
            let (word, after) = match rest {
                [quote @ (b'"' | b'\''), inside @ ..] => {
                    let end = inside.iter().position(|b| b == quote).unwrap_or(inside.len());
                    (inside.get(..end), inside.get(end + 1..))
                }
                _ => {
                    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                    (rest.get(..end), rest.get(end..))
                }
            };
            if let Some((name, value)) = lines::cut(word.unwrap_or_default(), b'=') {
                all.push(Variable { line, name: name.into(), value: value.into() });
            }
            rest = after.unwrap_or_default().trim_ascii_start();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_give_variables() {
        let all = parse(FORMAT.samples[0]);
        assert_eq!((&all[1].name, &all[1].value), (&"LD_PRELOAD".into(), &"/x.so".into()));
        assert_eq!(all[2].value, "b c");
        assert_eq!(pam_env(FORMAT.samples[1]).len(), 2);
        let all = manager(FORMAT.samples[2]);
        assert_eq!((&all[0].value, &all[1].name), (&"b c".into(), &"LD_PRELOAD".into()));
    }
}
