//! Files that lost their name are let go beside everything else: a file system that tells the disk what became free
//! (`discard`) waits for it at each of them.

use rustix::fd::OwnedFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// So many threads let them go.
const HANDS: usize = 8;
/// So many are handed over at a time: to wake a thread takes as long as to let a file go.
const GROUP: usize = 16;
/// So many groups wait at each thread at most.
const WAITING: usize = 1;

/// The files, and whoever lets them go.
#[derive(Debug, Default)]
pub(super) struct LettingGo {
    held: Vec<OwnedFd>,
    /// The threads, each with its own way to it.
    hands: Vec<(SyncSender<Vec<OwnedFd>>, JoinHandle<()>)>,
    /// Whose turn it is.
    next: usize,
}

impl LettingGo {
    /// Takes a file that lost its name; what is left of it goes with the last one who holds it.
    pub(super) fn take(&mut self, file: OwnedFd) {
        self.held.push(file);
        if self.held.len() < GROUP {
            return;
        }
        if self.hands.is_empty() {
            self.begin();
        }
        self.next = (self.next + 1) % self.hands.len().max(1);
        let group = std::mem::take(&mut self.held);
        // Where no thread can be had, or it has ended, they are let go here.
        let _ = self.hands.get(self.next).map(|(to, _)| to.send(group));
    }

    fn begin(&mut self) {
        for _ in 0..HANDS {
            let (to, from) = sync_channel::<Vec<OwnedFd>>(WAITING);
            let hand = std::thread::Builder::new().spawn(move || from.into_iter().for_each(drop));
            self.hands.extend(hand.map(|hand| (to, hand)));
        }
    }
}

impl Drop for LettingGo {
    /// Waits until all of them are gone.
    fn drop(&mut self) {
        let (ways, hands): (Vec<_>, Vec<_>) = self.hands.drain(..).unzip();
        drop(ways);
        for hand in hands {
            // It only closes files, and can not fail.
            let _ = hand.join();
        }
    }
}
