//! Detector: functions of the kernel that a module or code of nobody has hooked.

use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::BpfProgram, kinds::KernelSetting};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "kernel-hook",
        doc: "A function of the kernel is redirected or watched by a module, or by code that belongs to no module.",
        mechanisms: &[24],
        attack: &["T1014", "T1056"],
        why: "Whoever redirects such a function decides what every program sees of files, processes and connections.",
        innocent: "you load a module for tracing, security or live patches yourself, or trace the kernel right now",
        next: "do not trust what this system shows of itself; keep memory and disk, and judge it from another kernel",
    },
    judge,
};

/// Parts of names of functions that decide what can be seen and who may do what.
const TELLING: &[&str] = &[
    "getdents",
    "filldir",
    "iterate_dir",
    "readdir",
    "seq_show",
    "packet_rcv",
    "kill",
    "find_task",
    "find_pid",
    "find_vpid",
    "pid_",
    "proc_",
    "execve",
    "creds",
    "kallsyms",
    "vfs_",
    "sys_read",
    "sys_write",
    "openat",
    "sys_open",
    "statx",
    "newfstatat",
    "recvmsg",
    "recvfrom",
    "sys_bpf",
    "bpf_prog",
    "bpf_map",
    "audit",
    "ptrace",
    "init_module",
    "delete_module",
    "load_module",
    "find_module",
    "netlink",
    "diag",
    "sysinfo",
    "m_show",
    "s_show",
    "sched_debug",
    "sys_ioctl",
    "tty_",
    "n_tty",
    "input_",
    "kbd_",
    "nf_hook",
    "ip_rcv",
    "tcp_",
    "udp_",
    "icmp_",
    "do_exit",
    "clone",
    "mount",
    "security_",
    "commit_",
    "capable",
    "printk",
    "syslog",
    "tainted",
    "add_taint",
    "ftrace",
];

fn is_telling(function: &str) -> bool {
    TELLING.iter().any(|part| function.contains(part))
}

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    functions(tables, drafts);
    probes(tables, drafts);
    users(tables, drafts);
}

/// Who hooks: the module, or the function that is called.
fn functions(tables: &Tables, drafts: &mut Vec<Draft>) {
    type Hooks<'a> = Vec<(Row<'a, KernelSetting>, String, &'a str)>;
    let mut owners: BTreeMap<(String, Severity), Hooks<'_>> = BTreeMap::new();
    for row in tables.of::<KernelSetting>() {
        let (name, value) = (row.name.to_string(), row.value.to_string());
        let Some(function) = name.strip_prefix("hook.") else { continue };
        let mut words = value.split_whitespace();
        let (how, module, callback) =
            (words.next().unwrap_or_default(), words.next().unwrap_or("-"), words.next().unwrap_or("-"));
        let how = match how {
            "diverted" => "redirected",
            "traced" => "watched",
            _ => continue,
        };
        let (owner, severity) = match (module, callback) {
            // Live patches of the kernel's own (livepatch.rst).
            ("-", "klp_ftrace_handler") => continue,
            ("-", callback) if callback.starts_with("0x") => {
                (format!("code at {callback}, which belongs to no module"), Severity::High)
            }
            ("-", callback) if how == "redirected" && is_telling(function) => {
                (format!("the kernel's own {callback}"), Severity::Medium)
            }
            ("-", _) => continue,
            (module, _) if how == "redirected" => (format!("the module {module}"), Severity::High),
            (module, _) if is_telling(function) => (format!("the module {module}"), Severity::Medium),
            (module, _) => (format!("the module {module}"), Severity::Low),
        };
        owners.entry((owner, severity)).or_default().push((row, function.to_owned(), how));
    }
    for ((owner, severity), mut hooks) in owners {
        hooks.sort_by(|a, b| a.1.cmp(&b.1));
        let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let count = hooks.len();
        let title = format!("Functions of the kernel are hooked by {owner}");
        let mut draft = Draft::new(severity, certainty, &owner, title);
        for (row, function, how) in hooks.iter().take(8) {
            draft = draft.saw(format!("{function} is {how}")).path(&row.path).from(row, "the hook");
        }
        if count > 8 {
            draft = draft.saw(format!("{count} functions in all"));
        }
        drafts.push(draft);
    }
}

/// Probes on telling functions that neither the tracer's own list nor a BPF program explains.
fn probes(tables: &Tables, drafts: &mut Vec<Draft>) {
    let bpf = tables.of::<BpfProgram>().any(|row| row.kind.contains("kprobe") || row.kind == "tracing");
    let events: Vec<String> = tables
        .of::<KernelSetting>()
        .filter(|row| row.name == "tracing.kprobe_events" || row.name == "tracing.dynamic_events")
        .map(|row| row.value.to_string())
        .collect();
    for row in tables.of::<KernelSetting>() {
        let name = row.name.to_string();
        let Some(function) = name.strip_prefix("kprobe.") else { continue };
        let explained = bpf || events.iter().any(|list| list.contains(function));
        if explained || !is_telling(function) {
            continue;
        }
        let title = format!("A probe of unknown origin sits on {function} of the kernel");
        drafts.push(
            Draft::new(Severity::Medium, Certainty::Likely, function, title)
                .saw(format!("{} lists it: {}", row.path, row.value))
                .saw("the tracer's own list has no such probe, and no BPF program is loaded that would use one")
                .path(&row.path)
                .from(&row, "the probe"),
        );
    }
}

