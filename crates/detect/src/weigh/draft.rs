//! Findings about commands that start by themselves, in one form for all mechanisms.

use super::{Files, Weight, command, file, variable};
use crate::{Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::ScheduledJob, kinds::StartupCommand};

/// A finding of what `weight` says: what was written where, the reasons, and every unusual file. `None` if it weighs nothing.
pub fn draft<K>(
    weight: Weight,
    identity: &[u8],
    title: String,
    path: &Text,
    line: u32,
    written: &Text,
    row: &Row<'_, K>,
) -> Option<Draft> {
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let certainty = match severity {
        Severity::High | Severity::Critical => Certainty::VeryLikely,
        Severity::Medium => Certainty::Likely,
        _ => Certainty::Possible,
    };
    let said = if line == 0 {
        format!("{path} is run as a whole")
    } else {
        format!("line {line} of {path} says: {}", short(written))
    };
    let mut draft = Draft::new(severity, certainty, identity, title)
        .path(path)
        .saw(said)
        .saw_all(weight.reasons)
        .from(row, "what is run");
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft)
}

/// A command cut to a length that can be read.
fn short(command: &Text) -> String {
    let shown = command.to_string();
    match shown.char_indices().nth(200) {
        Some((at, _)) => format!("{} …", shown.get(..at).unwrap_or_default()),
        None => shown,
    }
}

/// Weighs the startup commands of some mechanisms and puts out a finding for each that counts.
pub fn startup_commands(tables: &Tables, mechanisms: &[&str], what: &str, drafts: &mut Vec<Draft>) {
    each_startup_command(tables, mechanisms, what, &|_, _| Weight::default(), drafts);
}

