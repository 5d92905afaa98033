//! Detector: an odd program that takes packets out of the packet filter and decides about them.

use super::io_uring::program;
use crate::weigh::{Files, Processes, identity, who};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::KernelSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "packet-queue",
        doc: "An odd program, or one that can not be seen, takes packets out of the packet filter (NFQUEUE) and decides about them.",
        mechanisms: &[33],
        attack: &["T1205", "T1095"],
        why: "It sees packets before any service does and can answer, change or swallow them: a door that no open port shows.",
        innocent: "a firewall or intrusion detection of yours works so",
        next: "look what the process is, and at the rules that send packets to the queue",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    for row in tables.of::<KernelSetting>().filter(|row| row.name.as_bytes().starts_with(b"netfilter.queue."))
    {
        let name = row.name.to_string();
        let queue = name.rsplit('.').next().unwrap_or_default();
        let port: u32 = row.value.to_string().parse().unwrap_or(0);
        let Some(process) = processes.get(port) else { continue };
        let weight = program(&files, process.fact);
        let Some(severity) = weight.severity.filter(|severity| *severity >= Severity::Medium) else {
            continue;
        };
        let title =
            format!("Process {} (\"{}\") decides about packets and is odd", process.pid, process.name);
        let mut draft =
            Draft::new(severity, Certainty::Likely, format!("{queue} {}", identity(process.fact)), title)
                .saw(format!("it holds queue {queue} of the packet filter"))
                .saw(who(process.fact))
                .saw_all(weight.reasons)
                .pid(process.pid)
                .from(&row, "the queue")
                .from(&process, "its holder");
        if let Some(program) = &process.fact.program {
            draft = draft.path(program);
        }
        drafts.push(draft);
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Seen, Specimen, check, running};

    fn with(program: &str) -> Seen {
        let host = running(&["/usr/bin/suricata"]);
        let host = if program == "/usr/bin/suricata" {
            host
        } else {
            host.file(program, "\x7fELF").owned(program, 0o755, 0, 0)
        };
        check(
            Specimen::new(700, "q")
                .program(program)
                .on(host)
                .symlink("/proc/700/ns/net", "net:[4026531840]")
                .file(
                    "/proc/700/net/netfilter/nfnetlink_queue",
                    "    0   700     0 2 65531     0     0       12  1\n",
                ),
        )
    }

    #[test]
    fn odd_holders_are_found() {
        for program in ["/dev/shm/q", "/usr/sbin/netd", "/opt/.q/q"] {
            assert_eq!(with(program).alarms("packet-queue").len(), 1, "{program}");
        }
    }

    #[test]
    fn firewalls_are_no_alarm() {
        for program in ["/usr/bin/suricata", "/usr/local/sbin/filterd"] {
            assert!(with(program).by("packet-queue").is_empty(), "{program}");
        }
    }
}
