//! Messages of netlink sockets, written and read: netlink(7), `<linux/netlink.h>`. No socket is known here.

mod attributes;

pub(crate) use attributes::{Attributes, attribute, attributes, attributes_after};

/// Length of a message header (`struct nlmsghdr`).
pub(crate) const HEADER: usize = 16;

pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
/// Of a report of an error: the message that failed is not repeated in it.
const NLM_F_CAPPED: u16 = 0x100;
/// Of a report of an error: attributes explain it.
const NLM_F_ACK_TLVS: u16 = 0x200;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
/// Of a message that makes something: what is there already is replaced.
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
/// Of a message that makes something: nothing may be there already.
pub(crate) const NLM_F_EXCL: u16 = 0x200;
/// Of a message that makes something.
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// Of a message that makes something: behind what is there.
pub(crate) const NLM_F_APPEND: u16 = 0x800;
pub(crate) const NLMSG_NOOP: u16 = 1;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLMSG_OVERRUN: u16 = 4;

/// One message with its header, padded to four bytes.
pub(crate) fn write(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = HEADER.saturating_add(body.len());
    let mut message = Vec::with_capacity(length.next_multiple_of(4));
    // A body that is too long makes a length that the kernel refuses.
    message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message.resize(length.next_multiple_of(4), 0);
    message
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// Message type.
    pub(crate) kind: u16,
    /// Flags.
    pub(crate) flags: u16,
    /// Number of the question it belongs to.
    pub(crate) sequence: u32,
    /// Port of the socket that it answers or, of news, that caused it; 0 for the kernel itself.
    pub(crate) port: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
    /// The message with its header.
    pub(crate) whole: &'a [u8],
}

/// A length in a message that can not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The messages of a buffer. A length that does not fit is told once, and ends the walk.
pub(crate) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] =
            *rest.first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let (Some(whole), Some(body)) = (rest.get(..length), rest.get(HEADER..length)) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
            body,
            whole,
        }))
    })
}

/// What `NLMSG_ERROR` and `NLMSG_DONE` report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Error number; 0 for success.
    pub(crate) errno: i32,
    /// The kernel's own words (`NLMSGERR_ATTR_MSG`, Linux 4.12); empty if it has none.
    pub(crate) words: Vec<u8>,
}

impl Message<'_> {
    /// The status in a message that ends or refuses something.
    pub(crate) fn status(&self) -> Status {
        let Some((status, after)) = self.body.split_first_chunk::<4>() else { return Status::default() };
        let mut found = Status { errno: i32::from_ne_bytes(*status).saturating_neg(), words: Vec::new() };
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return found;
        }
        let repeated = match after.first_chunk::<4>() {
            // A dump's end repeats nothing.
            _ if self.kind == NLMSG_DONE => 0,
            Some(length) if self.flags & NLM_F_CAPPED == 0 && found.errno != 0 => {
                usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX)
            }
            _ => HEADER,
        };
        let explained = attributes_after(after, repeated.checked_next_multiple_of(4).unwrap_or(usize::MAX));
        for (kind, value) in explained {
            if kind == 1 {
                found.words = value.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_mutation_breaks_the_walk() {
        let mut bytes = write(7, NLM_F_REQUEST, 9, b"abcde");
        bytes.extend(write(8, 0, 10, b""));
        let found: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
        assert_eq!((found[0].kind, found[0].flags, found[0].sequence, found[0].port), (7, 1, 9, 0));
        assert_eq!((found[0].body, found[0].whole.len()), (b"abcde".as_slice(), 21));
        assert_eq!((found[1].kind, found[1].body), (8, b"".as_slice()));
        for at in 0..bytes.len() {
            for value in [0, 1, 15, 16, 17, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                assert!(messages(&bytes).count() <= 3);
                messages(&bytes).flatten().for_each(|message| drop(message.status()));
            }
            assert!(messages(&bytes[..at]).count() <= 2);
        }
        bytes[0] = 3;
        assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Err(Malformed)]);
    }

    #[test]
    fn the_words_of_an_error_are_found_behind_the_message_it_repeats() {
        let words = b"\x09\0\x01\0nope\0\0\0\0";
        let failed = write(5, NLM_F_REQUEST, 3, b"12345678");
        let minus_two = (-2_i32).to_ne_bytes();
        let whole = [minus_two.as_slice(), &failed, words].concat();
        let capped = [minus_two.as_slice(), &failed[..HEADER], words].concat();
        let expected = Status { errno: 2, words: b"nope".to_vec() };
        for (flags, body) in [(NLM_F_ACK_TLVS, whole), (NLM_F_ACK_TLVS | NLM_F_CAPPED, capped)] {
            let bytes = write(NLMSG_ERROR, flags, 3, &body);
            assert_eq!(messages(&bytes).next().unwrap().unwrap().status(), expected);
        }
        let done = [minus_two.as_slice(), words].concat();
        let bytes = write(NLMSG_DONE, NLM_F_ACK_TLVS, 3, &done);
        assert_eq!(messages(&bytes).next().unwrap().unwrap().status(), expected);
        let bytes = write(NLMSG_ERROR, 0, 3, &0_i32.to_ne_bytes());
        assert_eq!(messages(&bytes).next().unwrap().unwrap().status(), Status::default());
    }
}
