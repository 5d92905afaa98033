//! Files that lost their name are let go beside everything else: a file system that tells the disk what became free
//! (`discard`) waits for it at each of them.

use rustix::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// So many threads let them go.
const HANDS: usize = 8;
/// So many wait for that at most.
const WAITING: usize = 256;
/// So few are not worth a thread.
const FEW: usize = 8;

/// The files, and whoever lets them go.
#[derive(Debug, Default)]
pub(super) struct LettingGo {
    held: Vec<OwnedFd>,
    to: Option<SyncSender<OwnedFd>>,
    hands: Vec<JoinHandle<()>>,
}

/// Takes files and closes them until nobody gives any more.
fn close(from: &Mutex<Receiver<OwnedFd>>) {
    loop {
        let next = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(file) => drop(file),
            Err(_) => return,
        }
    }
}

impl LettingGo {
    /// Takes a file that lost its name; what is left of it goes with the last one who holds it.
    pub(super) fn take(&mut self, file: OwnedFd) {
        self.held.push(file);
        if self.held.len() < FEW && self.to.is_none() {
            return;
        }
        if self.to.is_none() {
            let (to, from) = sync_channel(WAITING);
            let from = Arc::new(Mutex::new(from));
            for _ in 0..HANDS {
                let from = Arc::clone(&from);
                self.hands.extend(std::thread::Builder::new().spawn(move || close(&from)));
            }
            // Where no thread can be had, they are let go here.
            self.to = Some(to).filter(|_| !self.hands.is_empty());
        }
        for file in self.held.drain(..) {
            // What can not be handed over is let go here.
            let _ = self.to.as_ref().map(|to| to.send(file));
        }
    }

    /// Waits until all of them are gone.
    fn end(&mut self) {
        self.held.clear();
        self.to = None;
        for hand in self.hands.drain(..) {
            // It only closes files, and can not fail.
            let _ = hand.join();
        }
    }
}

impl Drop for LettingGo {
    fn drop(&mut self) {
        self.end();
    }
}
