//! Frames on the wire: a kind, a length, and so many bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 0 | kind: `j` words as JSON, `b` bytes of a piece, `.` a sign of life |
//! | 1..5 | length of what follows, little endian |
//! | 5.. | what follows |
//!
//! There is no chain and no seal: the connection is ssh's, and what comes over it is believed by neither end further than its
//! bounds.

use std::io::{self, Read, Write};

/// Words longer than this are refused: what taking back one step needs stays far below it.
pub(super) const MOST_WORDS: usize = 8 << 20;
/// Bytes of a piece come in frames of at most this length.
pub(super) const MOST_BYTES: usize = 256 << 10;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Words as JSON.
    Words(Vec<u8>),
    /// Bytes of a piece.
    Bytes(Vec<u8>),
    /// A sign of life.
    Beat,
}

impl Frame {
    fn parts(&self) -> (u8, &[u8], usize) {
        match self {
            Self::Words(words) => (b'j', words, MOST_WORDS),
            Self::Bytes(bytes) => (b'b', bytes, MOST_BYTES),
            Self::Beat => (b'.', &[], 0),
        }
    }

    /// Writes it, and gives it on.
    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let (kind, content, most) = self.parts();
        let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= most);
        let length =
            length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "too long for a frame"))?;
        let [a, b, c, d] = length.to_le_bytes();
        // One write a frame: an end that vanishes in between leaves a torn one, which is told from a whole.
        let mut all = Vec::with_capacity(content.len() + 5);
        all.extend_from_slice(&[kind, a, b, c, d]);
        all.extend_from_slice(content);
        to.write_all(&all)?;
        to.flush()
    }

    /// Reads the next one; `None` at the end between two frames.
    pub(super) fn read(from: &mut dyn Read) -> Result<Option<Self>, &'static str> {
        let mut head = [0; 5];
        let Some(head) = fill(from, &mut head)? else { return Ok(None) };
        let [kind, a, b, c, d] = *head;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let most = match kind {
            b'j' => MOST_WORDS,
            b'b' => MOST_BYTES,
            b'.' => 0,
            _ => return Err("a frame of no known kind"),
        };
        if length > most {
            return Err("a frame longer than a frame may be");
        }
        // Grows with what comes, not with what was claimed.
        let mut content = Vec::new();
        match from.take(length as u64).read_to_end(&mut content) {
            Ok(n) if n == length => {}
            Ok(_) => return Err("it ended inside a frame"),
            Err(_) => return Err("it could not be read"),
        }
        Ok(Some(match kind {
            b'j' => Self::Words(content),
            b'b' => Self::Bytes(content),
            _ => Self::Beat,
        }))
    }
}

/// Fills the head; `None` when nothing comes at all.
fn fill<'a>(from: &mut dyn Read, head: &'a mut [u8; 5]) -> Result<Option<&'a [u8; 5]>, &'static str> {
    let mut at = 0;
    while let Some(rest) = head.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) if at == 0 => return Ok(None),
            Ok(0) => return Err("it ended inside a frame"),
            Ok(n) => at += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err("it could not be read"),
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_torn_ones_are_told() {
        let frames = [
            Frame::Words(b"{\"a\":1}".to_vec()),
            Frame::Bytes(vec![7; MOST_BYTES]),
            Frame::Beat,
            Frame::Bytes(Vec::new()),
        ];
        let mut wire = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut wire).unwrap());
        let mut from = wire.as_slice();
        for frame in &frames {
            assert_eq!(Frame::read(&mut from).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(Frame::read(&mut from), Ok(None));
        let mut one = Vec::new();
        Frame::Words(b"{\"a\":1}".to_vec()).write(&mut one).unwrap();
        for end in 1..one.len() {
            assert!(Frame::read(&mut &one[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_too_long_or_unknown_is_refused_unread() {
        for head in
            [[b'j', 1, 0, 128, 0], [b'b', 1, 0, 4, 0], [b'.', 1, 0, 0, 0], [b'x', 0, 0, 0, 0], [255; 5]]
        {
            assert!(Frame::read(&mut head.as_slice()).is_err(), "{head:?}");
        }
        assert!(Frame::Bytes(vec![0; MOST_BYTES + 1]).write(&mut Vec::new()).is_err());
    }
}
