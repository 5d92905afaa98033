//! Trust: machines that let this one in, or that it was used to reach, and passwords of this host's accounts.

use super::reach::Reach;
use crate::{Context, Flow, Out, settings};
use calma_formats::{lines, shadow};
use calma_host::join;
use calma_record::{Source, Text, kinds::Secret};

/// What a gap here is about.
const WHAT: &str = "trust between this host and others";
/// Names that one fact holds.
const NAMES: usize = 64;

/// Puts out what is trusted, and whose passwords are kept.
pub(super) fn collect(context: &Context, reach: &mut Reach, out: &mut Out) -> Flow {
    passwords(context, reach, out)?;
    let mut known = vec![b"/etc/ssh/ssh_known_hosts".to_vec()];
    let mut remote = vec![b"/etc/hosts.equiv".to_vec(), b"/etc/ssh/shosts.equiv".to_vec()];
    for home in context.homes() {
        known.push(join(&home, b".ssh/known_hosts"));
        known.push(join(&home, b".ssh/known_hosts2"));
        remote.extend([&b".rhosts"[..], b".shosts", b".k5login"].iter().map(|name| join(&home, name)));
    }
    for path in known {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        let (names, hashed, count) = known_hosts(&bytes);
        let words = match hashed {
            0 => format!("machines that were reached from here by SSH ({count})"),
            _ => format!(
                "machines that were reached from here by SSH ({count}, {hashed} of them only as digests)"
            ),
        };
        put(context, reach, "trust", words, &path, names, count, out)?;
    }
    for path in remote {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        let names: Vec<Text> = lines::meaningful(&bytes).take(NAMES).map(|(_, line)| line.into()).collect();
        let count = lines::meaningful(&bytes).count();
        put(
            context,
            reach,
            "trust",
            "who may log in here without a password".to_owned(),
            &path,
            names,
            count,
            out,
        )?;
    }
    let mut exports = settings::glob(context.host.tree(), b"/etc/exports.d/*.exports");
    exports.push(b"/etc/exports".to_vec());
    for path in exports {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        let names: Vec<Text> = lines::meaningful(&bytes).take(NAMES).map(|(_, line)| line.into()).collect();
        let count = lines::meaningful(&bytes).count();
        put(
            context,
            reach,
            "trust",
            "folders that other machines may mount (NFS)".to_owned(),
            &path,
            names,
            count,
            out,
        )?;
    }
    mounts(context, reach, out)?;
    const SWITCH: &[u8] = b"/etc/nsswitch.conf";
    let Some(bytes) = settings::read(context, SWITCH, WHAT, out)? else { return out.flow() };
    let remote = |line: &[u8]| {
        lines::words(line).skip(1).any(|word| matches!(word, b"ldap" | b"sss" | b"winbind" | b"nis"))
    };
    let names: Vec<Text> = lines::meaningful(&bytes)
        .filter(|(_, line)| {
            [&b"passwd:"[..], b"sudoers:"].iter().any(|name| line.starts_with(name)) && remote(line)
        })
        .map(|(_, line)| line.into())
        .collect();
    let count = names.len();
    put(
        context,
        reach,
        "trust",
        "accounts or sudo's rules that come from another machine".to_owned(),
        SWITCH,
        names,
        count,
        out,
    )
}

/// Folders of other machines in fstab(5).
fn mounts(context: &Context, reach: &mut Reach, out: &mut Out) -> Flow {
    const PATH: &[u8] = b"/etc/fstab";
    let Some(bytes) = settings::read(context, PATH, WHAT, out)? else { return out.flow() };
    let mut names = Vec::new();
    for (_, line) in lines::meaningful(&bytes) {
        let mut words = lines::words(line);
        let (what, kind) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
        let inline = lines::words(line).nth(3).is_some_and(|options| {
            options
                .split(|b| *b == b',')
                .any(|option| option.starts_with(b"password=") || option.starts_with(b"pass="))
        });
        if inline {
            let names = vec![Text::from("password=")];
            put(
                context,
                reach,
                "machine",
                "the password of a network folder".to_owned(),
                PATH,
                names,
                1,
                out,
            )?;
        }
        let remote = kind.starts_with(b"nfs")
            || [&b"cifs"[..], b"smb3", b"fuse.sshfs", b"sshfs", b"glusterfs", b"ceph", b"davfs"]
                .contains(&kind);
        // An address may hold a password: `//user:password@host/folder`.
        if remote && names.len() < NAMES && !what.contains(&b'@') {
            names.push(what.into());
        }
    }
    let count = names.len();
    put(
        context,
        reach,
        "trust",
        "folders of other machines that are mounted here".to_owned(),
        PATH,
        names,
        count,
        out,
    )
}

/// The accounts that have a password (shadow(5)).
fn passwords(context: &Context, reach: &mut Reach, out: &mut Out) -> Flow {
    for path in [&b"/etc/shadow"[..], b"/etc/shadow-"] {
        let Some(bytes) = settings::read(context, path, "password hashes", out)? else { continue };
        let with: Vec<Text> = shadow::parse(&bytes)
            .into_iter()
            .filter(|row| row.password.state == "hash")
            .map(|row| row.name)
            .collect();
        let count = with.len();
        let words = "password hashes of this server's accounts".to_owned();
        put(
            context,
            reach,
            "password-hashes",
            words,
            path,
            with.into_iter().take(NAMES).collect(),
            count,
            out,
        )?;
    }
    out.flow()
}

/// The names of a known_hosts file (sshd(8)), how many are digests, and how many lines there are.
fn known_hosts(bytes: &[u8]) -> (Vec<Text>, usize, usize) {
    let (mut names, mut hashed, mut count) = (Vec::<Text>::new(), 0, 0);
    for (_, line) in lines::meaningful(bytes) {
        let first = lines::words(line).find(|word| !word.starts_with(b"@")).unwrap_or_default();
        count += 1;
        if first.starts_with(b"|1|") {
            hashed += 1;
            continue;
        }
        for name in first.split(|b| *b == b',') {
            let name = Text::from(name);
            if names.len() < NAMES && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (names, hashed, count)
}

#[expect(clippy::too_many_arguments, reason = "the columns of one fact")]
fn put(
    context: &Context,
    reach: &mut Reach,
    what: &str,
    words: String,
    path: &[u8],
    names: Vec<Text>,
    count: usize,
    out: &mut Out,
) -> Flow {
    let tree = context.host.tree();
    let Some(meta) = tree.meta_followed(path).ok().filter(|_| count > 0) else { return out.flow() };
    let found = Secret {
        what: what.to_owned(),
        words,
        path: path.into(),
        names,
        count: u32::try_from(count).unwrap_or(u32::MAX),
        readable_by: reach.of(tree, path, &meta).to_owned(),
        uid: meta.uid,
        gid: meta.gid,
        mode: meta.mode,
        modified: meta.modified,
        known_by: "content".to_owned(),
        own: what == "password-hashes",
        ..Secret::default()
    };
    out.fact(Source::file(path), found)
}
