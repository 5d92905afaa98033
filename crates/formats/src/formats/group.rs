//! Groups: group(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "group",
    doc: "The group database.",
    manual: "group(5)",
    samples: &[b"root:x:0:\nsudo:x:27:ann,bob\n+:::\n"],
    feed: |bytes| drop(parse(bytes)),
};

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Line number, from 1.
    pub line: u32,
    /// Name.
    pub name: Text,
    /// Group id.
    pub gid: u32,
    /// Accounts that are members besides those whose primary group it is.
    pub members: Vec<Text>,
}

/// The groups of a group file; lines without a number are left out.
pub fn parse(bytes: &[u8]) -> Vec<Group> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let mut fields = text.split(|b| *b == b':');
            let (name, _password, gid) = (fields.next()?, fields.next()?, fields.next()?);
            let members = fields.next().unwrap_or_default();
            let members =
                members.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
            let gid = super::passwd::id(gid)?;
            Some(Group { line, name: name.into(), gid, members: members.map(Text::from).collect() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_listed() {
        let groups = parse(b"root:x:0:\nsudo:x:27:ann,bob,\n+:::\n");
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].members, [Text::from("ann"), "bob".into()]);
    }
}
