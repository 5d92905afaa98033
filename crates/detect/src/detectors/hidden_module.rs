//! Detector: kernel modules that hide, and modules from outside the kernel's source.

use crate::{Card, Detector, Draft, Row, Tables, weigh::Files};
use calma_record::{Certainty, Severity, Text, kinds::KernelSetting, kinds::Module};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "hidden-module",
        doc: "A kernel module is missing in one of the kernel's views of its modules, or was loaded from nowhere known.",
        mechanisms: &[25],
        attack: &["T1014", "T1547.006"],
        why: "Code in the kernel can hide files, processes and connections from every program, this one included.",
        innocent: "",
        next: "stop trusting what this kernel says: look at the disk from another system with --root",
    },
    judge,
};

/// Bits of /proc/sys/kernel/tainted (Documentation/admin-guide/tainted-kernels.rst) that only a module can set.
const BITS: [(u32, u8, &str); 3] = [
    (1, b'F', "was loaded by force"),
    (12, b'O', "comes from outside the kernel's source"),
    (13, b'E', "has no valid signature"),
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut outside = Vec::new();
    for module in tables.of::<Module>() {
        let shown =
            module.in_list == Some(true) || module.in_sys == Some(true) || module.in_symbols == Some(true);
        if module.confirmed {
            drafts.push(hidden(&module));
        } else if shown && has_any(&module, b"OEF") {
            let packaged =
                module.file.as_ref().and_then(|file| files.get(file)).and_then(|file| file.package.clone());
            if module.file.is_none() && module.files_known {
                drafts.push(from_nowhere(&module));
            } else {
                outside.push((module, packaged));
            }
        }
    }
    taint_without_a_module(tables, drafts);
    if !outside.is_empty() {
        drafts.push(ordinary(&outside));
    }
}

fn has_any(module: &Module, letters: &[u8]) -> bool {
    module.taint.as_bytes().iter().any(|letter| letters.contains(letter))
}

fn hidden(module: &Row<'_, Module>) -> Draft {
    let sys: Text = [b"/sys/module/", module.name.as_bytes()].concat().into();
    let views = [
        (module.in_list, "/proc/modules (what lsmod shows)"),
        (module.in_sys, "/sys/module"),
        (module.in_symbols, "the kernel's symbols"),
    ];
    let title = format!("The kernel module \"{}\" hides from one of the kernel's own lists", module.name);
    let mut draft =
        Draft::new(Severity::Critical, Certainty::VeryLikely, module.name.as_bytes(), title).path(&sys);
    for (view, name) in views {
        // A module without own symbols is ordinary; symbols without a module are not.
        if let Some(shown) = view.filter(|shown| *shown || !name.starts_with("the")) {
            draft = draft.saw(format!("{name} {}", if shown { "shows it" } else { "does not show it" }));
        }
    }
    if !module.named_by.is_empty() {
        let names: Vec<String> = module.named_by.iter().map(Text::to_string).collect();
        draft = draft.saw(format!("other modules say they work with it: {}", names.join(", ")));
    }
    if let Some(file) = &module.file {
        draft = draft.path(file);
    }
    draft
        .saw("it was so three times in a row, so it was not just being loaded or removed")
        .from(module, "its views differ")
}

fn from_nowhere(module: &Row<'_, Module>) -> Draft {
    let sys: Text = [b"/sys/module/", module.name.as_bytes()].concat().into();
    let title = format!(
        "The kernel module \"{}\" was loaded from a file that the kernel's modules do not include",
        module.name
    );
    Draft::new(Severity::Medium, Certainty::Likely, [b"file\0", module.name.as_bytes()].concat(), title)
        .saw(format!("its taint letters are \"{}\"", module.taint))
        .saw("the list of module files (modules.dep) of the running kernel has no such module")
        .path(&sys)
        .innocent("a security agent or a driver of yours is loaded from its own folder")
        .next("ask who loads it; if nobody knows, treat the kernel as the intruder's")
        .from(module, "loaded from elsewhere")
}

/// The kernel is tainted by a module, and no module it shows can have done that.
fn taint_without_a_module(tables: &Tables, drafts: &mut Vec<Draft>) {
    let setting = tables.of::<KernelSetting>().find(|setting| setting.name == "kernel.tainted");
    let Some(setting) = setting else { return };
    let Some(taint) = setting.value.as_str().and_then(|value| value.parse::<u64>().ok()) else { return };
    // Without a list of modules nothing can be missed in it.
    if !tables.of::<Module>().any(|module| module.in_list == Some(true)) {
        return;
    }
    let unexplained: Vec<&(u32, u8, &str)> = BITS
        .iter()
        .filter(|(bit, letter, _)| {
            taint & (1 << bit) != 0 && !tables.of::<Module>().any(|module| has_any(&module, &[*letter]))
        })
        .collect();
    if unexplained.is_empty() {
        return;
    }
    let logged = |module: &Row<'_, Module>| module.logged && module.in_list != Some(true);
    let named: Vec<Row<'_, Module>> = tables.of::<Module>().filter(logged).collect();
    let title = "A module tainted this kernel, and no module it shows can have done that";
    let mut draft = Draft::new(Severity::Medium, Certainty::Likely, b"taint", title)
        .saw_all(unexplained.iter().map(|(_, _, what)| format!("a module was loaded that {what}; none of those listed is like that")))
        .path(&setting.path)
        .why("A module that was loaded and unlinked itself from every list leaves this mark, which can not be taken back.")
        .innocent("a driver from outside the kernel was loaded since the last boot and removed again")
        .from(&setting, "the kernel's taint");
    let mut names: Vec<&Text> = named.iter().map(|module| &module.name).collect();
    names.sort();
    for name in names {
        draft = draft.saw(format!(
            "the kernel's log names \"{name}\" as a module that tainted the kernel, now or before"
        ));
    }
    drafts.push(draft);
}

