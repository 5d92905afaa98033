//! polkit's rules as far as they say who is given what: tokens of JavaScript, conditions around each `return`.

use super::{Grant, identity};
use crate::init_jobs::Command;
use calma_record::Text;

/// No more tokens than this are taken from one file.
const MOST: usize = 50_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a [u8]),
    /// A string without its quotes, or a regular expression with its slashes.
    Quoted(Vec<u8>),
    Sign(u8),
}

impl Token<'_> {
    fn is(&self, word: &[u8]) -> bool {
        matches!(self, Token::Word(known) if *known == word)
    }

    fn sign(&self, sign: u8) -> bool {
        *self == Token::Sign(sign)
    }
}

fn tokens(text: &[u8]) -> Vec<(u32, Token<'_>)> {
    let (mut all, mut at, mut line) = (Vec::new(), 0, 1_u32);
    while let Some(byte) = text.get(at).copied() {
        if all.len() >= MOST {
            break;
        }
        let rest = text.get(at..).unwrap_or_default();
        if byte == b'\n' {
            line = line.saturating_add(1);
            at += 1;
        } else if rest.starts_with(b"//") {
            at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        } else if rest.starts_with(b"/*") {
            let end = rest.windows(2).skip(2).position(|w| w == b"*/").map_or(rest.len(), |end| end + 4);
            let lines = rest.get(..end).unwrap_or_default().iter().filter(|b| **b == b'\n').count();
            line = line.saturating_add(u32::try_from(lines).unwrap_or(0));
            at += end;
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') {
            let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$')));
            let end = end.unwrap_or(rest.len());
            all.push((line, Token::Word(rest.get(..end).unwrap_or_default())));
            at += end;
        } else if matches!(byte, b'"' | b'\'' | b'`') || (byte == b'/' && begins_pattern(&all)) {
            let (inside, length) = quoted(rest, byte);
            all.push((line, Token::Quoted(inside)));
            at += length;
        } else {
            if !byte.is_ascii_whitespace() {
                all.push((line, Token::Sign(byte)));
            }
            at += 1;
        }
    }
    all
}

