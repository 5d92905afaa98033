//! Where a case should stand: away from the suspect's disk.

mod facts;

use crate::{CaseError, PlaceKind};
pub(crate) use facts::available_memory;
pub use facts::{Disk, Memory, PlaceFacts};
use std::path::PathBuf;

/// Whose machine the keeper runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A clean machine that examines another one (`calma at`).
    FromElsewhere,
    /// The suspect machine itself.
    OnTheSuspect,
}

/// A place for a new case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder to be made.
    pub folder: PathBuf,
    /// What kind of place it is.
    pub kind: PlaceKind,
    /// What the user must know about it, in plain words; empty if nothing.
    pub warning: &'static str,
}

/// Less free space than this is no place for a case.
const LEAST: u64 = 64 << 20;

impl Place {
    /// Chooses a place for a case about `host`: with `calma at` the user's home; on the suspect a removable disk if one is
    /// mounted, else its memory, said plainly; never silently the suspect's own disk.
    ///
    /// # Errors
    /// [`CaseError::NoPlace`] when the user must name one with `--case`.
    pub fn choose(purpose: Purpose, host: &str, facts: &PlaceFacts) -> Result<Self, CaseError> {
        let name = folder_name(host, &facts.date);
        match purpose {
            Purpose::FromElsewhere => {
                let home =
                    facts.home.as_ref().ok_or(CaseError::NoPlace("your home folder is not known (HOME)"))?;
                let folder = facts.free_name(home.join("calma"), &name);
                Ok(Self { folder, kind: PlaceKind::Keeper, warning: "" })
            }
            Purpose::OnTheSuspect => {
                let disk = facts
                    .disks
                    .iter()
                    .filter(|disk| disk.removable && disk.writable && disk.free >= LEAST)
                    .max_by_key(|disk| disk.free);
                if let Some(disk) = disk {
                    let folder = facts.free_name(disk.mounted_at.join("calma"), &name);
                    return Ok(Self { folder, kind: PlaceKind::Removable, warning: "" });
                }
                let memory =
                    facts.memory.iter().find(|memory| memory.writable && memory.free >= LEAST).ok_or(
                        CaseError::NoPlace(
                            "no removable disk is mounted and there is too little free memory",
                        ),
                    )?;
                Ok(Self {
                    folder: facts.free_name(memory.folder.clone(), &format!("calma-{name}")),
                    kind: PlaceKind::Memory,
                    warning: "The case is in this machine's memory: it is gone at the next restart, and an intruder \
                              with root's rights can reach it. Copy it to another machine, or use calma at.",
                })
            }
        }
    }
}

/// A folder's name for a host, whatever the host is called.
fn folder_name(host: &str, date: &str) -> String {
    let plain: String = host
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    let plain = plain.trim_start_matches(['.', '-']);
    format!("{}-{date}", if plain.is_empty() { "host" } else { plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> PlaceFacts {
        PlaceFacts {
            home: Some("/home/ann".into()),
            date: "2026-11-23".to_owned(),
            disks: vec![
                Disk {
                    mounted_at: "/".into(),
                    kind: "ext4".to_owned(),
                    removable: false,
                    writable: true,
                    free: 1 << 40,
                },
                Disk {
                    mounted_at: "/media/cd".into(),
                    kind: "iso9660".to_owned(),
                    removable: true,
                    writable: false,
                    free: 0,
                },
                Disk {
                    mounted_at: "/media/stick".into(),
                    kind: "vfat".to_owned(),
                    removable: true,
                    writable: true,
                    free: 1 << 33,
                },
            ],
            memory: vec![Memory { folder: "/dev/shm".into(), writable: true, free: 1 << 32 }],
            taken: Vec::new(),
        }
    }

    #[test]
    fn from_elsewhere_it_is_the_users_home() {
        let mut facts = facts();
        let place = Place::choose(Purpose::FromElsewhere, "root@web1", &facts).unwrap();
        assert_eq!(place.folder, PathBuf::from("/home/ann/calma/web1-2026-11-23"));
        facts.taken.push(place.folder);
        let place = Place::choose(Purpose::FromElsewhere, "web1", &facts).unwrap();
        assert_eq!(place.folder, PathBuf::from("/home/ann/calma/web1-2026-11-23-2"));
        facts.home = None;
        assert!(Place::choose(Purpose::FromElsewhere, "web1", &facts).is_err());
    }

    #[test]
    fn on_the_suspect_it_is_never_its_own_disk() {
        let mut facts = facts();
        let place = Place::choose(Purpose::OnTheSuspect, "web1", &facts).unwrap();
        assert_eq!((place.kind, place.warning), (PlaceKind::Removable, ""));
        assert_eq!(place.folder, PathBuf::from("/media/stick/calma/web1-2026-11-23"));
        facts.disks.pop();
        let place = Place::choose(Purpose::OnTheSuspect, "web1", &facts).unwrap();
        assert_eq!(place.kind, PlaceKind::Memory);
        assert!(place.folder.starts_with("/dev/shm") && !place.warning.is_empty());
        facts.memory.clear();
        assert!(Place::choose(Purpose::OnTheSuspect, "web1", &facts).is_err());
    }

    #[test]
    fn a_hosts_name_never_leaves_the_folder() {
        for host in ["../../etc", "a/b", ".", "-rf", "\u{202e}x\n", ""] {
            let name = folder_name(host, "d");
            assert!(!name.contains('/') && !name.starts_with(['.', '-']) && name.is_ascii(), "{name}");
        }
    }
}
