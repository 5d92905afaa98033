//! Detector: libraries that the dynamic loader puts into every program, and variables that load foreign code.

use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Tables, entry, weigh};
use calma_record::{
    Certainty, Severity, Text, kinds::Account, kinds::EnvironmentSetting, kinds::LoaderSetting,
};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "loader",
        doc: "A library is loaded into every program, or a variable or directory makes programs load foreign code.",
        mechanisms: &[1, 2, 4, 45],
        attack: &["T1574.006", "T1014"],
        why: "Such a library runs inside every program, and is the usual way to hide processes, files and connections.",
        innocent: "you installed a tool that works so (a memory allocator, a tracing agent)",
        next: "keep the file, do not run it; do not trust the output of the host's own programs until it is gone",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut loose = BTreeSet::new();
    for setting in tables.of::<LoaderSetting>() {
        if loose.insert(&setting.fact.path) {
            let weight = entry::loose(&files, &setting.path, None);
            if let Some(severity) = weight.severity {
                let title = format!("{} can be changed by others", setting.path);
                let draft = Draft::new(
                    severity,
                    Certainty::Likely,
                    [b"place\0", setting.path.as_bytes()].concat(),
                    title,
                );
                drafts.push(
                    draft.saw_all(weight.reasons).path(&setting.path).from(&setting, "a setting in it"),
                );
            }
        }
        let preload = setting.what == "preload";
        let weight = if preload {
            library(&files, setting.file.as_ref(), &setting.value)
        } else {
            directory(&files, &setting.value)
        };
        let Some(severity) = weight.severity.filter(|severity| *severity > Severity::Info) else { continue };
        let title = match preload {
            true => format!("A library is loaded into every program: {}", entry::short(&setting.value)),
            false => format!("Libraries are taken from an odd directory: {}", entry::short(&setting.value)),
        };
        let identity = [setting.path.as_bytes(), b"\0", setting.value.as_bytes()].concat();
        let mut draft = Draft::new(severity, certainty(severity), identity, title)
            .saw(format!("line {} of {} names {}", setting.line, setting.path, entry::short(&setting.value)))
            .saw_all(weight.reasons)
            .path(&setting.path)
            .from(&setting, "the setting");
        if let Some(file) = &setting.file {
            draft = draft.path(file);
        }
        drafts.push(draft);
    }
    let roots: BTreeSet<&Text> =
        tables.of::<Account>().filter(|a| a.uid == 0).map(|a| &a.fact.name).collect();
    for setting in tables.of::<EnvironmentSetting>() {
        let root = setting.account.is_empty() || roots.contains(&setting.fact.account);
        let weight = variable(&files, setting.fact, root);
        let Some(severity) = weight.severity.filter(|severity| *severity > Severity::Info) else { continue };
        let title = format!("A variable makes programs load something odd: {}", entry::short(&setting.name));
        let identity = [setting.path.as_bytes(), b"\0", setting.name.as_bytes()].concat();
        let whose = if setting.account.is_empty() {
            "for the whole system".to_owned()
        } else {
            format!("for {}", setting.account)
        };
        let mut draft = Draft::new(severity, certainty(severity), identity, title)
            .saw(format!(
                "line {} of {} sets it {whose}: {}",
                setting.line,
                setting.path,
                entry::short(&setting.value)
            ))
            .saw_all(weight.reasons)
            .path(&setting.path)
            .from(&setting, "the variable");
        for path in weight.paths.iter().chain(&setting.file) {
            draft = draft.path(path);
        }
        drafts.push(if setting.account.is_empty() { draft } else { draft.account(&setting.account) });
    }
}

fn certainty(severity: Severity) -> Certainty {
    if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Possible }
}

/// A library that is loaded into programs that did not ask for it. Administrators hardly ever do this by hand.
fn library(files: &Files<'_>, file: Option<&Text>, name: &Text) -> Weight {
    let mut weight = Weight::default();
    let Some((path, described)) = file.and_then(|path| Some((path, files.get(path)?))) else {
        entry::add(&mut weight, Severity::Medium, format!("no file fits {name}: it is gone, or hidden"));
        return weight;
    };
    if described.what == "missing" {
        entry::add(&mut weight, Severity::Medium, format!("{path} is not there: it is gone, or hidden"));
    } else if described.package.is_some() {
        entry::add(&mut weight, Severity::Low, format!("{path} belongs to a package"));
    } else if described.packages_known {
        entry::add(&mut weight, Severity::High, format!("no package owns {path}"));
    } else {
        entry::add(&mut weight, Severity::Medium, format!("it is not known where {path} comes from"));
    }
    let standing = entry::standing(files, path, "the library");
    if standing.severity > weight.severity {
        entry::merge(&mut weight, standing);
    }
    weight
}

