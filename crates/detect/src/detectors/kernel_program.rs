//! Detector: the kernel runs an unusual program by itself.

use crate::{Card, Detector, Draft, Row, Tables, weigh, weigh::Files};
use calma_record::{Certainty, Severity, Text, kinds::File, kinds::KernelSetting, kinds::System};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "kernel-program",
        doc: "A kernel setting or binary format handler makes the kernel run a program that is not of the system's own.",
        mechanisms: &[30, 31],
        attack: &["T1546", "T1547.006"],
        why: "The kernel starts it as root by itself: when a program crashes, a module is wanted, or a file of that kind is run.",
        innocent: "you installed a crash collector or an emulator yourself, outside of packages",
        next: "look at the program; if it is not yours, put the setting back to its default once the server is cut off",
    },
    judge,
};

/// Directories that only packages and administrators fill.
const SYSTEM: [&[u8]; 12] = [
    b"/bin/",
    b"/sbin/",
    b"/lib/",
    b"/lib64/",
    b"/usr/bin/",
    b"/usr/sbin/",
    b"/usr/lib/",
    b"/usr/lib64/",
    b"/usr/libexec/",
    b"/usr/share/",
    b"/opt/",
    b"/usr/local/",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let contained = tables.of::<System>().any(|system| !system.container.is_empty());
    let machine = tables.run().map(|run| run.machine.clone()).unwrap_or_default();
    for setting in tables.of::<KernelSetting>() {
        let Some(runs) = &setting.runs else { continue };
        let file = files.get(runs);
        // Inside a container the program is looked for outside of it.
        let missing = file.is_some_and(|file| file.what == "missing");
        if contained && missing {
            continue;
        }
        let (severity, reasons) = if setting.name.as_bytes().starts_with(b"binfmt_misc.") {
            handler(&setting, &machine, runs, file)
        } else {
            helper(&files, &setting, runs, file)
        };
        let Some(severity) = severity else { continue };
        let certainty = if severity >= Severity::Medium { Certainty::Likely } else { Certainty::Possible };
        let title = match setting.name.as_bytes().strip_prefix(b"binfmt_misc.") {
            Some(name) => {
                format!("Files of the kind \"{}\" are run by an unusual program, {runs}", Text::from(name))
            }
            None => format!("The kernel runs an unusual program by itself: {runs} ({})", setting.name),
        };
        let identity = [setting.name.as_bytes(), b"\0", runs.as_bytes()].concat();
        let mut draft = Draft::new(severity, certainty, identity, title)
            .saw(format!("{} is \"{}\"", setting.path, setting.value))
            .saw_all(reasons)
            .path(&setting.path)
            .path(runs)
            .from(&setting, "the setting");
        if let Some(file) = file {
            draft = draft.from(&file, "the program");
        }
        drafts.push(draft);
    }
}

fn in_system(path: &[u8]) -> bool {
    SYSTEM.iter().any(|directory| path.starts_with(directory)) && !path.windows(2).any(|part| part == b"/.")
}

/// Facts about a program that make it unfit to be the kernel's, with how bad they are.
fn program(runs: &Text, file: Option<Row<'_, File>>) -> (Option<Severity>, Vec<String>) {
    let real = file.and_then(|file| file.fact.real.as_ref()).unwrap_or(runs);
    let mut reasons = Vec::new();
    let mut severity = None;
    let mut add = |how, reason: String| {
        reasons.push(reason);
        severity = severity.max(Some(how));
    };
    if !in_system(runs.as_bytes()) || !in_system(real.as_bytes()) {
        add(Severity::High, format!("{runs} does not stand where programs are installed"));
    }
    if let Some(file) = file {
        if file.what == "missing" {
            add(Severity::Low, format!("{runs} is not there (any more)"));
        } else if file.packages_known && file.package.is_none() {
            add(Severity::Medium, format!("no package owns {runs}"));
        }
        if file.what == "file" && (file.mode & 0o022 != 0 || file.uid != 0) {
            add(Severity::High, format!("somebody else than root may change {runs}"));
        }
    }
    (severity, reasons)
}

