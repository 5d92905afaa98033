//! Which package the host's own package list says a file belongs to.

use calma_host::{Tree, join};
use calma_record::Text;
use std::collections::BTreeMap;

/// What the host's package list says of a path. Root can forge it: a hint, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It belongs to this package.
    Package(Text),
    /// The list is readable and does not name it.
    Nobody,
    /// There is no package list calma can read.
    Unknown,
}

/// The package list of a host, as an index from path to package.
#[derive(Debug, Default)]
pub struct Packages {
    owners: BTreeMap<Vec<u8>, Text>,
    known: bool,
}

impl Packages {
    /// Reads the package list of dpkg (dpkg(1), `/var/lib/dpkg/info/*.list`).
    pub fn read(tree: &dyn Tree) -> Self {
        const INFO: &[u8] = b"/var/lib/dpkg/info";
        let mut packages = Self::default();
        for entry in tree.list(INFO).unwrap_or_default() {
            let name = entry.name.as_bytes();
            let Some(package) = name.strip_suffix(b".list") else { continue };
            let package = package.split(|b| *b == b':').next().unwrap_or_default();
            let Ok(list) = tree.read(&join(INFO, name), 64 << 20) else { continue };
            packages.known = true;
            for path in list.bytes.split(|b| *b == b'\n').filter(|path| path.len() > 1) {
                packages.owners.insert(merged(path).to_vec(), package.into());
            }
        }
        packages
    }

    /// What the list says of `path`, which should have no links in its directories.
    pub fn owner(&self, path: &[u8]) -> Owner {
        match self.owners.get(merged(path)) {
            Some(package) => Owner::Package(package.clone()),
            None if self.known => Owner::Nobody,
            None => Owner::Unknown,
        }
    }
}

/// Systems with a merged /usr list `/lib/x` for what stands at `/usr/lib/x`: both are looked up without `/usr`.
fn merged(path: &[u8]) -> &[u8] {
    let rest = path.strip_prefix(b"/usr").unwrap_or_default();
    let merged = [&b"/bin/"[..], b"/sbin/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/"];
    if merged.iter().any(|directory| rest.starts_with(directory)) { rest } else { path }
}
