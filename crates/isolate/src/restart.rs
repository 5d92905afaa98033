//! Isolated after a restart too: a unit of the service manager, a copy of this program, and the order. Written once a person has
//! confirmed, never during a trial, and removed by a release.

use crate::order::{Level, Order};
use crate::serve::Began;
use crate::start;
use crate::state::own_folder;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

/// Where this program and the order are kept.
const FOLDERS: [&str; 2] = ["/var/lib/calma", "/var/lib/calma/isolation"];
/// The copy of this program.
const PROGRAM: &str = "/var/lib/calma/isolation/calma";
/// The order.
const ORDER: &str = "/var/lib/calma/isolation/order.json";
/// The unit.
const UNIT: &str = "/etc/systemd/system/calma-isolation.service";
/// What makes the service manager start it early, and that one's folder.
const WANTS: &str = "/etc/systemd/system/sysinit.target.wants";
const LINK: &str = "/etc/systemd/system/sysinit.target.wants/calma-isolation.service";
/// Longest order.
const LONGEST: u64 = 1 << 20;

/// Closed before any network is configured; the guard leaves the unit's control group, and is not ended with it.
const TEXT: &str = "[Unit]
Description=Isolation by calma after a restart (calma release opens it and removes this)
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target sysinit.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=none
ExecStart=/var/lib/calma/isolation/calma isolation-guard --restarted
";

/// Why a restart can not stay isolated here; `None` where it can.
pub fn why_not() -> Option<&'static str> {
    (!Path::new("/run/systemd/system").is_dir())
        .then_some("no systemd runs here, and calma knows no other service manager for this")
}

/// Whether anything of it is there.
pub fn is_there() -> bool {
    [UNIT, LINK, PROGRAM, ORDER].iter().any(|path| Path::new(path).is_symlink() || Path::new(path).exists())
}

/// Writes it, the link that makes it count last.
///
/// # Errors
/// When the disk refuses; then what was written is removed again.
pub fn install(order: &Order) -> io::Result<()> {
    remove()?;
    let written = write(order);
    if written.is_err() {
        drop(remove());
    }
    written
}

#[expect(clippy::disallowed_methods, reason = "calma's own program and order, where a person asked for it")]
fn write(order: &Order) -> io::Result<()> {
    // What a boot runs must be nobody else's to change.
    for folder in FOLDERS {
        own_folder(folder, 0o700)?;
    }
    own_folder(WANTS, 0o755)?;
    // At once and for good: nobody is there to confirm, and who was kept still is.
    let kept = if order.level == Level::LinksDown { Vec::new() } else { order.kept.clone() };
    let order = Order { trial: 0, level: Level::Filtered, kept, restarted: true, ..order.clone() };
    let new = |path: &str, mode| OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut program = fs::File::open("/proc/self/exe")?;
    let mut copy = new(PROGRAM, 0o700)?;
    io::copy(&mut program, &mut copy)?;
    copy.sync_all()?;
    let mut file = new(ORDER, 0o600)?;
    file.write_all(&serde_json::to_vec(&order).map_err(io::Error::other)?)?;
    file.sync_all()?;
    let mut unit = new(UNIT, 0o644)?;
    unit.write_all(TEXT.as_bytes())?;
    unit.sync_all()?;
    symlink("../calma-isolation.service", LINK)?;
    fs::File::open(WANTS)?.sync_all()
}

/// Removes it, what makes it count first.
///
/// # Errors
/// When something of it stays.
pub fn remove() -> io::Result<()> {
    for path in [LINK, UNIT, ORDER, PROGRAM] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // Folders that others use stay: they are not empty.
    for folder in [WANTS].into_iter().chain(FOLDERS.into_iter().rev()) {
        drop(fs::remove_dir(folder));
    }
    Ok(())
}

/// Closes after a restart. Returns when it is closed; the guard goes on.
///
/// # Errors
/// When there is no order, or it is not closed.
#[expect(clippy::disallowed_methods, reason = "calma's own order")]
pub fn run() -> io::Result<()> {
    let mut text = Vec::new();
    fs::File::open(ORDER)?.take(LONGEST).read_to_end(&mut text)?;
    let order: Order = serde_json::from_slice(&text).map_err(io::Error::other)?;
    match start::start(&order)? {
        Began::Closed { .. } => Ok(()),
        Began::Refused { why } => Err(io::Error::other(why)),
    }
}
