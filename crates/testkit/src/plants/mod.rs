//! Planted situations: harmless stand-ins for what intruders leave, with other names and places in each run.
//!
//! Whoever writes a detector does not read this folder, and whoever writes here does not read the detectors: a plant is
//! made from what incident reports describe, not from what is looked for. Nothing planted can do harm: programs are
//! copies of the sleeping helper or of `true`, scripts start with `exit 0`, addresses are loopback ones, web shells
//! stop before their first line and are kept encoded until they are planted.

mod accounts;
mod benign;
mod files;
mod names;
mod processes;
mod startup;

pub use benign::near_misses;

use crate::bed::Bed;
use crate::binaries;
use crate::random::Random;
use std::fs;

/// One thing done to the victim.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes a file: path, content, mode.
    File(String, Vec<u8>, u32),
    /// Puts the static helper there, with this mode.
    Helper(String, u32),
    /// Copies a file of the victim: from, to, mode.
    Copy(String, String, u32),
    /// Makes a symbolic link: path, target.
    Link(String, String),
    /// Adds lines at the end of a file, which it makes if need be.
    Append(String, String),
    /// Adds lines at the start of a file.
    Prepend(String, String),
    /// Gives a file to an account: path, uid, gid, mode.
    Own(String, u32, u32, u32),
    /// Sets an extended attribute: path, name, value.
    Attribute(String, &'static str, Vec<u8>),
    /// Runs a script inside (only in a booted victim).
    Run(String),
    /// Starts a command inside that goes on; its pid counts as expected.
    Live(String),
}

/// A planted situation.
#[derive(Debug, Clone, Default)]
pub struct Plant {
    /// Number of the mechanism in the table of hiding and persistence.
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

    pub(crate) fn helper(self, path: impl Into<String>) -> Self {
        self.step(Step::Helper(path.into(), 0o755))
    }

    pub(crate) fn expect(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Whether it needs a running victim.
    pub fn live(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Run(_) | Step::Live(_)))
    }

    /// Does it, and notes the processes.
    pub fn apply(&mut self, bed: &Bed) {
        for step in self.steps.clone() {
            match step {
                Step::File(path, bytes, mode) => bed.put(&path, &bytes, mode),
                Step::Helper(path, mode) => {
                    bed.put(&path, &fs::read(binaries::plant()).expect("the helper is built"), mode);
                }
                Step::Copy(from, to, mode) => {
                    let bytes = fs::read(bed.path(&from)).unwrap_or_else(|e| panic!("{from}: {e}"));
                    bed.put(&to, &bytes, mode);
                }
                Step::Link(path, target) => bed.link(&path, &target),
                Step::Append(path, text) => edit(bed, &path, |old| format!("{old}{text}")),
                Step::Prepend(path, text) => edit(bed, &path, |old| format!("{text}{old}")),
                Step::Own(path, uid, gid, mode) => bed.own(&path, uid, gid, mode),
                Step::Attribute(path, name, value) => {
                    let flags = rustix::fs::XattrFlags::empty();
                    rustix::fs::setxattr(bed.path(&path), name, &value, flags)
                        .unwrap_or_else(|e| panic!("{path}: {e}"));
                }
                Step::Run(script) => {
                    let output = bed.run(&script);
                    assert!(output.ok(), "{}: {script}: {output}", self.what);
                }
                Step::Live(command) => {
                    let pid = bed.live(&command);
                    self.pids.push(pid);
                }
            }
        }
    }
}

/// Changes a text file and keeps its owner and mode.
fn edit(bed: &Bed, path: &str, change: impl FnOnce(&str) -> String) {
    let to = bed.path(path);
    match fs::read_to_string(&to) {
        Ok(old) => fs::write(&to, change(&old)).unwrap_or_else(|e| panic!("{path}: {e}")),
        Err(_) => bed.put(path, change("").as_bytes(), 0o644),
    }
}

/// One maker of variants: the mechanism, how many shapes it has, and the shape.
type Maker = (u8, usize, fn(usize, &mut Random) -> Plant);

/// All mechanisms that can be planted in a container. 15 has a test of its own; 21 and 25 are for the guest.
const MAKERS: &[&[Maker]] = &[processes::MAKERS, startup::MAKERS, accounts::MAKERS, files::MAKERS];

/// The `round`-th variant of every mechanism; names and places come from the seed.
pub fn round(seed: u64, round: usize) -> Vec<Plant> {
    let makers = MAKERS.iter().copied().flatten();
    makers
        .map(|(number, shapes, make)| {
            let mut random = Random::new(seed, u64::from(*number) * 1000 + round as u64);
            let mut plant = make(round % shapes, &mut random);
            plant.mechanism = *number;
            plant
        })
        .collect()
}

/// The largest number of shapes of any mechanism: so many rounds show all of them.
pub fn rounds() -> usize {
    MAKERS.iter().copied().flatten().map(|(_, shapes, _)| *shapes).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_has_three_shapes() {
        for (number, shapes, _) in MAKERS.iter().copied().flatten() {
            assert!(*shapes >= 3, "mechanism {number} has {shapes}");
        }
        let mut numbers: Vec<u8> = MAKERS.iter().copied().flatten().map(|(number, ..)| *number).collect();
        numbers.extend([15, 21, 25]);
        numbers.sort_unstable();
        let wanted = [
            1, 2, 8, 9, 11, 12, 13, 14, 15, 21, 25, 32, 39, 40, 42, 43, 46, 47, 50, 53, 59, 60, 61, 64, 65,
            66, 67, 72, 73, 77,
        ];
        assert_eq!(numbers, wanted);
    }

    #[test]
    fn the_same_seed_gives_the_same_plants() {
        assert_eq!(format!("{:?}", round(7, 1)), format!("{:?}", round(7, 1)));
        assert_ne!(format!("{:?}", round(7, 1)), format!("{:?}", round(8, 1)));
    }
}
