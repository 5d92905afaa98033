//! Removes what beds of dead test processes left: their folders and control groups. Nothing else is touched.

use std::fs;
use std::path::{Path, PathBuf};

/// Every bed's folder and control group is called this, the test's pid, and a number.
pub(super) const PREFIX: &str = "calma-bed-";

/// The control group folders in which a container gets one of its own.
pub(super) fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, place, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let wanted =
                kind == "cgroup2" || kind == "cgroup" && options.split(',').any(|o| o == "name=systemd");
            // A cgroup2 tree delegated further down is not ours to use.
            (wanted && place.starts_with("/sys/fs/cgroup")).then(|| PathBuf::from(place))
        })
        .collect()
}

/// Removes leftovers of test processes that no longer exist.
pub(super) fn reap() {
    for folder in hierarchies().into_iter().chain([std::env::temp_dir()]) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(pid) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()) else {
                continue;
            };
            if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
                remove(&entry.path());
            }
        }
    }
}

/// Removes a control group (its subgroups first) or a folder; says nothing when that fails: the next start tries again.
pub(super) fn remove(path: &Path) {
    if path.starts_with("/sys/fs/cgroup") {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove(&entry.path());
            }
        }
        let _ = fs::remove_dir(path);
    } else {
        let _ = fs::remove_dir_all(path);
    }
}
