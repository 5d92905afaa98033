//! Nexthops as objects of their own (`<linux/nexthop.h>`, Linux 5.3).

use super::class::{Class, find, number, number_at, rewritten, with};

/// Length of `struct nhmsg`.
const HEADER: usize = 8;
/// `NHA_ID`, and the last attribute that can be set (`NHA_RES_GROUP`).
const ID: u16 = 1;
const LAST: u16 = 12;
/// `RTNH_F_ONLINK`.
const ONLINK: u32 = 4;

pub(in super::super) const NEXTHOP: Class = Class {
    name: "nexthop",
    new: 104,
    header: HEADER,
    questions: || vec![vec![0; HEADER]],
    lasting: made,
    key: |lasting| find(lasting, HEADER, ID).unwrap_or_default().to_vec(),
    remake: |body, _| made(body),
    describe: |body| number(find(body, HEADER, ID)).to_string(),
};

fn made(body: &[u8]) -> Option<Vec<u8>> {
    let [family, _, protocol, ..] = *body.first_chunk::<HEADER>()?;
    let header = with([family, 0, protocol, 0, 0, 0, 0, 0], 4, number_at(body, 4) & ONLINK);
    Some(rewritten(body, &header, |number, value| (number <= LAST).then(|| value.to_vec())))
}
