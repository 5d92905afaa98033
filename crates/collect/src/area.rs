//! Facts about settings that say whom a system trusts or what it records, in one form for all programs.

use crate::{Context, Flow, Out, Owner, describe};
use calma_host::resolve;
use calma_record::{Source, Text, kinds::SystemSetting};

/// What settings of one collector are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area(pub(crate) &'static str);

/// One setting as it stands in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found<'a> {
    /// Its line, from 1; 0 for the whole file.
    pub(crate) line: u32,
    /// Its name.
    pub(crate) name: &'a [u8],
    /// Its value.
    pub(crate) value: &'a [u8],
    /// Whom it is for.
    pub(crate) whom: &'a [u8],
}

impl Area {
    /// Puts out a setting of `path`, and describes the file.
    pub(crate) fn put(self, context: &Context, path: &[u8], found: &Found<'_>, out: &mut Out) -> Flow {
        self.put_from(context, path, Source::file(path), found, out)
    }

    /// The same for a file that somebody other than root may have written.
    pub(crate) fn put_from(
        self,
        context: &Context,
        path: &[u8],
        from: Source,
        found: &Found<'_>,
        out: &mut Out,
    ) -> Flow {
        describe::file(context, path, out)?;
        let (package, packages_known) = owner(context, path);
        let fact = SystemSetting {
            area: self.0.to_owned(),
            path: path.into(),
            line: found.line,
            name: found.name.into(),
            value: found.value.get(..found.value.len().min(8192)).unwrap_or_default().into(),
            whom: found.whom.into(),
            package,
            packages_known,
        };
        out.fact(from, fact)
    }
}

/// The package of a file, links followed, and whether there is a list of packages.
pub(crate) fn owner(context: &Context, path: &[u8]) -> (Option<Text>, bool) {
    let real = resolve(context.host.tree(), path).unwrap_or_else(|_| path.to_vec());
    match context.packages().owner(&real) {
        Owner::Package(package) => (Some(package), true),
        Owner::Nobody => (None, true),
        Owner::Unknown => (None, false),
    }
}
