//! Everything about every file of a tree, to be compared before and after.

use calma_host::ground::Ground;
use calma_record::Digest;
use calma_record::step::Manifest;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// One line a name below `root`: kind, mode, owner, size, times of content and access, attributes, flags, layout, link, digest.
/// Excepted are inode numbers, times of metadata, and when a folder or link was read.
pub fn dump(root: &Path) -> Vec<String> {
    let ground = Ground::below(b"/").unwrap();
    let mut lines = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let meta = std::fs::symlink_metadata(&folder).unwrap();
        let open = ground.folder(folder.as_os_str().as_bytes()).unwrap();
        lines.push(format!(
            "{} {:o} {}:{} changed {}.{} flags {:x?}",
            folder.display(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            open.flags().map(|flags| flags & calma_host::SETTABLE)
        ));
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (name, path) = (entry.file_name(), entry.path());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
                continue;
            }
            let manifest = open.manifest(name.as_bytes()).unwrap();
            let flags = manifest.flags.map(|flags| flags & calma_host::SETTABLE);
            let mut manifest = Manifest { inode: 0, device: 0, changed: (0, 0), flags, ..manifest };
            let mut bytes = Vec::new();
            if manifest.link.is_some() {
                manifest.accessed = (0, 0);
            } else {
                let all = [(0, manifest.size)];
                open.open(name.as_bytes()).unwrap().data(&all).read_to_end(&mut bytes).unwrap();
            }
            lines.push(format!(
                "{} {manifest:?} {} {:?}",
                path.display(),
                Digest::of(&bytes),
                attributes(&path)
            ));
        }
    }
    lines.sort();
    lines
}

/// What differs between two dumps, for a message.
pub fn difference(before: &[String], after: &[String]) -> String {
    let lost: Vec<&String> = before.iter().filter(|line| !after.contains(line)).collect();
    let new: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    if lost.is_empty() && new.is_empty() { String::new() } else { format!("was {lost:#?}\nis {new:#?}") }
}

/// A name's attributes, read without the code under test.
fn attributes(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap_or(0);
    let mut found = Vec::new();
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
        found.push((name.to_vec(), value[..length].to_vec()));
    }
    found.sort();
    found
}