fn helper(
    files: &Files<'_>,
    setting: &KernelSetting,
    runs: &Text,
    file: Option<Row<'_, File>>,
) -> (Option<Severity>, Vec<String>) {
    let (mut severity, mut reasons) = program(runs, file);
    // The kernel's built-in default names a program that half of all systems do not have.
    let default = matches!(runs.as_bytes(), b"/sbin/hotplug" | b"/sbin/modprobe" | b"/sbin/poweroff");
    if default && severity == Some(Severity::Low) {
        return (None, reasons);
    }
    if weigh::is_common_program(runs) {
        severity = severity.max(Some(Severity::Medium));
        reasons.push("it is a shell or an interpreter: it runs what its arguments say".to_owned());
    }
    let command: Text =
        setting.value.as_bytes().trim_ascii().strip_prefix(b"|").unwrap_or(setting.value.as_bytes()).into();
    let weight = weigh::command(files, &command, true);
    if weight.severity >= Some(Severity::Low) {
        severity = severity.max(weight.severity);
        reasons.extend(weight.reasons);
    }
    (severity, reasons)
}

fn handler(
    setting: &KernelSetting,
    machine: &Text,
    runs: &Text,
    file: Option<Row<'_, File>>,
) -> (Option<Severity>, Vec<String>) {
    let field = |name: &[u8]| {
        let line = setting.value.as_bytes().split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim_ascii()
    };
    let (mut severity, mut reasons) = program(runs, file);
    // A handler that outlived its program; with flag F the kernel has kept the program open since it was registered, as
    // emulators of other machines for containers are.
    if severity == Some(Severity::Low) {
        severity = None;
    }
    // An interpreter that the administrator put where his own programs belong.
    let own = [&b"/usr/local/"[..], b"/opt/"].iter().any(|place| runs.as_bytes().starts_with(place));
    if own && severity == Some(Severity::Medium) {
        severity = Some(Severity::Low);
    }
    if field(b"flags:").contains(&b'C') && !of_another_machine(field(b"magic "), machine) {
        reasons.push(
            "it runs with the rights of the file it stands in for: of a set-user-id file, with root's"
                .to_owned(),
        );
        severity = Some(Severity::High);
    }
    (severity, reasons)
}

/// Whether the pattern is that of another machine's programs (elf(5), `e_machine` at offset 18), as emulators register.
fn of_another_machine(magic: &[u8], machine: &Text) -> bool {
    let native: &[u8] = match machine.as_bytes() {
        b"aarch64" => b"b700",
        b"x86_64" | b"" => b"3e00",
        _ => b"",
    };
    magic.starts_with(b"7f454c46") && magic.get(36..40).is_some_and(|number| number != native)
}

#[cfg(test)]
mod tests {
    use calma_record::{Severity, Subject};
    use calma_testkit::{Mem, Seen, check};

    /// A host with a package list; `setting` has `value`.
    fn host(setting: &str, value: &str) -> Mem {
        let list = "/usr/lib/systemd/systemd-coredump\n/usr/share/apport/apport\n/usr/bin/qemu-aarch64-static\n/usr/bin/jexec\n";
        let mut host =
            Mem::running().file("/var/lib/dpkg/info/base.list", list).file("/usr/bin/own", "\x7fELF");
        for path in list.lines() {
            host = host.file(path, "\x7fELF").owned(path, 0o755, 0, 0);
        }
        host.file("/opt/x/run", "\x7fELF").file("/var/tmp/h", "\x7fELF").file(setting, value)
    }

    fn seen(setting: &str, value: &str) -> Seen {
        check(host(setting, value))
    }

    const QEMU: &str = "flags: OCF\noffset 0\nmagic 7f454c460201010000000000000000000200b700\n";
    const NATIVE: &str = "flags: C\noffset 0\nmagic 7f454c46020101000000000000000000030\n";

