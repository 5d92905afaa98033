//! What a host prints before the stream: banners, login scripts, the line's own remark.

use calma_record::Text;
use std::io::{self, Read};

/// More than this before the stream is no banner.
const MOST: usize = 64 << 10;
/// The line's remark about where the program stood.
const PLACED: &[u8] = b"\n=calma-placed ";

/// A stream from its first frame on.
pub(super) struct Opened {
    /// The frames.
    pub(super) stream: Box<dyn Read + Send>,
    /// Where the program stood.
    pub(super) placed: Option<Text>,
    /// Everything else before the stream.
    pub(super) noise: Vec<u8>,
}

/// Reads up to `preamble`. A sentence if none comes. Calls `there` when the first byte has come.
pub(super) fn open(
    mut from: impl Read + Send + 'static,
    preamble: &[u8],
    mut there: impl FnMut(),
) -> Result<Opened, &'static str> {
    let mut before = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Err("it ended before the stream began"),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err("it could not be read"),
        };
        if before.is_empty() {
            there();
        }
        before.extend_from_slice(buffer.get(..n).unwrap_or_default());
        if let Some(at) = find(&before, preamble) {
            let frames = before.split_off(at + preamble.len());
            before.truncate(at);
            let placed = placed(&mut before);
            let stream = Box::new(io::Cursor::new(frames).chain(from));
            return Ok(Opened { stream, placed, noise: before.trim_ascii().to_vec() });
        }
        if before.len() > MOST {
            return Err("it prints without end before the stream");
        }
    }
}

/// Takes the line's remark out of `before`.
fn placed(before: &mut Vec<u8>) -> Option<Text> {
    let at = find(before, PLACED)?;
    let remark = before.split_off(at);
    let line = remark.get(PLACED.len()..)?.split(|b| *b == b'\n').next()?;
    let behind = remark.get(PLACED.len() + line.len() + 1..).unwrap_or_default();
    before.extend_from_slice(behind);
    Some(Text::from(line))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_record::frame::PREAMBLE;

    type Read3 = (Vec<u8>, Option<Text>, Vec<u8>);

    fn read(bytes: &[u8]) -> Result<Read3, &'static str> {
        let mut opened = open(io::Cursor::new(bytes.to_vec()), PREAMBLE, || {})?;
        let mut stream = Vec::new();
        opened.stream.read_to_end(&mut stream).unwrap();
        Ok((stream, opened.placed, opened.noise))
    }

    #[test]
    fn a_banner_is_told_apart() {
        let line = b"Welcome!\nno tty\n\n=calma-placed memory /dev/shm/.calma-1\n".as_slice();
        let (stream, placed, noise) = read(&[line, PREAMBLE, b"CALM..."].concat()).unwrap();
        assert_eq!(stream, b"CALM...");
        assert_eq!(placed.unwrap(), "memory /dev/shm/.calma-1");
        assert_eq!(noise, b"Welcome!\nno tty");
        assert_eq!(read(PREAMBLE).unwrap(), (Vec::new(), None, Vec::new()));
    }

    #[test]
    fn without_a_stream_it_ends() {
        assert!(read(b"hello").is_err());
        assert!(read(&vec![b'a'; 1 << 20]).is_err());
        assert!(open(io::repeat(7), PREAMBLE, || {}).is_err());
    }
}
