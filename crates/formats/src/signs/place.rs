//! Objects of a large JSON text one at a time, each with its line.

use serde_json::value::RawValue;

/// Lines of places within a text, counted once as long as the places come in order.
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line on which a part of the text begins.
    pub(super) fn of(&mut self, part: &RawValue) -> usize {
        let start = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if start < self.at {
            (self.at, self.line) = (0, 1);
        }
        let between = self.text.get(self.at..start).unwrap_or_default();
        self.line += between.bytes().filter(|b| *b == b'\n').count();
        self.at = start.min(self.text.len());
        self.line
    }
}
