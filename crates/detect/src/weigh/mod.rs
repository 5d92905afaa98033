//! What makes a path or a command worth a second look: judgements that several detectors share.

mod acts;
mod calls;
mod code;
mod command;
mod draft;
mod files;
mod flows;
mod item;
mod places;
mod processes;
mod shell;
#[cfg(test)]
mod tests;
mod walk;

pub use command::{Weight, command, content, file, one_line, variable};
pub use draft::{changeable, draft, hooks, scheduled_jobs, startup_commands};
pub use files::Files;
pub use places::{is_below, is_deceptive, is_hidden, is_open, is_packaged_place};
pub use processes::{Processes, identity, unpacks, who};

use calma_record::Text;

/// Programs that half of any system runs; sharing one links nothing.
pub fn is_common_program(path: &Text) -> bool {
    const COMMON: &[&[u8]] = &[
        b"sh", b"bash", b"dash", b"busybox", b"env", b"python3", b"perl", b"php", b"ruby", b"node",
        b"systemd", b"sshd", b"sudo", b"su", b"cron", b"nginx", b"apache2", b"java", b"sleep", b"cat",
        b"true",
    ];
    let name = path.file_name();
    let directory = path.as_bytes().strip_suffix(name).unwrap_or_default();
    let system =
        [&b"/bin/"[..], b"/sbin/", b"/usr/bin/", b"/usr/sbin/", b"/lib/systemd/", b"/usr/lib/systemd/"];
    system.contains(&directory)
        && COMMON
            .iter()
            .any(|common| name == *common || (name.starts_with(common) && is_version(name, common)))
}

fn is_version(name: &[u8], stem: &[u8]) -> bool {
    name.strip_prefix(stem).is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

/// Whether `needle` stands in `text`.
pub fn contains(text: &[u8], needle: &[u8]) -> bool {
    places::contains(text, needle)
}
