//! Expressions: what the kernel does with a packet, one after another, until one does not match.

use crate::netlink::Attributes;
use calma_record::Text;

/// The register that values pass through (`NFT_REG_1`), 16 bytes, and the one of verdicts.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;

/// What is known of a packet beside its bytes (`enum nft_meta_keys`). Lengths of the values are in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// Its Ethernet protocol number (2, network order).
    Protocol = 1,
    /// Its mark (4).
    Mark = 3,
    /// Index of the interface it came in through (4).
    InputInterface = 4,
    /// Index of the interface it goes out through (4).
    OutputInterface = 5,
    /// Name of the interface it came in through (16, filled with NUL).
    InputName = 6,
    /// Name of the interface it goes out through (16, filled with NUL).
    OutputName = 7,
    /// Kind of the interface it came in through (2, machine's order; `ARPHRD_` of `<linux/if_arp.h>`, 1 for Ethernet).
    InputKind = 8,
    /// Kind of the interface it goes out through (2).
    OutputKind = 9,
    /// User id of the socket it comes from (4).
    SocketUser = 10,
    /// `NFPROTO_` number: 2 for IPv4, 10 for IPv6 (1).
    Family = 15,
    /// Number of the protocol above IP (1).
    Transport = 16,
    /// To whom: 0 this host, 1 all, 2 a group, 3 another host, 5 loopback (1; `PACKET_HOST` of packet(7)).
    PacketType = 19,
}

/// Which header an offset is counted from (`enum nft_payload_bases`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The frame's.
    Link = 0,
    /// IP's or ARP's.
    Network = 1,
    /// That above IP; there is none in later fragments.
    Transport = 2,
}

/// How values are compared (`enum nft_cmp_ops`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal = 0,
    /// Not equal.
    Differs = 1,
    /// Less, as numbers in network order.
    Less = 2,
    /// Less or equal.
    AtMost = 3,
    /// Greater.
    More = 4,
    /// Greater or equal.
    AtLeast = 5,
}

/// What becomes of a packet (`enum nft_verdicts`, `NF_DROP`, `NF_ACCEPT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on past this hook's chain; chains of higher priority still see it.
    Accept,
    /// It ends here.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// On with this chain of the same table, then back.
    Jump(Text),
    /// On with this chain of the same table.
    Goto(Text),
}

/// One step of a rule. The loads put a value into the one register; what follows looks at it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Loads what is known of the packet.
    Meta(Meta),
    /// Loads bytes of the packet; a packet that is too short does not match.
    Payload {
        /// Which header.
        base: Base,
        /// Where in it.
        offset: u32,
        /// How many, at most 16.
        length: u32,
    },
    /// Loads bytes of an IPv6 extension header; a packet without it does not match.
    Extension {
        /// Its protocol number: 44 for fragments.
        header: u8,
        /// Where in it.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// Keeps these bits of the loaded value.
    Mask(Vec<u8>),
    /// Goes on if the loaded value compares so with this one.
    Compare(Compare, Vec<u8>),
    /// Goes on if the loaded value is in the set of this name, or with `true` if it is not.
    Lookup(Text, u32, bool),
    /// Counts the packet.
    Counter,
    /// Decides.
    Verdict(Verdict),
}

impl Expression {
    /// The `NFTA_EXPR_` attributes: name and what belongs to it.
    pub(super) fn attributes(&self) -> Attributes {
        let new = Attributes::new;
        let value = |bytes: &[u8]| new().bytes(1, bytes);
        let (name, data): (&[u8], Attributes) = match self {
            Self::Meta(key) => (b"meta", new().be32(1, REGISTER).be32(2, *key as u32)),
            Self::Payload { base, offset, length } => {
                let place = new().be32(1, REGISTER).be32(2, *base as u32).be32(3, *offset);
                (b"payload", place.be32(4, *length))
            }
            Self::Extension { header, offset, length } => {
                let place = new().be32(1, REGISTER).bytes(2, &[*header]).be32(3, *offset);
                (b"exthdr", place.be32(4, *length))
            }
            Self::Mask(mask) => {
                let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
                let registers = new().be32(1, REGISTER).be32(2, REGISTER).be32(3, length);
                (b"bitwise", registers.nest(4, &value(mask)).nest(5, &value(&vec![0; mask.len()])))
            }
            Self::Compare(how, with) => {
                (b"cmp", new().be32(1, REGISTER).be32(2, *how as u32).nest(3, &value(with)))
            }
            Self::Lookup(set, id, inverted) => {
                let lookup = new().text(1, set.as_bytes()).be32(2, REGISTER).be32(4, *id);
                (b"lookup", if *inverted { lookup.be32(5, 1) } else { lookup })
            }
            Self::Counter => (b"counter", new().bytes(1, &[0; 8]).bytes(2, &[0; 8])),
            Self::Verdict(verdict) => {
                (b"immediate", new().be32(1, VERDICT).nest(2, &new().nest(2, &verdict.attributes())))
            }
        };
        new().text(1, name).nest(2, &data)
    }
}

impl Verdict {
    /// The `NFTA_VERDICT_` attributes.
    fn attributes(&self) -> Attributes {
        let code = |code: i32| Attributes::new().be32(1, code.cast_unsigned());
        match self {
            Self::Drop => code(0),
            Self::Accept => code(1),
            Self::Jump(chain) => code(-3).text(2, chain.as_bytes()),
            Self::Goto(chain) => code(-4).text(2, chain.as_bytes()),
            Self::Return => code(-5),
        }
    }
}