type More<'a> = &'a dyn Fn(&Files<'_>, &StartupCommand) -> Weight;

fn each_startup_command(
    tables: &Tables,
    mechanisms: &[&str],
    what: &str,
    more: More<'_>,
    drafts: &mut Vec<Draft>,
) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>().filter(|row| mechanisms.contains(&row.mechanism.as_str())) {
        let weight = if row.line == 0 {
            file(&files, &row.path, row.as_root)
        } else {
            command(&files, &row.command, row.as_root)
        };
        let weight = if row.line == 0 { weight } else { weight.and(changeable(&files, &row)) };
        let weight = own_script(&files, row.fact, weight.and(more(&files, row.fact)));
        // A note of what the package itself does is no finding; its files were weighed as the package's.
        if row.package.is_some() && row.line != 0 && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("{what} runs something odd {}", row.when);
        drafts.extend(draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
}

/// [`startup_commands`] for mechanisms whose directories hold scripts: weighs also whether a script stands among a package's
/// own and is none, or is a compiled program.
pub fn hooks(tables: &Tables, mechanisms: &[&str], what: &str, drafts: &mut Vec<Draft>) {
    each_startup_command(tables, mechanisms, what, &out_of_place, drafts);
}

/// Directories that an administrator's own scripts stand in too, because their tool knows no other: systemd-sleep(8),
/// systemd-shutdown(8), dracut(8).
const ONLY: &[&[u8]] = &[
    b"/usr/lib/systemd/system-sleep",
    b"/lib/systemd/system-sleep",
    b"/usr/lib/systemd/system-shutdown",
    b"/lib/systemd/system-shutdown",
    b"/usr/lib/dracut/modules.d",
];

/// Where a script can stand nowhere else, that no package owns it is worth no more than a word; what it does counts.
fn own_script(files: &Files<'_>, row: &StartupCommand, mut weight: Weight) -> Weight {
    let Some(file) = files.get(&row.path).filter(|file| file.what == "file" && !file.elf) else {
        return weight;
    };
    let place = file.real.as_ref().unwrap_or(&row.path);
    let own = |reason: &String| {
        let named = [format!("{} ", row.path), format!("{place} "), "it ".to_owned()];
        reason.ends_with("but no package owns it") && named.iter().any(|name| reason.starts_with(name))
    };
    let here = ONLY.iter().any(|directory| super::is_below(place.as_bytes(), directory));
    if here && file.text.is_some() && weight.reasons.iter().all(own) {
        weight.severity = weight.severity.min(Some(Severity::Low));
    }
    weight
}

/// A whole script that does not belong where it stands.
fn out_of_place(files: &Files<'_>, row: &StartupCommand) -> Weight {
    let described = files.get(&row.path).filter(|file| file.what == "file");
    let Some(file) = described.filter(|_| row.line <= 1 && row.package.is_none() && row.packages_known)
    else {
        return Weight::default();
    };
    let place = file.real.as_ref().unwrap_or(&row.path);
    // A program in /usr/lib is weighed as one of no package already.
    let packaged = super::is_packaged_place(place.as_bytes());
    if super::is_below(place.as_bytes(), b"/usr/share") || (row.line == 1 && packaged) {
        Weight::of(
            Severity::Medium,
            format!("{place} stands among the files of packages, but no package owns it"),
        )
    } else if file.elf && row.line == 0 && !packaged {
        Weight::of(
            Severity::Medium,
            format!("{} is a compiled program where scripts stand, and no package owns it", row.path),
        )
    } else {
        Weight::default()
    }
}

/// Who may change the file that names a command, and whether its name is made to be overlooked.
pub fn changeable(files: &Files<'_>, row: &StartupCommand) -> Weight {
    let mut weight = Weight::default();
    let Some(file) = files.get(&row.path).filter(|file| file.what == "file") else { return weight };
    if row.as_root && (file.mode & 0o002 != 0 || (file.uid != 0 && row.package.is_none())) {
        weight = weight.and(Weight::of(Severity::Medium, "somebody other than root may change it"));
    }
    if super::is_deceptive(row.path.as_bytes()) {
        weight = weight.and(Weight::of(Severity::Medium, "its name is made to be overlooked"));
    }
    let place = file.real.as_ref().unwrap_or(&row.path);
    if super::is_open(place.as_bytes()) {
        let reason = format!("it stands in {place}, where anybody may put files");
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    let unowned = row.package.is_none() && row.packages_known;
    if unowned && super::is_packaged_place(place.as_bytes()) {
        let reason = "it stands among the files of packages, but no package owns it";
        weight = weight.and(Weight::of(Severity::Low, reason));
    }
    weight
}

/// Weighs the scheduled jobs of some schedulers and puts out a finding for each that counts.
pub fn scheduled_jobs(tables: &Tables, schedulers: &[&str], drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<ScheduledJob>().filter(|row| schedulers.contains(&row.scheduler.as_str())) {
        let job = row.fact;
        let mut weight = if job.line == 0 {
            file(&files, &job.path, job.as_root)
        } else {
            command(&files, &shell_text(job), job.as_root)
        };
        for setting in &job.environment {
            let at = setting.as_bytes().iter().position(|b| *b == b'=').unwrap_or(0);
            let (name, value) = (setting.as_bytes().get(..at), setting.as_bytes().get(at + 1..));
            weight = weight.and(variable(
                &files,
                name.unwrap_or_default(),
                value.unwrap_or_default(),
                job.as_root,
            ));
        }
        let hides =
            job.command.as_bytes().iter().any(|b| b.is_ascii_control() && !matches!(b, b'\t' | b'\n'));
        if hides && job.line != 0 {
            let reason = "its line has control characters, which hide it from whoever lists it";
            weight = weight.and(Weight::of(Severity::Medium, reason));
        }
        if job.as_root && (job.mode & 0o002 != 0 || (job.uid != 0 && job.scheduler != "at")) {
            weight = weight.and(Weight::of(Severity::Medium, "somebody other than root may change it"));
        }
        let identity = [job.path.as_bytes(), b"\0", job.command.as_bytes()].concat();
        let title = format!("A {} job of \"{}\" runs something odd, {}", job.scheduler, job.user, job.when);
        drafts.extend(
            draft(weight, &identity, title, &job.path, job.line, &job.command, &row)
                .map(|draft| draft.account(&job.user)),
        );
    }
}

/// A cron job's command as its shell sees it: an unescaped percent sign ends a line (crontab(5)).
fn shell_text(job: &ScheduledJob) -> Text {
    if job.scheduler != "cron" {
        return job.command.clone();
    }
    let mut text = Vec::new();
    let mut bytes = job.command.as_bytes().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.peek() == Some(&b'%') => text.extend(bytes.next()),
            b'%' => text.push(b'\n'),
            _ => text.push(byte),
        }
    }
    text.into()
}
