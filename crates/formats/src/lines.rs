//! Lines and words, as most of a Linux host's settings are written.

/// The lines of `text` without their line ends, numbered from 1.
pub fn numbered(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (1..).zip(text.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

/// The lines that say something: trimmed, not empty, not beginning with `#`; numbered from 1.
pub fn meaningful(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    numbered(text)
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// The same with the blanks around a line kept, for formats where they may hide something.
pub fn meaningful_untrimmed(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    numbered(text).filter(|(_, line)| {
        let line = line.trim_ascii();
        !line.is_empty() && !line.starts_with(b"#")
    })
}

/// The words of a line, split at spaces and tabs.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// A decimal number, and nothing else.
pub fn decimal<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    word.first().filter(|b| b.is_ascii_digit())?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `line` cut at the first `separator`, both sides trimmed.
pub fn cut(line: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|b| *b == separator)?;
    Some((line.get(..at)?.trim_ascii(), line.get(at + 1..)?.trim_ascii()))
}
