//! Examiner: directories whose names are made to be overlooked, where that is unusual.

use crate::odd::{self, Bound};
use crate::place::made_to_be_overlooked;
use crate::{Examiner, ExaminerCard, Flow, Out, Seen};
use calma_host::FileKind;
use calma_record::Gap;
use std::io::Read as _;

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "hidden-directories",
    doc: "directories whose names are made to be overlooked, where that is unusual",
    start: |_| Some(Box::new(HiddenDirectories::default())),
};

/// Files of a hidden directory whose first bytes are looked at.
const LOOKED_INTO: usize = 64;
/// Names of it that are recorded.
const SOME: usize = 8;

#[derive(Default)]
struct HiddenDirectories {
    facts: Bound,
}

impl Examiner for HiddenDirectories {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        let name = seen.name.as_bytes();
        let place = seen.directory.place();
        seen.stat.kind() == FileKind::Directory
            && (made_to_be_overlooked(name)
                || invisible(name)
                || (name.starts_with(b".") && place.hidden_matters))
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        if !seen.is_unowned() && !made_to_be_overlooked(seen.name.as_bytes()) {
            return out.flow();
        }
        if !self.facts.one_more() {
            return out.gap(Gap::new("hidden directories", "there are too many to record them all"));
        }
        let mut fact = odd::fact(seen, &["hidden-directory"]);
        let directory = match seen.directory.handle().enter(seen.name.as_bytes()) {
            Ok(directory) => directory,
            Err(mut error) => {
                error.place = seen.path().into();
                return out.unseen("hidden directories", &error);
            }
        };
        let mut names = Vec::new();
        // The first piece is enough: what it is for shows in a few names.
        let _more = directory.next(&[], &mut names);
        fact.names = names.len() as u64;
        fact.some = names.iter().take(SOME).map(|named| named.name.clone()).collect();
        for named in &names {
            let Ok(stat) = &named.stat else { continue };
            match stat.kind() {
                FileKind::Directory => fact.directories += 1,
                FileKind::File => fact.files += 1,
                FileKind::Link | FileKind::Other => {}
            }
            if stat.kind() == FileKind::File && fact.files <= LOOKED_INTO as u64 {
                let mut head = Vec::new();
                if let Ok(file) = directory.open(named.name.as_bytes())
                    && file.take(64).read_to_end(&mut head).is_ok()
                {
                    fact.programs += u64::from(head.starts_with(b"\x7fELF") || head.starts_with(b"#!"));
                }
            }
        }
        odd::put(seen, fact, out)
    }
}

/// Whether a name holds characters that do not show, or ends in a blank.
fn invisible(name: &[u8]) -> bool {
    name.last().is_some_and(|last| *last == b' ')
        || std::str::from_utf8(name).is_ok_and(|text| {
            text.chars().any(|c| {
                matches!(c, '\u{ad}' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{3164}')
            })
        })
}
