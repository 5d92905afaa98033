//! A file of rules in its parts, so that one that is wrong does not cost the others.

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// `import "module"`.
    Import,
    /// `include "file"`.
    Include,
    /// A rule, with its modifiers.
    Rule,
    /// Anything else that is not empty: it can not be right.
    Other,
}

/// A part of a file: where it begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) sort: Sort,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Splits at the outermost level. Every byte that is not white space or a comment is in exactly one part.
pub(super) fn split(text: &str) -> Vec<Part> {
    let bytes = text.as_bytes();
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(start) = next_word(bytes, at) {
        let word = word(bytes, start);
        let (sort, end) = match word {
            b"import" | b"include" => {
                let sort = if word == b"import" { Sort::Import } else { Sort::Include };
                (sort, after_string(bytes, start + word.len()))
            }
            b"rule" | b"private" | b"global" => (Sort::Rule, after_braces(bytes, start)),
            _ => (Sort::Other, other(bytes, start)),
        };
        // Progress, whatever stands there.
        let end = end.max(start + 1).min(bytes.len());
        let end = (end..=bytes.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(bytes.len());
        parts.push(Part { sort, start, end });
        at = end;
    }
    parts
}

/// The letters from `start` on.
fn word(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).unwrap_or(rest.len());
    rest.get(..length).unwrap_or_default()
}

/// Where the next thing begins that is neither white space nor a comment.
fn next_word(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => at += 1,
            (b'/', Some(b'/' | b'*')) => at = after_comment(bytes, at),
            _ => return Some(at),
        }
    }
}

fn after_comment(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at + 2..).unwrap_or_default();
    let length = if bytes.get(at + 1) == Some(&b'/') {
        rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
    } else {
        rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |found| found + 2)
    };
    at + 2 + length
}

/// The end of what is quoted from `at` on; a line break ends it too.
fn after_quoted(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut escaped = false;
    for (length, b) in bytes.get(at + 1..).unwrap_or_default().iter().enumerate() {
        match b {
            b'\n' => return at + 1 + length,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b if *b == quote => return at + 2 + length,
            _ => {}
        }
    }
    bytes.len()
}

fn after_string(bytes: &[u8], at: usize) -> usize {
    match next_word(bytes, at) {
        Some(quote) if bytes.get(quote) == Some(&b'"') => after_quoted(bytes, quote, b'"'),
        _ => at,
    }
}

/// The end of a rule: its last brace. A rule that never ends stops before the next line that begins with `rule`.
fn after_braces(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(b) = bytes.get(at) {
        match (b, bytes.get(at + 1)) {
            (b'/', Some(b'/' | b'*')) => at = after_comment(bytes, at),
            // The language has no other use of a slash than a regular expression.
            (b'/', _) => at = after_quoted(bytes, at, b'/'),
            (b'"', _) => at = after_quoted(bytes, at, b'"'),
            (b'{', _) => {
                depth += 1;
                at += 1;
            }
            (b'}', _) => {
                depth = depth.saturating_sub(1);
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            (b'\n', _) if at > start && begins(bytes, at + 1) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether a rule begins at this line's first column.
fn begins(bytes: &[u8], at: usize) -> bool {
    matches!(word(bytes, at), b"rule" | b"private" | b"global" | b"import" | b"include")
}

/// The end of what is nothing: before the next line that begins something.
fn other(bytes: &[u8], start: usize) -> usize {
    let lines = bytes.get(start..).unwrap_or_default().iter().enumerate().filter(|(_, b)| **b == b'\n');
    lines.map(|(length, _)| start + length + 1).find(|at| begins(bytes, *at)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(Sort, &str)> {
        split(text).into_iter().map(|part| (part.sort, &text[part.start..part.end])).collect()
    }

    #[test]
    fn strings_comments_and_expressions_do_not_end_a_rule() {
        let first = "rule a : t { strings: $a = \"}\\\"{\" $b = /a{2}\\/}\"/i $c = { 01 ?? [2-4] } // }\n condition: any of them }";
        let second = "private rule b { condition: /* } */ true }";
        let text = format!("/* rule x {{ */ import \"pe\"\n{first}\n include  \"x.yar\"{second} // end");
        assert_eq!(
            parts(&text),
            [
                (Sort::Import, "import \"pe\""),
                (Sort::Rule, first),
                (Sort::Include, "include  \"x.yar\""),
                (Sort::Rule, second)
            ]
        );
    }

    #[test]
    fn a_rule_without_an_end_does_not_take_the_next_one_along() {
        let text = "rule a {\n strings: $a = \"x\n condition: $a\nrule b { condition: true }\nnonsense\nrule c { condition: true }";
        let found = parts(text);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[1].1.starts_with("rule b") && found[3].1.starts_with("rule c"));
    }

    #[test]
    fn anything_is_survived() {
        let text = "rule é { \u{1f600} } \" /* rule { } import include // private global rule";
        for length in (0..=text.len()).filter(|length| text.is_char_boundary(*length)) {
            let found = split(&text[..length]);
            assert!(found.iter().zip(found.iter().skip(1)).all(|(a, b)| a.end <= b.start));
        }
    }
}
