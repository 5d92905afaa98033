//! The worker's own side: confines itself, then answers questions until its socket closes.

use super::confine;
use super::input::Handed;
use super::wire::{self, PIECE, Packet, Sort};
use super::{Input, Kept, Reply, Trouble, WorkerJob};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::net::{RecvFlags, SendFlags};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Words of one question: rules of a user are the largest.
const LARGEST_QUESTION: usize = 64 << 20;
/// When nobody is left to end a worker that hangs, this much later it ends itself.
const GRACE: Duration = Duration::from_secs(5);

/// Answers questions on standard input, which is the socket, with these jobs. Returns when the other end is gone.
///
/// To be called by a process that has done nothing else and has no threads.
pub fn serve_worker(jobs: &[WorkerJob]) {
    let stdin = std::io::stdin();
    let socket = stdin.as_fd();
    // Words on standard error would be a forbidden system call; a panic is answered as one.
    std::panic::set_hook(Box::new(|_| {}));
    let mut buffer = Vec::new();
    let Ok(Some((hello, _))) = wire::receive(socket, &mut buffer, RecvFlags::empty()) else { return };
    if hello.sort != Sort::Hello {
        return;
    }
    let status = confine::confine(hello.size).to_words();
    if wire::send(socket, &Packet::new(Sort::Hello, 0), &status, None, SendFlags::empty()).is_err() {
        return;
    }
    let (mut kept, mut words) = (Kept::default(), Vec::new());
    while let Ok(Some((packet, file))) = wire::receive(socket, &mut buffer, RecvFlags::empty()) {
        words.extend_from_slice(&packet.words);
        if words.len() > LARGEST_QUESTION {
            return;
        }
        if packet.sort != Sort::Last {
            continue;
        }
        let answer = match jobs.iter().find(|job| job.name == packet.name) {
            Some(job) => {
                alarm(job.patience + GRACE);
                let answer = run(job, &mut kept, &words, file, packet.size);
                alarm(Duration::ZERO);
                answer
            }
            None => Err(Trouble::Failed),
        };
        words = Vec::new();
        if reply(socket, packet.ticket, answer).is_err() {
            return;
        }
    }
}

fn run(
    job: &WorkerJob,
    kept: &mut Kept,
    words: &[u8],
    file: Option<OwnedFd>,
    size: u64,
) -> Result<Vec<u8>, Trouble> {
    let mut file = file.map(|file| Handed { file, size });
    let input = file.as_mut().map(|file| file as &mut dyn Input);
    here(job, kept, words, input)
}

/// Runs a job in this process.
pub(super) fn here(
    job: &WorkerJob,
    kept: &mut Kept,
    words: &[u8],
    input: Option<&mut dyn Input>,
) -> Result<Vec<u8>, Trouble> {
    let mut answer = Reply::new(job.most);
    let done = catch_unwind(AssertUnwindSafe(|| (job.run)(kept, words, input, &mut answer)));
    done.map_err(|_| Trouble::Failed).and_then(|()| answer.take())
}

fn reply(
    socket: BorrowedFd<'_>,
    ticket: u64,
    answer: Result<Vec<u8>, Trouble>,
) -> Result<(), rustix::io::Errno> {
    let send =
        |sort, words: &[u8]| wire::send(socket, &Packet::new(sort, ticket), words, None, SendFlags::empty());
    let answer = match answer {
        Ok(answer) => answer,
        Err(Trouble::TooMuch) => return send(Sort::TooMuch, b""),
        Err(_) => return send(Sort::Failed, b""),
    };
    let mut pieces = answer.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return send(Sort::Last, piece);
        }
        send(Sort::More, piece)?;
    }
    send(Sort::Last, b"")
}

/// SIGALRM after so long ends this process, if calma itself is no longer there to do it; zero calls it off.
fn alarm(after: Duration) {
    // An alarm is an hour away at most: what is longer is cut, so that no type of time in any C library is too small.
    let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
    let none = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer =
        libc::itimerval { it_interval: none, it_value: libc::timeval { tv_sec: seconds.into(), tv_usec: 0 } };
    let from: *const libc::itimerval = &raw const timer;
    // SAFETY: `from` points to a live itimerval, and the old value is not asked for (null is allowed, setitimer(2)).
    unsafe {
        libc::syscall(
            libc::SYS_setitimer,
            libc::c_long::from(libc::ITIMER_REAL),
            from,
            std::ptr::null_mut::<libc::itimerval>(),
        );
    }
}
