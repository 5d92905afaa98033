//! What a socket's holder says about it: judgements that the network detectors share.

use crate::weigh::{Files, is_common_program, is_deceptive, is_hidden, is_open};
use crate::{Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::Socket};
use std::collections::BTreeMap;

/// How a socket's holder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// A packaged program, or one of a container's own root, with nothing odd.
    Ordinary,
    /// Nothing can be said: there is no package list, or the holder is not known.
    Unknown,
    /// A packaged program that runs what it is told to: an interpreter, a shell, a tool that passes bytes on.
    Interpreter,
    /// No package owns the program.
    Unpackaged,
    /// No process holds the socket.
    Unheld,
    /// The program is not where programs are: deleted, in memory, in a temporary or hidden place.
    Odd,
}

/// The standing of a socket's holder, and the reasons in plain words.
pub(crate) fn standing(files: &Files<'_>, socket: &Socket) -> (Standing, Vec<String>) {
    let Some(program) = &socket.program else {
        return if socket.pids.is_empty() && socket.holders_known && socket.inode != 0 {
            (Standing::Unheld, vec!["no process that can be seen holds it".to_owned()])
        } else {
            (Standing::Unknown, Vec::new())
        };
    };
    let file = files.get(program);
    let mut odd = Vec::new();
    if socket.memfd {
        odd.push(format!("its program {program} is in memory alone, not in a file"));
    }
    let replaced = file.is_some_and(|file| file.what == "file");
    if socket.deleted && !socket.other_root && !replaced {
        odd.push(format!("its program {program} was deleted while it runs"));
    }
    let path = program.as_bytes();
    if !socket.memfd && is_open(path) {
        odd.push(format!("its program {program} stands where anybody may put files"));
    }
    if !socket.memfd && !socket.other_root && (is_hidden(path) || is_deceptive(path)) {
        odd.push(format!("its program {program} stands in a hidden place"));
    }
    if !odd.is_empty() {
        return (Standing::Odd, odd);
    }
    if socket.other_root {
        return (Standing::Ordinary, Vec::new());
    }
    match file {
        Some(file) if file.package.is_some() && passes_on(program) => {
            (Standing::Interpreter, vec![format!("{program} runs what it is told to")])
        }
        Some(file) if file.package.is_some() => (Standing::Ordinary, Vec::new()),
        Some(file) if file.packages_known => {
            (Standing::Unpackaged, vec![format!("no package owns its program {program}")])
        }
        _ => (Standing::Unknown, Vec::new()),
    }
}

/// Interpreters, shells, and tools that pass on what they are given.
fn passes_on(program: &Text) -> bool {
    const TOOLS: [&[u8]; 25] = [
        b"nc", b"ncat", b"netcat", b"socat", b"gawk", b"mawk", b"lua", b"luajit", b"tclsh", b"guile",
        b"openssl", b"gdb", b"expect", b"python", b"perl", b"ruby", b"php", b"php-cgi", b"node", b"nodejs",
        b"sh", b"bash", b"dash", b"zsh", b"busybox",
    ];
    let name = program.file_name();
    let stem = name.split(|b| b.is_ascii_digit() || *b == b'.').next().unwrap_or_default();
    TOOLS.contains(&stem)
}

/// Whether the socket belongs to a container: another root directory, and a control group that a container runtime makes.
pub(crate) fn is_contained(socket: &Socket) -> bool {
    const RUNTIMES: [&[u8]; 11] = [
        b"docker",
        b"libpod",
        b"crio",
        b"cri-containerd",
        b"containerd",
        b"kubepods",
        b"lxc",
        b"machine.slice",
        b"buildkit",
        b"podman",
        b"garden",
    ];
    let group = socket.cgroup.as_bytes();
    socket.other_root
        && RUNTIMES.iter().any(|name| group.windows(name.len()).any(|piece| piece.eq_ignore_ascii_case(name)))
}

/// `tcp port 22`, `packet`, `icmp`: a socket in a few words.
pub(crate) fn short(socket: &Socket) -> String {
    match socket.family.as_str() {
        "packet" => "packet socket".to_owned(),
        "xdp" => "XDP socket".to_owned(),
        "unix" => format!("Unix socket {}", socket.local),
        _ if socket.local_port == 0 => format!("{} socket", socket.protocol),
        _ => format!("{} port {}", socket.protocol, socket.local_port),
    }
}

/// What a socket does, as one sentence.
pub(crate) fn sentence(socket: &Socket) -> String {
    let local = format!("{} port {}", socket.local, socket.local_port);
    let remote = format!("{} port {}", socket.remote, socket.remote_port);
    match socket.state.as_str() {
        "listen" => format!("it listens on {} {local}", socket.protocol),
        _ if !socket.remote.is_empty() => {
            format!("it has a {} connection from {local} to {remote}", socket.protocol)
        }
        _ => format!("it waits for {} packets on {local}", socket.protocol),
    }
}

