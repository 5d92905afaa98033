//! News of a namespace's network.

use super::nft::SUBSYSTEM;
use super::seen::string;
use crate::HostError;
use crate::netlink::{Message, attributes_after};
use calma_record::Text;
use rustix::fd::BorrowedFd;

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The packet filter: the table, if the message is about one, and whether something was removed.
    Filter(Text, bool),
    /// A link came, changed or, with `true`, went: its index and name.
    Link(u32, Text, bool),
    /// An address of the link with this index came or, with `true`, went.
    Address(u32, bool),
    /// A route came or, with `true`, went.
    Route(bool),
    /// A policy routing rule or nexthop came or, with `true`, went.
    Rule(bool),
    /// A queue, class or filter of traffic control of the link with this index came or, with `true`, went.
    Traffic(u32, bool),
    /// Another namespace was given a number in this one, or, with `true`, lost it.
    Namespace(bool),
    /// Messages were lost: anything may have changed.
    Lost,
}

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What changed.
    pub news: News,
    /// Netlink port of the socket that asked for it; 0 where the kernel does not say (links before Linux 6.2) or did it
    /// by itself.
    pub cause: u32,
}

/// A stream of news.
pub trait Events: Send {
    /// A descriptor that is readable when there is news.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// What has happened since the last call; never waits.
    ///
    /// # Errors
    /// When the sockets no longer work.
    fn drain(&mut self) -> Result<Vec<Event>, HostError>;
}

/// News from the packet filter's group.
pub(super) fn of_filter(message: &Message<'_>) -> Option<Event> {
    // What is removed: tables, chains, rules, sets, elements, objects, flow tables (NFT_MSG_DEL*). NFT_MSG_NEWGEN only
    // closes a change; traces are no change.
    const REMOVED: [u16; 7] = [2, 5, 8, 11, 14, 20, 24];
    const NEW: [u16; 7] = [0, 3, 6, 9, 12, 18, 22];
    let kind = message.kind.checked_sub(SUBSYSTEM << 8)?;
    if !REMOVED.contains(&kind) && !NEW.contains(&kind) {
        return None;
    }
    let table =
        attributes_after(message.body, 4).find(|(kind, _)| *kind == 1).map(|(_, name)| string(name).into());
    let news = News::Filter(table.unwrap_or_default(), REMOVED.contains(&kind));
    Some(Event { news, cause: message.port })
}

/// News from the groups of rtnetlink(7).
pub(super) fn of_routing(message: &Message<'_>) -> Option<Event> {
    let number = |at: usize| {
        let bytes = message.body.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    };
    let news = match message.kind {
        // RTM_NEWLINK, RTM_DELLINK: `struct ifinfomsg`, IFLA_IFNAME.
        16 | 17 => {
            let name = attributes_after(message.body, 16).find(|(kind, _)| *kind == 3);
            News::Link(
                number(4),
                name.map(|(_, name)| string(name).into()).unwrap_or_default(),
                message.kind == 17,
            )
        }
        20 | 21 => News::Address(number(4), message.kind == 21),
        24 | 25 => News::Route(message.kind == 25),
        32 | 33 | 104 | 105 => News::Rule(matches!(message.kind, 33 | 105)),
        36 | 37 | 40 | 41 | 44 | 45 => News::Traffic(number(4), matches!(message.kind, 37 | 41 | 45)),
        88 | 89 => News::Namespace(message.kind == 89),
        _ => return None,
    };
    Some(Event { news, cause: message.port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{Attributes, messages, write};

    #[test]
    fn messages_are_told_apart() {
        let rule = Attributes::after(&[1, 0, 0, 0]).text(1, b"fw").done();
        let bytes = write(SUBSYSTEM << 8 | 8, 0, 0, &rule);
        let event = of_filter(&messages(&bytes).next().unwrap().unwrap());
        assert_eq!(event, Some(Event { news: News::Filter("fw".into(), true), cause: 0 }));
        let link = Attributes::after(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).text(3, b"a").done();
        for (kind, gone) in [(16, false), (17, true)] {
            let bytes = write(kind, 0, 0, &link);
            let event = of_routing(&messages(&bytes).next().unwrap().unwrap()).unwrap();
            let index = if cfg!(target_endian = "little") { 7 } else { 7 << 24 };
            assert_eq!(event.news, News::Link(index, "a".into(), gone));
        }
        // The generation's number and a type that does not exist are no news; short bodies are no trouble.
        for kind in [SUBSYSTEM << 8 | 15, 999] {
            let bytes = write(kind, 0, 0, b"");
            let message = messages(&bytes).next().unwrap().unwrap();
            assert_eq!((of_filter(&message), of_routing(&message)), (None, None));
        }
    }
}
