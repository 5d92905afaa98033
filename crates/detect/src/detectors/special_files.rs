//! Detector: set-id files, capabilities and programs that ordinary systems do not have.

mod rights;

use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::SpecialFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "special-files",
        doc: "A file gives root's rights, or is a program where programs do not belong.",
        mechanisms: &[66, 67, 68],
        attack: &["T1548.001", "T1564.001", "T1036.005"],
        why: "Whoever reaches it from an ordinary account may become root, or has left a program where nobody looks.",
        innocent: "you or a program you installed by hand put it there",
        next: "do not run it; keep a copy as evidence, then take its rights away once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let late = rights::changed_late(tables);
    for file in tables.of::<SpecialFile>() {
        // One file, one finding: the worst of what is odd about it.
        let verdicts = [set_id(&file, &late), capability(&file), place(&file), immutable(&file)];
        let Some(worst) = verdicts.iter().flatten().max_by_key(|verdict| verdict.severity) else { continue };
        let mut draft =
            Draft::new(worst.severity, worst.certainty, file.path.as_bytes(), worst.title.clone())
                .saw_all(verdicts.iter().flatten().map(|verdict| verdict.seen.clone()))
                .saw(described(&file))
                .path(&file.path)
                .from(&file, "mode, owner and place");
        if let Some(same) = &file.same_as {
            draft = draft.saw(format!("its content is the same as {same}"));
        }
        drafts.push(draft);
    }
}

struct Verdict {
    severity: Severity,
    certainty: Certainty,
    title: String,
    seen: String,
}

fn verdict(
    severity: Severity,
    certainty: Certainty,
    title: String,
    seen: impl Into<String>,
) -> Option<Verdict> {
    Some(Verdict { severity, certainty, title, seen: seen.into() })
}

fn described(file: &SpecialFile) -> String {
    let owner = match (&file.package, file.packages_known) {
        (Some(package), _) => format!("the package list says it belongs to {package}"),
        (None, true) => "no package owns it".to_owned(),
        (None, false) => "the host's package list can not be read".to_owned(),
    };
    format!(
        "mode {:04o}, owner {}, group {}, changed {}; {owner}",
        file.mode, file.uid, file.gid, file.modified
    )
}

fn because(file: &SpecialFile, reason: &str) -> bool {
    file.reasons.iter().any(|have| have == reason)
}

/// Nobody owns it, and that means something.
fn unowned(file: &SpecialFile) -> bool {
    file.package.is_none() && file.packages_known
}

/// Where ordinary accounts or nobody but an intruder put programs.
fn in_a_loose_place(file: &SpecialFile) -> bool {
    let path = file.path.as_bytes();
    let loose =
        [&b"/tmp/"[..], b"/var/tmp/", b"/dev/", b"/home/", b"/root/", b"/run/", b"/srv/", b"/var/www/"];
    loose.iter().any(|place| path.starts_with(place)) || because(file, "hidden") || because(file, "odd-place")
}

fn set_id(file: &Row<'_, SpecialFile>, late: &rights::ChangedLate) -> Option<Verdict> {
    if !because(file, "set-id") {
        return None;
    }
    let (as_user, path) = (file.mode & 0o4000 != 0, &file.path);
    let becomes_root = as_user && file.uid == 0;
    let what = if as_user { "set-user-id" } else { "set-group-id" };
    let who = if as_user { format!("user {}", file.uid) } else { format!("group {}", file.gid) };
    let seen = format!("whoever runs it gets the rights of {who}");
    let powerful = file.same_as.as_ref().unwrap_or(path);
    if rights::gives_a_shell(powerful) && (file.elf || file.same_as.is_some()) {
        let severity = if becomes_root { Severity::High } else { Severity::Medium };
        let title = format!("{path} gives everybody the rights of {who}: it runs any command and is {what}");
        return verdict(severity, Certainty::VeryLikely, title, seen);
    }
    if in_a_loose_place(file) && file.package.is_none() {
        let severity = if becomes_root && file.elf { Severity::High } else { Severity::Medium };
        let title = format!("A {what} file stands where no program belongs: {path}");
        return verdict(severity, Certainty::VeryLikely, title, seen);
    }
    if unowned(file) {
        // Vendors install into /opt with all they need. A set-user-id root program put by hand into a directory that
        // everybody's PATH holds is rare enough to ask about.
        let vendor = path.as_bytes().starts_with(b"/opt/");
        let severity = if vendor || !becomes_root || !file.elf { Severity::Low } else { Severity::Medium };
        let title = format!("A {what} file that no package owns: {path}");
        return verdict(severity, Certainty::Likely, title, seen);
    }
    if late.contains(path) && becomes_root {
        let title = format!("{path} was changed after its package was installed, and is {what}");
        let seen = format!("{seen}; its rights or owner changed on {}, after the installation", file.changed);
        return verdict(Severity::Medium, Certainty::Possible, title, seen);
    }
    None
}

