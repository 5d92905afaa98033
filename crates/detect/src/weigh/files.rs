//! The described files by path.

use crate::{Row, Tables};
use calma_record::{Text, kinds::File};

/// The described files by path; by default none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a>(Option<&'a Tables>);

impl<'a> Files<'a> {
    /// Looks into these tables, which keep one index for all detectors.
    pub fn new(tables: &'a Tables) -> Self {
        Self(Some(tables))
    }

    /// The file at `path`, if it was described.
    pub fn get(&self, path: &Text) -> Option<Row<'a, File>> {
        self.0?.file(path)
    }
}
