//! How far away an address or a host's name is.

use std::net::IpAddr;

/// How far away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine.
    Own,
    /// Nowhere: 0.0.0.0.
    Nowhere,
    /// A private network, or a name without a public ending.
    Private,
    /// An address anywhere on the Internet.
    Public,
    /// A public name.
    Name,
    /// A hidden service.
    Hidden,
}

/// How far `host` is.
pub(crate) fn of(host: &[u8]) -> Reach {
    let host = std::str::from_utf8(host).unwrap_or_default().trim_matches(|c| matches!(c, '[' | ']' | '.'));
    let host = host.to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Reach::Own,
        Ok(address) if address.is_unspecified() => Reach::Nowhere,
        Ok(IpAddr::V4(address)) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            if address.is_private() || address.is_link_local() || shared {
                Reach::Private
            } else {
                Reach::Public
            }
        }
        Ok(IpAddr::V6(address)) => {
            let first = address.segments().first().copied().unwrap_or_default();
            if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 { Reach::Private } else { Reach::Public }
        }
        Err(_) if host == "localhost" || host.ends_with(".localhost") => Reach::Own,
        Err(_) if host.ends_with(".onion") || host.ends_with(".i2p") => Reach::Hidden,
        Err(_) => {
            let private = [
                "local",
                "lan",
                "internal",
                "intranet",
                "corp",
                "home",
                "arpa",
                "test",
                "localdomain",
                "private",
            ];
            let last = host.rsplit('.').next().unwrap_or_default();
            if !host.contains('.') || private.contains(&last) { Reach::Private } else { Reach::Name }
        }
    }
}

/// The host of an address of the form `scheme://user@host:port/path`, `host:port` or `host`.
pub(crate) fn host(address: &[u8]) -> &[u8] {
    let at = address.windows(3).position(|window| window == b"://");
    let rest = at.and_then(|at| address.get(at + 3..)).unwrap_or(address);
    let rest = rest.split(|b| matches!(b, b'/' | b'?' | b'#')).next().unwrap_or_default();
    let rest = rest.rsplit(|b| *b == b'@').next().unwrap_or_default();
    if let Some(inside) = rest.strip_prefix(b"[") {
        return inside.split(|b| *b == b']').next().unwrap_or_default();
    }
    if rest.iter().filter(|b| **b == b':').count() > 1 {
        return rest;
    }
    rest.split(|b| *b == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        for (host, reach) in [
            ("127.0.0.1", Reach::Own),
            ("::1", Reach::Own),
            ("0.0.0.0", Reach::Nowhere),
            ("10.1.2.3", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("203.0.113.9", Reach::Public),
            ("proxy", Reach::Private),
            ("apt.corp", Reach::Private),
            ("deb.debian.org", Reach::Name),
            ("x.onion", Reach::Hidden),
        ] {
            assert_eq!(of(host.as_bytes()), reach, "{host}");
        }
        assert_eq!(host(b"http://u:p@a.b:80/x"), b"a.b");
        assert_eq!(host(b"a:3128"), b"a");
        assert_eq!(host(b"socks5h://[::1]:9"), b"::1");
    }
}
