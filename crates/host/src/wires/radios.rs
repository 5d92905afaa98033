//! Radios: Wi-Fi, Bluetooth, mobile networks and their like, blocked in software (`<linux/rfkill.h>`).

use std::fmt;

/// Length of an event of the first version of the interface (`RFKILL_EVENT_SIZE_V1`); later ones are longer.
pub(super) const EVENT: usize = 8;
/// `RFKILL_OP_ADD`, `RFKILL_OP_DEL` and `RFKILL_OP_CHANGE`.
const ADD: u8 = 0;
const REMOVE: u8 = 1;
const CHANGE: u8 = 2;

/// A radio, and whether it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Radio {
    /// Its number.
    pub index: u32,
    /// `enum rfkill_type`: 1 Wi-Fi, 2 Bluetooth, 3 ultra-wideband, 4 WiMAX, 5 mobile network, 6 satellite navigation,
    /// 7 FM, 8 near field.
    pub kind: u8,
    /// Whether it is blocked by software.
    pub blocked: bool,
    /// Whether it is blocked by a switch, which software can not change.
    pub switched_off: bool,
}

impl fmt::Display for Radio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            1 => "Wi-Fi",
            2 => "Bluetooth",
            3 => "ultra-wideband",
            4 => "WiMAX",
            5 => "mobile network",
            6 => "satellite navigation",
            7 => "FM",
            8 => "near field",
            _ => "unknown",
        };
        write!(f, "{kind} radio {}", self.index)
    }
}

/// Takes one event into what is known.
pub(super) fn take(event: [u8; EVENT], radios: &mut Vec<Radio>) {
    let [i0, i1, i2, i3, kind, what, soft, hard] = event;
    let index = u32::from_ne_bytes([i0, i1, i2, i3]);
    radios.retain(|radio| radio.index != index);
    if matches!(what, ADD | CHANGE) {
        radios.push(Radio { index, kind, blocked: soft != 0, switched_off: hard != 0 });
    }
    debug_assert!(what != REMOVE || radios.iter().all(|radio| radio.index != index));
}

/// The event that blocks or frees one radio.
pub(super) fn order(radio: &Radio, blocked: bool) -> [u8; EVENT] {
    let [i0, i1, i2, i3] = radio.index.to_ne_bytes();
    [i0, i1, i2, i3, radio.kind, CHANGE, u8::from(blocked), 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radios_come_change_and_go() {
        let mut radios = Vec::new();
        let event = |index: u32, what, soft| {
            let [a, b, c, d] = index.to_ne_bytes();
            [a, b, c, d, 1, what, soft, 0]
        };
        take(event(0, ADD, 0), &mut radios);
        take(event(1, ADD, 1), &mut radios);
        take(event(0, CHANGE, 1), &mut radios);
        take(event(1, REMOVE, 1), &mut radios);
        assert_eq!(radios, [Radio { index: 0, kind: 1, blocked: true, switched_off: false }]);
        assert_eq!(order(&radios[0], false), event(0, CHANGE, 0));
        assert_eq!(radios[0].to_string(), "Wi-Fi radio 0");
    }
}
