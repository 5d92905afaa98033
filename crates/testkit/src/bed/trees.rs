//! Cached root trees of Debian releases, built on demand by `scripts/bed`.

use crate::binaries::workspace;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// A Debian release that can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// Debian 12 with fifty common server packages (built for the soak alone: minutes and 2 GB).
    Server50,
    /// Debian 12 with web applications, their languages, databases, containers and backups (3 GB).
    Apps,
}

impl Release {
    /// The name that `scripts/bed` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Server50 => "server50",
            Self::Apps => "apps",
        }
    }
}

/// The folder of a release's tree.
pub fn tree(release: Release) -> PathBuf {
    made(release.name())
}

/// What `scripts/bed NAME` makes: its last line of output is the path.
pub(crate) fn made(name: &str) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let output = Command::new(workspace().join("scripts/bed")).arg(name).output().expect("scripts/bed runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "scripts/bed {name}: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(text.lines().last().expect("scripts/bed prints the path"))
}

/// Lays what `scripts/bed NAME` gathered over a booted server: programs beside its own, libraries beside its own.
pub fn laid_over(bed: &super::Bed, name: &str) {
    let libraries = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    for entry in std::fs::read_dir(made(name)).expect("the folder was made").flatten() {
        let file = entry.file_name().into_string().expect("a plain name");
        let folder = if file.contains(".so.") { libraries.as_str() } else { "/usr/bin" };
        let bytes = std::fs::read(entry.path()).expect("it can be read");
        bed.put(&format!("{folder}/{file}"), &bytes, 0o755);
    }
}
