//! Detector: a process that was told to load foreign code.

use crate::weigh::{self, Files, Processes, Weight, is_hidden, is_open, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, kinds::ProcessVariable};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "process-preload",
        doc: "The environment of a running process makes it load code that is not the system's.",
        mechanisms: &[2, 5, 7, 74],
        attack: &["T1574.006"],
        why: "The loader or interpreter puts that code into the process before its own, so it sees and changes what the process does.",
        innocent: "a memory allocator, a tracer or an agent of yours is loaded this way",
        next: "look at the file it loads, and where the variable was set: the unit, the shell profile, or by hand",
    },
    judge,
};

/// Variables that make a process load code.
const LOADING: [&str; 14] = [
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "GCONV_PATH",
    "BASH_ENV",
    "ENV",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYLIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "PYTHONHOME",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let (processes, files) = (Processes::new(tables), Files::new(tables));
    let mut odd: BTreeMap<Vec<u8>, (Weight, Vec<Row<'_, ProcessVariable>>)> = BTreeMap::new();
    for row in tables.of::<ProcessVariable>() {
        if !LOADING.iter().any(|name| row.name == *name) || row.value.is_empty() {
            continue;
        }
        let Some(process) = processes.get(row.pid) else { continue };
        let as_root = process.uids.get(1) == Some(&0);
        let mut weight = if process.same_files {
            weigh::variable(&files, row.name.as_bytes(), row.value.as_bytes(), as_root)
        } else {
            // In another file system only places can be judged that mean the same everywhere.
            let open = row.value.as_bytes().split(|b| matches!(b, b':' | b' ')).any(is_open);
            let loads = row.name == "LD_PRELOAD" || row.name == "LD_AUDIT";
            let nothing = Files::default();
            if open && loads {
                weigh::variable(&nothing, row.name.as_bytes(), row.value.as_bytes(), false)
            } else {
                Weight::default()
            }
        };
        relative(&row, process.fact, &mut weight);
        if !weight.counts() {
            continue;
        }
        let entry = odd.entry([row.name.as_bytes(), b"=", row.value.as_bytes()].concat()).or_default();
        entry.0 = std::mem::take(&mut entry.0).and(weight);
        entry.1.push(row);
    }
    for (setting, (weight, rows)) in odd {
        let Some(first) = rows.first() else { continue };
        let severity = weight.severity.unwrap_or(Severity::Low);
        let certainty = if severity >= Severity::High { Certainty::VeryLikely } else { Certainty::Likely };
        let more = if rows.len() > 1 { format!(" and {} more", rows.len() - 1) } else { String::new() };
        let title = format!("Process {}{more} runs with {}={}", first.pid, first.name, first.value);
        let mut draft = Draft::new(severity, certainty, &setting, title).saw_all(weight.reasons);
        for path in &weight.paths {
            draft = draft.path(path);
        }
        for row in rows.iter().take(16) {
            if let Some(process) = processes.get(row.pid) {
                draft = draft.saw(who(process.fact));
            }
            draft = draft.pid(row.pid).from(row, "has the variable");
        }
        drafts.push(draft);
    }
}

/// A relative path is looked up from where the process works.
fn relative(row: &ProcessVariable, process: &calma_record::kinds::Process, weight: &mut Weight) {
    if !(row.name == "LD_PRELOAD" || row.name == "LD_AUDIT") {
        return;
    }
    let directory = process.directory.as_ref().map_or(&b"/"[..], |directory| directory.as_bytes());
    for word in row.value.as_bytes().split(|b| matches!(b, b':' | b' ')) {
        if word.contains(&b'/') && !word.starts_with(b"/") && !word.starts_with(b"$") {
            let path = [directory, b"/", word].concat();
            let reason = "it loads a file by a path relative to where it works".to_owned();
            let severity = if is_open(&path) || is_hidden(&path) { Severity::High } else { Severity::Medium };
            let found = Weight { severity: Some(severity), reasons: vec![reason], paths: vec![path.into()] };
            *weight = std::mem::take(weight).and(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Specimen, check, running};

    #[test]
    fn foreign_objects_are_found() {
        let mut host = running(&["/usr/sbin/nginx"]);
        for path in ["/tmp/a.so", "/usr/lib/libselinux-x.so", "/opt/.b/c.so"] {
            host = host.file(path, "\x7fELF").owned(path, 0o755, 0, 0);
        }
        let odd = [
            "LD_PRELOAD=/tmp/a.so",
            "LD_PRELOAD=/usr/lib/libselinux-x.so",
            "LD_AUDIT=/opt/.b/c.so",
            "LD_PRELOAD=x/y.so",
            "LD_LIBRARY_PATH=/dev/shm",
        ];
        for (pid, variable) in (40..).zip(odd) {
            host = Specimen::new(pid, "nginx").program("/usr/sbin/nginx").variable(variable).on(host);
        }
        let seen = check(host);
        let found = seen.alarms("process-preload");
        assert_eq!(found.len(), 5, "{:?}", seen.by("process-preload"));
        assert!(found.iter().all(|finding| !finding.subjects.is_empty()));
    }

    #[test]
    fn packaged_objects_and_names_are_not() {
        let mut host = running(&["/usr/sbin/nginx", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"]);
        let ordinary = [
            "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
            "LD_PRELOAD=libeatmydata.so",
            "LD_LIBRARY_PATH=/usr/local/lib",
            "LD_PRELOAD=",
        ];
        for (pid, variable) in (40..).zip(ordinary) {
            host = Specimen::new(pid, "nginx").program("/usr/sbin/nginx").variable(variable).on(host);
        }
        let seen = check(host);
        assert!(seen.by("process-preload").is_empty(), "{:?}", seen.by("process-preload"));
    }
}
