//! Answers to netlink questions, taken apart, and what is missing in them said.

use crate::{Flow, Out};
use calma_formats::netlink::messages;
use calma_host::{Answer, HostError};
use calma_record::{Gap, Text};

/// The messages of one answer that `parse` understands. An answer that is refused or not whole is a gap for `what`; an
/// interface that the kernel does not have is passed over.
pub(crate) fn dumped<T>(
    answer: &Result<Answer, HostError>,
    what: &str,
    place: &Text,
    out: &mut Out,
    parse: impl Fn(u16, &[u8]) -> Option<T>,
) -> (Vec<T>, Flow) {
    match answer {
        Ok(answer) => {
            let mut flow = out.flow();
            if answer.cut {
                flow = out.gap(Gap::new(what, "there are more than calma takes").at(place.clone()));
            } else if answer.changed {
                flow = out.gap(Gap::new(what, "the table changed while it was read").at(place.clone()));
            }
            let rows = messages(&answer.messages).filter_map(|message| parse(message.kind, message.body));
            (rows.collect(), flow)
        }
        Err(error) if error.is_missing() || error.is_unsupported() => (Vec::new(), out.flow()),
        Err(error) => (Vec::new(), out.gap(Gap::new(what, error.why()).at(place.clone()))),
    }
}

/// A request's body: `head`, filled up with zeros to `length` bytes.
pub(crate) fn message_body(head: &[u8], length: usize) -> Vec<u8> {
    let mut body = head.to_vec();
    body.resize(length.max(head.len()), 0);
    body
}
