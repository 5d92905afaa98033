//! Secrets of what runs: environments by variable name, sockets of agents, the cloud that the machine runs in.

use super::reach::Reach;
use super::sift::words;
use crate::{Context, Flow, Out, Patience, process};
use calma_formats::credentials::{self, Family};
use calma_formats::{proc_net, process_strings};
use calma_record::{Gap, Source, Text, kinds::Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Longest environment that is read.
const LIMIT: usize = 256 << 10;

/// Variables that hold a secret, by name: one fact for each set of names, of one user.
pub(super) fn environments(context: &Arc<Context>, out: &mut Out) -> Flow {
    type Group = (Family, BTreeSet<Vec<u8>>, u32);
    let mut groups: BTreeMap<Group, (u32, Text, u32)> = BTreeMap::new();
    let mut patience = Patience::new(Duration::from_secs(2));
    for pid in process::listed(context.host.tree()).unwrap_or_default() {
        let its = Arc::clone(context);
        let place = process::file(pid, "environ");
        let asked = place.clone();
        let Some(read) = patience.call(move || its.host.tree().read(&asked, LIMIT)) else {
            out.gap(
                Gap::new("environments of processes", "one did not answer within two seconds").at(place),
            )?;
            continue;
        };
        let content = match read {
            Ok(content) => content,
            Err(error) => {
                out.unseen("environments of processes", &error)?;
                continue;
            }
        };
        let mut names: BTreeMap<Family, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (name, value) in process_strings::variables(&content.bytes).take(4096) {
            if credentials::is_secret(name, value) {
                let of = names.entry(credentials::family(name)).or_default();
                if of.len() < 24 {
                    of.insert(name.to_vec());
                }
            }
        }
        for (family, names) in names {
            let group = groups.entry((family, names, content.meta.uid));
            let entry = group.or_insert_with(|| (pid, crate::pids::name(context, pid), 0));
            entry.2 += 1;
        }
    }
    for ((family, names, uid), (pid, name, count)) in groups {
        let (what, words) = words(family);
        let place = Text::from(process::file(pid, "environ"));
        let found = Secret {
            what: what.to_owned(),
            words: format!("{words} in the environment of {name}"),
            path: place.clone(),
            pid: Some(pid),
            names: names.into_iter().map(Text::from).collect(),
            count,
            readable_by: if uid == 0 { "root" } else { "owner" }.to_owned(),
            uid,
            known_by: "environment".to_owned(),
            ..Secret::default()
        };
        out.fact(Source::proc(place), found)?;
    }
    out.flow()
}

/// Sockets behind which an agent holds keys open (ssh-agent(1), gpg-agent(1)), forwarded ones of a login too (sshd(8)).
pub(super) fn agents(context: &Context, reach: &mut Reach, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let text = match tree.read(b"/proc/net/unix", 8 << 20) {
        Ok(content) => content.bytes,
        Err(error) => return out.unseen("sockets of agents", &error),
    };
    let mut seen = BTreeSet::new();
    for socket in proc_net::unix(&text) {
        let path = socket.name.as_bytes();
        let Some(words) = agent(path).filter(|_| seen.len() < 1000) else { continue };
        if !seen.insert(path.to_vec()) {
            continue;
        }
        let Ok(meta) = tree.meta(path) else { continue };
        let found = Secret {
            what: "agent".to_owned(),
            words: words.to_owned(),
            path: path.into(),
            count: 1,
            readable_by: reach.of(tree, path, &meta).to_owned(),
            uid: meta.uid,
            gid: meta.gid,
            mode: meta.mode,
            known_by: "socket".to_owned(),
            ..Secret::default()
        };
        out.fact(Source::proc("/proc/net/unix"), found)?;
    }
    out.flow()
}

fn agent(path: &[u8]) -> Option<&'static str> {
    let mut parts = path.rsplit(|b| *b == b'/');
    let (name, above) = (parts.next()?, parts.next()?);
    let ssh = (name.starts_with(b"agent.") && above.starts_with(b"ssh-"))
        || (above == b"keyring" && name == b"ssh")
        || [&b"ssh-agent.socket"[..], b"ssh-agent.sock", b"ssh-agent", b"S.gpg-agent.ssh", b"openssh_agent"]
            .contains(&name)
        || name.starts_with(b"s.") && super::known::contains(above, b"ssh");
    if ssh {
        Some("an SSH agent: its keys can be used as long as it runs, or the login lasts that it came with")
    } else {
        (name == b"S.gpg-agent").then_some("a GnuPG agent: its keys can be used while they are unlocked")
    }
}

/// Machines of a cloud provider can ask for the account's own credentials without any password.
pub(super) fn provider(context: &Context, out: &mut Out) -> Flow {
    const SIGNS: &[(&[u8], &str)] = &[
        (b"Amazon EC2", "AWS"),
        (b"amazon", "AWS"),
        (b"Google", "Google Cloud"),
        (b"7783-7084-3265-9085-8269-3286-77", "Azure"),
        (b"DigitalOcean", "DigitalOcean"),
        (b"Hetzner", "Hetzner"),
        (b"OpenStack", "OpenStack"),
        (b"Alibaba Cloud", "Alibaba Cloud"),
        (b"OracleCloud", "Oracle Cloud"),
        (b"Scaleway", "Scaleway"),
        (b"Vultr", "Vultr"),
        (b"Linode", "Linode"),
        (b"DataSourceEc2", "AWS"),
        (b"DataSourceGCE", "Google Cloud"),
        (b"DataSourceAzure", "Azure"),
        (b"DataSourceOpenStack", "OpenStack"),
        (b"DataSourceDigitalOcean", "DigitalOcean"),
        (b"DataSourceHetzner", "Hetzner"),
        (b"DataSourceOracle", "Oracle Cloud"),
    ];
    let tree = context.host.tree();
    let mut places: Vec<&[u8]> = vec![b"/var/lib/cloud/instance/datasource"];
    if context.host.kernel().is_some() {
        places.extend([
            &b"/sys/class/dmi/id/sys_vendor"[..],
            b"/sys/class/dmi/id/product_name",
            b"/sys/class/dmi/id/chassis_asset_tag",
            b"/sys/class/dmi/id/board_asset_tag",
            b"/sys/class/dmi/id/bios_vendor",
        ]);
    }
    for place in places {
        let Ok(content) = tree.read(place, 4096) else { continue };
        let Some((_, name)) = SIGNS.iter().find(|(sign, _)| super::known::contains(&content.bytes, sign))
        else {
            continue;
        };
        let found = Secret {
            what: "cloud-role".to_owned(),
            words: format!(
                "a machine of {name}: whoever is on it may ask 169.254.169.254 for its role's credentials"
            ),
            path: place.into(),
            count: 1,
            readable_by: "everybody".to_owned(),
            known_by: "name".to_owned(),
            ..Secret::default()
        };
        return out.fact(Source::file(place), found);
    }
    out.flow()
}
