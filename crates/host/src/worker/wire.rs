//! Packets between calma and its worker, over a SOCK_SEQPACKET pair (unix(7)): one packet is one message, whole.

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use std::mem::MaybeUninit;

/// Payload of one packet: well below the smallest send buffer, so that several fit into it.
pub(super) const PIECE: usize = 32 << 10;
/// Ticket, size, kind, length of the name, name.
const HEAD: usize = 8 + 8 + 1 + 1;
/// Longest name of a job.
const NAME: usize = 64;
/// Longest packet.
const LONGEST: usize = HEAD + NAME + PIECE;

/// What a packet is. Numbers are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Sort {
    /// A piece of words that go on in the next packet.
    More = 1,
    /// The last piece: a question, or an answer.
    Last = 2,
    /// Instead of an answer: it is larger than the job may give.
    TooMuch = 3,
    /// Instead of an answer: the job panicked or is not known.
    Failed = 4,
    /// The first packet either way: limits, and what became of them.
    Hello = 5,
}

impl Sort {
    fn of(byte: u8) -> Option<Self> {
        [Self::More, Self::Last, Self::TooMuch, Self::Failed, Self::Hello]
            .into_iter()
            .find(|sort| *sort as u8 == byte)
    }
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Which question.
    pub(super) ticket: u64,
    /// Size of the file that comes with it, or another number.
    pub(super) size: u64,
    /// What it is.
    pub(super) sort: Sort,
    /// The job's name.
    pub(super) name: String,
    /// Its words.
    pub(super) words: Vec<u8>,
}

impl Packet {
    pub(super) fn new(sort: Sort, ticket: u64) -> Self {
        Self { ticket, size: 0, sort, name: String::new(), words: Vec::new() }
    }
}

/// Sends one packet, with a descriptor if one is given.
pub(super) fn send(
    to: impl AsFd,
    packet: &Packet,
    words: &[u8],
    file: Option<rustix::fd::BorrowedFd<'_>>,
    flags: SendFlags,
) -> Result<(), Errno> {
    let length = u8::try_from(packet.name.len()).map_err(|_| Errno::MSGSIZE)?;
    let (ticket, size) = (packet.ticket.to_le_bytes(), packet.size.to_le_bytes());
    let small = [packet.sort as u8, length];
    let parts = [&ticket[..], &size, &small, packet.name.as_bytes(), words].map(IoSlice::new);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file]);
    if let Some(files) = &files {
        control.push(SendAncillaryMessage::ScmRights(files));
    }
    loop {
        match rustix::net::sendmsg(&to, &parts, &mut control, flags | SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one packet and the descriptor that came with it; `None` when the other end is gone.
pub(super) fn receive(
    from: impl AsFd,
    buffer: &mut Vec<u8>,
    flags: RecvFlags,
) -> Result<Option<(Packet, Option<OwnedFd>)>, Errno> {
    buffer.resize(LONGEST + 1, 0);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(&from, &mut parts, &mut control, flags | RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut file = None;
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = part {
            // Every descriptor that came is owned here, and those that nobody asked for are closed.
            files.for_each(|one| file = Some(one));
        }
    }
    if message.bytes == 0 {
        return Ok(None);
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || message.bytes > LONGEST {
        return Err(Errno::BADMSG);
    }
    let packet = read(buffer.get(..message.bytes).unwrap_or_default()).ok_or(Errno::BADMSG)?;
    Ok(Some((packet, file)))
}

fn read(bytes: &[u8]) -> Option<Packet> {
    let (ticket, rest) = bytes.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let ([sort, length], rest) = rest.split_first_chunk::<2>()?;
    let (name, words) = rest.split_at_checked(usize::from(*length))?;
    Some(Packet {
        ticket: u64::from_le_bytes(*ticket),
        size: u64::from_le_bytes(*size),
        sort: Sort::of(*sort)?,
        name: std::str::from_utf8(name).ok().filter(|name| name.len() <= NAME)?.to_owned(),
        words: words.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn packets_and_descriptors_arrive_whole() {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let packet = Packet { size: 7, name: "elf".into(), ..Packet::new(Sort::Last, 3) };
        send(&a, &packet, b"words", Some(b.as_fd()), SendFlags::empty()).unwrap();
        send(&a, &packet, &vec![1; PIECE], None, SendFlags::empty()).unwrap();
        let mut buffer = Vec::new();
        let (got, file) = receive(&b, &mut buffer, RecvFlags::empty()).unwrap().unwrap();
        assert_eq!(got, Packet { words: b"words".to_vec(), ..packet });
        assert!(file.is_some());
        let (got, file) = receive(&b, &mut buffer, RecvFlags::empty()).unwrap().unwrap();
        assert_eq!((got.words.len(), file.is_some()), (PIECE, false));
        drop(a);
        assert!(receive(&b, &mut buffer, RecvFlags::empty()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        for bytes in [&b"x"[..], &[0; HEAD], &[0xff; 200], &vec![2; LONGEST + 9]] {
            rustix::net::send(&a, bytes, SendFlags::empty()).unwrap();
            assert!(receive(&b, &mut Vec::new(), RecvFlags::empty()).is_err(), "{}", bytes.len());
        }
    }
}
