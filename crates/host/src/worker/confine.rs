//! How a worker gives up everything it does not need.

use super::filter;
use landlock::{
    Access as _, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{Gid, Uid};
use std::hash::BuildHasher as _;

/// An id that no account has, for a worker that was started by root. Not "nobody": other programs run as that.
const NO_ACCOUNT: u32 = 1_899_999_999;
/// Descriptors a worker may hold: its socket and the file in question, with room for the standard ones.
const DESCRIPTORS: u64 = 8;
/// The stack a job may use.
const STACK: u64 = 8 << 20;
/// Seconds of processor time in a worker's whole life.
const PROCESSOR: u64 = 3600;

/// What holds a worker back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Why no system call filter is in force; empty if one is.
    pub no_filter: String,
    /// Why landlock holds nothing back; empty if it does.
    pub no_landlock: String,
}

impl Confinement {
    pub(super) fn to_words(&self) -> Vec<u8> {
        format!("{}\n{}", self.no_filter, self.no_landlock).into_bytes()
    }

    pub(super) fn from_words(words: &[u8]) -> Self {
        let text = String::from_utf8_lossy(words);
        let plain = |line: &str| line.chars().filter(|c| !c.is_control()).take(200).collect();
        let mut lines = text.splitn(2, '\n').map(plain);
        Self { no_filter: lines.next().unwrap_or_default(), no_landlock: lines.next().unwrap_or_default() }
    }
}

/// Confines this process for good. Each step is taken whether or not the others can be.
pub(super) fn confine(memory: u64) -> Confinement {
    close_inherited();
    let bound = |resource, most| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        let _ = rustix::process::setrlimit(resource, limit);
    };
    bound(Resource::As, memory);
    bound(Resource::Nofile, DESCRIPTORS);
    bound(Resource::Fsize, 0);
    bound(Resource::Core, 0);
    bound(Resource::Stack, STACK);
    bound(Resource::Cpu, PROCESSOR);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // A job that uses a hash map needs its keys, which old kernels give by a file alone.
    let _ = std::hash::RandomState::new().hash_one(0);
    let _ = rustix::thread::set_no_new_privs(true);
    let no_landlock = landlock();
    if rustix::process::geteuid().is_root() {
        let (user, group) = (Uid::from_raw(NO_ACCOUNT), Gid::from_raw(NO_ACCOUNT));
        let _ = rustix::thread::set_thread_groups(&[]);
        let _ = rustix::thread::set_thread_res_gid(group, group, group);
        let _ = rustix::thread::set_thread_res_uid(user, user, user);
    }
    Confinement { no_filter: filter::apply().err().unwrap_or_default(), no_landlock }
}

/// Closes what calma's own parent had open and did not mark close-on-exec (close_range(2); before Linux 5.9 one by one).
fn close_inherited() {
    // SAFETY: takes numbers only. This process has just started and holds nothing but its three standard descriptors, so no
    // owner of a descriptor is left behind with a closed one.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if answer != 0 {
        for descriptor in 3..1024 {
            // SAFETY: as above; one that is not open is an error that changes nothing.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// No file may be opened, no port bound or connected, nobody outside signalled (landlock(7)). Why not, where not.
fn landlock() -> String {
    let newest = landlock::ABI::V6;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match rules.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => String::new(),
        Ok(RulesetStatus::NotEnforced) => "this kernel does not have it".to_owned(),
        Err(error) => error.to_string(),
    }
}
