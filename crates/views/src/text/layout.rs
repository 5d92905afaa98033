//! Lines of at most 80 columns, with or without colour.

use calma_record::{Severity, Subject, printed};

/// Columns that every screen fits into.
pub(super) const WIDTH: usize = 80;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Words alone.
    Plain,
    /// Words, repeated by colour (ECMA-48 SGR).
    Colour,
}

impl Style {
    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// Something of less weight.
    pub(crate) fn faint(self, text: &str) -> String {
        self.sgr("2", text)
    }

    /// Text in the colour of a severity.
    pub(crate) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Critical | Severity::High => self.sgr("31", text),
            Severity::Medium => self.sgr("33", text),
            Severity::Low | Severity::Info => text.to_owned(),
        }
    }

    fn sgr(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// Breaks `text` at spaces into lines of at most 80 columns; the first begins with `first`, the others are indented
/// by as many spaces. A word longer than a line is cut hard, since an intruder chooses how long a name is; and no character
/// that moves, hides or reorders others passes, whoever made the sentence.
pub fn wrap(first: &str, text: &str) -> String {
    let text = &printed(text);
    let indent = first.chars().count();
    let room = WIDTH.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > room {
            let rest = word.split_off(room);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        length += word.len();
        line.extend(word);
    }
    if length > 0 || lines.is_empty() {
        lines.push(line);
    }
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let lead = if number == 0 { first.to_owned() } else { " ".repeat(indent) };
        out.push_str(format!("{lead}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// `left` and, as far right as 80 columns allow, `right`; on a line of its own if it does not fit.
pub(crate) fn spread(left: &str, right: &str) -> String {
    let used = left.chars().count() + right.chars().count();
    if used + 2 <= WIDTH {
        format!("{left}{}{right}\n", " ".repeat(WIDTH - used))
    } else {
        format!("{}{}{right}\n", wrap("", left), " ".repeat(WIDTH.saturating_sub(right.chars().count())))
    }
}

/// `text` cut to `columns`, with an ellipsis where something was left out.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `1 story`, `2 stories`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// A subject as one reads it.
pub(crate) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Path(path) => path.to_string(),
        Subject::Pid(pid) => format!("pid {pid}"),
        Subject::Address(address) => address.clone(),
        Subject::Account(name) => format!("account {name}"),
        Subject::Unit(name) => format!("unit {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let long = format!("{} /{} end", "word ".repeat(40), "x".repeat(400));
        for line in wrap("     ", &long).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(line.starts_with("     "));
        }
        assert_eq!(wrap("  ", ""), "\n");
    }

    #[test]
    fn nothing_that_a_host_says_moves_the_cursor() {
        let said = wrap("  ", "a program \u{1b}]0;x\u{7}\u{1b}[2J \u{202e}stays\u{9b}1m\r\nfake");
        assert!(said.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{said:?}");
        assert_eq!(said, wrap("  ", said.trim_end()));
    }
}
