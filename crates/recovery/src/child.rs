//! The host side as a child of this same program.

use crate::{Ask, HostSide, HostSideError};
use calma_record::frame::PREAMBLE;
use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// How many hundredths of a second its end is waited for, once its stream is at its end.
const PATIENCE: u32 = 300;

/// The host side as a child process.
#[derive(Debug, Default)]
pub struct LocalChild {
    child: Option<Child>,
}

impl LocalChild {
    fn input(&mut self) -> Option<&mut ChildStdin> {
        self.child.as_mut()?.stdin.as_mut()
    }
}

impl HostSide for LocalChild {
    #[expect(
        clippy::disallowed_methods,
        reason = "the host side is this same program, not one of the host's"
    )]
    fn start(&mut self, ask: &Ask) -> Result<Box<dyn Read + Send>, HostSideError> {
        // /proc/self/exe is this very file even if its name was replaced meanwhile.
        let mut child = Command::new("/proc/self/exe")
            .arg("host-side")
            .args(ask.words())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| HostSideError::new("calma's own host side can not be started", error))?;
        let Some(mut stream) = child.stdout.take() else {
            return Err(HostSideError::new(
                "calma's own host side has no output",
                std::io::Error::other("no pipe"),
            ));
        };
        self.child = Some(child);
        let mut preamble = [0; PREAMBLE.len()];
        match stream.read_exact(&mut preamble) {
            Ok(()) if preamble == *PREAMBLE => {
                // The host side reads the rules before anything else.
                if let (Some(rules), Some(input)) = (&ask.options.rules, self.input()) {
                    input.write_all(rules).and_then(|()| input.flush()).map_err(|error| {
                        HostSideError::new("calma's own host side did not take the rules", error)
                    })?;
                }
                Ok(Box::new(stream))
            }
            Ok(()) => Err(HostSideError::new(
                "calma's own host side sent no stream",
                std::io::Error::other("no preamble"),
            )),
            Err(error) => Err(HostSideError::new("calma's own host side ended at once", error)),
        }
    }

    fn stop(&mut self) {
        // Closing its input asks the host side to end in order.
        if let Some(child) = &mut self.child {
            drop(child.stdin.take());
        }
    }

    fn finish(&mut self) -> Option<String> {
        let mut child = self.child.take()?;
        drop(child.stdin.take());
        // A thread that a file system holds in the kernel keeps it from ending; everything it saw has come by then.
        for _ in 0..PATIENCE {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return None,
                Ok(Some(status)) => return Some(format!("the host side ended with {status}")),
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Some(format!("the host side can not be waited for: {error}")),
            }
        }
        Some(
            "a part of the host side is stuck in the kernel, at a file system that does not answer"
                .to_owned(),
        )
    }

    fn attempts(&self) -> u32 {
        1
    }
}
