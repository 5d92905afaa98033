//! Detector: code without a file in a program that makes none, and a process that looks into another's memory.

use super::io_uring::program;
use crate::weigh::{self, Files, Processes, identity, is_below, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::OpenFile, kinds::Process};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "injected-code",
        doc: "A service of the system or an odd program runs code that is in no file, or an odd process traces another or holds its memory open.",
        mechanisms: &[19],
        attack: &["T1055", "T1055.008", "T1003.007"],
        why: "So an intruder lives inside an innocent process, or reads the passwords that pass through it.",
        innocent: "you look for a fault with a debugger right now",
        next: "do not restart the process: keep its memory first (a core image), then look who made it so",
    },
    judge,
};

/// Services of the system that never make code at run time, by the name of their program.
const PLAIN: [&str; 32] = [
    "sshd",
    "sshd-session",
    "sshd-auth",
    "cron",
    "crond",
    "atd",
    "anacron",
    "init",
    "login",
    "agetty",
    "getty",
    "su",
    "sudo",
    "rsyslogd",
    "syslog-ng",
    "auditd",
    "dbus-daemon",
    "dbus-broker",
    "udevd",
    "chronyd",
    "ntpd",
    "dhclient",
    "dhcpcd",
    "irqbalance",
    "rpcbind",
    "acpid",
    "smartd",
    "mcelog",
    "inetd",
    "xinetd",
    "logrotate",
    "klogd",
];

fn is_plain(process: &Process) -> bool {
    let Some(program) = &process.program else { return false };
    let name = String::from_utf8_lossy(program.file_name()).into_owned();
    let system = [&b"/usr/sbin"[..], b"/usr/bin", b"/sbin", b"/bin", b"/usr/lib", b"/lib", b"/usr/libexec"]
        .iter()
        .any(|place| is_below(program.as_bytes(), place));
    system && (PLAIN.contains(&name.as_str()) || name.starts_with("systemd"))
}

/// Programs through which passwords and keys pass.
fn keeps_secrets(process: &Process) -> bool {
    let name =
        process.program.as_ref().map(|program| String::from_utf8_lossy(program.file_name()).into_owned());
    name.is_some_and(|name| {
        name.starts_with("sshd")
            || ["login", "su", "sudo", "ssh-agent", "gpg-agent", "doas", "passwd"].contains(&name.as_str())
    })
}

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    for process in processes.others() {
        if let Some(areas) = process.executable_anonymous.filter(|areas| *areas > 0 && is_plain(process.fact))
        {
            let title =
                format!("Process {} (\"{}\") runs code that is in no file", process.pid, process.name);
            drafts.push(
                Draft::new(
                    Severity::Medium,
                    Certainty::Likely,
                    [b"code ", identity(process.fact).as_bytes()].concat(),
                    title,
                )
                .saw(who(process.fact))
                .saw(format!(
                    "it has {areas} executable memory areas of no file; this program makes none by itself"
                ))
                .pid(process.pid)
                .from(&process, "its memory areas"),
            );
        }
        drafts.extend(foreign_code(&files, &process));
        if process.tracer != 0 {
            let tracer = processes.get(process.tracer);
            looks_into(&files, tracer, process.tracer, &process, "traces", drafts);
        }
    }
    let mut seen = BTreeSet::new();
    for row in tables.of::<OpenFile>().filter(|row| row.what == "memory") {
        let target = row.target.to_string();
        let pid = target.strip_prefix("/proc/").and_then(|rest| rest.split('/').next()?.parse::<u32>().ok());
        let (Some(holder), Some(victim)) = (processes.get(row.pid), pid.and_then(|pid| processes.get(pid)))
        else {
            continue;
        };
        if victim.pid != holder.pid && seen.insert((holder.pid, victim.pid)) && victim.tracer != holder.pid {
            looks_into(&files, Some(holder), holder.pid, &victim, "holds the memory open of", drafts);
        }
    }
}

