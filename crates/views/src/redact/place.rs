//! Stand-ins in paths and addresses.

use super::{Redactor, ordinary};
use std::net::IpAddr;

impl Redactor {
    /// A path: names below a home, and known accounts and hosts anywhere.
    pub(super) fn path(&mut self, path: &str) -> String {
        if !path.starts_with('/') {
            return self.prose(path);
        }
        let home = self
            .homes
            .iter()
            .map(|(_, home)| home)
            .find(|home| {
                path.strip_prefix(home.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .cloned();
        let Some(home) = home else {
            return path.split('/').map(|part| self.words_in(part)).collect::<Vec<_>>().join("/");
        };
        let below = path.get(home.len()..).unwrap_or_default().to_owned();
        // In `/home` itself the next name is an account's.
        let many = matches!(home.as_str(), "/home" | "/export/home" | "/Users" | "/var/home");
        let mut out = home.split('/').map(|part| self.words_in(part)).collect::<Vec<_>>().join("/");
        for (number, part) in below.split('/').skip(1).enumerate() {
            out.push('/');
            let shown = match part {
                "" => String::new(),
                name if many && number == 0 => self.account(name),
                name => self.part(name),
            };
            out.push_str(&shown);
        }
        out
    }

    /// One name below a home; what kind of file it is stays.
    fn part(&mut self, name: &str) -> String {
        if ordinary::part(name) || matches!(name, "." | "..") {
            return name.to_owned();
        }
        let kind = name.rsplit_once('.').map(|(_, kind)| kind).filter(|kind| {
            (1..=4).contains(&kind.len())
                && kind.chars().all(|c| c.is_ascii_lowercase())
                && !name.starts_with('.')
        });
        let stand_in = self.stand_in("part", name);
        kind.map_or_else(|| stand_in.clone(), |kind| format!("{stand_in}.{kind}"))
    }

    /// An address with or without port or prefix, a hardware address, a host's name, a Unix socket's path.
    pub fn address(&mut self, text: &str) -> String {
        if let Some(name) = text.strip_prefix('@') {
            return format!("@{}", self.words_in(name));
        }
        if text.starts_with('/') {
            return self.path(text);
        }
        let (host, rest) = split_port(text);
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return if says_nothing(address) {
                text.to_owned()
            } else {
                format!("{}{rest}", self.stand_in("address", &address.to_string()))
            };
        }
        if is_hardware(text) {
            let nobody = text.bytes().all(|b| matches!(b, b'0' | b':'))
                || text.eq_ignore_ascii_case("ff:ff:ff:ff:ff:ff");
            return if nobody { text.to_owned() } else { self.stand_in("hardware", text) };
        }
        if matches!(host, "*" | "localhost" | "") || host.starts_with(':') {
            return text.to_owned();
        }
        let word = self.words.get(host).copied().unwrap_or("host");
        format!("{}{rest}", self.stand_in(word, host))
    }
}

/// `ADDRESS` and `:PORT` or `/PREFIX` or `%SCOPE`.
pub(super) fn split_port(text: &str) -> (&str, &str) {
    let at = match text.strip_prefix('[') {
        Some(_) => text.find(']').map(|at| at + 1),
        None if text.matches(':').count() == 1 => text.find([':', '/']),
        None => text.find(['/', '%']),
    };
    text.split_at(at.unwrap_or(text.len()))
}

/// Loopback, unspecified and broadcast addresses are the same everywhere.
pub(super) fn says_nothing(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

pub(super) fn is_hardware(text: &str) -> bool {
    text.len() == 17
        && text.split(':').count() == 6
        && text.split(':').all(|byte| byte.len() == 2 && byte.bytes().all(|b| b.is_ascii_hexdigit()))
}
