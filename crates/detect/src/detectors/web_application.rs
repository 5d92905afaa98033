//! Detector: code that a web application runs by itself or that stands among its uploads, and does what it should not.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::kinds::{WebApplication, WebCode};
use calma_record::{Certainty, Severity, Text};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "web-application",
        doc: "Code that a web application runs by itself, or that stands among uploads or in a cache, and does something odd.",
        mechanisms: &[72, 109, 110],
        attack: &["T1505.003", "T1546"],
        why: "It runs with the web server's rights whenever a page is asked for, also after the site itself was updated.",
        innocent: "you, your host or a plugin of the site put it there",
        next: "keep it as evidence and read it; compare the whole site with a fresh copy of the same version",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<WebCode>() {
        let stray = matches!(row.role.as_str(), "upload" | "cache");
        let weight = if stray { stray_code(&files, &row) } else { own_code(&files, &row) };
        drafts.extend(code(&row, weight));
    }
    drafts.extend(tables.of::<WebApplication>().filter_map(|row| application(&row)));
}

fn code(row: &Row<'_, WebCode>, weight: Weight) -> Option<Draft> {
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let title = match row.role.as_str() {
        "upload" => format!("Program text stands where uploads of {} go", row.product),
        "cache" => format!("Program text that does something stands in a cache of {}", row.product),
        "settings" => format!("The settings of {} run something odd", row.product),
        role => format!("A {role} of {} does something odd", row.product),
    };
    let mut draft = Draft::new(severity, certainty, row.path.as_bytes(), title)
        .path(&row.path)
        .saw_all(weight.reasons.into_iter().take(10))
        .saw(format!("user id {} owns it, its content changed {}", row.uid, row.modified))
        .from(row, "what it does, in outline");
    for path in weight.paths.iter().take(8) {
        draft = draft.path(path);
    }
    Some(draft)
}

/// The line on which a file first does `act`.
fn line<'a>(row: &'a WebCode, act: &str) -> Option<&'a str> {
    row.acts.iter().find_map(|known| known.strip_prefix(act)?.strip_prefix(':'))
}

/// Code that the application runs by itself: settings, must-use plugins, drop-ins, start files.
fn own_code(files: &Files<'_>, row: &WebCode) -> Weight {
    let mut weight = Weight::default();
    let at = |act: &str| line(row, act);
    let both = |one: &str, other: &str| at(one).filter(|_| at(other).is_some());
    includes(files, row, &mut weight);
    if matches!(row.role.as_str(), "start file")
        && row.path.as_bytes().windows(13).any(|part| part == b"/wp-includes/")
    {
        // The application's own library does all of this; only what it includes tells.
        return weight;
    }
    let core = row.role == "start file";
    let mut add =
        |severity, line: &str, text: &str| entry::add(&mut weight, severity, format!("line {line}: {text}"));
    if let Some(line) = both("runs", "decodes").or(both("runs", "fetches")) {
        add(Severity::Medium, line, "it runs program text that was hidden or comes from another machine");
    } else if let Some(line) = both("runs", "takes-input") {
        add(Severity::Medium, line, "it runs programs and takes what a request says");
    } else if let Some(line) = at("runs").filter(|_| !core) {
        let severity = if row.role == "settings" { Severity::Medium } else { Severity::Low };
        add(severity, line, "it runs program text or commands");
    }
    if let Some(line) = both("makes-account", "administrator") {
        let severity = if core { Severity::Low } else { Severity::Medium };
        add(severity, line, "it makes an account with the site's highest rights");
    }
    if let Some(line) = both("hides", "calls").filter(|_| !core && at("checks").is_none()) {
        let severity = if row.role == "theme" { Severity::Low } else { Severity::Medium };
        add(severity, line, "it takes accounts or plugins out of the lists that the site shows");
    }
    if let Some(line) = both("signs-in", "takes-input").filter(|_| !core) {
        let severity = if at("checks").is_some() { Severity::Low } else { Severity::Medium };
        add(severity, line, "it signs in whoever sends the right request, without a password");
    }
    let leaves = ["fetches", "mails", "writes"].iter().find_map(|act| at(act));
    if let (Some(line), Some(_), Some(_)) = (at("watches-login"), at("password"), leaves) {
        let severity = if core { Severity::Low } else { Severity::Medium };
        add(severity, line, "it takes passwords at the sign-in and writes or sends something");
    }
    if let Some(line) = both("fetches", "writes").filter(|_| matches!(row.role.as_str(), "settings")) {
        add(Severity::Medium, line, "settings ask another machine and write files");
    }
    if let Some(line) =
        at("takes-upload").filter(|_| matches!(row.role.as_str(), "settings" | "drop-in" | "must-use plugin"))
    {
        add(Severity::Medium, line, "it takes uploaded files");
    }
    weight
}

