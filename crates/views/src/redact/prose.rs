//! Stand-ins in sentences and other free text.

use super::Redactor;
use super::place::{is_hardware, says_nothing, split_port};
use std::net::IpAddr;

/// What ends a word of a sentence.
fn ends(c: char) -> bool {
    c.is_whitespace() || "\"'`,;()<>|&={}".contains(c)
}

/// Endings by which a word with `@` is an instance of a unit, not somebody at a host (systemd.unit(5)).
const UNITS: [&str; 6] = [".service", ".timer", ".socket", ".slice", ".target", ".mount"];

impl Redactor {
    /// Free text: whatever is shaped like an address or a path below a home, and every word that is known.
    pub fn prose(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(ends).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if !word.is_empty() {
                out.push_str(&self.word(word));
            }
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(after.get(..next).unwrap_or_default());
            rest = after.get(next..).unwrap_or_default();
        }
        out
    }

    fn word(&mut self, word: &str) -> String {
        let core = word.trim_end_matches(['.', ':', '!', '?', ']']);
        let tail = word.get(core.len()..).unwrap_or_default();
        // A bracket belongs to an IPv6 address.
        let (core, tail) = if word.starts_with('[') && core.contains(':') {
            (word.trim_end_matches(['.', '!', '?']), "")
        } else {
            (core, tail)
        };
        let shown = if let Some((scheme, place)) = core.split_once("://") {
            let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
            let host = host.split_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{}{}", self.address(host), self.path(path))
        } else if let Some(address) = self.only_address(core) {
            address
        } else if let Some(at) = core.find('/') {
            let (before, path) = core.split_at(at);
            format!("{}{}", self.words_in(before), self.path(path))
        } else if core.contains('@') && !UNITS.iter().any(|ending| core.ends_with(ending)) && is_at(core) {
            let (who, host) = core.split_once('@').unwrap_or((core, ""));
            format!("{}@{}", self.account(who), self.address(host))
        } else {
            self.words_in(core)
        };
        format!("{shown}{tail}")
    }

    /// The stand-in of a word that is an address as a whole.
    fn only_address(&mut self, word: &str) -> Option<String> {
        let (host, rest) = split_port(word);
        let address: IpAddr = match host.trim_matches(['[', ']']).parse() {
            Ok(address) => address,
            Err(_) => return is_hardware(word).then(|| self.address(word)),
        };
        // `::` alone is rather punctuation; versions such as 1.2.3.4 can not be told from addresses.
        Some(if says_nothing(address) {
            word.to_owned()
        } else {
            format!("{}{rest}", self.stand_in("address", &address.to_string()))
        })
    }

    /// Known accounts and hosts in a name: the whole, or between what is neither letter nor digit.
    pub(super) fn words_in(&mut self, name: &str) -> String {
        if let Some(what) = self.words.get(name).copied() {
            return self.stand_in(what, name);
        }
        let mut out = String::with_capacity(name.len());
        let mut rest = name;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            match self.words.get(word).copied() {
                Some(what) => out.push_str(&self.stand_in(what, word)),
                None => out.push_str(word),
            }
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(after.get(..next).unwrap_or_default());
            rest = after.get(next..).unwrap_or_default();
        }
        out
    }
}

fn is_at(word: &str) -> bool {
    word.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && host.len() > 1 && host.chars().all(|c| c.is_alphanumeric() || ".-_".contains(c))
    })
}
