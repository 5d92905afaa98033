//! The processes of the machine that runs the tests, looked at read-only.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use calma_collect::{Context, Item, Options, gather};
use calma_host::Live;
use calma_record::{Fact, kinds};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};
use std::sync::Arc;

fn collector(name: &str) -> &'static calma_collect::Collector {
    calma_collect::ALL.iter().find(|collector| collector.card.name == name).unwrap()
}

fn look(name: &str) -> Vec<Item> {
    gather(collector(name), &Context::new(Arc::new(Live::new()), Options::default()))
}

/// A child that ends with the test.
struct Mine(Child);

impl Drop for Mine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_deleted_program_of_our_own_is_seen_and_kept_whole() {
    let folder = std::env::temp_dir().join(format!("calma-live-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("speci men");
    std::fs::copy("/bin/sleep", &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let child = Mine(Command::new(&program).arg("60").spawn().unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
    let expected = std::fs::read("/bin/sleep").unwrap();
    let items = look("processes");
    let pid = child.0.id();
    let process = items
        .iter()
        .find_map(|item| match item {
            Item::Fact(_, fact) => match &**fact {
                Fact::Process(process) if process.pid == pid => Some(kinds::Process::clone(process)),
                _ => None,
            },
            _ => None,
        })
        .unwrap();
    assert!(process.deleted && !process.memfd && process.same_files);
    assert_eq!(process.program.unwrap().as_bytes(), program.as_os_str().as_encoded_bytes());
    assert_eq!(process.parent, std::process::id());
    let id = items
        .iter()
        .find_map(|item| match item {
            Item::Whole { id, pid: Some(whole), partial: false, .. } if *whole == pid => Some(*id),
            _ => None,
        })
        .unwrap();
    let kept: Vec<u8> = items
        .iter()
        .filter_map(|item| match item {
            Item::Chunk(of, bytes) if *of == id => Some(bytes.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    assert!(kept == expected, "the evidence is the program");
}

#[test]
#[ignore = "prints what it costs; for measuring"]
fn cost() {
    let context = Context::new(Arc::new(Live::new()), Options::default());
    context.packages();
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let items = gather(collector("processes"), &context);
        let count = |kind: &str| {
            items.iter().filter(|item| matches!(item, Item::Fact(_, fact) if fact.kind() == kind)).count()
        };
        println!("{:?} for {} processes, {} items", start.elapsed(), count("process"), items.len());
        for kind in ["open-file", "process-variable", "mapped-object", "file", "process-mismatch"] {
            println!("  {kind}: {}", count(kind));
        }
        for item in &items {
            if let Item::Gap(gap) = item {
                println!("  gap: {} / {} {:?}", gap.what, gap.why, gap.example);
            }
        }
    }
}