/// The sockets that a detector is about, those of one holder together.
pub(crate) fn by_holder<'a>(
    tables: &'a Tables,
    files: &Files<'_>,
    about: impl Fn(&Socket) -> bool,
) -> Vec<Held<'a>> {
    let mut held: BTreeMap<Vec<u8>, Held<'a>> = BTreeMap::new();
    for row in tables.of::<Socket>().filter(|row| about(row)) {
        let (standing, reasons) = standing(files, row.fact);
        let identity = match &row.program {
            Some(program) => program.as_bytes().to_vec(),
            None => format!("{standing:?} {} {}", row.family, short(&row)).into_bytes(),
        };
        let group = held.entry(identity.clone()).or_insert_with(|| Held {
            identity,
            standing,
            reasons: reasons.clone(),
            rows: Vec::new(),
        });
        // The same whatever the order of the rows.
        if (standing, &reasons) > (group.standing, &group.reasons) {
            (group.standing, group.reasons) = (standing, reasons);
        }
        group.rows.push(row);
    }
    let mut held: Vec<Held<'a>> = held.into_values().collect();
    for group in &mut held {
        group
            .rows
            .sort_by_key(|row| (row.namespace, row.inode, row.local_port, row.remote_port, row.pids.clone()));
    }
    held
}

/// The sockets of one program, or those of one sort that nobody holds.
pub(crate) struct Held<'a> {
    /// What is the same in the next run.
    pub(crate) identity: Vec<u8>,
    /// The worst standing among them.
    pub(crate) standing: Standing,
    /// The reasons for it.
    pub(crate) reasons: Vec<String>,
    /// The sockets.
    pub(crate) rows: Vec<Row<'a, Socket>>,
}

impl Held<'_> {
    /// Who holds them, in a few words.
    pub(crate) fn who(&self) -> String {
        let first = self.rows.first();
        match first.and_then(|row| row.program.as_ref()) {
            Some(program) => format!("the program {program}"),
            None => match first.and_then(|row| row.pids.first()) {
                Some(pid) => format!("process {pid}"),
                None => "no visible process".to_owned(),
            },
        }
    }

    /// A finding about them, with their program, processes and evidence.
    pub(crate) fn draft(&self, severity: Severity, certainty: Certainty, title: String) -> Draft {
        let mut draft = Draft::new(severity, certainty, &self.identity, title).saw_all(self.reasons.clone());
        let mut pids: Vec<u32> = self.rows.iter().flat_map(|row| row.pids.iter().copied()).collect();
        pids.sort_unstable();
        pids.dedup();
        for pid in pids.into_iter().take(8) {
            draft = draft.pid(pid);
        }
        let mut program = self.rows.iter().filter(|row| !row.memfd).filter_map(|row| row.program.as_ref());
        if let Some(program) = program.next() {
            draft = draft.path(program);
        }
        for row in self.rows.iter().take(8) {
            draft = draft.from(row, short(row));
        }
        draft
    }
}

/// Whether the holder is one of the common programs, none of which looks at packets itself.
fn is_a_server(row: &Row<'_, Socket>) -> bool {
    !row.other_root && row.program.as_ref().is_some_and(is_common_program)
}

/// Judges sockets that see packets as they come from the wire, whoever they are for.
pub(crate) fn judge_capture(
    tables: &Tables,
    drafts: &mut Vec<Draft>,
    what: &str,
    about: impl Fn(&Socket) -> bool,
) {
    let files = Files::new(tables);
    for held in by_holder(tables, &files, about) {
        let filtered = held.rows.iter().find(|row| row.filter_length > 0);
        let (severity, certainty) = match held.standing {
            Standing::Odd => (Severity::High, Certainty::VeryLikely),
            Standing::Unheld => (Severity::High, Certainty::Likely),
            Standing::Unpackaged | Standing::Interpreter if filtered.is_some() => {
                (Severity::Medium, Certainty::Likely)
            }
            Standing::Unpackaged | Standing::Interpreter => (Severity::Medium, Certainty::Possible),
            // A server or shell that takes nothing off the wire by itself: somebody put that into it.
            Standing::Ordinary if held.rows.iter().any(is_a_server) => (Severity::Medium, Certainty::Likely),
            Standing::Unknown | Standing::Ordinary => (Severity::Info, Certainty::Possible),
        };
        let (who, whose) = (held.who(), held.rows.first().map(|row| row.pids.as_slice()).unwrap_or_default());
        let title = match whose.first() {
            Some(pid) => format!("{what} is held by {who} (process {pid})"),
            None => format!("{what} is held by {who}"),
        };
        let mut draft = held.draft(severity, certainty, title);
        for row in held.rows.iter().take(6) {
            let at = if row.interface.is_empty() { String::new() } else { format!(" on {}", row.interface) };
            draft =
                draft.saw(format!("socket {} ({}, protocol {}){at}", row.inode, row.family, row.protocol));
        }
        if let Some(row) = filtered {
            draft = draft.saw(format!("a filter of {} instructions chooses the packets", row.filter_length));
            if !row.compared.is_empty() {
                let compared: Vec<&str> = row.compared.iter().take(6).map(String::as_str).collect();
                draft = draft.saw(format!("the filter compares {}", compared.join(", ")));
            }
        }
        drafts.push(draft);
    }
}
