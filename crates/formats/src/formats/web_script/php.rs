//! PHP: which input of the request reaches what runs programs.

mod flow;
mod sinks;

use super::php_fold::{self, Constants};
use super::php_tokens::{Kind, Token, tokens};
use super::{Found, Signal, find, line_at};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Value {
    /// The request's input is in it.
    input: bool,
    /// It names one of the request's variables itself.
    direct: bool,
    /// A parameter of the function around it is in it.
    parameter: bool,
    /// It was decoded.
    decoded: bool,
    /// The client's name of an uploaded file is in it.
    upload: bool,
    /// A file that the request named was opened.
    handle: bool,
}

impl Value {
    fn or(self, other: Self) -> Self {
        Self {
            input: self.input | other.input,
            direct: self.direct | other.direct,
            parameter: self.parameter | other.parameter,
            decoded: self.decoded | other.decoded,
            upload: self.upload | other.upload,
            handle: self.handle | other.handle,
        }
    }
}

/// The variables of one function, or of the file.
#[derive(Debug, Default)]
struct Scope<'a> {
    function: &'a [u8],
    end: usize,
    values: BTreeMap<&'a [u8], Value>,
    constants: Constants<'a>,
}

/// A file while it is read.
struct Reader<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
    /// For each bracket, its partner.
    pairs: Vec<u32>,
    scopes: Vec<Scope<'a>>,
    properties: BTreeMap<&'a [u8], Value>,
    /// Functions of this file; whether what they return holds the request's input.
    functions: BTreeMap<Vec<u8>, Value>,
    /// Functions of this file that run a parameter of theirs.
    running: BTreeMap<Vec<u8>, Signal>,
    /// Calls of functions of this file with input, and with a parameter of the function around.
    calls: Vec<(Vec<u8>, usize)>,
    handed_on: BTreeSet<(Vec<u8>, Vec<u8>)>,
    found: BTreeMap<Signal, usize>,
    evaluates: bool,
    commands: bool,
    connects: bool,
}

/// What the file does.
pub(super) fn signals(text: &[u8]) -> Found {
    if find(text, b"<?").is_none() && find(text, b"<script").is_none() {
        return Found::new();
    }
    let tokens = tokens(text);
    if tokens.is_empty() {
        return Found::new();
    }
    let mut reader = Reader {
        text,
        tokens: &tokens,
        pairs: pairs(&tokens),
        scopes: Vec::new(),
        properties: BTreeMap::new(),
        functions: BTreeMap::new(),
        running: BTreeMap::new(),
        calls: Vec::new(),
        handed_on: BTreeSet::new(),
        found: BTreeMap::new(),
        evaluates: false,
        commands: false,
        connects: false,
    };
    reader.note_functions();
    // Twice, so that a function or property that is used before it is written is known.
    for _ in 0..2 {
        reader.scopes = vec![Scope { end: usize::MAX, ..Scope::default() }];
        reader.pass();
    }
    reader.functions_that_run();
    reader.texts();
    let place = |at: &usize| tokens.get(*at).map_or(0, Token::at);
    reader.found.iter().map(|(signal, at)| (*signal, line_at(text, place(at)))).collect()
}

/// For each opening bracket the position of its closing one and the other way round; its own where it has none.
fn pairs(tokens: &[Token]) -> Vec<u32> {
    let mut pairs: Vec<u32> = (0..tokens.len()).map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
    let mut open: Vec<(u8, usize)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Mark(mark) = token.kind else { continue };
        let opener = match mark {
            b'(' | b'[' | b'{' => {
                open.push((mark, at));
                continue;
            }
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => continue,
        };
        if open.last().is_some_and(|(last, _)| *last == opener)
            && let Some((_, from)) = open.pop()
        {
            for (one, other) in [(at, from), (from, at)] {
                if let Some(pair) = pairs.get_mut(one) {
                    *pair = u32::try_from(other).unwrap_or(u32::MAX);
                }
            }
        }
    }
    pairs
}

