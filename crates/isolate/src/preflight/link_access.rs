//! Links that must be kept open by a program: 802.1X on a wire, PPP over Ethernet, Wi-Fi.

use super::sight::holds;
use super::{Concern, Sight, Weight};

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    let wired = sight.running.iter().find(|process| {
        process.is(&["wpa_supplicant"]) && (process.says("-Dwired") || process.says("wired"))
    });
    let connection = sight
        .files("/etc/NetworkManager/system-connections", ".nmconnection")
        .into_iter()
        .find(|(_, bytes)| holds(bytes, "type=ethernet") && holds(bytes, "[802-1x]"));
    let place = wired.map(|process| format!("pid {}", process.pid)).or(connection.map(|(path, _)| path));
    if let Some(place) = place {
        concerns.push(Concern::new(
            Weight::Breaks,
            "the switch lets this machine in by 802.1X",
            place,
            "when it can not prove itself again, the switch closes the port or moves it to a guest network: your session ends, \
             and after a link down it may not come back",
            "have the port set to open for this machine (MAC bypass) before links are taken down; level 1 keeps 802.1X frames",
        ));
    }
    let pppoe = sight.running.iter().find(|process| {
        process.is(&["pppd"]) && process.arguments.iter().any(|word| holds(word.as_bytes(), "pppoe"))
    });
    if let Some(process) = pppoe {
        concerns.push(Concern::new(
            Weight::Breaks,
            "the way out is PPP over Ethernet",
            format!("pid {}", process.pid),
            "the line is dropped when its keep-alive packets stop, and with it every address that came over it",
            "come in over another way before cutting; level 2 ends the line, and release dials again with a new address perhaps",
        ));
    }
    let wifi = sight.names("/sys/class/net").into_iter().find(|name| {
        sight.there(&format!("/sys/class/net/{name}/phy80211"))
            || sight.there(&format!("/sys/class/net/{name}/wireless"))
    });
    if let Some(name) = wifi {
        concerns.push(Concern::new(
            Weight::Note,
            format!("{name} is Wi-Fi"),
            format!("/sys/class/net/{name}"),
            "its link frames are the device's own and pass no filter: level 1 does not silence the radio",
            "level 2 switches the radio off (rfkill), or block its hardware address at the access point",
        ));
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn links_that_need_a_program_are_known() {
        let run = |program: &str, arguments: &[&str]| process(Mem::running(), 4, program, arguments);
        let connection =
            |text: &str| Mem::running().file("/etc/NetworkManager/system-connections/a.nmconnection", text);
        table(vec![
            (run("/sbin/wpa_supplicant", &["-i", "eth0", "-D", "wired"]), &["802.1X"]),
            (run("/sbin/wpa_supplicant", &["-u", "-s", "-O", "/run"]), &[]),
            (connection("[connection]\ntype=ethernet\n[802-1x]\neap=tls\n"), &["802.1X", "a.nmconnection"]),
            (connection("[connection]\ntype=wifi\n[802-1x]\neap=tls\n"), &[]),
            (run("/usr/sbin/pppd", &["plugin", "rp-pppoe.so", "eth0"]), &["PPP over Ethernet"]),
            (run("/usr/sbin/pppd", &["/dev/ttyS0"]), &[]),
            (Mem::running().directory("/sys/class/net/wlan0/phy80211"), &["wlan0 is Wi-Fi", "rfkill"]),
            (Mem::running().directory("/sys/class/net/eth0"), &[]),
        ]);
    }
}
