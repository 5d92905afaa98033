//! BPF programs that control groups put on the way of packets and connections (cgroups(7), bpf(2)).

use super::attachments::folders;
use crate::live::kernel::LiveKernel;
use crate::{Bpf as _, HostError};
use calma_record::Text;
use std::collections::BTreeMap;
use std::fmt;

/// Attach types of control groups that have to do with the network (`enum bpf_attach_type`, linux/bpf.h), in words.
const HOOKS: [(u32, &str); 16] = [
    (0, "packets in"),
    (1, "packets out"),
    (2, "new sockets"),
    (3, "states of connections"),
    (8, "addresses that are taken"),
    (9, "addresses that are taken"),
    (10, "connections to others"),
    (11, "connections to others"),
    (12, "addresses that are taken"),
    (13, "addresses that are taken"),
    (14, "datagrams to others"),
    (15, "datagrams to others"),
    (19, "datagrams that come"),
    (20, "datagrams that come"),
    (21, "options of sockets"),
    (22, "options of sockets"),
];

/// A program at a control group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupProgram {
    /// The group's folder.
    pub group: Text,
    /// What it sees, in words.
    pub hook: String,
    /// The program's id.
    pub program: u32,
    /// The name that whoever loaded it gave it.
    pub name: Text,
}

impl fmt::Display for GroupProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program {} at the control group {} ({})", self.program, self.group, self.hook)
    }
}

/// Those of every group that is mounted here.
///
/// # Errors
/// When the kernel does not tell.
pub fn group_programs() -> Result<Vec<GroupProgram>, HostError> {
    let kernel = LiveKernel::default();
    let (mut found, mut names) = (Vec::new(), BTreeMap::new());
    for (at, group) in folders(b"cgroup2").into_iter().enumerate() {
        for (attach, hook) in HOOKS {
            let programs = match kernel.on_group(&group, attach) {
                // Whoever may not ask of the first may not ask of any; a kernel may lack single kinds.
                Err(error) if at == 0 && error.is_denied() => return Err(error),
                other => other.unwrap_or_default(),
            };
            for program in programs {
                let name = names.entry(program).or_insert_with(|| {
                    kernel.program(program).map(|program| program.name).unwrap_or_default()
                });
                found.push(GroupProgram {
                    group: group.as_slice().into(),
                    hook: hook.to_owned(),
                    program,
                    name: name.clone(),
                });
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
