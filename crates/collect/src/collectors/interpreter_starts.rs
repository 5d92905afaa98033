//! Collector: what interpreters and tools read or run when they start.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings};
use calma_formats::interpreter_start as parse;
use calma_host::{join, resolve};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "interpreter-starts",
        doing: "Looking at what interpreters read when they start",
        doc: "files that Python, Ruby, Perl, Node and interactive tools read or run when they start",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "files that interpreters read when they start";
const PYTHON: Mechanism = Mechanism { name: "python start", when: "whenever Python starts" };
const SCRIPT: Mechanism = Mechanism { name: "interpreter start", when: "whenever its interpreter starts" };
const TOOL: Mechanism = Mechanism { name: "tool start", when: "whenever its tool starts" };
const SETTING: Area = Area("interpreter setting");

/// Directories of Python's modules, for everybody.
const SITES: &[&[u8]] = &[
    b"/usr/lib/python3*",
    b"/usr/lib/python3*/dist-packages",
    b"/usr/lib/python3*/site-packages",
    b"/usr/lib64/python3*/site-packages",
    b"/usr/lib/python2*",
    b"/usr/lib/python2*/dist-packages",
    b"/usr/local/lib/python3*/dist-packages",
    b"/usr/local/lib/python3*/site-packages",
    b"/usr/local/lib/python3*",
    b"/etc/python3*",
    b"/opt/*/lib/python3*/site-packages",
    b"/opt/*/*/lib/python3*/site-packages",
    b"/srv/*/lib/python3*/site-packages",
    b"/srv/*/*/lib/python3*/site-packages",
    b"/var/www/*/*/lib/python3*/site-packages",
];
/// In a home.
const HOME_SITES: &[&[u8]] = &[
    b".local/lib/python3*/site-packages",
    b"*/lib/python3*/site-packages",
    b".pyenv/versions/*/lib/python3*/site-packages",
    b".virtualenvs/*/lib/python3*/site-packages",
];
/// Whole scripts, for everybody.
const SCRIPTS: &[&[u8]] = &[
    b"/etc/perl/sitecustomize.pl",
    b"/usr/local/lib/site_perl/sitecustomize.pl",
    b"/usr/local/share/perl/*/sitecustomize.pl",
    b"/usr/share/perl/*/sitecustomize.pl",
    b"/etc/irbrc",
    b"/usr/lib/ruby/vendor_ruby/rubygems/defaults/operating_system.rb",
    b"/usr/local/lib/ruby/site_ruby/*/rubygems/defaults/operating_system.rb",
    b"/usr/lib/node_modules/npm/.npm-init.js",
];
/// Whole scripts in a home.
const HOME_SCRIPTS: &[&[u8]] = &[
    b".pythonrc",
    b".pythonrc.py",
    b".pystartup",
    b".ipython/profile_*/startup/*.py",
    b".ipython/profile_*/*_config.py",
    b".jupyter/*_config.py",
    b".irbrc",
    b".config/irb/irbrc",
    b".pryrc",
    b".perldb",
    b".npm-init.js",
    b".noderc.js",
    b".pnpmfile.cjs",
    b".lessfilter",
];
/// Settings of tools that can run commands: for everybody, and in a home.
const TOOLS: &[&[u8]] = &[
    b"/etc/psqlrc",
    b"/etc/postgresql-common/psqlrc",
    b"/etc/gdb/gdbinit",
    b"/etc/gdb/gdbinit.d/*",
    b"/etc/tmux.conf",
    b"/etc/screenrc",
    b"/etc/vim/vimrc.local",
    b"/etc/R/Rprofile.site",
];
const HOME_TOOLS: &[&[u8]] = &[
    b".psqlrc",
    b".gdbinit",
    b".config/gdb/gdbinit",
    b".lldbinit",
    b".tmux.conf",
    b".config/tmux/tmux.conf",
    b".screenrc",
    b".vimrc",
    b".vim/vimrc",
    b".vim/plugin/*.vim",
    b".config/nvim/init.vim",
    b".exrc",
    b".sqliterc",
    b".Rprofile",
    b".octaverc",
    b".emacs",
    b".emacs.d/init.el",
];
/// Settings of package tools, in pairs of name and value.
const VALUES: &[&[u8]] = &[b"/etc/npmrc", b"/usr/etc/npmrc", b"/usr/local/etc/npmrc", b"/etc/gemrc"];
const HOME_VALUES: &[&[u8]] =
    &[b".npmrc", b".yarnrc", b".yarnrc.yml", b".cargo/config.toml", b".cargo/config", b".gemrc"];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let everybody = Who::everybody();
    each(context, SITES, b"", &everybody, site, out)?;
    each(context, SCRIPTS, b"", &everybody, script, out)?;
    each(context, TOOLS, b"", &everybody, tool, out)?;
    each(context, VALUES, b"", &everybody, values, out)?;
    for home in settings::homes(context) {
        let who = Who::of(&home);
        // Homes of service accounts may be the system's own directories.
        let below =
            if home.path.starts_with(b"/usr") { HOME_SITES.get(..1).unwrap_or_default() } else { HOME_SITES };
        each(context, below, &home.path, &who, site, out)?;
        each(context, HOME_SCRIPTS, &home.path, &who, script, out)?;
        each(context, HOME_TOOLS, &home.path, &who, tool, out)?;
        each(context, HOME_VALUES, &home.path, &who, values, out)?;
    }
    for pattern in [&b"/srv/*/.npmrc"[..], b"/opt/*/.npmrc", b"/var/www/*/.npmrc"] {
        for path in settings::glob(tree, pattern) {
            values(context, &path, &everybody, out)?;
        }
    }
    out.flow()
}

