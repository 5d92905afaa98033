//! Who is watched, and what of it is the administrator's own.

use crate::Kept;
use calma_formats::ethernet::{Carries, Frame, Mac, Packet};
use std::net::IpAddr;

/// Whether a packet of the suspect belongs to what is kept.
pub(super) fn belongs(packet: &Packet<'_>, kept: &Kept) -> bool {
    let own = || packet.protocol == 6 && packet.ports.map(|(from, _)| from) == kept.port;
    packet.destination == kept.peer && (kept.port.is_none() || own())
}

/// Whose frames count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspect {
    /// Its hardware addresses.
    pub macs: Vec<Mac>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Everything that comes in counts: the wire leads to the suspect alone, or mirrors its port.
    pub everything: bool,
}

impl Suspect {
    /// Whether a frame is the suspect's: one of its hardware addresses or one of its addresses sent it.
    pub fn sent(&self, frame: &Frame<'_>) -> bool {
        if self.everything || self.macs.contains(&frame.source) {
            return true;
        }
        match &frame.carries {
            Carries::Ip(packet) => self.addresses.contains(&packet.source),
            Carries::Arp(arp) => {
                self.macs.contains(&arp.sender) || self.addresses.contains(&arp.sender_address)
            }
            Carries::Other(_) => false,
        }
    }

    /// Its hardware addresses and addresses as one writes them.
    pub fn names(&self) -> Vec<String> {
        let macs = self.macs.iter().map(mac);
        macs.chain(self.addresses.iter().map(ToString::to_string)).collect()
    }
}

/// A hardware address as one writes it.
pub(super) fn mac(address: &Mac) -> String {
    address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// A hardware address as one writes it, read.
pub(super) fn read_mac(text: &str) -> Option<Mac> {
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_formats::ethernet::{FORMAT, frame};

    #[test]
    fn a_false_source_counts_by_the_hardware_address_and_a_false_hardware_address_by_the_source() {
        let bytes = FORMAT.samples[0];
        let sent = |suspect: Suspect| suspect.sent(&frame(bytes).unwrap());
        let by_mac = Suspect { macs: vec![[2, 0, 0, 0, 0, 1]], ..Suspect::default() };
        let by_address = Suspect { addresses: vec!["192.0.2.1".parse().unwrap()], ..Suspect::default() };
        let neither = Suspect { addresses: vec!["203.0.113.9".parse().unwrap()], ..Suspect::default() };
        assert!(sent(by_mac) && sent(by_address) && !sent(neither));
        assert!(sent(Suspect { everything: true, ..Suspect::default() }));
    }

    #[test]
    fn hardware_addresses_are_read_as_people_write_them() {
        let expected = Some([2, 0, 0xab, 0, 0, 0xff]);
        assert_eq!(read_mac("02:00:ab:00:00:ff"), expected);
        assert_eq!(read_mac("02-00-AB-00-00-FF"), expected);
        for wrong in ["02:00:ab:00:00", "02:00:ab:00:00:ff:00", "2:0:ab:0:0:ff", "02:00:ab:00:00:fg", ""] {
            assert_eq!(read_mac(wrong), None, "{wrong}");
        }
    }
}
