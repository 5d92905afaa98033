//! What the tests of actions share: namespaces of their own, a vault in memory, hands that fail, and a full look at a tree.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod situation;

use calma_act::{
    Acting, Action, Ahead, Done, Foreseen, Foresight, KeepOff, Ledger, Looking, Permit, Piece, Trouble,
    Vault, Verdict,
};
use calma_host::ground::{Folder, Ground, Group};
use calma_host::{Hands, HostError, Live, LiveHands, Mounting, NewFile, Tell};
use calma_record::step::{
    Attachment, FileTime, Intent, Manifest, ProcessName, Refusal, SocketFound, Step, Target, Undo, Way,
};
use calma_record::{Digest, Text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const INSIDE: &str = "CALMA_TEST_INSIDE";

/// Runs the test `name` again in pid, mount, network and control group namespaces of its own; inside them `work` runs,
/// once that is seen to be so.
pub(crate) fn isolated(name: &str, work: impl FnOnce()) {
    let own =
        || ["pid", "mnt", "net"].map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap());
    if let Some(outer) = std::env::var_os(INSIDE) {
        let outer = outer.to_string_lossy().into_owned();
        for namespace in own() {
            assert!(
                !outer.contains(&namespace.display().to_string()),
                "not in a namespace of its own: {namespace:?}"
            );
        }
        assert!(std::process::id() < 100, "not in a pid namespace of its own");
        return work();
    }
    if std::env::var_os("CALMA_NO_ROOT").is_some() {
        eprintln!("skipped: {name} (CALMA_NO_ROOT is set)");
        return;
    }
    assert!(rustix::process::geteuid().is_root(), "{name} needs root; set CALMA_NO_ROOT to skip such tests");
    let outer = own().map(|namespace| namespace.display().to_string()).join(" ");
    let status = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", "\"$@\"; exit $?", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, outer)
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its namespaces");
}

/// Evidence in memory.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) pieces: BTreeMap<Digest, Vec<u8>>,
    pub(crate) names: Vec<(String, Text, Digest)>,
}

impl Vault for Kept {
    fn keep(
        &mut self,
        what: &str,
        place: &Text,
        _: Option<u32>,
        from: &mut dyn Read,
    ) -> Result<Piece, Trouble> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(|error| Trouble::new(error.to_string()))?;
        let piece = Piece { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.pieces.insert(piece.digest, bytes);
        self.names.push((what.to_owned(), place.clone(), piece.digest));
        Ok(piece)
    }

    fn check(&mut self, digest: &Digest) -> Result<(), Trouble> {
        let bytes = self.pieces.get(digest).ok_or_else(|| Trouble::new("no such piece"))?;
        if Digest::of(bytes) == *digest { Ok(()) } else { Err(Trouble::new("changed")) }
    }

    fn fetch(&self, digest: &Digest) -> Result<Box<dyn Read>, Trouble> {
        let bytes = self.pieces.get(digest).ok_or_else(|| Trouble::new("no such piece"))?;
        Ok(Box::new(std::io::Cursor::new(bytes.clone())))
    }
}

struct OnDisk;

impl Ledger for OnDisk {
    fn promise(&mut self, _: &[Intent]) -> Result<(), Trouble> {
        Ok(())
    }
}

/// How many changes are carried out before the machine stops answering; counts on below zero.
pub(crate) type Budget = Arc<AtomicI64>;

/// Hands that fail for good after so many changes: what a crash at that instant leaves.
struct Failing {
    hands: LiveHands,
    budget: Budget,
}

impl Failing {
    fn spend(&self) -> Result<(), HostError> {
        if self.budget.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        Err(HostError::new("crash", "the test", calma_host::Cause::Errno(libc::EIO)))
    }
}

macro_rules! failing {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Hands for Failing {
            $(fn $name(&self, $($argument: $type),*) -> Result<$result, HostError> {
                self.spend()?;
                self.hands.$name($($argument),*)
            })*
        }
    };
}

