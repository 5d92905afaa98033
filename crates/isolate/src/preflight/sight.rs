//! What all checks look at, gathered once.

use calma_formats::mountinfo::{self, Mount};
use calma_formats::process_strings::arguments;
use calma_host::Host;
use calma_record::Text;
use std::net::IpAddr;

/// Most processes looked at.
const PROCESSES: usize = 50_000;
/// Most bytes read of one file.
const LARGEST: usize = 1 << 20;
/// Most names taken from one directory.
const NAMES: usize = 5_000;

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Process id.
    pub pid: u32,
    /// The name the kernel has of it (proc_pid_comm(5)), at most 15 bytes.
    pub name: Text,
    /// Its program.
    pub program: Text,
    /// Its arguments, the first one apart.
    pub arguments: Vec<Text>,
}

impl Running {
    /// Whether it is one of these programs: by the file that runs, or by the script an interpreter runs.
    pub fn is(&self, programs: &[&str]) -> bool {
        let own = base(self.program.as_bytes());
        let one_of = |name: &[u8]| programs.iter().any(|program| program.as_bytes() == name);
        if one_of(own) {
            return true;
        }
        let interpreted = [b"python".as_slice(), b"perl", b"ruby", b"bash", b"sh", b"dash"];
        if interpreted.iter().any(|interpreter| own.starts_with(interpreter)) {
            // The first argument that is no option is the script.
            let script = self.arguments.iter().find(|argument| !argument.as_bytes().starts_with(b"-"));
            return script.is_some_and(|script| one_of(base(script.as_bytes())));
        }
        // Programs whose file can not be read are known by their name, as far as the kernel keeps it.
        self.program.is_empty()
            && programs.iter().any(|program| {
                program.as_bytes().get(..15).unwrap_or(program.as_bytes()) == self.name.as_bytes()
            })
    }

    /// Whether one of its arguments is this word, or an option with this value (`-Dwired`, `-D wired`).
    pub fn says(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument.as_bytes() == word.as_bytes())
    }
}

fn base(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// What all checks look at.
pub struct Sight<'a> {
    /// The host.
    pub host: &'a dyn Host,
    /// What runs.
    pub running: Vec<Running>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Where the administrator's session comes from.
    pub peer: Option<IpAddr>,
}

impl<'a> Sight<'a> {
    /// Gathers it.
    pub fn of(host: &'a dyn Host, peer: Option<IpAddr>) -> Self {
        let mut sight = Self { host, running: Vec::new(), mounts: Vec::new(), peer };
        sight.mounts = mountinfo::parse(&sight.file("/proc/self/mountinfo").unwrap_or_default());
        let pids = sight.names("/proc").into_iter().filter_map(|name| name.as_str()?.parse::<u32>().ok());
        sight.running = pids.take(PROCESSES).filter_map(|pid| sight.process(pid)).collect();
        sight
    }

    fn process(&self, pid: u32) -> Option<Running> {
        let name = self.file(&format!("/proc/{pid}/comm"))?;
        let program = self.host.tree().link(format!("/proc/{pid}/exe").as_bytes()).unwrap_or_default();
        // Kernel threads have no arguments.
        let words = arguments(&self.file(&format!("/proc/{pid}/cmdline")).filter(|words| !words.is_empty())?);
        Some(Running {
            pid,
            name: name.trim_ascii_end().into(),
            program: program.into(),
            arguments: words.into_iter().skip(1).collect(),
        })
    }

    /// The first bytes of a file; `None` where it is not there, or not for us.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.host.tree().read(path.as_bytes(), LARGEST).ok().map(|content| content.bytes)
    }

    /// The same as a word, without what stands around it.
    pub fn word(&self, path: &str) -> String {
        let bytes = self.file(path).unwrap_or_default();
        Text::from(bytes.trim_ascii()).to_string()
    }

    /// Whether something stands there.
    pub fn there(&self, path: &str) -> bool {
        self.host.tree().meta(path.as_bytes()).is_ok()
    }

    /// The names in a directory.
    pub fn names(&self, path: &str) -> Vec<Text> {
        // /proc may hold as many as there are processes.
        let most = if path == "/proc" { usize::MAX } else { NAMES };
        let entries = self.host.tree().list(path.as_bytes()).unwrap_or_default();
        entries.into_iter().take(most).map(|entry| entry.name).collect()
    }

    /// The files of a directory whose names end so, as paths with their bytes.
    pub fn files(&self, folder: &str, end: &str) -> Vec<(String, Vec<u8>)> {
        let names = self.names(folder).into_iter().filter_map(|name| Some(name.as_str()?.to_owned()));
        names
            .filter(|name| name.ends_with(end))
            .filter_map(|name| {
                let path = format!("{folder}/{name}");
                self.file(&path).map(|bytes| (path, bytes))
            })
            .collect()
    }
}

/// Whether bytes hold a word.
pub(super) fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::tests::process;
    use calma_host::Mem;

    #[test]
    fn a_program_is_known_by_its_file_or_script_and_not_by_what_it_edits() {
        let mem = process(Mem::running(), 5, "/usr/bin/python3.11", &["-u", "/usr/sbin/waagent", "-daemon"]);
        let mem = process(mem, 6, "/usr/bin/less", &["waagent"]);
        let mem = process(mem, 7, "/opt/bin/kubelet (deleted)", &[]);
        let mem = mem.file("/proc/8/comm", "amazon-ssm-agen\n").file("/proc/8/cmdline", "x\0");
        let sight = Sight::of(&mem, None);
        let are = |programs: &[&str]| -> Vec<u32> {
            sight.running.iter().filter(|one| one.is(programs)).map(|one| one.pid).collect()
        };
        assert_eq!(are(&["waagent"]), [5]);
        assert_eq!(are(&["kubelet"]), [7]);
        assert_eq!(are(&["amazon-ssm-agent"]), [8]);
    }
}
