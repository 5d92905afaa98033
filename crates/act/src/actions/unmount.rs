//! Takes a mount away that hides what is below it, and can mount it again.

use crate::Acting;
use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, state, undo};
use calma_host::{Host, Mounting};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "unmount",
        doc: "Takes away a mount that hides a folder, a file or a process; what uses it keeps it until it ends.",
        csf: "RS.MI-02",
        undoable: Undoable::Compensable,
        back: "undo: mount again",
        against: "The same can be mounted again by whoever did it; a mount in another mount namespace is not met.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

#[derive(Clone, Serialize, Deserialize, PartialEq)]
struct State {
    /// Its number, which names it as long as it is there (proc_pid_mountinfo(5)); another mount may have it afterwards.
    id: u64,
    point: Text,
    source: Text,
    kind: Text,
    options: Text,
    data: Text,
}

impl State {
    /// Whether a mount that is there is this very one.
    fn is(&self, mount: &Self) -> bool {
        mount.id == self.id && mount.point == self.point
    }
}

/// The mounts of calma's namespace, in order.
fn mounts(host: &dyn Host) -> Vec<(State, Vec<u8>, Vec<u8>)> {
    let text =
        host.tree().read(b"/proc/self/mountinfo", 16 << 20).map(|content| content.bytes).unwrap_or_default();
    text.split(|b| *b == b'\n').filter_map(parse).collect()
}

/// One line: the mount, its device, and the folder of the file system that it shows.
fn parse(line: &[u8]) -> Option<(State, Vec<u8>, Vec<u8>)> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let plain = |at: usize| fields.get(at).map(|field| unescape(field));
    let state = State {
        id: std::str::from_utf8(fields.first()?).ok()?.parse().ok()?,
        point: plain(4)?.into(),
        options: plain(5)?.into(),
        kind: plain(dash + 1)?.into(),
        source: plain(dash + 2)?.into(),
        data: plain(dash + 3)?.into(),
    };
    Some((state, plain(2)?, plain(3)?))
}

/// The octal escapes of a mount point.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match behind {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Mount { point } = &step.target else { return Err(Refusal::new("this is not about a mount")) };
    looking.keep_off.allows_path(point)?;
    let essential = ["/", "/proc", "/sys", "/dev", "/run", "/usr", "/boot", "/home", "/var"];
    if essential.iter().any(|path| *point == *path) {
        return Err(Refusal::new("the system itself stands on this mount"));
    }
    let all = mounts(looking.host);
    let (mut state, device, shown) = all
        .iter()
        .rfind(|(mount, ..)| mount.point == *point)
        .cloned()
        .ok_or_else(|| Refusal::new("nothing is mounted there"))?;
    if all.iter().any(|(other, ..)| {
        other.id != state.id && other.point.as_bytes().starts_with(&[point.as_bytes(), b"/"].concat())
    }) {
        return Err(Refusal::new("other file systems are mounted below it").instead("take those away first"));
    }
    if shown != b"/" {
        // A folder or file that is bound here: it is bound again from where its file system shows it.
        let home = all.iter().find(|(_, its, root)| *its == device && root == b"/");
        let home = home.map(|(mount, ..)| mount.point.clone()).ok_or_else(|| {
            Refusal::new("what is bound there can not be reached otherwise, so it could not be mounted again")
        })?;
        state.source = calma_host::join(home.as_bytes(), shown.get(1..).unwrap_or_default()).into();
        state.kind = Text::default();
    }
    undo(&state)
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let top = mounts(acting.looking.host).into_iter().rfind(|(mount, ..)| mount.point == state.point);
    match top {
        Some((mount, ..)) if mount.id == state.id => acting.hands().unmount(state.point.as_bytes())?,
        Some(_) if mounts(acting.looking.host).iter().any(|(mount, ..)| state.is(mount)) => {
            return Err(Trouble::new("something else was mounted over it since; it is left alone"));
        }
        _ => {}
    }
    Ok(Done::new("taken away"))
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    let all = mounts(looking.host);
    let there = match way {
        Way::Do => all.iter().any(|(mount, ..)| state.is(mount)),
        Way::Undo => {
            all.iter().any(|(mount, ..)| mount.point == state.point && mount.options == state.options)
        }
    };
    match (way, there) {
        (Way::Do, true) => Verdict::Fails("it is still mounted".to_owned()),
        (Way::Undo, false) => Verdict::Fails("it is not mounted as it was".to_owned()),
        _ => Verdict::Holds,
    }
}

/// Whether what is to be bound is what its point shows now.
fn shows(host: &dyn Host, state: &State) -> bool {
    let there = |path: &Text| host.tree().meta(path.as_bytes()).ok().map(|meta| (meta.device, meta.inode));
    there(&state.source).is_some_and(|source| there(&state.point) == Some(source))
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    // What is bound is not known by its number: a mount that a run which was cut has half made may have got the same one.
    let alike = |mount: &State| {
        (!state.kind.is_empty() && state.is(mount))
            || (mount.point == state.point && mount.options == state.options && mount.data == state.data)
    };
    let all = mounts(acting.looking.host);
    if all.iter().any(|(mount, ..)| alike(mount)) {
        return Ok(Done::new("it is mounted"));
    }
    let top = all.iter().rfind(|(mount, ..)| mount.point == state.point);
    if state.kind.is_empty() && top.is_some() && shows(acting.looking.host, &state) {
        // Bound already, and not yet with its options (mount(2) takes two calls for that).
        acting.hands().unmount(state.point.as_bytes())?;
    }
    let State { point, source, kind, options, data, .. } = state;
    if kind == "tmpfs" || kind == "ramfs" {
        // Its content went with it; the mount itself comes back empty.
        acting.hands().mount(&Mounting { point, source, kind, options, data })?;
        return Ok(Done::new("mounted again, empty: what it held was in memory and went with it"));
    }
    acting.hands().mount(&Mounting { point, source, kind, options, data })?;
    Ok(Done::new("mounted again"))
}
