//! Files that are on the other side of the network.

use super::{Concern, Sight, Weight};

/// Kinds of file systems that are reached over the network.
const OVER_NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "fuse.ceph",
    "fuse.glusterfs",
    "glusterfs",
    "9p",
    "lustre",
    "afs",
    "ocfs2",
    "gfs2",
    "beegfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "orangefs",
    "virtiofs",
];
/// Of these, those that a hypervisor serves: no network is needed.
const BY_HYPERVISOR: &[&str] = &["9p", "virtiofs"];
/// Places without which nothing runs.
const NEEDED: &[&[u8]] = &[b"/", b"/usr", b"/var", b"/etc", b"/lib", b"/bin"];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    for mount in &sight.mounts {
        let kind = mount.filesystem.as_str().unwrap_or_default();
        if !OVER_NETWORK.contains(&kind) || BY_HYPERVISOR.contains(&kind) {
            continue;
        }
        let needed = NEEDED.contains(&mount.point.as_bytes());
        let (weight, consequence, outside) = if needed {
            (
                Weight::Destroys,
                "the system runs from there: it stands still at once, calma too, and can not be released from here",
                "do not cut at this host: use level 3 at the storage's side after a snapshot there, or allow the storage's address",
            )
        } else {
            (
                Weight::Breaks,
                "whatever touches it hangs and can not be killed, until the network is back",
                "snapshot it on its server first; unmount it (umount -l) if nothing needs it, or allow its address",
            )
        };
        let what = format!("{} is on the network ({kind} from {})", mount.point, mount.source);
        concerns.push(Concern::new(weight, what, "/proc/self/mountinfo", consequence, outside));
    }
    let block = |what: &str, place: String, concerns: &mut Vec<Concern>| {
        concerns.push(Concern::new(
            Weight::Destroys,
            what,
            place,
            "its disk is gone after the cut: what is written is lost after a time-out, and a root file system there stands still",
            "snapshot it on the storage's side first, or allow the storage's address",
        ));
    };
    if let Some(name) = sight.names("/sys/class/iscsi_session").first() {
        block("a disk is reached over iSCSI", format!("/sys/class/iscsi_session/{name}"), concerns);
    }
    for name in sight.names("/sys/block") {
        // A network block device that is connected has the process that did it.
        let pid = format!("/sys/block/{name}/pid");
        if name.as_bytes().starts_with(b"nbd") && sight.there(&pid) {
            block("a disk is reached over the network (nbd)", pid, concerns);
        } else if name.as_bytes().starts_with(b"rbd") {
            block("a disk is reached over the network (Ceph)", format!("/sys/block/{name}"), concerns);
        }
    }
    for name in sight.names("/sys/class/nvme") {
        let place = format!("/sys/class/nvme/{name}/transport");
        if matches!(sight.word(&place).as_str(), "tcp" | "rdma") {
            block("a disk is reached over NVMe on the network", place, concerns);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::table;
    use calma_host::Mem;

    #[test]
    fn what_is_over_the_network_is_named_and_local_disks_are_not() {
        let mount = |point: &str, kind: &str, source: &str| {
            let line = format!("27 1 0:41 / {point} rw - {kind} {source} rw\n");
            Mem::running().file("/proc/self/mountinfo", line)
        };
        table(vec![
            (mount("/", "nfs4", "192.0.2.5:/root"), &["Destroys", "level 3"]),
            (mount("/home", "nfs", "192.0.2.5:/home"), &["Breaks", "/home is on the network"]),
            (mount("/mnt/a\\012b", "cifs", "//s/x"), &["/mnt/a\\nb"]),
            (mount("/", "ext4", "/dev/nfs"), &[]),
            (mount("/mnt", "9p", "share"), &[]),
            (Mem::running().directory("/sys/class/iscsi_session/session1"), &["iSCSI"]),
            (Mem::running().directory("/sys/class/iscsi_session"), &[]),
            (Mem::running().directory("/sys/block/nbd0"), &[]),
            (Mem::running().file("/sys/block/nbd0/pid", "4\n"), &["nbd"]),
            (Mem::running().file("/sys/class/nvme/nvme0/transport", "pcie\n"), &[]),
            (Mem::running().file("/sys/class/nvme/nvme1/transport", "tcp\n"), &["NVMe"]),
        ]);
    }
}
