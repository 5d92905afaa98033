//! Settings of programs that make a tunnel to somebody elsewhere, known by what they say and not by their names.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "tunnel",
    doc: "Where a tunnel leads, and what of this machine it opens.",
    manual: "frp documentation; rathole README; Cloudflare Tunnel, ngrok agent configuration; stunnel(8); torrc(5)",
    samples: &[
        b"serverAddr = \"203.0.113.5\"\nserverPort = 7000\nauth.token = \"x\"\n[[proxies]]\nname = \"s\"\ntype = \"tcp\"\nlocalIP = \"127.0.0.1\"\nlocalPort = 22\nremotePort = 6000\n",
        b"[common]\nserver_addr = x.example.org\nserver_port = 7000\n[ssh]\nlocal_port = 22\n",
        b"[client]\nremote_addr = \"x.example.org:2333\"\n[client.services.a]\ntoken = \"t\"\nlocal_addr = \"127.0.0.1:22\"\n",
        b"tunnel: 1234\ncredentials-file: /x.json\ningress:\n  - hostname: a.example.org\n    service: ssh://localhost:22\n  - service: http_status:404\n",
        b"version: \"2\"\nauthtoken: xyz\ntunnels:\n  a:\n    proto: tcp\n    addr: 22\n",
        b"[x]\naccept = 443\nconnect = 127.0.0.1:22\n[sh]\naccept = 444\nexec = /bin/sh\n",
        b"HiddenServiceDir /var/lib/tor/x/\nHiddenServicePort 22 127.0.0.1:22\n",
        b"{\"ServeNodes\":[\"socks5://:1\"],\"ChainNodes\":[\"relay+tls://x:443\"]}",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// A tunnel as its settings say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// What kind of settings they are: `frp`, `rathole`, `cloudflared`, `ngrok`, `stunnel`, `tor`, `gost`.
    pub kind: &'static str,
    /// Whom it connects to; empty where the maker of the program decides.
    pub far: Text,
    /// What of this machine it opens: `address:port`, `port`, or a program.
    pub local: Vec<Text>,
}

/// The tunnel that a text describes, if it describes one.
pub fn parse(bytes: &[u8]) -> Option<Tunnel> {
    let bytes = bytes.get(..bytes.len().min(256 << 10)).unwrap_or_default();
    let values: Vec<(Vec<u8>, &[u8])> =
        lines::meaningful(bytes).filter_map(|(_, text)| value(text)).collect();
    let get = |names: &[&str]| {
        values
            .iter()
            .find(|(name, _)| names.iter().any(|known| name == known.as_bytes()))
            .map(|(_, value)| *value)
    };
    let all = |names: &[&str]| -> Vec<Text> {
        let fits = |name: &[u8]| names.iter().any(|known| name == known.as_bytes());
        values.iter().filter(|(name, _)| fits(name)).map(|(_, value)| Text::from(*value)).take(256).collect()
    };
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let tunnel = |kind, far: Option<&[u8]>, local| {
        Some(Tunnel { kind, far: far.map(Text::from).unwrap_or_default(), local })
    };
    if has(b"HiddenServicePort") {
        let ports = lines::meaningful(bytes).filter_map(|(_, text)| text.strip_prefix(b"HiddenServicePort"));
        let local = ports.filter_map(|rest| lines::words(rest).last().map(Text::from)).take(256).collect();
        return tunnel("tor", None, local);
    }
    if let Some(far) = get(&["serveraddr", "server_addr"]) {
        let local = all(&["localport", "local_port", "plugin"]);
        return (!local.is_empty() || has(b"proxies")).then(|| tunnel("frp", Some(far), local)).flatten();
    }
    if let Some(far) = get(&["remote_addr"]).filter(|_| has(b"client")) {
        return tunnel("rathole", Some(far), all(&["local_addr"]));
    }
    if get(&["tunnel"]).is_some() && (has(b"ingress:") || has(b"credentials-file")) {
        return tunnel("cloudflared", None, all(&["service", "url"]));
    }
    if get(&["authtoken"]).is_some()
        && (has(b"tunnels:") || has(b"endpoints:") || has(b"agent:") || has(b"version:"))
    {
        return tunnel("ngrok", None, all(&["addr", "url"]));
    }
    if has(b"accept")
        && (get(&["connect"]).is_some() || get(&["exec"]).is_some())
        && get(&["accept"]).is_some()
    {
        return tunnel("stunnel", None, all(&["connect", "exec"]));
    }
    if has(b"ServeNodes") && has(b"ChainNodes") {
        return tunnel("gost", None, Vec::new());
    }
    None
}

/// `name = value`, `name: value`, as TOML, INI, YAML and JSON write them: the name in small letters, the value without quotes.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = text.strip_prefix(b"-").unwrap_or(text).trim_ascii();
    let end = text.iter().position(|b| matches!(b, b'=' | b':'))?;
    let (name, rest) = text.split_at(end);
    let strip = |word: &'_ [u8]| -> std::ops::Range<usize> {
        let start = word.iter().take_while(|b| matches!(b, b'"' | b'\'' | b' ')).count();
        let end = word.iter().rev().take_while(|b| matches!(b, b'"' | b'\'' | b' ' | b',')).count();
        start..word.len().saturating_sub(end).max(start)
    };
    let rest = rest.get(1..)?.trim_ascii();
    let name = name.get(strip(name))?.trim_ascii();
    let rest = rest.get(strip(rest))?;
    (!name.is_empty() && !rest.is_empty()).then(|| (name.to_ascii_lowercase(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_are_known_by_what_they_say() {
        let shown: Vec<_> = FORMAT
            .samples
            .iter()
            .map(|sample| {
                parse(sample).map(|t| format!("{} {} {:?}", t.kind, t.far, t.local)).unwrap_or_default()
            })
            .collect();
        assert_eq!(
            shown,
            [
                "frp 203.0.113.5 [\"22\"]",
                "frp x.example.org [\"22\"]",
                "rathole x.example.org:2333 [\"127.0.0.1:22\"]",
                "cloudflared  [\"ssh://localhost:22\", \"http_status:404\"]",
                "ngrok  [\"22\"]",
                "stunnel  [\"127.0.0.1:22\", \"/bin/sh\"]",
                "tor  [\"127.0.0.1:22\"]",
                "gost  []"
            ]
        );
        assert!(parse(b"[Service]\nExecStart=/x\nUser=y\n").is_none());
        assert!(parse(b"server:\n  addr: 22\n").is_none());
    }
}
