//! Programs at devices: XDP and traffic control by rtnetlink(7), tcx and netkit by bpf(2).

use super::super::programs::{Attached, Disarmed, Place, Programs};
use super::super::traffic;
use super::channel::{Channel, Failure};
use crate::bpf::BpfObject;
use crate::live::kernel::LiveKernel;
use crate::live::netlink::{open_namespace, within};
use crate::live::neutral::{self, Pass};
use crate::netlink::{Attributes, attribute, attributes_after, messages};
use crate::{Bpf as _, Cause, HostError, Namespace, Protocol};
use calma_record::Text;
use rustix::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::sync::Arc;

/// Message types (`<linux/rtnetlink.h>`).
const GET_LINK: u16 = 18;
const SET_LINK: u16 = 19;
const GET_QUEUE: u16 = 38;
const NEW_FILTER: u16 = 44;
const GET_FILTER: u16 = 46;
/// Length of `struct ifinfomsg` and of `struct tcmsg`.
const LINK: usize = 16;
const TRAFFIC: usize = 20;
/// `IFLA_XDP`, and in it the descriptor, flags and expected descriptor.
const XDP: u16 = 43;
const XDP_FD: u16 = 1;
const XDP_FLAGS: u16 = 3;
const XDP_EXPECTED: u16 = 8;
/// `XDP_FLAGS_REPLACE`.
const REPLACE: u32 = 16;
/// `BPF_LINK_TYPE_XDP`.
const XDP_LINK: u32 = 6;

/// Programs at the devices of a namespace.
#[derive(Debug)]
pub(super) struct LivePrograms {
    channel: Channel,
    /// The namespace, if it is not calma's own: tcx and netkit are asked about from within.
    within: Option<(OwnedFd, Text)>,
}

impl LivePrograms {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, HostError> {
        let within = match namespace {
            Namespace::Own => None,
            Namespace::At(path) => Some((open_namespace(path)?, path.clone())),
        };
        Ok(Self { channel: Channel::open(namespace, Protocol::ROUTE)?, within })
    }

    fn here<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, HostError> {
        match &self.within {
            Some((file, path)) => within(file, path, work),
            None => Ok(work()),
        }
    }

    fn xdp(
        &mut self,
        device: u32,
        flags: u32,
        old: BorrowedFd<'_>,
        new: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let number = |fd: BorrowedFd<'_>| u32::from_ne_bytes(fd.as_raw_fd().to_ne_bytes());
        let mut header = [0; LINK];
        if let Some(place) = header.get_mut(4..8) {
            place.copy_from_slice(&device.to_ne_bytes());
        }
        let xdp = Attributes::new().u32(XDP_FD, number(new)).u32(XDP_FLAGS, flags | REPLACE);
        let xdp = xdp.u32(XDP_EXPECTED, number(old));
        self.channel.order(SET_LINK, 0, &Attributes::after(&header).nest(XDP, &xdp).done())
    }

    /// Puts `new` where `old` is.
    fn swap(&mut self, at: &Attached, old: BorrowedFd<'_>, new: BorrowedFd<'_>) -> Result<(), HostError> {
        if let Some(link) = at.link {
            return neutral::update(link, old, new);
        }
        match &at.place {
            Place::Xdp(flags) => {
                self.xdp(at.device, *flags, old, new).map_err(|failure| failure.about("replace", at))
            }
            Place::Filter(body) => {
                let number = u32::try_from(new.as_raw_fd()).unwrap_or(u32::MAX);
                let body = traffic::with_program(body, number).ok_or_else(|| unfit(at))?;
                // Without NLM_F_CREATE: one that is gone is not made anew.
                let done = self.channel.order(NEW_FILTER, 0, &body);
                done.map_err(|failure| failure.about("replace", at))
            }
            place => {
                let attach = place.attach().ok_or_else(|| unfit(at))?;
                self.here(|| neutral::replace(at.device, attach, old, new))?
            }
        }
    }

    /// The program that sits where a filter of traffic control was seen.
    fn sits(&mut self, body: &[u8]) -> Option<u32> {
        let header = body.get(..TRAFFIC)?;
        let mut question = header.to_vec();
        question.get_mut(8..12)?.fill(0);
        question.get_mut(16..20)?.fill(0);
        let dump = self.channel.dump(GET_FILTER, &question).ok()?;
        let same = messages(&dump).flatten().find(|message| message.body.get(..TRAFFIC) == Some(header))?;
        traffic::filter(same.body).map(|(_, program)| program)
    }
}

fn unfit(at: &Attached) -> HostError {
    HostError::new("replace", at.to_string(), Cause::Unsupported)
}

fn number(value: &[u8]) -> u32 {
    value.first_chunk().copied().map_or(0, u32::from_ne_bytes)
}

/// The number of the program behind a descriptor (proc_pid_fdinfo(5), `prog_id`).
fn id_of(program: BorrowedFd<'_>) -> Result<u32, HostError> {
    let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    let text = crate::live::files::read_made_by_kernel(path.as_bytes(), 4096)?;
    let line = text.bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"prog_id:"));
    let id = line.and_then(|line| std::str::from_utf8(line.trim_ascii()).ok()?.parse().ok());
    id.ok_or_else(|| HostError::new("read", path.as_str(), Cause::Unsupported))
}

fn attached(device: u32, place: Place, program: u32, link: Option<u32>) -> Attached {
    let held = if program == 0 { None } else { neutral::program(program).ok().map(Arc::new) };
    Attached { device, place, program, link, held }
}

