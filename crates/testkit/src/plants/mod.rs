//! Planted situations: harmless stand-ins for what intruders leave, with other names and places in each run.
//!
//! Whoever writes a detector does not read this folder, and whoever writes here does not read the detectors: a plant is
//! made from what incident reports describe, not from what is looked for. Nothing planted can do harm: programs are
//! copies of the sleeping helper or of `true`, scripts start with `exit 0`, addresses are loopback ones, web shells
//! stop before their first line and are kept encoded until they are planted.

mod access;
mod accounts;
mod attributes;
mod benign;
mod boot;
mod bus;
mod cloud;
mod elf;
mod files;
mod languages;
mod libraries;
mod living;
mod names;
mod packages;
mod portable;
mod processes;
mod ransom;
mod session;
mod startup;
mod step;
mod suppression;
mod web;

pub use benign::near_misses;
pub use step::Step;

use crate::bed::Bed;
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// What servers have beside the table of mechanisms: numbers from 101 on.
pub const HIDDEN_FOLDERS: u8 = 101;
/// Everybody may write to what root runs or reads.
pub const WORLD_WRITABLE: u8 = 102;
/// Times that contradict each other.
pub const TIMES: u8 = 103;
/// The agent of a cluster's node, and its static pods.
pub const KUBELET: u8 = 104;
/// The settings of build runners.
pub const CI_RUNNERS: u8 = 105;
/// Scanners and watchers that are switched off.
pub const SECURITY_TOOLS: u8 = 106;
/// Backups that are switched off or destroyed.
pub const BACKUPS: u8 = 107;
/// Hooks of hosting panels.
pub const PANELS: u8 = 108;
/// Code among files that users send.
pub const UPLOADS: u8 = 109;
/// Code that a web application loads by itself.
pub const MUST_USE: u8 = 110;
/// Filters of mail servers and mailboxes.
pub const MAIL_FILTERS: u8 = 111;
/// What ransomware leaves.
pub const RANSOM: u8 = 113;
/// Credentials, portable services and extensions of systemd.
pub const CREDENTIALS: u8 = 114;
/// Timetables of accounts without a person.
pub const SERVICE_TABLES: u8 = 115;
/// Files that are deleted but open.
pub const DELETED_OPEN: u8 = 116;

/// A planted situation.
#[derive(Debug, Clone, Default)]
pub struct Plant {
    /// Number of the mechanism in the table of hiding and persistence, or one of the constants above.
    pub mechanism: u8,
    /// What it plays.
    pub what: String,
    /// What is done.
    pub steps: Vec<Step>,
    /// A finding counts when it names one of these…
    pub paths: Vec<String>,
    /// …or a process that a `Live` step started.
    pub pids: Vec<u64>,
}

