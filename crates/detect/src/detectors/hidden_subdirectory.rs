//! Detector: a directory that holds more subdirectories than its listing shows.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::OddFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-subdirectory",
        doc: "A directory has more subdirectories than its listing shows: the kernel leaves some out.",
        mechanisms: &[17],
        attack: &["T1014", "T1564.001"],
        why: "Rootkits hide their directories by taking names out of listings; the file system still counts them.",
        innocent: "the file system is damaged; its own check (fsck) would say so",
        next: "look at this file system from another system: calma triage --root, started from a live medium",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for file in tables.of::<OddFile>().filter(|file| file.reasons.iter().any(|have| have == "links")) {
        let path = &file.fact.path;
        let counted = u64::from(file.links.saturating_sub(2));
        let hidden = counted.saturating_sub(file.directories);
        let title = format!("{hidden} subdirectories of {path} are missing from its listing");
        drafts.push(
            Draft::new(Severity::High, Certainty::Likely, path.as_bytes(), title)
                .saw(format!(
                    "its link count tells of {counted} subdirectories, its listing of {}",
                    file.directories
                ))
                .saw("it was counted three times and did not change meanwhile")
                .path(path)
                .from(&file, "its links against its listing"),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn a_directory_left_out_of_its_listing_is_found() {
        for above in ["/usr/lib", "/var", "/home/u"] {
            let hidden = format!("{above}/rk");
            let host = Mem::new()
                .file(format!("{hidden}/x"), "x")
                .directory(format!("{above}/seen"))
                .with(above, |meta| meta.links = 4)
                .unlisted(&hidden);
            let seen = check(host);
            assert_eq!(seen.alarms("hidden-subdirectory").len(), 1, "{above}: {:?}", seen.findings);
        }
    }

    #[test]
    fn counts_that_agree_or_are_not_kept_say_nothing() {
        let host = Mem::new()
            .directory("/a/b")
            .directory("/a/c")
            .with("/a", |meta| meta.links = 4)
            .directory("/btrfs/x")
            .with("/btrfs", |meta| meta.links = 1)
            .file("/a/file", "")
            .with("/a/b", |meta| meta.links = 2);
        assert!(check(host).by("hidden-subdirectory").is_empty());
    }
}