/// The XDP programs of a link's message, with the flag of their mode.
fn xdp_of(body: &[u8]) -> Vec<(u32, u32)> {
    let Some((_, xdp)) = attributes_after(body, LINK).find(|(kind, _)| *kind == XDP) else {
        return Vec::new();
    };
    // IFLA_XDP_DRV_PROG_ID, _SKB_ and _HW_ (Linux 4.19); before, IFLA_XDP_ATTACHED says which IFLA_XDP_PROG_ID is.
    let modes = [(5, 4), (6, 2), (7, 8)];
    let by_mode = modes.into_iter().filter_map(|(kind, flag)| Some((flag, number(attribute(xdp, kind)?))));
    let mut found: Vec<(u32, u32)> = by_mode.filter(|(_, program)| *program != 0).collect();
    if let (true, Some(program)) = (found.is_empty(), attribute(xdp, 4)) {
        let flag = match attribute(xdp, 2) {
            Some([2, ..]) => 2,
            Some([3, ..]) => 8,
            _ => 4,
        };
        found.push((flag, number(program)));
    }
    found
}

impl Programs for LivePrograms {
    fn list(&mut self) -> Result<Vec<Attached>, HostError> {
        let failed = |failure: Failure| failure.about("list", "programs of devices");
        let mut found = Vec::new();
        let links = self.channel.dump(GET_LINK, &[0; LINK]).map_err(failed)?;
        let indices: Vec<u32> =
            messages(&links).flatten().map(|link| number(link.body.get(4..).unwrap_or_default())).collect();
        let mut xdp_links = None;
        for link in messages(&links).flatten() {
            let index = number(link.body.get(4..).unwrap_or_default());
            for (flag, program) in xdp_of(link.body) {
                let held_by = xdp_links.get_or_insert_with(all_xdp_links);
                let mut by = held_by.iter().filter(|(_, target, held)| (*target, *held) == (index, program));
                let by = by.next().filter(|_| by.next().is_none()).map(|(link, ..)| *link);
                found.push(attached(index, Place::Xdp(flag), program, by));
            }
        }
        let places = [true, false].map(|ingress| Place::Tcx { ingress });
        let places = places.into_iter().chain([true, false].map(|primary| Place::Netkit { primary }));
        for place in places {
            let Some(attach) = place.attach() else { continue };
            let queries = self.here(|| {
                indices.iter().map(|index| (*index, neutral::attached(*index, attach))).collect::<Vec<_>>()
            })?;
            // Devices of other kinds, and kernels without, refuse.
            for (index, programs) in
                queries.into_iter().filter_map(|(index, found)| Some((index, found.ok()?)))
            {
                let one = |(program, link): (u32, u32)| {
                    attached(index, place.clone(), program, (link != 0).then_some(link))
                };
                found.extend(programs.into_iter().map(one));
            }
        }
        let queues = match self.channel.dump(GET_QUEUE, &[0; TRAFFIC]) {
            Err(failure) if failure.errno == Errno::OPNOTSUPP => return Ok(found),
            other => other.map_err(failed)?,
        };
        for question in traffic::questions(&queues) {
            // A queue that has no classes has no filters, and says so.
            let Ok(filters) = self.channel.dump(GET_FILTER, &question) else { continue };
            for filter in messages(&filters).flatten() {
                if let Some((index, program)) = traffic::filter(filter.body) {
                    found.push(attached(index, Place::Filter(filter.body.to_vec()), program, None));
                }
            }
        }
        Ok(found)
    }

    fn disarm(&mut self, program: &Attached) -> Result<Disarmed, HostError> {
        let pass = match &program.place {
            Place::Xdp(_) => Pass::Xdp,
            Place::Filter(body) => match traffic::decides(body) {
                None => return Err(unfit(program)),
                Some(true) => Pass::Next,
                Some(false) => Pass::NoMatch,
            },
            _ => Pass::Next,
        };
        let held = program.held.as_ref().ok_or_else(|| unfit(program))?;
        if let Place::Filter(body) = &program.place
            && self.sits(body) != Some(program.program)
        {
            return Err(HostError::errno("replace", program.to_string(), Errno::STALE));
        }
        let neutral = neutral::load(pass)?;
        self.swap(program, held.as_fd(), neutral.as_fd())?;
        Ok(Disarmed { was: program.clone(), stands_in: id_of(neutral.as_fd())? })
    }

    fn rearm(&mut self, program: &Disarmed) -> Result<(), HostError> {
        let held = program.was.held.as_ref().ok_or_else(|| unfit(&program.was))?;
        if let Place::Filter(body) = &program.was.place
            && self.sits(body) != Some(program.stands_in)
        {
            return Err(HostError::errno("replace", program.was.to_string(), Errno::STALE));
        }
        let neutral = neutral::program(program.stands_in)?;
        self.swap(&program.was, neutral.as_fd(), held.as_fd())
    }
}

/// All links that hold XDP programs: number, interface, program. The kernel does not say of which namespace the interface
/// is; its index and the program's number together leave no doubt unless one program was attached to interfaces of equal
/// index in several namespaces.
fn all_xdp_links() -> Vec<(u32, u32, u32)> {
    let kernel = LiveKernel::default();
    let ids = kernel.ids(BpfObject::Link).unwrap_or_default();
    let links = ids.into_iter().filter_map(|id| kernel.link(id).ok());
    let xdp = links.filter(|link| link.kind == XDP_LINK);
    xdp.map(|link| (link.id, u32::try_from(link.target).unwrap_or(0), link.program)).collect()
}
