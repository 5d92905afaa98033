//! Takes a line out of a text file, or puts another in its place; everything else of the file stays byte for byte.

use crate::action::{Action, Card, Done, Looking, Trouble, Verdict};
use crate::{Acting, edit};
use calma_record::Text;
use calma_record::step::{Refusal, Step, Target, Undo, Undoable, Way};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "edit-line",
        doc: "Takes a line out of a file: a cron line, an authorized key, a line of a profile, of ld.so.preload or sudoers.",
        csf: "RS.MI-02",
        undoable: Undoable::Reversible,
        back: "undo: put the line back",
        against: "Whoever wrote the line may write it again; the end of the plan looks whether it is back.",
    },
    ready: None,
    prepare,
    apply,
    verify: |looking: &mut Looking<'_>, _: &Step, undo: &Undo, way: Way| -> Verdict {
        edit::verify(looking, undo, way)
    },
    revert: |acting: &mut Acting<'_>, _: &Step, undo: &Undo| -> Result<Done, Trouble> {
        edit::revert(acting, undo)
    },
};

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Line { path, line, instead, seen } = &step.target else {
        return Err(Refusal::new("this is not about a line"));
    };
    edit::prepare(looking, path, seen.as_ref(), |bytes| {
        without(bytes, line, instead.as_ref())
            .ok_or_else(|| Refusal::new("the line is not in the file any more"))
    })
}

fn apply(acting: &mut Acting<'_>, step: &Step, undo: &Undo) -> Result<Done, Trouble> {
    let replaced = matches!(&step.target, Target::Line { instead: Some(_), .. });
    edit::apply(
        acting,
        undo,
        if replaced { "the line was changed" } else { "the line was taken out" }.to_owned(),
    )
}

/// `bytes` with every line that is `line` taken out or replaced; `None` if there is none. Line ends stay as they are.
pub(crate) fn without(bytes: &[u8], line: &Text, instead: Option<&Text>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut found = false;
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        let body = piece.strip_suffix(b"\n").unwrap_or(piece);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        if body != line.as_bytes() {
            out.extend_from_slice(piece);
            continue;
        }
        found = true;
        if let Some(instead) = instead {
            out.extend_from_slice(instead.as_bytes());
            out.extend_from_slice(piece.get(body.len()..).unwrap_or_default());
        }
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, line: &str, instead: Option<&str>) -> Option<String> {
        let instead = instead.map(Text::from);
        without(text.as_bytes(), &line.into(), instead.as_ref())
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_the_line_goes() {
        assert_eq!(edited("# a\n* * * * * root x\n\nb", "* * * * * root x", None).unwrap(), "# a\n\nb");
        assert_eq!(edited("a\r\nb\r\n", "a", None).unwrap(), "b\r\n");
        assert_eq!(edited("a\r\nb", "b", Some("c")).unwrap(), "a\r\nc");
        assert_eq!(edited("x\nx\ny\n", "x", None).unwrap(), "y\n");
        assert_eq!(edited("xx\n x\n", "x", None), None);
        assert_eq!(edited("x", "x", None).unwrap(), "");
    }
}
