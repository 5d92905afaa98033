//! Examiner: rights and attributes beside the mode: who else may write, what may not be changed, raw devices out of place.

use crate::odd::{self, Bound, is_below, is_system_place};
use crate::{Examiner, ExaminerCard, Flow, Out, Seen};
use calma_formats::posix_acl::{self, Named};
use calma_host::{APPEND_ONLY, FileKind, IMMUTABLE};
use calma_record::Gap;

/// This examiner.
pub(super) const EXAMINER: ExaminerCard = ExaminerCard {
    name: "foreign-rights",
    doc: "files of the system that others may write to, attributes that stop changes, and disk devices outside /dev",
    start: |_| Some(Box::new(ForeignRights::default())),
};

#[derive(Default)]
struct ForeignRights {
    facts: Bound,
}

impl Examiner for ForeignRights {
    fn wants(&self, seen: &Seen<'_>) -> bool {
        let mode = seen.stat.mode;
        match seen.stat.kind() {
            FileKind::File => {
                seen.stat.has(APPEND_ONLY) || (mode & 0o022 != 0 && matters(seen.directory.path()))
            }
            FileKind::Directory => {
                seen.stat.has(APPEND_ONLY)
                    || seen.stat.has(IMMUTABLE)
                    // A default list shows in no mode; few places have directories for which it matters.
                    || (matters(seen.path()) && (mode & 0o022 != 0 || is_below(seen.path(), b"/etc")))
            }
            // systemd keeps a device that nobody may open, to mount it over what a service must not see.
            FileKind::Other => {
                mode & 0o170_000 == 0o060_000
                    && mode & 0o777 != 0
                    && !is_below(seen.directory.path(), b"/dev")
            }
            FileKind::Link => false,
        }
    }

    fn examine(&self, seen: &Seen<'_>, out: &mut Out) -> Flow {
        let (mode, kind) = (seen.stat.mode, seen.stat.kind());
        let mut reasons = Vec::new();
        let mut writers = Vec::new();
        match kind {
            FileKind::Other => reasons.push("block-device"),
            _ => {
                // Where everybody may write but only the owner of a file may delete it, that is the purpose.
                let shared = kind == FileKind::Directory && mode & 0o1000 != 0;
                if mode & 0o002 != 0 && !shared && matters(seen.path()) {
                    reasons.push("world-writable");
                }
                if seen.stat.has(APPEND_ONLY) {
                    reasons.push("append-only");
                }
                if seen.stat.has(IMMUTABLE) && kind == FileKind::Directory {
                    reasons.push("immutable-directory");
                }
                // The mask of a list stands in the place of the group's rights: without its write bit nobody named may.
                if mode & 0o020 != 0 && matters(seen.path()) {
                    writers.extend(list(seen, "system.posix_acl_access", ""));
                }
                if kind == FileKind::Directory && matters(seen.path()) {
                    writers.extend(list(seen, "system.posix_acl_default", "default "));
                }
            }
        }
        if !writers.is_empty() {
            reasons.push("acl");
        }
        if reasons.is_empty() {
            return out.flow();
        }
        if !self.facts.one_more() {
            return out.gap(Gap::new("files with unusual rights", "there are too many to record them all"));
        }
        let mut fact = odd::fact(seen, &reasons);
        fact.writers = writers;
        odd::put(seen, fact, out)
    }
}

/// Places where a stranger's right to write means control over the system, or over an account.
fn matters(path: &[u8]) -> bool {
    is_system_place(path) || path.windows(6).any(|part| part == b"/.ssh/") || path.ends_with(b"/.ssh")
}

/// Strangers who may write by a list.
fn list(seen: &Seen<'_>, attribute: &str, prefix: &str) -> Vec<String> {
    let value = seen.attribute(attribute).ok().flatten().unwrap_or_default();
    let named = posix_acl::writers(&value).into_iter().filter_map(|who| match who {
        Named::User(0) | Named::Group(0) => None,
        Named::User(id) if id == seen.stat.uid => None,
        Named::User(id) => Some(format!("{prefix}user:{id}")),
        Named::Group(id) => Some(format!("{prefix}group:{id}")),
    });
    named.collect()
}
