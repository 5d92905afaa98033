//! Which modules of the name service are asked: nsswitch.conf(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "nsswitch",
    doc: "Modules of the name service.",
    manual: "nsswitch.conf(5)",
    samples: &[b"# c\npasswd: files systemd\nhosts:files mdns4_minimal [NOTFOUND=return !UNAVAIL=continue] dns # x\ngroup  :\tfiles [SUCCESS=merge] x\n"],
    feed: |bytes| drop(parse(bytes)),
};

/// One service of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Line number, from 1.
    pub line: u32,
    /// What is looked up.
    pub database: Text,
    /// The service.
    pub name: Text,
}

/// The services, in the order in which they are asked; at most 10,000.
pub fn parse(bytes: &[u8]) -> Vec<Service> {
    let mut found = Vec::new();
    for (line, text) in lines::meaningful(bytes) {
        let text = text.split(|b| *b == b'#').next().unwrap_or_default();
        let Some((database, services)) = lines::cut(text, b':') else { continue };
        let mut action = false;
        for word in services.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
            // [STATUS=action] may hold several words, and stand right behind a name.
            if action || word.starts_with(b"[") {
                action = !word.contains(&b']');
                continue;
            }
            action = word.contains(&b'[') && !word.contains(&b']');
            let name = word.split(|b| *b == b'[').next().unwrap_or_default();
            found.push(Service { line, database: database.into(), name: name.into() });
        }
        if found.len() >= 10_000 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_without_actions() {
        let shown: Vec<String> = parse(FORMAT.samples[0])
            .iter()
            .map(|service| format!("{}:{}:{}", service.line, service.database, service.name))
            .collect();
        assert_eq!(
            shown,
            [
                "2:passwd:files",
                "2:passwd:systemd",
                "3:hosts:files",
                "3:hosts:mdns4_minimal",
                "3:hosts:dns",
                "4:group:files",
                "4:group:x"
            ]
        );
    }
}
