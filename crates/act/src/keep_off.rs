//! What no action touches: calma itself and whoever started it, the first process, the case.

use calma_host::ground::{ProcessLine, processes};
use calma_record::Text;
use calma_record::step::{ProcessName, Refusal};

/// What no action touches.
#[derive(Clone, Debug, Default)]
pub struct KeepOff {
    /// Processes with why, in words that go on after "it": the administrator's own session.
    pub processes: Vec<(ProcessName, &'static str)>,
    /// Folders.
    pub folders: Vec<Text>,
    /// Whether the servers of databases are to be stopped by themselves first.
    pub databases: bool,
}

impl KeepOff {
    /// calma, everything that led to it, and these folders.
    pub fn gather(folders: Vec<Text>) -> Self {
        let all = processes().unwrap_or_default();
        let mut found = Vec::new();
        let mut at = std::process::id();
        while let Some(line) = all.iter().find(|line| line.pid == at && at > 0) {
            let why = match line.pid {
                1 => "is the first process, without which the system ends",
                pid if pid == std::process::id() => "is calma itself",
                _ => "is part of your own session",
            };
            found.push((line.identity(), why));
            if found.len() > 1000 || line.parent == line.pid {
                break;
            }
            at = line.parent;
        }
        if let Some(first) = all.iter().find(|line| line.pid == 1)
            && !found.iter().any(|(known, _)| known.pid == 1)
        {
            found.push((first.identity(), "is the first process, without which the system ends"));
        }
        Self { processes: found, folders, databases: true }
    }

    /// Refuses if one of these processes must not be touched.
    ///
    /// # Errors
    /// With the reason.
    pub fn allows(&self, members: &[ProcessLine]) -> Result<(), Refusal> {
        for line in members {
            if line.kernel_thread {
                return Err(Refusal::new(format!(
                    "process {} is a thread of the kernel, which can not be stopped",
                    line.pid
                )));
            }
            if let Some((_, why)) =
                self.processes.iter().find(|(own, _)| own.pid == line.pid && own.started == line.started)
            {
                return Err(Refusal::new(format!("process {} ({}) {why}", line.pid, line.name))
                    .instead("name the processes below it one by one"));
            }
        }
        Ok(())
    }

    /// Refuses if a path lies in one of these folders.
    ///
    /// # Errors
    /// With the reason.
    pub fn allows_path(&self, path: &Text) -> Result<(), Refusal> {
        let inside = |folder: &Text| {
            path.as_bytes()
                .strip_prefix(folder.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        if self.folders.iter().any(inside) {
            return Err(Refusal::new("it belongs to calma's own case"));
        }
        Ok(())
    }
}
