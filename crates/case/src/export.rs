//! Giving a case away: whole, or as JSON lines without secrets.

mod lines;
mod tar;

use crate::{Case, CaseError};
use std::io::Write;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportForm {
    /// The whole folder as a tar archive (POSIX ustar): verifies wherever it is unpacked. Holds every secret the case holds.
    #[default]
    Tar,
    /// The records, one JSON object a line.
    JsonLines,
}

/// What to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// In which form.
    pub form: ExportForm,
    /// Whether JSON lines keep the columns that may hold passwords or keys.
    pub secrets: bool,
}

impl Case {
    /// Writes the case to `to`.
    ///
    /// # Errors
    /// When the case can not be read or `to` not be written.
    pub fn export(&self, to: &mut dyn Write, what: ExportOptions) -> Result<(), CaseError> {
        match what.form {
            ExportForm::Tar => tar::write(self, to),
            ExportForm::JsonLines => lines::write(self, to, what.secrets),
        }
    }
}

fn out(error: std::io::Error) -> CaseError {
    CaseError::Io { doing: "can not export", place: "the archive".into(), error }
}
