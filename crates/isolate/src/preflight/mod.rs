//! What may destroy evidence, or the server, when it falls silent: asked before anything is cut.
//!
//! Each check is one file with its own small table. What an intruder writes into a file or calls a process can add a
//! concern here and take none away that is not his own: a concern is advice, and nothing is decided by it alone.

mod backup;
mod cloud;
mod cluster;
mod fast_path;
mod hypervisor;
mod kubernetes;
mod lease;
mod link_access;
mod logging;
mod network_storage;
mod sight;
mod tunnel;
mod watchdog;

pub use cloud::health_checkers;
pub use lease::{Lent, leases};
pub use sight::{Running, Sight};

use calma_host::Host;
use calma_record::Text;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How much is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Worth knowing.
    Note,
    /// Something stops, hangs or locks you out.
    Breaks,
    /// The server or its evidence may be destroyed.
    Destroys,
}

/// One concern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// How much is at stake.
    pub weight: Weight,
    /// What was seen, in words.
    pub what: String,
    /// Where it was seen.
    pub place: Text,
    /// What happens when the host falls silent.
    pub consequence: String,
    /// What to do first, outside of this host.
    pub outside: String,
}

impl Concern {
    fn new(
        weight: Weight,
        what: impl Into<String>,
        place: impl Into<Text>,
        consequence: impl Into<String>,
        outside: impl Into<String>,
    ) -> Self {
        let (what, place) = (what.into(), place.into());
        Self { weight, what, place, consequence: consequence.into(), outside: outside.into() }
    }
}

/// One line of a table: a program whose running is a concern.
struct Known {
    /// Names of the program.
    programs: &'static [&'static str],
    weight: Weight,
    what: &'static str,
    consequence: &'static str,
    outside: &'static str,
}

/// The concerns of a table: each line once, with the first process that fits.
fn running(sight: &Sight<'_>, table: &[Known], concerns: &mut Vec<Concern>) {
    for known in table {
        if let Some(process) = sight.running.iter().find(|process| process.is(known.programs)) {
            let place = format!("pid {} ({})", process.pid, process.name);
            concerns.push(Concern::new(known.weight, known.what, place, known.consequence, known.outside));
        }
    }
}

/// Every check.
const CHECKS: &[fn(&Sight<'_>, &mut Vec<Concern>)] = &[
    cloud::check,
    cluster::check,
    kubernetes::check,
    watchdog::check,
    network_storage::check,
    fast_path::check,
    lease::check,
    link_access::check,
    tunnel::check,
    logging::check,
    backup::check,
    hypervisor::check,
];

/// Looks for what may go wrong outside or by itself, the heaviest first. `peer` is where the administrator's own session
/// comes from.
pub fn preflight(host: &dyn Host, peer: Option<IpAddr>) -> Vec<Concern> {
    let sight = Sight::of(host, peer);
    let mut concerns = Vec::new();
    CHECKS.iter().for_each(|check| check(&sight, &mut concerns));
    concerns.sort_by_key(|concern| std::cmp::Reverse(concern.weight));
    concerns
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use calma_host::Mem;

    /// A process with a program and arguments.
    pub(crate) fn process(mem: Mem, pid: u32, program: &str, arguments: &[&str]) -> Mem {
        let name: String = program.rsplit('/').next().unwrap().chars().take(15).collect();
        mem.file(format!("/proc/{pid}/comm"), format!("{name}\n"))
            .file(format!("/proc/{pid}/cmdline"), [&[program], arguments].concat().join("\0") + "\0")
            .symlink(format!("/proc/{pid}/exe"), program)
    }

    /// What is said of a host, for asserting on.
    pub(crate) fn said(mem: &Mem) -> String {
        preflight(mem, "192.0.2.9".parse().ok())
            .iter()
            .map(|one| {
                format!(
                    "{:?} {} | {} | {} | {}\n",
                    one.weight, one.what, one.place, one.consequence, one.outside
                )
            })
            .collect()
    }

    /// Each host says the words; without a word, nothing at all.
    pub(crate) fn table(cases: Vec<(Mem, &[&str])>) {
        for (number, (mem, words)) in cases.iter().enumerate() {
            let said = said(mem);
            if words.is_empty() {
                assert_eq!(said, "", "case {number}");
            }
            words.iter().for_each(|word| assert!(said.contains(word), "case {number}: no {word} in\n{said}"));
        }
    }

    #[test]
    fn an_ordinary_server_has_no_concerns_and_nothing_that_fails_is_a_failure() {
        let ordinary = || {
            let mem = Mem::running()
                .file("/proc/self/mountinfo", "27 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
                .file("/sys/class/dmi/id/sys_vendor", "Dell Inc.\n")
                .file("/etc/rsyslog.conf", "*.* /var/log/all.log\n#*.* @@logs.example.org\n")
                .file("/etc/systemd/system.conf", "[Manager]\n#RuntimeWatchdogSec=off\n");
            let mem = process(mem, 1, "/usr/lib/systemd/systemd", &["--system"]);
            let mem = process(mem, 9, "/usr/bin/vi", &["/etc/keepalived/keepalived.conf"]);
            process(mem, 10, "/usr/sbin/nginx", &["-g", "daemon off;"])
        };
        table(vec![(ordinary(), &[])]);
        for path in ordinary().paths() {
            for errno in [5, 13] {
                preflight(&ordinary().failing(&path, errno), None);
            }
        }
    }
}