/// Files that it includes, by where they stand and how they are named.
fn includes(files: &Files<'_>, row: &WebCode, weight: &mut Weight) {
    for include in &row.includes {
        let bytes = include.as_bytes();
        let Some(colon) = bytes.iter().position(|b| *b == b':') else { continue };
        let line = Text::from(bytes.get(..colon).unwrap_or_default());
        let written = bytes.get(colon + 1..).unwrap_or_default();
        let (hidden, target) = written.strip_prefix(b"!").map_or((false, written), |rest| (true, rest));
        let path = Text::from(target.strip_prefix(b"?").unwrap_or(target));
        let known = !target.starts_with(b"?");
        let mut reasons: Vec<(Severity, String)> = Vec::new();
        if hidden {
            reasons.push((
                Severity::High,
                format!("line {line}: it includes {path}, and hides the name so that nobody finds it"),
            ));
        }
        if weigh::contains(target, b"://") || target.starts_with(b"data:") {
            reasons.push((
                Severity::High,
                format!("line {line}: it runs what comes from {}", entry::short(&path)),
            ));
        } else if weigh::is_open(path.as_bytes()) && known {
            reasons.push((
                Severity::High,
                format!("line {line}: it includes {path}, where everybody may put files"),
            ));
        } else if known
            && (weigh::is_hidden(below(path.as_bytes(), row.root.as_bytes()))
                || weigh::is_deceptive(path.as_bytes()))
            && !is_mark(files, row, &path)
        {
            reasons.push((Severity::High, format!("line {line}: it includes {path}, whose name is hidden")));
        } else if is_shown(path.file_name()) {
            reasons.push((
                Severity::High,
                format!("line {line}: it includes {path}, which is named as no program text"),
            ));
        } else if [&b"/uploads/"[..], b"/upload/", b"/cache/", b"/sites/default/files/", b"/pub/media/"]
            .iter()
            .any(|part| weigh::contains(target, part))
            && row.role != "drop-in"
        {
            reasons.push((
                Severity::Medium,
                format!("line {line}: it includes {path}, from among uploads or a cache"),
            ));
        } else if known && row.role == "settings" && foreign(files, row, &path) {
            reasons.push((
                Severity::Medium,
                format!(
                    "line {line}: it includes {path}, which stands outside the site and belongs to no package"
                ),
            ));
        }
        for (severity, reason) in reasons {
            entry::add(weight, severity, reason);
            if known && path.as_bytes().starts_with(b"/") && !weight.paths.contains(&path) {
                weight.paths.push(path.clone());
            }
        }
    }
}

/// A hidden file that the application itself asks for: it is not there, or it says that the site is being updated.
fn is_mark(files: &Files<'_>, row: &WebCode, path: &Text) -> bool {
    let missing = files.get(path).is_some_and(|file| file.fact.what == "missing");
    let own = below(path.as_bytes(), row.root.as_bytes());
    missing || matches!(own, b"/.maintenance" | b"/.env.php" | b"/.env.local.php")
}

/// The part of a path below a folder, or the whole of it.
fn below<'a>(path: &'a [u8], folder: &[u8]) -> &'a [u8] {
    if weigh::is_below(path, folder) { path.get(folder.len()..).unwrap_or(path) } else { path }
}

/// A file outside the site that somebody put where settings do not stand.
fn foreign(files: &Files<'_>, row: &WebCode, path: &Text) -> bool {
    let above = row.root.as_bytes().rsplitn(2, |b| *b == b'/').last().unwrap_or_default();
    let usual = [&b"/etc"[..], b"/usr/share", b"/usr/local", b"/opt", b"/srv", b"/var/www", b"/home"];
    let inside = weigh::is_below(path.as_bytes(), above) && above.len() > 1;
    let packaged = files.get(path).is_some_and(|file| {
        file.fact.package.is_some() || file.fact.what == "missing" || !file.fact.packages_known
    });
    !inside && !packaged && !usual.iter().any(|place| weigh::is_below(path.as_bytes(), place))
}

