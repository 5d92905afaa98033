//! What stays connected while everything else is cut.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// A peer that is still spoken to: from any of its ports to one port of this host, or to every one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kept {
    /// Its address.
    pub peer: IpAddr,
    /// The port of this host (TCP) that the session uses; `None` keeps everything with that peer.
    pub port: Option<u16>,
}

/// Why a word is no peer to keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{word}\" {why}")]
pub struct NotKept {
    word: String,
    why: &'static str,
}

impl Kept {
    /// A peer to one port of this host. An IPv4 address in IPv6 form (RFC 4291, section 2.5.5.2) becomes itself.
    pub fn new(peer: IpAddr, port: Option<u16>) -> Self {
        Self { peer: peer.to_canonical(), port }
    }
}

impl FromStr for Kept {
    type Err = NotKept;

    /// `ADDR`, `ADDR:LOCALPORT` or `[ADDR]:LOCALPORT`. Names are not resolved: the resolver may be the intruder's.
    fn from_str(word: &str) -> Result<Self, NotKept> {
        let no = |why| NotKept { word: word.chars().take(80).collect(), why };
        let kept = match (word.parse::<IpAddr>(), word.parse::<SocketAddr>()) {
            (Ok(peer), _) => Self::new(peer, None),
            (_, Ok(both)) => Self::new(both.ip(), Some(both.port())),
            _ => return Err(no("is no address: give ADDR or ADDR:LOCALPORT, in numbers")),
        };
        let broadcast = kept.peer == IpAddr::V4(Ipv4Addr::BROADCAST);
        if kept.peer.is_unspecified() || kept.peer.is_multicast() || broadcast {
            return Err(no("is no address of one peer"));
        }
        if kept.peer.is_loopback() {
            return Err(no("is this host itself, which stays connected anyway"));
        }
        if kept.port == Some(0) {
            return Err(no("has no port"));
        }
        Ok(kept)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{} \u{2192} port {port} here", self.peer),
            None => write!(f, "{}, every port", self.peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_read_and_what_is_none_is_refused() {
        let read = |word: &str| word.parse::<Kept>();
        assert_eq!(read("192.0.2.7").unwrap(), Kept::new("192.0.2.7".parse().unwrap(), None));
        assert_eq!(read("192.0.2.7:22").unwrap().port, Some(22));
        assert_eq!(read("[2001:db8::1]:2222").unwrap().port, Some(2222));
        assert_eq!(read("2001:db8::1").unwrap().port, None);
        assert_eq!(read("::ffff:192.0.2.7").unwrap(), read("192.0.2.7").unwrap());
        for wrong in [
            "",
            "web1",
            "192.0.2.7:",
            "192.0.2.7:0",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "127.0.0.1",
            "::1",
            "ff02::1",
            "192.0.2.7/24",
            "1.2.3",
            "192.0.2.7:99999",
            "[2001:db8::1]",
            "2001:db8::1]:22",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
