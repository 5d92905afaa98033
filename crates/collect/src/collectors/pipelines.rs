//! Collector: build pipelines defined in repositories on this server.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::pipeline as parse;
use calma_host::{FileKind, join};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "pipelines",
        doing: "Looking at build pipelines in repositories",
        doc: "commands of build pipelines that repositories on this server define",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "definitions of build pipelines";
const PIPELINE: Area = Area("pipeline");
/// Where repositories are checked out.
const ROOTS: &[&[u8]] = &[
    b"/srv",
    b"/srv/*",
    b"/srv/*/*",
    b"/opt/*",
    b"/opt/*/*",
    b"/var/www",
    b"/var/www/*",
    b"/var/www/*/*",
    b"/usr/local/src/*",
    b"/usr/src/*",
    b"/usr/local/share/*",
    b"/var/lib/*/repo*/*",
    b"/data/*",
    b"/data/*/*",
    b"/app",
    b"/code/*",
];
/// In them.
const FILES: &[(&str, &[u8])] = &[
    ("GitLab", b".gitlab-ci.y*ml"),
    ("GitLab", b".gitlab/ci/*.y*ml"),
    ("GitHub", b".github/workflows/*.y*ml"),
    ("GitHub", b".github/actions/*/action.y*ml"),
    ("Gitea", b".gitea/workflows/*.y*ml"),
    ("Forgejo", b".forgejo/workflows/*.y*ml"),
    ("Drone", b".drone.y*ml"),
    ("Woodpecker", b".woodpecker.y*ml"),
    ("Woodpecker", b".woodpecker/*.y*ml"),
    ("CircleCI", b".circleci/config.y*ml"),
    ("Travis", b".travis.yml"),
    ("Bitbucket", b"bitbucket-pipelines.yml"),
    ("Azure", b"azure-pipelines*.y*ml"),
    ("Buildkite", b".buildkite/*.y*ml"),
    ("Concourse", b"ci/*.y*ml"),
    ("sourcehut", b".build.yml"),
    ("sourcehut", b".builds/*.yml"),
    ("AWS", b"buildspec.y*ml"),
    ("Google Cloud", b"cloudbuild.y*ml"),
];
const GROOVY: &[&[u8]] = &[b"Jenkinsfile*", b"*/Jenkinsfile*", b"*.jenkinsfile"];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut roots: BTreeSet<Vec<u8>> =
        ROOTS.iter().flat_map(|pattern| settings::glob(tree, pattern)).collect();
    for home in settings::homes(context).iter().filter(|home| home.path != b"/") {
        roots.insert(home.path.clone());
        for below in [&b"*"[..], b"*/*"] {
            roots.extend(settings::glob(tree, &join(&home.path, below)));
        }
    }
    let mut seen = BTreeSet::new();
    for root in roots {
        if !tree.meta(&root).is_ok_and(|meta| meta.kind == FileKind::Directory) {
            continue;
        }
        for (service, pattern) in FILES {
            for path in settings::glob(tree, &join(&root, pattern)) {
                one(context, &path, service, false, &mut seen, out)?;
            }
        }
        for pattern in GROOVY {
            for path in settings::glob(tree, &join(&root, pattern)) {
                one(context, &path, "Jenkins", true, &mut seen, out)?;
            }
        }
    }
    out.flow()
}

fn one(
    context: &Context,
    path: &[u8],
    service: &'static str,
    groovy: bool,
    seen: &mut BTreeSet<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    let meta = context.host.tree().meta_followed(path);
    if !seen.insert(path.to_vec()) || !meta.is_ok_and(|meta| meta.kind == FileKind::File) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    let mechanism = Mechanism { name: "pipeline", when: "with a build of this repository" };
    let who = Who::owner(context, u32::MAX);
    let commands = if groovy { parse::groovy(&bytes) } else { parse::yaml(&bytes) };
    if commands.is_empty() {
        return out.flow();
    }
    for found in commands {
        mechanism.command_as(context, path, found.line, found.command.as_bytes(), &who, out)?;
    }
    let plain: Vec<u8> = bytes.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    let all = plain.windows(15).any(|part| part.eq_ignore_ascii_case(b"tojson(secrets)"));
    let found = Found {
        line: 0,
        name: if all { b"all-secrets" } else { b"service" },
        value: service.as_bytes(),
        whom: b"",
    };
    PIPELINE.put(context, path, &found, out)
}
