//! Collector: scripts that packages run when they are installed or removed.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings};
use calma_host::{FileKind, join, resolve};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "package-scripts",
        doing: "Looking at scripts of packages",
        doc: "scripts that packages run when they are installed or removed",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "scripts of packages";
const SCRIPT: Mechanism =
    Mechanism { name: "package script", when: "when its package is installed, updated or removed" };
const CHANGED: Area = Area("package script");
/// A script is written before its package is unpacked; a list is written then. More seconds than this are no rounding.
const LATER: i64 = 120;
/// No more bytes of a script are read.
const LARGEST: usize = 1 << 20;
/// No more programs of no package are described for one script.
const FOREIGN: usize = 16;

/// A server has thousands of these scripts. Those with none of these words neither connect, nor decode, nor reach into
/// places of others.
const WORDS: &[&[u8]] = &[
    b"/tmp/",
    b"/dev/shm",
    b"/dev/tcp",
    b"/dev/udp",
    b"curl",
    b"wget",
    b"base64",
    b"ncat",
    b"nc -",
    b"socat",
    b"netcat",
    b"authorized_keys",
    b"ld.so.preload",
    b"nohup",
    b"setsid",
    b"xxd",
    b"openssl",
    b"chattr",
    b"sudoers",
    b"http://",
    b"https://",
    b"memfd",
    b"chmod 4",
    b"u+s",
    b"/etc/shadow",
    b"chpasswd",
    b"crontab",
    b"auditctl",
    b"import ",
    b"eval ",
    b"/run/user",
    b"/var/tmp",
    b"/root/",
    b"/home/",
    b"/etc/passwd",
    b"useradd",
    b"usermod",
    b"b64",
    b"python",
    b"perl -",
    b"ruby -",
    b"php -",
    b"\\x",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let info = b"/var/lib/dpkg/info";
    for path in settings::files(context, info, WHAT, out)? {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let Some(dot) = name.iter().rposition(|b| *b == b'.') else { continue };
        let (package, ending) = name.split_at(dot);
        if !matches!(ending, b".preinst" | b".postinst" | b".prerm" | b".postrm" | b".config") {
            continue;
        }
        let Ok(meta) = tree.meta(&path) else { continue };
        let list = tree.meta(&join(info, &[package, b".list"].concat()));
        let stranger = list.as_ref().is_err_and(|error| error.is_missing());
        let later = list.is_ok_and(|list| meta.modified.seconds() > list.modified.seconds() + LATER);
        if stranger || later || meta.kind != FileKind::File {
            let value: &[u8] = if stranger {
                b"no package"
            } else if later {
                b"changed"
            } else {
                b"no file"
            };
            CHANGED.put(context, &path, &Found { line: 0, name: package, value, whom: b"" }, out)?;
        }
        let foreign = foreign(context, &path);
        for file in &foreign {
            describe::file(context, file, out)?;
        }
        if stranger || later || !foreign.is_empty() || has_words(context, &path) {
            SCRIPT.script_as(context, &path, &Who::root(), out)?;
        }
    }
    for path in settings::glob(tree, b"/var/lib/pacman/local/*/install") {
        if has_words(context, &path) {
            SCRIPT.script_as(context, &path, &Who::root(), out)?;
        }
    }
    out.flow()
}

fn has_words(context: &Context, path: &[u8]) -> bool {
    let text = context.host.tree().read(path, LARGEST).map(|content| content.bytes).unwrap_or_default();
    let elf = text.starts_with(b"\x7fELF");
    elf || WORDS.iter().any(|word| text.windows(word.len()).any(|window| window == *word))
}

/// Programs that a script names and no package owns, or whose path is hidden: what a package's own script runs is the
/// package's own. At most [`FOREIGN`].
fn foreign(context: &Context, path: &[u8]) -> Vec<Vec<u8>> {
    let tree = context.host.tree();
    let text = tree.read(path, LARGEST).map(|content| content.bytes).unwrap_or_default();
    let ends = |b: &u8| b.is_ascii_whitespace() || b"'\"`;&|()<>=,{}".contains(b);
    let mut found: Vec<Vec<u8>> = Vec::new();
    for word in text.split(ends).filter(|word| word.starts_with(b"/") && word.len() < 4096) {
        if found.len() >= FOREIGN {
            break;
        }
        let program = || {
            let real = resolve(tree, word).unwrap_or_else(|_| word.to_vec());
            let meta = tree.meta(&real);
            meta.is_ok_and(|meta| meta.kind == FileKind::File && meta.mode & 0o111 != 0)
                && context.packages().owner(&real) == Owner::Nobody
        };
        // A hidden program counts whether or not it is there: it may come back.
        let hidden = word.windows(2).any(|two| two.first() == Some(&b'/') && two.get(1) == Some(&b'.'))
            && !word.windows(3).any(|three| three == b"/./")
            && !word.windows(4).any(|four| four == b"/../");
        if !found.iter().any(|known| known == word)
            && (hidden || (context.packages().owner(word) == Owner::Nobody && program()))
        {
            found.push(word.to_vec());
        }
    }
    found
}
