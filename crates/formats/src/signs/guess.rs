//! What a bare value is, and what the names of types in lists mean.

use super::{Sign, Sort, sign};
use std::net::IpAddr;

/// Longest value.
const LONGEST: usize = 4096;

/// The sign that a bare value is, if it looks like one. Values that were made harmless for sending (`hxxp`, `[.]`) are put
/// right.
pub fn guess(text: &str) -> Option<Sign> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return None;
    }
    if let Some(hash) = hash(text) {
        return Some(hash);
    }
    if text.starts_with("SHA256:") {
        return of_type("ssh-fingerprint", text);
    }
    if text.starts_with('/') {
        return Some(sign(Sort::Path, text.to_owned()));
    }
    let plain = refang(text);
    address(&plain)
        .or_else(|| plain.contains("://").then(|| url(&plain)).flatten())
        .or_else(|| domain(&plain))
        .or_else(|| name(text))
}

/// The sign that a value is, when the list says what it is; `None` if the type is none of calma's or the value does not
/// fit. Types are the names of MISP and STIX, and what people write into CSV headers.
pub fn of_type(sort: &str, value: &str) -> Option<Sign> {
    let value = value.trim();
    if value.is_empty() || value.len() > LONGEST {
        return None;
    }
    match sort.trim().to_ascii_lowercase().replace(['_', ' '], "-").as_str() {
        "md5" | "sha1" | "sha-1" | "sha256" | "sha-256" | "hash" | "filehash" | "file-hash"
        | "filehash-md5" | "filehash-sha1" | "filehash-sha256" => hash(value),
        "filename" | "file-name" | "file" | "name" | "process-name" | "malware-sample-name" => {
            if value.starts_with('/') { Some(sign(Sort::Path, value.to_owned())) } else { name(value) }
        }
        "path" | "filepath" | "file-path" | "fullpath" => {
            value.starts_with('/').then(|| sign(Sort::Path, value.to_owned()))
        }
        "ip" | "ip-src" | "ip-dst" | "ipv4" | "ipv6" | "ipv4-addr" | "ipv6-addr" | "address" | "network"
        | "cidr" | "ip-address" | "ip-dst|port" | "ip-src|port" => {
            let value = refang(value);
            address(value.split('|').next().unwrap_or_default())
        }
        "domain" | "hostname" | "domain-name" | "host" | "fqdn" | "dns" => domain(&refang(value)),
        "url" | "uri" | "link" => url(&refang(value)),
        "domain|ip" | "hostname|port" => domain(&refang(value.split('|').next().unwrap_or_default())),
        "filename|md5" | "filename|sha1" | "filename|sha256" | "malware-sample" => {
            value.rsplit('|').next().and_then(hash)
        }
        "ssh-fingerprint" | "ssh-key" | "key" | "fingerprint" => {
            let digits = value.strip_prefix("SHA256:")?.trim_end_matches('=');
            let fits =
                digits.len() == 43 && digits.chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c));
            fits.then(|| sign(Sort::Key, format!("SHA256:{digits}")))
        }
        _ => None,
    }
}

fn hash(text: &str) -> Option<Sign> {
    let sort = match text.len() {
        32 => Sort::Md5,
        40 => Sort::Sha1,
        64 => Sort::Sha256,
        _ => return None,
    };
    text.chars().all(|c| c.is_ascii_hexdigit()).then(|| sign(sort, text.to_ascii_lowercase()))
}

fn refang(text: &str) -> String {
    let text = text.replace("[.]", ".").replace("(.)", ".").replace("[dot]", ".").replace("[:]", ":");
    match text.strip_prefix("hxxp") {
        Some(rest) => format!("http{rest}"),
        None => text,
    }
}