/// A directory in which the loader looks for libraries of every program.
fn directory(files: &Files<'_>, path: &Text) -> Weight {
    let mut weight = entry::standing(files, path, "the directory");
    if weigh::is_below(path.as_bytes(), b"/home") {
        entry::add(&mut weight, Severity::Medium, format!("{path} belongs to an ordinary user"));
    }
    weight
}

/// Variables that load or run something (ld.so(8), bash(1), perlrun(1), python(1)).
fn variable(files: &Files<'_>, setting: &EnvironmentSetting, root: bool) -> Weight {
    let (name, value) = (setting.name.as_bytes(), setting.value.as_bytes());
    let mut weight = weigh::variable(files, name, value, root);
    if matches!(name, b"LD_PRELOAD" | b"LD_AUDIT") && !value.trim_ascii().is_empty() {
        entry::merge(&mut weight, library(files, setting.file.as_ref(), &setting.value));
    }
    if matches!(name, b"LD_LIBRARY_PATH" | b"PATH" | b"GCONV_PATH" | b"LD_AUDIT") {
        for part in value.split(|b| *b == b':').filter(|part| part.starts_with(b"/")) {
            let part = Text::from(part);
            let odd = weigh::is_open(part.as_bytes()) || weigh::is_deceptive(part.as_bytes());
            let open = entry::loose(files, &part, None).severity >= Some(Severity::High);
            if odd || open || matches!(part.as_bytes(), b"/tmp" | b"/var/tmp") {
                entry::add(&mut weight, Severity::High, format!("everybody may put files into {part}"));
                weight.paths.push(part);
            }
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/var/lib/dpkg/info/p.list", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n")
            .file("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "")
            .file("/usr/lib/x86_64-linux-gnu/libsys.so", "")
    }

    #[test]
    fn libraries_in_every_program_are_found() {
        for (path, text) in [
            ("/etc/ld.so.preload", "/usr/lib/x86_64-linux-gnu/libsys.so\n"),
            ("/etc/ld.so.preload", "libsys.so"),
            ("/etc/ld.so.preload", "# c\n /usr/$LIB/libsys.so"),
            ("/etc/ld.so.preload", "/lib/gone.so\n"),
            ("/etc/environment", "PATH=/usr/bin\nLD_PRELOAD=/usr/lib/x86_64-linux-gnu/libsys.so\n"),
            ("/etc/environment", "PATH=/tmp/bin:/usr/bin\n"),
            ("/etc/environment.d/90-x.conf", "LD_AUDIT=/dev/shm/a\n"),
            (
                "/etc/systemd/system.conf.d/a.conf",
                "[Manager]\nDefaultEnvironment=A=b \"LD_PRELOAD=/opt/.x/a.so\"\n",
            ),
            ("/etc/security/pam_env.conf", "LD_PRELOAD DEFAULT=/usr/lib/x86_64-linux-gnu/libsys.so\n"),
            ("/home/me/.pam_environment", "LD_PRELOAD DEFAULT=/tmp/a.so\n"),
            ("/etc/default/cron", "export LD_PRELOAD=\"/usr/lib/x86_64-linux-gnu/libsys.so\"\n"),
            ("/etc/ld.so.conf.d/a.conf", "/dev/shm/lib\n"),
        ] {
            let seen =
                check(host().file(path, text).file("/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"));
            let found = seen.alarms("loader");
            assert_eq!(found.len(), 1, "{path}: {text}: {:?}", seen.by("loader"));
        }
        let open = host().file("/etc/ld.so.conf", "/opt/app/lib\n").file("/opt/app/lib/x.so", "").owned(
            "/opt/app/lib",
            0o777,
            0,
            0,
        );
        assert_eq!(check(open).alarms("loader").len(), 1);
    }

    #[test]
    fn packaged_libraries_and_ordinary_variables_are_quiet() {
        let mem = host()
            .file("/etc/ld.so.preload", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n")
            .file("/etc/ld.so.conf", "/usr/local/lib\n/opt/app/lib\n")
            .file("/opt/app/lib/x.so", "")
            .file(
                "/etc/default/mysql",
                "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\nOPTS=\"-a /tmp/x\"\n",
            )
            .file("/etc/environment", "PATH=\"/usr/local/bin:/usr/bin:/snap/bin\"\nLANG=C\n");
        let seen = check(mem);
        assert!(seen.alarms("loader").is_empty(), "{:?}", seen.by("loader"));
        assert!(check(host().file("/etc/ld.so.preload", "\n# nothing\n")).by("loader").is_empty());
    }
}