failing! {
    tell(who: &ProcessName, what: Tell) -> ();
    freeze(group: &Group, frozen: bool) -> ();
    create(at: &Folder, name: &[u8]) -> NewFile;
    open(at: &Folder, name: &[u8]) -> NewFile;
    write(file: &NewFile, offset: u64, bytes: &[u8]) -> ();
    resize(file: &NewFile, length: u64) -> ();
    dress(file: &NewFile, as_it_was: &Manifest) -> Vec<String>;
    flush(file: &NewFile) -> ();
    flush_later(file: &NewFile) -> ();
    settle_files() -> ();
    symlink(at: &Folder, name: &[u8], as_it_was: &Manifest) -> ();
    rename(at: &Folder, from: &[u8], to: &[u8]) -> ();
    exchange(at: &Folder, one: &[u8], other: &[u8]) -> ();
    link(at: &Folder, name: &[u8], to: &Folder, new: &[u8]) -> ();
    remove(at: &Folder, name: &[u8]) -> ();
    set_flags(at: &Folder, name: &[u8], flags: u32) -> ();
    set_folder_flags(at: &Folder, flags: u32) -> ();
    set_times(at: &Folder, name: &[u8], times: (FileTime, FileTime)) -> ();
    set_folder_times(at: &Folder, times: (FileTime, FileTime)) -> ();
    unmount(point: &[u8]) -> ();
    mount(what: &Mounting) -> ();
    set(path: &[u8], value: &[u8]) -> ();
    destroy(socket: &SocketFound) -> ();
    detach(program: u32, from: &Attachment) -> ();
    settle() -> ();
}

/// One step on this machine, with its vault and its notes.
pub(crate) struct Stage {
    host: Live,
    pub(crate) ground: Ground,
    pub(crate) vault: Kept,
    pub(crate) keep_off: KeepOff,
    pub(crate) notes: Vec<Value>,
    pub(crate) action: &'static Action,
    pub(crate) step: Step,
    pub(crate) undo: Undo,
    /// Whether it is taken back as together with others.
    pub(crate) together: bool,
    /// What somebody writes once it was made ready.
    pub(crate) planted: Option<(PathBuf, &'static [u8])>,
    /// What it notes is written, and not brought to the disk.
    pub(crate) fails_to_note: bool,
}

impl Stage {
    pub(crate) fn new(action: &str, target: Target) -> Self {
        Self {
            host: Live::new(),
            ground: Ground::below(b"/").unwrap(),
            vault: Kept::default(),
            keep_off: KeepOff::gather(vec!["/case".into()]),
            notes: Vec::new(),
            action: calma_act::named(action).unwrap(),
            step: Step {
                number: 1,
                action: action.to_owned(),
                target,
                story: 1,
                findings: Vec::new(),
                ticked: true,
                doubt: String::new(),
            },
            undo: Undo::default(),
            together: false,
            planted: None,
            fails_to_note: false,
        }
    }

    fn looking(&mut self) -> Looking<'_> {
        Looking {
            host: &self.host,
            ground: &self.ground,
            vault: &mut self.vault,
            keep_off: &self.keep_off,
            noted: &self.notes,
        }
    }

    pub(crate) fn prepare(&mut self) -> Result<(), Refusal> {
        let (action, step) = (self.action, self.step.clone());
        // Through the journal's form and back, as after a crash.
        let undo = (action.prepare)(&mut self.looking(), &step)?;
        self.undo = serde_json::from_str(&serde_json::to_string(&undo).unwrap()).unwrap();
        Ok(())
    }

    fn act(&mut self, way: Way, budget: &Budget) -> Result<Done, Trouble> {
        let hands = Failing { hands: LiveHands::take(), budget: Arc::clone(budget) };
        let permit = Permit::with(&mut OnDisk, &[], Box::new(hands)).unwrap();
        let mut ahead = Ahead::default();
        if way == Way::Undo && self.together {
            self.make_ready(&permit, &mut ahead);
        }
        let (action, step, undo, noted) =
            (self.action, self.step.clone(), self.undo.clone(), self.notes.clone());
        let mut more = Vec::new();
        let fails = self.fails_to_note;
        let mut note = |value| {
            more.push(value);
            if fails { Err(Trouble::new("it does not reach the disk")) } else { Ok(()) }
        };
        let mut acting = Acting {
            looking: Looking {
                host: &self.host,
                ground: &self.ground,
                vault: &mut self.vault,
                keep_off: &self.keep_off,
                noted: &noted,
            },
            permit: &permit,
            ahead: &ahead,
            progress: &mut note,
        };
        let done = match way {
            Way::Do => (action.apply)(&mut acting, &step, &undo),
            Way::Undo => (action.revert)(&mut acting, &step, &undo),
        };
        self.notes.extend(more);
        permit.settle().and(done)
    }