/// Whether a slash begins a regular expression here rather than dividing.
fn begins_pattern(before: &[(u32, Token<'_>)]) -> bool {
    match before.last() {
        None => true,
        Some((_, Token::Sign(sign))) => b"(,=:!&|?{};[".contains(sign),
        Some((_, Token::Word(word))) => *word == b"return",
        Some((_, Token::Quoted(_))) => false,
    }
}

fn quoted(rest: &[u8], quote: u8) -> (Vec<u8>, usize) {
    let mut inside = if quote == b'/' { vec![b'/'] } else { Vec::new() };
    let mut at = 1;
    while let Some(byte) = rest.get(at).copied() {
        at += 1;
        match byte {
            b'\\' if quote != b'/' => {
                inside.extend(rest.get(at));
                at += 1;
            }
            b'\n' if quote != b'`' => return (inside, at - 1),
            _ if byte == quote => break,
            _ => inside.push(byte),
        }
    }
    if quote == b'/' {
        inside.push(b'/');
    }
    (inside, at)
}

/// What a block of the text hangs on.
#[derive(Clone, Debug, Default)]
struct Block {
    /// Ranges of tokens that must hold.
    conditions: Vec<(usize, usize)>,
    /// Conditions under which the function was left before.
    left: Vec<(usize, usize)>,
    braces: bool,
}

/// The tokens from `at` up to the bracket that closes the one there; the position behind it.
fn enclosed(all: &[(u32, Token<'_>)], at: usize) -> (usize, usize) {
    let mut depth = 0_usize;
    for (index, (_, token)) in all.iter().enumerate().skip(at) {
        if token.sign(b'(') || token.sign(b'[') {
            depth += 1;
        } else if token.sign(b')') || token.sign(b']') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return (at + 1, index);
            }
        }
    }
    (at + 1, all.len())
}

/// The rights that a text gives.
pub(super) fn grants(text: &[u8]) -> Vec<Grant> {
    let all = tokens(text);
    let token = |at: usize| all.get(at).map(|(_, token)| token);
    let (mut grants, mut stack, mut at) = (Vec::new(), Vec::<Block>::new(), 0);
    while let Some((line, here)) = all.get(at) {
        if (here.is(b"if") || here.is(b"switch")) && token(at + 1).is_some_and(|t| t.sign(b'(')) {
            let range = enclosed(&all, at + 1);
            let braces = token(range.1 + 1).is_some_and(|t| t.sign(b'{'));
            stack.push(Block { conditions: vec![range], left: Vec::new(), braces });
            at = range.1 + 1 + usize::from(braces);
            if stack.len() > 256 {
                break;
            }
            continue;
        }
        if here.is(b"case") {
            if let Some(block) = stack.last_mut() {
                block.conditions.push((at, at + 2));
            }
            at += 2;
            continue;
        }
        if here.is(b"else") && !token(at + 1).is_some_and(|t| t.is(b"if")) {
            let braces = token(at + 1).is_some_and(|t| t.sign(b'{'));
            stack.push(Block { braces, ..Block::default() });
            at += 1 + usize::from(braces);
            continue;
        }
        if here.sign(b'{') {
            stack.push(Block { braces: true, ..Block::default() });
        } else if here.sign(b'}') {
            while stack.pop().is_some_and(|block| !block.braces) {}
            singles(&mut stack);
        } else if here.sign(b';') {
            singles(&mut stack);
        } else if here.is(b"return") {
            let end = statement_end(&all, at + 1);
            let range = (at + 1, end);
            returned(&all, range, *line, &mut stack, &mut grants);
            at = end;
            continue;
        }
        at += 1;
    }
    grants
}

/// Statements without braces end with their semicolon.
fn singles(stack: &mut Vec<Block>) {
    while stack.last().is_some_and(|block| !block.braces) {
        stack.pop();
    }
}

fn statement_end(all: &[(u32, Token<'_>)], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, (_, token)) in all.iter().enumerate().skip(at) {
        match token {
            Token::Sign(b'(' | b'[' | b'{') => depth += 1,
            Token::Sign(b')' | b']' | b'}') if depth > 0 => depth -= 1,
            Token::Sign(b';' | b'}') if depth == 0 => return index,
            _ => {}
        }
    }
    all.len()
}

fn returned(
    all: &[(u32, Token<'_>)],
    range: (usize, usize),
    line: u32,
    stack: &mut [Block],
    grants: &mut Vec<Grant>,
) {
    let slice = |(from, to): (usize, usize)| all.get(from..to).unwrap_or_default();
    let value = slice(range);
    let administrators: Vec<Text> = value
        .iter()
        .filter_map(|(_, token)| match token {
            Token::Quoted(text) if text.starts_with(b"unix-") => Some(identity(text)),
            _ => None,
        })
        .collect();
    if !administrators.is_empty() {
        grants.push(Grant { line, whom: administrators, administrator: true, ..Grant::default() });
        return;
    }
    let yes = value.iter().any(|(_, t)| t.is(b"YES") || matches!(t, Token::Quoted(text) if text == b"yes"));
    if !yes {
        // Whoever fits these conditions left here: what follows is for the others.
        let mut conditions = stack.iter().rev();
        let inner =
            conditions.find(|block| !block.conditions.is_empty()).map(|block| block.conditions.clone());
        let at = stack.iter().rposition(|block| !block.conditions.is_empty());
        if let (Some(inner), Some(above)) = (inner, at.and_then(|at| at.checked_sub(1)))
            && let Some(block) = stack.get_mut(above)
            && block.left.len() < 256
        {
            block.left.extend(inner);
        }
        return;
    }
    let mut found = Said::default();
    for block in stack.iter() {
        block.conditions.iter().for_each(|range| found.read(slice(*range), false));
        block.left.iter().for_each(|range| found.read(slice(*range), true));
    }
    found.read(value, false);
    if found.whom.is_empty() {
        found.whom.push(if found.computed { "?".into() } else { "*".into() });
    }
    grants.push(Grant {
        line,
        whom: found.whom,
        actions: found.actions,
        seat: found.seat,
        administrator: false,
    });
}

/// What conditions say of whom and what.
#[derive(Default)]
struct Said {
    whom: Vec<Text>,
    actions: Vec<Text>,
    seat: bool,
    computed: bool,
}

impl Said {
    fn read(&mut self, tokens: &[(u32, Token<'_>)], turned: bool) {
        for (index, (_, token)) in tokens.iter().enumerate() {
            let behind = tokens.get(index + 1..).unwrap_or_default();
            let before = tokens.get(..index).unwrap_or_default();
            let strings = || {
                behind.iter().take(6).find_map(|(_, t)| match t {
                    Token::Quoted(text) => Some(text.as_slice()),
                    _ => None,
                })
            };
            if token.is(b"isInGroup") || token.is(b"isInNetGroup") {
                // `!subject.isInGroup(…)`: the sign stands before the word before the point.
                let not = before.iter().rev().nth(2).is_some_and(|(_, t)| t.sign(b'!'));
                match strings() {
                    Some(name) if not == turned => self.whom.push([b"group:", name].concat().into()),
                    Some(_) => {}
                    None => self.computed = true,
                }
            } else if token.is(b"user") && before.last().is_some_and(|(_, t)| t.sign(b'.')) {
                let not = behind.first().is_some_and(|(_, t)| t.sign(b'!'));
                let equal = behind.first().is_some_and(|(_, t)| t.sign(b'='));
                match strings().filter(|_| not || equal) {
                    Some(name) if not == turned => self.whom.push([b"user:", name].concat().into()),
                    Some(_) => {}
                    None => self.computed = true,
                }
            } else if token.is(b"groups") {
                self.computed = true;
            } else if token.is(b"local") || token.is(b"active") || token.is(b"seat") {
                self.seat |= !turned;
            } else if let Token::Quoted(text) = token
                && (text.contains(&b'.') || text.starts_with(b"/"))
                && (!turned || tokens.iter().any(|(_, t)| t.sign(b'!')))
                && self.actions.len() < 64
            {
                self.actions.push(text.as_slice().into());
            }
        }
    }
}

/// The programs that a text runs.
pub(super) fn spawned(text: &[u8]) -> Vec<Command> {
    let all = tokens(text);
    let mut commands = Vec::new();
    for (index, (line, token)) in all.iter().enumerate() {
        if !token.is(b"spawn") || !all.get(index + 1).is_some_and(|(_, t)| t.sign(b'(')) {
            continue;
        }
        let (from, to) = enclosed(&all, index + 1);
        let words: Vec<Vec<u8>> = all
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .filter_map(|(_, token)| match token {
                Token::Quoted(text) => Some([b"'", text.as_slice(), b"'"].concat()),
                _ => None,
            })
            .collect();
        if !words.is_empty() && commands.len() < 256 {
            commands.push(Command { line: *line, command: words.join(&b' ').into() });
        }
    }
    commands
}
