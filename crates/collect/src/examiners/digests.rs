//! Examiner: digests of every file, when the user gave a list with digests to compare them with.

use crate::{Context, Examiner, ExaminerCard, Flow, Out, Seen};
use calma_host::{Cause, HostError};
use calma_record::{Digest, Gap, Source, kinds};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::sync::Arc;

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "digests",
    doc: "digests of every file, for lists of signs",
    start: |context: &Arc<Context>| context.options.digests.then(|| Box::new(Digests) as Box<dyn Examiner>),
};

/// What is not digested, in gaps.
const WHAT: &str = "digests of some files, to compare with your lists";
/// A longer file is not digested: no known program is.
const LONGEST: u64 = 1 << 30;

struct Digests;

impl Examiner for Digests {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        seen.is_file() && seen.stat.size > 0
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        let path = seen.path();
        if seen.stat.size > LONGEST {
            return out.gap(Gap::new(WHAT, "they are longer than 1 GiB").at(path));
        }
        let mut file = match seen.open() {
            Ok(file) => file.take(LONGEST),
            Err(error) => return out.unseen(WHAT, &error),
        };
        let (mut md5, mut sha1, mut sha256, mut size) = (Md5::new(), Sha1::new(), Sha256::new(), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    let piece = buffer.get(..length).unwrap_or_default();
                    size += length as u64;
                    md5.update(piece);
                    sha1.update(piece);
                    sha256.update(piece);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let cause = error.raw_os_error().map_or(Cause::Unsupported, Cause::Errno);
                    return out.unseen(WHAT, &HostError::new("read", path, cause));
                }
            }
            out.flow()?;
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let fact = kinds::FileDigests {
            path: path.into(),
            size,
            md5: hex(&md5.finalize()),
            sha1: hex(&sha1.finalize()),
            sha256: Some(Digest(sha256.finalize().into())),
        };
        out.fact(Source::file(path), fact)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Item, Options};
    use calma_host::Mem;
    use calma_record::Fact;
    use std::sync::Arc;

    #[test]
    fn every_file_is_digested_when_asked_for() {
        let count = |digests| {
            let host = Mem::new().file("/a/b", "abc").file("/empty", "").fifo("/p");
            let context = Context::new(Arc::new(host), Options { digests, ..Options::default() });
            let collector = crate::ALL.iter().find(|one| one.card.name == "file-walk").unwrap();
            let facts = crate::gather(collector, &context).into_iter().filter_map(|item| match item {
                Item::Fact(_, fact) => match *fact {
                    Fact::FileDigests(row) => Some(row.md5),
                    _ => None,
                },
                _ => None,
            });
            facts.collect::<Vec<_>>()
        };
        assert_eq!(count(true), ["900150983cd24fb0d6963f7d28e17f72"]);
        assert!(count(false).is_empty());
    }
}