impl Plant {
    pub(crate) fn new(mechanism: u8, what: impl Into<String>) -> Self {
        Self { mechanism, what: what.into(), ..Self::default() }
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(crate) fn file(self, path: impl Into<String>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.step(Step::File(path.into(), content.into(), mode))
    }

    /// A harmless program of no package: what `true` is, under another name.
    pub(crate) fn program(self, path: &str) -> Self {
        self.step(Step::Copy("/bin/true".into(), path.to_owned(), 0o755))
    }

    /// An account with a home folder.
    pub(crate) fn account(self, name: &str, uid: u32, home: &str, shell: &str) -> Self {
        let append = |file: &str, line: String| Step::Append(file.to_owned(), line);
        self.step(append("/etc/passwd", format!("{name}:x:{uid}:{uid}:{name}:{home}:{shell}\n")))
            .step(append("/etc/group", format!("{name}:x:{uid}:\n")))
            .step(append("/etc/shadow", format!("{name}:*:19700:0:99999:7:::\n")))
            .step(Step::Folder(home.to_owned(), 0o755))
            .step(Step::Own(home.to_owned(), uid, uid, 0o755))
    }

    pub(crate) fn helper(self, path: impl Into<String>) -> Self {
        self.step(Step::Helper(path.into(), 0o755))
    }

    pub(crate) fn expect(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// What a finding has to name: the settings, where there are any. That a program stands in a hidden folder is another
    /// mechanism than what starts it.
    pub fn wanted(&self) -> Vec<String> {
        let program = |path: &String| {
            self.steps.iter().any(|step| match step {
                Step::Helper(to, _) => to == path,
                Step::Copy(from, to, _) => from == "/bin/true" && to == path,
                _ => false,
            })
        };
        let settings: Vec<_> = self.paths.iter().filter(|path| !program(path)).cloned().collect();
        if settings.is_empty() || self.mechanism == HIDDEN_FOLDERS { self.paths.clone() } else { settings }
    }

    /// Whether it needs a running victim.
    pub fn live(&self) -> bool {
        self.steps.iter().any(Step::live)
    }

    /// Does it, and notes the processes.
    pub fn apply(&mut self, bed: &Bed) {
        for step in self.steps.clone() {
            self.pids.extend(step.apply(bed, &self.what));
        }
    }
}

/// One maker of variants: the mechanism, how many shapes it has, and the shape.
type Maker = (u8, usize, fn(usize, &mut Random) -> Plant);

/// All mechanisms that can be planted in a container. 15 has a test of its own; 21 and 25 are for the guest.
const MAKERS: &[&[Maker]] = &[processes::MAKERS, startup::MAKERS, accounts::MAKERS, files::MAKERS];

/// What only a look at the whole system shows, and what a tree can hold; all but `living` can be planted on a tree.
const WIDE: &[&[Maker]] = &[
    libraries::MAKERS,
    boot::MAKERS,
    session::MAKERS,
    bus::MAKERS,
    packages::MAKERS,
    access::MAKERS,
    attributes::MAKERS,
    languages::MAKERS,
    cloud::MAKERS,
    suppression::MAKERS,
    portable::MAKERS,
    web::MAKERS,
    ransom::MAKERS,
];

/// The `round`-th variant of every mechanism of the first look; names and places come from the seed.
pub fn round(seed: u64, round: usize) -> Vec<Plant> {
    variants(MAKERS, seed, round)
}

/// The `round`-th variant of every mechanism of the whole sweep that a tree can hold.
pub fn wide_round(seed: u64, round: usize) -> Vec<Plant> {
    variants(WIDE, seed, round)
}

/// The `round`-th variant of every mechanism of the whole sweep that only a running system shows.
pub fn living_round(seed: u64, round: usize) -> Vec<Plant> {
    variants(&[living::MAKERS], seed, round)
}

fn variants(makers: &[&[Maker]], seed: u64, round: usize) -> Vec<Plant> {
    let makers = makers.iter().copied().flatten();
    makers
        .map(|(number, shapes, make)| {
            let mut random = Random::new(seed, u64::from(*number) * 1000 + round as u64);
            let mut plant = make(round % shapes, &mut random);
            plant.mechanism = *number;
            plant
        })
        .collect()
}

/// The largest number of shapes of any mechanism of the first look: so many rounds show all of them.
pub fn rounds() -> usize {
    most(MAKERS)
}

/// The same for the whole sweep.
pub fn wide_rounds() -> usize {
    most(WIDE)
}

/// The same for what only a running system shows.
pub fn living_rounds() -> usize {
    most(&[living::MAKERS])
}

fn most(makers: &[&[Maker]]) -> usize {
    makers.iter().copied().flatten().map(|(_, shapes, _)| *shapes).max().unwrap_or_default()
}

/// Mechanisms that are tested elsewhere than by plants of makers, with the test's file: in at least three variants, or in
/// fewer in the guest.
const ELSEWHERE: &[(u8, &str)] = &[
    (15, "hostile"),
    (17, "wide"),
    (21, "guest"),
    (22, "guest"),
    (23, "guest"),
    (25, "guest"),
    (30, "guest"),
    (31, "guest"),
];

/// Mechanisms of the guest that have fewer than three variants there.
const FEW: &[u8] = &[22, 23, 30, 31];

/// Numbers of all mechanisms that end-to-end tests plant, with the files of the tests, in order.
pub fn tested() -> BTreeMap<u8, BTreeSet<&'static str>> {
    let first = MAKERS.iter().copied().flatten().map(|(number, ..)| (*number, "planted"));
    let wide = WIDE.iter().chain([&living::MAKERS]).copied().flatten().map(|(number, ..)| (*number, "wide"));
    let mut tested: BTreeMap<u8, BTreeSet<&'static str>> = BTreeMap::new();
    for (number, file) in first.chain(wide).chain(ELSEWHERE.iter().copied()) {
        tested.entry(number).or_default().insert(file);
    }
    tested
}

/// Numbers of all mechanisms that the tests plant in three variants or more, in order.
pub fn planted() -> Vec<u8> {
    tested().into_keys().filter(|number| !FEW.contains(number)).collect()
}

/// A near-miss for every mechanism of the whole sweep that a tree can hold.
pub fn wide_near_misses() -> Vec<Plant> {
    // Others use the account that `session` makes.
    let all = [
        session::near,
        libraries::near,
        boot::near,
        bus::near,
        packages::near,
        access::near,
        attributes::near,
        languages::near,
        cloud::near,
        suppression::near,
        portable::near,
        web::near,
        ransom::near,
    ];
    all.into_iter().flat_map(|near| near()).collect()
}

/// The same for what only a running system shows.
pub fn living_near_misses() -> Vec<Plant> {
    living::near()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_has_three_shapes() {
        let every = || MAKERS.iter().chain(WIDE).chain([&living::MAKERS]).copied().flatten();
        for (number, shapes, _) in every() {
            assert!(*shapes >= 3, "mechanism {number} has {shapes}");
        }
        let mut numbers: Vec<u8> = every().map(|(number, ..)| *number).collect();
        // 15 and 17 have tests of their own, 21 and 25 are for the guest.
        numbers.extend([15, 17, 21, 25]);
        numbers.sort_unstable();
        numbers.dedup();
        let wanted = [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 25, 28, 29, 32, 34, 35,
            36, 37, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60,
            61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 101, 102,
            103, 104, 105, 106, 107, 108, 109, 110, 111, 113, 114, 115, 116,
        ];
        assert_eq!(numbers, wanted);
    }

    #[test]
    fn every_mechanism_has_a_near_miss() {
        let near: Vec<u8> = near_misses()
            .into_iter()
            .chain(wide_near_misses())
            .chain(living_near_misses())
            .map(|p| p.mechanism)
            .collect();
        let every = MAKERS.iter().chain(WIDE).chain([&living::MAKERS]).copied().flatten();
        let without: Vec<u8> =
            every.map(|(number, ..)| *number).filter(|number| !near.contains(number)).collect();
        // Nothing ordinary comes close to a ring or to code without a file in a container that holds no such program.
        assert_eq!(without, [18, 19]);
    }

    #[test]
    fn the_same_seed_gives_the_same_plants() {
        assert_eq!(format!("{:?}", round(7, 1)), format!("{:?}", round(7, 1)));
        assert_ne!(format!("{:?}", round(7, 1)), format!("{:?}", round(8, 1)));
    }
}
