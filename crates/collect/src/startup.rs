//! Facts about commands that a mechanism runs by itself, in one form for all mechanisms.

use crate::{Context, Flow, Out, Owner, area, describe, settings};
use calma_host::{FileKind, resolve};
use calma_record::{Source, Text, kinds::StartupCommand};
use std::collections::BTreeSet;

/// A mechanism that runs what a file names.
#[derive(Clone, Copy)]
pub(crate) struct Mechanism {
    /// Its name in few words.
    pub name: &'static str,
    /// When it runs, in plain words.
    pub when: &'static str,
}

/// Who runs a command, and whether its file is that account's own.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    user: Option<Text>,
    as_root: bool,
    own_file: bool,
}

impl Who {
    /// Root.
    pub(crate) fn root() -> Self {
        Self { user: Some("root".into()), as_root: true, own_file: false }
    }

    /// The owner of a home, by a file in it.
    pub(crate) fn of(home: &settings::Home) -> Self {
        let as_root = home.uid == Some(0);
        Self { user: Some(home.account.clone()), as_root, own_file: !as_root }
    }

    /// An account that a setting of root's names, root where it names none.
    pub(crate) fn named(context: &Context, user: &[u8]) -> Self {
        let uid = context.accounts().iter().find(|a| a.name.as_bytes() == user).map(|a| a.uid);
        let as_root = user.is_empty() || user == b"root" || user == b"0" || uid == Some(0);
        Self {
            user: Some(if user.is_empty() { "root".into() } else { user.into() }),
            as_root,
            own_file: false,
        }
    }

    /// Whoever logs in or uses a program: root too, sooner or later.
    pub(crate) fn everybody() -> Self {
        Self { user: None, as_root: true, own_file: false }
    }

    /// Whoever owns a file.
    pub(crate) fn owner(context: &Context, uid: u32) -> Self {
        let user = context.accounts().iter().find(|a| a.uid == uid).map(|a| a.name.clone());
        Self { user, as_root: uid == 0, own_file: uid != 0 }
    }

    fn source(&self, path: &[u8]) -> Source {
        if self.own_file { Source::owned_file(path) } else { Source::file(path) }
    }
}

impl Mechanism {
    /// Puts out that `path` names `command` on `line`, and describes the file and what the command names.
    pub(crate) fn command(
        self,
        context: &Context,
        path: &[u8],
        line: u32,
        command: &[u8],
        out: &mut Out,
    ) -> Flow {
        self.command_as(context, path, line, command, &Who::root(), out)
    }

    /// The same for a command that somebody else may run.
    pub(crate) fn command_as(
        self,
        context: &Context,
        path: &[u8],
        line: u32,
        command: &[u8],
        who: &Who,
        out: &mut Out,
    ) -> Flow {
        describe::file(context, path, out)?;
        describe::command(context, command, out)?;
        out.fact(who.source(path), self.fact(context, path, line, command, who))
    }

    /// Puts out that the whole file `path` is run, if it is a file that may be executed, and describes it.
    pub(crate) fn program(self, context: &Context, path: &[u8], out: &mut Out) -> Flow {
        self.program_as(context, path, &Who::root(), out)
    }

    /// The same for a program that somebody else may run.
    pub(crate) fn program_as(self, context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
        self.whole(context, path, 0o111, who, out)
    }

    /// Puts out that the whole file `path` is read and done, executable or not.
    pub(crate) fn script_as(self, context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
        self.whole(context, path, 0o7777, who, out)
    }

    fn whole(self, context: &Context, path: &[u8], mode: u32, who: &Who, out: &mut Out) -> Flow {
        let tree = context.host.tree();
        let meta = resolve(tree, path).and_then(|real| tree.meta(&real));
        if !meta.is_ok_and(|meta| meta.kind == FileKind::File && meta.mode & mode != 0) {
            return out.flow();
        }
        describe::file(context, path, out)?;
        out.fact(who.source(path), self.fact(context, path, 0, path, who))
    }

    /// Puts out that a shell reads `path` as a script, whether or not it may be executed: its text as a command, unless it
    /// is a package's and stands where nobody changes it.
    pub(crate) fn sourced(self, context: &Context, path: &[u8], what: &str, out: &mut Out) -> Flow {
        const LONGEST: usize = 64 << 10;
        let tree = context.host.tree();
        let real = resolve(tree, path).unwrap_or_else(|_| path.to_vec());
        if !tree.meta(&real).is_ok_and(|meta| meta.kind == FileKind::File) {
            return out.flow();
        }
        let packaged = matches!(context.packages().owner(&real), Owner::Package(_));
        if packaged && !real.starts_with(b"/etc/") {
            describe::file(context, path, out)?;
            return out.fact(Source::file(path), self.fact(context, path, 0, path, &Who::root()));
        }
        let Some(bytes) = settings::read(context, path, what, out)? else { return out.flow() };
        if bytes.contains(&0) {
            describe::file(context, path, out)?;
            return out.fact(Source::file(path), self.fact(context, path, 0, path, &Who::root()));
        }
        self.command(context, path, 1, bytes.get(..LONGEST).unwrap_or(&bytes), out)
    }

    /// [`Mechanism::program`] for the files of each directory that is there, none twice.
    pub(crate) fn programs(self, context: &Context, places: &[&[u8]], what: &str, out: &mut Out) -> Flow {
        for directory in directories(context, places) {
            for path in settings::files(context, &directory, what, out)? {
                self.program(context, &path, out)?;
            }
        }
        out.flow()
    }

    /// [`Mechanism::sourced`] for the files that patterns name, none twice.
    pub(crate) fn scripts(self, context: &Context, patterns: &[&[u8]], what: &str, out: &mut Out) -> Flow {
        for path in files(context, patterns) {
            self.sourced(context, &path, what, out)?;
        }
        out.flow()
    }

    fn fact(self, context: &Context, path: &[u8], line: u32, command: &[u8], who: &Who) -> StartupCommand {
        let (package, packages_known) = area::owner(context, path);
        StartupCommand {
            mechanism: self.name.to_owned(),
            path: path.into(),
            line,
            command: command.get(..command.len().min(64 << 10)).unwrap_or_default().into(),
            when: self.when.to_owned(),
            user: who.user.clone(),
            as_root: who.as_root,
            package,
            packages_known,
        }
    }
}

/// The directories that patterns name, each once, whatever other names it has.
pub(crate) fn directories(context: &Context, patterns: &[&[u8]]) -> Vec<Vec<u8>> {
    named(context, patterns, FileKind::Directory)
}

/// The regular files that patterns name, each once, whatever other names it has.
pub(crate) fn files(context: &Context, patterns: &[&[u8]]) -> Vec<Vec<u8>> {
    named(context, patterns, FileKind::File)
}

fn named(context: &Context, patterns: &[&[u8]], kind: FileKind) -> Vec<Vec<u8>> {
    let tree = context.host.tree();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for pattern in patterns {
        for path in settings::glob(tree, pattern) {
            let Ok(real) = resolve(tree, &path) else { continue };
            if tree.meta(&real).is_ok_and(|meta| meta.kind == kind) && seen.insert(real) {
                found.push(path);
            }
        }
    }
    found
}

/// The directories that are not another name of one before them: `/lib` and `/usr/lib` are one on most systems.
pub(crate) fn once<'a>(context: &Context, directories: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut seen = BTreeSet::new();
    let tree = context.host.tree();
    let fresh =
        |directory: &&&[u8]| seen.insert(resolve(tree, directory).unwrap_or_else(|_| directory.to_vec()));
    directories.iter().filter(fresh).copied().collect()
}
