//! The processes by id, and which of them are calma's own.

use crate::{Row, Tables};
use calma_record::{Timestamp, kinds::Process};
use std::collections::{BTreeMap, BTreeSet};

/// The processes by id, and which of them are calma's own.
#[derive(Debug)]
pub struct Processes<'a> {
    by_pid: BTreeMap<u32, Row<'a, Process>>,
    own: BTreeSet<u32>,
    looked: Timestamp,
}

impl<'a> Processes<'a> {
    /// Indexes the tables.
    pub fn new(tables: &'a Tables) -> Self {
        let by_pid: BTreeMap<u32, Row<'a, Process>> =
            tables.of::<Process>().map(|row| (row.pid, row)).collect();
        let run = tables.run();
        let file = |row: &Row<'_, Process>| Some((row.device?, row.inode?));
        let program = run.and_then(|run| by_pid.get(&run.pid)).and_then(file);
        let own = by_pid
            .iter()
            .filter(|(pid, row)| {
                run.is_some_and(|run| run.pid == **pid) || (program.is_some() && file(row) == program)
            })
            .map(|(pid, _)| *pid)
            .collect();
        Self { by_pid, own, looked: run.map(|run| run.started).unwrap_or_default() }
    }

    /// A process.
    pub fn get(&self, pid: u32) -> Option<Row<'a, Process>> {
        self.by_pid.get(&pid).copied()
    }

    /// Every process but calma's own, by id.
    pub fn others(&self) -> impl Iterator<Item = Row<'a, Process>> {
        self.by_pid.iter().filter(|(pid, _)| !self.own.contains(pid)).map(|(_, row)| *row)
    }

    /// Seconds the process had run when calma began to look; large where that is not known.
    pub fn age(&self, process: &Process) -> i64 {
        if self.looked == Timestamp::default() {
            return i64::MAX;
        }
        self.looked.seconds().saturating_sub(process.started.seconds())
    }
}

/// What makes a process the same in the next run: its id and its start.
pub fn identity(process: &Process) -> String {
    format!("{} {}", process.pid, process.start_ticks)
}

/// "process 4711 (nginx), user id 33, of ssh.service, since …": who a process is, as a sentence of its own.
pub fn who(process: &Process) -> String {
    let user = process.uids.get(1).map_or(String::new(), |uid| format!(" with user id {uid}"));
    let unit = process.unit.as_ref().map_or(String::new(), |unit| format!(", in {unit}"));
    format!("process {} (\"{}\") runs{user} since {}{unit}", process.pid, process.name, process.started)
}

/// Whether the program runs code that brings its own libraries.
pub fn unpacks(process: &Process) -> bool {
    const RUNTIMES: [&[u8]; 12] = [
        b"java", b"python", b"node", b"dotnet", b"ruby", b"php", b"perl", b"mono", b"erlexec", b"beam", b"R",
        b"qemu",
    ];
    let name = process.program.as_ref().map(|program| program.file_name()).unwrap_or_default();
    RUNTIMES.iter().any(|runtime| {
        name.strip_prefix(*runtime).is_some_and(|rest| rest.first().is_none_or(|b| !b.is_ascii_lowercase()))
    }) || name.starts_with(b"php-")
}
