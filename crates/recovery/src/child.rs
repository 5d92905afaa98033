//! The host side as a child of this same program.

use crate::{Ask, HostSide, HostSideError};
use calma_record::frame::PREAMBLE;
use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

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
        match child.wait() {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("the host side ended with {status}")),
            Err(error) => Some(format!("the host side can not be waited for: {error}")),
        }
    }

    fn attempts(&self) -> u32 {
        1
    }
}
