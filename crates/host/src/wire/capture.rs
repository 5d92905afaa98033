//! A packet socket that hears every frame of one interface: packet(7).

use super::{message, raw, sockaddr};
use crate::HostError;
use calma_record::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::time::Duration;

/// Protocols of every kind (`ETH_P_ALL`, `<linux/if_ether.h>`).
const EVERYTHING: u16 = 0x0003;
/// Bytes kept of one frame: the longest chain of headers calma reads, and the mark of a canary behind it.
const KEPT: usize = 2048;
/// `SOL_PACKET` and its options (`<linux/if_packet.h>`).
const SOL_PACKET: i32 = 263;
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_STATISTICS: i32 = 6;
const PACKET_AUXDATA: i32 = 8;
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_MR_ALLMULTI: u16 = 2;
/// `TP_STATUS_VLAN_VALID`: a tag was taken off the frame.
const TAG_VALID: u32 = 1 << 4;

/// One instruction of a classic filter (`struct sock_filter`, `<linux/filter.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions skipped if true.
    pub yes: u8,
    /// Instructions skipped if false.
    pub no: u8,
    /// Operand.
    pub operand: u32,
}

/// What a capture hears.
#[derive(Clone, Debug, Default)]
pub struct CaptureOptions {
    /// Number of the interface in the namespace of the calling thread.
    pub interface: u32,
    /// Bytes of the kernel's queue; frames that find it full are counted as lost.
    pub buffer: usize,
    /// Whether to hear frames that are addressed to other machines too. The kernel takes it back when the capture ends.
    pub promiscuous: bool,
    /// A filter that the kernel applies before the queue; empty lets everything in.
    pub filter: Vec<Instruction>,
}

/// Which way a frame went, as the kernel says (packet(7), `sll_pkttype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To this machine.
    Here,
    /// To everybody.
    Broadcast,
    /// To a group.
    Multicast,
    /// To another machine.
    Elsewhere,
    /// Sent by this machine.
    Outgoing,
    /// Something else.
    Other,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Captured<'a> {
    /// When the kernel got it, by this machine's clock.
    pub at: Timestamp,
    /// Which way it went.
    pub direction: Direction,
    /// Its length on the wire.
    pub length: usize,
    /// The VLAN tag the interface took off it (IEEE 802.1Q).
    pub tag: Option<u16>,
    /// Its first bytes, from the destination address on.
    pub bytes: &'a [u8],
}

/// A packet socket on one interface. It sends nothing.
#[derive(Debug)]
pub struct Capture {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Capture {
    /// Begins to hear. No frame from before the filter is in its queue.
    ///
    /// # Errors
    /// When the right to it is missing (CAP_NET_RAW), or the interface is not there.
    pub fn open(options: &CaptureOptions) -> Result<Self, HostError> {
        Self::listen(options).map_err(|errno| HostError::errno("packet socket", "", errno))
    }

