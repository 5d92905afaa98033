//! Facts about the files that settings point to, so that a detector can weigh what a line would run.

use crate::{Context, Flow, Out, Owner};
use calma_host::{FileKind, resolve};
use calma_record::{Source, Text, kinds};

/// Text of a script no package owns is kept up to this many bytes.
const TEXT: usize = 16 << 10;

/// Puts out a [`kinds::File`] for `path`, once a run. A file that is not there is a fact too (`missing`).
pub(crate) fn file(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    if !path.starts_with(b"/") || !context.first_time(path) {
        return out.flow();
    }
    let tree = context.host.tree();
    let mut fact = kinds::File { path: path.into(), what: "missing".to_owned(), ..kinds::File::default() };
    let real = resolve(tree, path).unwrap_or_else(|_| path.to_vec());
    match tree.meta(&real) {
        Err(error) if error.is_missing() => return out.fact(Source::file(path), fact),
        Err(error) => return out.unseen("files that settings point to", &error),
        Ok(meta) => {
            fact.what = match meta.kind {
                FileKind::File => "file",
                FileKind::Directory => "directory",
                FileKind::Link => "link",
                FileKind::Other => "other",
            }
            .to_owned();
            (fact.mode, fact.uid, fact.gid, fact.size) = (meta.mode, meta.uid, meta.gid, meta.size);
            (fact.modified, fact.changed, fact.born) = (meta.modified, meta.changed, meta.born);
            (fact.inode, fact.device) = (meta.inode, meta.device);
            fact.immutable = meta.immutable == Some(true);
            match context.packages().owner(&real) {
                Owner::Package(package) => (fact.package, fact.packages_known) = (Some(package), true),
                Owner::Nobody => fact.packages_known = true,
                Owner::Unknown => {}
            }
            if real != path {
                fact.target = tree.link(path).ok().map(Text::from);
                fact.real = Some(real.as_slice().into());
            }
            if meta.kind == FileKind::File && fact.package.is_none() {
                content(context, &real, &mut fact);
            }
            if let Ok(Some(capability)) = tree.attribute(&real, "security.capability") {
                fact.capability = capability.iter().map(|byte| format!("{byte:02x}")).collect();
            }
        }
    }
    out.fact(Source::file(path), fact)
}

/// Digest, kind of content, and the first bytes of a text.
fn content(context: &Context, path: &[u8], fact: &mut kinds::File) {
    const LARGEST: usize = 64 << 20;
    let Ok(content) = context.host.tree().read(path, LARGEST) else { return };
    let bytes = &content.bytes;
    fact.elf = bytes.starts_with(b"\x7fELF");
    if !content.cut {
        fact.digest = Some(calma_record::Digest::of(bytes));
    }
    let head = bytes.get(..bytes.len().min(TEXT)).unwrap_or_default();
    if !fact.elf && !head.contains(&0) {
        fact.text = Some(head.into());
    }
}

/// Puts out [`kinds::File`] facts for the programs and files a command line names: every absolute path in it, and its
/// first word as the shell would find it in the system's usual PATH.
pub(crate) fn command(context: &Context, command: &[u8], out: &mut Out) -> Flow {
    let separators = b" \t\n;|&<>()'\"`=,{}$";
    for (index, word) in command.split(|b| separators.contains(b)).filter(|word| !word.is_empty()).enumerate()
    {
        // systemd's prefixes of an executable path (systemd.service(5)).
        let word = if index == 0 { word.trim_ascii_start_prefix(b"-@:+!") } else { word };
        if word.starts_with(b"/") {
            file(context, word, out)?;
        } else if index == 0 && !word.contains(&b'/') {
            for directory in
                [&b"/usr/local/sbin"[..], b"/usr/local/bin", b"/usr/sbin", b"/usr/bin", b"/sbin", b"/bin"]
            {
                let path = calma_host::join(directory, word);
                if context.host.tree().meta(&path).is_ok() {
                    file(context, &path, out)?;
                    break;
                }
            }
        }
    }
    out.flow()
}

trait TrimPrefix {
    fn trim_ascii_start_prefix(&self, any: &[u8]) -> &[u8];
}

impl TrimPrefix for [u8] {
    fn trim_ascii_start_prefix(&self, any: &[u8]) -> &[u8] {
        let at = self.iter().position(|b| !any.contains(b)).unwrap_or(self.len());
        self.get(at..).unwrap_or_default()
    }
}
