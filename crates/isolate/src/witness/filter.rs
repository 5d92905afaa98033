//! The kernel's filter before the queue: a busy link then costs nothing, and loses nothing.

use super::Suspect;
use calma_host::wire::Instruction;
use std::net::IpAddr;

/// Operations of classic filters (`<linux/filter.h>`): load a word, load a half word, compare, return.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// As many bytes of a frame as there are.
const WHOLE: u32 = 0x0004_0000;
/// Most instructions the kernel takes (`BPF_MAXINSNS`).
const MOST: usize = 4096;

fn instruction(code: u16, yes: u8, no: u8, operand: u32) -> Instruction {
    Instruction { code, yes, no, operand }
}

/// One condition after the other, all of which must hold: load at an offset, compare; then take the frame.
fn take_if(conditions: &[(u16, u32, u32)], into: &mut Vec<Instruction>) {
    for (number, (load, offset, value)) in conditions.iter().enumerate() {
        let left = conditions.len() - number - 1;
        // Over what is left of this block: two instructions a condition and the return.
        let over = u8::try_from(2 * left + 1).unwrap_or(u8::MAX);
        into.push(instruction(*load, 0, 0, *offset));
        into.push(instruction(IF_EQUAL, 0, over, *value));
    }
    into.push(instruction(RETURN, 0, 0, WHOLE));
}

/// The filter for a suspect; empty, and everything comes in, where everything counts or the filter would be too long.
pub(super) fn filter(suspect: &Suspect) -> Vec<Instruction> {
    if suspect.everything {
        return Vec::new();
    }
    let mut code = Vec::new();
    let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    for [a, b, c, d, e, f] in &suspect.macs {
        // The source of the frame; the sender in ARP (RFC 826), whoever sent the frame.
        take_if(&[(LOAD_HALF, 6, word(&[*a, *b])), (LOAD_WORD, 8, word(&[*c, *d, *e, *f]))], &mut code);
    }
    for address in &suspect.addresses {
        match address {
            IpAddr::V4(four) => {
                let own = u32::from(*four);
                take_if(&[(LOAD_HALF, 12, 0x0800), (LOAD_WORD, 26, own)], &mut code);
                take_if(&[(LOAD_HALF, 12, 0x0806), (LOAD_WORD, 28, own)], &mut code);
            }
            IpAddr::V6(six) => {
                let bytes = six.octets();
                let mut conditions = vec![(LOAD_HALF, 12, 0x86dd)];
                for (number, part) in bytes.chunks(4).enumerate() {
                    let offset = 22 + 4 * u32::try_from(number).unwrap_or(0);
                    conditions.push((LOAD_WORD, offset, word(part)));
                }
                take_if(&conditions, &mut code);
            }
        }
    }
    code.push(instruction(RETURN, 0, 0, 0));
    if code.len() > MOST { Vec::new() } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_formats::ethernet::{FORMAT, frame};

    /// What the kernel would do.
    fn run(code: &[Instruction], bytes: &[u8]) -> bool {
        let (mut at, mut value) = (0, 0);
        loop {
            let one = code[at];
            let offset = one.operand as usize;
            let load = |length: usize| {
                let bytes = bytes.get(offset..offset + length)?;
                Some(bytes.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte)))
            };
            at += 1;
            match one.code {
                // A load behind the end ends the filter: nothing is taken.
                LOAD_WORD | LOAD_HALF => match load(if one.code == LOAD_WORD { 4 } else { 2 }) {
                    Some(loaded) => value = loaded,
                    None => return false,
                },
                IF_EQUAL => at += usize::from(if value == one.operand { one.yes } else { one.no }),
                RETURN => return one.operand > 0,
                _ => panic!(),
            }
        }
    }

    #[test]
    fn it_takes_what_the_suspect_sent_and_nothing_else() {
        let address = |text: &str| text.parse().unwrap();
        let suspects = [
            Suspect { macs: vec![[2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]], ..Suspect::default() },
            Suspect { addresses: vec![address("192.0.2.1"), address("fe80::1")], ..Suspect::default() },
            Suspect { addresses: vec![address("192.0.2.7"), address("fe80::2")], ..Suspect::default() },
            Suspect { macs: vec![[2, 0, 0, 0, 0, 2]], ..Suspect::default() },
        ];
        for suspect in &suspects {
            let code = filter(suspect);
            for bytes in FORMAT.samples {
                let parsed = frame(bytes).unwrap();
                // Behind a tag in the frame the addresses stand elsewhere; there the hardware address alone tells.
                if !parsed.tagged || !suspect.macs.is_empty() {
                    assert_eq!(run(&code, bytes), suspect.sent(&parsed), "{suspect:?} {parsed:?}");
                }
            }
            assert!(!run(&code, &[0; 14]));
        }
        assert!(filter(&Suspect { everything: true, ..Suspect::default() }).is_empty());
    }
}
