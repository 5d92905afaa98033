//! The host side at the other end of the user's own `ssh`.

mod line;
mod noise;
mod words;

use crate::{Ask, HostSide, HostSideError};
use calma_record::frame::PREAMBLE;
use calma_record::{Body, Source, Text, kinds};
use noise::Opened;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use words::Words;

/// Time for everything before the stream: a password typed by hand, and the program's way over a slow line.
const BEFORE_THE_STREAM: Duration = Duration::from_secs(600);
/// The host side ends five seconds after its input at the latest.
const AT_THE_END: Duration = Duration::from_secs(15);

/// One connection at a time may ask the user for something.
static ASKING: Mutex<()> = Mutex::new(());

/// How to reach a host.
#[derive(Clone, Debug, Default)]
pub struct LinkOptions {
    /// Become root there with `sudo -n`.
    pub sudo: bool,
    /// Let the program stand on a disk there if no memory-backed place can run it.
    pub allow_disk: bool,
    /// Further options for ssh, before the host's name.
    pub ssh: Vec<OsString>,
}

/// calma's own program, as it is sent to hosts.
#[derive(Clone, Debug)]
pub struct Program(Arc<[u8]>);

impl Program {
    /// This very program, even if its file was replaced meanwhile (proc_pid_exe(5)).
    ///
    /// # Errors
    /// When it can not be read.
    #[expect(clippy::disallowed_methods, reason = "calma's own program on the clean machine")]
    pub fn own() -> io::Result<Self> {
        std::fs::read("/proc/self/exe").map(|bytes| Self(bytes.into()))
    }
}

/// A host reached over ssh.
#[derive(Debug)]
pub struct Link {
    host: String,
    options: LinkOptions,
    program: Program,
    running: Option<Running>,
    remarks: Vec<Body>,
}

/// What comes from a host, and what goes to it.
pub(crate) type Ends = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// How far a connection is.
enum Progress {
    /// The host has answered.
    There,
    /// The stream begins, or does not.
    Opened(Result<Opened, &'static str>),
}

#[derive(Debug)]
struct Running {
    child: Child,
    words: Words,
    /// While this is held, the host side's input stays open; what is put into it goes there.
    hold: Option<Sender<Arc<[u8]>>>,
}

impl Link {
    /// A link to `host`, in whatever form ssh takes it. Nothing is connected yet.
    ///
    /// # Errors
    /// When it is no name of a host, but an option or nothing.
    pub fn new(host: &str, options: LinkOptions, program: Program) -> Result<Self, HostSideError> {
        if host.is_empty() || host.starts_with('-') || host.chars().any(|c| c.is_control() || c == ' ') {
            let invalid = io::Error::new(io::ErrorKind::InvalidInput, "ssh takes USER@HOST");
            return Err(HostSideError::new(format!("\"{}\" is no host", Text::from(host)), invalid));
        }
        Ok(Self { host: host.to_owned(), options, program, running: None, remarks: Vec::new() })
    }

    #[expect(clippy::disallowed_methods, reason = "the user's own ssh on the clean machine")]
    fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        // No terminal there, nothing of ours reachable from there, and a line that died is noticed.
        ssh.args(["-T", "-a", "-x"]);
        for option in [
            "BatchMode=no",
            // Banners would stand in front of every reason.
            "LogLevel=ERROR",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
            "ControlMaster=no",
            "ConnectTimeout=30",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
        ] {
            ssh.arg("-o").arg(option);
        }
        ssh.args(&self.options.ssh).arg("--").arg(&self.host).arg(command);
        ssh
    }

    /// Why there is no stream, in words for the user.
    fn refusal(&self, status: Option<ExitStatus>, said: &str) -> HostSideError {
        let host = &self.host;
        let (what, instead) = match status.and_then(|status| status.code()) {
            Some(255) => (
                format!("ssh could not connect to {host}"),
                "see that this works first: ssh the-same-host true",
            ),
            Some(line::NO_PLACE) if !self.options.allow_disk => (
                format!("no memory-backed place on {host} can run a program"),
                "with --allow-disk calma's program may stand on its disk for a moment",
            ),
            Some(line::NO_PLACE) => (
                format!("no place on {host} can run a program"),
                "examine its disk from another system: calma triage --root",
            ),
            Some(line::NO_ROOM) => (
                format!("calma's program did not fit into the memory of {host}"),
                "with --allow-disk it may stand on its disk; or free some memory there",
            ),
            Some(126 | 127) if !said.contains("sudo") => (
                format!("{host} can not run this program"),
                "use the build of calma for its processor (static, musl)",
            ),
            Some(_) if self.options.sudo && said.contains("sudo") => (
                format!("sudo on {host} does not make you root without a password"),
                "log in as root, or allow it there for the time of the look",
            ),
            _ => (format!("no stream came from {host}"), "see that this works first: ssh the-same-host true"),
        };
        let said = if said.is_empty() { "it said nothing" } else { said };
        HostSideError::new(what, io::Error::other(said.to_owned())).instead(instead)
    }

    /// Whom it leads to, in the user's words.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Starts calma's program there with these words, to be talked with: what it says from the preamble on, and what goes
    /// to it.
    ///
    /// # Errors
    /// When there is no connection, or the preamble does not come.
    pub(crate) fn converse(
        &mut self,
        words: &[OsString],
        preamble: &'static [u8],
    ) -> Result<Ends, HostSideError> {
        let opened = self.connect(words, preamble)?;
        let hold = self.running.as_mut().and_then(|running| running.hold.take());
        let to = hold.ok_or_else(|| HostSideError::new("ssh has no input", io::Error::other("no pipe")))?;
        Ok((opened.stream, Box::new(Held(to))))
    }

