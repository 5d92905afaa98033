//! Where the service manager looks for units and generators (systemd.unit(5), systemd.generator(7)).

use crate::{Context, settings};
use calma_host::join;
use calma_record::Source;

/// Whose manager reads a directory.
pub(super) enum Whose {
    /// The system's.
    System,
    /// Every user's.
    Users,
    /// One user's.
    Home(settings::Home),
}

/// One directory of units.
pub(super) struct Place {
    pub(super) path: Vec<u8>,
    pub(super) whose: Whose,
}

impl Place {
    /// The home it stands in, for units of one user.
    pub(super) fn home(&self) -> Option<&[u8]> {
        match &self.whose {
            Whose::Home(home) => Some(&home.path),
            _ => None,
        }
    }

    /// Whether its units may run with root's rights.
    pub(super) fn as_root(&self) -> bool {
        !matches!(&self.whose, Whose::Home(home) if home.uid != Some(0))
    }

    /// Where facts of a file in it come from.
    pub(super) fn source(&self, path: &[u8]) -> Source {
        match &self.whose {
            Whose::Home(home) => home.source(path),
            _ => Source::file(path),
        }
    }
}

/// The directories of each manager in the order in which they win.
pub(super) fn units(context: &Context) -> Vec<Vec<Place>> {
    let system: &[&str] = &[
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/generator.early",
        "/etc/systemd/system",
        "/etc/systemd/system.attached",
        "/run/systemd/system",
        "/run/systemd/system.attached",
        "/run/systemd/generator",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
        "/run/systemd/generator.late",
    ];
    let users: &[&str] = &[
        "/etc/xdg/systemd/user",
        "/etc/systemd/user",
        "/run/systemd/user",
        "/usr/local/share/systemd/user",
        "/usr/share/systemd/user",
        "/usr/local/lib/systemd/user",
        "/usr/lib/systemd/user",
        "/lib/systemd/user",
    ];
    let mut groups = vec![
        system.iter().map(|path| Place { path: path.as_bytes().to_vec(), whose: Whose::System }).collect(),
        users.iter().map(|path| Place { path: path.as_bytes().to_vec(), whose: Whose::Users }).collect(),
    ];
    for home in settings::homes(context) {
        let mut below: Vec<Vec<u8>> = ["user.control", "user"]
            .iter()
            .map(|name| join(&join(&home.path, b".config/systemd"), name.as_bytes()))
            .collect();
        if let Some(uid) = home.uid {
            let names =
                ["user.control", "transient", "generator.early", "user", "generator", "generator.late"];
            below.extend(names.iter().map(|name| format!("/run/user/{uid}/systemd/{name}").into_bytes()));
        }
        below.push(join(&home.path, b".local/share/systemd/user"));
        groups.push(below.into_iter().map(|path| Place { path, whose: Whose::Home(home.clone()) }).collect());
    }
    groups
}

/// The directories of generators and what stands in them.
pub(super) fn generators() -> Vec<(Vec<u8>, &'static str)> {
    let kinds = [
        ("system-generators", "generator"),
        ("user-generators", "generator"),
        ("system-environment-generators", "environment-generator"),
        ("user-environment-generators", "environment-generator"),
    ];
    let above =
        ["/run/systemd", "/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"];
    above
        .iter()
        .flat_map(|above| {
            kinds.iter().map(move |(name, what)| (format!("{above}/{name}").into_bytes(), *what))
        })
        .collect()
}
