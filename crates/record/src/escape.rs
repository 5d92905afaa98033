//! The one printable, injective escape for bytes that an intruder may have chosen.

use std::borrow::Cow;

/// Writes `bytes` so that no control character, no bidirectional override and no invalid UTF-8 survives.
///
/// Backslash becomes `\\`, newline `\n`, tab `\t`, carriage return `\r`; every other unprintable character becomes its
/// bytes as `\xHH`. Distinct inputs give distinct outputs, and [`unescape`] is the exact inverse.
pub(crate) fn escape(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly everything is such text, and read and written a million times.
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| is_plain(text) && !text.contains('\\'))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if printable(c) => out.push(c),
                c => {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer).bytes().for_each(|b| hex(&mut out, b));
                }
            }
        }
        chunk.invalid().iter().for_each(|b| hex(&mut out, *b));
    }
    Cow::Owned(out)
}

/// Shows what no escape of [`crate::Text`] made: every character that a terminal or browser does not show as itself
/// becomes its bytes as `\\xHH`; all else stays, backslashes too. So what was escaped before stays as it is, and what a
/// host that lies put unescaped into a record does no harm.
pub fn printed(text: &str) -> Cow<'_, str> {
    if is_plain(text) || text.chars().all(printable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if printable(c) {
            out.push(c);
        } else {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().for_each(|b| hex(&mut out, b));
        }
    }
    Cow::Owned(out)
}

/// Reverses [`escape`]. `None` when the text is not something [`escape`] can have written.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    if !text.contains('\\') {
        return Some(text.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match bytes.next()? {
            b'\\' => out.push(b'\\'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'x' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => return None,
        }
    }
    Some(out)
}

fn hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    for nibble in [byte >> 4, byte & 15] {
        out.push(char::from(*DIGITS.get(usize::from(nibble)).unwrap_or(&b'?')));
    }
}

/// Whether it is nothing but printable ASCII.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// Whether a terminal or browser shows `c` as itself, without moving, hiding or reordering its neighbours.
fn printable(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
            | '\u{e0000}'..='\u{10ffff}')
        || (c.is_whitespace() && c != ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_string_comes_back() {
        let mut seed = 7_u32;
        for length in 0..400 {
            let bytes: Vec<u8> = (0..length % 40)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let shown = escape(&bytes);
            assert!(shown.chars().all(printable), "{shown:?}");
            assert_eq!(unescape(&shown).as_deref(), Some(bytes.as_slice()));
        }
    }

    #[test]
    fn what_moves_the_cursor_or_reorders_text_is_shown() {
        for (bytes, shown) in [
            (&b"a\x1b[2Jb"[..], "a\\x1b[2Jb"),
            (b"x\ny", "x\\ny"),
            ("\u{202e}gpj.exe".as_bytes(), "\\xe2\\x80\\xaegpj.exe"),
            (b"\xff\\", "\\xff\\\\"),
            ("caff\u{e8}".as_bytes(), "caff\u{e8}"),
        ] {
            assert_eq!(escape(bytes), shown);
            assert_eq!(printed(shown), shown);
        }
        assert_eq!(printed("a\u{1b}[2J\u{2028}\\n"), "a\\x1b[2J\\xe2\\x80\\xa8\\n");
    }
}
