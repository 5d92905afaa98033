//! Detector: BPF programs that somebody hides in the kernel.

use crate::{Card, Detector, Draft, Row, Tables, weigh::Files};
use calma_record::{Certainty, Severity, Text, kinds::BpfProgram, kinds::Process};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "bpf",
        doc: "A loaded BPF program watches or changes the system and belongs to nobody who should.",
        mechanisms: &[21, 22, 23],
        attack: &["T1014", "T1205.002", "T1056"],
        why: "A BPF program runs in the kernel: it can read every program's data, hide, and take packets before any firewall does.",
        innocent: "a monitoring, security or network agent of yours loaded it",
        next: "ask who loads it; keep its owner's program as evidence before anything is stopped",
    },
    judge,
};

/// Types that watch or change the whole machine: its functions, its programs' calls.
const WATCHING: [&str; 8] = [
    "kprobe",
    "tracepoint",
    "raw_tracepoint",
    "raw_tracepoint_writable",
    "tracing",
    "lsm",
    "perf_event",
    "ext",
];

/// Types that see or change packets before the host's own firewall does; the kernel holds them without a process.
const PACKETS: [&str; 5] = ["xdp", "sched_cls", "sched_act", "netfilter", "lwt_xmit"];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for program in tables.of::<BpfProgram>() {
        if let Some(draft) = weigh(tables, &files, &program) {
            drafts.push(draft);
        }
    }
}

/// The program's holders, as far as they explain it.
#[derive(Default)]
struct Holders {
    strange: Vec<String>,
    unpackaged: Vec<String>,
    packaged: bool,
}

fn holders(tables: &Tables, files: &Files<'_>, program: &BpfProgram) -> Holders {
    let mut holders = Holders::default();
    for process in tables.of::<Process>().filter(|process| program.owners.contains(&process.pid)) {
        let path = process.program.clone().unwrap_or_default();
        let (pid, name) = (process.pid, &process.name);
        // A container's programs stand in its own tree, which the host's package list does not know.
        let contained = process.container.is_some();
        let file = files.get(&path).filter(|_| !contained);
        if process.memfd {
            holders.strange.push(format!("process {pid} (\"{name}\") holds it and runs from memory alone"));
        } else if process.deleted && file.is_none_or(|file| file.package.is_none()) && !contained {
            holders
                .strange
                .push(format!("process {pid} (\"{name}\") holds it and its program {path} was deleted"));
        } else if open_place(path.as_bytes()) {
            holders.strange.push(format!("process {pid} (\"{name}\") holds it and runs from {path}"));
        } else if file.is_some_and(|file| file.packages_known && file.package.is_none()) {
            holders
                .unpackaged
                .push(format!("process {pid} (\"{name}\") holds it and no package owns its program {path}"));
        } else {
            holders.packaged = true;
        }
    }
    // Before the processes themselves are known, their programs' files still say something.
    if tables.count::<Process>() == 0 {
        for path in &program.owner_programs {
            let file = files.get(path);
            if open_place(path.as_bytes()) || path.as_bytes().starts_with(b"/memfd:") {
                holders.strange.push(format!("a process that runs from {path} holds it"));
            } else if file.is_some_and(|file| file.packages_known && file.package.is_none()) {
                holders.unpackaged.push(format!("no package owns the program that holds it, {path}"));
            } else {
                holders.packaged = true;
            }
        }
    }
    holders.strange.sort();
    holders.unpackaged.sort();
    holders
}

/// Temporary directories, homes and hidden folders: no agent is installed there.
fn open_place(path: &[u8]) -> bool {
    let places =
        [&b"/tmp/"[..], b"/var/tmp/", b"/dev/", b"/run/user/", b"/home/", b"/root/", b"/var/www/", b"/proc/"];
    places.iter().any(|place| path.starts_with(place)) || path.windows(2).any(|part| part == b"/.")
}

