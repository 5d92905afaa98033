//! Reading lists of signs on the keeper's machine.

use super::Signs;
use calma_formats::signs;
use calma_host::{FileKind, HostError, Tree, join};
use calma_record::{Digest, Text, kinds};

/// Longest list.
const LONGEST: usize = 512 << 20;
/// Faults named, of all lists together.
const FAULTS: usize = 200;
/// Lists in a folder.
const LISTS: usize = 10_000;

/// Why a list can not be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SignsError {
    /// It can not be read.
    #[error("{0}")]
    Unread(#[from] HostError),
}

/// Reads all lists: files, or the files of folders.
///
/// # Errors
/// When one of the places can not be read. What is wrong inside a list is no error, but a fault with its line.
pub fn read_signs(tree: &dyn Tree, places: &[Vec<u8>]) -> Result<Signs, SignsError> {
    let mut all = Signs::default();
    for place in places {
        let folder = tree.meta_followed(place)?.kind == FileKind::Directory;
        let mut files = vec![place.clone()];
        if folder {
            let file = |entry: &calma_host::Entry| {
                !entry.name.as_bytes().starts_with(b".")
                    && matches!(entry.kind, Some(FileKind::File | FileKind::Link) | None)
            };
            let names = tree.list(place)?;
            let names = names.iter().filter(|entry| file(entry)).take(LISTS);
            files = names.map(|entry| join(place, entry.name.as_bytes())).collect();
        }
        for path in files {
            let content = match tree.read(&path, LONGEST) {
                Ok(content) => content,
                Err(error) if folder => {
                    all.fault(&path, 0, &error.why());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            all.read(&path, &content.bytes);
            if content.cut {
                all.fault(&path, 0, "it is longer than 512 MiB; the rest is not used");
            }
        }
    }
    Ok(all)
}

impl Signs {
    /// Takes in one list.
    fn read(&mut self, path: &[u8], bytes: &[u8]) {
        self.list(path);
        let (before, faulty) = (self.count(), self.faulty);
        signs::read(bytes, &mut |(line, found)| match found {
            Ok(sign) => {
                if let Err(what) = self.add(sign, line) {
                    self.fault(path, line, what);
                }
            }
            Err(what) => self.fault(path, line, &what),
        });
        self.facts.push(kinds::RuleSet {
            what: "ioc".to_owned(),
            path: path.into(),
            digest: Some(Digest::of(bytes)),
            entries: (self.count() - before) as u64,
            faults: self.faulty - faulty,
        });
    }

    fn fault(&mut self, path: &[u8], line: usize, what: &str) {
        self.faulty += 1;
        if self.faults.len() < FAULTS {
            let name = Text::from(Text::from(path).file_name());
            let what = Text::from(what);
            self.faults.push(if line == 0 {
                format!("{name}: {what}")
            } else {
                format!("{name}:{line}: {what}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_host::Mem;

    #[test]
    fn lists_of_a_folder_are_read_and_faults_named_with_file_and_line() {
        let host = Mem::new()
            .file("/l/a.txt", "192.0.2.7\n/x\u{1}\n")
            .file("/l/b.json", "{\"objects\":[{\"type\":\"indicator\",\"pattern\":\"?\"}]}")
            .file("/l/.hidden", "198.51.100.1")
            .fifo("/l/pipe");
        let signs = read_signs(&host, &[b"/l".to_vec()]).unwrap();
        assert_eq!(signs.count(), 1);
        assert_eq!(signs.facts.len(), 2);
        assert!(
            signs.faults[0].starts_with("a.txt:2: ") && signs.faults[1].starts_with("b.json:1: "),
            "{:?}",
            signs.faults
        );
        assert!(read_signs(&host, &[b"/none".to_vec()]).is_err());
    }

    #[test]
    fn a_million_signs_are_held() {
        let text: String = (0..1_000_000_u32).map(|n| format!("{n:064x}\n")).collect();
        let signs = read_signs(&Mem::new().file("/l", text), &[b"/l".to_vec()]).unwrap();
        assert_eq!((signs.count(), signs.faulty), (1_000_000, 0));
        assert!(signs.wants_digests());
    }
}
