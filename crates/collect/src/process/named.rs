//! Process ids that the kernel names elsewhere: as a parent, a group or session leader, or a member of a control group.

use super::{file, listed};
use calma_formats::{lines, mountinfo, process_stat};
use calma_host::{FileKind, Tree, join};
use calma_record::Text;
use std::collections::BTreeMap;

/// Control groups looked at.
const GROUPS: usize = 8192;

/// Where an id is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// A process that calls it its parent. A parent always lives: who loses it gets another at once.
    child: Option<u32>,
    /// The file of the control group that lists it.
    group: Option<Vec<u8>>,
}

impl Named {
    /// The places that name the id still.
    pub(super) fn still(&self, tree: &dyn Tree, pid: u32) -> Vec<&'static str> {
        let mut places = Vec::new();
        if self.child.is_some_and(|child| stat(tree, child).is_some_and(|stat| stat.parent == pid)) {
            places.push("a child's parent");
        }
        if self.group.as_ref().is_some_and(|group| members(tree, group).contains(&pid)) {
            places.push("cgroup.procs");
        }
        places
    }

    /// The control group, as a path.
    pub(super) fn group(&self) -> Text {
        let path = self.group.as_deref().unwrap_or_default();
        path.strip_suffix(b"/cgroup.procs").unwrap_or(path).into()
    }
}

/// Every id that is named somewhere although /proc does not list it.
pub(crate) fn named(tree: &dyn Tree) -> BTreeMap<u32, Named> {
    let mut named: BTreeMap<u32, Named> = BTreeMap::new();
    let pids = listed(tree).unwrap_or_default();
    let is_listed = |pid: u32| pid == 0 || pids.binary_search(&pid).is_ok();
    for pid in &pids {
        let Some(stat) = stat(tree, *pid) else { continue };
        if !is_listed(stat.parent) {
            named.entry(stat.parent).or_default().child = Some(*pid);
        }
        for leader in [stat.group, stat.session] {
            if !is_listed(leader) {
                named.entry(leader).or_default();
            }
        }
    }
    for group in groups(tree) {
        for pid in members(tree, &group) {
            if !is_listed(pid) {
                named.entry(pid).or_default().group.get_or_insert_with(|| group.clone());
            }
        }
    }
    named
}

fn stat(tree: &dyn Tree, pid: u32) -> Option<process_stat::Stat> {
    process_stat::parse(&tree.read(&file(pid, "stat"), 64 << 10).ok()?.bytes)
}

fn members(tree: &dyn Tree, group: &[u8]) -> Vec<u32> {
    let content = tree.read(group, 4 << 20).map(|content| content.bytes).unwrap_or_default();
    content.split(|b| *b == b'\n').filter_map(lines::decimal).collect()
}

/// The member lists of all control groups: of the unified hierarchy and of systemd's own (cgroups(7)).
fn groups(tree: &dyn Tree) -> Vec<Vec<u8>> {
    let Ok(content) = tree.read(b"/proc/self/mountinfo", 16 << 20) else { return Vec::new() };
    let mut todo: Vec<Vec<u8>> = mountinfo::parse(&content.bytes)
        .into_iter()
        .filter(|mount| {
            let options = mount.super_options.as_bytes();
            mount.filesystem == "cgroup2"
                || (mount.filesystem == "cgroup"
                    && options.split(|b| *b == b',').any(|option| option == b"name=systemd"))
        })
        .map(|mount| mount.point.as_bytes().to_vec())
        .collect();
    let mut found = Vec::new();
    while let Some(directory) = todo.pop() {
        if found.len() >= GROUPS {
            break;
        }
        for entry in tree.list(&directory).unwrap_or_default() {
            if entry.kind == Some(FileKind::Directory) {
                todo.push(join(&directory, entry.name.as_bytes()));
            }
        }
        found.push(join(&directory, b"cgroup.procs"));
    }
    found
}
