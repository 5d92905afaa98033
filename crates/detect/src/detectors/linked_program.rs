//! Detector: a changed dynamic loader, or a program that takes libraries from where others may put them.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, Text, kinds::LinkedProgram};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "linked-program",
        doc: "A dynamic loader or a library of the logins was changed or comes from nowhere, or a program loads libraries or auditors from odd places.",
        mechanisms: &[3, 4, 5, 10],
        attack: &["T1574.006", "T1574.007", "T1574"],
        why: "What the loader brings in runs inside the program, with all its rights; a changed loader does so in every program.",
        innocent: "you built this program by hand, or a vendor's package keeps its own libraries beside it",
        next: "do not run programs of this system to look further; compare the file with that of its package on a clean machine",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<LinkedProgram>() {
        let (weight, title) = if row.what == "loader" {
            (loader(&files, row.fact), format!("The dynamic loader {} is not as it should be", row.path))
        } else if row.what == "library" {
            (
                library(&files, row.fact),
                format!("A library that logins use comes from no package: {}", row.path),
            )
        } else {
            (program(&files, row.fact), format!("{} loads code from an odd place", row.path))
        };
        drafts.extend(draft(&row, weight, title));
    }
}

fn draft(row: &Row<'_, LinkedProgram>, weight: Weight, title: String) -> Option<Draft> {
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
    let mut draft = Draft::new(severity, certainty, row.path.as_bytes(), title)
        .path(&row.path)
        .saw_all(weight.reasons)
        .from(row, "its headers");
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft)
}

/// The C library's loader names /etc/ld.so.preload; one that names another file was changed to hide that list.
fn loader(files: &Files<'_>, row: &LinkedProgram) -> Weight {
    let mut weight = Weight::default();
    let named = |end: &[u8]| row.names.iter().any(|name| name.as_bytes().ends_with(end));
    let glibc = named(b"/ld.so.cache") || named(b"/suid-debug") || named(b"/ld-nix.so.preload");
    if glibc && !named(b".so.preload") {
        let usual: [&[u8]; 10] = [
            b"/etc/ld.so.cache",
            b"/etc/suid-debug",
            b"/proc/self/exe",
            b"/dev/null",
            b"/dev/full",
            b"/var/tmp",
            b"/var/profile",
            b"/proc/sys/kernel/osrelease",
            b"/proc/self/fd/",
            b"/etc/ld.so.conf",
        ];
        // What stands there instead has the same length.
        let odd = |name: &&Text| {
            let bytes = name.as_bytes();
            bytes.len() == b"/etc/ld.so.preload".len() && !usual.contains(&bytes) && !bytes.ends_with(b"/")
                || weigh::is_hidden(bytes)
                || weigh::is_open(bytes) && !usual.contains(&bytes)
        };
        entry::add(
            &mut weight,
            Severity::High,
            "it does not look at /etc/ld.so.preload, as every loader of the C library does",
        );
        for name in row.names.iter().filter(odd).take(4) {
            entry::add(&mut weight, Severity::High, format!("it names {name} instead"));
            weight.paths.push(name.clone());
        }
    } else if glibc {
        let hidden = |name: &&Text| weigh::is_hidden(name.as_bytes()) || weigh::is_deceptive(name.as_bytes());
        for name in row.names.iter().filter(hidden).take(4) {
            entry::add(&mut weight, Severity::High, format!("it names {name}, a hidden file"));
            weight.paths.push(name.clone());
        }
    }
    if row.package.is_none() && row.packages_known {
        entry::add(&mut weight, Severity::High, "no package owns this loader");
    }
    weight.and(entry::loose(files, &row.path, None))
}

/// A library of no package in the programs that passwords and keys pass through.
fn library(files: &Files<'_>, row: &LinkedProgram) -> Weight {
    let mut weight = entry::standing(files, &row.path, "the library");
    for name in row.names.iter().filter(|name| **name != row.path) {
        if name.as_bytes() == row.names.first().map(Text::as_bytes).unwrap_or_default() {
            entry::add(&mut weight, Severity::Info, format!("{name} needs it"));
        } else {
            entry::add(&mut weight, Severity::Info, format!("it is found as {name}"));
        }
        weight.paths.push(name.clone());
    }
    weight
}

