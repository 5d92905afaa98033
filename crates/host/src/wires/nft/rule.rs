//! Rules: expressions in their order, and a tag by which a rule is found again.

use super::{Expression, Family, Table, Verdict, comment};
use crate::netlink::Attributes;
use calma_record::Text;

/// A rule that is being written, condition by condition.
///
/// Conditions are in `conditions`: they bring along what they depend on (an IPv4 address is looked for in IPv4 packets
/// alone), each at most once in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) family: Family,
    pub(super) expressions: Vec<Expression>,
    tag: Text,
}

impl Rule {
    /// A rule of a table of this family that matches everything and does nothing yet.
    pub fn new(family: Family) -> Self {
        Self { family, expressions: Vec::new(), tag: Text::default() }
    }

    /// Any expression.
    pub fn then(mut self, expression: Expression) -> Self {
        self.expressions.push(expression);
        self
    }

    /// Counts the packets that come this far.
    pub fn counted(self) -> Self {
        self.then(Expression::Counter)
    }

    /// Lets the packet pass.
    pub fn accept(self) -> Self {
        self.then(Expression::Verdict(Verdict::Accept))
    }

    /// Ends the packet.
    pub fn drop(self) -> Self {
        self.then(Expression::Verdict(Verdict::Drop))
    }

    /// Back to the chain that jumped here; in a base chain: its policy.
    pub fn back(self) -> Self {
        self.then(Expression::Verdict(Verdict::Return))
    }

    /// On with another chain, then back.
    pub fn jump(self, chain: impl Into<Text>) -> Self {
        self.then(Expression::Verdict(Verdict::Jump(chain.into())))
    }

    /// On with another chain.
    pub fn goto(self, chain: impl Into<Text>) -> Self {
        self.then(Expression::Verdict(Verdict::Goto(chain.into())))
    }

    /// A tag of at most 127 bytes without NUL, which nft(8) shows as the rule's comment.
    pub fn tagged(mut self, tag: impl Into<Text>) -> Self {
        self.tag = tag.into();
        self
    }

    /// The tag.
    pub fn tag(&self) -> &Text {
        &self.tag
    }

    /// The `NFTA_RULE_` attributes that make it.
    pub(super) fn attributes(&self, table: &Table, chain: &Text) -> Attributes {
        let list = Attributes::new();
        let list = self.expressions.iter().fold(list, |list, one| list.nest(1, &one.attributes()));
        let rule = Attributes::new().text(1, table.name.as_bytes()).text(2, chain.as_bytes()).nest(4, &list);
        if self.tag.is_empty() { rule } else { rule.bytes(7, &comment(self.tag.as_bytes())) }
    }
}
