//! Detector: SELinux was switched off beside its settings, or will be at the next start.

use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::KernelSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "selinux-off",
        doc: "SELinux runs otherwise than its settings say: it was switched off by hand, or will be off after the next start.",
        mechanisms: &[29],
        attack: &["T1562.001"],
        why: "An intruder whom SELinux stands in the way of switches it off for as long as needed.",
        innocent: "you switched it off yourself to look for a fault, and did not switch it on again",
        next: "ask who did it; switch it on again (setenforce 1) once you know what it stood in the way of",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let find = |name: &str| tables.of::<KernelSetting>().find(|row| row.name == name);
    let (Some(now), Some(configured)) = (find("selinux.enforce"), find("selinux.configured")) else { return };
    let wanted = configured.value.to_string().to_ascii_lowercase();
    let title = match (now.value.as_bytes().trim_ascii(), wanted.trim_matches('"')) {
        (b"0", "enforcing") => "SELinux is to be enforced, but lets everything pass now",
        (b"1", "permissive" | "disabled") => {
            "SELinux is enforced now, but will let everything pass after the next start"
        }
        _ => return,
    };
    drafts.push(
        Draft::new(Severity::Medium, Certainty::Possible, title, title)
            .saw(format!("{} is {}", now.path, now.value))
            .saw(format!("{} says {}", configured.path, configured.value))
            .path(&configured.path)
            .path(&now.path)
            .from(&now, "how it is")
            .from(&configured, "how it is to be"),
    );
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host(now: &str, configured: &str) -> Mem {
        Mem::running()
            .file("/sys/fs/selinux/enforce", now)
            .file("/etc/selinux/config", format!("# c\nSELINUX={configured}\nSELINUXTYPE=targeted\n"))
    }

    #[test]
    fn a_difference_is_found() {
        for (now, configured) in [("0", "enforcing"), ("1", "permissive"), ("1", "disabled")] {
            assert_eq!(check(host(now, configured)).alarms("selinux-off").len(), 1, "{now} {configured}");
        }
    }

    #[test]
    fn what_the_settings_say_is_no_alarm() {
        for (now, configured) in [("1", "enforcing"), ("0", "permissive")] {
            assert!(check(host(now, configured)).by("selinux-off").is_empty());
        }
    }
}