/// Whether a packet or socket program sits on the root of all control groups. The service manager puts its own on units alone
/// (systemd.resource-control(5), IPAddressDeny=).
fn on_everything(program: &BpfProgram) -> bool {
    let sees = matches!(
        program.kind.as_str(),
        "cgroup_skb" | "cgroup_sock" | "cgroup_sock_addr" | "cgroup_sockopt" | "sock_ops"
    );
    let roots = ["control group /sys/fs/cgroup (", "control group /sys/fs/cgroup/unified ("];
    sees && program.attached.iter().any(|place| roots.iter().any(|root| place.starts_with(root)))
}

fn weigh(tables: &Tables, files: &Files<'_>, program: &Row<'_, BpfProgram>) -> Option<Draft> {
    if !program.listed {
        return Some(unlisted(program));
    }
    let kind = program.kind.as_str();
    let (watching, packets) = (WATCHING.contains(&kind), PACKETS.contains(&kind));
    let holders = holders(tables, files, program);
    let kept = holders.packaged || !program.pins.is_empty();
    let writes =
        program.strong.iter().any(|name| name == "bpf_probe_write_user" || name == "bpf_override_return");
    let (severity, certainty) = if !holders.strange.is_empty() {
        (Severity::High, Certainty::VeryLikely)
    } else if writes && !holders.packaged {
        (Severity::High, Certainty::Likely)
    } else if writes || !holders.unpackaged.is_empty() && (watching || packets) {
        (Severity::Medium, Certainty::Possible)
    } else if watching && program.owners.is_empty() && program.owners_known {
        // A file may keep it; what an agent keeps so, the agent holds too while it runs.
        (Severity::Medium, if kept { Certainty::Possible } else { Certainty::Likely })
    } else if (packets || on_everything(program)) && program.owners.is_empty() && !kept {
        (Severity::Medium, Certainty::Possible)
    } else if !program.strong.is_empty() && !kept {
        (Severity::Low, Certainty::Possible)
    } else {
        return None;
    };
    let shown = if program.name.is_empty() { Text::from(program.tag.as_str()) } else { program.name.clone() };
    let title = if !holders.strange.is_empty() {
        format!("The BPF program \"{shown}\" belongs to a process with a hidden program")
    } else if writes {
        format!("The BPF program \"{shown}\" can change what other programs do")
    } else if program.owners.is_empty() {
        format!("The BPF program \"{shown}\" ({kind}) belongs to no process")
    } else {
        format!("The BPF program \"{shown}\" ({kind}) belongs to a program that no package owns")
    };
    // The same code kept in two places is two programs.
    let mut identity =
        [kind.as_bytes(), b"\0", program.tag.as_bytes(), b"\0", program.name.as_bytes()].concat();
    for pin in &program.pins {
        identity.push(0);
        identity.extend_from_slice(pin.as_bytes());
    }
    let mut draft = Draft::new(severity, certainty, identity, title)
        .saw(format!("it is of the type {kind}, number {}, loaded by user id {}", program.id, program.uid))
        .saw_all(holders.strange.iter().chain(&holders.unpackaged).cloned());
    for place in &program.attached {
        draft = draft.saw(format!("it is attached to {place}"));
    }
    for call in &program.strong {
        draft = draft.saw(format!("it calls {call}, which acts on other programs"));
    }
    if program.owners.is_empty() {
        draft = draft.saw("no process holds it");
    }
    for pid in &program.owners {
        draft = draft.pid(*pid);
    }
    for path in program.owner_programs.iter().filter(|path| !crate::weigh::is_common_program(path)) {
        draft = draft.path(path);
    }
    for pin in &program.pins {
        draft = draft.saw(format!("the file {pin} keeps it")).path(pin);
    }
    Some(draft.from(program, "the program"))
}

