//! What is known of an isolation on the host itself: one file in /run, in memory, gone at a restart as the tables are.

use crate::order::State;
use calma_record::Text;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// Where the state and the guard's socket stand.
pub const FOLDER: &str = "/run/calma";
/// Longest state that is read.
const LONGEST: u64 = 4 << 20;

/// The state's file.
fn file() -> PathBuf {
    PathBuf::from(FOLDER).join("isolation.json")
}

/// The guard's socket.
pub fn socket() -> PathBuf {
    PathBuf::from(FOLDER).join("isolation.sock")
}

/// Makes the folder, for root alone. One that is there must be root's own and nobody else's to write.
///
/// # Errors
/// When it can not be made, or is not root's.
pub fn folder() -> io::Result<()> {
    own_folder(FOLDER, 0o700)
}

/// The same of any folder, with these permissions where it is new.
#[expect(clippy::disallowed_methods, reason = "calma's own folders")]
pub(crate) fn own_folder(path: &str, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path)?;
            let safe = meta.is_dir() && meta.uid() == 0 && meta.mode() & 0o022 == 0;
            if safe { Ok(()) } else { Err(io::Error::other(format!("{path} is not root's own folder"))) }
        }
        other => other,
    }
}

/// Writes the state: the old one or the new one is there at any instant.
///
/// # Errors
/// When it can not be written.
#[expect(clippy::disallowed_methods, reason = "calma's own state in /run")]
pub fn write(state: &State) -> io::Result<()> {
    folder()?;
    let (to, new) = (file(), file().with_extension("new"));
    drop(fs::remove_file(&new));
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    serde_json::to_writer(&mut out, state).map_err(io::Error::other)?;
    out.flush()?;
    fs::rename(new, to)
}

/// The state of this boot; `None` where there is none.
///
/// # Errors
/// When it is there and can not be read.
#[expect(clippy::disallowed_methods, reason = "calma's own state in /run")]
pub fn read(boot: &Text) -> io::Result<Option<State>> {
    let opened = fs::OpenOptions::new().read(true).custom_flags(NOFOLLOW_NONBLOCK).open(file());
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    let state: State = serde_json::from_slice(&text).map_err(io::Error::other)?;
    Ok(Some(state).filter(|state| state.boot == *boot))
}

/// `O_NOFOLLOW | O_NONBLOCK` of open(2): neither a link nor a pipe that somebody put there is followed or waited for.
#[cfg(not(any(target_arch = "aarch64", target_arch = "arm")))]
const NOFOLLOW_NONBLOCK: i32 = 0o400_000 | 0o4_000;
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
const NOFOLLOW_NONBLOCK: i32 = 0o100_000 | 0o4_000;

/// Removes the state and the socket.
pub fn remove() {
    drop(fs::remove_file(file()));
    drop(fs::remove_file(socket()));
}
