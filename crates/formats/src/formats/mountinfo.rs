//! Mounts of a process's mount namespace: /proc/PID/mountinfo.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "mountinfo",
    doc: "The mounts of a mount namespace, and the table of file systems.",
    manual: "proc_pid_mountinfo(5), fstab(5)",
    samples: &[
        b"22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw\n27 1 254:1 / / rw - ext4 /dev/vda1 rw,discard\n",
        b"90 22 0:41 /x\\040y /proc/412 ro,nosuid master:1 propagate_from:2 - tmpfs none rw,size=4k\n",
        b"UUID=0aef /mnt/a\\040b ext4 noauto,ro 0 2\n# comment\n",
    ],
    feed: |bytes| {
        parse(bytes);
        fstab_points(bytes);
    },
};

/// One mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of it.
    pub id: u32,
    /// Number of the mount it is mounted on.
    pub parent: u32,
    /// Device number, `MAJOR:MINOR`.
    pub device: Text,
    /// Which directory or file of its file system is mounted.
    pub root: Text,
    /// Where.
    pub point: Text,
    /// Options of this mount.
    pub options: Text,
    /// Type of the file system.
    pub filesystem: Text,
    /// What is mounted.
    pub source: Text,
    /// Options of the file system.
    pub super_options: Text,
}

/// The mounts, in the kernel's order. Lines without the fields are left out.
pub fn parse(bytes: &[u8]) -> Vec<Mount> {
    bytes.split(|b| *b == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|b| *b == b' ');
    let mount = Mount {
        id: lines::decimal(words.next()?)?,
        parent: lines::decimal(words.next()?)?,
        device: words.next()?.into(),
        root: unescape(words.next()?).into(),
        point: unescape(words.next()?).into(),
        options: words.next()?.into(),
        ..Mount::default()
    };
    // Optional fields end at a lone hyphen.
    words.by_ref().find(|word| *word == b"-")?;
    Some(Mount {
        filesystem: unescape(words.next()?).into(),
        source: unescape(words.next().unwrap_or_default()).into(),
        super_options: unescape(words.next().unwrap_or_default()).into(),
        ..mount
    })
}

/// The mount points that an fstab(5) names.
pub fn fstab_points(bytes: &[u8]) -> Vec<Text> {
    lines::meaningful(bytes)
        .filter_map(|(_, line)| lines::words(line).nth(1))
        .filter(|point| point.starts_with(b"/"))
        .map(|point| {
            unescape(point.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(point)).into()
        })
        .collect()
}

/// Undoes the octal escapes (`\040` for a space) that the kernel and getmntent(3) use.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) = (first, after) {
            out.push((a & 3) << 6 | (b & 7) << 3 | (c & 7));
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_and_escapes() {
        let mounts = parse(FORMAT.samples[1]);
        assert_eq!(mounts.len(), 1);
        assert_eq!(
            (mounts[0].root.as_bytes(), mounts[0].point.as_bytes()),
            (&b"/x y"[..], &b"/proc/412"[..])
        );
        assert_eq!(
            (mounts[0].filesystem.as_bytes(), mounts[0].id, mounts[0].parent),
            (&b"tmpfs"[..], 90, 22)
        );
        assert!(parse(b"90 22 0:41 / /a rw master:1 tmpfs none rw\n").is_empty());
        assert_eq!(
            fstab_points(b"UUID=1 /mnt/a\\040b ext4 ro\n/dev/sda none swap sw\n"),
            [Text::from("/mnt/a b")]
        );
    }
}
