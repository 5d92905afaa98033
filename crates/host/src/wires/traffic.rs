//! Filters of traffic control: `<linux/pkt_sched.h>`, `<linux/pkt_cls.h>`.

use super::saved::number_at;
use crate::netlink::{Attributes, attribute, attributes, attributes_after, messages};

/// Length of `struct tcmsg`.
const HEADER: usize = 20;
/// `TCA_` attributes.
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const CHAIN: u16 = 11;
/// `TCA_BPF_` attributes.
const ACTIONS: u16 = 1;
const CLASS: u16 = 3;
const PROGRAM: u16 = 6;
const NAME: u16 = 7;
const FLAGS: u16 = 8;
const HARDWARE: u16 = 9;
const ID: u16 = 11;
/// `TCA_BPF_FLAG_ACT_DIRECT`.
const DIRECT: u32 = 1;
/// Where the filters of a `clsact` hang, coming in and going out, and those of `ingress`.
const CLSACT: [u32; 2] = [0xffff_fff2, 0xffff_fff3];
const INGRESS: u32 = 0xffff_0000;

/// Bodies of the questions that dump the filters of every queue in a dump of queues.
pub(super) fn questions(queues: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for message in messages(queues).flatten() {
        let (index, handle) = (number_at(message.body, 4), number_at(message.body, 8));
        let kind = attributes_after(message.body, HEADER).find(|(kind, _)| *kind == KIND);
        let parents: &[u32] = match kind {
            Some((_, b"clsact\0")) => &CLSACT,
            Some((_, b"ingress\0")) => &[INGRESS],
            _ if handle == 0 => continue,
            _ => &[handle],
        };
        for parent in parents {
            let mut body = [0; HEADER];
            for (at, value) in [(4, index), (12, *parent)] {
                if let Some(place) = body.get_mut(at..at + 4) {
                    place.copy_from_slice(&value.to_ne_bytes());
                }
            }
            all.push(body.to_vec());
        }
    }
    all
}

/// A filter: its interface and the number of its program, 0 if it is none. Heads of lists and tables are no filters.
pub(super) fn filter(body: &[u8]) -> Option<(u32, u32)> {
    let index = number_at(body, 4);
    // `TCM_IFINDEX_MAGIC_BLOCK`: of a block that devices share.
    let index = if index == u32::MAX { 0 } else { index };
    if number_at(body, 8) == 0 {
        return None;
    }
    let rest = body.get(HEADER..)?;
    let options = attribute(rest, OPTIONS)?;
    let id = if attribute(rest, KIND) == Some(b"bpf\0") { attribute(options, ID) } else { None };
    Some((index, id.map_or(0, |id| number_at(id, 0))))
}

/// Whether the program of a filter decides by itself (`direct-action`), or else says only whether it matches; `None` if
/// it is no program or has actions beside it.
pub(super) fn decides(body: &[u8]) -> Option<bool> {
    let options = attribute(body.get(HEADER..)?, OPTIONS)?;
    attribute(options, ID)?;
    if attribute(options, ACTIONS).is_some_and(|actions| !actions.is_empty()) {
        return None;
    }
    Some(attribute(options, FLAGS).map_or(0, |flags| number_at(flags, 0)) & DIRECT != 0)
}

/// The body that puts the program behind a descriptor in a filter's place.
pub(super) fn with_program(body: &[u8], descriptor: u32) -> Option<Vec<u8>> {
    let options = attribute(body.get(HEADER..)?, OPTIONS)?;
    let mut made = Attributes::new().u32(PROGRAM, descriptor);
    for (kind, value) in attributes(options) {
        made = match kind {
            CLASS | NAME | FLAGS => made.bytes(kind, value),
            // `TCA_CLS_FLAGS_SKIP_HW` and `_SKIP_SW`; the others tell what became of it.
            HARDWARE => made.u32(kind, number_at(value, 0) & 3),
            _ => made,
        };
    }
    let mut filter = Attributes::after(body.get(..HEADER)?).bytes(KIND, b"bpf\0");
    if let Some(chain) = attribute(body.get(HEADER..)?, CHAIN) {
        filter = filter.bytes(CHAIN, chain);
    }
    Some(filter.nest(OPTIONS, &made).done())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::write;

    #[test]
    fn filters_are_asked_for_where_they_hang() {
        let queue = |kind: &[u8], handle: u32| {
            let header = [[0; 4], 7_u32.to_ne_bytes(), handle.to_ne_bytes(), [0; 4], [0; 4]].concat();
            write(36, 0, 0, &Attributes::after(&header).text(KIND, kind).done())
        };
        let dump = [queue(b"clsact", INGRESS), queue(b"htb", 0x1_0000), queue(b"noqueue", 0)].concat();
        let parents: Vec<u32> = questions(&dump).iter().map(|body| number_at(body, 12)).collect();
        assert_eq!(parents, [CLSACT[0], CLSACT[1], 0x1_0000]);
    }

    #[test]
    fn a_filter_keeps_everything_but_its_program() {
        let options = Attributes::new().text(NAME, b"x").u32(FLAGS, 1).u32(HARDWARE, 8).u32(ID, 42);
        let header: Vec<u8> = (1..=20).collect();
        let body = Attributes::after(&header).text(KIND, b"bpf").u32(CHAIN, 3).nest(OPTIONS, &options).done();
        assert_eq!(filter(&body).unwrap().1, 42);
        assert_eq!(decides(&body), Some(true));
        let made = with_program(&body, 9).unwrap();
        let expected = Attributes::new().u32(PROGRAM, 9).text(NAME, b"x").u32(FLAGS, 1).u32(HARDWARE, 0);
        let rest = made.get(HEADER..).unwrap();
        assert_eq!(
            (attribute(rest, OPTIONS), made.get(..HEADER).unwrap()),
            (Some(expected.as_bytes()), &*header)
        );
        for at in 0..body.len() {
            let cut = body.get(..at).unwrap();
            drop((filter(cut), decides(cut), with_program(cut, 1)));
        }
    }
}
