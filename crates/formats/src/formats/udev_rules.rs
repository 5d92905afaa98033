//! Rules of udev, as far as they run programs: udev(7).

use crate::Format;
use calma_record::Text;
use std::collections::BTreeMap;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "udev_rules",
    doc: "Programs that rules of udev run.",
    manual: "udev(7)",
    samples: &[
        b"# c\nACTION==\"add\", KERNEL==\"sd*\", \\\n  RUN+=\"/usr/bin/x --dev $devnode\"\n",
        b"ENV{A}=\"/opt/a\", PROGRAM!=\"y 'b c' %k\", RUN{program}+=\"$env{A} -q\"\n",
        b"IMPORT{program}=e\"\\x2fopt\\057z \\\"q\\\"\" RUN{builtin}+=\"kmod load\", LABEL=\"end\"\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// More programs than this are not taken from one file.
const MOST: usize = 10_000;
/// A command is not made longer than this by what is put into it.
const LONGEST: usize = 16 << 10;

/// One program that a rule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// First line of the rule, from 1.
    pub line: u32,
    /// Whether it is a variable for the programs that follow rather than a command: `export NAME=value`.
    pub variable: bool,
    /// The command, with escapes resolved and what the same file says of variables put in.
    pub command: Text,
}

/// The programs of a rules file: RUN, RUN{program}, PROGRAM, IMPORT{program}, and variables that load or name programs.
pub fn parse(bytes: &[u8]) -> Vec<Program> {
    let (mut programs, mut variables) = (Vec::new(), BTreeMap::new());
    for (line, rule) in rules(bytes) {
        for (key, value) in assignments(&rule) {
            if programs.len() >= MOST {
                return programs;
            }
            match key {
                b"RUN" | b"RUN{program}" | b"PROGRAM" | b"IMPORT{program}" => {
                    let command = expanded(&value, &variables).into();
                    programs.push(Program { line, variable: false, command });
                }
                _ => {
                    let name = key.strip_prefix(b"ENV{").and_then(|rest| rest.strip_suffix(b"}"));
                    let Some(name) = name else { continue };
                    if name == b"REMOVE_CMD" {
                        // systemd's own rules run it when a device goes.
                        programs.push(Program { line, variable: false, command: value.as_slice().into() });
                    } else if is_loading(name) {
                        let command = [b"export ", name, b"=", &value].concat().into();
                        programs.push(Program { line, variable: true, command });
                    }
                    if variables.len() < MOST && value.len() < 4096 {
                        variables.insert(name.to_vec(), value);
                    }
                }
            }
        }
    }
    programs
}

/// Variables of the programs a rule runs that make them load or run other files.
fn is_loading(name: &[u8]) -> bool {
    name.starts_with(b"LD_")
        || [&b"PATH"[..], b"BASH_ENV", b"ENV", b"PYTHONPATH", b"PYTHONSTARTUP", b"PERL5LIB", b"PERL5OPT"]
            .contains(&name)
}

/// Rules with their first line: lines joined where they end in a backslash, comments left out.
fn rules(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut rules: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in crate::lines::numbered(bytes) {
        let line = line.trim_ascii_start();
        if line.starts_with(b"#") {
            continue;
        }
        let (text, more) = line.strip_suffix(b"\\").map_or((line, false), |text| (text, true));
        match rules.last_mut().filter(|_| goes_on) {
            Some((_, rule)) => rule.extend_from_slice(text),
            None if line.is_empty() => {}
            None => rules.push((number, text.to_vec())),
        }
        goes_on = more;
    }
    rules
}

/// The keys of a rule that set or compare something, with their values.
fn assignments(rule: &[u8]) -> Vec<(&[u8], Vec<u8>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let operator = |b: &u8| matches!(b, b'=' | b'!' | b'+' | b'-' | b':');
    while let Some(rest) = rule.get(at..).filter(|rest| !rest.is_empty()) {
        let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b',').count();
        let rest = rest.get(blanks..).unwrap_or_default();
        let (mut width, mut braces) = (0, false);
        for byte in rest {
            match byte {
                b'{' => braces = true,
                b'}' => braces = false,
                _ if !braces && (operator(byte) || byte.is_ascii_whitespace() || *byte == b'"') => break,
                _ => {}
            }
            width += 1;
        }
        let key = rest.get(..width).unwrap_or_default();
        let after = rest.get(width..).unwrap_or_default();
        let gap = after.iter().take_while(|b| b.is_ascii_whitespace() || operator(b)).count();
        let after = after.get(gap..).unwrap_or_default();
        let (escapes, quoted) = match after {
            [b'e', b'"', quoted @ ..] => (true, quoted),
            [b'"', quoted @ ..] => (false, quoted),
            _ => {
                // No value: what cannot be read is passed over, a byte at least.
                at += blanks + (width + gap).max(1);
                continue;
            }
        };
        let (value, length) = value(quoted, escapes);
        found.push((key, value));
        at = rule.len() - quoted.len() + length;
    }
    found
}

