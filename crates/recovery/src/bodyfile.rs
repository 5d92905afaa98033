//! Walked names as lines of a bodyfile: the format of The Sleuth Kit 3 and later, as mactime and plaso read it.
//!
//! `MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime`, a line for each name, times in seconds. The MD5 is
//! always 0: calma digests with SHA-256. Names are written with calma's printable escape, `|` as `\x7c`; a symbolic link's
//! target follows behind ` -> `.

use calma_record::{Text, kinds::WalkedDirectory};
use std::io::Write;

/// Writes a line for each name of the row; `shown` says how a path is to be written.
///
/// # Errors
/// When `to` can not be written.
pub fn write_bodyfile(
    row: &WalkedDirectory,
    shown: &mut dyn FnMut(&Text) -> Text,
    to: &mut dyn Write,
) -> std::io::Result<()> {
    for (index, name) in row.names.iter().enumerate() {
        let mode = at(&row.modes, index);
        let path = if row.path == "/" {
            [b"/", name.as_bytes()].concat()
        } else {
            [row.path.as_bytes(), b"/", name.as_bytes()].concat()
        };
        let mut line = printable(&shown(&Text::from(path)));
        let target: Text = at(&row.targets, index);
        if !target.is_empty() {
            line.push_str(" -> ");
            line.push_str(&printable(&shown(&target)));
        }
        let second = |times: &[i64]| at(times, index).div_euclid(1_000_000_000);
        writeln!(
            to,
            "0|{line}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            at(&row.inodes, index),
            mode_as_string(mode),
            at(&row.uids, index),
            at(&row.gids, index),
            at(&row.sizes, index),
            second(&row.accessed),
            second(&row.modified),
            second(&row.changed),
            second(&row.born),
        )?;
    }
    Ok(())
}

fn printable(text: &Text) -> String {
    text.to_string().replace('|', "\\x7c")
}

/// A column's value: its last one stands for all names behind it.
fn at<T: Clone + Default>(column: &[T], index: usize) -> T {
    column.get(index).or_else(|| column.last()).cloned().unwrap_or_default()
}

/// `r/rrwxr-xr-x`: the type twice, as The Sleuth Kit writes it, then the permissions as ls(1) does.
fn mode_as_string(mode: u32) -> String {
    let kind = match mode >> 12 {
        0o01 => 'p',
        0o02 => 'c',
        0o04 => 'd',
        0o06 => 'b',
        0o10 => 'r',
        0o12 => 'l',
        0o14 => 's',
        _ => '-',
    };
    let mut text = format!("{kind}/{kind}");
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_lines() {
        let row = WalkedDirectory {
            path: "/etc".into(),
            names: vec!["a|b\n".into(), "l".into(), "z".into()],
            modes: vec![0o104_755, 0o120_777, 0o041_777],
            uids: vec![7],
            sizes: vec![12, 1],
            inodes: vec![5, 6, 7],
            modified: vec![1_500_000_000_900_000_000, -1, 0],
            targets: vec![Text::default(), "/x".into(), Text::default()],
            ..WalkedDirectory::default()
        };
        let mut text = Vec::new();
        write_bodyfile(&row, &mut Text::clone, &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "0|/etc/a\\x7cb\\n|5|r/rrwsr-xr-x|7|0|12|0|1500000000|0|0\n\
             0|/etc/l -> /x|6|l/lrwxrwxrwx|7|0|1|0|-1|0|0\n\
             0|/etc/z|7|d/drwxrwxrwt|7|0|1|0|0|0|0\n"
        );
    }
}