/// A program that the kernel's list leaves out.
fn unlisted(program: &Row<'_, BpfProgram>) -> Draft {
    let (shown, how) = if program.seen_by == "symbol" {
        (program.tag.clone(), format!("its code has the symbol bpf_prog_{} in /proc/kallsyms", program.tag))
    } else {
        (program.id.to_string(), "a process holds it open".to_owned())
    };
    let title = format!("The BPF program {shown} hides from the kernel's list of loaded programs");
    let mut draft = Draft::new(Severity::High, Certainty::VeryLikely, shown, title)
        .saw(how)
        .saw("the list of loaded programs does not name it, and did not when it was asked again")
        .innocent("")
        .next("stop trusting what this kernel says: look at the disk from another system with --root");
    if program.seen_by == "symbol" {
        draft = draft.path(&"/proc/kallsyms".into());
    }
    for pid in &program.owners {
        draft = draft.pid(*pid);
    }
    for path in &program.owner_programs {
        draft = draft.path(path);
    }
    draft.from(program, "what gives it away")
}

#[cfg(test)]
mod tests {

    use calma_record::Subject;
    use calma_testkit::{BpfLink, BpfObject, BpfProgram, Mem, check};

    const SYMBOLS: &str = "ffffffff81000000 T __bpf_call_base\nffffffff81000100 T bpf_probe_write_user\nffffffff81000200 T bpf_override_return\nffffffff81000300 T bpf_map_lookup_elem\n";

    fn program(kind: u32, name: &str, calls: &[i32]) -> BpfProgram {
        let tag = [1, 2, 3, 4, 5, 6, 7, 8];
        BpfProgram {
            id: 7,
            kind,
            name: name.into(),
            tag,
            function_tags: vec![tag],
            calls: calls.to_vec(),
            instructions: 9,
            ..Default::default()
        }
    }

