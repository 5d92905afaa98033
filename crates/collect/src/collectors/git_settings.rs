//! Collector: what git runs: commands of its settings, and hooks of repositories.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::walk::Walk;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::git_config;
use calma_host::{FileKind, join};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "git-settings",
        doing: "Looking at what git runs",
        doc: "commands of git's settings, and hooks of repositories in homes, /srv, /opt, /var/www and /etc",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(60),
    },
    collect,
};

const WHAT: &str = "repositories of git";
const SETTING: Mechanism = Mechanism { name: "git setting", when: "when git is used" };
const HOOK: Mechanism = Mechanism { name: "git hook", when: "when git is used in its repository" };
const HOOKS: Area = Area("git hooks");
/// No more names than this are looked at in search of repositories.
const MOST: usize = 300_000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut seen = BTreeSet::new();
    for path in [&b"/etc/gitconfig"[..], b"/usr/local/etc/gitconfig", b"/usr/etc/gitconfig"] {
        file(context, path, b"/root", &Who::everybody(), &mut seen, 0, out)?;
    }
    for hook in settings::glob(context.host.tree(), b"/usr/share/git-core/templates/hooks/*") {
        whole(context, &hook, &Who::everybody(), out)?;
    }
    let homes = settings::homes(context);
    for home in &homes {
        for name in [&b".gitconfig"[..], b".config/git/config"] {
            file(context, &join(&home.path, name), &home.path, &Who::of(home), &mut seen, 0, out)?;
        }
    }
    let mut roots: Vec<Vec<u8>> =
        homes.into_iter().map(|home| home.path).filter(|path| is_a_place(path)).collect();
    roots.extend([&b"/srv"[..], b"/opt", b"/var/www", b"/etc", b"/usr/local/src"].map(<[u8]>::to_vec));
    let mut walk = Walk::new(context, WHAT, MOST, out).without(is_inside);
    let mut found: Vec<Vec<u8>> = Vec::new();
    for root in roots {
        walk.over(&root, MOST, out, &mut |directory, out| {
            let has = |name: &[u8]| directory.names.iter().any(|(entry, _)| entry.name.as_bytes() == name);
            if has(b"HEAD") && has(b"objects") && has(b"refs") && found.len() < 10_000 {
                found.push(directory.path.to_vec());
            }
            out.flow()
        })?;
    }
    for repository in found {
        self::repository(context, &repository, &mut seen, out)?;
    }
    out.flow()
}

/// Homes that are places for data; those of service accounts may be the system's own directories.
fn is_a_place(home: &[u8]) -> bool {
    let not: [&[u8]; 10] = [
        b"/usr",
        b"/bin",
        b"/sbin",
        b"/dev",
        b"/proc",
        b"/sys",
        b"/run",
        b"/var/run",
        b"/var/cache",
        b"/lib",
    ];
    home.len() > 1
        && !matches!(home, b"/var" | b"/home" | b"/etc")
        && !not.iter().any(|place| home.starts_with(place))
}

/// Directories that hold no repositories of their own, and are large.
fn is_inside(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|b| *b == b'/');
    let (name, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    matches!(name, b"node_modules" | b"__pycache__" | b"site-packages")
        || (above.ends_with(b".git") && matches!(name, b"objects" | b"refs" | b"logs" | b"lfs"))
}

fn repository(context: &Context, path: &[u8], seen: &mut BTreeSet<Vec<u8>>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let Ok(meta) = tree.meta(path) else { return out.flow() };
    let who = Who::owner(context, meta.uid);
    let above = if path.ends_with(b"/.git") { calma_host::parent(path) } else { path };
    for name in [&b"config"[..], b"config.worktree"] {
        file(context, &join(path, name), above, &who, seen, 0, out)?;
    }
    for hook in settings::files(context, &join(path, b"hooks"), WHAT, out)? {
        whole(context, &hook, &who, out)?;
    }
    out.flow()
}

/// A hook, unless it is one of the samples that git leaves in every repository.
fn whole(context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
    if path.ends_with(b".sample") { out.flow() } else { HOOK.program_as(context, path, who, out) }
}

/// One file of settings with those it includes; `base` is where relative directories of hooks begin.
fn file(
    context: &Context,
    path: &[u8],
    base: &[u8],
    who: &Who,
    seen: &mut BTreeSet<Vec<u8>>,
    depth: usize,
    out: &mut Out,
) -> Flow {
    if depth > 8 || seen.len() > 20_000 || !seen.insert(path.to_vec()) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, "settings of git", out)? else { return out.flow() };
    let home = context.homes().into_iter().find(|home| path.starts_with(&[home.as_slice(), b"/"].concat()));
    for setting in git_config::parse(&bytes) {
        if let Some(command) = setting.command() {
            SETTING.command_as(context, path, setting.line, command.as_bytes(), who, out)?;
        }
        if let Some(included) = setting.include() {
            let included = absolute(included, calma_host::parent(path), home.as_deref());
            file(context, &included, base, who, seen, depth + 1, out)?;
        }
        if let Some(directory) = setting.hooks() {
            let mut directory = absolute(directory, base, home.as_deref());
            if setting.section == "init" {
                directory = join(&directory, b"hooks");
            }
            let found =
                Found { line: setting.line, name: setting.name.as_bytes(), value: &directory, whom: b"" };
            HOOKS.put(context, path, &found, out)?;
            crate::describe::file(context, &directory, out)?;
            let listed = context.host.tree().meta_followed(&directory);
            if listed.is_ok_and(|meta| meta.kind == FileKind::Directory) {
                for hook in settings::files(context, &directory, WHAT, out)? {
                    whole(context, &hook, who, out)?;
                }
            }
        }
    }
    out.flow()
}

fn absolute(path: &[u8], base: &[u8], home: Option<&[u8]>) -> Vec<u8> {
    match path {
        [b'/', ..] => path.to_vec(),
        [b'~', b'/', rest @ ..] => join(home.unwrap_or(b"/root"), rest),
        _ => join(base, path),
    }
}
