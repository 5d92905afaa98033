//! BPF programs of control groups: they let nothing past the packet filter, but may cut what is kept, and calma's own tests.

use calma_host::ground::GroupProgram;
use std::collections::BTreeMap;

/// Most of them that are told one by one.
const MOST: usize = 16;

/// What they can do, once for all of them.
pub const CAN: &str = "the packet filter comes after it, so it lets nothing out; but it can cut sessions, also yours, and keep \
                       calma's own tests from leaving";

/// Whether the service manager puts such a program at a unit by itself (systemd.resource-control(5), IPAddressDeny=), as Debian does
/// with its own. It sees that unit alone. Names can be chosen, so that it is not left out where there are others.
fn looks_like_a_unit(program: &GroupProgram) -> bool {
    let unit = program.group.file_name();
    program.name.as_bytes().starts_with(b"sd_") && unit.ends_with(b".service") && !unit.starts_with(b"ssh")
}

/// One line for each program at a group, and one more for all those that look like the service manager's; none where there are only
/// those.
pub fn words(programs: &[GroupProgram]) -> Vec<String> {
    let (units, others): (Vec<_>, Vec<_>) = programs.iter().partition(|one| looks_like_a_unit(one));
    let mut by: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in others {
        by.entry((&one.group, one.program)).or_default().push(&one.hook);
    }
    let more = by.len().saturating_sub(MOST);
    let one = |((group, program), mut hooks): ((_, u32), Vec<&str>)| {
        hooks.dedup();
        format!("program {program} at the control group {group} ({})", hooks.join(", "))
    };
    let mut lines: Vec<String> = by.into_iter().take(MOST).map(one).collect();
    if more > 0 {
        lines.push(format!("{more} more programs of control groups"));
    }
    if !units.is_empty() && !lines.is_empty() {
        lines.push(format!("{} at single units, named as the service manager names its own", units.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_together_and_everything_else_by_itself() {
        let one = |group: &str, hook: &str, program, name: &str| GroupProgram {
            group: group.into(),
            hook: hook.to_owned(),
            program,
            name: name.into(),
        };
        let told = words(&[
            one("/sys/fs/cgroup", "packets in", 7, "sd_fw_ingress"),
            one("/sys/fs/cgroup", "packets out", 7, "sd_fw_ingress"),
            one("/sys/fs/cgroup/a.service", "packets out", 8, "sd_fw_egress"),
            one("/sys/fs/cgroup/a.service", "packets in", 9, "sd_fw_ingress"),
            one("/sys/fs/cgroup/a.service", "datagrams to others", 10, "x"),
        ]);
        assert_eq!(
            told,
            [
                "program 7 at the control group /sys/fs/cgroup (packets in, packets out)",
                "program 10 at the control group /sys/fs/cgroup/a.service (datagrams to others)",
                "2 at single units, named as the service manager names its own",
            ]
        );
        assert!(words(&[one("/sys/fs/cgroup/a.service", "packets out", 8, "sd_fw_egress")]).is_empty());
        for group in [
            "/sys/fs/cgroup/ssh.service",
            "/sys/fs/cgroup/user.slice/session-1.scope",
            "/sys/fs/cgroup/system.slice",
        ] {
            assert_eq!(words(&[one(group, "packets in", 8, "sd_fw_ingress")]).len(), 1, "{group}");
        }
    }
}
