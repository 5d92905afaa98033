//! What a canary carries, so that whoever hears it knows it.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `calmaCN1` |
//! | 8 | kind; 255 for a witness's answer |
//! | 9..12 | zero |
//! | 12..28 | the number nobody can guess |
//! | 28..36 | clock of whoever sent it: nanoseconds since 1970, big endian |

use super::CanaryKind;
use calma_record::Timestamp;

const MAGIC: &[u8; 8] = b"calmaCN1";
/// Length of a mark in bytes.
pub const MARK: usize = 36;
/// The kind of an answer: the same number, with the witness's clock.
pub const ANSWER: u8 = 255;
/// The zone of names that canaries ask for: below a domain that is nobody's (RFC 6761, section 6.5). `invalid` is not
/// used, since a resolver on the host would answer for it without asking anybody.
const ZONE: &[&str] = &["calma-canary", "example"];

/// The mark of one canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The kind's number on the wire.
    pub code: u8,
    /// The number nobody can guess.
    pub nonce: [u8; 16],
    /// When it was sent, by the sender's clock.
    pub sent: Timestamp,
}

impl Mark {
    /// The mark of a canary sent now.
    pub fn new(kind: CanaryKind, nonce: [u8; 16], sent: Timestamp) -> Self {
        Self { code: kind.code(), nonce, sent }
    }

    /// Its kind, if it is a canary's.
    pub fn kind(&self) -> Option<CanaryKind> {
        CanaryKind::from_code(self.code)
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MARK);
        bytes.extend(MAGIC);
        bytes.extend([self.code, 0, 0, 0]);
        bytes.extend(self.nonce);
        bytes.extend(self.sent.nanoseconds().to_be_bytes());
        bytes
    }

    /// The first mark anywhere in these bytes.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        let rest = bytes.get(at + MAGIC.len()..)?;
        Some(Self {
            code: *rest.first()?,
            nonce: *rest.get(4..)?.first_chunk::<16>()?,
            sent: Timestamp::from_nanoseconds(i64::from_be_bytes(*rest.get(20..)?.first_chunk::<8>()?)),
        })
    }
}

/// A question for a name that holds the number (RFC 1035, section 4).
pub(super) fn question(nonce: &[u8; 16]) -> Vec<u8> {
    let [a, b, ..] = *nonce;
    // Recursion wanted, one question.
    let mut packet = vec![a, b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let name: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    for label in std::iter::once(name.as_str()).chain(ZONE.iter().copied()) {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend(label.as_bytes());
    }
    // The root; type A, class IN.
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

/// The number in a question for such a name, wherever the question stands in these bytes.
pub fn nonce_of_name(bytes: &[u8]) -> Option<[u8; 16]> {
    let zone = b"\x0ccalma-canary\x07example\0";
    let at = bytes.windows(zone.len()).position(|window| window.eq_ignore_ascii_case(zone))?;
    let label = bytes.get(at.checked_sub(33)?..at)?;
    let (32, digits) = label.split_first().map(|(length, rest)| (*length, rest))? else { return None };
    let mut nonce = [0; 16];
    for (byte, pair) in nonce.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands_and_a_cut_one_is_not() {
        let mark = Mark::new(CanaryKind::Raw6, [7; 16], Timestamp::new(1_795_000_000, 5));
        let bytes = mark.bytes();
        assert_eq!(bytes.len(), MARK);
        for before in [0, 1, 57] {
            let packet = [vec![0x63; before], bytes.clone(), vec![1; 9]].concat();
            assert_eq!(Mark::find(&packet), Some(mark));
        }
        assert!((0..MARK).all(|length| Mark::find(&bytes[..length]).is_none()));
    }

    #[test]
    fn a_name_gives_its_number_back_also_when_a_resolver_plays_with_the_case() {
        let nonce = *b"\x00\x01\xfe\xff0123456789ab";
        let question = question(&nonce);
        assert_eq!(nonce_of_name(&question), Some(nonce));
        assert_eq!(nonce_of_name(&question.to_ascii_uppercase()), Some(nonce));
        assert_eq!(nonce_of_name(&question[14..]), None);
        assert_eq!(nonce_of_name(b"\x0ccalma-canary\x07example\0"), None);
    }
}