    fn connect(&mut self, words: &[OsString], preamble: &'static [u8]) -> Result<Opened, HostSideError> {
        let length = self.program.0.len();
        let command = line::command(self.options.sudo, self.options.allow_disk, length, words)
            .map_err(|error| HostSideError::new("this can not be asked over ssh", error))?;
        let asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = self
            .ssh(&command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                HostSideError::new("ssh can not be started on this machine", error)
                    .instead("install the OpenSSH client")
            })?;
        let said = Words::default();
        if let Some(stderr) = child.stderr.take() {
            said.listen(stderr);
        }
        let (hold, held) = channel();
        if let Some(stdin) = child.stdin.take() {
            let program = self.program.clone();
            std::thread::spawn(move || send(&program, stdin, &held));
        }
        let (to, from) = channel();
        if let Some(stdout) = child.stdout.take() {
            let there = to.clone();
            std::thread::spawn(move || {
                // The receiver is gone when the look was given up; nobody waits for these then.
                let opened = noise::open(stdout, preamble, || drop(there.send(Progress::There)));
                drop(to.send(Progress::Opened(opened)));
            });
        }
        self.running = Some(Running { child, words: said, hold: Some(hold) });
        // Whatever came first, nobody is asked for anything after it: the next host may be connected.
        let first = from.recv_timeout(BEFORE_THE_STREAM);
        drop(asking);
        let (answered, opened) = match first {
            Ok(Progress::There) => (true, from.recv_timeout(BEFORE_THE_STREAM)),
            other => (false, other),
        };
        match opened {
            Ok(Progress::Opened(Ok(opened))) => Ok(opened),
            Ok(Progress::Opened(Err(why))) => {
                let (status, said) = self.end();
                let said = if said.is_empty() { why.to_owned() } else { said };
                // ssh's own status for a connection that failed; the host had answered before.
                let lost =
                    answered && status.is_none_or(|status| status.code().is_none_or(|code| code == 255));
                if !lost {
                    return Err(self.refusal(status, &said));
                }
                let what = format!("the connection to {} was lost while calma's program was sent", self.host);
                Err(HostSideError::new(what, io::Error::other(said)).cut())
            }
            Ok(Progress::There) | Err(_) => {
                let (status, _) = self.end();
                Err(self.refusal(status, "it said nothing for ten minutes"))
            }
        }
    }

    /// Closes everything and waits, not for ever.
    pub(crate) fn end(&mut self) -> (Option<ExitStatus>, String) {
        let Some(mut running) = self.running.take() else { return (None, String::new()) };
        drop(running.hold.take());
        let until = Instant::now() + AT_THE_END;
        let status = loop {
            match running.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                Ok(None) | Err(_) => {
                    // It may be stuck in a dead connection; it is our own child.
                    drop(running.child.kill());
                    break running.child.wait().ok();
                }
            }
        };
        (status, running.words.said())
    }
}

impl HostSide for Link {
    fn start(&mut self, ask: &Ask) -> Result<Box<dyn Read + Send>, HostSideError> {
        drop(self.end());
        let mut words = vec!["host-side".into()];
        words.extend(ask.words());
        let opened = self.connect(&words, PREAMBLE)?;
        // Only now: what received the program may have read ahead.
        if let (Some(rules), Some(hold)) =
            (&ask.options.rules, self.running.as_ref().and_then(|running| running.hold.as_ref()))
        {
            drop(hold.send(Arc::clone(rules)));
        }
        if let Some(place) = opened.placed {
            let from = Source {
                place: Text::from("calma"),
                view: calma_record::View::Own,
                forger: calma_record::Forger::Nobody,
            };
            let what = "calma's program stood here until it was started".to_owned();
            let fact = kinds::Footprint { what, place, count: 1, pid: 0 };
            self.remarks.push(Body::Fact { from, fact: Box::new(fact.into()) });
        }
        if !opened.noise.is_empty() {
            let said = Text::from(opened.noise).to_string();
            self.remarks.push(Body::Unknown(serde_json::json!({ "said-before-the-stream": said })));
        }
        Ok(opened.stream)
    }

    fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            drop(running.hold.take());
        }
    }

    fn finish(&mut self) -> Option<String> {
        match self.end() {
            (Some(status), _) if status.success() => None,
            (Some(status), said) if said.is_empty() => Some(format!("ssh ended with {status}")),
            (_, said) => Some(said),
        }
    }

    fn attempts(&self) -> u32 {
        4
    }

    fn remarks(&mut self) -> Vec<Body> {
        std::mem::take(&mut self.remarks)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// The host side's input. When this goes, the input ends.
struct Held(Sender<Arc<[u8]>>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.send(bytes.into()).map(|()| bytes.len()).map_err(gone)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends the program and keeps the input open for as long as `held` is: its end is the host side's sign to end.
fn send(program: &Program, mut to: ChildStdin, held: &Receiver<Arc<[u8]>>) {
    for chunk in program.0.chunks(64 << 10) {
        if held.try_recv() == Err(TryRecvError::Disconnected) || to.write_all(chunk).is_err() {
            return;
        }
    }
    drop(to.flush());
    while let Ok(more) = held.recv() {
        if to.write_all(&more).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
