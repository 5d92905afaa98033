//! The package lists of apk(5), pacman(8) and, as a gap, rpm(8).

use super::{Manager, Packages};
use calma_host::{Tree, join};
use calma_record::Gap;

/// The installed database of apk: `P:` names a package, `F:` a directory, `R:` a file of it.
pub(super) fn apk(tree: &dyn Tree, packages: &mut Packages) {
    let files = [&b"/lib/apk/db/installed"[..], b"/usr/lib/apk/db/installed"];
    let Some(content) = files.iter().find_map(|path| tree.read(path, 256 << 20).ok()) else { return };
    let mut manager = Manager { name: "apk", packages: 0, paths: 0, read: !content.cut };
    let (mut package, mut directory) = (None, Vec::new());
    for line in content.bytes.split(|b| *b == b'\n') {
        match line.split_at_checked(2) {
            Some((b"P:", name)) => {
                package = Some(packages.package(name));
                manager.packages += 1;
                directory.clear();
            }
            Some((b"F:", name)) => directory = join(b"/", name),
            Some((b"R:", name)) => {
                if let Some(package) = package {
                    manager.paths += 1;
                    manager.read &= packages.own(&join(&directory, name), package);
                }
            }
            _ => {}
        }
    }
    if manager.packages > 0 {
        packages.known |= manager.read;
        packages.managers.push(manager);
    }
}

/// The local database of pacman: `NAME-VERSION-RELEASE/files`, paths without the leading slash below `%FILES%`.
pub(super) fn pacman(tree: &dyn Tree, packages: &mut Packages) {
    const LOCAL: &[u8] = b"/var/lib/pacman/local";
    let mut manager = Manager { name: "pacman", packages: 0, paths: 0, read: true };
    for entry in tree.list(LOCAL).unwrap_or_default().iter().take(50_000) {
        let folder = entry.name.as_bytes();
        let Ok(content) = tree.read(&join(&join(LOCAL, folder), b"files"), 64 << 20) else { continue };
        // The name may hold hyphens itself; version and release never do.
        let name = folder.rsplitn(3, |b| *b == b'-').nth(2).unwrap_or(folder);
        let package = packages.package(name);
        manager.packages += 1;
        manager.read &= !content.cut;
        let mut files = false;
        for line in content.bytes.split(|b| *b == b'\n') {
            if line.starts_with(b"%") {
                files = line == b"%FILES%";
            } else if files && !line.is_empty() && !line.ends_with(b"/") {
                manager.paths += 1;
                manager.read &= packages.own(&join(b"/", line), package);
            }
        }
    }
    if manager.packages > 0 {
        packages.known |= manager.read;
        packages.managers.push(manager);
    }
}

/// rpm keeps its list in a database of its own (SQLite, ndb or Berkeley DB), which is not read here.
pub(super) fn rpm(tree: &dyn Tree, packages: &mut Packages) {
    /// A system with fewer packages of another manager than this lives by its rpm database.
    const FEW: u64 = 20;
    for directory in [&b"/usr/lib/sysimage/rpm"[..], b"/var/lib/rpm"] {
        for name in [&b"rpmdb.sqlite"[..], b"Packages.db", b"Packages"] {
            let path = join(directory, name);
            if tree.meta(&path).is_err() {
                continue;
            }
            packages.managers.push(Manager { name: "rpm", packages: 0, paths: 0, read: false });
            if packages.managers.iter().all(|manager| manager.packages < FEW) {
                packages.known = false;
                packages.gaps.push(
                    Gap::new("which package a file belongs to", "calma does not read rpm's database yet")
                        .instead("calma verify, or rpm -qf PATH on a clean system with this root mounted")
                        .at(path),
                );
            }
            return;
        }
    }
}
