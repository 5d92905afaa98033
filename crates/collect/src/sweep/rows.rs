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
        row.targets = targets.collect();
        row.targets.truncate(told(row.targets.iter().map(Text::as_bytes)));
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
    claims.truncate(told(claims.iter().copied()));
    row.claims = claims;
    row.packages = numbers.iter().filter_map(|number| packages.name(*number)).collect();
}

/// A value of each name, without those at the end that repeat the one before them, and none if they are the default: counted
/// before room is taken, since most columns of most directories are empty.
fn column<T: Default + PartialEq>(seen: &[(&Text, &Stat)], value: impl Fn(&Stat) -> T) -> Vec<T> {
    let values = || seen.iter().map(|(_, stat)| value(stat));
    let length = told(values());
    let mut column = Vec::with_capacity(length);
    column.extend(values().take(length));
    column
}

/// How many of `values` have to be told.
fn told<T: Default + PartialEq>(values: impl Iterator<Item = T>) -> usize {
    let (mut told, mut last) = (0, T::default());
    for (index, value) in values.enumerate() {
        if value != last {
            told = index + 1;
        }
        last = value;
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_end_where_they_repeat() {
        let told = |values: &[u32]| told(values.iter().copied());
        assert_eq!([told(&[]), told(&[0, 0, 0]), told(&[7, 7, 7])], [0, 0, 1]);
        assert_eq!([told(&[1, 0, 0]), told(&[0, 5]), told(&[0, 5, 5, 0, 0])], [2, 2, 4]);
    }
}