fn program(files: &Files<'_>, row: &LinkedProgram) -> Weight {
    let mut weight = Weight::default();
    for (written, resolved) in row.directories.iter().zip(&row.resolved) {
        let own = directory(files, row, written, resolved);
        if own.counts() {
            weight = weight.and(own);
        }
    }
    for audit in &row.audit {
        entry::add(
            &mut weight,
            Severity::Medium,
            format!("{audit} is loaded with it and may redirect every call between libraries"),
        );
        if audit.as_bytes().starts_with(b"/") {
            let own = entry::standing(files, audit, "the auditor");
            weight = if own.counts() { weight.and(own) } else { weight };
            weight.paths.push(audit.clone());
        }
    }
    if let Some(interpreter) = &row.interpreter {
        let own = interpreter_weight(files, row, interpreter);
        weight = if own.counts() { weight.and(own) } else { weight };
    }
    weight
}

/// A directory that a program takes libraries from.
fn directory(files: &Files<'_>, row: &LinkedProgram, written: &Text, resolved: &Text) -> Weight {
    let path = resolved.as_bytes();
    let mut weight = Weight::default();
    let set_id = row.because == "set-id";
    if path.starts_with(b"$") {
        return weight;
    }
    if !path.starts_with(b"/") {
        let severity = if set_id { Severity::High } else { Severity::Medium };
        entry::add(
            &mut weight,
            severity,
            format!("it takes libraries from {written}, seen from where it is started"),
        );
        return weight;
    }
    // A directory anybody may write to is as bad as one below it.
    if weigh::is_open(&[path, b"/x"].concat()) {
        entry::add(
            &mut weight,
            Severity::High,
            format!("it takes libraries from {resolved}, where anybody may put files"),
        );
    } else if weigh::is_hidden(path) && !same_home(path, row.path.as_bytes()) {
        entry::add(
            &mut weight,
            Severity::High,
            format!("it takes libraries from {resolved}, a hidden directory"),
        );
    } else if let Some(file) = files.get(resolved).filter(|file| file.what == "directory") {
        if file.mode & 0o002 != 0 && file.mode & 0o1000 == 0 {
            entry::add(
                &mut weight,
                Severity::High,
                format!("everybody may put files into {resolved}, from where it takes libraries"),
            );
        } else if file.uid != 0 && !same_home(path, row.path.as_bytes()) {
            let reason =
                format!("{resolved}, from where it takes libraries, belongs to user id {}", file.uid);
            entry::add(&mut weight, Severity::Medium, reason);
        }
    } else if weigh::is_below(path, b"/home") && !weigh::is_below(row.path.as_bytes(), b"/home") {
        entry::add(
            &mut weight,
            Severity::Medium,
            format!("it takes libraries from {resolved}, which a user may make"),
        );
    }
    let packaged = weigh::is_packaged_place(row.path.as_bytes());
    let library = weigh::is_packaged_place(path);
    let local: [&[u8]; 3] = [b"/usr/local", b"/opt", b"/srv"];
    // A program of the system that was changed to look elsewhere first: packages do not point out of their own places.
    if packaged && !library && !weight.counts() && !path.starts_with(b"/usr/share/") {
        let severity = if local.iter().any(|place| weigh::is_below(path, place)) {
            Severity::Low
        } else {
            Severity::Medium
        };
        let there = files.get(resolved).is_some_and(|file| file.what != "missing");
        if there {
            entry::add(
                &mut weight,
                severity,
                format!("a program of the system takes libraries from {resolved}"),
            );
        }
    }
    if weight.counts() {
        weight.paths.push(resolved.clone());
    }
    weight
}

/// Whether both stand in the same home or tree of an administrator: what a user builds for himself.
fn same_home(directory: &[u8], program: &[u8]) -> bool {
    let top = |path: &[u8]| -> Vec<u8> {
        let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).take(2).collect();
        parts.join(&b'/')
    };
    let above = top(directory);
    let own: [&[u8]; 4] = [b"home/", b"opt/", b"srv/", b"root/"];
    own.iter().any(|begin| above.starts_with(begin)) && above == top(program)
}

fn interpreter_weight(files: &Files<'_>, row: &LinkedProgram, interpreter: &Text) -> Weight {
    let path = interpreter.as_bytes();
    let own_tree = same_home(path, row.path.as_bytes())
        || path.starts_with(b"/nix/")
        || path.starts_with(b"/gnu/store/");
    if own_tree {
        return Weight::default();
    }
    let mut weight = entry::standing(files, interpreter, "the loader it is started by");
    if weigh::is_packaged_place(row.path.as_bytes())
        && files.get(interpreter).is_none_or(|file| file.package.is_none() && file.packages_known)
    {
        let reason =
            format!("a program of the system is started by {interpreter}, which is not the system's loader");
        entry::add(&mut weight, Severity::High, reason);
        weight.paths.push(interpreter.clone());
    }
    weight
}

#[cfg(test)]
mod tests;
