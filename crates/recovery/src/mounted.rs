//! Whether a mounted root can be looked at without changing it.

use calma_formats::mountinfo::{self, Mount};
use calma_host::Tree;

/// Why looking at `root` may change it, as a sentence; `None` if it is truly read-only.
///
/// A journal is replayed even on a read-only mount (ext4(5) `noload`, xfs(5) and btrfs(5) `norecovery`), unless the block
/// device itself is read-only. `own` is the keeper's own tree, not the examined one.
pub fn may_change(own: &dyn Tree, root: &[u8]) -> Option<String> {
    let real = calma_host::resolve(own, root).ok()?;
    let table = own.read(b"/proc/self/mountinfo", 16 << 20).ok()?;
    let mounts = mountinfo::parse(&table.bytes);
    let mount = holding(&mounts, &real)?;
    let read_only = has(mount.options.as_bytes(), b"ro") || has(mount.super_options.as_bytes(), b"ro");
    let quiet = [&b"noload"[..], b"norecovery", b"nologreplay", b"rescue=nologreplay", b"rescue=all"]
        .iter()
        .any(|option| has(mount.super_options.as_bytes(), option));
    let journal = ["ext3", "ext4", "xfs", "btrfs", "f2fs", "reiserfs", "jfs"]
        .iter()
        .any(|kind| mount.filesystem == **kind);
    let device_read_only = || {
        let path = [b"/sys/dev/block/", mount.device.as_bytes(), b"/ro"].concat();
        own.read(&path, 16).is_ok_and(|content| content.bytes.starts_with(b"1"))
    };
    if read_only && (quiet || !journal || device_read_only()) {
        return None;
    }
    let how = if read_only {
        "it is mounted read-only, but mounting replayed its journal"
    } else {
        "it is mounted writable"
    };
    let option = match mount.filesystem.as_str() {
        Some("xfs") => "ro,norecovery",
        Some("btrfs") => "ro,rescue=nologreplay",
        Some("ext3" | "ext4") => "ro,noload",
        _ => "ro",
    };
    Some(format!(
        "{how}. calma itself writes nothing there and keeps access times where it may. For evidence that stands, set the \
         block device read-only (blockdev --setro) and mount it with -o {option}."
    ))
}

/// The mount that holds `path`: the last one whose point is the longest prefix.
fn holding<'a>(mounts: &'a [Mount], path: &[u8]) -> Option<&'a Mount> {
    let within = |point: &[u8]| {
        point == b"/"
            || path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    mounts
        .iter()
        .filter(|mount| within(mount.point.as_bytes()))
        .max_by_key(|mount| mount.point.as_bytes().len())
}

fn has(options: &[u8], option: &[u8]) -> bool {
    options.split(|b| *b == b',').any(|word| word == option)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    fn said(line: &str, device_read_only: bool) -> Option<String> {
        let table = format!("20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:16 / /mnt {line}\n");
        let ro = if device_read_only { "1\n" } else { "0\n" };
        let host = Mem::new()
            .directory("/mnt/x")
            .file("/proc/self/mountinfo", table)
            .file("/sys/dev/block/8:16/ro", ro);
        may_change(&host, b"/mnt/x")
    }

    #[test]
    fn only_a_mount_that_replays_nothing_is_read_only() {
        assert_eq!(said("ro - ext4 /dev/sdb ro,noload", false), None);
        assert_eq!(said("ro - xfs /dev/sdb ro,norecovery", false), None);
        assert_eq!(said("ro - ext4 /dev/sdb ro", true), None);
        assert_eq!(said("ro - squashfs /dev/sdb ro", false), None);
        assert!(said("ro - ext4 /dev/sdb ro", false).unwrap().contains("noload"));
        assert!(said("rw - xfs /dev/sdb rw", false).unwrap().contains("writable"));
    }
}
