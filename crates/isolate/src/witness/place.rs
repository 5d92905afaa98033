//! Where a witness hears the suspect: which interface leads to it, and which hardware address it has there.

use super::Suspect;
use super::suspect::read_mac;
use crate::canary::{Outlook, Outward};
use calma_host::{Host, HostError, Namespace};
use calma_record::Text;
use std::net::IpAddr;

/// Where to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the interface.
    pub index: u32,
    /// Its name.
    pub name: Text,
    /// Who is watched.
    pub suspect: Suspect,
    /// What the administrator should know about this place, one sentence each.
    pub notes: Vec<String>,
}

/// Why there is no place to hear.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A word is neither an address nor a hardware address.
    #[error("{0} is neither an address (192.0.2.10) nor a hardware address (02:00:5e:00:53:01)")]
    NotAnAddress(String),
    /// No interface of that name is up.
    #[error("there is no interface {0} that is up")]
    NoInterface(Text),
    /// No interface is up.
    #[error("no interface is up")]
    NoneUp,
    /// Several interfaces could be meant.
    #[error("several interfaces could lead there: {0}")]
    Several(String),
    /// The interface does not speak Ethernet.
    #[error("{0} does not speak Ethernet, and a witness hears Ethernet alone")]
    NotEthernet(Text),
    /// The kernel did not tell.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Finds the interface, unless it is named, and the suspect's hardware addresses, unless they are given.
///
/// # Errors
/// When a host is no address, or no interface fits.
pub fn place(host: &dyn Host, interface: Option<&Text>, hosts: &[String]) -> Result<Place, PlaceError> {
    let mut suspect = Suspect { everything: hosts.is_empty(), ..Suspect::default() };
    for word in hosts {
        match (word.parse::<IpAddr>(), read_mac(word)) {
            (Ok(address), _) => suspect.addresses.push(address.to_canonical()),
            (_, Some(mac)) => suspect.macs.push(mac),
            _ => return Err(PlaceError::NotAnAddress(Text::from(word.as_str()).to_string())),
        }
    }
    let outlook = Outlook::of(host, Namespace::Own, Vec::new())?;
    let chosen = choose(&outlook, interface, &suspect)?;
    if chosen.mac.is_none() {
        return Err(PlaceError::NotEthernet(chosen.name.clone()));
    }
    let mut notes = Vec::new();
    for address in &suspect.addresses {
        match outlook.mac_of(chosen.index, *address) {
            Some(mac) if suspect.macs.contains(&mac) => {}
            Some(mac) => suspect.macs.push(mac),
            None => notes.push(format!(
                "The hardware address of {address} is not known here: frames with a false source are not counted. \
                 Reach it once (ping {address}) and start again, or give its hardware address with --host."
            )),
        }
    }
    let gateways: Vec<_> = outlook
        .gateways
        .iter()
        .filter_map(|hop| Some((hop.address, outlook.mac_of(hop.interface, hop.address)?)))
        .collect();
    for (address, mac) in gateways {
        if suspect.macs.contains(&mac) && !suspect.addresses.contains(&address) {
            notes.push(format!(
                "That hardware address is the router's ({address}): everything it passes on counts. Watch from the \
                 suspect's own segment, or from a mirror of its switch port."
            ));
        }
    }
    if suspect.everything {
        notes.push(
            "No host was given: every frame that comes in counts. That fits a cable to the suspect alone, or a \
             mirror of its switch port."
                .to_owned(),
        );
    }
    Ok(Place { index: chosen.index, name: chosen.name.clone(), suspect, notes })
}

fn choose<'a>(
    outlook: &'a Outlook,
    named: Option<&Text>,
    suspect: &Suspect,
) -> Result<&'a Outward, PlaceError> {
    if let Some(name) = named {
        let found = outlook.outward.iter().find(|interface| interface.name == *name);
        return found.ok_or_else(|| PlaceError::NoInterface(name.clone()));
    }
    let knows = |interface: &&Outward| {
        outlook.neighbours.iter().any(|(on, address, mac)| {
            *on == interface.index && (suspect.addresses.contains(address) || suspect.macs.contains(mac))
        })
    };
    let mut near: Vec<&Outward> = outlook.outward.iter().filter(knows).collect();
    if near.is_empty() {
        near = outlook.outward.iter().filter(|interface| interface.mac.is_some()).collect();
    }
    match near.as_slice() {
        [one] => Ok(one),
        [] => Err(PlaceError::NoneUp),
        several => {
            let names: Vec<String> = several.iter().map(|interface| interface.name.to_string()).collect();
            Err(PlaceError::Several(names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::{Mem, Protocol};

    /// A link: number, name, up, Ethernet with that last byte.
    fn link(index: u32, name: &str, last: u8) -> (u16, Vec<u8>) {
        let mut body = vec![0, 0, 1, 0];
        body.extend(index.to_ne_bytes());
        body.extend(1_u32.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(u16::try_from(5 + name.len()).unwrap().to_ne_bytes());
        body.extend([3, 0]);
        body.extend(name.as_bytes());
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([10, 0, 1, 0, 2, 0, 0, 0, 0, last, 0, 0]);
        (16, body)
    }

    /// A neighbour on an interface.
    fn neighbour(index: u32, address: [u8; 4], mac: [u8; 6]) -> (u16, Vec<u8>) {
        let mut body = vec![2, 0, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend([2, 0, 0, 0, 8, 0, 1, 0]);
        body.extend(address);
        body.extend([10, 0, 2, 0]);
        body.extend(mac);
        body.extend([0, 0]);
        (28, body)
    }

    fn host() -> Mem {
        Mem::running().network(|network| {
            let mut answer = |kind, messages: Vec<(u16, Vec<u8>)>| {
                network.answer(Namespace::Own, Protocol::ROUTE, kind, Vec::new(), messages);
            };
            answer(18, vec![link(2, "eth0", 1), link(3, "eth1", 2)]);
            answer(22, Vec::new());
            answer(26, Vec::new());
            answer(30, vec![neighbour(3, [192, 0, 2, 10], [2, 0, 0, 0, 0, 9])]);
        })
    }

    #[test]
    fn the_interface_is_the_one_that_knows_the_suspect_and_its_hardware_address_is_found() {
        let found = place(&host(), None, &["192.0.2.10".to_owned()]).unwrap();
        assert_eq!((found.index, found.name), (3, "eth1".into()));
        assert_eq!((found.suspect.macs, found.notes.len()), (vec![[2, 0, 0, 0, 0, 9]], 0));
        let found = place(&host(), Some(&"eth0".into()), &["192.0.2.10".to_owned()]).unwrap();
        assert!(found.suspect.macs.is_empty() && found.notes[0].contains("false source"));
        let found = place(&host(), None, &["02:00:00:00:00:09".to_owned()]).unwrap();
        assert_eq!(found.name, "eth1");
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        let wrong = |interface: Option<&str>, host_given: &str| {
            let interface = interface.map(Text::from);
            place(&host(), interface.as_ref(), &[host_given.to_owned()]).unwrap_err().to_string()
        };
        assert!(wrong(None, "198.51.100.1").contains("eth0, eth1"));
        assert!(wrong(Some("eth7"), "198.51.100.1").contains("eth7"));
        assert!(wrong(None, "web1\u{1b}[2J").contains("web1\\x1b"));
    }
}
