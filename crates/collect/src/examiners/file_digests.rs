//! Examiner: SHA-256 of what runs and no package claims, and of all set-id files.

use crate::{Examiner, ExaminerCard, Flow, Out, Owner, Seen};
use calma_host::{Cause, HostError};
use calma_record::{Digest, Gap, Source, kinds::FileDigest};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "file-digests",
    doc: "SHA-256 of executables, libraries, scripts and kernel modules that no package claims, and of all set-id files",
    start: |_| Some(Box::new(FileDigests::default())),
};

/// What a gap of this examiner is about.
const WHAT: &str = "digests of programs that no package claims";
/// Facts put out at most.
const MOST: usize = 50_000;
/// Longer files are not digested.
const LARGEST: u64 = 4 << 30;
/// Bytes read at once.
const PIECE: usize = 128 << 10;

#[derive(Default)]
struct FileDigests {
    facts: AtomicUsize,
}

impl Examiner for FileDigests {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        if !seen.is_file() || seen.stat.size == 0 {
            return false;
        }
        let set_id = seen.stat.mode & 0o6000 != 0 && seen.is_executable();
        set_id
            || ((seen.is_executable() || named(seen.name.as_bytes()).is_some())
                && seen.package_number().is_none())
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        let head = match seen.head() {
            Ok(head) => head,
            Err(error) => return out.unseen(WHAT, error),
        };
        let Some(what) = what(seen, head) else { return out.flow() };
        if self.facts.fetch_add(1, Ordering::Relaxed) >= MOST {
            return out.gap(Gap::new(WHAT, "there are too many").at(seen.path()));
        }
        if seen.stat.size > LARGEST {
            return out.gap(Gap::new(WHAT, "files of over 4 GiB are not digested").at(seen.path()));
        }
        let (digest, size) = match digest(seen) {
            Ok(read) => read,
            Err(error) => return out.unseen(WHAT, &error),
        };
        let stat = seen.stat;
        let package = match seen.owner() {
            Owner::Package(package) => Some(package),
            Owner::Nobody | Owner::Unknown => None,
        };
        let fact = FileDigest {
            path: seen.path().into(),
            digest,
            size,
            what: what.to_owned(),
            mode: stat.permissions(),
            uid: stat.uid,
            modified: stat.modified,
            born: stat.born,
            package,
        };
        let path = seen.path();
        out.fact(if stat.uid == 0 { Source::file(path) } else { Source::owned_file(path) }, fact)
    }
}

/// What the name says it is, of things that run without being executable themselves.
fn named(name: &[u8]) -> Option<&'static str> {
    let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    if name.ends_with(b".ko") || has(b".ko.") {
        return Some("module");
    }
    if name.ends_with(b".so") || has(b".so.") {
        return Some("library");
    }
    let ending = name.rsplit(|b| *b == b'.').next().filter(|ending| ending.len() < name.len())?;
    const SCRIPTS: &[&[u8]] =
        &[b"sh", b"bash", b"py", b"pl", b"rb", b"php", b"phtml", b"phar", b"jsp", b"cgi", b"lua"];
    SCRIPTS.contains(&ending).then_some("script")
}

/// What it is; `None` for data that is only marked executable.
fn what(seen: &Seen<'_>, head: &[u8]) -> Option<&'static str> {
    let elf = head.starts_with(b"\x7fELF");
    let script = head.starts_with(b"#!");
    if seen.stat.mode & 0o6000 != 0 && seen.is_executable() {
        return Some("set-id");
    }
    match named(seen.name.as_bytes()) {
        Some("script") | None if elf => Some("program"),
        Some(what) => Some(what),
        None if script => Some("script"),
        None => None,
    }
}

/// Digest and length of the whole content; a file that grows without end is cut off.
fn digest(seen: &Seen<'_>) -> Result<(Digest, u64), HostError> {
    let mut file = seen.open()?.take(LARGEST);
    let mut hasher = Sha256::new();
    let expected = usize::try_from(seen.stat.size).unwrap_or(PIECE).saturating_add(1);
    let mut piece = vec![0; PIECE.min(expected)];
    let mut size = 0_u64;
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                hasher.update(piece.get(..length).unwrap_or_default());
                size += length as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let cause = error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno);
                return Err(HostError::new("read", seen.path(), cause));
            }
        }
    }
    Ok((Digest(hasher.finalize().into()), size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;
    use calma_host::Mem;
    use calma_record::Fact;

    #[test]
    fn what_runs_and_is_not_packaged_is_digested() {
        let host = Mem::new()
            .file("/var/lib/dpkg/info/a.list", "/usr/bin/packaged\n/usr/bin/sudo\n/usr/lib/l.so\n")
            .file("/usr/bin/packaged", b"\x7fELFx")
            .owned("/usr/bin/packaged", 0o755, 0, 0)
            .file("/usr/bin/sudo", b"\x7fELFy")
            .owned("/usr/bin/sudo", 0o4755, 0, 0)
            .file("/opt/x", b"\x7fELFz")
            .owned("/opt/x", 0o700, 5, 0)
            .file("/opt/data", "plain")
            .owned("/opt/data", 0o777, 0, 0)
            .file("/usr/lib/l.so", "x")
            .file("/usr/lib/m.so.1", b"\x7fELF")
            .file("/lib/modules/6/a.ko.xz", "x")
            .file("/srv/www/a.php", "<?php")
            .file("/home/u/run", "#!/bin/sh\n")
            .owned("/home/u/run", 0o755, 1000, 0)
            .file("/home/u/failing.so", "x")
            .failing("/home/u/failing.so", 5);
        let mut seen: Vec<_> = crate::examiner::items(host)
            .into_iter()
            .filter_map(|item| match item {
                Item::Fact(_, fact) => match *fact {
                    Fact::FileDigest(file) => Some((file.path.to_string(), file.what, file.digest)),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        seen.sort();
        let told: Vec<_> = seen.iter().map(|(path, what, _)| (path.as_str(), what.as_str())).collect();
        assert_eq!(
            told,
            [
                ("/home/u/run", "script"),
                ("/lib/modules/6/a.ko.xz", "module"),
                ("/opt/x", "program"),
                ("/srv/www/a.php", "script"),
                ("/usr/bin/sudo", "set-id"),
                ("/usr/lib/m.so.1", "library"),
            ]
        );
        assert_eq!(seen[2].2, Digest::of(b"\x7fELFz"));
    }
}
