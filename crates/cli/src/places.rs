//! Where cases stand: for a new one, and to find the newest.

use crate::args::{Triage, Witness};
use crate::exit::Refusal;
use calma_case::{About, Case, Place, PlaceFacts, PlaceKind, Purpose};
use calma_host::{Live, Tree as _};
use calma_record::Text;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The case for a look at this machine, and what the user must know about its place.
pub(crate) fn local(arguments: &Triage) -> anyhow::Result<(Case, Option<String>)> {
    let target = match &arguments.root {
        Some(root) => Text::from(root.as_os_str().as_bytes()),
        None => own_name(),
    };
    if let Some(folder) = &arguments.case {
        return Ok((named(folder, &target)?, None));
    }
    // A mounted root is somebody else's disk: this machine is the clean one.
    let purpose = if arguments.root.is_some() { Purpose::FromElsewhere } else { Purpose::OnTheSuspect };
    create(purpose, &target)
}

/// The case for a look at another host.
pub(crate) fn remote(arguments: &Triage, host: &str, several: bool) -> anyhow::Result<Case> {
    let target = Text::from(host);
    match &arguments.case {
        Some(folder) if several => {
            let place = Place::choose(Purpose::FromElsewhere, host, &PlaceFacts::gather())?;
            named(&folder.join(place.folder.file_name().unwrap_or(host.as_ref())), &target)
        }
        Some(folder) => named(folder, &target),
        None => Ok(create(Purpose::FromElsewhere, &target)?.0),
    }
}

/// The case for what this machine hears of another one.
pub(crate) fn witness(arguments: &Witness) -> anyhow::Result<Case> {
    let target = format!("witness-{}", arguments.host.first().map_or("all", String::as_str));
    let target = Text::from(target);
    match &arguments.case {
        Some(folder) => named(folder, &target),
        None => Ok(create(Purpose::FromElsewhere, &target)?.0),
    }
}

/// The case for changes to this machine or another one, where there is none yet.
pub(crate) fn for_changes(folder: Option<&Path>, host: Option<&str>) -> anyhow::Result<Case> {
    let target = host.map_or_else(own_name, Text::from);
    match (folder, host) {
        (Some(folder), _) => named(folder, &target),
        (None, Some(_)) => Ok(create(Purpose::FromElsewhere, &target)?.0),
        (None, None) => Ok(create(Purpose::OnTheSuspect, &target)?.0),
    }
}

fn create(purpose: Purpose, target: &Text) -> anyhow::Result<(Case, Option<String>)> {
    let mut facts = PlaceFacts::gather();
    let name = String::from_utf8_lossy(target.file_name()).into_owned();
    // Two looks that begin at once may choose the same name: the second one chooses again.
    for _ in 0..20 {
        let place = Place::choose(purpose, &name, &facts).map_err(|error| {
            Refusal::new(
                error.to_string(),
                "name a folder on another disk with --case DIR, or use calma at from a clean machine",
            )
        })?;
        match Case::create(&place.folder, &About::new(env!("CARGO_PKG_VERSION"), target.clone(), place.kind))
        {
            Err(calma_case::CaseError::AlreadyThere(_)) => facts.taken.push(place.folder),
            other => {
                let warning = Some(place.warning.to_owned()).filter(|warning| !warning.is_empty());
                return Ok((other?, warning));
            }
        }
    }
    Err(Refusal::new("no free name for a case was found", "name a folder with --case DIR"))
}

/// A case at a folder the user named: opened if it is one already.
fn named(folder: &Path, target: &Text) -> anyhow::Result<Case> {
    match Case::create(folder, &About::new(env!("CARGO_PKG_VERSION"), target.clone(), PlaceKind::Named)) {
        Err(calma_case::CaseError::AlreadyThere(_)) => Ok(Case::open(folder)?),
        other => Ok(other?),
    }
}

/// The folder the user named, or the newest case in the places where calma puts them.
pub(crate) fn newest(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    newest_about(named, None)
}

/// The same, of the cases about `target`, if one is given.
pub(crate) fn newest_about(named: Option<&Path>, target: Option<&Text>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let facts = PlaceFacts::gather();
    let mut folders: Vec<(PathBuf, &[u8])> =
        facts.memory.iter().map(|memory| (memory.folder.clone(), &b"calma-"[..])).collect();
    folders.extend(facts.home.iter().map(|home| (home.join("calma"), &b""[..])));
    folders.extend(
        facts
            .disks
            .iter()
            .filter(|disk| disk.removable)
            .map(|disk| (disk.mounted_at.join("calma"), &b""[..])),
    );
    let live = Live::new();
    let mut found = Vec::new();
    for (folder, prefix) in folders {
        for entry in live.list(folder.as_os_str().as_bytes()).unwrap_or_default() {
            let path = folder.join(std::ffi::OsString::from_vec(entry.name.as_bytes().to_vec()));
            // The stream folder's own time says when the case was last written to.
            let streams = live.meta(path.join("streams").as_os_str().as_bytes());
            if let (true, Ok(meta), Ok(case)) =
                (entry.name.as_bytes().starts_with(prefix), streams, Case::open(&path))
                && !is_witness_log(&case)
                && target.is_none_or(|target| case.about().target == *target)
            {
                found.push((meta.modified, path));
            }
        }
    }
    found.sort();
    found.pop().map(|(_, path)| path).ok_or_else(|| match target {
        Some(host) => Refusal::wrong_use(
            format!("there is no case about {host} in the usual places"),
            format!("name one with --case DIR, or look first: calma at {host} triage"),
        ),
        None => Refusal::wrong_use(
            "there is no case in the usual places",
            "name one with --case DIR, or look first: calma triage",
        ),
    })
}

/// Whether a case holds what a witness heard and nothing else: no look to show or to act on.
fn is_witness_log(case: &Case) -> bool {
    let streams = case.streams().unwrap_or_default();
    !streams.is_empty() && streams.iter().all(|name| name.0.starts_with("witness-"))
}

/// A sentence unless `root` is mounted so that looking can not change it.
pub(crate) fn unless_read_only(root: &Path) -> Option<String> {
    let why = calma_recovery::may_change(&Live::new(), root.as_os_str().as_bytes())?;
    Some(format!("Take care with {}: {why}", crate::show::path(root)))
}

fn own_name() -> Text {
    calma_host::Host::kernel(&Live::new()).map(|kernel| kernel.identity().host).unwrap_or_default()
}

/// Whether a file is there.
pub(crate) fn is_there(file: &Path) -> bool {
    Live::new().meta_followed(file.as_os_str().as_bytes()).is_ok()
}

/// A text file of the user's own, such as a plan.
pub(crate) fn read_text(file: &Path) -> anyhow::Result<String> {
    let content = Live::new().read(file.as_os_str().as_bytes(), 64 << 20)?;
    Ok(String::from_utf8(content.bytes)?)
}

/// Writes a new file where the user wants it; never over one that is there.
#[expect(clippy::disallowed_methods, reason = "a file that the user named, on his own command")]
pub(crate) fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| {
        Refusal::wrong_use(
            format!("{} can not be written: {error}", crate::show::path(file)),
            "name a file that is not there yet",
        )
    });
    let mut opened = opened?;
    opened.write_all(text.as_bytes())?;
    Ok(opened.sync_all()?)
}
