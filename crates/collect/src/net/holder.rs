//! The process that holds a socket, as far as a socket's row tells of it.

use crate::{Context, Flow, Out, describe};
use calma_record::Text;

/// The process that holds a socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder {
    /// Its program.
    pub(crate) program: Option<Text>,
    /// Whether the program's file has no name any more.
    pub(crate) deleted: bool,
    /// Whether it is an anonymous memory file.
    pub(crate) memfd: bool,
    /// Its name for itself.
    pub(crate) name: Text,
    /// Its control group.
    pub(crate) cgroup: Text,
    /// Whether its root directory is another than calma's.
    pub(crate) other_root: bool,
}

/// Looks at a process, and describes its program's file where that is one of this root.
pub(crate) fn holder(context: &Context, pid: u32, out: &mut Out) -> (Holder, Flow) {
    let tree = context.host.tree();
    let read = |name: &str, limit| {
        tree.read(format!("/proc/{pid}/{name}").as_bytes(), limit)
            .map(|content| content.bytes)
            .unwrap_or_default()
    };
    let mut holder = Holder { name: read("comm", 64).trim_ascii_end().into(), ..Holder::default() };
    let groups = read("cgroup", 64 << 10);
    holder.cgroup = groups
        .split(|b| *b == b'\n')
        .filter_map(|line| line.splitn(3, |b| *b == b':').nth(2))
        .max_by_key(|path| path.len())
        .unwrap_or_default()
        .into();
    let root = tree.meta(format!("/proc/{pid}/root/.").as_bytes()).map(|meta| (meta.device, meta.inode));
    let own = tree.meta(b"/").map(|meta| (meta.device, meta.inode));
    holder.other_root = matches!((root, own), (Ok(root), Ok(own)) if root != own);
    if let Ok(target) = tree.link(format!("/proc/{pid}/exe").as_bytes()) {
        holder.memfd = target.starts_with(b"/memfd:");
        // A file may really be called so: then it is there under that name.
        let bare = target.strip_suffix(b" (deleted)").filter(|_| tree.meta(&target).is_err());
        holder.deleted = bare.is_some();
        holder.program = Some(bare.unwrap_or(&target).into());
    }
    let mut flow = out.flow();
    // Of a program without a name, too: an upgrade leaves the new file there.
    if let Some(program) = holder.program.as_ref().filter(|_| !holder.other_root && !holder.memfd) {
        flow = describe::file(context, program.as_bytes(), out);
    }
    (holder, flow)
}
