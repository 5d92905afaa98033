//! `calma eject`: a removable disk's data is brought down to it and the disk let go, so that it can be pulled.

use crate::args::Eject;
use crate::exit::{Exit, Refusal};
use crate::show;
use calma_case::PlaceFacts;
use calma_host::EjectError;
use std::os::unix::ffi::OsStrExt as _;

/// Flushes, unmounts, and says so.
pub(crate) fn run(arguments: &Eject) -> anyhow::Result<Exit> {
    let disk = match &arguments.disk {
        Some(disk) => disk.clone(),
        None => {
            let removable: Vec<_> =
                PlaceFacts::gather().disks.into_iter().filter(|disk| disk.removable).collect();
            match removable.as_slice() {
                [one] => one.mounted_at.clone(),
                [] => {
                    return Err(Refusal::wrong_use(
                        "no removable disk is mounted",
                        "name the folder where it is mounted: calma eject DIR",
                    ));
                }
                several => {
                    let names: Vec<String> =
                        several.iter().map(|disk| show::path(&disk.mounted_at)).collect();
                    return Err(Refusal::wrong_use(
                        format!("several removable disks are mounted: {}", names.join(", ")),
                        "name the one: calma eject DIR",
                    ));
                }
            }
        }
    };
    let name = show::path(&disk);
    match calma_host::eject(disk.as_os_str().as_bytes()) {
        Ok(()) => {
            show::print(&format!(
                "\n  Everything is on the disk. It is safe to pull what was mounted at {name}.\n"
            ));
            Ok(Exit::Done)
        }
        Err(EjectError::NoDisk) => Err(Refusal::wrong_use(
            format!("nothing that can be pulled is mounted at {name}"),
            "name the folder where the disk is mounted: calma eject DIR",
        )),
        Err(EjectError::Busy(holders)) => {
            let holders: Vec<String> =
                holders.iter().map(|line| format!("pid {} ({})", line.pid, line.name)).collect();
            let by = if holders.is_empty() { "something".to_owned() } else { holders.join(", ") };
            Err(Refusal::new(
                format!("do not pull it yet: everything so far is on the disk, but {by} still uses it"),
                "end that, or leave its folder, then run calma eject again",
            ))
        }
        Err(EjectError::Host(error)) => Err(Refusal::new(
            format!("do not pull it yet: {error}"),
            "copy what is on it to another disk before it is lost",
        )),
    }
}
