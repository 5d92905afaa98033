//! Who may act as whom: doas.conf(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "doas",
    doc: "Who may run what as whom, for doas.",
    manual: "doas.conf(5)",
    samples: &[b"permit persist keepenv :wheel\npermit nopass setenv { A=b LD_PRELOAD } ann as root cmd /bin/x args -a\ndeny bob\n"],
    feed: |bytes| drop(parse(bytes)),
};

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Line number, from 1.
    pub line: u32,
    /// Whether it permits.
    pub permit: bool,
    /// `nopass`, `persist`, `keepenv`, and names set by `setenv`.
    pub options: Vec<Text>,
    /// Name, or group after a colon.
    pub who: Text,
    /// As whom; empty means root.
    pub target: Text,
    /// The command with its arguments; empty means any.
    pub command: Text,
}

/// The rules of a file.
pub fn parse(bytes: &[u8]) -> Vec<Rule> {
    lines::meaningful(bytes)
        .filter_map(|(line, text)| {
            let text = text.split(|b| *b == b'#').next().unwrap_or_default();
            let mut words = lines::words(text).peekable();
            let permit = match words.next()? {
                b"permit" => true,
                b"deny" => false,
                _ => return None,
            };
            let mut rule = Rule { line, permit, ..Rule::default() };
            while let Some(word) = words.next() {
                match word {
                    b"nopass" | b"persist" | b"keepenv" | b"nolog" => rule.options.push(word.into()),
                    b"setenv" => {
                        let inside =
                            words.by_ref().take_while(|word| *word != b"}").filter(|word| *word != b"{");
                        rule.options.extend(inside.map(Text::from));
                    }
                    who => {
                        rule.who = who.into();
                        break;
                    }
                }
            }
            while let Some(word) = words.next() {
                match word {
                    b"as" => rule.target = words.next()?.into(),
                    b"cmd" => {
                        let words: Vec<&[u8]> = words.by_ref().filter(|word| *word != b"args").collect();
                        rule.command = words.join(&b' ').into();
                    }
                    _ => {}
                }
            }
            (!rule.who.is_empty()).then_some(rule)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_understood() {
        let all = parse(FORMAT.samples[0]);
        assert_eq!((&all[0].who, all[0].options.len()), (&":wheel".into(), 2));
        assert_eq!((&all[1].who, &all[1].command), (&"ann".into(), &"/bin/x -a".into()));
        assert!(!all[2].permit);
    }
}
