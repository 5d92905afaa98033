//! Collector: where packages and modules are taken from, how they are checked, and the keys they are checked with.

use crate::area::{Area, Found};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::package_sources::{self as parse, Source};
use calma_formats::{apt_conf, interpreter_start, lines};
use calma_host::join;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "package-sources",
        doing: "Looking at where packages come from",
        doc: "repositories of packages and modules, how they are checked, and their keys",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "settings of package managers";
const SOURCE: Area = Area("package source");
const CHECK: Area = Area("package check");
const INDEX: Area = Area("index source");
const KEYRING: Area = Area("keyring");

type Parse = fn(&[u8]) -> Vec<Source>;

const SOURCES: &[(&[u8], Parse, &[u8])] = &[
    (b"/etc/apt/sources.list", parse::one_line, b"apt"),
    (b"/etc/apt/sources.list.d/*.list", parse::one_line, b"apt"),
    (b"/etc/apt/sources.list.d/*.sources", parse::deb822, b"apt"),
    (b"/etc/yum.repos.d/*.repo", parse::sections, b"yum"),
    (b"/etc/zypp/repos.d/*.repo", parse::sections, b"zypper"),
    (b"/etc/yum.conf", parse::sections, b"yum"),
    (b"/etc/dnf/dnf.conf", parse::sections, b"dnf"),
    (b"/etc/apk/repositories", parse::plain, b"apk"),
    (b"/etc/pacman.conf", parse::sections, b"pacman"),
    (b"/etc/pacman.d/mirrorlist", parse::sections, b"pacman"),
];

/// Keys that packages are checked with.
const KEYS: &[&[u8]] = &[
    b"/etc/apt/trusted.gpg",
    b"/etc/apt/trusted.gpg.d/*",
    b"/etc/apt/keyrings/*",
    b"/usr/share/keyrings/*",
    b"/usr/local/share/keyrings/*",
    b"/etc/apk/keys/*",
    b"/etc/pki/rpm-gpg/*",
    b"/etc/debsig/policies/*/*",
    b"/usr/share/debsig/keyrings/*/*",
];

/// Settings of module tools: for everybody, and in a home.
const INDEXES: &[(&[u8], &[u8])] = &[
    (b"/etc/pip.conf", b"pip"),
    (b"/etc/xdg/pip/pip.conf", b"pip"),
    (b"/etc/npmrc", b"npm"),
    (b"/usr/etc/npmrc", b"npm"),
    (b"/etc/gemrc", b"gem"),
];
const HOME_INDEXES: &[(&[u8], &[u8])] = &[
    (b".pip/pip.conf", b"pip"),
    (b".config/pip/pip.conf", b"pip"),
    (b".pypirc", b"pip"),
    (b".npmrc", b"npm"),
    (b".yarnrc", b"npm"),
    (b".yarnrc.yml", b"npm"),
    (b".gemrc", b"gem"),
    (b".bundle/config", b"gem"),
    (b".cargo/config.toml", b"cargo"),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for (pattern, parse, whom) in SOURCES {
        for path in settings::glob(tree, pattern) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for source in parse(&bytes) {
                let (name, value) = (source.uri.as_bytes(), source.options.as_bytes());
                SOURCE.put(context, &path, &Found { line: source.line, name, value, whom }, out)?;
            }
        }
    }
    checks(context, out)?;
    for pattern in KEYS {
        for path in settings::glob(tree, pattern) {
            settings::describe_place(context, &path, out)?;
            KEYRING.put(context, &path, &Found::default(), out)?;
        }
    }
    for (path, whom) in INDEXES {
        index(context, path, whom, out)?;
    }
    for home in settings::homes(context) {
        for (name, whom) in HOME_INDEXES {
            index(context, &join(&home.path, name), whom, out)?;
        }
    }
    out.flow()
}

/// Settings of apt that leave out a check, or go through somebody else.
fn checks(context: &Context, out: &mut Out) -> Flow {
    let mut files = settings::files(context, b"/etc/apt/apt.conf.d", WHAT, out)?;
    files.push(b"/etc/apt/apt.conf".to_vec());
    for path in files {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for setting in apt_conf::parse(&bytes) {
            let name = setting.name.as_bytes().to_ascii_lowercase();
            let told = [
                &b"allowunauthenticated"[..],
                b"allowinsecurerepositories",
                b"allowweakrepositories",
                b"allowdowngradetoinsecurerepositories",
                b"verify-peer",
                b"verify-host",
                b"::proxy",
                b"check-valid-until",
                b"apt::periodic::unattended-upgrade",
                b"apt::periodic::update-package-lists",
            ];
            if told.iter().any(|part| name.windows(part.len()).any(|window| window == *part)) {
                let found =
                    Found { line: setting.line, name: &name, value: setting.value.as_bytes(), whom: b"apt" };
                CHECK.put(context, &path, &found, out)?;
            }
        }
    }
    out.flow()
}

/// Addresses that a module tool takes modules from, and checks it leaves out.
fn index(context: &Context, path: &[u8], whom: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    if whom == b"gem" {
        for (line, text) in lines::meaningful(&bytes) {
            let address =
                text.split(|b| matches!(b, b' ' | b'"' | b'\'')).find(|word| word.starts_with(b"http"));
            if let Some(value) = address {
                INDEX.put(context, path, &Found { line, name: b"source", value, whom }, out)?;
            }
        }
        return out.flow();
    }
    for (line, name, value) in interpreter_start::rc_values(&bytes) {
        let told = matches!(
            name.as_str(),
            "index-url"
                | "extra-index-url"
                | "find-links"
                | "trusted-host"
                | "registry"
                | "npmregistryserver"
                | "strict-ssl"
                | "unsafehttpwhitelist"
                | "proxy"
                | "https-proxy"
                | "cafile"
                | "repository"
                | "index"
        ) || name.ends_with("registry");
        if told && !value.is_empty() {
            let found = Found { line, name: name.as_bytes(), value: value.as_bytes(), whom };
            INDEX.put(context, path, &found, out)?;
        }
    }
    out.flow()
}
