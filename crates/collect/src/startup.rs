//! Facts about commands that a mechanism runs by itself as root, in one form for all mechanisms.

use crate::{Context, Flow, Out, Owner, describe};
use calma_host::{FileKind, resolve};
use calma_record::{Source, Text, kinds::StartupCommand};
use std::collections::BTreeSet;

/// A mechanism that runs what a file names, as root.
#[derive(Clone, Copy)]
pub(crate) struct Mechanism {
    /// Its name in few words.
    pub name: &'static str,
    /// When it runs, in plain words.
    pub when: &'static str,
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
        describe::file(context, path, out)?;
        describe::command(context, command, out)?;
        out.fact(Source::file(path), self.fact(context, path, line, command))
    }

    /// Puts out that the whole file `path` is run, if it is a file that may be executed, and describes it.
    pub(crate) fn program(self, context: &Context, path: &[u8], out: &mut Out) -> Flow {
        let tree = context.host.tree();
        let meta = resolve(tree, path).and_then(|real| tree.meta(&real));
        if !meta.is_ok_and(|meta| meta.kind == FileKind::File && meta.mode & 0o111 != 0) {
            return out.flow();
        }
        describe::file(context, path, out)?;
        out.fact(Source::file(path), self.fact(context, path, 0, path))
    }

    fn fact(self, context: &Context, path: &[u8], line: u32, command: &[u8]) -> StartupCommand {
        let real = resolve(context.host.tree(), path).unwrap_or_else(|_| path.to_vec());
        let (package, packages_known) = match context.packages().owner(&real) {
            Owner::Package(package) => (Some(package), true),
            Owner::Nobody => (None, true),
            Owner::Unknown => (None, false),
        };
        StartupCommand {
            mechanism: self.name.to_owned(),
            path: path.into(),
            line,
            command: command.into(),
            when: self.when.to_owned(),
            user: Some(Text::from("root")),
            as_root: true,
            package,
            packages_known,
        }
    }
}

/// The directories that are not another name of one before them: `/lib` and `/usr/lib` are one on most systems.
pub(crate) fn once<'a>(context: &Context, directories: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut seen = BTreeSet::new();
    let tree = context.host.tree();
    let fresh =
        |directory: &&&[u8]| seen.insert(resolve(tree, directory).unwrap_or_else(|_| directory.to_vec()));
    directories.iter().filter(fresh).copied().collect()
}
