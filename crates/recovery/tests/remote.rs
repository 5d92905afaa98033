//! The engine on a machine at the other end of a line, in namespaces of its own: carried out, taken back, and the line cut
//! at any byte in between.
#![allow(
    clippy::disallowed_methods,
    clippy::zombie_processes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_record::step::{Ended, Plan};
use calma_recovery::{Engine, EngineError, Event, RemoteSide, Side, SideError, Stands, serve};
use common::{build, case, dump, isolated, plan, stopped, victim};
use std::io::{Read as _, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line between a keeper and a host's end that runs in this process, cut after so many bytes either way.
struct Line {
    left: Arc<AtomicI64>,
    host: JoinHandle<()>,
}

const WHOLE: i64 = 1 << 50;

impl Line {
    fn new(after: i64) -> (Self, Result<RemoteSide, SideError>) {
        let (keeper, near) = UnixStream::pair().unwrap();
        let (far, host) = UnixStream::pair().unwrap();
        let left = Arc::new(AtomicI64::new(after));
        relay(&near, &far, &left);
        relay(&far, &near, &left);
        let to = host.try_clone().unwrap();
        let host = std::thread::spawn(move || {
            let end = host.try_clone().unwrap();
            drop(serve(Box::new(host), Box::new(to), Arc::default()));
            // As when the process ends.
            drop(end.shutdown(Shutdown::Both));
        });
        let to = keeper.try_clone().unwrap();
        (Self { left, host }, RemoteSide::over(Box::new(keeper), Box::new(Out(to))))
    }

    /// Waits for the host's end, which must come to it by itself; how many bytes went over the line.
    fn end(self) -> i64 {
        let began = Instant::now();
        while !self.host.is_finished() {
            assert!(began.elapsed() < Duration::from_secs(30), "the host's end does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.host.join().unwrap();
        WHOLE - self.left.load(Ordering::SeqCst)
    }
}

/// The way out of an end: the other one sees its end at once.
struct Out(UnixStream);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        drop(self.0.shutdown(Shutdown::Write));
    }
}

fn relay(from: &UnixStream, to: &UnixStream, left: &Arc<AtomicI64>) {
    let (mut from, mut to, left) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(left));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let may = left.fetch_sub(n as i64, Ordering::SeqCst).clamp(0, n as i64) as usize;
            if to.write_all(&buffer[..may]).is_err() || may < n {
                break;
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}

fn carry_out(folder: &Path, plan: &Plan, side: &dyn Side) -> Result<(), EngineError> {
    let case = case(folder);
    let mut engine = Engine::start(&case, side)?;
    engine.carry_out(plan, &mut |event| match event {
        Event::Ended(_, outcome) => assert_eq!(outcome.ended, Ended::Done, "{outcome:?}"),
        Event::Refused(step, refusal) => panic!("{step:?} {refusal:?}"),
        Event::Begins(..) => {}
    })?;
    engine.end()?;
    Ok(())
}

fn take_back(folder: &Path, side: &dyn Side) -> Result<(), EngineError> {
    let case = case(folder);
    let mut engine = Engine::start(&case, side)?;
    let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
    let outcomes = engine.undo(&ids, &mut |_| {})?;
    assert!(outcomes.iter().all(|outcome| outcome.ended == Ended::Done), "{outcomes:?}");
    engine.end()?;
    Ok(())
}

#[test]
fn a_plan_is_carried_out_and_taken_back_afar() {
    isolated("a_plan_is_carried_out_and_taken_back_afar", || {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (at, kept) = (root.join("tree"), root.join("case"));
        build(&at);
        let before = dump(&at);
        let victim = victim();
        std::thread::sleep(Duration::from_millis(100));
        let plan = plan(&at, Some(victim));
        let (line, side) = Line::new(WHOLE);
        let side = side.unwrap();
        carry_out(&kept, &plan, &side).unwrap();
        assert_eq!(std::fs::read_dir(at.join("var")).unwrap().count(), 0);
        assert!(stopped(victim) >= 2);
        // While one has the machine, a second one is refused; after it, it is not.
        let (other_line, other) = Line::new(WHOLE);
        let other = other.unwrap();
        {
            let second = common::case(&root.join("second"));
            let case = case(&kept);
            let _engine = Engine::start(&case, &side).unwrap();
            let refused = Engine::start(&second, &other);
            assert!(matches!(refused, Err(EngineError::Side(SideError::NotAlone))));
        }
        take_back(&kept, &other).unwrap();
        drop((side, other));
        line.end();
        other_line.end();
        assert_eq!(dump(&at), before);
        assert_eq!(stopped(victim), 0);
        assert!(!Path::new("/run/calma.lock").exists(), "the lock is left behind");
        let case = case(&kept);
        assert!(!case.verify().unwrap().is_broken());
    });
}

#[test]
fn cut_at_any_byte_nothing_is_half_done() {
    isolated("cut_at_any_byte_nothing_is_half_done", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap().join("tree");
        // The keeper's disk is not what is tried here, and a thousand flushes take their time.
        let keeper = tempfile::tempdir_in("/run").unwrap();
        let root = keeper.path().canonicalize().unwrap();
        let victim = victim();
        std::thread::sleep(Duration::from_millis(100));
        let whole = std::env::var_os("CALMA_SOAK").is_some();
        let cuts = std::env::var("CALMA_CUTS").ok().and_then(|text| text.parse().ok());
        let cuts: usize = cuts.unwrap_or(if whole { 600 } else { 40 });
        let mut seed: u64 =
            std::env::var("CALMA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_061_123);
        // How many bytes go over the line when nothing cuts it.
        build(&at);
        let (line, side) = Line::new(WHOLE);
        let side = side.unwrap();
        carry_out(&root.join("case"), &plan(&at, Some(victim)), &side).unwrap();
        drop(side);
        let doing = line.end();
        let (line, side) = Line::new(WHOLE);
        let side = side.unwrap();
        take_back(&root.join("case"), &side).unwrap();
        drop(side);
        let undoing = line.end();
        let (mut open, mut lost, began) = (0, 0, Instant::now());
        for round in 0..cuts {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (finish, during_undo) = (seed >> 62 & 1 == 0, seed >> 61 & 1 == 0);
            let after = ((seed >> 20) % (if during_undo { undoing } else { doing }) as u64) as i64;
            build(&at);
            let before = dump(&at);
            let kept = root.join(format!("case-{round}"));
            let what = || format!("round {round}: {after} bytes, finish {finish}, during undo {during_undo}");
            if during_undo {
                let (line, side) = Line::new(WHOLE);
                carry_out(&kept, &plan(&at, Some(victim)), &side.unwrap()).unwrap();
                line.end();
            }
            let (line, side) = Line::new(after);
            let result = side.map_err(EngineError::from).and_then(|side| match during_undo {
                true => take_back(&kept, &side),
                false => carry_out(&kept, &plan(&at, Some(victim)), &side),
            });
            line.end();
            assert!(
                matches!(result, Ok(()) | Err(EngineError::Side(SideError::Lost(_)))),
                "{}: {result:?}",
                what()
            );
            lost += u32::from(result.is_err());
            let half: Vec<String> = dump(&at).into_iter().filter(|line| line.contains("/.calma-")).collect();
            assert!(half.is_empty(), "{}: {half:?}", what());
            let case = case(&kept);
            assert!(!case.verify().unwrap().is_broken(), "{}", what());
            let (line, side) = Line::new(WHOLE);
            let side = side.unwrap();
            let mut engine = Engine::start(&case, &side).unwrap();
            open += engine.history().open().count();
            let outcomes = engine.put_right(!finish, &mut |_| {}).unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.ended == Ended::Done), "{}: {outcomes:?}", what());
            assert_eq!(engine.history().open().count(), 0, "{}", what());
            let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
            let outcomes = engine.undo(&ids, &mut |_| {}).unwrap();
            let wrong = outcomes.iter().find(|outcome| outcome.ended != Ended::Done);
            assert!(wrong.is_none(), "{}: {wrong:?}", what());
            assert!(
                engine.history().steps().all(|past| !matches!(past.stands(), Stands::Doing | Stands::Done))
            );
            engine.end().unwrap();
            drop(side);
            line.end();
            assert_eq!(dump(&at), before, "{}", what());
            assert_eq!(stopped(victim), 0, "{}", what());
            assert!(!case.verify().unwrap().is_broken(), "{}", what());
            std::fs::remove_dir_all(&kept).unwrap();
        }
        eprintln!(
            "{cuts} cuts, {lost} before the end, {open} steps found in the middle, {:?}",
            began.elapsed()
        );
        assert!(lost > 0 && open > 0);
    });
}
