//! Collector: scripts that are read at a login.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_host::{FileKind, join};
use calma_record::{Source, Text, kinds};
use std::collections::{BTreeSet, VecDeque};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "login-scripts",
        doing: "Looking at what runs at a login",
        doc: "scripts that shells and the SSH server read at a login",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// Text of one script is kept up to this many bytes.
const LARGEST: usize = 64 << 10;

/// For everybody: bash(1), sh(1), zsh(1), ksh(1), csh(1), fish(1), sshd(8).
const SYSTEM: &[&[u8]] = &[
    b"/etc/profile",
    b"/etc/profile.local",
    b"/etc/profile.d/*",
    b"/etc/bash.bashrc",
    b"/etc/bash.bashrc.local",
    b"/etc/bash.bash_logout",
    b"/etc/bashrc",
    b"/etc/bash_completion.d/*",
    b"/etc/zsh/*",
    b"/etc/zshenv",
    b"/etc/zprofile",
    b"/etc/zshrc",
    b"/etc/zlogin",
    b"/etc/zlogout",
    b"/etc/ksh.kshrc",
    b"/etc/csh.cshrc",
    b"/etc/csh.login",
    b"/etc/csh.logout",
    b"/etc/csh/cshrc.d/*",
    b"/etc/csh/login.d/*",
    b"/etc/fish/config.fish",
    b"/etc/fish/conf.d/*.fish",
    b"/etc/ssh/sshrc",
    b"/etc/skel/.[a-z]*",
];

/// In a home.
const HOME: &[&[u8]] = &[
    b".profile",
    b".bash_profile",
    b".bash_login",
    b".bashrc",
    b".bash_logout",
    b".bash_aliases",
    b".bashrc.d/*",
    b".aliases",
    b".zshenv",
    b".zprofile",
    b".zshrc",
    b".zlogin",
    b".zlogout",
    b".kshrc",
    b".mkshrc",
    b".cshrc",
    b".tcshrc",
    b".login",
    b".logout",
    b".config/fish/config.fish",
    b".config/fish/conf.d/*.fish",
    b".xprofile",
    b".xsessionrc",
    b".ssh/rc",
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for pattern in SYSTEM {
        for path in settings::glob(tree, pattern) {
            script(context, &path, &Text::default(), Source::file(path.as_slice()), out)?;
        }
    }
    for home in settings::homes(context) {
        let mut todo = VecDeque::new();
        for pattern in HOME {
            todo.extend(settings::glob(tree, &join(&home.path, pattern)));
        }
        // What these read in turn from the home is a script of the login too.
        let mut done = BTreeSet::new();
        while let Some(path) = todo.pop_front() {
            if done.len() < 200 && done.insert(path.clone()) {
                script(context, &path, &home.account, home.source(&path), out)?;
                let text = tree.read(&path, LARGEST).map(|content| content.bytes).unwrap_or_default();
                todo.extend(read_by(&text, &home.path).into_iter().filter(|path| tree.meta(path).is_ok()));
            }
        }
    }
    Flow::Continue(())
}

/// The files at the top of the home that a script reads: `. ~/.x`, `source "$HOME/.x"`.
fn read_by(text: &[u8], home: &[u8]) -> Vec<Vec<u8>> {
    let separators = |b: &u8| b.is_ascii_whitespace() || matches!(b, b';' | b'&' | b'"' | b'\'');
    let mut words = text.split(separators).filter(|word| !word.is_empty()).peekable();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        if !matches!(word, b"." | b"source" | b"\\.") {
            continue;
        }
        let Some(file) = words.peek() else { break };
        let homes = [&b"~/"[..], b"$HOME/", b"${HOME}/"];
        let name = homes.iter().find_map(|prefix| file.strip_prefix(*prefix));
        let name = name.or_else(|| file.strip_prefix(home)?.strip_prefix(b"/"));
        all.extend(
            name.filter(|name| !name.is_empty() && !name.contains(&b'/')).map(|name| join(home, name)),
        );
    }
    all.truncate(100);
    all
}

fn script(context: &Context, path: &[u8], account: &Text, from: Source, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    if tree.meta(path).is_ok_and(|meta| meta.kind == FileKind::Directory) {
        return out.flow();
    }
    let content = match tree.read(path, LARGEST) {
        Ok(content) => content,
        Err(error) => return out.unseen("scripts that are read at a login", &error),
    };
    settings::describe_place(context, path, out)?;
    // Thousands of homes hold the same unchanged text; the one in /etc/skel stands for them.
    let name = Text::from(path);
    let shipped = !account.is_empty()
        && tree
            .read(&join(b"/etc/skel", name.file_name()), LARGEST)
            .is_ok_and(|skeleton| skeleton.bytes == content.bytes);
    if !shipped {
        for line in content.bytes.split(|b| *b == b'\n').filter(|line| line.contains(&b'/')).take(2000) {
            let line = line.trim_ascii();
            if !line.starts_with(b"#") {
                describe::command(context, line, out)?;
            }
        }
    }
    let fact = kinds::LoginScript {
        path: name,
        account: account.clone(),
        text: if shipped { Text::default() } else { content.bytes.into() },
        cut: content.cut,
        as_shipped: shipped,
    };
    out.fact(from, fact)
}
