//! The described files by path.

use crate::{Row, Tables};
use calma_record::{Text, kinds::File};
use std::collections::BTreeMap;

/// The described files by path.
#[derive(Debug, Default)]
pub struct Files<'a>(BTreeMap<&'a Text, Row<'a, File>>);

impl<'a> Files<'a> {
    /// Indexes the tables.
    pub fn new(tables: &'a Tables) -> Self {
        Self(tables.of::<File>().map(|row| (&row.fact.path, row)).collect())
    }

    /// The file at `path`, if it was described.
    pub fn get(&self, path: &Text) -> Option<Row<'a, File>> {
        self.0.get(path).copied()
    }
}