/// A value up to its closing quote, and how many bytes it took with that quote.
fn value(quoted: &[u8], escapes: bool) -> (Vec<u8>, usize) {
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(byte) = quoted.get(at) {
        at += 1;
        match (byte, quoted.get(at)) {
            (b'"', _) => break,
            (b'\\', Some(b'"')) => {
                value.push(b'"');
                at += 1;
            }
            (b'\\', Some(next)) if escapes => {
                let (byte, width) = escape(*next, quoted.get(at + 1..).unwrap_or_default());
                value.push(byte);
                at += width;
            }
            _ => value.push(*byte),
        }
    }
    (value, at)
}

/// An escape of C: its byte, and its width without the backslash.
fn escape(letter: u8, rest: &[u8]) -> (u8, usize) {
    let number = |digits: &[u8], radix| {
        std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, radix).ok())
    };
    match letter {
        b'n' => (b'\n', 1),
        b't' => (b'\t', 1),
        b'r' => (b'\r', 1),
        b'x' => rest.get(..2).and_then(|digits| number(digits, 16)).map_or((b'x', 1), |byte| (byte, 3)),
        b'0'..=b'3' => {
            let digits = [&[letter], rest.get(..2).unwrap_or_default()].concat();
            number(&digits, 8).map_or((letter, 1), |byte| (byte, 3))
        }
        _ => (letter, 1),
    }
}

/// What udev puts into a command, as far as the file itself tells: variables, `$root`, `$sys`, `$$`, `%%`.
fn expanded(value: &[u8], variables: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let (mut text, mut at) = (Vec::new(), 0);
    while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty() && text.len() < LONGEST) {
        let plain: [(&[u8], &[u8]); 6] = [
            (b"$$", b"$"),
            (b"%%", b"%"),
            (b"$root", b"/dev"),
            (b"%r", b"/dev"),
            (b"$sys", b"/sys"),
            (b"%S", b"/sys"),
        ];
        if let Some((sign, meaning)) = plain.iter().find(|(sign, _)| rest.starts_with(sign)) {
            text.extend_from_slice(meaning);
            at += sign.len();
            continue;
        }
        let named = [&b"$env{"[..], b"%E{"].iter().find_map(|sign| {
            let inside = rest.strip_prefix(*sign)?;
            let end = inside.iter().take(256).position(|b| *b == b'}')?;
            Some((variables.get(inside.get(..end)?)?, sign.len() + end + 1))
        });
        if let Some((meaning, width)) = named {
            text.extend_from_slice(meaning);
            at += width;
        } else {
            text.extend(rest.first());
            at += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &[u8]) -> Vec<String> {
        parse(text).iter().map(|program| format!("{}:{}", program.line, program.command)).collect()
    }

    #[test]
    fn programs_are_found_in_every_spelling() {
        assert_eq!(commands(FORMAT.samples[0]), ["2:/usr/bin/x --dev $devnode"]);
        assert_eq!(commands(FORMAT.samples[1]), ["1:y 'b c' %k", "1:/opt/a -q"]);
        assert_eq!(commands(FORMAT.samples[2]), ["1:/opt/z \"q\""]);
        assert_eq!(
            commands(b"RUN = \"a,b\"RUN:=\"c\" , RUN-=\"d $$x %% $root/shm/e\""),
            ["1:a,b", "1:c", "1:d $x % /dev/shm/e"]
        );
    }

    #[test]
    fn what_runs_nothing_gives_nothing() {
        assert!(commands(b"#RUN+=\"a\"\nKERNEL==\"RUN\", ATTR{x}=\"RUN+=y\", ENV{B}=\"/c\"\nRUN{builtin}+=\"kmod\"\nRUN+=\n").is_empty());
        assert_eq!(commands(b"ENV{LD_PRELOAD}=\"/a.so\"\n"), ["1:export LD_PRELOAD=/a.so"]);
    }
}
