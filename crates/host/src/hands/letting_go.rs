//! Files that lost their name are let go beside everything else: a file system that tells the disk what became free
//! (`discard`) waits for it at each of them.

use rustix::fd::OwnedFd;
use std::collections::VecDeque;
use std::thread::JoinHandle;

/// So many threads let them go at a time.
const HANDS: usize = 4;
/// So many go to each.
const GROUP: usize = 32;

/// The files, and whoever lets them go.
#[derive(Debug, Default)]
pub(super) struct LettingGo {
    held: Vec<OwnedFd>,
    hands: VecDeque<JoinHandle<()>>,
}

impl LettingGo {
    /// Takes a file that lost its name; what is left of it goes with the last one who holds it.
    pub(super) fn take(&mut self, file: OwnedFd) {
        self.held.push(file);
        if self.held.len() < GROUP {
            return;
        }
        if self.hands.len() >= HANDS {
            self.wait();
        }
        let group = std::mem::take(&mut self.held);
        // Where no thread can be had, they are let go here.
        self.hands.extend(std::thread::Builder::new().spawn(move || drop(group)));
    }

    /// Waits for the thread that began first. It only closes files, and can not fail.
    fn wait(&mut self) {
        let _ = self.hands.pop_front().map(JoinHandle::join);
    }
}

impl Drop for LettingGo {
    /// Waits until all of them are gone.
    fn drop(&mut self) {
        while !self.hands.is_empty() {
            self.wait();
        }
    }
}
