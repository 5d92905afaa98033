//! Changes of nf_tables as values: `<linux/netfilter/nf_tables.h>`, nft(8). Nothing here reaches a kernel.
//!
//! A [`Batch`] is carried out by the kernel as a whole or not at all.

mod batch;
mod chain;
mod conditions;
mod expression;
mod rule;
mod set;
mod table;

pub use batch::Batch;
pub use chain::{Chain, Hook, Policy};
pub use expression::{Base, Compare, Expression, Meta, Verdict};
pub use rule::Rule;
pub use set::{Element, KeyKind, Set};
pub use table::{Family, Table, TableFlags};
pub(crate) use table::{comment, comment_of};

/// Number of the nf_tables part of netfilter's netlink (`NFNL_SUBSYS_NFTABLES`).
pub(crate) const SUBSYSTEM: u16 = 10;

/// Message types (`enum nf_tables_msg_types`).
pub(crate) mod kind {
    pub(crate) const NEW_TABLE: u8 = 0;
    pub(crate) const GET_TABLE: u8 = 1;
    pub(crate) const DELETE_TABLE: u8 = 2;
    pub(crate) const NEW_CHAIN: u8 = 3;
    pub(crate) const GET_CHAIN: u8 = 4;
    pub(crate) const DELETE_CHAIN: u8 = 5;
    pub(crate) const NEW_RULE: u8 = 6;
    pub(crate) const GET_RULE: u8 = 7;
    pub(crate) const DELETE_RULE: u8 = 8;
    pub(crate) const NEW_SET: u8 = 9;
    pub(crate) const GET_SET: u8 = 10;
    pub(crate) const NEW_ELEMENT: u8 = 12;
    pub(crate) const DELETE_ELEMENT: u8 = 14;
    pub(crate) const GET_GENERATION: u8 = 16;
}