/// Servers and tools that make code for patterns and scripts as they run, and are often built by hand.
const MAKERS: [&str; 14] = [
    "nginx",
    "haproxy",
    "openresty",
    "lua",
    "luajit",
    "varnishd",
    "suricata",
    "wine",
    "rspamd",
    "postgres",
    "deno",
    "bun",
    "pypy",
    "julia",
];

/// No program that is as large as this is a mere starter of code; language runtimes are.
const LARGE: u64 = 16 << 20;

/// A program of no package, no language's runtime, with memory that is written and run: code that came from elsewhere.
fn foreign_code(files: &Files<'_>, process: &Row<'_, Process>) -> Option<Draft> {
    let areas = process.writable_code.filter(|areas| *areas > 0)?;
    let program = process.fact.program.as_ref()?;
    if !process.same_files || process.container.is_some() || weigh::unpacks(process.fact) {
        return None;
    }
    let name = String::from_utf8_lossy(program.file_name()).into_owned();
    let file = files.get(program).filter(|file| file.elf && file.what == "file")?;
    let foreign = file.packages_known && file.package.is_none() && file.size < LARGE;
    if !foreign || MAKERS.iter().any(|maker| name.starts_with(maker)) {
        return None;
    }
    let own: [&[u8]; 4] = [b"/opt", b"/srv", b"/home", b"/nix"];
    let severity = if own.iter().any(|place| is_below(program.as_bytes(), place)) {
        Severity::Low
    } else {
        Severity::Medium
    };
    let title =
        format!("Process {} (\"{}\") writes code into its memory and runs it", process.pid, process.name);
    let key = [b"foreign code ", identity(process.fact).as_bytes()].concat();
    let draft = Draft::new(severity, Certainty::Possible, key, title)
        .saw(who(process.fact))
        .saw(format!("it has {areas} memory areas of no file that may be both written and run"))
        .saw(format!("no package owns {program}, and it is no runtime of a language"))
        .innocent(
            "you built this program by hand, and it makes code as it runs, as some servers and emulators do",
        );
    Some(draft.pid(process.pid).path(program).from(process, "its memory areas"))
}

