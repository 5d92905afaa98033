//! The engine in namespaces of its own: a plan is carried out and taken back, and killed at random moments in between.
#![allow(
    clippy::disallowed_methods,
    clippy::zombie_processes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_case::{About, Case, PlaceKind};
use calma_host::ground::processes;
use calma_record::step::{Ended, Way};
use calma_recovery::{Engine, EngineError, Event, LocalSide, Side as _, SideError, Stands};
use common::{build, case, dump, file, isolated, plan, step, stopped, victim};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WORKER: &str = "CALMA_TEST_WORKER";

#[test]
fn a_plan_is_carried_out_and_taken_back() {
    isolated("a_plan_is_carried_out_and_taken_back", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap().join("tree");
        build(&at);
        let before = dump(&at);
        let case = case(&folder.path().join("case"));
        let victim = victim();
        std::thread::sleep(Duration::from_millis(100));
        let host = LocalSide::new();
        let plan = plan(&at, Some(victim));
        let mut engine = Engine::start(&case, &host).unwrap();
        assert!(
            matches!(Engine::start(&case, &host), Err(EngineError::Side(SideError::NotAlone))),
            "two at once"
        );
        let mut ended = 0;
        engine
            .carry_out(&plan, &mut |event| match event {
                Event::Ended(_, outcome) => {
                    assert_eq!(outcome.ended, Ended::Done, "{outcome:?}");
                    ended += 1;
                }
                Event::Refused(step, refusal) => panic!("{step:?} {refusal:?}"),
                Event::Begins(..) => {}
            })
            .unwrap();
        assert_eq!(ended, plan.steps.len());
        assert!(engine.history().steps().all(|past| past.stands() == Stands::Done));
        assert_eq!(std::fs::read_dir(at.join("var")).unwrap().count(), 0);
        assert_eq!(std::fs::read_to_string(at.join("etc/crontab")).unwrap(), "# crontab\nkept\n");
        assert!(stopped(victim) >= 2);
        engine.end().unwrap();
        assert!(!case.verify().unwrap().is_broken());
        // Another run takes it back.
        let mut engine = Engine::start(&case, &host).unwrap();
        let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
        let outcomes = engine.undo(&ids, &mut |_| {}).unwrap();
        assert!(
            outcomes.iter().all(|outcome| outcome.ended == Ended::Done && outcome.way == Way::Undo),
            "{outcomes:?}"
        );
        engine.end().unwrap();
        assert_eq!(dump(&at), before);
        assert_eq!(stopped(victim), 0);
        assert!(!case.verify().unwrap().is_broken());
        // The same plan again: files are others by now where it said which; processes of another boot are refused.
        let mut other = plan.clone();
        other.boot = "another boot".into();
        let mut engine = Engine::start(&case, &host).unwrap();
        assert!(matches!(engine.carry_out(&other, &mut |_| {}), Err(EngineError::Another(..))));
        engine.end().unwrap();
        other.host = host.name().clone();
        other.steps.truncate(1);
        let mut engine = Engine::start(&case, &host).unwrap();
        let mut refused = 0;
        engine
            .carry_out(&other, &mut |event| refused += u32::from(matches!(event, Event::Refused(..))))
            .unwrap();
        assert_eq!(refused, 1);
    });
}

#[test]
fn a_folder_that_somebody_else_changed_keeps_its_time() {
    isolated("a_folder_that_somebody_else_changed_keeps_its_time", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap().join("tree");
        build(&at);
        let (before, time) = (dump(&at), |at: &Path| at.join("var").metadata().unwrap().modified().unwrap());
        let was = time(&at);
        let case = case(&folder.path().join("case"));
        let host = LocalSide::new();
        let mut engine = Engine::start(&case, &host).unwrap();
        engine.carry_out(&plan(&at, None), &mut |_| {}).unwrap();
        std::fs::write(at.join("var/other"), b"of somebody else").unwrap();
        let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
        let outcomes = engine.undo(&ids, &mut |_| {}).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.ended == Ended::Done), "{outcomes:?}");
        engine.end().unwrap();
        assert_ne!(time(&at), was);
        std::fs::remove_file(at.join("var/other")).unwrap();
        common::age(&at.join("var"), 900_000_000);
        assert_eq!(dump(&at), before);
    });
}

#[test]
fn a_case_in_memory_is_no_place_for_a_journal() {
    isolated("a_case_in_memory_is_no_place_for_a_journal", || {
        let folder = tempfile::tempdir().unwrap();
        let case =
            Case::create(&folder.path().join("case"), &About::new("0", "test", PlaceKind::Memory)).unwrap();
        assert!(matches!(Engine::start(&case, &LocalSide::new()), Err(EngineError::NotDurable)));
    });
}

