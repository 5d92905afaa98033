//! The control groups of a process: /proc/PID/cgroup.

use crate::Format;
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "process-cgroup",
    doc: "The control groups of a process, and the unit and container their names tell.",
    manual: "cgroups(7); systemd's control group interface; container runtimes name the group after the container",
    samples: &[
        b"0::/system.slice/ssh.service\n",
        b"9:name=systemd:/user.slice/user-1000.slice/session-3.scope\n4:memory:/x\n0::/\n",
        b"0::/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// Where a process belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// The group's path: of the unified hierarchy, or of systemd's own where the other says nothing.
    pub path: Text,
    /// The innermost unit of the service manager.
    pub unit: Option<Text>,
    /// The container's id: 64 hexadecimal digits.
    pub container: Option<Text>,
}

/// Reads the file.
pub fn parse(bytes: &[u8]) -> Cgroup {
    let mut best: &[u8] = b"";
    let mut every = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        let mut fields = line.splitn(3, |b| *b == b':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        every.push(path);
        let leads = controllers.is_empty() || controllers == b"name=systemd";
        if leads && path.len() > best.len() {
            best = path;
        }
    }
    let container = std::iter::once(best).chain(every.iter().copied()).find_map(container).map(Text::from);
    if best.len() <= 1 {
        best = every.into_iter().max_by_key(|path| path.len()).unwrap_or_default();
    }
    Cgroup { path: best.into(), unit: unit(best).map(Text::from), container }
}

fn unit(path: &[u8]) -> Option<&[u8]> {
    let suffixes = [&b".service"[..], b".scope", b".socket", b".mount", b".swap"];
    path.rsplit(|b| *b == b'/').find(|part| suffixes.iter().any(|suffix| part.ends_with(suffix)))
}

/// The last run of exactly 64 hexadecimal digits that stands alone.
fn container(path: &[u8]) -> Option<&[u8]> {
    path.split(|b| !b.is_ascii_hexdigit()).rfind(|run| run.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_and_container_come_from_the_path() {
        let seen: Vec<_> = FORMAT.samples.iter().map(|sample| parse(sample)).collect();
        assert_eq!(seen[0].unit, Some("ssh.service".into()));
        assert_eq!(seen[1].unit, Some("session-3.scope".into()));
        assert_eq!(seen[2].container.as_ref().map(|id| id.as_bytes().len()), Some(64));
    }
}