    /// What is done first where steps are taken back together.
    fn make_ready(&mut self, permit: &Permit, ahead: &mut Ahead) {
        let foresight = Foreseen::default().next(&self.ground, &self.undo, &self.notes);
        if foresight == Foresight::Unknown {
            return;
        }
        if let Foresight::Note(note) = foresight {
            self.notes.push(note);
            ahead.foreseen = true;
        }
        let Some(ready) = self.action.ready else { return };
        let (step, undo, none, mut note) =
            (self.step.clone(), self.undo.clone(), Ahead::default(), |_| Ok(()));
        let mut acting = Acting { looking: self.looking(), permit, ahead: &none, progress: &mut note };
        match ready(&mut acting, &step, &undo) {
            Ok(lost) => ahead.ready = lost,
            Err(_) => ahead.foreseen = false,
        }
        if permit.settle_files().is_err() {
            ahead.ready = None;
        }
        if let Some((name, bytes)) = self.planted.take() {
            std::fs::write(name, bytes).unwrap();
        }
    }

    /// Does it with as many changes as it takes; how many that were.
    pub(crate) fn apply(&mut self) -> (Done, i64) {
        let budget = Arc::new(AtomicI64::new(1 << 40));
        let done = self.act(Way::Do, &budget).unwrap();
        self.notes.push(done.left.clone());
        (done, (1 << 40) - budget.load(Ordering::Relaxed))
    }

    pub(crate) fn try_apply(&mut self) -> Result<Done, Trouble> {
        self.act(Way::Do, &Arc::new(AtomicI64::new(1 << 40)))
    }

    /// Takes it back; how many changes that took.
    pub(crate) fn revert(&mut self) -> (Done, i64) {
        let budget = Arc::new(AtomicI64::new(1 << 40));
        let done = self.act(Way::Undo, &budget).unwrap();
        (done, (1 << 40) - budget.load(Ordering::Relaxed))
    }

    pub(crate) fn try_revert(&mut self) -> Result<Done, Trouble> {
        self.act(Way::Undo, &Arc::new(AtomicI64::new(1 << 40)))
    }

    /// Goes this way until the machine stops answering after so many changes.
    pub(crate) fn crash(&mut self, way: Way, after: i64) {
        assert!(self.crashes(way, after), "{after} changes were enough");
    }

    /// The same, where it may need fewer changes than another time; whether the machine stopped in the middle.
    pub(crate) fn crashes(&mut self, way: Way, after: i64) -> bool {
        self.act(way, &Arc::new(AtomicI64::new(after))).is_err()
    }

    pub(crate) fn holds(&mut self, way: Way) {
        let (action, step, undo) = (self.action, self.step.clone(), self.undo.clone());
        let verdict = (action.verify)(&mut self.looking(), &step, &undo, way);
        assert_eq!(verdict, Verdict::Holds, "{way:?}");
    }

    /// Why it does not hold.
    pub(crate) fn fails(&mut self, way: Way) -> String {
        let (action, step, undo) = (self.action, self.step.clone(), self.undo.clone());
        match (action.verify)(&mut self.looking(), &step, &undo, way) {
            Verdict::Holds => panic!("it holds: {way:?}"),
            Verdict::Fails(why) => why,
        }
    }
}

/// Everything about every name below `root`, one line each: excepted are inode numbers, times of metadata, and when a
/// folder was read.
pub(crate) fn dump(root: &Path) -> Vec<String> {
    let ground = Ground::below(b"/").unwrap();
    let mut lines = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let meta = std::fs::symlink_metadata(&folder).unwrap();
        let flags = ground.folder(folder.as_os_str().as_bytes()).unwrap().flags();
        lines.push(format!(
            "{} {:o} {}:{} changed {}.{} flags {flags:x?}",
            folder.display(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec()
        ));
        let open = ground.folder(folder.as_os_str().as_bytes()).unwrap();
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (name, path) = (entry.file_name(), entry.path());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
                continue;
            }
            let manifest = open.manifest(name.as_bytes()).unwrap();
            let mut manifest = Manifest { inode: 0, changed: (0, 0), ..manifest };
            if manifest.link.is_some() {
                // Reading where a link leads is an access that can not be kept off (open(2) has O_NOATIME, readlink(2) not).
                manifest.accessed = (0, 0);
            }
            let bytes = match &manifest.link {
                Some(_) => Vec::new(),
                None => {
                    let all = [(0, manifest.size)];
                    let mut bytes = Vec::new();
                    open.open(name.as_bytes()).unwrap().data(&all).read_to_end(&mut bytes).unwrap();
                    bytes
                }
            };
            lines.push(format!(
                "{} {manifest:?} {} {:?}",
                path.display(),
                Digest::of(&bytes),
                attributes(&path)
            ));
        }
    }
    lines.sort();
    lines
}

/// A name's attributes, read without the code under test.
fn attributes(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap_or(0);
    let mut found = Vec::new();
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
        found.push((name.to_vec(), value[..length].to_vec()));
    }
    found.sort();
    found
}
