//! XML as far as settings files need it: elements, attributes and text, without entities of their own (XML 1.0).

use calma_record::Text;

/// No more events than this are taken from one text.
const MOST: usize = 100_000;

/// One step through a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An element begins: line from 1, name, attributes.
    Open(u32, Text, Vec<(Text, Text)>),
    /// An element ends.
    Close(Text),
    /// Text between tags, trimmed, not empty.
    Text(u32, Text),
}

/// Value of an attribute.
pub(crate) fn attribute<'a>(attributes: &'a [(Text, Text)], name: &str) -> Option<&'a Text> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The events of a text in order; what is no XML gives fewer of them.
pub(crate) fn events(bytes: &[u8]) -> Vec<Event> {
    let mut all = Vec::new();
    let (mut rest, mut line) = (bytes, 1_u32);
    let lines = |piece: &[u8]| u32::try_from(piece.iter().filter(|b| **b == b'\n').count()).unwrap_or(0);
    while !rest.is_empty() && all.len() < MOST {
        let Some(at) = rest.iter().position(|b| *b == b'<') else { break };
        let (text, tag) = rest.split_at(at);
        line = line.saturating_add(lines(text));
        if !text.trim_ascii().is_empty() {
            all.push(Event::Text(line, unescape(text.trim_ascii())));
        }
        let (end, skip) = if tag.starts_with(b"<!--") {
            (find(tag, b"-->"), true)
        } else if tag.starts_with(b"<![CDATA[") {
            let end = find(tag, b"]]>");
            let inside = tag.get(9..end.saturating_sub(3)).unwrap_or_default();
            all.push(Event::Text(line, inside.into()));
            (end, true)
        } else if tag.starts_with(b"<?") || tag.starts_with(b"<!") {
            (find(tag, b">"), true)
        } else {
            (tag_end(tag), false)
        };
        let whole = tag.get(..end).unwrap_or(tag);
        if !skip {
            element(whole, line, &mut all);
        }
        line = line.saturating_add(lines(whole));
        rest = tag.get(end..).unwrap_or_default();
    }
    all
}

fn find(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|window| window == end).map_or(text.len(), |at| at + end.len())
}

/// Length of a tag; `>` in quotes does not end it.
fn tag_end(tag: &[u8]) -> usize {
    let mut quote = 0_u8;
    for (at, byte) in tag.iter().copied().enumerate() {
        match byte {
            b'"' | b'\'' if quote == 0 => quote = byte,
            _ if quote != 0 && byte == quote => quote = 0,
            b'>' if quote == 0 => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

fn element(tag: &[u8], line: u32, all: &mut Vec<Event>) {
    let inside = tag.strip_prefix(b"<").unwrap_or(tag);
    let inside = inside.strip_suffix(b">").unwrap_or(inside);
    if let Some(name) = inside.strip_prefix(b"/") {
        all.push(Event::Close(name.trim_ascii().into()));
        return;
    }
    let (inside, closes) = match inside.strip_suffix(b"/") {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let end = inside.iter().position(u8::is_ascii_whitespace).unwrap_or(inside.len());
    let (name, mut rest) = inside.split_at(end);
    let mut attributes = Vec::new();
    while let Some(at) = rest.iter().position(|b| *b == b'=') {
        let (key, behind) = rest.split_at(at);
        let behind = behind.get(1..).unwrap_or_default().trim_ascii_start();
        let (value, after) = match behind {
            [quote @ (b'"' | b'\''), inside @ ..] => {
                let end = inside.iter().position(|b| b == quote).unwrap_or(inside.len());
                (inside.get(..end), inside.get(end + 1..))
            }
            _ => {
                let end = behind.iter().position(u8::is_ascii_whitespace).unwrap_or(behind.len());
                (behind.get(..end), behind.get(end..))
            }
        };
        if attributes.len() < 256 {
            attributes.push((key.trim_ascii().into(), unescape(value.unwrap_or_default())));
        }
        rest = after.unwrap_or_default();
    }
    all.push(Event::Open(line, name.into(), attributes));
    if closes {
        all.push(Event::Close(name.into()));
    }
}

/// The five entities every document knows.
fn unescape(text: &[u8]) -> Text {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let entity =
            [(&b"&lt;"[..], b'<'), (b"&gt;", b'>'), (b"&amp;", b'&'), (b"&quot;", b'"'), (b"&apos;", b'\'')]
                .into_iter()
                .find(|(entity, _)| *first == b'&' && rest.starts_with(entity));
        match entity {
            Some((entity, byte)) => {
                out.push(byte);
                rest = rest.get(entity.len()..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text() {
        let all = events(b"<?xml?>\n<!-- <x> -->\n<a b=\"c>d\" e='f'>t &amp; u<g/></a>");
        assert_eq!(all.len(), 5, "{all:?}");
        assert_eq!(
            all[0],
            Event::Open(3, "a".into(), vec![("b".into(), "c>d".into()), ("e".into(), "f".into())])
        );
        assert_eq!(all[1], Event::Text(3, "t & u".into()));
    }
}