/// Probes on programs and libraries that see passwords.
fn users(tables: &Tables, drafts: &mut Vec<Draft>) {
    const SECRET: [&str; 12] = [
        "pam", "ssl", "crypto", "gnutls", "sshd", "/ssh", "/sudo", "/su:", "/login", "bash", "readline",
        "nss",
    ];
    for row in tables.of::<KernelSetting>().filter(|row| row.name == "tracing.uprobe_events") {
        let value = row.value.to_string();
        let odd: Vec<&str> = value
            .split("\\n")
            .flat_map(str::lines)
            .filter(|line| SECRET.iter().any(|part| line.contains(part)))
            .collect();
        let Some(first) = odd.first() else { continue };
        let title = "Programs or libraries that see passwords are probed".to_owned();
        drafts.push(
            Draft::new(Severity::Medium, Certainty::Likely, first, title)
                .saw_all(odd.iter().take(6).map(|line| format!("the tracer's list has: {line}")))
                .path(&row.path)
                .from(&row, "the probes"),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host(file: &str, text: &str) -> Mem {
        Mem::running()
            .file("/sys/kernel/tracing/current_tracer", "nop\n")
            .file("/sys/kernel/tracing/enabled_functions", "")
            .file(file, text)
    }

    const ENABLED: &str = "/sys/kernel/tracing/enabled_functions";

    #[test]
    fn hooks_of_modules_and_of_nobody_are_found() {
        for (file, text) in [
            (
                ENABLED,
                "__x64_sys_getdents64 (1) R I     \ttramp: 0xffffffffc0a01000 (fh_ftrace_thunk+0x0/0x40 [lkm]) ->ftrace_ops_assist_func+0x0/0xf0\n",
            ),
            (
                ENABLED,
                "tcp4_seq_show (1) R I     \ttramp: 0xffffffffc0a01000 (0xffffffffc0d55040) ->ftrace_ops_assist_func+0x0/0xf0\n",
            ),
            (
                ENABLED,
                "audit_log_start (1) R       \ttramp: 0xffffffffc0a01000 (watch+0x0/0x40 [netfx]) ->arch_ftrace_ops_list_func+0x0\n",
            ),
            (ENABLED, "vfs_read (1)         O \n\tops: 0xffffffffc0f00000 (0xffffffffc0f01000)\n"),
            ("/sys/kernel/debug/kprobes/list", "ffffffffa1234560  k  __x64_sys_kill+0x0    [FTRACE]\n"),
            (
                "/sys/kernel/tracing/uprobe_events",
                "p:uprobes/p_a /usr/lib/x86_64-linux-gnu/libpam.so.0.85.1:0x0000000000003c40 arg1=%di\n",
            ),
        ] {
            let seen = check(host(file, text));
            let found = seen.alarms("kernel-hook");
            assert_eq!(found.len(), 1, "{text}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn live_patches_bpf_and_tracing_by_the_administrator_are_no_alarm() {
        for (file, text) in [
            (
                ENABLED,
                "cmdline_proc_show (1) R I     \ttramp: 0xffffffffa0219000 (klp_ftrace_handler+0x0/0x1d0) ->ftrace_ops_assist_func+0x0/0xf0\n",
            ),
            (ENABLED, "bpf_lsm_file_open (1) R   D   \n\tdirect-->bpf_trampoline_6442466562+0x0/0x100\n"),
            (
                ENABLED,
                "vfs_read (1)       \ttramp: 0xffffffffc0a01000 (function_trace_call+0x0/0x1a0) ->function_trace_call+0x0/0x1a0\n",
            ),
            ("/sys/kernel/debug/kprobes/list", "ffffffffa1234560  k  blk_account_io_start+0x0    [FTRACE]\n"),
            ("/sys/kernel/tracing/uprobe_events", "p:uprobes/p_a /usr/sbin/nginx:0x3c40\n"),
        ] {
            let seen = check(host(file, text));
            assert!(seen.by("kernel-hook").is_empty(), "{text}: {:#?}", seen.findings);
        }
        let explained =
            host("/sys/kernel/debug/kprobes/list", "ffffffffa1234560  k  do_sys_openat2+0x0    [FTRACE]\n")
                .file("/sys/kernel/tracing/kprobe_events", "p:kprobes/p1 do_sys_openat2\n");
        assert!(check(explained).by("kernel-hook").is_empty());
    }
}
