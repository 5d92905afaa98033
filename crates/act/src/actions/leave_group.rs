//! Takes an account out of a group: sudo, docker, disk and whatever else gives it more than it should have.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict, state, undo};
use crate::{Acting, edit};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};
use serde::{Deserialize, Serialize};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "leave-group",
        doc: "Takes an account out of a group, in /etc/group and in its shadow.",
        csf: "RS.MI-01",
        undoable: Undoable::Reversible,
        back: "undo: put back into the group",
        against: "Sessions that are open keep the group until they end, and a program of that group can leave a door open \
                  for itself: end the sessions, and look again.",
    },
    ready: None,
    prepare,
    apply,
    verify,
    revert,
};

/// One change a file: /etc/group, and /etc/gshadow where it names the account too.
#[derive(Serialize, Deserialize)]
struct State {
    files: Vec<Undo>,
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Member { account, group } = &step.target else {
        return Err(Refusal::new("this is not about a member of a group"));
    };
    if *account == "root" {
        return Err(Refusal::new("root has all rights without any group"));
    }
    let not_member = || {
        Refusal::new("the account is no member of it in /etc/group")
            .instead("where it is the account's own group in /etc/passwd, or comes from a directory service, change it there")
    };
    let change = |bytes: &[u8]| without(bytes, account, group, 3).ok_or_else(not_member);
    let mut files = vec![edit::prepare(looking, &"/etc/group".into(), None, change)?];
    let shadow = looking.host.tree().read(b"/etc/gshadow", 16 << 20).map(|content| content.bytes);
    if shadow.is_ok_and(|bytes| without(&bytes, account, group, 2).is_some()) {
        let change = |bytes: &[u8]| without(bytes, account, group, 2).ok_or_else(not_member);
        files.push(edit::prepare(looking, &"/etc/gshadow".into(), None, change)?);
    }
    undo(&State { files })
}

/// The file without the account in the group's lists of names, which begin with field `first` (group(5), gshadow(5)); `None`
/// if it is in none.
fn without(bytes: &[u8], account: &Text, group: &Text, first: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut found = false;
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        let (line, end) = match piece.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (piece, &b""[..]),
        };
        let fields: Vec<&[u8]> = line.split(|b| *b == b':').collect();
        if fields.first() != Some(&group.as_bytes()) {
            out.extend_from_slice(piece);
            continue;
        }
        let parts: Vec<Vec<u8>> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                if at < first {
                    return field.to_vec();
                }
                let names: Vec<&[u8]> = field.split(|b| *b == b',').collect();
                let left: Vec<&[u8]> =
                    names.iter().copied().filter(|name| *name != account.as_bytes()).collect();
                found |= left.len() < names.len();
                left.join(&b',')
            })
            .collect();
        out.extend_from_slice(&parts.join(&b':'));
        out.extend_from_slice(end);
    }
    found.then_some(out)
}

fn apply(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let mut done = Done::default();
    for file in &state.files {
        done = edit::apply(
            acting,
            file,
            "taken out; sessions that are open keep the group until they end".to_owned(),
        )?;
    }
    Ok(done)
}

fn revert(acting: &mut Acting<'_>, _: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let state: State = state(undo)?;
    let mut done = Done::default();
    for file in state.files.iter().rev() {
        done = edit::revert(acting, file)?;
    }
    Ok(done)
}

fn verify(looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way) -> Verdict {
    let Ok(state) = state::<State>(undo) else {
        return Verdict::Fails("its entry can not be read".to_owned());
    };
    let verdicts = state.files.iter().map(|file| edit::verify(looking, file, way));
    verdicts.reduce(|one, other| if one == Verdict::Holds { other } else { one }).unwrap_or(Verdict::Holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, account: &str, group: &str) -> Option<String> {
        let first = if text.contains('!') { 2 } else { 3 };
        without(text.as_bytes(), &account.into(), &group.into(), first)
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_the_name_goes() {
        let text = "root:x:0:\nsudo:x:27:ann,eve,bob\ndisk:x:6:eve";
        assert_eq!(edited(text, "eve", "sudo").unwrap(), "root:x:0:\nsudo:x:27:ann,bob\ndisk:x:6:eve");
        assert_eq!(edited(text, "eve", "disk").unwrap(), "root:x:0:\nsudo:x:27:ann,eve,bob\ndisk:x:6:");
        assert_eq!(edited(text, "ev", "sudo"), None);
        assert_eq!(edited(text, "eve", "root"), None);
        assert_eq!(edited(text, "27", "sudo"), None, "an account may be called like a group's number");
        assert_eq!(edited("sudo:!:eve:ann,eve\n", "eve", "sudo").unwrap(), "sudo:!::ann\n");
    }
}