/// Endings of things that are shown, never run.
fn is_shown(name: &[u8]) -> bool {
    const SHOWN: &[&[u8]] = &[
        b"jpg", b"jpeg", b"png", b"gif", b"ico", b"bmp", b"webp", b"svg", b"pdf", b"css", b"js", b"txt",
        b"log", b"woff", b"woff2", b"ttf", b"mp3", b"mp4", b"xml", b"zip", b"dat", b"bak", b"gz",
    ];
    let lower = name.to_ascii_lowercase();
    let mut parts = lower.rsplit(|b| *b == b'.');
    let last = parts.next().unwrap_or_default();
    parts.next().is_some() && SHOWN.contains(&last)
}

/// Code among uploads or in a cache: nothing that does something belongs there.
fn stray_code(files: &Files<'_>, row: &WebCode) -> Weight {
    let mut weight = Weight::default();
    if row.script {
        let found = weigh::file(files, &row.path, false);
        let odd = found.severity >= Some(Severity::Medium);
        if row.role == "upload" {
            entry::add(&mut weight, Severity::Low, "a script stands where visitors' files go");
        }
        if odd {
            entry::merge(&mut weight, found);
        }
        return weight;
    }
    let acts = [
        ("runs", "it runs program text or commands"),
        ("takes-upload", "it takes uploaded files"),
        ("fetches", "it asks another machine"),
        ("writes", "it writes files"),
        ("mails", "it sends mail"),
        ("calls-variable", "it calls functions whose names are not written down"),
        ("shows-settings", "it shows the settings of this server"),
        ("makes-account", "it makes accounts"),
        ("signs-in", "it signs somebody in"),
        ("takes-input", "it takes what a request says"),
    ];
    let seen: Vec<String> =
        acts.iter().filter_map(|(act, text)| Some(format!("line {}: {text}", line(row, act)?))).collect();
    includes(files, row, &mut weight);
    if row.role == "cache" {
        // What caches keep is often program text that their own plugin reads back.
        let telling = line(row, "runs").is_some() || line(row, "takes-upload").is_some();
        if telling && line(row, "takes-input").is_some() {
            seen.into_iter().for_each(|reason| entry::add(&mut weight, Severity::Medium, reason));
        } else {
            weight.severity = weight.severity.filter(|severity| *severity >= Severity::High);
        }
        return weight;
    }
    if seen.is_empty() {
        let ordinary =
            row.acts.iter().all(|act| act.starts_with("password") || act.starts_with("administrator"));
        if !ordinary {
            entry::add(
                &mut weight,
                Severity::Low,
                "there is program text in it that a site has no reason to keep there",
            );
        }
        return weight;
    }
    entry::add(
        &mut weight,
        Severity::Medium,
        "visitors' files go there, and nothing in it belongs to be run",
    );
    seen.into_iter().for_each(|reason| entry::add(&mut weight, Severity::Medium, reason));
    weight
}

/// How the application as a whole stands.
fn application(row: &Row<'_, WebApplication>) -> Option<Draft> {
    let identity = [row.root.as_bytes(), b"\0application"].concat();
    let name =
        if row.version.is_empty() { row.product.clone() } else { format!("{} {}", row.product, row.version) };
    let draft = |severity, title: String| {
        let mut draft = Draft::new(severity, Certainty::Possible, &identity, title)
            .saw(format!("{name} stands in {}", row.root))
            .innocent("the site updates itself, or its host set it up this way")
            .why("Whoever finds one hole in the site can change its own program text, and stays.")
            .next("let the web server write to uploads alone; leave updates to another account")
            .path(&row.root)
            .from(row, "the site's files");
        if let Some(example) = &row.writable_example {
            draft = draft.saw(format!("one of {}: {example}", row.writable));
        }
        draft
    };
    if row.world_writable > 0 {
        Some(draft(Severity::Low, format!("Every account may change program text of {}", row.product)))
    } else if row.writable > 0 {
        Some(draft(Severity::Info, format!("The web server may change program text of {}", row.product)))
    } else if row.debug {
        Some(draft(Severity::Info, format!("{} shows its inside when something fails", row.product)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
