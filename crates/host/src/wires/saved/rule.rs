//! Rules of policy routing (`<linux/fib_rules.h>`).

use super::class::{Class, find, number, number_at, rewritten, with};
use super::describe;

/// Length of `struct fib_rule_hdr`.
const HEADER: usize = 12;
/// `FIB_RULE_INVERT` and `FIB_RULE_FIND_SADDR`; the others say whether links are there.
const SETTABLE: u32 = 0x2 | 0x1_0000;
/// `FRA_` attributes.
const DESTINATION: u16 = 1;
const SOURCE: u16 = 2;
const PRIORITY: u16 = 6;
const TABLE: u16 = 15;
const PADDING: u16 = 18;

pub(in super::super) const RULE: Class = Class {
    name: "policy rule",
    new: 32,
    header: HEADER,
    questions: || [2, 10].map(|family| vec![family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).to_vec(),
    lasting: made,
    key: <[u8]>::to_vec,
    remake: |body, _| made(body),
    describe: |body| {
        let at = |at: usize| body.get(at).copied().unwrap_or(0);
        let mut text = number(find(body, HEADER, PRIORITY)).to_string();
        for (kind, name, prefix) in [(SOURCE, "from", at(2)), (DESTINATION, "to", at(1))] {
            if let Some(address) = find(body, HEADER, kind) {
                text.push_str(&format!(" {name} {}", describe::network(Some(address), prefix)));
            }
        }
        format!(
            "{text} table {}{}",
            number(find(body, HEADER, TABLE)),
            if at(0) == 10 { " (IPv6)" } else { "" }
        )
    },
};

fn made(body: &[u8]) -> Option<Vec<u8>> {
    let header = with(*body.first_chunk::<HEADER>()?, 8, number_at(body, 8) & SETTABLE);
    Some(rewritten(body, &header, |number, value| (number != PADDING).then(|| value.to_vec())))
}
