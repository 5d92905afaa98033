//! The walk over in-memory and real trees.

use super::*;
use crate::{Item, Options};
use calma_host::{Host, Mem};
use calma_record::{Fact, kinds::WalkedDirectory};
use std::collections::BTreeMap;

/// Directories with their rows' names, and the gaps.
pub(super) fn walked(
    host: impl Host + 'static,
    roots: &[&[u8]],
) -> (BTreeMap<Vec<u8>, Vec<WalkedDirectory>>, Vec<Gap>) {
    let context = Context::new(Arc::new(host), Options { hurry: true, ..Options::default() });
    let roots: Vec<Vec<u8>> = roots.iter().map(|root| root.to_vec()).collect();
    let (mut out, from) = Out::new(64, Arc::default());
    let walk = std::thread::spawn(move || {
        let roots: Vec<&[u8]> = roots.iter().map(Vec::as_slice).collect();
        assert!(sweep(&context, &roots, Vec::new(), &mut out).is_continue());
    });
    let (mut rows, mut gaps) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for item in from {
        match item {
            Item::Fact(_, fact) => {
                if let Fact::WalkedDirectory(row) = *fact {
                    rows.entry(row.path.as_bytes().to_vec()).or_default().push(row);
                }
            }
            Item::Gap(gap) => gaps.push(gap),
            _ => {}
        }
    }
    walk.join().unwrap();
    (rows, gaps)
}

#[test]
fn deep_trees_mounts_and_links_are_survived() {
    let deep = format!("{}/x", "/d".repeat(1000));
    let mountinfo = "1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /net\\040work rw - nfs4 srv:/x rw\n3 1 0:3 / /c rw - cgroup2 x rw\n";
    let host = Mem::running()
        .file(&deep, "x")
        .file("/net work/x", "")
        .file("/c/x", "")
        .file("/proc/self/mountinfo", mountinfo)
        .symlink("/loop", "/")
        .file("/var/lib/docker/overlay2/a/x", "");
    let (rows, gaps) = walked(host, &[b"/"]);
    assert_eq!(gaps.len(), 2, "network and image layers: {gaps:?}");
    assert!(rows.keys().any(|path| path.len() == 2000));
    assert!(
        !rows.keys().any(|path| {
            path.starts_with(b"/net") || path.starts_with(b"/c") || path.starts_with(b"/loop")
        })
    );
    let root = &rows.get(b"/".as_slice()).unwrap()[0];
    assert_eq!(root.targets.iter().filter(|target| **target == "/").count(), 1);
}

#[test]
fn what_fails_is_a_gap_and_the_rest_is_walked() {
    let host =
        Mem::new().file("/a/x", "").failing("/a", 5).file("/b/x", "").failing("/b", 13).file("/c/x", "");
    let (rows, gaps) = walked(host, &[b"/"]);
    assert!(rows.contains_key(b"/c".as_slice()));
    assert_eq!(gaps.len(), 2);
    assert!(gaps.iter().any(|gap| gap.why.contains("input/output")), "{gaps:?}");
}

#[test]
fn names_carry_their_package_and_metadata() {
    let host = Mem::new()
        .file("/var/lib/dpkg/info/a.list", "/bin/one\n/usr/bin/two\n")
        .file("/usr/bin/one", "x")
        .file("/usr/bin/two", "xyz")
        .file("/usr/bin/zzz", "")
        .owned("/usr/bin/zzz", 0o4755, 7, 8);
    let (rows, _) = walked(host, &[b"/usr"]);
    let row = &rows.get(b"/usr/bin".as_slice()).unwrap()[0];
    assert_eq!(row.packages, ["a"]);
    assert_eq!(row.claims, [1, 1, 0]);
    assert_eq!(row.uids, [0, 0, 7]);
    assert_eq!(row.sizes, [1, 3, 0]);
    assert_eq!(row.modes, [0o100_644, 0o100_644, 0o104_755]);
}
