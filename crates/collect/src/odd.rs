//! What examiners record of odd files, in one form.

use crate::{Flow, Out, Owner, Seen};
use calma_host::FileKind;
use calma_record::{Source, Text, kinds::OddFile};

/// Facts of one examiner at most: a tree full of planted oddities must not drown the rest.
pub(crate) const MOST: usize = 5_000;

/// The fact for a name, with why it is here.
pub(crate) fn fact(seen: &Seen<'_>, reasons: &[&str]) -> OddFile {
    let stat = seen.stat;
    let (package, packages_known) = match seen.owner() {
        Owner::Package(package) => (Some(package), true),
        Owner::Nobody => (None, true),
        Owner::Unknown => (None, false),
    };
    let head = if seen.is_file() { seen.head().unwrap_or_default() } else { &[] };
    OddFile {
        path: seen.path().into(),
        what: match stat.kind() {
            FileKind::File => "file",
            FileKind::Directory => "directory",
            FileKind::Link | FileKind::Other => "other",
        }
        .to_owned(),
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        modified: stat.modified,
        changed: stat.changed,
        born: stat.born,
        package,
        packages_known,
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        now: seen.context().host.clock().now(),
        elf: head.starts_with(b"\x7fELF"),
        script: first_line(head),
        links: stat.links,
        ..OddFile::default()
    }
}

/// Puts out a fact about a name.
pub(crate) fn put(seen: &Seen<'_>, fact: OddFile, out: &mut Out) -> Flow {
    let path = seen.path();
    out.fact(if seen.stat.uid == 0 { Source::file(path) } else { Source::owned_file(path) }, fact)
}

/// First line of a script, beginning with `#!`.
pub(crate) fn first_line(bytes: &[u8]) -> Option<Text> {
    let line = bytes.split(|b| *b == b'\n').next().filter(|line| line.starts_with(b"#!"))?;
    Some(line.get(..line.len().min(120)).unwrap_or(line).into())
}

/// Places whose files packages or the administrator put there, and that the system runs from: not homes, data, or what
/// everybody may write to (hier(7)).
pub(crate) fn is_system_place(path: &[u8]) -> bool {
    const PLACES: &[&[u8]] = &[
        b"/usr",
        b"/etc",
        b"/bin",
        b"/sbin",
        b"/lib",
        b"/lib32",
        b"/lib64",
        b"/libx32",
        b"/boot",
        b"/root",
        b"/var/spool/cron",
        b"/var/lib/dpkg",
        b"/var/lib/rpm",
        b"/var/lib/systemd",
    ];
    PLACES.iter().any(|place| is_below(path, place))
}

/// Whether `path` is `place` or stands below it.
pub(crate) fn is_below(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A number of facts that only so many may follow.
#[derive(Debug, Default)]
pub(crate) struct Bound(std::sync::atomic::AtomicUsize);

impl Bound {
    /// Whether one more may be put out.
    pub(crate) fn one_more(&self) -> bool {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < MOST
    }
}

/// Where facts from comparing a directory with its own link count come from.
pub(crate) fn comparison() -> Source {
    let place = "a directory's links and its listing";
    Source { place: place.into(), view: calma_record::View::CrossView, forger: calma_record::Forger::Kernel }
}
