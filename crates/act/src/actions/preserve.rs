//! Keeps what a process is and knows: its memory, its program, the files it holds open, and what the kernel says of it.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use crate::image::Image;
use crate::{Acting, tree};
use calma_host::Follow;
use calma_host::ground::{Memory, ProcessLine, process, regions};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Undo, Undoable, Way};
use serde::Serialize;
use std::io::Read as _;

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "preserve",
        doc: "Copies a process's memory, program, deleted and open files and everything /proc tells of it into the case.",
        csf: "RS.AN-07",
        undoable: Undoable::Nothing,
        back: "changes nothing on the host",
        against: "A running process can wipe its memory while it is read: freeze it first. What it sent away is not in it.",
    },
    ready: None,
    prepare,
    apply,
    verify: |_: &mut Looking<'_>, _: &Step, _: &Undo, _: Way| Verdict::Holds,
    revert: |_: &mut Acting<'_>, _: &Step, _: &Undo| -> Result<Done, Trouble> {
        Ok(Done::new("what was kept stays in the case"))
    },
};

/// The texts of /proc/PID that are kept. `environ` may hold secrets, as memory does.
const TEXTS: [&str; 18] = [
    "status",
    "stat",
    "cmdline",
    "environ",
    "maps",
    "smaps",
    "limits",
    "cgroup",
    "mountinfo",
    "stack",
    "wchan",
    "syscall",
    "io",
    "sched",
    "loginuid",
    "net/tcp",
    "net/tcp6",
    "net/unix",
];

/// No open file larger than this is copied whole; its beginning is.
const LARGEST_FILE: u64 = 512 << 20;

/// Files of a tree beyond this many are listed, not copied.
const MOST_FILES: usize = 2000;

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    tree::checked(tree::root(&step.target)?, looking.keep_off).map(|_| Undo::default())
}

/// What was kept of one process.
#[derive(Default, Serialize)]
struct Kept {
    pid: u32,
    started: u64,
    name: Text,
    program: Text,
    /// Open descriptors with what they lead to.
    descriptors: Vec<(String, Text)>,
    /// Namespaces and other links of /proc/PID.
    links: Vec<(String, Text)>,
    texts: Vec<(String, Text)>,
    /// What could not be kept, and why.
    missing: Vec<String>,
}

fn apply(acting: &mut Acting<'_>, step: &Step, _: &Undo) -> Result<Done, Trouble> {
    let root = tree::root(&step.target).map_err(|refusal| Trouble::new(refusal.why))?;
    let members = tree::now(root, &[])?;
    let (mut bytes, mut missing, mut files) = (0, Vec::new(), 0);
    for line in &members {
        let mut kept =
            Kept { pid: line.pid, started: line.started, name: line.name.clone(), ..Kept::default() };
        bytes += one(acting, line, &mut kept, &mut files)?;
        // The id must have been this process's to the end.
        if process(line.pid).is_none_or(|now| now.started != line.started || now.is_gone()) {
            kept.missing.push("it ended while it was kept".to_owned());
        }
        missing.extend(kept.missing.iter().map(|why| format!("pid {}: {why}", line.pid)));
        let record = serde_json::to_vec_pretty(&kept).unwrap_or_default();
        let place = format!("/proc/{}", line.pid).into();
        let what = format!("all that /proc tells of process {}", line.pid);
        bytes += acting.looking.vault.keep(&what, &place, Some(line.pid), &mut record.as_slice())?.size;
    }
    let mut says = format!("{} kept of {}", size(bytes), tree::words(root, members.len()));
    if let Some(first) = missing.first() {
        says.push_str(&format!("; not kept: {first}"));
        if missing.len() > 1 {
            says.push_str(&format!(", and {} more", missing.len() - 1));
        }
    }
    Ok(Done::new(says).leaving(serde_json::json!({ "bytes": bytes, "missing": missing })))
}

