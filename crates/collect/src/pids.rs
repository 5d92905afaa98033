//! Process ids as the directory listing of /proc gives them, and the few facts that other collectors need of them.

use crate::Context;
use calma_record::Text;

/// The process ids of the listing, lowest first.
pub(crate) fn listed(context: &Context) -> Vec<u32> {
    let entries = context.host.tree().list(b"/proc").unwrap_or_default();
    let mut pids: Vec<u32> =
        entries.iter().filter_map(|entry| calma_formats::lines::decimal(entry.name.as_bytes())).collect();
    pids.sort_unstable();
    pids
}

/// The inode number behind a link of /proc/PID/ns, which reads `mnt:[4026531841]` (namespaces(7)).
pub(crate) fn namespace(context: &Context, pid: &str, name: &str) -> Result<u64, calma_host::HostError> {
    let link = context.host.tree().link(format!("/proc/{pid}/ns/{name}").as_bytes())?;
    let digits: Vec<u8> = link.into_iter().filter(u8::is_ascii_digit).collect();
    Ok(calma_formats::lines::decimal(&digits).unwrap_or(0))
}

/// The name a process gives itself.
pub(crate) fn name(context: &Context, pid: u32) -> Text {
    let path = format!("/proc/{pid}/comm");
    let content =
        context.host.tree().read(path.as_bytes(), 64).map(|content| content.bytes).unwrap_or_default();
    content.strip_suffix(b"\n").unwrap_or(&content).into()
}

/// A process's control group: of the unified hierarchy, else of systemd's own, else the first (cgroups(7)).
pub(crate) fn group(context: &Context, pid: u32) -> Text {
    let path = format!("/proc/{pid}/cgroup");
    let content = context.host.tree().read(path.as_bytes(), 64 << 10).map(|c| c.bytes).unwrap_or_default();
    let groups = || {
        content.split(|b| *b == b'\n').filter_map(|line| {
            let mut fields = line.splitn(3, |b| *b == b':');
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
    };
    let best = groups()
        .find(|(number, controllers, path)| *number == b"0" && controllers.is_empty() && *path != b"/")
        .or_else(|| groups().find(|(_, controllers, _)| *controllers == b"name=systemd"))
        .or_else(|| groups().next());
    best.map(|(_, _, path)| path.into()).unwrap_or_default()
}
