//! Tables: what a program's chains, rules and sets are kept in.

use calma_record::Text;

/// What packets a table sees (`NFPROTO_` of `<linux/netfilter.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6, and the frames of named devices at ingress (Linux 5.10).
    Inet = 1,
    /// IPv4.
    Ip = 2,
    /// ARP.
    Arp = 3,
    /// All frames of named devices, at ingress (4.2) and egress (5.16).
    Netdev = 5,
    /// Frames that pass a bridge.
    Bridge = 7,
    /// IPv6.
    Ip6 = 10,
}

impl Family {
    /// As nft(8) calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
            Self::Bridge => "bridge",
            Self::Ip6 => "ip6",
        }
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The family of a number that the kernel gave.
    pub fn of(number: u8) -> Option<Self> {
        [Self::Inet, Self::Ip, Self::Arp, Self::Netdev, Self::Bridge, Self::Ip6]
            .into_iter()
            .find(|family| family.number() == number)
    }
}

/// The name of a table: unique in its family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// What packets it sees.
    pub family: Family,
    /// Its name, at most 255 bytes.
    pub name: Text,
}

impl Table {
    /// The name of a table.
    pub fn new(family: Family, name: impl Into<Text>) -> Self {
        Self { family, name: name.into() }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.family.name(), self.name)
    }
}

/// Flags of a table (`enum nft_table_flags`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableFlags {
    /// Its chains see no packets.
    pub dormant: bool,
    /// Only the socket that makes it can change it, and it is gone when that socket is (Linux 5.12).
    pub owner: bool,
    /// With `owner`: it stays when that socket is gone, and any socket may then take it over (Linux 6.9).
    pub persist: bool,
}

impl TableFlags {
    pub(crate) fn bits(self) -> u32 {
        u32::from(self.dormant) | u32::from(self.owner) << 1 | u32::from(self.persist) << 2
    }

    pub(crate) fn of(bits: u32) -> Self {
        Self { dormant: bits & 1 != 0, owner: bits & 2 != 0, persist: bits & 4 != 0 }
    }
}

/// Longest comment that nft(8) shows.
const LONGEST: usize = 127;

/// Bytes kept with a rule or table so that nft(8) shows them as its comment: type 0, length, text and NUL.
pub(crate) fn comment(text: &[u8]) -> Vec<u8> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = text.get(..LONGEST).unwrap_or(text);
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [[0, length].as_slice(), text, b"\0"].concat()
}

/// The comment in such bytes.
pub(crate) fn comment_of(mut bytes: &[u8]) -> Option<Text> {
    while let [kind, length, rest @ ..] = bytes {
        let value = rest.get(..usize::from(*length))?;
        if *kind == 0 {
            return Some(value.strip_suffix(b"\0").unwrap_or(value).into());
        }
        bytes = rest.get(usize::from(*length)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_comes_back_and_no_bytes_break_the_walk() {
        assert_eq!(comment(b"a b"), b"\0\x04a b\0");
        assert_eq!(comment_of(&comment(b"a b")), Some("a b".into()));
        assert_eq!(comment_of(b"\x02\x01x\0\x02y\0"), Some("y".into()));
        assert_eq!(comment(&[b'x'; 300]).len(), 130);
        for bytes in [b"".as_slice(), b"\0", b"\0\x05ab", b"\x01\x01", b"\x01\0"] {
            assert_eq!(comment_of(bytes), None);
        }
        assert_eq!(TableFlags::of(6).bits(), 6);
        assert_eq!(Family::of(4), None);
    }
}
