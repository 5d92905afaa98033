//! Fact kinds: typed rows with permanent columns and roles.

use serde::{Deserialize, Serialize};

/// What a column means to a view that does not know its kind by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A plain value.
    Plain,
    /// A path on the examined system.
    Path,
    /// A process id.
    Pid,
    /// The process id of the parent.
    Parent,
    /// An instant.
    Time,
    /// A network address, with or without port.
    Address,
    /// An account name.
    Account,
    /// A service manager unit.
    Unit,
    /// A content digest.
    Digest,
    /// May hold a password or key: left out of exports.
    Secret,
}

/// One column of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Permanent number; never reused.
    pub tag: u16,
    /// Name in the JSON form.
    pub name: String,
    /// What it means.
    pub role: Role,
    /// One sentence.
    pub doc: String,
}

/// The columns of a kind, as stored at the head of each stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Name of the kind.
    pub kind: String,
    /// One sentence.
    pub doc: String,
    /// Its columns by tag.
    pub columns: Vec<Column>,
}

/// A fact kind. Implemented by the `kind!` macro alone.
pub trait Kind: Sized + 'static {
    /// Name in streams and on the command line.
    const NAME: &'static str;
    /// Its columns.
    fn schema() -> Schema;
    /// This kind's value inside `fact`, if it is one.
    fn of(fact: &crate::Fact) -> Option<&Self>;
}

impl crate::Fact {
    /// Whether this is one of very many rows that stream past into the case and are never kept in memory.
    pub fn is_bulk(&self) -> bool {
        matches!(self, Self::WalkedDirectory(_) | Self::FileDigests(_))
    }
}

/// Whether `value` is the default, and so need not be stored.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares a fact kind: a documented struct whose columns carry a permanent tag and a role.
///
/// Columns are only ever appended. A column that is missing in an old case reads as its type's default, so use
/// `Option` where "not known" differs from zero.
macro_rules! kind {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $wire:literal {
            $( $(#[doc = $column_doc:literal])+ $tag:literal $column:ident : $type:ty as $role:ident, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $column_doc])+
                #[serde(skip_serializing_if = "crate::kind::is_default")]
                pub $column: $type,
            )+
        }

        impl crate::Kind for $name {
            const NAME: &'static str = $wire;

            fn schema() -> crate::Schema {
                crate::Schema {
                    kind: $wire.to_owned(),
                    doc: [$($doc),+].concat().trim().to_owned(),
                    columns: vec![$(
                        crate::Column {
                            tag: $tag,
                            name: stringify!($column).to_owned(),
                            role: crate::Role::$role,
                            doc: [$($column_doc),+].concat().trim().to_owned(),
                        },
                    )+],
                }
            }

            fn of(fact: &crate::Fact) -> Option<&Self> {
                match fact {
                    crate::Fact::$name(row) => Some(row),
                    _ => None,
                }
            }
        }

        impl From<$name> for crate::Fact {
            fn from(row: $name) -> Self {
                Self::$name(row)
            }
        }
    };
}
pub(crate) use kind;