fn capability(file: &Row<'_, SpecialFile>) -> Option<Verdict> {
    let granted = rights::granted(&file.capability)?;
    let (path, powers) = (&file.path, rights::powers(granted));
    let names = powers.join(", ");
    let seen = format!("its capabilities ({names}) work for whoever runs it");
    let as_root = rights::as_good_as_root(granted);
    let powerful = file.same_as.as_ref().unwrap_or(path);
    if as_root && rights::gives_a_shell(powerful) {
        let title = format!("{path} runs any command, and its capabilities make everybody root");
        return verdict(Severity::High, Certainty::VeryLikely, title, seen);
    }
    if as_root && (unowned(file) || (in_a_loose_place(file) && file.package.is_none())) {
        let title = format!("A program that no package owns is as good as root by its capabilities: {path}");
        return verdict(Severity::High, Certainty::Likely, title, seen);
    }
    if rights::sees_traffic(granted) && file.package.is_none() {
        let severity = if in_a_loose_place(file) { Severity::Medium } else { Severity::Low };
        let title = format!("A program that no package owns may read the network's traffic: {path}");
        return unowned(file).then(|| verdict(severity, Certainty::Possible, title, seen))?;
    }
    None
}

fn place(file: &Row<'_, SpecialFile>) -> Option<Verdict> {
    let path = &file.path;
    if file.package.is_some() {
        return None;
    }
    let shown = if file.elf { "program" } else { "script" };
    let telling = file.elf || because(file, "temporary") || rights::name_imitates(path);
    if because(file, "hidden") && telling {
        let title = format!("A {shown} in a hidden place: {path}");
        return verdict(
            Severity::Medium,
            Certainty::Likely,
            title,
            "a name on the way is made to be overlooked",
        );
    }
    if because(file, "device-folder") {
        let title = format!("An ordinary file among the devices: {path}");
        return verdict(Severity::Medium, Certainty::Likely, title, "/dev holds devices, not files");
    }
    if because(file, "odd-place") && unowned(file) {
        let title = format!("A program where only settings, documents or logs belong: {path}");
        return verdict(Severity::Medium, Certainty::Likely, title, "it is an ELF program");
    }
    if because(file, "temporary") {
        let title = format!("A {shown} in a temporary folder: {path}");
        return verdict(Severity::Low, Certainty::Possible, title, "everybody may write to this folder");
    }
    None
}

fn immutable(file: &Row<'_, SpecialFile>) -> Option<Verdict> {
    if !because(file, "immutable") {
        return None;
    }
    let path = &file.path;
    let seen = "the immutable attribute is set: not even root can change or delete it before chattr -i";
    let title = format!("{path} is protected against being changed");
    let way_in = rights::is_a_way_in(path);
    let severity = match file.package {
        None if way_in || because(file, "set-id") => Severity::Medium,
        None if file.elf || file.script.is_some() => Severity::Medium,
        // Hardened servers freeze their programs and settings like this.
        _ => Severity::Info,
    };
    verdict(severity, Certainty::Possible, title, seen)
}

#[cfg(test)]
mod tests;
