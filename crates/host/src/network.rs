//! Netlink dumps, in any network namespace.

use crate::HostError;
use calma_record::Text;

/// A network namespace (network_namespaces(7)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// The one calma itself runs in.
    Own,
    /// The one a file of the namespace file system stands for: `/proc/PID/ns/net`, `/proc/PID/fd/N` or a bind mount.
    At(Text),
}

/// A netlink protocol family: the socket's protocol (netlink(7), `<linux/netlink.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u32);

impl Protocol {
    /// Links, addresses, routes, neighbours, traffic control (rtnetlink(7)).
    pub const ROUTE: Self = Self(0);
    /// Sockets (sock_diag(7)).
    pub const SOCK_DIAG: Self = Self(4);
    /// nf_tables and connection tracking (`<linux/netfilter/nfnetlink.h>`).
    pub const NETFILTER: Self = Self(12);
    /// Generic netlink, a family a subsystem (`<linux/genetlink.h>`).
    pub const GENERIC: Self = Self(16);
}

/// One question, answered by a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The protocol family.
    pub protocol: Protocol,
    /// Message type.
    pub kind: u16,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Request {
    /// A dump of everything of this message type.
    pub fn dump(protocol: Protocol, kind: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { protocol, kind, body: body.into() }
    }
}

/// The kernel's answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The messages one after another, each with its header and padded to four bytes, without the ones that only end a
    /// dump or report an error.
    pub messages: Vec<u8>,
    /// Whether there was more than calma takes.
    pub cut: bool,
    /// Whether the table changed while it was read, in every one of several tries, so that a row may be missing or double.
    pub changed: bool,
}

/// Most bytes of one answer.
pub(crate) const LARGEST_ANSWER: usize = 64 << 20;

/// Questions to the kernel's network side.
pub trait Network: Send + Sync {
    /// Puts the questions one after another to the kernel in a network namespace. Never blocks for long.
    ///
    /// # Errors
    /// The outer one when the namespace can not be entered; an inner one when that question was refused.
    fn ask(
        &self,
        namespace: &Namespace,
        requests: &[Request],
    ) -> Result<Vec<Result<Answer, HostError>>, HostError>;

    /// Under which identifier each of `others` is known in a namespace (`RTM_GETNSID`, `<linux/net_namespace.h>`): what
    /// `IFLA_LINK_NETNSID` of its devices means. `None` for one that it does not know.
    ///
    /// # Errors
    /// When the namespace can not be entered.
    fn identifiers(&self, within: &Namespace, others: &[Namespace]) -> Result<Vec<Option<u32>>, HostError>;

    /// The protocol's name of an open socket of a process, `TCP`, `XDP`, …, by its extended attribute
    /// `system.sockprotoname`; for sockets that no dump knows.
    ///
    /// # Errors
    /// When the descriptor is gone, is no socket, or may not be asked about.
    fn socket_protocol(&self, pid: u32, descriptor: u32) -> Result<Text, HostError>;
}
