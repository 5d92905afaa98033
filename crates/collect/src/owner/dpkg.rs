//! The package list of dpkg: dpkg(1), dpkg-divert(1), update-alternatives(1).

use super::{Manager, Packages, merged};
use calma_host::{Tree, join};
use calma_record::Gap;
use std::collections::BTreeMap;

const INFO: &[u8] = b"/var/lib/dpkg/info";
/// Longest list that is read: Debian's longest is under 6 MiB.
const LIST: usize = 64 << 20;
/// More lists than this no system has.
const MOST_LISTS: usize = 50_000;

/// Where a diverted path went, and the package that diverted it (`:` if an administrator did).
type Diversions = BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)>;

/// Reads lists, diversions, alternatives and the registry of ucf(1).
pub(super) fn read(tree: &dyn Tree, packages: &mut Packages) {
    let diversions = diversions(tree);
    let (mut lists, mut paths, mut whole) = (0_u64, 0_u64, true);
    for entry in tree.list(INFO).unwrap_or_default().iter().take(MOST_LISTS) {
        let name = entry.name.as_bytes();
        let Some(package) = name.strip_suffix(b".list") else { continue };
        let package = package.split(|b| *b == b':').next().unwrap_or_default();
        match tree.read(&join(INFO, name), LIST) {
            Ok(list) => {
                lists += 1;
                whole &= !list.cut;
                let number = packages.package(package);
                for path in list.bytes.split(|b| *b == b'\n').filter(|path| is_path(path)) {
                    paths += 1;
                    let stands_at = match diversions.get(merged(path)) {
                        Some((to, by)) if by != package => to,
                        _ => path,
                    };
                    whole &= packages.own(stands_at, number);
                }
            }
            Err(error) if error.is_missing() => {}
            Err(error) => {
                whole = false;
                packages.gaps.push(
                    Gap::new("part of the package list", error.why()).at(error.place.as_bytes()).important(),
                );
            }
        }
    }
    if lists == 0 {
        return;
    }
    // Who removes lists makes everything look as if nobody owned it: better no list than such a one.
    let installed = installed(tree);
    if installed.saturating_mul(9) > lists.saturating_mul(10) {
        whole = false;
        let gap = Gap::new("which package a file belongs to", "lists of installed packages are missing");
        packages
            .gaps
            .push(gap.at(INFO).instead("calma verify, which asks the distribution instead").important());
    }
    alternatives(tree, packages);
    registry(tree, packages);
    packages.known |= whole;
    packages.managers.push(Manager { name: "dpkg", packages: lists, paths, read: whole });
}

fn is_path(line: &[u8]) -> bool {
    line.len() > 1 && line.starts_with(b"/") && line != b"/."
}

/// How many packages the status file calls installed.
fn installed(tree: &dyn Tree) -> u64 {
    let status =
        tree.read(b"/var/lib/dpkg/status", 64 << 20).map(|content| content.bytes).unwrap_or_default();
    status.split(|b| *b == b'\n').filter(|line| *line == b"Status: install ok installed").count() as u64
}

/// Three lines each: the path, where it went, and who diverted it.
fn diversions(tree: &dyn Tree) -> Diversions {
    let Ok(content) = tree.read(b"/var/lib/dpkg/diversions", 4 << 20) else { return Diversions::new() };
    let mut lines = content.bytes.split(|b| *b == b'\n');
    let mut diversions = Diversions::new();
    while let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next()) {
        if is_path(from) && is_path(to) {
            diversions.insert(merged(from).to_vec(), (to.to_vec(), by.to_vec()));
        }
    }
    diversions
}

/// Administrative files: `auto` or `manual`, the link, then pairs of name and link up to an empty line.
fn alternatives(tree: &dyn Tree, packages: &mut Packages) {
    for directory in [&b"/var/lib/dpkg/alternatives"[..], b"/var/lib/alternatives"] {
        for entry in tree.list(directory).unwrap_or_default().iter().take(10_000) {
            let name = entry.name.as_bytes();
            let Ok(content) = tree.read(&join(directory, name), 256 << 10) else { continue };
            let number = packages.package([b"alternative ", name].concat());
            let mut lines = content.bytes.split(|b| *b == b'\n').skip(1).take_while(|line| !line.is_empty());
            let mut group = name;
            while let Some(link) = lines.next() {
                let made = join(b"/etc/alternatives", group);
                for path in [link, &made] {
                    packages.alternatives.push((packages.hash(path), number));
                }
                let Some(slave) = lines.next() else { break };
                group = slave;
            }
        }
    }
}

/// Settings that ucf(1) writes for a package: `PACKAGE PATH` a line.
fn registry(tree: &dyn Tree, packages: &mut Packages) {
    let Ok(content) = tree.read(b"/var/lib/ucf/registry", 4 << 20) else { return };
    for line in content.bytes.split(|b| *b == b'\n') {
        let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        if let (Some(package), Some(path)) = (words.next(), words.next().filter(|path| is_path(path))) {
            let number = packages.package(package);
            packages.own(path, number);
        }
    }
}