fn one(
    acting: &mut Acting<'_>,
    line: &ProcessLine,
    kept: &mut Kept,
    files: &mut usize,
) -> Result<u64, Trouble> {
    let tree = acting.looking.host.tree();
    let at = |file: &str| format!("/proc/{}/{file}", line.pid).into_bytes();
    for name in
        ["exe", "cwd", "root", "ns/mnt", "ns/pid", "ns/net", "ns/user", "ns/uts", "ns/ipc", "ns/cgroup"]
    {
        kept.links.extend(tree.link(&at(name)).ok().map(|target| (name.to_owned(), target.into())));
    }
    kept.program =
        kept.links.iter().find(|(name, _)| name == "exe").map(|(_, to)| to.clone()).unwrap_or_default();
    for name in TEXTS {
        match tree.read(&at(name), 16 << 20) {
            Ok(content) => kept.texts.push((name.to_owned(), content.bytes.into())),
            Err(error) if error.is_missing() => {}
            Err(error) => kept.missing.push(format!("{name}: {}", error.why())),
        }
    }
    // The program first: it is small, and what is asked for most.
    let mut bytes = file(acting, line, "exe", "program", kept)?;
    bytes += memory(acting, line, kept)?;
    for entry in tree.list(&at("fd")).unwrap_or_default() {
        let number = entry.name.to_string();
        let Ok(target) = tree.link(&at(&format!("fd/{number}"))) else { continue };
        let inform = tree.read(&at(&format!("fdinfo/{number}")), 1 << 16).map(|content| content.bytes.into());
        kept.texts.extend(inform.ok().map(|text| (format!("fdinfo/{number}"), text)));
        // A regular file, memory files among them; sockets and pipes have no slash before their name.
        if target.starts_with(b"/") && *files < MOST_FILES {
            *files += 1;
            bytes += file(acting, line, &format!("fd/{number}"), "open file", kept)?;
        }
        kept.descriptors.push((number, target.into()));
    }
    for region in regions(line.pid).unwrap_or_default() {
        let name = region.name.as_bytes();
        if name.ends_with(b" (deleted)") && region.offset == 0 && *files < MOST_FILES {
            *files += 1;
            let link = format!("map_files/{:x}-{:x}", region.start, region.end);
            bytes += file(acting, line, &link, "deleted file in its memory", kept)?;
        }
    }
    Ok(bytes)
}

fn memory(acting: &mut Acting<'_>, line: &ProcessLine, kept: &mut Kept) -> Result<u64, Trouble> {
    let opened = Memory::of(line.pid).and_then(|memory| Ok((memory, regions(line.pid)?)));
    let (memory, regions) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            kept.missing.push(format!("memory: {}", error.why()));
            return Ok(0);
        }
    };
    let mut image = Image::new(memory, &regions);
    let place = format!("/proc/{}/mem", line.pid).into();
    let what = format!("memory of process {} (ELF core)", line.pid);
    let piece = acting.looking.vault.keep(&what, &place, Some(line.pid), &mut image)?;
    if image.unread > 0 {
        kept.missing.push(format!("{} of its memory could not be read", size(image.unread)));
    }
    Ok(piece.size)
}

/// Keeps what a link of /proc/PID leads to, if that is a regular file.
fn file(
    acting: &mut Acting<'_>,
    line: &ProcessLine,
    link: &str,
    what: &str,
    kept: &mut Kept,
) -> Result<u64, Trouble> {
    let path = format!("/proc/{}/{link}", line.pid).into_bytes();
    let opened = match acting.looking.host.tree().open(&path, Follow::Links) {
        Ok(opened) => opened,
        Err(error) => {
            let device = error.cause == calma_host::Cause::NotAFile;
            if !device && !error.is_missing() {
                kept.missing.push(format!("{link}: {}", error.why()));
            }
            return Ok(0);
        }
    };
    if opened.meta().size > LARGEST_FILE {
        kept.missing.push(format!("{link}: only the first {} of it", size(LARGEST_FILE)));
    }
    let place: Text = acting.looking.host.tree().link(&path).unwrap_or(path).into();
    let what = format!("{what} of process {}", line.pid);
    let piece = acting.looking.vault.keep(&what, &place, Some(line.pid), &mut opened.take(LARGEST_FILE))?;
    Ok(piece.size)
}

/// "84 MB".
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
