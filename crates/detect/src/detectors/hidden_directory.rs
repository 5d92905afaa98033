//! Detector: directories whose names are made to be overlooked.

use crate::weigh::{is_below, is_deceptive};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::OddFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-directory",
        doc: "A directory has a name made to be overlooked, where nothing ordinary needs one.",
        mechanisms: &[101],
        attack: &["T1564.001"],
        why: "Tools, stolen data and settings of intruders are kept where a listing does not show them.",
        innocent: "a program you installed by hand keeps its state there",
        next: "look what is in it before you touch it; keep a copy as evidence",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    for file in
        tables.of::<OddFile>().filter(|file| file.reasons.iter().any(|have| have == "hidden-directory"))
    {
        let Some((severity, certainty)) = weigh(&file) else { continue };
        let path = &file.fact.path;
        let some: Vec<String> = file.some.iter().take(4).map(ToString::to_string).collect();
        let more = if file.names > 4 { format!(" and {} more", file.names - 4) } else { String::new() };
        let inside = if some.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("in it: {}{more}", some.join(", "))
        };
        let mut draft = Draft::new(
            severity,
            certainty,
            path.as_bytes(),
            format!("A directory made to be overlooked: {path}"),
        )
        .saw(inside)
        .saw(format!("owner {}, changed {}; no package owns it", file.uid, file.changed));
        if file.programs > 0 {
            draft = draft.saw(format!("{} of its files are programs or scripts", file.programs));
        }
        drafts.push(draft.path(path).from(&file, "its name and place"));
    }
}

fn weigh(file: &Row<'_, OddFile>) -> Option<(Severity, Certainty)> {
    let path = file.path.as_bytes();
    let name = file.path.file_name();
    if file.package.is_some() {
        return None;
    }
    let private = [&b"/home"[..], b"/srv", b"/mnt", b"/media"].iter().any(|place| is_below(path, place));
    let blank_at_the_end = name.trim_ascii_end().len() < name.len() && !name.starts_with(b".");
    if is_deceptive(name) || imitates(name) {
        // People who share folders with other systems leave a blank behind a name now and then.
        let slip = private && blank_at_the_end && file.programs == 0;
        let severity = if slip || is_store_of_perf(file) { Severity::Info } else { Severity::Medium };
        return Some((severity, Certainty::VeryLikely));
    }
    // What stands in a hidden directory that was told of needs no telling again.
    let above = path.strip_suffix(name).unwrap_or_default();
    if above.split(|b| *b == b'/').any(|part| part.starts_with(b".")) {
        return None;
    }
    if file.names == 0 || !file.packages_known {
        return Some((Severity::Info, Certainty::Possible));
    }
    let below = |places: &[&[u8]]| places.iter().any(|place| is_below(path, place));
    let severity = match () {
        // The other detectors tell of each program; here it is that somebody made a place for them.
        () if file.programs > 0 && below(&[b"/tmp", b"/var/tmp", b"/dev/shm", b"/run"]) => Severity::Medium,
        () if below(&[b"/dev/shm", b"/tmp", b"/var/tmp", b"/run"]) => Severity::Info,
        () if is_work_of_tools(name, file) => Severity::Info,
        () if below(&[b"/usr/local"]) => Severity::Info,
        () if below(&[b"/dev", b"/usr", b"/bin", b"/sbin", b"/lib", b"/boot", b"/etc", b"/var"]) => {
            Severity::Medium
        }
        () => Severity::Info,
    };
    Some((severity, Certainty::Likely))
}

/// Names that a listing shows like something else: a kernel thread's brackets.
fn imitates(name: &[u8]) -> bool {
    name.starts_with(b"[") && name.ends_with(b"]")
}

/// Where perf-buildid-cache(1) keeps what is in no file: `.debug/[vdso]/BUILD-ID`, with nothing else beside.
fn is_store_of_perf(file: &OddFile) -> bool {
    let build = |name: &[u8]| name.len() >= 32 && name.iter().all(u8::is_ascii_hexdigit);
    let places: [&[u8]; 3] =
        [b".debug/[vdso]", b".debug/[kernel.kallsyms]", b".debug/[guest.kernel.kallsyms]"];
    places.iter().any(|place| {
        let before = file.path.as_bytes().strip_suffix(*place);
        before.is_some_and(|before| before.ends_with(b"/"))
    }) && file.files == 0
        && !file.some.is_empty()
        && file.some.iter().all(|some| build(some.as_bytes()))
}

/// Version control of settings, and what well-known programs keep beside what they work on, by what is in it.
fn is_work_of_tools(name: &[u8], file: &OddFile) -> bool {
    let has = |wanted: &[u8]| file.some.iter().any(|some| some.as_bytes() == wanted);
    let control = has(b"HEAD")
        || has(b"config")
        || has(b"branches")
        || has(b"entries")
        || has(b"wc.db")
        || has(b"store");
    match name {
        b".git" | b".svn" | b".hg" | b".bzr" | b"_darcs" => control,
        b".java" => has(b".systemPrefs") || has(b"deployment"),
        b".cache" | b".config" | b".local" | b".npm" | b".snapshots" | b".build-id" | b".pki" => {
            file.programs == 0
        }
        _ => file.files == 0 && file.directories == 0,
    }
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Mem, check};

    fn server() -> Mem {
        Mem::new().file(
            "/var/lib/dpkg/info/a.list",
            "/usr/bin/a\n/usr/lib/debug/.build-id\n/usr/lib/debug/.build-id/x\n",
        )
    }

    #[test]
    fn places_to_hide_in_are_found() {
        for path in [
            "/usr/share/.../x",
            "/etc/.cfg/list",
            "/var/lib/.s/data.tar",
            "/home/u/.. /notes",
            "/usr/lib/\u{200b}x/y",
            "/dev/.lib/a",
            "/var/spool/ /a",
            "/opt/[kthreadd]/a",
            "/root/.debug/[vdso]/run",
            "/root/.debug/[kthreadd]/31a0f2d7c53d7c0a8a5d1d2ee0f1b1e6c1a2b3c4/vdso",
        ] {
            let seen = check(server().file(path, "x"));
            assert_eq!(seen.alarms("hidden-directory").len(), 1, "{path}: {:?}", seen.by("hidden-directory"));
        }
        let host = server().file("/tmp/.x/run", "#!/bin/sh\n");
        assert_eq!(check(host).alarms("hidden-directory").len(), 1);
    }

    #[test]
    fn everyday_hidden_directories_are_not() {
        let mut host = server().file("/tmp/.X11-unix/X0", "");
        for path in [
            "/usr/lib/debug/.build-id/x",
            "/home/u/.cache/x",
            "/root/.ssh/authorized_keys",
            "/etc/.git/HEAD",
            "/etc/.java/.systemPrefs/x",
            "/var/lib/jenkins/.cache/x",
            "/opt/app/.venv/bin/python",
            "/var/www/site/.git/config",
            "/tmp/.font-unix/fs7100",
            "/home/u/Photos /a.jpg",
            "/root/.debug/[vdso]/31a0f2d7c53d7c0a8a5d1d2ee0f1b1e6c1a2b3c4/vdso",
        ] {
            host = host.file(path, "x");
        }
        let seen = check(host);
        let bad: Vec<_> =
            seen.by("hidden-directory").into_iter().filter(|f| f.severity > Severity::Info).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}
