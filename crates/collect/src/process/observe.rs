//! One process, looked at in one go.

use super::{descriptors, environment, file, maps, without_mark};
use crate::Context;
use calma_formats::{process_cgroup, process_stat, process_status, process_strings};
use calma_host::{Asking, HostError, Tree};
use calma_record::{Fact, Gap, Source, Timestamp, kinds};
use std::collections::HashMap;
use std::sync::Mutex;

/// What all processes are compared with.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Mount namespace of calma.
    mounts: Option<u64>,
    /// Root directory of calma.
    root: Vec<u8>,
    /// When the host was started, in nanoseconds since the epoch.
    booted: i64,
    ticks: u64,
    ordinary: Mutex<HashMap<(u64, u64), bool>>,
}

impl Surroundings {
    /// Looks once.
    pub(crate) fn new(context: &Context) -> Self {
        let (tree, clock) = (context.host.tree(), context.host.clock());
        let since = i64::try_from(clock.since_boot()).unwrap_or(0);
        Self {
            mounts: namespace(tree, b"/proc/self/ns/mnt").ok(),
            root: tree.link(b"/proc/self/root").unwrap_or_else(|_| b"/".to_vec()),
            booted: clock.now().nanoseconds().saturating_sub(since),
            ticks: context.host.kernel().map_or(100, |kernel| kernel.ticks_per_second()).max(1),
            ordinary: Mutex::default(),
        }
    }

    /// The judgement about a file, made once.
    pub(super) fn is_ordinary(&self, file: (u64, u64), judge: impl FnOnce() -> bool) -> bool {
        if let Ok(known) = self.ordinary.lock()
            && let Some(answer) = known.get(&file)
        {
            return *answer;
        }
        let answer = judge();
        if let Ok(mut known) = self.ordinary.lock() {
            known.insert(file, answer);
        }
        answer
    }

    fn instant(&self, ticks: u64) -> Timestamp {
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks);
        Timestamp::from_nanoseconds(
            self.booted.saturating_add(i64::try_from(nanoseconds).unwrap_or(i64::MAX)),
        )
    }
}

/// What a look at one process gave.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// Facts with their sources.
    pub(crate) facts: Vec<(Source, Fact)>,
    /// What could not be seen.
    pub(crate) gaps: Vec<Gap>,
    /// Files to describe.
    pub(crate) describe: Vec<Vec<u8>>,
    /// Device and inode of a program that has no name any more, to be kept as evidence.
    pub(crate) keep: Option<(u64, u64)>,
}

impl Observed {
    pub(super) fn fact(&mut self, from: Source, fact: impl Into<Fact>) {
        self.facts.push((from, fact.into()));
    }

    /// A process that is gone is nothing; anything else is a gap.
    pub(super) fn unseen(&mut self, what: &str, error: HostError) {
        if !error.is_missing() {
            let gap = Gap::new(what, error.why()).at(error.place.as_bytes());
            self.gaps.push(if error.is_denied() {
                gap.instead("run calma as root, outside of any container")
            } else {
                gap
            });
        }
    }

    pub(super) fn left_out(&mut self, what: &str, why: &str, place: &[u8]) {
        self.gaps.push(Gap::new(what, why).at(place));
    }
}

/// Looks at one process that /proc lists. One that ended meanwhile gives nothing.
pub(crate) fn observe(context: &Context, surroundings: &Surroundings, pid: u32) -> Observed {
    let tree = context.host.tree();
    let mut seen = Observed::default();
    let place = file(pid, "stat");
    let kernel = context.host.kernel().map(|kernel| kernel.processes());
    let content = match tree.read(&place, 64 << 10) {
        Ok(content) => content.bytes,
        Err(error) if !error.is_missing() => {
            seen.unseen("processes", error);
            return seen;
        }
        Err(_) => Vec::new(),
    };
    let stat = process_stat::parse(&content);
    let stat = match stat {
        Some(stat) if stat.pid == pid => stat,
        other => {
            let held = kernel.and_then(|kernel| kernel.hold(pid).ok());
            let again = tree.read(&place, 64 << 10).map(|content| content.bytes).unwrap_or_default();
            let shown = process_stat::parse(&again).map(|stat| stat.pid);
            let answers = kernel.is_some_and(|kernel| kernel.answers(Asking::Signal, pid));
            let alive = held.map_or(answers && shown.is_some(), |held| held.alive());
            if shown != Some(pid) && (alive || shown.is_some()) {
                let what = if shown.is_some() || !again.is_empty() { "foreign" } else { "empty" };
                let fact = kinds::ProcessMismatch {
                    pid,
                    what: what.to_owned(),
                    place: place.as_slice().into(),
                    shows: shown.or(other.map(|stat| stat.pid)),
                };
                seen.fact(Source::proc(place), fact);
            }
            return seen;
        }
    };
    let mut process = kinds::Process {
        pid,
        parent: stat.parent,
        start_ticks: stat.start_ticks,
        started: surroundings.instant(stat.start_ticks),
        group: stat.group,
        session: stat.session,
        terminal: stat.terminal,
        threads: stat.threads,
        state: stat.state.to_string(),
        kernel_thread: stat.is_kernel_thread(),
        has_memory: stat.memory > 0,
        name: stat.name,
        ..kinds::Process::default()
    };
    status(tree, &mut process, &mut seen);
    program(tree, &mut process, &mut seen);
    if !process.kernel_thread {
        belongings(tree, surroundings, &mut process, &mut seen);
        process.standard_sockets = descriptors::look(tree, pid, &mut seen);
        let everything = context.options.full_environ;
        let objects = environment::look(tree, pid, everything, &mut seen);
        if process.has_memory {
            let areas = maps::look(context, surroundings, &process, &mut seen);
            process.executable_anonymous = areas.map(|(all, _)| all);
            process.writable_code = areas.map(|(_, writable)| writable);
        }
        if process.same_files {
            seen.describe.extend(objects);
            seen.describe.extend(named(&process));
        }
    }
    seen.facts.insert(0, (Source::proc(place), process.into()));
    seen
}

