//! Files mapped executable that are not the program and not the system's libraries.

use super::{Observed, Surroundings, file, without_mark};
use crate::{Context, Owner};
use calma_formats::process_maps;
use calma_record::{Source, kinds};

/// Longest text of memory areas that is read.
const LIMIT: usize = 8 << 20;
/// Objects recorded of one process.
const RECORDED: usize = 64;

/// Looks through the executable areas; gives the number of those that belong to no file, and of these the writable ones,
/// or `None` if unreadable.
pub(super) fn look(
    context: &Context,
    surroundings: &Surroundings,
    process: &kinds::Process,
    seen: &mut Observed,
) -> Option<(u32, u32)> {
    let place = file(process.pid, "maps");
    let content = match context.host.tree().read(&place, LIMIT) {
        Ok(content) => content,
        Err(error) => {
            seen.unseen("memory areas of processes", error);
            return None;
        }
    };
    let executable = process_maps::parse(&content.bytes);
    let mut recorded = 0;
    for ((device, inode), name) in executable.files {
        let (path, deleted) = without_mark(name.as_bytes());
        if Some(inode) == process.inode && Some(&path) == process.program.as_ref() {
            continue;
        }
        if !deleted
            && surroundings.is_ordinary((device, inode), || ordinary(context, process, path.as_bytes()))
        {
            continue;
        }
        if recorded == RECORDED {
            seen.left_out(
                "files mapped into processes",
                "there are more than 64 of note in one process",
                &place,
            );
            break;
        }
        recorded += 1;
        if process.same_files && !deleted {
            seen.describe.push(path.as_bytes().to_vec());
        }
        seen.fact(
            Source::proc(place.as_slice()),
            kinds::MappedObject { pid: process.pid, path, deleted, inode, device },
        );
    }
    Some((executable.anonymous, executable.writable))
}

/// Whether a mapped file is the system's own: a package's, or where packages are not known, in a library directory.
fn ordinary(context: &Context, process: &kinds::Process, path: &[u8]) -> bool {
    let system =
        [&b"/lib"[..], b"/usr/lib", b"/bin/", b"/usr/bin/", b"/sbin/", b"/usr/sbin/", b"/usr/libexec/"];
    let in_system = system.iter().any(|directory| path.starts_with(directory));
    if !process.same_files {
        return in_system;
    }
    match context.packages().owner(path) {
        Owner::Package(_) => true,
        Owner::Nobody => false,
        Owner::Unknown => in_system,
    }
}
