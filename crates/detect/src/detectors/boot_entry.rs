//! Detector: a kernel's command line that opens the system or switches protection off, or starts foreign files.

mod options;

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, Text, kinds::BootEntry, kinds::System};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "boot-entry",
        doc: "The boot loader starts the system with another first program, an open root shell, protection switched off, or files from odd places.",
        mechanisms: &[29, 36, 37],
        attack: &["T1542", "T1562.001", "T1547"],
        why: "What is decided at boot comes before every protection of the running system.",
        innocent: "you set this option yourself, to repair something or for a program that asked for it",
        next: "look at the entry and at the settings it is made from; keep copies of both and of the boot images before the next restart",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let contained = tables.of::<System>().any(|system| !system.container.is_empty());
    // In a container the running kernel is another machine's.
    let ours = |row: &Row<'_, BootEntry>| row.what != "running" || !contained;
    let mut loose = BTreeSet::new();
    let mut odd: BTreeMap<&Text, (Weight, Vec<Row<'_, BootEntry>>)> = BTreeMap::new();
    let mut all: Vec<_> = tables.of::<BootEntry>().filter(ours).collect();
    all.sort_by(|a, b| a.id.cmp(b.id));
    for row in all {
        for option in &row.fact.options {
            let weight = options::weigh(&files, option.as_bytes());
            if weight.counts() {
                let entry = odd.entry(option).or_insert_with(|| (weight, Vec::new()));
                entry.1.push(row);
            }
        }
        if row.what == "running" {
            continue;
        }
        if loose.insert(&row.fact.path) {
            let weight = entry::loose(&files, &row.path, None);
            let title = format!("Others may change what is started at boot: {}", row.path);
            let identity = [b"loose\0", row.path.as_bytes()].concat();
            drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.title, &row));
        }
        images(&files, &row, drafts);
    }
    for (option, (weight, rows)) in odd {
        drafts.push(draft(option.as_bytes(), option.to_string(), weight, &rows));
    }
    off(tables, contained, drafts);
}

fn draft(identity: &[u8], shown: String, weight: Weight, rows: &[Row<'_, BootEntry>]) -> Draft {
    let severity = weight.severity.unwrap_or(Severity::Low);
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let title = format!("The system is started with {}", entry::short(&shown.as_str().into()));
    let mut draft = Draft::new(severity, certainty, identity, title).saw_all(weight.reasons);
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for row in rows.iter().take(8) {
        draft = draft.saw(place(row)).path(&row.path).from(row, "the command line");
    }
    for path in &weight.paths {
        draft = draft.path(path);
    }
    draft
}

fn place(row: &BootEntry) -> String {
    match row.what.as_str() {
        "running" => "the kernel that runs now was started so".to_owned(),
        "menu" if !row.title.is_empty() => {
            format!("line {} of {} has it, in \"{}\"", row.line, row.path, entry::short(&row.title))
        }
        _ => format!("line {} of {} has it", row.line, row.path),
    }
}

/// Kernels and initial file systems from odd places, and file systems laid over the first one.
fn images(files: &Files<'_>, row: &Row<'_, BootEntry>, drafts: &mut Vec<Draft>) {
    let mut weight = Weight::default();
    let entry = row.fact;
    for path in entry.kernel_file.iter().chain(&entry.initrd_files) {
        let bytes = path.as_bytes();
        let mut own = entry::loose(files, path, None);
        if weigh::is_open(bytes) || weigh::is_hidden(bytes) || weigh::is_deceptive(bytes) {
            entry::add(&mut own, Severity::High, format!("{path} stands where no kernel or boot image does"));
        } else if !is_boot_place(bytes) {
            entry::add(&mut own, Severity::Medium, format!("{path} stands outside the places of boot files"));
        }
        if own.counts() {
            own.paths.push(path.clone());
            weight = weight.and(own);
        }
    }
    let more = entry.initrds.iter().filter(|image| !is_early(image.file_name())).skip(1);
    for image in more.filter(|image| !image.as_bytes().contains(&b'$')) {
        let reason = format!("{image} is laid over the first initial file system at boot");
        weight = weight.and(Weight::of(Severity::Medium, reason));
        weight
            .paths
            .extend(entry.initrd_files.iter().filter(|file| file.file_name() == image.file_name()).cloned());
    }
    if entry.what == "setting" && !entry.initrds.is_empty() {
        let named: Vec<String> = entry.initrds.iter().map(ToString::to_string).collect();
        let reason = format!("{} puts {} before every initial file system", entry.title, named.join(", "));
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    let identity = [b"image\0", row.path.as_bytes(), b"\0", row.title.as_bytes()].concat();
    let title = "An entry of the boot loader starts odd files".to_owned();
    drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.title, row));
}