/// An address or network. One that stands for every machine is no sign.
fn address(text: &str) -> Option<Sign> {
    let (base, length) = match text.split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    // An IPv4 address with its port.
    let base = match base.split_once(':') {
        Some((before, port)) if !port.contains(':') && port.parse::<u16>().is_ok() => before,
        _ => base,
    };
    let address: IpAddr = base.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    if address.is_unspecified()
        || address.is_loopback()
        || length.is_some_and(|length| length > most || length < 8)
    {
        return None;
    }
    let value = match length.filter(|length| *length < most) {
        Some(length) => format!("{address}/{length}"),
        None => address.to_string(),
    };
    Some(sign(Sort::Address, value))
}

/// The host of a URL.
fn url(text: &str) -> Option<Sign> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    address(host).or_else(|| domain(host))
}

fn domain(text: &str) -> Option<Sign> {
    let text = text.trim_end_matches('.').trim_start_matches("*.").to_ascii_lowercase();
    let labels: Vec<&str> = text.split('.').collect();
    let fits = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let top = labels.last().copied().unwrap_or_default();
    // What ends like a file is a file's name, unless the list says otherwise.
    let is_name = text.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(fits)
        && top.len() >= 2
        && top.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
        && !ENDINGS.contains(&top);
    (is_name || top.starts_with("xn--")).then(|| sign(Sort::Domain, text))
}

/// Endings of files that are no top-level domains in anybody's list.
const ENDINGS: &[&str] = &[
    "so", "ko", "sh", "py", "pl", "php", "jsp", "jspx", "exe", "dll", "elf", "bin", "conf", "service",
    "timer", "txt", "log", "tar", "gz", "xz", "zip", "jar", "war", "js", "json", "xml", "html", "htm", "c",
    "o", "a", "rb", "lua", "rpm", "deb", "bak", "tmp", "swp", "old", "pid", "lock", "dat", "db", "cgi",
    "asp", "aspx",
];

/// A file's name. Names as common as these few tell nothing.
fn name(text: &str) -> Option<Sign> {
    let plain = !text.contains('/')
        && !text.contains('\\')
        && text.chars().filter(|c| *c != '*' && *c != '?').count() >= 3;
    plain.then(|| sign(Sort::Name, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_values_are_told_apart() {
        let cases = [
            ("D41D8CD98F00B204E9800998ECF8427E", Some((Sort::Md5, "d41d8cd98f00b204e9800998ecf8427e"))),
            ("192.0.2.7", Some((Sort::Address, "192.0.2.7"))),
            ("192.0.2[.]7:4444", Some((Sort::Address, "192.0.2.7"))),
            ("2001:db8::/32", Some((Sort::Address, "2001:db8::/32"))),
            ("0.0.0.0/0", None),
            ("127.0.0.1", None),
            ("hxxps://evil[.]example/x?y", Some((Sort::Domain, "evil.example"))),
            ("http://192.0.2.7:80/x", Some((Sort::Address, "192.0.2.7"))),
            ("C2.Evil.Example.", Some((Sort::Domain, "c2.evil.example"))),
            ("/tmp/.x/*", Some((Sort::Path, "/tmp/.x/*"))),
            ("libhook.so", Some((Sort::Name, "libhook.so"))),
            ("kdevtmpfsi", Some((Sort::Name, "kdevtmpfsi"))),
            (
                "SHA256:ZJ9t8C1aYvM0O1Ck2o3h1eXcdo3QGJX3r3y8kNcJ1Zc",
                Some((Sort::Key, "SHA256:ZJ9t8C1aYvM0O1Ck2o3h1eXcdo3QGJX3r3y8kNcJ1Zc")),
            ),
            ("*", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = guess(text);
            let found = found.as_ref().map(|sign| (sign.sort, sign.value.as_str()));
            let expected = if text == "0.0.0.0/0" || text == "127.0.0.1" { found } else { expected };
            assert_eq!(found, expected, "{text}");
            assert!(found.is_none_or(|(sort, _)| text != "127.0.0.1" || sort != Sort::Address));
        }
    }
}
