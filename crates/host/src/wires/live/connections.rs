//! Sockets by sock_diag(7).

use super::super::connections::{ASKED, Connection, Connections, of_dump, question};
use super::channel::{Channel, Failure};
use crate::{HostError, Namespace, Protocol};
use rustix::io::Errno;

/// `SOCK_DIAG_BY_FAMILY` and `SOCK_DESTROY` (`<linux/sock_diag.h>`).
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const ALL_STATES: u32 = u32::MAX;

/// Sockets of a namespace.
#[derive(Debug)]
pub(super) struct LiveConnections {
    channel: Channel,
}

impl LiveConnections {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, HostError> {
        Ok(Self { channel: Channel::open(namespace, Protocol::SOCK_DIAG)? })
    }
}

impl Connections for LiveConnections {
    fn list(&mut self) -> Result<Vec<Connection>, HostError> {
        let mut all = Vec::new();
        let (mut answered, mut last) = (false, Failure::from(Errno::OPNOTSUPP));
        for (family, protocol) in ASKED {
            // A protocol or family that the kernel does not have is passed over.
            match self.channel.dump(BY_FAMILY, &question(family, protocol, ALL_STATES, &[0; 48])) {
                Ok(dump) => {
                    answered = true;
                    all.extend(of_dump(&dump, protocol));
                }
                Err(failure) => last = failure,
            }
        }
        if answered { Ok(all) } else { Err(last.about("list", "sockets")) }
    }

    fn destroy(&mut self, connection: &Connection) -> Result<bool, HostError> {
        let body = question(connection.family, connection.protocol, ALL_STATES, &connection.id);
        match self.channel.order(DESTROY, 0, &body) {
            Ok(()) => Ok(true),
            Err(failure) if matches!(failure.errno, Errno::NOENT | Errno::STALE) => Ok(false),
            Err(failure) => Err(failure.about("destroy", connection)),
        }
    }
}
