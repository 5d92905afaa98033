//! Classic BPF filters, as a packet socket carries them: bpf(4), `<linux/filter.h>`.

use crate::{Format, netlink};
use std::fmt::Write as _;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "classic_bpf",
    doc: "Filters attached to sockets (SO_ATTACH_FILTER).",
    manual: "<linux/filter.h>, Documentation/networking/filter.rst",
    samples: &[
        b"\x28\0\0\0\x0c\0\0\0\x15\0\0\x01\0\x08\0\0\x06\0\0\0\0\0\x04\0\x06\0\0\0\0\0\0\0",
        b"\xb1\0\0\0\x0e\0\0\0\x48\0\0\0\x16\0\0\0\x15\0\0\x01\x93\x52\0\0\x06\0\0\0\xff\xff\0\0\x06\0\0\0\0\0\0\0",
    ],
    feed: |bytes| {
        let instructions = instructions(bytes);
        drop((disassembly(&instructions), compared(&instructions)));
    },
};

/// Most instructions of a filter (`BPF_MAXINSNS`).
const MOST: usize = 4096;

/// One instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump if true.
    pub yes: u8,
    /// Jump if false.
    pub no: u8,
    /// Operand.
    pub operand: u32,
}

/// The instructions of a filter.
pub fn instructions(bytes: &[u8]) -> Vec<Instruction> {
    let one = |piece: &[u8]| {
        Some(Instruction {
            code: netlink::u16_at(piece, 0)?,
            yes: *piece.get(2)?,
            no: *piece.get(3)?,
            operand: netlink::u32_at(piece, 4)?,
        })
    };
    bytes.chunks_exact(8).take(MOST).filter_map(one).collect()
}

/// The filter in the usual notation, one instruction a line.
pub fn disassembly(instructions: &[Instruction]) -> String {
    let mut text = String::new();
    for (at, instruction) in instructions.iter().enumerate() {
        let _ = writeln!(text, "{at:03} {}", line(at, *instruction));
    }
    text
}

fn line(at: usize, instruction: Instruction) -> String {
    let Instruction { code, yes, no, operand } = instruction;
    let size = ["", "h", "b", "?"].get(usize::from(code >> 3 & 3)).copied().unwrap_or("?");
    let source = if code & 8 == 0 { format!("#{operand:#x}") } else { "x".to_owned() };
    let target = |by: u32| u64::try_from(at).unwrap_or(0) + 1 + u64::from(by);
    match code & 7 {
        class @ (0 | 1) => {
            let name = if class == 0 { format!("ld{size}") } else { format!("ldx{size}") };
            match code >> 5 {
                0 => format!("{name} #{operand:#x}"),
                1 => format!("{name} [{operand}]"),
                2 => format!("{name} [x + {operand}]"),
                3 => format!("{name} M[{operand}]"),
                4 => format!("{name} #pktlen"),
                5 => format!("{name} 4*([{operand}]&0xf)"),
                _ => format!("unknown {code:#x}"),
            }
        }
        2 => format!("st M[{operand}]"),
        3 => format!("stx M[{operand}]"),
        4 => {
            const NAMES: [&str; 11] =
                ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor"];
            format!("{} {source}", NAMES.get(usize::from(code >> 4)).copied().unwrap_or("alu?"))
        }
        5 if code >> 4 == 0 => format!("ja {}", target(operand)),
        5 => {
            let name = ["ja", "jeq", "jgt", "jge", "jset"].get(usize::from(code >> 4)).copied();
            let (yes, no) = (target(yes.into()), target(no.into()));
            format!("{} {source}, {yes}, {no}", name.unwrap_or("j?"))
        }
        6 if code & 0x10 != 0 => "ret a".to_owned(),
        6 => format!("ret #{operand}"),
        _ if code & 0x80 != 0 => "txa".to_owned(),
        _ => "tax".to_owned(),
    }
}

/// A constant that packet bytes are compared with, and how many bytes at which place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared {
    /// Bytes loaded: 1, 2 or 4.
    pub width: u8,
    /// Whether the place is counted behind a header of varying length (`[x + k]`).
    pub indexed: bool,
    /// The place's fixed part.
    pub offset: u32,
    /// The constant.
    pub value: u32,
}

/// What the filter compares packet bytes with (`jeq`), each with the load before it.
pub fn compared(instructions: &[Instruction]) -> Vec<Compared> {
    let mut loaded = None;
    let mut found = Vec::new();
    for instruction in instructions {
        match instruction.code {
            0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => {
                let width = [4, 2, 1].get(usize::from(instruction.code >> 3 & 3)).copied().unwrap_or(0);
                // Offsets from there on stand for what the kernel knows of the packet, not for its bytes (SKF_AD_OFF).
                loaded = (instruction.operand < 0xffff_f000).then_some((
                    width,
                    instruction.code >> 5 == 2,
                    instruction.operand,
                ));
            }
            0x15 => {
                if let Some((width, indexed, offset)) = loaded {
                    found.push(Compared { width, indexed, offset, value: instruction.operand });
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_printed_and_its_constants_are_found() {
        let text = disassembly(&instructions(FORMAT.samples[0]));
        assert_eq!(text, "000 ldh [12]\n001 jeq #0x800, 2, 3\n002 ret #262144\n003 ret #0\n");
        let found = compared(&instructions(FORMAT.samples[1]));
        assert_eq!(found, [Compared { width: 2, indexed: true, offset: 22, value: 0x5293 }]);
    }
}
