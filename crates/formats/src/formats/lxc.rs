//! Containers of LXC: lxc.container.conf(5).

use super::docker::mount;
use crate::{Format, lines};
use calma_record::{Text, kinds::Container};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "lxc",
    doc: "A container of LXC and the commands that the host runs for it.",
    manual: "lxc.container.conf(5)",
    samples: &[b"lxc.uts.name = web\nlxc.rootfs.path = dir:/var/lib/lxc/web/rootfs\nlxc.mount.entry = /srv srv none bind,ro 0 0\nlxc.apparmor.profile = unconfined\nlxc.cap.drop =\nlxc.hook.pre-start = /opt/h\nlxc.namespace.keep = pid net\nlxc.idmap = u 0 100000 65536\nlxc.start.auto = 1\n"],
    feed: |bytes| drop(parse(bytes)),
};

/// The container as its config says, without runtime, id and path; and the hooks with their lines.
pub fn parse(bytes: &[u8]) -> (Container, Vec<(u32, Text)>) {
    let mut row = Container::default();
    let mut hooks = Vec::new();
    let mut keeps_all = false;
    for (number, text) in lines::meaningful(bytes) {
        let Some((name, value)) = lines::cut(text, b'=') else { continue };
        match name {
            b"lxc.uts.name" | b"lxc.utsname" => row.name = value.into(),
            b"lxc.mount.entry" => {
                let mut words = lines::words(value);
                let source = words.next().unwrap_or_default();
                let options = words.nth(2).unwrap_or_default();
                let mut options = options.split(|b| *b == b',');
                let (mut bind, mut read_only) = (false, false);
                options.by_ref().for_each(|option| match option {
                    b"bind" | b"rbind" => bind = true,
                    b"ro" => read_only = true,
                    _ => {}
                });
                if bind {
                    mount(&mut row, &source.into(), !read_only);
                }
            }
            b"lxc.rootfs.path" | b"lxc.rootfs" => {
                let path = value.strip_prefix(b"dir:").unwrap_or(value);
                if path.iter().all(|b| matches!(b, b'/' | b'.')) {
                    mount(&mut row, &path.into(), true);
                }
            }
            b"lxc.apparmor.profile" | b"lxc.aa_profile" if value == b"unconfined" => {
                row.unconfined.push("apparmor".to_owned());
            }
            // An empty value takes back what the distribution's settings drop.
            b"lxc.cap.drop" => keeps_all = value.is_empty(),
            b"lxc.namespace.keep" => {
                for word in lines::words(value) {
                    share(&mut row, word);
                }
            }
            b"lxc.idmap" | b"lxc.id_map" => {
                let mut words = lines::words(value).skip(1);
                row.user_namespace |= words.next() == Some(b"0") && words.next() != Some(b"0");
            }
            b"lxc.net.0.type" | b"lxc.network.type" => row.host_network |= value == b"none",
            b"lxc.init.cmd" | b"lxc.init_cmd" => row.command = vec![value.into()],
            b"lxc.start.auto" if value == b"1" => row.restart = "always".to_owned(),
            _ if name.starts_with(b"lxc.hook.") && !value.is_empty() && hooks.len() < 64 => {
                if name != b"lxc.hook.version" {
                    hooks.push((number, value.into()));
                }
            }
            _ => {
                let shared = name.strip_prefix(b"lxc.namespace.share.");
                if let Some(kind) = shared.filter(|_| value == b"1") {
                    share(&mut row, kind);
                }
            }
        }
    }
    row.privileged = keeps_all && !row.user_namespace && !row.unconfined.is_empty();
    (row, hooks)
}

fn share(row: &mut Container, kind: &[u8]) {
    match kind {
        b"pid" => row.host_pid = true,
        b"net" => row.host_network = true,
        b"ipc" => row.host_ipc = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_hooks_are_understood() {
        let (row, hooks) = parse(FORMAT.samples[0]);
        assert!(row.host_pid && row.host_network && row.user_namespace && !row.privileged);
        assert_eq!((row.readable, row.writable.len()), (vec!["/srv".into()], 0));
        assert_eq!(hooks, [(6, "/opt/h".into())]);
        let (row, _) = parse(b"lxc.rootfs.path=dir:/\nlxc.cap.drop=\nlxc.apparmor.profile=unconfined\n");
        assert!(row.privileged && row.writable == vec![Text::from("/")]);
    }
}
