//! One worker process, as calma sees it.

use super::wire::{self, PIECE, Packet, Sort};
use super::{Confinement, Question, Trouble, WorkerJob};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A new worker says hello within this time, also on a host that is short of everything.
const HELLO: Duration = Duration::from_secs(10);
/// A worker that takes nothing for this long hangs.
const TAKES: Duration = Duration::from_secs(10);

/// How to start a worker.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// This very program.
    pub(super) program: OsString,
    /// The words that make it a worker.
    pub(super) words: Vec<OsString>,
    /// Bytes of address space it may have.
    pub(super) memory: u64,
}

/// A running worker. Dropping it ends it.
pub(super) struct Worker {
    child: Child,
    socket: OwnedFd,
    buffer: Vec<u8>,
    /// When the question it is at was sent, or the last answer came.
    since: Instant,
    answered: bool,
    /// What holds it back.
    pub(super) confinement: Confinement,
}

impl Worker {
    /// Starts one and waits for its hello.
    pub(super) fn start(start: &Start) -> Result<Self, Trouble> {
        let failed = |error: std::io::Error| {
            let text = error.to_string();
            Trouble::NotStarted(text.split(" (os error").next().unwrap_or_default().to_lowercase())
        };
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|error| failed(error.into()))?;
        let _ = sockopt::set_socket_timeout(&ours, sockopt::Timeout::Send, Some(TAKES));
        #[expect(
            clippy::disallowed_methods,
            reason = "the worker is this same program, not one of the host's"
        )]
        let child = Command::new(&start.program)
            .args(&start.words)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut worker = Self {
            child,
            socket: ours,
            buffer: Vec::new(),
            since: Instant::now(),
            answered: false,
            confinement: Confinement::default(),
        };
        let hello = Packet { size: start.memory, ..Packet::new(Sort::Hello, 0) };
        let silent = || Trouble::NotStarted("it ended at once".to_owned());
        wire::send(&worker.socket, &hello, b"", None, SendFlags::empty()).map_err(|_| silent())?;
        let answer = worker.packet(Instant::now() + HELLO).map_err(|_| silent())?;
        if answer.sort != Sort::Hello {
            return Err(silent());
        }
        worker.confinement = Confinement::from_words(&answer.words);
        Ok(worker)
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has answered anything yet.
    pub(super) fn has_answered(&self) -> bool {
        self.answered
    }

    /// Sends a question; `waiting` says that others are still unanswered. `false` if there is no room now.
    pub(super) fn send(
        &mut self,
        ticket: u64,
        job: &WorkerJob,
        words: &[u8],
        question: &Question,
        waiting: bool,
    ) -> Result<bool, Trouble> {
        if waiting && words.len() > PIECE {
            return Ok(false);
        }
        if !waiting {
            self.since = Instant::now();
        }
        let flags = if waiting { SendFlags::DONTWAIT } else { SendFlags::empty() };
        let file = question.file.as_deref();
        let mut packet = Packet { name: job.name.to_owned(), ..Packet::new(Sort::More, ticket) };
        packet.size = file.map_or(0, |file| file.meta().size);
        let mut rest = words;
        while rest.len() > PIECE {
            let (piece, behind) = rest.split_at(PIECE);
            wire::send(&self.socket, &packet, piece, None, flags).map_err(|_| Trouble::Died)?;
            rest = behind;
        }
        packet.sort = Sort::Last;
        let descriptor = file.and_then(crate::Opened::descriptor);
        match wire::send(&self.socket, &packet, rest, descriptor, flags) {
            Ok(()) => Ok(true),
            // Also when too many descriptors are on their way at once (unix(7), ETOOMANYREFS).
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::TOOMANYREFS) if waiting => Ok(false),
            Err(Errno::AGAIN) => Err(Trouble::Hung),
            Err(_) => Err(Trouble::Died),
        }
    }

    /// Waits for the answer to the oldest question.
    pub(super) fn receive(&mut self, ticket: u64, job: &WorkerJob) -> Result<Vec<u8>, Trouble> {
        let until = self.since + job.patience;
        let mut answer = Vec::new();
        loop {
            let packet = self.packet(until)?;
            if packet.ticket != ticket || answer.len() + packet.words.len() > job.most {
                return Err(Trouble::Lied);
            }
            answer.extend_from_slice(&packet.words);
            let answer = match packet.sort {
                Sort::More if !packet.words.is_empty() => continue,
                Sort::Last => Ok(answer),
                Sort::TooMuch => Err(Trouble::TooMuch),
                Sort::Failed => Err(Trouble::Failed),
                Sort::More | Sort::Hello => return Err(Trouble::Lied),
            };
            self.since = Instant::now();
            self.answered = true;
            return answer;
        }
    }

    /// The next packet, until then.
    fn packet(&mut self, until: Instant) -> Result<Packet, Trouble> {
        loop {
            match wire::receive(&self.socket, &mut self.buffer, RecvFlags::DONTWAIT) {
                Ok(Some((packet, None))) => return Ok(packet),
                Ok(Some((_, Some(_)))) | Err(Errno::BADMSG) => return Err(Trouble::Lied),
                Err(Errno::AGAIN) => {}
                Ok(None) | Err(_) => return Err(Trouble::Died),
            }
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match rustix::event::poll(
                &mut [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)],
                Some(&timeout),
            ) {
                Ok(0) => return Err(Trouble::Hung),
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return Err(Trouble::Died),
            }
        }
    }
}

impl Drop for Worker {
    /// Ends the process and takes its remains. One that is stuck in a dead file system can not even be killed: it is left,
    /// and its remains go to whoever takes calma's.
    fn drop(&mut self) {
        drop(self.child.kill());
        for _ in 0..50 {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}
