//! Packs the names of a directory into rows of the stream.

use super::seen::Swept;
use crate::Context;
use calma_host::{FileKind, Named, Stat};
use calma_record::{Forger, Source, Text, View, kinds::WalkedDirectory};

/// Names in one row at most, so that what waits in channels stays small.
pub(super) const NAMES: usize = 256;

/// Where these rows come from.
pub(super) fn source() -> Source {
    Source { place: "statx".into(), view: View::SystemCall, forger: Forger::Root }
}

/// One row; names whose metadata could not be had are left out.
pub(super) fn row(context: &Context, directory: &Swept, names: &[Named]) -> WalkedDirectory {
    let own = directory.stat().device;
    let seen: Vec<(&Text, &Stat)> =
        names.iter().filter_map(|named| Some((&named.name, named.stat.as_ref().ok()?))).collect();
    let mut row = WalkedDirectory {
        path: directory.path().into(),
        device: own,
        names: seen.iter().map(|(name, _)| Text::clone(name)).collect(),
        modes: column(&seen, |stat| stat.mode),
        uids: column(&seen, |stat| stat.uid),
        gids: column(&seen, |stat| stat.gid),
        sizes: column(&seen, |stat| stat.size),
        inodes: column(&seen, |stat| stat.inode),
        links: column(&seen, |stat| stat.links),
        accessed: column(&seen, |stat| stat.accessed.nanoseconds()),
        modified: column(&seen, |stat| stat.modified.nanoseconds()),
        changed: column(&seen, |stat| stat.changed.nanoseconds()),
        born: column(&seen, |stat| stat.born.unwrap_or_default().nanoseconds()),
        attributes: column(&seen, |stat| stat.attributes & KEPT),
        devices: column(&seen, |stat| if stat.device == own { 0 } else { stat.device }),
        ..WalkedDirectory::default()
    };
    claims(context, directory, &seen, &mut row);
    if seen.iter().any(|(_, stat)| stat.kind() == FileKind::Link) {
        let targets = seen.iter().map(|(name, stat)| match stat.kind() {
            FileKind::Link => directory.handle().link(name.as_bytes()).unwrap_or_default().into(),
            _ => Text::default(),
        });
        row.targets = short(targets.collect());
    }
    row
}

/// Attributes that are worth a record: not those that say how a file is stored.
const KEPT: u64 = calma_host::IMMUTABLE
    | calma_host::APPEND_ONLY
    | calma_host::NO_DUMP
    | calma_host::ENCRYPTED
    | calma_host::VERITY;

/// Which package claims each name.
fn claims(context: &Context, directory: &Swept, seen: &[(&Text, &Stat)], row: &mut WalkedDirectory) {
    let packages = context.packages();
    if !packages.known() {
        return;
    }
    let mut numbers: Vec<u32> = Vec::new();
    let mut path = directory.path().to_vec();
    if path != b"/" {
        path.push(b'/');
    }
    let length = path.len();
    let mut claims = Vec::with_capacity(seen.len());
    for (name, _) in seen {
        path.truncate(length);
        path.extend_from_slice(name.as_bytes());
        let claim = packages.number(&path).map_or(0, |number| {
            let at = numbers.iter().position(|known| *known == number).unwrap_or_else(|| {
                numbers.push(number);
                numbers.len() - 1
            });
            u32::try_from(at + 1).unwrap_or(0)
        });
        claims.push(claim);
    }
    row.claims = short(claims);
    row.packages = numbers.iter().filter_map(|number| packages.name(*number)).collect();
}

fn column<T: Default + PartialEq>(seen: &[(&Text, &Stat)], value: impl Fn(&Stat) -> T) -> Vec<T> {
    short(seen.iter().map(|(_, stat)| value(stat)).collect())
}

/// Leaves out the values at the end that repeat the one before them; all of them if they are the default.
fn short<T: Default + PartialEq>(mut values: Vec<T>) -> Vec<T> {
    while let [.., before, last] = values.as_slice()
        && before == last
    {
        values.pop();
    }
    if values.len() == 1 && values.first() == Some(&T::default()) {
        values.clear();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_where_they_repeat() {
        assert_eq!(short(vec![0, 0, 0]), Vec::<u32>::new());
        assert_eq!(short(vec![7, 7, 7]), [7]);
        assert_eq!(short(vec![1, 0, 0]), [1, 0]);
        assert_eq!(short(vec![0, 5]), [0, 5]);
    }
}
