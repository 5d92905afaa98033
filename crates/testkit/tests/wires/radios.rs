//! Radios, in the guest alone: they are the machine's.

use crate::own::wires;
use calma_host::wires::Radio;
use calma_host::{Glance, LiveGlance, Wires};

#[test]
fn a_machine_without_radios_has_none_to_block() {
    let gone = Radio { index: u32::MAX, kind: 1, blocked: false, switched_off: false };
    if std::path::Path::new("/dev/rfkill").exists() {
        return;
    }
    assert_eq!(LiveGlance::new().radios().unwrap(), []);
    assert!(wires().block_radio(&gone, true).unwrap_err().is_missing());
}

#[test]
#[ignore = "a part of guest::on_debians_own_kernel"]
fn radios_are_blocked_and_freed() {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap();
    assert!(line.split_whitespace().any(|word| word == "calma.guest"), "not in the guest: nothing was done");
    let state = |radio: &Radio| {
        let path = format!("/sys/class/rfkill/rfkill{}/soft", radio.index);
        std::fs::read_to_string(path).unwrap().trim() == "1"
    };
    let before = LiveGlance::new().radios().unwrap();
    println!("{before:?}");
    assert_eq!(before.len(), 2);
    let (one, other) = (&before[0], &before[1]);
    assert!(before.iter().all(|radio| radio.kind == 1 && !radio.blocked && !state(radio)));
    // One was blocked before: it stays so.
    wires().block_radio(other, true).unwrap();
    let before = LiveGlance::new().radios().unwrap();
    before.iter().for_each(|radio| wires().block_radio(radio, true).unwrap());
    assert!(state(one) && state(other));
    before.iter().for_each(|radio| wires().block_radio(radio, radio.blocked).unwrap());
    assert!(!state(one) && state(other));
    assert_eq!(LiveGlance::new().radios().unwrap(), before);
    let gone = Radio { index: 99, ..*one };
    assert!(wires().block_radio(&gone, true).is_err());
    println!("{} radios blocked and freed", before.len());
}