/// Where kernels and boot images are.
fn is_boot_place(path: &[u8]) -> bool {
    let top = path.iter().filter(|b| **b == b'/').count() == 1;
    let places: [&[u8]; 6] =
        [b"/boot", b"/efi", b"/usr/lib/modules", b"/lib/modules", b"/usr/lib/linux", b"/live"];
    top || places.iter().any(|place| weigh::is_below(path, place))
}

/// Microcode and tables that come before the initial file system.
fn is_early(name: &[u8]) -> bool {
    let parts: [&[u8]; 4] = [b"ucode", b"microcode", b"acpi", b"early"];
    parts.iter().any(|part| weigh::contains(name, part))
}

/// Protection that is switched off: whether everywhere alike, as an administrator does it, or in one place alone.
fn off(tables: &Tables, contained: bool, drafts: &mut Vec<Draft>) {
    const GROUPS: [&str; 3] = ["setting", "menu", "running"];
    let rows: Vec<Row<'_, BootEntry>> = tables
        .of::<BootEntry>()
        .filter(|row| !row.options.is_empty() && (row.what != "running" || !contained))
        .collect();
    let mut found: BTreeMap<&str, Vec<Row<'_, BootEntry>>> = BTreeMap::new();
    for row in &rows {
        let named: BTreeSet<&str> =
            row.fact.options.iter().filter_map(|option| options::switches_off(option.as_bytes())).collect();
        for what in named {
            found.entry(what).or_default().push(*row);
        }
    }
    if found.is_empty() {
        return;
    }
    let has = |rows: &[Row<'_, BootEntry>], group: &str| rows.iter().any(|row| row.what == group);
    let there: Vec<&str> = GROUPS.into_iter().filter(|group| has(&rows, group)).collect();
    let mut weight = Weight::default();
    for (what, rows) in &found {
        let with: Vec<&str> = there.iter().copied().filter(|group| has(rows, group)).collect();
        let alike = with.len() == there.len() && (with.len() > 1 || with == ["running"]);
        let severity = if alike && options::is_ordinary(what) { Severity::Low } else { Severity::Medium };
        entry::add(&mut weight, severity, format!("it switches off {what}"));
        if with.len() < there.len() {
            let says = |group: &&str| match *group {
                "setting" => "the settings that the menu is made from",
                "menu" => "the boot menu",
                _ => "the running kernel",
            };
            let (with, without): (Vec<&str>, Vec<&str>) = (
                with.iter().map(says).collect(),
                there.iter().filter(|group| !with.contains(group)).map(says).collect(),
            );
            let reason = format!("{what}: off in {}, not in {}", with.join(" and "), without.join(" and "));
            entry::add(&mut weight, Severity::Low, reason);
        }
    }
    if found.len() > 1 {
        entry::add(&mut weight, Severity::Medium, "several protections are switched off at once");
    }
    let mut rows: Vec<_> = found.values().flatten().copied().collect();
    rows.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    rows.dedup_by(|a, b| (&a.path, a.line) == (&b.path, b.line));
    let names: Vec<&str> = found.keys().copied().collect();
    drafts.push(draft(b"off", format!("{} switched off", names.join(", ")), weight, &rows));
}

#[cfg(test)]
mod tests;