impl<'a> Reader<'a> {
    fn bytes(&self, at: usize) -> &'a [u8] {
        self.tokens.get(at).map(|token| token.of(self.text)).unwrap_or_default()
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn is(&self, at: usize, mark: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(mark))
    }

    fn lower(&self, at: usize) -> Vec<u8> {
        self.bytes(at).to_ascii_lowercase()
    }

    /// The bracket that closes the one at `at`, or `at` itself.
    fn pair(&self, at: usize) -> usize {
        self.pairs.get(at).map_or(at, |pair| *pair as usize)
    }

    /// Behind the index brackets that begin at `at`: `[…][…]`.
    fn behind_index(&self, mut at: usize) -> usize {
        while self.is(at, b'[') && self.pair(at) > at {
            at = self.pair(at) + 1;
        }
        at
    }

    /// Whether the name at `at` is a method, a function's own name or a class.
    fn is_member(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return false };
        let arrow = self.is(before, b'>') && at >= 2 && self.is(at - 2, b'-');
        let colons = self.is(before, b':') && at >= 2 && self.is(at - 2, b':');
        let word = self.kind(before) == Some(Kind::Name)
            && matches!(self.lower(before).as_slice(), b"function" | b"new" | b"fn");
        arrow || colons || word
    }

    fn scope(&mut self) -> &mut Scope<'a> {
        if self.scopes.is_empty() {
            self.scopes.push(Scope { end: usize::MAX, ..Scope::default() });
        }
        let last = self.scopes.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "one was pushed above if there was none")]
        &mut self.scopes[last]
    }

    fn find(&mut self, signal: Signal, at: usize) {
        self.found.entry(signal).and_modify(|first| *first = at.min(*first)).or_insert(at);
    }

    /// The constant that the tokens from `from` to `to` are.
    fn fold(&self, from: usize, to: usize) -> Option<php_fold::Folded> {
        let constants = &self.scopes.last()?.constants;
        php_fold::fold(self.text, self.tokens.get(from..to)?, constants)
    }

    /// Names of the functions of this file.
    fn note_functions(&mut self) {
        for at in 0..self.tokens.len() {
            if self.kind(at) == Some(Kind::Name) && self.lower(at) == b"function" {
                let name = if self.is(at + 1, b'&') { at + 2 } else { at + 1 };
                if self.kind(name) == Some(Kind::Name) {
                    self.functions.insert(self.lower(name), Value::default());
                }
            }
        }
    }

    /// Calls with input of functions that run their parameter, also over another function.
    fn functions_that_run(&mut self) {
        for _ in 0..3 {
            for (caller, callee) in &self.handed_on {
                if let Some(signal) = self.running.get(callee).copied() {
                    self.running.entry(caller.clone()).or_insert(signal);
                }
            }
        }
        for (callee, at) in std::mem::take(&mut self.calls) {
            if let Some(signal) = self.running.get(&callee).copied() {
                self.find(signal, at);
            }
        }
    }

    /// What the texts of the file look like.
    fn texts(&mut self) {
        const LONG: usize = 1000;
        let (mut escaped, mut shell) = (0, false);
        for at in 0..self.tokens.len() {
            let Some(kind) = self.kind(at).filter(|kind| matches!(kind, Kind::Single | Kind::Double)) else {
                continue;
            };
            let text = self.bytes(at);
            if text.len() >= LONG && self.evaluates && is_encoded(text) {
                self.find(Signal::LongEncoded, at);
            }
            shell |= [&b"/bin/sh"[..], b"/bin/bash", b"sh -i", b"cmd.exe", b"bash -c"]
                .iter()
                .any(|s| find(text, s).is_some());
            if kind == Kind::Double && text.len() >= 9 && text.len() < 400 {
                let plain = php_fold::unescape(text);
                if plain.len() * 3 <= text.len() && plain.iter().all(u8::is_ascii_graphic) {
                    escaped += 1;
                    if escaped == 6 {
                        self.find(Signal::EscapedLetters, at);
                    }
                }
            }
        }
        if shell && self.connects && self.commands {
            self.find(Signal::ShellOnSocket, 0);
        }
        if self.tokens.iter().any(|token| token.kind == Kind::Variable || token.is(b'(')) {
            self.find(Signal::PhpCode, 0);
        }
    }
}

/// Whether a text is base64, hexadecimal or escape codes throughout, and no word list or picture of blanks.
fn is_encoded(text: &[u8]) -> bool {
    let mut seen = [0_u32; 256];
    for byte in text {
        if let Some(count) = seen.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let alphabet = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\\' | b'\n' | b'\r' | b'-' | b'_')
    };
    let inside: u64 =
        (0..=255_u8).zip(seen).filter(|(b, _)| alphabet(*b)).map(|(_, count)| u64::from(count)).sum();
    let distinct = seen.iter().filter(|count| **count > 0).count();
    let most = seen.iter().max().copied().unwrap_or(0);
    inside * 100 >= text.len() as u64 * 98 && distinct >= 14 && u64::from(most) * 4 < text.len() as u64
}
