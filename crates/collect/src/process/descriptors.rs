//! Open descriptors that hold something without a lasting name.

use super::{Observed, file, without_mark};
use calma_formats::lines;
use calma_host::{Tree, join};
use calma_record::{Source, kinds};

/// Descriptors looked at in one process.
const LOOKED_AT: usize = 8192;
/// Descriptors recorded of one process.
const RECORDED: usize = 1024;

/// Looks through the descriptors; gives the sockets of standard input, output and error too.
pub(super) fn look(tree: &dyn Tree, pid: u32, seen: &mut Observed) -> Vec<u64> {
    let folder = file(pid, "fd");
    let entries = match tree.list(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            seen.unseen("open files of processes", error);
            return Vec::new();
        }
    };
    let mut standard = vec![0; 3];
    let mut recorded = 0;
    let mut sorted: Vec<(u32, &[u8])> = entries
        .iter()
        .filter_map(|entry| Some((lines::decimal(entry.name.as_bytes())?, entry.name.as_bytes())))
        .collect();
    sorted.sort_unstable();
    for (number, name) in sorted.into_iter().take(LOOKED_AT) {
        let Ok(target) = tree.link(&join(&folder, name)) else { continue };
        let Some((what, inode)) = classify(&target) else { continue };
        if let (Some(place), Some(inode)) =
            (usize::try_from(number).ok().and_then(|n| standard.get_mut(n)), inode)
        {
            *place = inode;
        }
        if recorded == RECORDED {
            seen.left_out(
                "open files of processes",
                "there are more than 1,024 of note in one process",
                &folder,
            );
            break;
        }
        recorded += 1;
        let (target, _) = without_mark(&target);
        let mut fact = kinds::OpenFile {
            pid,
            descriptor: number,
            what: what.to_owned(),
            target,
            inode,
            ..kinds::OpenFile::default()
        };
        if what == "deleted" {
            deleted(tree, &join(&folder, name), pid, name, &mut fact);
        }
        seen.fact(Source::proc(join(&folder, name)), fact);
    }
    if standard.iter().all(|inode| *inode == 0) { Vec::new() } else { standard }
}

/// What a deleted file holds: the descriptor's link still leads to it.
fn deleted(tree: &dyn Tree, path: &[u8], pid: u32, number: &[u8], fact: &mut kinds::OpenFile) {
    fact.replaced = tree.meta(fact.target.as_bytes()).is_ok();
    if let Ok(content) = tree.read(path, 256) {
        fact.size = Some(content.meta.size);
        fact.elf = content.bytes.starts_with(b"\x7fELF");
        fact.script = crate::odd::first_line(&content.bytes);
    }
    // proc_pid_fdinfo(5): the flags of open(2) in octal; the last digit says whether it writes.
    let info = tree.read(&join(&file(pid, "fdinfo"), number), 4096);
    let info = info.map(|content| content.bytes).unwrap_or_default();
    let flags = info.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"flags:"));
    fact.writes = flags.is_some_and(|flags| matches!(flags.last(), Some(b'1' | b'2')));
}

/// What a descriptor's link tells; `None` for what is of no interest.
fn classify(target: &[u8]) -> Option<(&'static str, Option<u64>)> {
    if let Some(rest) = target.strip_prefix(b"socket:[") {
        return Some(("socket", lines::decimal(rest.strip_suffix(b"]")?)));
    }
    if let Some(name) = target.strip_prefix(b"anon_inode:") {
        let name = name.strip_prefix(b"[").unwrap_or(name);
        let table: [(&[u8], &str); 6] = [
            (b"io_uring", "io_uring"),
            (b"bpf", "bpf"),
            (b"perf", "perf"),
            (b"pidfd", "pidfd"),
            (b"userfaultfd", "userfaultfd"),
            (b"fanotify", "fanotify"),
        ];
        return table.iter().find(|(stem, _)| name.starts_with(stem)).map(|(_, what)| (*what, None));
    }
    if target.starts_with(b"pidfd:") {
        return Some(("pidfd", None));
    }
    if target.starts_with(b"/memfd:") {
        return Some(("memfd", None));
    }
    let memory = target.strip_prefix(b"/proc/").is_some_and(|rest| rest.ends_with(b"/mem"));
    if memory || matches!(target, b"/dev/mem" | b"/dev/kmem" | b"/proc/kcore") {
        return Some(("memory", None));
    }
    (target.starts_with(b"/") && target.ends_with(b" (deleted)")).then_some(("deleted", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_no_lasting_name_is_of_interest() {
        assert_eq!(classify(b"socket:[77]"), Some(("socket", Some(77))));
        assert_eq!(classify(b"anon_inode:[io_uring]"), Some(("io_uring", None)));
        assert_eq!(classify(b"anon_inode:bpf-prog"), Some(("bpf", None)));
        assert_eq!(classify(b"anon_inode:[eventpoll]"), None);
        assert_eq!(classify(b"/tmp/x (deleted)"), Some(("deleted", None)));
        assert_eq!(classify(b"/var/log/syslog"), None);
        assert_eq!(classify(b"pipe:[1]"), None);
    }
}