    #[test]
    fn programs_that_are_not_the_systems_own_are_found() {
        for (setting, value, path) in [
            ("/proc/sys/kernel/core_pattern", "|/var/tmp/h %p\n", "/var/tmp/h"),
            ("/proc/sys/kernel/core_pattern", "|/dev/shm/.q\n", "/dev/shm/.q"),
            ("/proc/sys/kernel/modprobe", "/usr/bin/own\n", "/usr/bin/own"),
            ("/sys/kernel/uevent_helper", "/home/me/u\n", "/home/me/u"),
            ("/proc/sys/kernel/core_pattern", "|/bin/sh -c x\n", "/bin/sh"),
            (
                "/proc/sys/fs/binfmt_misc/abc",
                "enabled\ninterpreter /var/tmp/h\nflags: \nextension .abc\n",
                "/var/tmp/h",
            ),
            (
                "/proc/sys/fs/binfmt_misc/s",
                &format!("enabled\ninterpreter /usr/bin/jexec\n{NATIVE}"),
                "/usr/bin/jexec",
            ),
        ] {
            let seen = seen(setting, value);
            let found = seen.alarms("kernel-program");
            assert_eq!(found.len(), 1, "{setting} {value}");
            assert!(found[0].subjects.contains(&Subject::Path(path.into())), "{found:?}");
        }
    }

    #[test]
    fn settings_for_the_next_start_are_judged_alike() {
        for (path, text) in [
            ("/etc/sysctl.d/99-x.conf", "kernel.core_pattern = |/var/tmp/c %p\n"),
            ("/usr/lib/sysctl.d/50.conf", "kernel/modprobe=/opt/.m/modprobe\n"),
            ("/etc/sysctl.conf", "-kernel.core_pattern=|/bin/sh -c id\n"),
            ("/etc/binfmt.d/z.conf", ":z:E::txt::/dev/shm/z:OC\n"),
        ] {
            let seen = check(Mem::new().file(path, text));
            assert_eq!(seen.alarms("kernel-program").len(), 1, "{path}: {:#?}", seen.findings);
        }
        let ordinary = Mem::new()
            .file("/etc/sysctl.d/1.conf", "kernel.core_pattern=/var/crash/core.%p\nvm.swappiness=10\n")
            .file("/usr/lib/systemd/systemd-coredump", "\x7fELF")
            .file(
                "/usr/lib/sysctl.d/50-coredump.conf",
                "kernel.core_pattern=|/usr/lib/systemd/systemd-coredump %P\n",
            );
        assert!(check(ordinary).by("kernel-program").is_empty());
    }

    #[test]
    fn a_release_agent_of_a_control_group_is_one() {
        let host = host("/sys/fs/cgroup/rdma/release_agent", "/tmp/cmd\n")
            .file("/proc/self/mountinfo", "33 31 0:31 / /sys/fs/cgroup/rdma rw - cgroup cgroup rw,rdma\n");
        assert_eq!(check(host).alarms("kernel-program").len(), 1);
    }

    #[test]
    fn what_distributions_set_is_ordinary() {
        for (setting, value) in [
            ("/proc/sys/kernel/core_pattern", "core\n"),
            ("/proc/sys/kernel/core_pattern", "/var/crash/core.%p\n"),
            (
                "/proc/sys/kernel/core_pattern",
                "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t 9223372036854775808 %h\n",
            ),
            (
                "/proc/sys/kernel/core_pattern",
                "|/usr/share/apport/apport -p%p -s%s -c%c -d%d -P%P -u%u -g%g -- %E\n",
            ),
            ("/proc/sys/kernel/modprobe", "/sbin/modprobe\n"),
            ("/sys/kernel/uevent_helper", "\n"),
            (
                "/proc/sys/fs/binfmt_misc/qemu-aarch64",
                &format!("enabled\ninterpreter /usr/bin/qemu-aarch64-static\n{QEMU}"),
            ),
            (
                "/proc/sys/fs/binfmt_misc/qemu-aarch64",
                &format!("enabled\ninterpreter /usr/bin/qemu-aarch64\n{QEMU}"),
            ),
            (
                "/proc/sys/fs/binfmt_misc/jar",
                "enabled\ninterpreter /usr/bin/jexec\nflags: \noffset 0\nmagic 504b0304\n",
            ),
            ("/proc/sys/fs/binfmt_misc/status", "enabled\n"),
        ] {
            let seen = seen(setting, value);
            let bad: Vec<_> =
                seen.by("kernel-program").into_iter().filter(|f| f.severity > Severity::Info).collect();
            assert!(bad.is_empty(), "{setting} {value}: {bad:?}");
        }
    }
}
