//! What ssh and the host say beside the stream: bounded, escaped.

use calma_record::Text;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// More than this is not kept.
const MOST: usize = 4 << 10;

/// The words on standard error, while they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Arc<Mutex<Vec<u8>>>);

impl Words {
    /// Listens on a thread beside, to the end, so that the speaker never blocks.
    pub(super) fn listen(&self, mut from: impl Read + Send + 'static) {
        let words = Arc::clone(&self.0);
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if let Ok(mut words) = words.lock() {
                    let room = MOST.saturating_sub(words.len());
                    words.extend_from_slice(buffer.get(..n.min(room)).unwrap_or_default());
                }
            }
        });
    }

    /// What was said, as one printable line.
    pub(super) fn said(&self) -> String {
        // The last words may still be on their way when the process has ended.
        std::thread::sleep(Duration::from_millis(50));
        let Ok(words) = self.0.lock() else { return String::new() };
        let lines = words.split(|b| matches!(b, b'\n' | b'\r')).filter(|line| !line.trim_ascii().is_empty());
        let lines: Vec<String> = lines.map(|line| Text::from(line.trim_ascii()).to_string()).collect();
        lines.join("; ")
    }
}