type Look = fn(&Context, &[u8], &Who, &mut Out) -> Flow;

fn each(context: &Context, patterns: &[&[u8]], below: &[u8], who: &Who, look: Look, out: &mut Out) -> Flow {
    for pattern in patterns {
        let pattern = if below.is_empty() { pattern.to_vec() } else { join(below, pattern) };
        for path in settings::glob(context.host.tree(), &pattern) {
            look(context, &path, who, out)?;
        }
    }
    out.flow()
}

fn is_file(context: &Context, path: &[u8]) -> bool {
    let tree = context.host.tree();
    resolve(tree, path)
        .and_then(|real| tree.meta(&real))
        .is_ok_and(|meta| meta.kind == calma_host::FileKind::File)
}

/// A directory of Python's modules: .pth files, and the two modules that every start imports.
fn site(context: &Context, directory: &[u8], who: &Who, out: &mut Out) -> Flow {
    for name in [
        &b"sitecustomize.py"[..],
        b"usercustomize.py",
        b"sitecustomize/__init__.py",
        b"usercustomize/__init__.py",
    ] {
        let path = join(directory, name);
        if is_file(context, &path) {
            SCRIPT.script_as(context, &path, who, out)?;
        }
    }
    for path in settings::glob(context.host.tree(), &join(directory, b"*.pth")) {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        let (code, directories) = parse::path_file(&bytes);
        for line in code {
            let text = line.command.as_bytes();
            PYTHON.command_as(context, &path, line.line, text, who, out)?;
            for module in parse::modules(text) {
                imported(context, directory, module.as_bytes(), who, out)?;
            }
        }
        for added in directories.iter().take(64) {
            describe::file(context, added.as_bytes(), out)?;
            let found = Found { line: 0, name: b"PYTHONPATH", value: added.as_bytes(), whom: b"" };
            SETTING.put(context, &path, &found, out)?;
        }
    }
    out.flow()
}

/// A module that stands beside a .pth file and that no package owns.
fn imported(context: &Context, directory: &[u8], module: &[u8], who: &Who, out: &mut Out) -> Flow {
    for name in [[module, b".py"].concat(), [module, b"/__init__.py"].concat()] {
        let path = join(directory, &name);
        let owned = matches!(context.packages().owner(&path), Owner::Package(_));
        if is_file(context, &path) && !owned {
            SCRIPT.script_as(context, &path, who, out)?;
        }
    }
    out.flow()
}

fn script(context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
    SCRIPT.script_as(context, path, who, out)
}

fn tool(context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
    if !is_file(context, path) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for command in parse::tool_commands(&bytes) {
        TOOL.command_as(context, path, command.line, command.command.as_bytes(), who, out)?;
    }
    out.flow()
}

fn values(context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
    if !is_file(context, path) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for (line, name, value) in parse::rc_values(&bytes) {
        match name.as_str() {
            "script-shell"
            | "shell"
            | "git"
            | "editor"
            | "viewer"
            | "init-module"
            | "onload-script"
            | "yarn-path"
            | "yarnpath"
            | "rustc-wrapper"
            | "rustc"
            | "runner"
            | "linker"
            | "credential-provider" => {
                TOOL.command_as(context, path, line, value.as_bytes(), who, out)?;
            }
            "node-options" | "prefix" | "globalconfig" | "node_options" => {
                let name = if name.starts_with("node") { &b"NODE_OPTIONS"[..] } else { b"PATH" };
                describe::command(context, value.as_bytes(), out)?;
                SETTING.put(context, path, &Found { line, name, value: value.as_bytes(), whom: b"" }, out)?;
            }
            _ => {}
        }
    }
    out.flow()
}