/// Drivers of the administrator's choice, told once.
fn ordinary(outside: &[(Row<'_, Module>, Option<Text>)]) -> Draft {
    let mut lines: Vec<(String, Text)> = outside
        .iter()
        .map(|(module, package)| {
            let file = module.file.clone().unwrap_or_default();
            let owner = package
                .as_ref()
                .map_or_else(|| "no package".to_owned(), |package| format!("package {package}"));
            (format!("\"{}\" ({}), {file}, {owner}", module.name, module.taint), module.name.clone())
        })
        .collect();
    lines.sort();
    let title = match lines.as_slice() {
        [(_, name)] => format!("The kernel module \"{name}\" comes from outside the kernel's source"),
        several => format!("{} kernel modules come from outside the kernel's source", several.len()),
    };
    let mut draft = Draft::new(Severity::Info, Certainty::Possible, b"outside", title)
        .saw_all(lines.into_iter().map(|(line, _)| line))
        .why("They are not hidden; they are worth knowing when the kernel is in question.")
        .innocent("you use these drivers (DKMS, ZFS, NVIDIA, …)")
        .next("nothing, if you know them");
    for (module, _) in outside {
        if let Some(file) = &module.file {
            draft = draft.path(file);
        }
        draft = draft.from(module, "its taint");
    }
    draft
}

#[cfg(test)]
mod tests {
    use calma_record::{Severity, Subject};
    use calma_testkit::{Mem, check};

    /// A host with two ordinary modules; `more` lines of /proc/modules.
    fn host(more: &str) -> Mem {
        Mem::running()
            .file("/proc/modules", format!("ext4 1114112 1 - Live 0x0\njbd2 1 1 ext4, Live 0x0\n{more}"))
            .file("/sys/module/ext4/initstate", "live\n")
            .file("/sys/module/jbd2/initstate", "live\n")
            .file("/sys/module/printk/parameters/time", "Y\n")
            .file("/proc/kallsyms", "0 T _text\n0 t ext4_x\t[ext4]\n0 t jbd2_x\t[jbd2]\n0 t bpf_prog_1_x\t[bpf]\n0 t f\t[__builtin__ftrace]\n")
            .file("/lib/modules/modules.dep", "kernel/ext4.ko:\nkernel/jbd2.ko:\nupdates/dkms/zfs.ko:\n")
    }

    #[test]
    fn an_ordinary_host_has_nothing() {
        assert!(check(host("")).by("hidden-module").is_empty());
        assert!(check(Mem::running()).by("hidden-module").is_empty());
        let without_modules = Mem::running()
            .file("/sys/module/printk/parameters/time", "Y\n")
            .file("/proc/sys/kernel/tainted", "0\n");
        assert!(check(without_modules).by("hidden-module").is_empty());
    }

    #[test]
    fn a_module_missing_in_one_view_is_found() {
        for (name, changed) in [
            ("vx9", host("").file("/sys/module/vx9/initstate", "live\n")),
            ("k_usb", host("k_usb 4096 0 - Live 0x0 (OE)\n")),
            ("helper", host("").file("/proc/kallsyms", "0 t ext4_x\t[ext4]\n0 t h\t[helper]\n")),
            (
                "crypt9",
                host("").file("/proc/modules", "jbd2 1 1 ext4, Live 0x0\next4 9 1 crypt9, Live 0x0\n"),
            ),
        ] {
            let seen = check(changed);
            let found = seen.alarms("hidden-module");
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].severity, Severity::Critical);
            let path = Subject::Path(format!("/sys/module/{name}").into());
            assert!(found[0].subjects.contains(&path), "{found:?}");
        }
    }

    #[test]
    fn modules_that_come_or_go_are_not_hidden() {
        let coming = host("").file("/sys/module/vfat/initstate", "coming\n");
        assert!(check(coming).by("hidden-module").is_empty());
        let going = host("vfat 1 0 - Unloading 0x0\n");
        assert!(check(going).by("hidden-module").is_empty());
    }

    #[test]
    fn taint_needs_a_module_that_explains_it() {
        let tainted = |host: Mem| host.file("/proc/sys/kernel/tainted", "12288\n");
        let seen = check(tainted(host("")).file(
            "/var/log/kern.log",
            "h kernel: [ 9.1] snd_x: loading out-of-tree module taints kernel.\n",
        ));
        let found = seen.alarms("hidden-module");
        assert_eq!(found.len(), 1);
        assert!(found[0].facts.iter().any(|fact| fact.contains("snd_x")));
        let dkms = host("zfs 9 0 - Live 0x0 (POE)\n").file("/sys/module/zfs/initstate", "live\n");
        let seen = check(tainted(dkms));
        assert!(seen.alarms("hidden-module").is_empty());
        assert_eq!(seen.by("hidden-module").len(), 1);
    }

    #[test]
    fn a_module_from_no_known_file_is_found() {
        let seen = check(host("lkm 9 0 - Live 0x0 (OE)\n").file("/sys/module/lkm/initstate", "live\n"));
        assert_eq!(seen.alarms("hidden-module").len(), 1);
    }
}
