//! Radios through /dev/rfkill.

use super::super::radios::{EVENT, Radio, order, take};
use crate::{Cause, HostError};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

const DEVICE: &str = "/dev/rfkill";
/// Major number of miscellaneous devices (`MISC_MAJOR`, `<linux/major.h>`).
const MISCELLANEOUS: u32 = 10;
/// Most events taken in one go.
const MOST: usize = 4096;

fn failed(errno: Errno) -> HostError {
    HostError::errno("rfkill", DEVICE, errno)
}

/// Opens the device, and nothing else that stands at its name.
fn open(flags: OFlags) -> Result<OwnedFd, HostError> {
    let handle =
        rustix::fs::openat(CWD, DEVICE, OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    let handle = handle.map_err(failed)?;
    let stat = rustix::fs::fstat(&handle).map_err(failed)?;
    let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if !device || rustix::fs::major(stat.st_rdev) != MISCELLANEOUS {
        return Err(HostError::new("rfkill", DEVICE, Cause::Replaced));
    }
    let again = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(CWD, again.as_str(), flags, Mode::empty()).map_err(failed)
}

/// All radios; none where the kernel has no such device.
pub(super) fn list() -> Result<Vec<Radio>, HostError> {
    let device = match open(OFlags::RDONLY) {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        other => other?,
    };
    let mut radios = Vec::new();
    for _ in 0..MOST {
        let mut event = [0; 64];
        match rustix::io::read(&device, &mut event) {
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
            Ok(length) => match event.first_chunk::<EVENT>() {
                Some(event) if length >= EVENT => take(*event, &mut radios),
                _ => break,
            },
        }
    }
    radios.sort_by_key(|radio| radio.index);
    Ok(radios)
}

/// Blocks or frees one radio, and looks whether it is.
pub(super) fn set(radio: &Radio, blocked: bool) -> Result<(), HostError> {
    let device = open(OFlags::RDWR)?;
    rustix::io::write(&device, &order(radio, blocked)).map_err(failed)?;
    let is = list()?.into_iter().find(|is| is.index == radio.index && is.kind == radio.kind);
    match is {
        Some(is) if is.blocked == blocked => Ok(()),
        Some(_) => Err(HostError::errno("rfkill", radio.to_string(), Errno::PERM)),
        None => Err(HostError::errno("rfkill", radio.to_string(), Errno::NODEV)),
    }
}