/// One process that has another in its hands: worth a word where the one is odd, or the other keeps passwords.
fn looks_into(
    files: &Files<'_>,
    tracer: Option<Row<'_, Process>>,
    pid: u32,
    victim: &Row<'_, Process>,
    does: &str,
    drafts: &mut Vec<Draft>,
) {
    let odd = tracer.map(|tracer| program(files, tracer.fact)).unwrap_or_default();
    let odd_severity = odd.severity.filter(|severity| *severity >= Severity::Medium);
    let secrets = keeps_secrets(victim.fact);
    let hidden = tracer.is_none();
    let Some(severity) = odd_severity.or((secrets || hidden).then_some(Severity::Medium)) else { return };
    // A program that traces its own child watches itself, as sandboxes do.
    if odd_severity.is_none() && (victim.parent == pid || (hidden && !secrets)) {
        return;
    }
    let name = tracer.map(|tracer| tracer.name.to_string()).unwrap_or_default();
    let title = format!("Process {pid} (\"{name}\") {does} process {} (\"{}\")", victim.pid, victim.name);
    let identity = format!("{pid} {does} {}", identity(victim.fact));
    let mut draft = Draft::new(severity, Certainty::Likely, identity, title).pid(pid).pid(victim.pid);
    if let Some(tracer) = tracer {
        draft = draft.saw(who(tracer.fact)).from(&tracer, "who looks");
        if let Some(program) = &tracer.fact.program {
            draft = draft.path(program);
        }
    } else {
        draft = draft.saw("the process that does so can not be seen");
    }
    draft = draft.saw_all(odd.reasons).saw(who(victim.fact));
    if secrets {
        draft = draft.saw("passwords or keys pass through this process");
    }
    drafts.push(draft.from(victim, "who is looked into"));
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, Specimen, check, running};

    fn host() -> Mem {
        running(&[
            "/usr/sbin/sshd",
            "/usr/sbin/cron",
            "/usr/bin/node",
            "/usr/bin/strace",
            "/usr/bin/gdb",
            "/usr/sbin/nginx",
        ])
    }

    fn traced(host: Mem, pid: u32, by: u32) -> Mem {
        host.file(
            format!("/proc/{pid}/status"),
            format!("Name:\tx\nTgid:\t{pid}\nPid:\t{pid}\nTracerPid:\t{by}\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmSize:\t4096 kB\n"),
        )
    }

    #[test]
    fn code_in_services_and_odd_tracers_are_found() {
        for program in ["/usr/sbin/sshd", "/usr/sbin/cron", "/usr/lib/systemd/systemd-logind"] {
            let host = Specimen::new(300, "x").program(program).on(host());
            let host = host.file("/proc/300/maps", "7f0000000000-7f0000021000 rwxp 00000000 00:00 0 \n");
            let seen = check(host);
            assert_eq!(seen.alarms("injected-code").len(), 1, "{program}: {:#?}", seen.findings);
        }
        // A program of no package.
        for program in ["/usr/local/bin/d21", "/usr/lib/colord/helper", "/root/bin/x"] {
            let host = Specimen::new(300, "x").program(program).on(host().file(program, "\x7fELF\x02"));
            let host = host.file("/proc/300/maps", "7f0000000000-7f0000021000 rwxp 00000000 00:00 0 \n");
            let seen = check(host);
            let found = seen.alarms("injected-code");
            assert_eq!(found.len(), 1, "{program}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(program));
        }
        for (program, victim) in [
            ("/tmp/t", "/usr/sbin/nginx"),
            ("/usr/bin/strace", "/usr/sbin/sshd"),
            ("/usr/lib/.h", "/usr/sbin/cron"),
        ] {
            let host = host().file("/tmp/t", "\x7fELF").file("/usr/lib/.h", "\x7fELF");
            let host = Specimen::new(301, "v").program(victim).on(host);
            let host = traced(Specimen::new(302, "t").program(program).on(host), 301, 302);
            let seen = check(host);
            assert_eq!(seen.alarms("injected-code").len(), 1, "{program}: {:#?}", seen.findings);
        }
        let host = host().file("/tmp/t", "\x7fELF");
        let host = Specimen::new(301, "v").program("/usr/sbin/nginx").on(host);
        let host = Specimen::new(302, "t").program("/tmp/t").descriptor(4, "/proc/301/mem").on(host);
        let seen = check(host);
        assert_eq!(seen.alarms("injected-code").len(), 1, "{:#?}", seen.findings);
    }

    #[test]
    fn runtimes_and_debuggers_of_own_programs_are_no_alarm() {
        let host = Specimen::new(300, "node").program("/usr/bin/node").on(host());
        let host = host.file("/proc/300/maps", "7f0000000000-7f0000021000 rwxp 00000000 00:00 0 \n");
        // What only runs code it was given by its loader, a runtime built by hand, and a vendor's program.
        let mut host = host;
        for (pid, program, rights) in [
            (303, "/usr/local/bin/tool", "r-xp"),
            (304, "/usr/local/bin/python3.12", "rwxp"),
            (305, "/opt/v/agent", "rwxp"),
        ] {
            host = Specimen::new(pid, "x").program(program).on(host.file(program, "\x7fELF\x02"));
            let maps = format!("7f0000000000-7f0000021000 {rights} 00000000 00:00 0 \n");
            host = host.file(format!("/proc/{pid}/maps"), maps);
        }
        let host = Specimen::new(301, "nginx").program("/usr/sbin/nginx").on(host);
        let host = traced(Specimen::new(302, "gdb").program("/usr/bin/gdb").on(host), 301, 302);
        let seen = check(host);
        assert!(seen.alarms("injected-code").is_empty(), "{:#?}", seen.findings);
    }
}
