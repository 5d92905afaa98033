//! Job: what a program or library asks the dynamic loader for.

use crate::{Context, Flow, Out};
use calma_formats::elf::{self, Elf};
use calma_host::{Input, Kept, Opened, Reply, WorkerJob};
use std::time::Duration;

/// The job.
pub(super) const JOB: WorkerJob =
    WorkerJob { name: "elf", patience: Duration::from_secs(5), most: 4 << 20, run };

/// So much of a file is read. Headers and the dynamic section stand before debugging data.
const LONGEST: usize = 64 << 20;

fn run(_: &mut Kept, _: &[u8], file: Option<&mut dyn Input>, reply: &mut Reply) {
    let elf = file.and_then(|file| {
        // Most files that are asked about are none.
        let first = file.piece(0, 4);
        if first != b"\x7fELF" { None } else { elf::parse(&file.piece(0, LONGEST)) }
    });
    // A reply that is too long is noticed by the reply itself.
    let _ = serde_json::to_writer(reply, &elf);
}

/// Takes a path and its ELF headers.
pub(crate) type Each<'a> = dyn FnMut(Vec<u8>, Option<Elf>, &mut Out) -> Flow + 'a;

/// The ELF headers of one open file; `None` if it is none, or could not be read, which is then a gap.
#[allow(dead_code, reason = "for collectors that read ELF files")]
pub(crate) fn elf(context: &Context, path: &[u8], file: Box<dyn Opened>, out: &mut Out) -> Option<Elf> {
    let mut found = None;
    let _stopped = elfs(context, [(path.to_vec(), file)], out, &mut |_, elf, out| {
        found = elf;
        out.flow()
    });
    found
}

/// The ELF headers of many open files, in order; files may be opened while the iterator is asked for them.
#[allow(dead_code, reason = "for collectors that read ELF files")]
pub(crate) fn elfs(
    context: &Context,
    files: impl IntoIterator<Item = (Vec<u8>, Box<dyn Opened>)>,
    out: &mut Out,
    each: &mut Each<'_>,
) -> Flow {
    let what = "what some programs and libraries ask the loader for";
    super::ask_all(context, &JOB, what, files, Vec::clone, out, &mut |path, elf: Option<Option<Elf>>, out| {
        each(path, elf.flatten(), out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use calma_host::{Follow, Mem, Tree as _};
    use std::sync::Arc;

    #[test]
    fn headers_come_back_from_the_reader_in_order() {
        let sample = elf::FORMAT.samples.first().unwrap();
        let host = Mem::new().file("/lib/a.so", sample).file("/lib/b", "text");
        let open = |path: &[u8]| (path.to_vec(), host.open(path, Follow::No).unwrap());
        let files = vec![open(b"/lib/a.so"), open(b"/lib/b"), open(b"/lib/a.so")];
        let context = Context::new(Arc::new(Mem::new()), Options::default());
        let (mut out, _from) = Out::new(64, Arc::default());
        let mut seen = Vec::new();
        let flow = elfs(&context, files, &mut out, &mut |path, elf, out| {
            seen.push((path, elf.map(|elf| elf.needed.len())));
            out.flow()
        });
        assert!(flow.is_continue());
        assert_eq!(
            seen,
            [(b"/lib/a.so".to_vec(), Some(2)), (b"/lib/b".to_vec(), None), (b"/lib/a.so".to_vec(), Some(2))]
        );
    }
}
