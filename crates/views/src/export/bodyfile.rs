//! The bodyfile of The Sleuth Kit 3 and newer: one line a file, for mactime
//! (<https://wiki.sleuthkit.org/index.php?title=Body_file>).

use super::Seen;
use std::fmt::Write as _;

/// The line of a fact that tells of a file with its times; `None` for any other.
///
/// The first field is 0, for calma keeps SHA-256 digests and the field is for MD5. A `|` in a name becomes `\x7c`.
pub fn line(seen: &Seen<'_>) -> Option<String> {
    let path = seen.text("path")?;
    let modified = seen.time("modified")?;
    let what = seen.text("what").unwrap_or("file");
    let mode = seen.number("mode").unwrap_or_default();
    let mut name = escaped(path);
    if let Some(target) = seen.text("target").filter(|_| what == "link") {
        let _ = write!(name, " -> {}", escaped(target));
    }
    let number = |column| seen.number(column).unwrap_or_default();
    let time = |column| seen.time(column).map_or(0, |at| at.seconds());
    Some(format!(
        "0|{name}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
        number("inode"),
        permissions(what, mode),
        number("uid"),
        number("gid"),
        number("size"),
        time("accessed"),
        modified.seconds(),
        time("changed"),
        time("born"),
    ))
}

fn escaped(path: &str) -> String {
    calma_record::printed(path).replace('|', "\\x7c")
}

/// `r/rrwxr-xr-x`: the type by name and by inode, then the rights as ls(1) writes them.
fn permissions(what: &str, mode: u64) -> String {
    let kind = match what {
        "directory" => 'd',
        "link" => 'l',
        "file" => 'r',
        _ => '-',
    };
    let mut out = format!("{kind}/{kind}");
    for (shift, set, both, alone) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let rights = mode >> shift;
        out.push(if rights & 4 != 0 { 'r' } else { '-' });
        out.push(if rights & 2 != 0 { 'w' } else { '-' });
        out.push(match (rights & 1 != 0, mode & set != 0) {
            (true, true) => both,
            (false, true) => alone,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    out
}
