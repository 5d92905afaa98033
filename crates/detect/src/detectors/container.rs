//! Detector: containers that are the host under another name, and what engines run or listen to.

mod images;
mod reach;
#[cfg(test)]
mod tests;

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::kinds::{Container, ContainerSetting};
use calma_record::{Certainty, Severity, Text};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "container",
        doc: "A container or static pod that can act on the host as root, a hook that runs on the host, an engine that strangers can command.",
        mechanisms: &[77, 104],
        attack: &["T1610", "T1611", "T1053.007"],
        why: "Whoever is root inside such a container is root on the host, and comes back when the engine starts it again.",
        innocent: "it is your own monitoring, backup, or build system, and you gave it this reach",
        next: "ask who started it and what it runs; keep its files before it is removed",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<Container>() {
        drafts.extend(container(&files, &row));
    }
    for row in tables.of::<ContainerSetting>() {
        drafts.extend(setting(&files, &row));
    }
    weigh::startup_commands(tables, &["container hook"], "A container hook", drafts);
}

fn container(files: &Files<'_>, row: &Row<'_, Container>) -> Option<Draft> {
    let weight = weigh_container(files, row.fact);
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let what = if row.runtime == "static pod" { "static pod" } else { "container" };
    let name = if row.name.is_empty() { &row.fact.id } else { &row.fact.name };
    let title = match severity {
        Severity::Low => format!("The {what} \"{name}\" reaches further into the host than most"),
        _ if reaches_nothing(row.fact) => format!("The {what} \"{name}\" runs something odd"),
        _ => format!("The {what} \"{name}\" can act on the host as root"),
    };
    let identity = [row.runtime.as_bytes(), b"\0", row.fact.id.as_bytes()].concat();
    let mut draft =
        Draft::new(severity, certainty, identity, title).path(&row.path).from(row, "its settings");
    draft = draft.saw_all(weight.reasons.into_iter().take(12));
    if !row.image.is_empty() {
        draft = draft.saw(format!("it was made from the image {}", entry::short(&row.image)));
    }
    if !row.command.is_empty() {
        let line = row.command.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b' ');
        draft = draft.saw(format!("it runs {}", entry::short(&line.into())));
    }
    if !row.restart.is_empty() {
        draft = draft.saw("it is started again when it ends or the host boots");
    }
    for path in weight.paths.iter().take(16) {
        draft = draft.path(path);
    }
    if let Some(pid) = row.pid {
        draft = draft.pid(pid);
    }
    Some(draft)
}

/// Whether nothing but its command can have counted.
fn reaches_nothing(row: &Container) -> bool {
    !row.privileged
        && !row.host_pid
        && row.writable.is_empty()
        && row.readable.is_empty()
        && row.devices.is_empty()
        && row.capabilities.is_empty()
}

fn weigh_container(files: &Files<'_>, row: &Container) -> Weight {
    let mut weight = reach::weigh(row);
    // Of a root that is an ordinary user outside, the host's root has nothing to fear.
    if row.user_namespace {
        weight.severity = weight.severity.map(|severity| severity.min(Severity::Info));
    } else if images::is_infrastructure(&row.image) && !reach::is_shell(row) {
        let bound = if weight.severity >= Some(Severity::High) && reach::writes_root(row) {
            Severity::Medium
        } else {
            Severity::Low
        };
        weight.severity = weight.severity.map(|severity| severity.min(bound));
    }
    let pod = row.runtime == "static pod";
    let command = line_of(&row.command);
    let runs = weigh::command(files, &command, true);
    // Paths in it are the container's own, so that one odd thing says little.
    if runs.severity >= Some(Severity::High) {
        let reasons = runs.reasons.into_iter().map(|reason| format!("its command: {reason}"));
        for reason in reasons {
            entry::add(&mut weight, Severity::Medium, reason);
        }
    }
    if pod {
        let standing = entry::standing(files, &row.path, "the manifest");
        if standing.severity >= Some(Severity::Medium) && !weigh::is_below(row.path.as_bytes(), b"/var/lib") {
            entry::merge(&mut weight, standing);
        }
    }
    weight
}

/// Words as one line of the shell.
fn line_of(words: &[Text]) -> Text {
    let quote = |word: &Text| {
        let inside = word.as_bytes().split(|b| *b == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]);
        let plain = inside.iter().all(|b| b.is_ascii_alphanumeric() || b"/._-=:,".contains(b));
        if plain { inside } else { [b"'", inside.as_slice(), b"'"].concat() }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(&b' ').into()
}

fn setting(files: &Files<'_>, row: &Row<'_, ContainerSetting>) -> Option<Draft> {
    let identity = [row.path.as_bytes(), b"\0", row.value.as_bytes()].concat();
    let value = entry::short(&row.value);
    if row.name == "runtime" {
        let weight = entry::program(files, &row.value, true);
        let title = "A container engine makes containers with a program that looks odd".to_owned();
        return weigh::draft(weight, &identity, title, &row.path, 1, &row.value, row).map(|draft| {
            draft
                .why("It is run as root whenever a container is made, and again after every restart.")
                .innocent("a runtime that somebody installed by hand, for other hardware or for isolation")
                .next("look what it is and who put it there before any container is started again")
        });
    }
    let address = row.value.as_bytes().strip_prefix(b"tcp://").filter(|_| !row.verified)?;
    let own = [&b"127."[..], b"localhost", b"[::1]"].iter().any(|own| address.starts_with(own));
    let severity = if own { Severity::Low } else { Severity::Medium };
    let title = "Whoever reaches the container engine over the network is root here";
    Some(
        Draft::new(severity, Certainty::Likely, identity, title)
            .path(&row.path)
            .saw(format!("{} makes it listen on {value} and ask nobody for a certificate", row.path))
            .why("Whoever may command the engine can start a container that changes every file of this server.")
            .innocent("a network of its own that only you reach; the address tells")
            .next("have it listen on its socket alone, or ask for certificates; then look for containers that are not yours")
            .from(row, "where it listens"),
    )
}