fn status(tree: &dyn Tree, process: &mut kinds::Process, seen: &mut Observed) {
    match tree.read(&file(process.pid, "status"), 64 << 10) {
        Ok(content) => {
            let status = process_status::parse(&content.bytes);
            (process.uids, process.gids) = (status.uids, status.gids);
            (process.capabilities, process.permitted) = (status.effective, status.permitted);
            (process.seccomp, process.no_new_privileges) = (status.seccomp, status.no_new_privileges);
            process.tracer = status.tracer;
            process.kernel_thread |= status.kernel_thread == Some(true);
            process.has_memory |= status.has_memory;
        }
        Err(error) => seen.unseen("rights of processes", error),
    }
}

/// The program's file, as the kernel knows it.
fn program(tree: &dyn Tree, process: &mut kinds::Process, seen: &mut Observed) {
    let place = file(process.pid, "exe");
    match tree.link(&place) {
        Ok(target) => {
            let meta = tree.meta_followed(&place).ok();
            (process.inode, process.device) =
                (meta.as_ref().map(|m| m.inode), meta.as_ref().map(|m| m.device));
            let (path, mut deleted) = without_mark(&target);
            // A file may really be called "x (deleted)".
            if deleted && let (Some(meta), Ok(named)) = (&meta, tree.meta(&target)) {
                deleted = meta.links == 0 || (named.device, named.inode) != (meta.device, meta.inode);
            }
            process.memfd = deleted && path.as_bytes().starts_with(b"/memfd:");
            process.program = Some(if deleted { path } else { target.into() });
            process.deleted = deleted;
            if deleted {
                seen.keep = Some((process.device.unwrap_or(0), process.inode.unwrap_or(0)));
            }
        }
        Err(error) => {
            if !error.is_missing() {
                process.program_unseen = Some(error.why());
            }
            seen.unseen("programs of processes", error);
        }
    }
}

/// Directories, namespaces, control group, login, arguments.
fn belongings(
    tree: &dyn Tree,
    surroundings: &Surroundings,
    process: &mut kinds::Process,
    seen: &mut Observed,
) {
    let pid = process.pid;
    process.directory = tree.link(&file(pid, "cwd")).ok().map(Into::into);
    process.root = tree.link(&file(pid, "root")).ok().map(Into::into);
    let mut of = |name: &str| {
        namespace(tree, &file(pid, name)).map_err(|error| seen.unseen("namespaces of processes", error)).ok()
    };
    process.pid_namespace = of("ns/pid");
    process.mount_namespace = of("ns/mnt");
    process.network_namespace = of("ns/net");
    process.user_namespace = of("ns/user");
    process.cgroup_namespace = of("ns/cgroup");
    let same_mounts = match (process.mount_namespace, surroundings.mounts) {
        (Some(its), Some(ours)) => its == ours,
        _ => true,
    };
    process.same_files =
        same_mounts && process.root.as_ref().is_none_or(|root| root.as_bytes() == surroundings.root);
    match tree.read(&file(pid, "cgroup"), 64 << 10) {
        Ok(content) => {
            let group = process_cgroup::parse(&content.bytes);
            (process.cgroup, process.unit, process.container) = (group.path, group.unit, group.container);
        }
        Err(error) => seen.unseen("control groups of processes", error),
    }
    process.login = number(tree, &file(pid, "loginuid"));
    process.login_session = number(tree, &file(pid, "sessionid"));
    match tree.read(&file(pid, "cmdline"), 256 << 10) {
        Ok(content) => process.arguments = process_strings::arguments(&content.bytes),
        Err(error) => seen.unseen("arguments of processes", error),
    }
}

/// A number where all bits set means none.
fn number(tree: &dyn Tree, path: &[u8]) -> Option<u32> {
    let content = tree.read(path, 64).ok()?;
    calma_formats::lines::decimal(content.bytes.trim_ascii()).filter(|number| *number != u32::MAX)
}

/// The inode number in a link like `mnt:[4026531832]`.
fn namespace(tree: &dyn Tree, path: &[u8]) -> Result<u64, HostError> {
    let target = tree.link(path)?;
    let number = target.rsplit(|b| *b == b'[').next().and_then(|rest| rest.strip_suffix(b"]"));
    Ok(number.and_then(calma_formats::lines::decimal).unwrap_or(0))
}

/// The files a process names as its program: the program itself, what the first argument claims, and the first file an
/// interpreter was given.
fn named(process: &kinds::Process) -> Vec<Vec<u8>> {
    let mut named = Vec::new();
    if let Some(program) = &process.program
        && !process.memfd
    {
        named.push(program.as_bytes().to_vec());
    }
    let directory = process.directory.as_ref().map_or(&b"/"[..], |directory| directory.as_bytes());
    for argument in process.arguments.iter().take(1) {
        if argument.as_bytes().starts_with(b"/") {
            named.push(argument.as_bytes().to_vec());
        }
    }
    if let Some(script) =
        process.arguments.iter().skip(1).find(|argument| !argument.as_bytes().starts_with(b"-"))
    {
        let script = script.as_bytes();
        if script.starts_with(b"/") {
            named.push(script.to_vec());
        } else if script.contains(&b'.') || script.contains(&b'/') {
            named.push(calma_host::join(directory, script.strip_prefix(b"./").unwrap_or(script)));
        }
    }
    named
}
