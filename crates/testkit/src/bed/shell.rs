//! What a program printed, and quoting for a shell.

use crate::report::Report;
use std::fmt;
use std::process::Command;

/// A program's end and what it printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Output {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { code: output.status.code(), out: output.stdout, err: output.stderr }
    }

    /// Whether it ended well.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard output as calma's JSON lines; panics with everything printed when calma ended otherwise than by its
    /// contract (0, 1 or 3).
    pub fn report(&self) -> Report {
        assert!(matches!(self.code, Some(0 | 1 | 3)), "calma failed: {self}");
        Report::read(&self.out)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let err = String::from_utf8_lossy(&self.err);
        write!(f, "exit {:?}\n--- output\n{}\n--- errors\n{err}", self.code, self.text())
    }
}

/// Quotes a word for a POSIX shell.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