    /// A host whose process 300 runs `exe` and holds program 7.
    fn host(program: BpfProgram, exe: Option<&str>) -> Mem {
        let mut host = Mem::running()
            .kernel_with(|kernel| kernel.bpf.programs.push(program))
            .symlink("/proc/self/ns/pid", "pid:[4026531836]")
            .file("/proc/kallsyms", SYMBOLS)
            .file("/var/lib/dpkg/info/agent.list", "/usr/sbin/agent\n/usr/lib/systemd/systemd\n")
            .file("/usr/sbin/agent", "\x7fELF")
            .file("/usr/sbin/other", "\x7fELF")
            .file("/usr/lib/systemd/systemd", "\x7fELF");
        if let Some(exe) = exe {
            host = host
                .symlink("/proc/300/exe", exe)
                .file("/proc/300/stat", "300 (x) S 1 300 300 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 5 1000000 100 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
                .file("/proc/300/comm", "x\n")
                .symlink("/proc/300/fd/3", "anon_inode:bpf-prog")
                .file("/proc/300/fdinfo/3", "pos:\t0\nprog_type:\t2\nprog_id:\t7\n");
        }
        host
    }

    #[test]
    fn programs_of_nobody_or_of_hidden_programs_are_found() {
        for (program, exe, subject) in [
            (program(2, "kp", &[0x300]), Some("/tmp/.x/agent"), Subject::Pid(300)),
            (program(26, "fexit_x", &[]), Some("/dev/shm/k (deleted)"), Subject::Pid(300)),
            (program(8, "sd_fw_egress", &[]), Some("/home/u/.cache/k"), Subject::Pid(300)),
            (program(5, "tp", &[0x100]), Some("/usr/sbin/other"), Subject::Path("/usr/sbin/other".into())),
            (program(2, "kp", &[0x200]), Some("/usr/sbin/agent"), Subject::Pid(300)),
            (program(17, "rtp", &[]), Some("/usr/sbin/other"), Subject::Pid(300)),
        ] {
            let name = program.name.clone();
            let seen = check(host(program, exe));
            let found = seen.alarms("bpf");
            assert_eq!(found.len(), 1, "{name} {exe:?}");
            assert!(found[0].subjects.contains(&subject), "{found:?}");
        }
        for kind in [2, 6, 3, 29] {
            assert_eq!(check(host(program(kind, "x", &[]), None)).alarms("bpf").len(), 1, "{kind}");
        }
    }

    #[test]
    fn what_service_managers_and_packaged_agents_load_is_ordinary() {
        for (program, exe) in [
            (program(15, "sd_devices", &[0x300]), Some("/usr/lib/systemd/systemd")),
            (program(8, "sd_fw_ingress", &[]), None),
            (program(29, "restrict_filesy", &[]), Some("/usr/lib/systemd/systemd")),
            (program(2, "kprobe_tcp", &[0x300]), Some("/usr/sbin/agent")),
            (program(6, "xdp_lb", &[]), Some("/usr/sbin/agent")),
        ] {
            let name = program.name.clone();
            let seen = check(host(program, exe));
            assert!(seen.by("bpf").is_empty(), "{name}: {:?}", seen.by("bpf"));
        }
        assert!(
            check(Mem::running().kernel_with(|kernel| kernel.bpf.refused = Some(1))).by("bpf").is_empty()
        );
    }

    /// Program 7, kept by a file alone.
    fn pinned(kind: u32) -> Mem {
        host(program(kind, "x", &[]), None)
            .file("/proc/self/mountinfo", "30 1 0:9 / /sys/fs/bpf rw - bpf bpf rw\n")
            .file("/sys/fs/bpf/site", "")
            .kernel_with(|kernel| {
                kernel.bpf.pins.push((b"/sys/fs/bpf/site".to_vec(), BpfObject::Program, 7));
            })
    }

    #[test]
    fn a_watching_program_that_only_a_file_keeps_is_found_and_a_networks_is_not() {
        for kind in [2, 5, 17, 26] {
            let seen = check(pinned(kind));
            let found = seen.alarms("bpf");
            assert_eq!(found.len(), 1, "{kind}: {:?}", seen.findings);
            assert!(found[0].subjects.contains(&Subject::Path("/sys/fs/bpf/site".into())), "{found:?}");
        }
        for kind in [3, 6, 15] {
            assert!(check(pinned(kind)).alarms("bpf").is_empty(), "{kind}");
        }
    }

    #[test]
    fn a_program_that_others_processes_might_hold_is_not_called_ownerless() {
        let inside =
            host(program(29, "restrict_filesy", &[]), None).symlink("/proc/self/ns/pid", "pid:[4026532201]");
        assert!(check(inside).alarms("bpf").is_empty());
    }

    #[test]
    fn a_link_leads_to_the_owner() {
        let mut held = host(program(26, "x", &[]), Some("/usr/sbin/agent"));
        held = held
            .symlink("/proc/300/fd/3", "anon_inode:bpf_link")
            .file("/proc/300/fdinfo/3", "link_type:\ttracing\nlink_id:\t4\n")
            .kernel_with(|kernel| {
                kernel.bpf.links.push(BpfLink { id: 4, kind: 2, program: 7, ..Default::default() })
            });
        assert!(check(held).by("bpf").is_empty());
    }

    #[test]
    fn a_program_that_the_list_leaves_out_is_found() {
        let symbols = format!(
            "{SYMBOLS}ffffffffc0000000 t bpf_prog_0102030405060708_x\t[bpf]\nffffffffc0000100 t bpf_prog_aaaabbbbccccdddd_y\t[bpf]\n"
        );
        let seen = check(
            host(program(15, "sd_devices", &[]), Some("/usr/lib/systemd/systemd"))
                .file("/proc/kallsyms", &symbols),
        );
        assert_eq!(seen.alarms("bpf").len(), 1);
        let seen = check(
            host(program(15, "sd_devices", &[]), Some("/usr/sbin/agent"))
                .file("/proc/300/fdinfo/3", "prog_id:\t99\n"),
        );
        assert_eq!(seen.alarms("bpf").len(), 1);
    }
}