    fn listen(options: &CaptureOptions) -> Result<Self, Errno> {
        // Protocol 0: it hears nothing until it is bound.
        let socket = raw::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let buffer = i32::try_from(options.buffer).unwrap_or(i32::MAX);
        // Beyond the system's bound only for CAP_NET_ADMIN; a smaller queue loses more, and counts it.
        if raw::set_int(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, buffer).is_err() {
            raw::set_int(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, buffer)?;
        }
        raw::set_int(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        raw::set_int(&socket, SOL_PACKET, PACKET_AUXDATA, 1)?;
        if !options.filter.is_empty() {
            let code: Vec<libc::sock_filter> = options
                .filter
                .iter()
                .map(|one| libc::sock_filter { code: one.code, jt: one.yes, jf: one.no, k: one.operand })
                .collect();
            raw::attach_filter(&socket, &code)?;
        }
        raw::bind(&socket, &sockaddr::link(options.interface, EVERYTHING))?;
        if options.promiscuous {
            for kind in [PACKET_MR_PROMISC, PACKET_MR_ALLMULTI] {
                // `struct packet_mreq`: interface, type, length of the address, address.
                let mut request = options.interface.to_ne_bytes().to_vec();
                request.extend(kind.to_ne_bytes());
                request.resize(16, 0);
                raw::set(&socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)?;
            }
        }
        Ok(Self { socket, buffer: vec![0; KEPT] })
    }

    /// Waits at most so long for frames and gives those that are there, `most` at most; how many there were.
    ///
    /// # Errors
    /// When the interface was taken down (`ENETDOWN`) or is gone.
    pub fn each(
        &mut self,
        wait: Duration,
        most: usize,
        take: &mut dyn FnMut(&Captured<'_>),
    ) -> Result<usize, HostError> {
        let failed = |errno| HostError::errno("recvmsg", "packet socket", errno);
        let wait = rustix::time::Timespec::try_from(wait).map_err(|_| failed(Errno::INVAL))?;
        let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut ready, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(0),
            Ok(_) => {}
            Err(errno) => return Err(failed(errno)),
        }
        for number in 0..most {
            let received = match raw::receive(&self.socket, &mut self.buffer, libc::MSG_TRUNC) {
                Ok(received) => received,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(number),
                Err(errno) => return Err(failed(errno)),
            };
            let bytes = self.buffer.get(..received.length.min(self.buffer.len())).unwrap_or_default();
            let mut frame = Captured {
                at: Timestamp::default(),
                direction: direction(sockaddr::packet_type(&received.from)),
                length: received.length,
                tag: None,
                bytes,
            };
            notes(&received.control, &mut frame);
            take(&frame);
        }
        Ok(most)
    }

    /// Frames that reached the queue and frames lost before it since this was last asked (`PACKET_STATISTICS`). The
    /// first number holds the second.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn statistics(&self) -> Result<(u64, u64), HostError> {
        // `struct tpacket_stats`: packets, drops.
        let mut numbers = [0; 8];
        raw::get(&self.socket, SOL_PACKET, PACKET_STATISTICS, &mut numbers)
            .map_err(|errno| HostError::errno("getsockopt", "PACKET_STATISTICS", errno))?;
        let [a, b, c, d, e, f, g, h] = numbers;
        Ok((u32::from_ne_bytes([a, b, c, d]).into(), u32::from_ne_bytes([e, f, g, h]).into()))
    }
}

fn direction(kind: u8) -> Direction {
    match kind {
        0 => Direction::Here,
        1 => Direction::Broadcast,
        2 => Direction::Multicast,
        3 => Direction::Elsewhere,
        4 => Direction::Outgoing,
        _ => Direction::Other,
    }
}

/// What the control messages say of a frame: its time and the tag that was taken off it.
fn notes(control: &[u8], frame: &mut Captured<'_>) {
    for (level, kind, value) in message::parts(control) {
        if level == libc::SOL_SOCKET && kind == libc::SO_TIMESTAMPNS {
            let mut halves = value.chunks_exact(size_of::<usize>());
            if let (Some(seconds), Some(rest)) = (number(halves.next()), number(halves.next())) {
                frame.at = Timestamp::new(seconds, u32::try_from(rest).unwrap_or(0));
            }
        } else if level == SOL_PACKET && kind == PACKET_AUXDATA {
            // `struct tpacket_auxdata`: status, len, snaplen (32 bits each), mac, net, tag, its protocol (16 bits each).
            let status = value.first_chunk::<4>().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            let tag = value.get(16..18).and_then(|bytes| bytes.first_chunk::<2>());
            frame.tag = tag.map(|bytes| u16::from_ne_bytes(*bytes)).filter(|_| status & TAG_VALID != 0);
        }
    }
}

/// A `long` of the kernel.
fn number(bytes: Option<&[u8]>) -> Option<i64> {
    let bytes = bytes?.first_chunk::<{ size_of::<isize>() }>()?;
    i64::try_from(isize::from_ne_bytes(*bytes)).ok()
}