/// The run that is killed: not a test of its own.
#[test]
fn worker() {
    let Some(words) = std::env::var_os(WORKER) else { return };
    let words = words.to_string_lossy().into_owned();
    let words: Vec<&str> = words.split(' ').collect();
    let (case, at, victim) = (case(Path::new(words[0])), PathBuf::from(words[1]), words[2].parse().unwrap());
    let host = LocalSide::new();
    let mut engine = Engine::start(&case, &host).unwrap();
    match words[3] {
        "do" => engine.carry_out(&plan(&at, Some(victim)), &mut |_| {}).unwrap(),
        _ => {
            let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
            engine.undo(&ids, &mut |_| {}).unwrap();
        }
    }
    engine.end().unwrap();
}

/// Starts the worker and kills it after so long; whether it was killed before its end.
fn killed(case: &Path, at: &Path, victim: u32, what: &str, after: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["worker", "--exact", "--quiet"])
        .env(WORKER, format!("{} {} {victim} {what}", case.display(), at.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < after && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    !child.wait().unwrap().success()
}

#[test]
fn killed_at_any_moment_nothing_is_half_done() {
    isolated("killed_at_any_moment_nothing_is_half_done", || {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = root.join("tree");
        let victim = victim();
        std::thread::sleep(Duration::from_millis(100));
        let kills = std::env::var("CALMA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
        let mut seed: u64 =
            std::env::var("CALMA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_061_123);
        let (mut open, mut cut, began) = (0, 0, Instant::now());
        for round in 0..kills {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (milliseconds, finish, during_undo) =
                ((seed >> 33) % 120, seed >> 62 & 1 == 0, seed >> 61 & 1 == 0);
            build(&at);
            let before = dump(&at);
            let folder = root.join(format!("case-{round}"));
            let what =
                || format!("round {round}: {milliseconds} ms, finish {finish}, during undo {during_undo}");
            if during_undo {
                assert!(!killed(&folder, &at, victim, "do", Duration::from_secs(20)) || dump(&at) != before);
            }
            let after = Duration::from_millis(milliseconds);
            cut += u32::from(killed(&folder, &at, victim, if during_undo { "undo" } else { "do" }, after));
            let Ok(case) = Case::open(&folder) else {
                assert_eq!(dump(&at), before, "{}", what());
                continue;
            };
            assert!(!case.verify().unwrap().is_broken(), "{}", what());
            let host = LocalSide::new();
            let mut engine = Engine::start(&case, &host).unwrap();
            open += engine.history().open().count();
            let outcomes = engine.put_right(!finish, &mut |_| {}).unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.ended == Ended::Done), "{}: {outcomes:?}", what());
            assert_eq!(engine.history().open().count(), 0, "{}", what());
            let ids: Vec<u64> = engine.history().steps().map(|past| past.intent.id).collect();
            let outcomes = engine.undo(&ids, &mut |_| {}).unwrap();
            let wrong = outcomes.iter().find(|outcome| outcome.ended != Ended::Done);
            let past = wrong.and_then(|outcome| engine.history().step(outcome.id));
            assert!(wrong.is_none(), "{}: {past:?} {:?}", what(), processes());
            engine.end().unwrap();
            assert_eq!(dump(&at), before, "{}", what());
            assert_eq!(stopped(victim), 0, "{}", what());
            assert!(!case.verify().unwrap().is_broken(), "{}", what());
            std::fs::remove_dir_all(&folder).unwrap();
        }
        eprintln!(
            "{kills} kills, {cut} before the end, {open} steps found in the middle, {:?}",
            began.elapsed()
        );
        assert!(cut > 0 && open > 0);
    });
}

/// Not a test of correctness: a thousand files against `cp -a` and `sha256sum` on the same disk.
#[test]
fn a_thousand_files_are_taken_off_soon() {
    isolated("a_thousand_files_are_taken_off_soon", || {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap().join("tree");
        std::fs::create_dir(&at).unwrap();
        let mut noise = 1_u64;
        for number in 0..1000 {
            let bytes: Vec<u8> = (0..20_000)
                .map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    if noise >> 63 == 0 { (noise >> 40) as u8 } else { b'a' }
                })
                .collect();
            std::fs::write(at.join(format!("f{number}")), bytes).unwrap();
        }
        let copy = folder.path().join("copy");
        let began = Instant::now();
        let script = format!(
            "cp -a {} {} && find {1} -type f -exec sha256sum {{}} + >/dev/null && sync -f {1}",
            at.display(),
            copy.display()
        );
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        let plain = began.elapsed();
        let mut plan = plan(&at, None);
        plan.steps =
            (0..1000).map(|number| step("quarantine", file(&at.join(format!("f{number}"))))).collect();
        let case = case(&folder.path().join("case"));
        let host = LocalSide::new();
        let mut engine = Engine::start(&case, &host).unwrap();
        let began = Instant::now();
        engine.carry_out(&plan, &mut |event| assert!(!matches!(event, Event::Refused(..)))).unwrap();
        let ours = began.elapsed();
        assert_eq!(std::fs::read_dir(&at).unwrap().count(), 0);
        eprintln!("1,000 files of 20 kB: cp -a, sha256sum and sync {plain:?}, quarantine {ours:?}");
    });
}
