//! One sign a line; what it is, is guessed. `#` and `;` begin comments.

use super::{Found, Sign, guess, short};

/// Reads lines.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Found)) {
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') || line.starts_with("//") {
            continue;
        }
        // A comment behind the value is what the list says of it.
        let (value, note) = match line.split_once(" #").or_else(|| line.split_once("\t#")) {
            Some((value, note)) => (value.trim(), note.trim()),
            None => (line, ""),
        };
        match guess(value) {
            Some(sign) => each((number, Ok(Sign { note: short(note, 200), ..sign }))),
            None => each((number, Err("it is no hash, name, path, address, domain or key".to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;

    #[test]
    fn comments_and_empty_lines_are_passed_over_and_the_rest_is_named() {
        let (signs, faults) = all("# a\n\n192.0.2.7  # the miner's pool\n/x\u{1}y\n; b\nxmrig\n");
        assert_eq!(signs.len(), 2);
        assert_eq!(signs[0].note, "the miner's pool");
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4]);
    }
}
