//! Batches: changes that the kernel carries out as a whole or not at all.

use super::{Chain, Element, Family, Rule, SUBSYSTEM, Set, Table, TableFlags, comment, kind};
use crate::netlink::{Attributes, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, write};
use calma_record::Text;

/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END` (`<linux/netfilter/nfnetlink.h>`).
const BEGIN: u16 = 16;
const END: u16 = 17;
/// `NFNL_BATCH_GENID`.
const GENERATION: u16 = 1;

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    kind: u8,
    flags: u16,
    family: Family,
    body: Vec<u8>,
    /// What it is about, for whoever reads of its failure.
    pub(crate) what: String,
}

/// Changes that the kernel carries out in this order, as a whole or not at all.
///
/// A base chain's *policy* takes effect at once when the kernel reaches it, its rules only when the whole is done: what
/// is to pass must bear a moment without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<Change>,
    generation: Option<u32>,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Only if the rule set is still of this generation; else the whole is refused with `ERESTART` (Linux 4.10).
    pub fn of_generation(&mut self, generation: u32) -> &mut Self {
        self.generation = Some(generation);
        self
    }

    fn push(&mut self, kind: u8, flags: u16, family: Family, body: Attributes, what: String) -> &mut Self {
        self.changes.push(Change { kind, flags, family, body: body.done(), what });
        self
    }

    /// The changes of another batch after these.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.changes.extend(other.changes);
        self
    }

    /// Makes a table, with a tag that nft(8) shows as its comment; refused with `EEXIST` if there is one.
    pub fn add_table(&mut self, table: &Table, flags: TableFlags, tag: &Text) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes()).be32(2, flags.bits());
        let body = if tag.is_empty() { body } else { body.bytes(6, &comment(tag.as_bytes())) };
        self.push(kind::NEW_TABLE, NLM_F_CREATE | NLM_F_EXCL, table.family, body, format!("table {table}"))
    }

    /// Sets flags of a table, or makes it. A dormant one wakes; a persistent one without owner is taken over. The kernel
    /// neither gives nor takes the flag `owner` of a table that was made otherwise: such a one is removed and made anew in
    /// one batch, between whose halves no packet gets through.
    pub fn set_table(&mut self, table: &Table, flags: TableFlags) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes()).be32(2, flags.bits());
        self.push(kind::NEW_TABLE, NLM_F_CREATE, table.family, body, format!("table {table}"))
    }

    /// Removes a table with everything in it; refused with `ENOENT` if there is none.
    pub fn delete_table(&mut self, table: &Table) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes());
        self.push(kind::DELETE_TABLE, 0, table.family, body, format!("removing table {table}"))
    }

    /// Removes a table if there is one.
    pub fn clear_table(&mut self, table: &Table) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes());
        self.push(kind::NEW_TABLE, NLM_F_CREATE, table.family, body, format!("table {table}"));
        self.delete_table(table)
    }

    /// Makes a chain; refused with `EEXIST` if there is one.
    pub fn add_chain(&mut self, chain: &Chain) -> &mut Self {
        let what = format!("chain {} {}", chain.table, chain.name);
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.push(kind::NEW_CHAIN, flags, chain.table.family, chain.attributes(), what)
    }

    /// Removes an empty chain that nothing jumps to.
    pub fn delete_chain(&mut self, table: &Table, chain: &Text) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes()).text(3, chain.as_bytes());
        self.push(kind::DELETE_CHAIN, 0, table.family, body, format!("removing chain {table} {chain}"))
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(&mut self, table: &Table, chain: &Text, rule: &Rule) -> &mut Self {
        let what = format!("rule {} of {table} {chain}", rule.tag());
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        self.push(kind::NEW_RULE, flags, table.family, rule.attributes(table, chain), what)
    }

    /// Puts a rule before all others of a chain.
    pub fn insert_rule(&mut self, table: &Table, chain: &Text, rule: &Rule) -> &mut Self {
        let what = format!("rule {} of {table} {chain}", rule.tag());
        self.push(kind::NEW_RULE, NLM_F_CREATE, table.family, rule.attributes(table, chain), what)
    }

    /// Removes the rule with this handle.
    pub fn delete_rule(&mut self, table: &Table, chain: &Text, handle: u64) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes()).text(2, chain.as_bytes());
        let body = body.bytes(3, &handle.to_be_bytes());
        self.push(
            kind::DELETE_RULE,
            0,
            table.family,
            body,
            format!("removing rule {handle} of {table} {chain}"),
        )
    }

    /// Removes all rules of a chain.
    pub fn flush_chain(&mut self, table: &Table, chain: &Text) -> &mut Self {
        let body = Attributes::new().text(1, table.name.as_bytes()).text(2, chain.as_bytes());
        self.push(kind::DELETE_RULE, 0, table.family, body, format!("emptying chain {table} {chain}"))
    }

    /// Makes a set with its elements. It comes before the rules that look into it.
    pub fn add_set(&mut self, set: &Set, elements: &[Element]) -> &mut Self {
        let what = format!("set {} {}", set.table, set.name);
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.push(kind::NEW_SET, flags, set.table.family, set.attributes(), what);
        if elements.is_empty() { self } else { self.add_elements(set, elements) }
    }

    /// Adds elements to a set.
    pub fn add_elements(&mut self, set: &Set, elements: &[Element]) -> &mut Self {
        self.elements(kind::NEW_ELEMENT, NLM_F_CREATE, set, elements)
    }

    /// Removes elements from a set.
    pub fn delete_elements(&mut self, set: &Set, elements: &[Element]) -> &mut Self {
        self.elements(kind::DELETE_ELEMENT, 0, set, elements)
    }

    fn elements(&mut self, kind: u8, flags: u16, set: &Set, elements: &[Element]) -> &mut Self {
        let what = format!("elements of set {} {}", set.table, set.name);
        // An attribute holds 64 KiB; one element takes at most 72 bytes, its end included.
        for some in elements.chunks(800) {
            self.push(kind, flags, set.table.family, set.list(some), what.clone());
        }
        self
    }

    /// What each message is about, in their order.
    pub fn changes(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().map(|change| change.what.as_str())
    }

    pub(crate) fn change(&self, at: usize) -> Option<&Change> {
        self.changes.get(at)
    }

    /// The bytes of the whole. The first message has the number `sequence`, each further one the next; the last change
    /// is to be acknowledged.
    pub(crate) fn bytes(&self, sequence: u32) -> Vec<u8> {
        let head = |family: u8, resource: u16| {
            let [r0, r1] = resource.to_be_bytes();
            [family, 0, r0, r1]
        };
        let mut begin = Attributes::after(&head(0, SUBSYSTEM));
        if let Some(generation) = self.generation {
            begin = begin.be32(GENERATION, generation);
        }
        let mut bytes = write(BEGIN, NLM_F_REQUEST, sequence, begin.as_bytes());
        let mut number = sequence;
        for (at, change) in self.changes.iter().enumerate() {
            number = number.wrapping_add(1);
            let acknowledge = if at + 1 == self.changes.len() { NLM_F_ACK } else { 0 };
            let flags = NLM_F_REQUEST | change.flags | acknowledge;
            let body = [head(change.family.number(), 0).as_slice(), &change.body].concat();
            bytes.extend(write(SUBSYSTEM << 8 | u16::from(change.kind), flags, number, &body));
        }
        bytes.extend(write(END, NLM_F_REQUEST, number.wrapping_add(1), &head(0, SUBSYSTEM)));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::messages;
    use crate::wires::nft::{Hook, Policy};

    #[test]
    fn a_batch_is_these_bytes() {
        let table = Table::new(Family::Inet, "t");
        let mut batch = Batch::new();
        let owned = TableFlags { owner: true, ..TableFlags::default() };
        batch.add_table(&table, owned, &Text::default());
        batch.add_chain(&Chain::base(&table, "c", Hook::Input, -300, Policy::Drop));
        batch.add_rule(&table, &"c".into(), &Rule::new(Family::Inet).from_loopback().accept().tagged("lo"));
        let bytes = batch.bytes(7);
        if cfg!(target_endian = "big") {
            return;
        }
        let expected: &[&[u8]] = &[
            b"\x14\0\0\0\x10\0\x01\0\x07\0\0\0\0\0\0\0\0\0\0\x0a",
            b"\x24\0\0\0\0\x0a\x01\x06\x08\0\0\0\0\0\0\0\x01\0\0\0\x06\0\x01\0t\0\0\0\x08\0\x02\0\0\0\0\x02",
            b"\x4c\0\0\0\x03\x0a\x01\x06\x09\0\0\0\0\0\0\0\x01\0\0\0\x06\0\x01\0t\0\0\0\x06\0\x03\0c\0\0\0",
            b"\x14\0\x04\x80\x08\0\x01\0\0\0\0\x01\x08\0\x02\0\xff\xff\xfe\xd4\x08\0\x05\0\0\0\0\0",
            b"\x0b\0\x07\0filter\0\0",
            b"\xb4\0\0\0\x06\x0a\x05\x0c\x0a\0\0\0\0\0\0\0\x01\0\0\0\x06\0\x01\0t\0\0\0\x06\0\x02\0c\0\0\0",
            b"\x84\0\x04\x80\x24\0\x01\x80\x09\0\x01\0meta\0\0\0\0\x14\0\x02\x80\x08\0\x01\0\0\0\0\x01",
            b"\x08\0\x02\0\0\0\0\x04",
            b"\x2c\0\x01\x80\x08\0\x01\0cmp\0\x20\0\x02\x80\x08\0\x01\0\0\0\0\x01\x08\0\x02\0\0\0\0\0",
            b"\x0c\0\x03\x80\x08\0\x01\0\x01\0\0\0",
            b"\x30\0\x01\x80",
        ];
        let expected = expected.concat();
        assert_eq!(bytes.get(..expected.len()).unwrap(), expected, "{bytes:02x?}");
        assert!(bytes.ends_with(b"\x14\0\0\0\x11\0\x01\0\x0b\0\0\0\0\0\0\0\0\0\0\x0a"));
        assert_eq!(messages(&bytes).map(Result::unwrap).count(), 5);
        assert_eq!(
            batch.changes().collect::<Vec<_>>(),
            ["table inet t", "chain inet t c", "rule lo of inet t c"]
        );
    }

    #[test]
    fn a_hook_that_a_family_does_not_have_is_left_to_the_kernel_to_refuse() {
        let table = Table::new(Family::Arp, "t");
        let chain = Chain::base(&table, "c", Hook::Forward, 0, Policy::Accept);
        assert!(chain.attributes().as_bytes().windows(4).any(|bytes| bytes == [0xff; 4]));
        let devices = vec!["a".into(), "b".into()];
        let chain =
            Chain::base(&Table::new(Family::Netdev, "t"), "c", Hook::Egress(devices), 0, Policy::Drop);
        let two = b"\x06\0\x01\0a\0\0\0\x06\0\x01\0b\0\0\0";
        assert!(chain.attributes().as_bytes().windows(16).any(|bytes| bytes == two));
    }
}
