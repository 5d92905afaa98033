//! The observing side: looks and emits the stream on standard output. It writes nothing else and nowhere else.

use crate::args::HostSide;
use crate::exit::Exit;
use calma_collect::{Context, Options, Progress};
use calma_host::{Follow, Host, Live, Root, Tree as _};
use calma_record::{Run, Text, frame};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs the collectors and ends when they end, when asked to, or when the keeper is gone.
pub(crate) fn run(arguments: &HostSide) -> anyhow::Result<Exit> {
    let stop = calma_host::on_interrupt();
    let mut out = std::io::stdout().lock();
    out.write_all(frame::PREAMBLE)?;
    out.flush()?;
    let rules = arguments.rules.map(rules).transpose()?;
    end_with_the_keeper(Arc::clone(&stop));
    let host: Arc<dyn Host> = match &arguments.root {
        Some(root) => Arc::new(Root::open(root.as_bytes())?),
        None => Arc::new(Live::new()),
    };
    let options = Options {
        quick: arguments.quick,
        full_environ: arguments.full_environ,
        hurry: arguments.hurry,
        no_pid_range: arguments.no_pid_range,
        network_mounts: arguments.network_mounts,
        rules,
        rules_in_all_memory: arguments.rules_in_all_memory,
        digests: arguments.digests,
    };
    let progress = Progress {
        done: arguments.done.iter().cloned().collect(),
        max_time: arguments.max_time.map(Duration::from_secs),
    };
    let run = introduction(host.as_ref(), arguments);
    let context = Context::with_workers(host, options, super::worker::workers());
    calma_collect::run(&context, run, &progress, &stop, &mut out)?;
    out.flush()?;
    calma_host::standing::close_outputs();
    Ok(Exit::Done)
}

/// The user's rules, which the keeper sends before anything else.
fn rules(length: usize) -> anyhow::Result<Arc<[u8]>> {
    anyhow::ensure!(length <= calma_recovery::MOST_RULES, "the rules are too long");
    let mut rules = Vec::new();
    std::io::stdin().lock().take(length as u64).read_to_end(&mut rules)?;
    anyhow::ensure!(rules.len() == length, "the rules did not come whole");
    Ok(rules.into())
}

/// The keeper holds the other end of standard input; when that closes, the run ends in order, and soon.
fn end_with_the_keeper(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut bytes), Ok(length) if length > 0) {}
        stop.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(5));
        calma_host::standing::close_outputs();
        std::process::exit(0);
    });
}

/// The stream's first record.
fn introduction(host: &dyn Host, arguments: &HostSide) -> Run {
    let live = Live::new();
    let mut run = Run {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: own_digest(&live),
        command: std::env::args_os().map(|word| Text::from(word.as_bytes())).collect(),
        target: host.target().to_owned(),
        root: arguments.root.as_ref().map(|root| Text::from(root.as_bytes())).unwrap_or_default(),
        started: host.clock().now(),
        uid: Host::kernel(&live).map_or(0, calma_host::Kernel::own_uid),
        pid: std::process::id(),
        continues: arguments.continues.clone(),
        ..Run::default()
    };
    let line = |path: &[u8]| match host.tree().read(path, 4096) {
        Ok(content) => Text::from(content.bytes.split(|b| *b == b'\n').next().unwrap_or_default()),
        Err(_) => Text::default(),
    };
    match host.kernel() {
        Some(kernel) => {
            let identity = kernel.identity();
            run.host = identity.host;
            run.kernel = [identity.release.as_bytes(), b" ", identity.version.as_bytes()].concat().into();
            run.machine = identity.machine;
            run.boot = line(b"/proc/sys/kernel/random/boot_id");
        }
        None => run.host = line(b"/etc/hostname"),
    }
    run
}

/// SHA-256 of this program.
fn own_digest(live: &Live) -> Option<calma_record::Digest> {
    let program = live.open(b"/proc/self/exe", Follow::Links).ok()?;
    calma_record::Digest::of_reader(program).ok()
}
