//! Addresses and networks in plain words.

use std::net::IpAddr;

/// An IP address by its length.
pub(super) fn address(value: &[u8]) -> String {
    let found: Option<IpAddr> = match value.len() {
        4 => value.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        16 => value.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => None,
    };
    found.map_or_else(|| hexadecimal(value), |address| address.to_string())
}

/// A network; without address it is all.
pub(super) fn network(value: Option<&[u8]>, prefix: u8) -> String {
    match value {
        Some(value) => format!("{}/{prefix}", address(value)),
        None => "default".to_owned(),
    }
}

/// Any bytes.
pub(super) fn hexadecimal(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
