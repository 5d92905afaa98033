//! One end of the connection: frames out, frames in, and whether the other end is still there.

use super::frames::Frame;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Each end gives a sign of life this often, so that the other one notices when the line died without a word.
const BEAT: Duration = Duration::from_secs(10);
/// An end that hears nothing for so long takes the other for gone. ssh's own bound is 60 seconds.
const SILENCE: Duration = Duration::from_secs(75);

/// How often it is looked up whether this end was told to end.
const LOOK_UP: Duration = Duration::from_millis(200);

/// Why nothing more comes.
pub(super) type Lost = String;

/// What was heard.
pub(super) enum Heard<T> {
    /// Words.
    Words(T),
    /// Bytes of a piece.
    Bytes(Vec<u8>),
}

/// One end.
pub(super) struct Wire {
    to: Arc<Mutex<Box<dyn Write + Send>>>,
    from: Receiver<Result<Frame, Lost>>,
    /// Frames that came and were not asked for yet.
    waiting: RefCell<VecDeque<Frame>>,
    lost: RefCell<Option<Lost>>,
    silence: Duration,
    /// Raised when this end is told to end.
    stop: Arc<AtomicBool>,
    /// Ends the signs of life when it goes.
    _beating: Sender<()>,
}

impl Wire {
    /// An end over these two; each is served by a thread of its own.
    pub(super) fn new(from: Box<dyn Read + Send>, to: Box<dyn Write + Send>, stop: Arc<AtomicBool>) -> Self {
        let to = Arc::new(Mutex::new(to));
        let (beating, stopped) = channel();
        let out = Arc::clone(&to);
        std::thread::spawn(move || beat(&out, &stopped));
        Self {
            to,
            from: listen(from),
            waiting: RefCell::default(),
            lost: RefCell::default(),
            silence: SILENCE,
            stop,
            _beating: beating,
        }
    }

    /// Another bound for silence, for tests.
    #[cfg(test)]
    fn patience(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Lets go of the way out: the other end hears that this one is gone.
    pub(super) fn close(&self) {
        drop(self.lose("it was given up"));
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(std::io::sink());
    }

    fn lose(&self, why: &str) -> Lost {
        self.lost.borrow_mut().get_or_insert_with(|| why.to_owned()).clone()
    }

    /// Why the other end is taken for gone, if it is.
    pub(super) fn lost(&self) -> Option<Lost> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(self.lose("it was stopped from here"));
        }
        // What came before its end is still heard.
        while self.lost.borrow().is_none() {
            match self.from.try_recv() {
                Ok(Ok(Frame::Beat)) => {}
                Ok(Ok(frame)) => self.waiting.borrow_mut().push_back(frame),
                Ok(Err(why)) => drop(self.lose(&why)),
                Err(TryRecvError::Disconnected) => drop(self.lose("it ended")),
                Err(TryRecvError::Empty) => break,
            }
        }
        self.lost.borrow().clone()
    }

    fn send(&self, frame: &Frame) -> Result<(), Lost> {
        if let Some(why) = self.lost.borrow().clone() {
            return Err(why);
        }
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        frame.write(&mut **to).map_err(|error| self.lose(&error.to_string()))
    }

    /// Says something.
    pub(super) fn say(&self, words: &impl Serialize) -> Result<(), Lost> {
        let words = serde_json::to_vec(words).map_err(|error| self.lose(&error.to_string()))?;
        self.send(&Frame::Words(words))
    }

    /// Gives bytes of a piece on.
    pub(super) fn give(&self, bytes: &[u8]) -> Result<(), Lost> {
        self.send(&Frame::Bytes(bytes.to_vec()))
    }

    /// Waits for the next words or bytes.
    pub(super) fn hear<T: DeserializeOwned>(&self) -> Result<Heard<T>, Lost> {
        loop {
            let waiting = self.waiting.borrow_mut().pop_front();
            let frame = match waiting {
                Some(frame) => frame,
                None => self.next()?,
            };
            match frame {
                Frame::Beat => {}
                Frame::Bytes(bytes) => return Ok(Heard::Bytes(bytes)),
                Frame::Words(words) => {
                    return serde_json::from_slice(&words)
                        .map(Heard::Words)
                        .map_err(|_| self.lose("it said what calma does not understand"));
                }
            }
        }
    }

    /// Whether something was heard that nobody asked for yet.
    pub(super) fn has_word(&self) -> bool {
        drop(self.lost());
        !self.waiting.borrow().is_empty()
    }

    fn next(&self) -> Result<Frame, Lost> {
        if let Some(why) = self.lost.borrow().clone() {
            return Err(why);
        }
        let began = Instant::now();
        loop {
            match self.from.recv_timeout(LOOK_UP.min(self.silence)) {
                Ok(Ok(frame)) => return Ok(frame),
                Ok(Err(why)) => return Err(self.lose(&why)),
                Err(RecvTimeoutError::Disconnected) => return Err(self.lose("it ended")),
                Err(RecvTimeoutError::Timeout) if self.stop.load(Ordering::Relaxed) => {
                    return Err(self.lose("it was stopped from here"));
                }
                Err(RecvTimeoutError::Timeout) if began.elapsed() < self.silence => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.lose("nothing was heard of it for too long"));
                }
            }
        }
    }
}

/// Reads frames on a thread beside. It ends with the other end, or when nobody hears it any more.
fn listen(mut from: Box<dyn Read + Send>) -> Receiver<Result<Frame, Lost>> {
    let (to, frames) = sync_channel(16);
    std::thread::spawn(move || {
        loop {
            let (frame, over) = match Frame::read(&mut *from) {
                Ok(Some(frame)) => (Ok(frame), false),
                Ok(None) => return,
                Err(why) => (Err(why.to_owned()), true),
            };
            if to.send(frame).is_err() || over {
                return;
            }
        }
    });
    frames
}

fn beat(to: &Mutex<Box<dyn Write + Send>>, stopped: &Receiver<()>) {
    while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
        if Frame::Beat.write(&mut **to).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn ends() -> (Wire, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        let to = here.try_clone().unwrap();
        (Wire::new(Box::new(here), Box::new(to), Arc::default()), there)
    }

    #[test]
    fn what_came_before_the_end_is_heard() {
        let (wire, mut there) = ends();
        Frame::Words(b"1".to_vec()).write(&mut there).unwrap();
        Frame::Bytes(vec![2]).write(&mut there).unwrap();
        drop(there);
        while wire.lost().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(wire.has_word());
        assert!(matches!(wire.hear(), Ok(Heard::Words(1_u32))));
        assert!(matches!(wire.hear::<u32>(), Ok(Heard::Bytes(bytes)) if bytes == [2]));
        assert!(wire.hear::<u32>().is_err() && wire.say(&1).is_err());
    }

    #[test]
    fn silence_and_being_told_to_end_are_an_end() {
        let (wire, _there) = ends();
        let wire = wire.patience(Duration::from_millis(20));
        assert!(wire.hear::<u32>().is_err());
        let (wire, _there) = ends();
        wire.stop.store(true, Ordering::Relaxed);
        assert!(wire.hear::<u32>().is_err() && wire.lost().is_some());
    }

    #[test]
    fn words_of_another_kind_are_the_end_too() {
        let (wire, mut there) = ends();
        Frame::Words(b"{\"x\":".to_vec()).write(&mut there).unwrap();
        assert!(wire.hear::<u32>().is_err() && wire.lost().is_some());
    }
}
