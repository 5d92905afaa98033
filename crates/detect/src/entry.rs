//! What the detectors of entry and login share: how a file that a login trusts stands, and weights put together.

use crate::weigh::{self, Files, Weight};
use calma_record::{Severity, Text};

/// Adds a reason to a weight.
pub(crate) fn add(weight: &mut Weight, severity: Severity, reason: impl Into<String>) {
    let reason = reason.into();
    if weight.reasons.contains(&reason) {
        return;
    }
    if Some(severity) > weight.severity {
        weight.severity = Some(severity);
        weight.reasons.insert(0, reason);
    } else {
        weight.reasons.push(reason);
    }
}

/// Adds all reasons of `other`.
pub(crate) fn merge(weight: &mut Weight, other: Weight) {
    let worse = other.severity > weight.severity;
    weight.severity = weight.severity.max(other.severity);
    let first = if worse { other.reasons.clone() } else { Vec::new() };
    let rest = if worse { std::mem::take(&mut weight.reasons) } else { other.reasons };
    weight.reasons.splice(0..0, first);
    for reason in rest {
        if !weight.reasons.contains(&reason) {
            weight.reasons.push(reason);
        }
    }
    for path in other.paths {
        if !weight.paths.contains(&path) {
            weight.paths.push(path);
        }
    }
}

/// Whether a name in `path` is hidden or made to be overlooked.
pub(crate) fn is_hidden(path: &[u8]) -> bool {
    weigh::is_hidden(path) || weigh::is_deceptive(path)
}

/// Whether `path` is where an administrator keeps what is his own.
pub(crate) fn is_local(path: &[u8]) -> bool {
    [&b"/usr/local"[..], b"/opt", b"/srv", b"/etc", b"/root", b"/home"]
        .iter()
        .any(|place| weigh::is_below(path, place))
}

/// How the file at `path`, which root's programs trust, stands: its place, who may change it, whether a package owns it.
///
/// Low where an administrator may well have put it there; `what` names it in the reasons ("the module").
pub(crate) fn standing(files: &Files<'_>, path: &Text, what: &str) -> Weight {
    let mut weight = Weight::default();
    let file = files.get(path);
    let real = file.and_then(|file| file.fact.real.as_ref()).unwrap_or(path);
    for place in [path, real] {
        if weigh::is_open(place.as_bytes()) {
            add(&mut weight, Severity::High, format!("{what} {place} stands where everybody may write"));
        } else if is_hidden(place.as_bytes()) {
            add(&mut weight, Severity::High, format!("{what} {place} is hidden"));
        }
    }
    if let Some(file) = file.map(|file| file.fact) {
        let group = file.mode & 0o020 != 0 && !matches!(file.gid, 0 | 50);
        if file.what == "missing" {
            add(&mut weight, Severity::Info, format!("{what} {path} is not there"));
        } else if file.mode & 0o002 != 0
            && file.what != "link"
            && !(file.what == "directory" && file.mode & 0o1000 != 0)
        {
            add(&mut weight, Severity::High, format!("everybody may change {path} (mode {:04o})", file.mode));
        } else if file.uid != 0 {
            add(
                &mut weight,
                Severity::Medium,
                format!("{path} belongs to user id {}, not to root", file.uid),
            );
        } else if group && file.package.is_none() {
            add(
                &mut weight,
                Severity::Low,
                format!("group {} may change {path} (mode {:04o})", file.gid, file.mode),
            );
        }
        let unowned = file.packages_known && file.package.is_none() && file.what == "file";
        if unowned && is_local(real.as_bytes()) {
            add(&mut weight, Severity::Low, format!("no package owns {path}"));
        } else if unowned {
            add(
                &mut weight,
                Severity::Medium,
                format!("{path} stands among the system's own files, but no package owns it"),
            );
        }
    }
    if weight.severity.is_some() {
        weight.paths.push(path.clone());
    }
    weight
}

/// A command that a login runs: what it does, and how the program it names stands.
pub(crate) fn program(files: &Files<'_>, command: &Text, as_root: bool) -> Weight {
    let mut weight = weigh::command(files, command, as_root);
    let first = command.as_bytes().split(|b| b.is_ascii_whitespace()).find(|word| !word.is_empty());
    if let Some(first) = first.filter(|word| word.starts_with(b"/")) {
        merge(&mut weight, standing(files, &first.into(), "the program"));
    }
    weight
}

/// Whether everybody may change the file or the directory it stands in, or a stranger owns it: reasons, none if all is
/// in order. `owner` is the account's own id, which may own it besides root.
pub(crate) fn loose(files: &Files<'_>, path: &Text, owner: Option<u32>) -> Weight {
    let mut weight = Weight::default();
    let parent = path.as_bytes().strip_suffix(path.file_name()).and_then(|parent| parent.strip_suffix(b"/"));
    for place in [Some(path.clone()), parent.map(Text::from)].into_iter().flatten() {
        let Some(file) = files.get(&place).map(|row| row.fact).filter(|file| file.what != "missing") else {
            continue;
        };
        let sticky = file.what == "directory" && file.mode & 0o1000 != 0;
        if file.mode & 0o002 != 0 && file.what != "link" && !sticky {
            add(
                &mut weight,
                Severity::High,
                format!("everybody may change {place} (mode {:04o})", file.mode),
            );
        } else if file.uid != 0 && Some(file.uid) != owner {
            add(&mut weight, Severity::Medium, format!("{place} belongs to user id {}", file.uid));
        }
    }
    if weight.severity.is_some() {
        weight.paths.push(path.clone());
    }
    weight
}

/// Text cut to a length that fits a sentence.
pub(crate) fn short(text: &Text) -> String {
    let shown = text.to_string();
    match shown.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", shown.get(..at).unwrap_or_default()),
        None => shown,
    }
}
