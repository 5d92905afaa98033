//! Calls that run, include, load or write what they are given.

use super::super::php_tokens::Kind;
use super::super::php_words::{self as words, Use};
use super::{Reader, Signal, Value};
use std::ops::Range;

impl<'a> Reader<'a> {
    /// A call `name(…)`.
    pub(super) fn call(&mut self, at: usize, name: &[u8]) {
        let (open, close) = (at + 1, self.pair(at + 1));
        if close <= open {
            return;
        }
        if self.functions.contains_key(name) && !self.follows_function(at) {
            self.own_call(at, name, open, close);
            return;
        }
        let reflection = name == b"reflectionfunction";
        if self.is_member(at) && !reflection {
            return;
        }
        self.connects |= words::connects(name);
        let arguments = self.arguments(open, close);
        if let Some(how) = words::runs(name) {
            self.run_by(how, name, &arguments, at);
        }
        if let Some(place) = words::callback_argument(name) {
            self.callback(place, &arguments, at);
        }
        match name {
            b"preg_match" => self.checked(&arguments),
            b"preg_replace" | b"preg_filter" | b"mb_ereg_replace" => self.replaced(name, &arguments, at),
            b"file_put_contents" | b"fwrite" | b"fputs" => self.written(name, &arguments, at),
            b"move_uploaded_file" | b"copy" => {
                let to = arguments.get(1).map(|range| self.value(range.start, range.end)).unwrap_or_default();
                let uploaded = arguments.first().is_some_and(|range| {
                    range.clone().any(|at| self.bytes(at) == b"_FILES" || self.bytes(at) == b"tmp_name")
                });
                if (to.upload || to.input) && (uploaded || name == b"move_uploaded_file") {
                    self.find(Signal::UploadByName, at);
                }
            }
            b"md5" | b"sha1" | b"hash" | b"crypt" => self.digest_password(open, close, at),
            _ => {}
        }
        self.built_arguments(name, &arguments, at);
    }

    /// `function name(` is a definition, not a call.
    fn follows_function(&self, at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| {
            let before = if self.is(before, b'&') { before.saturating_sub(1) } else { before };
            self.kind(before) == Some(Kind::Name) && self.lower(before) == b"function"
        })
    }

    fn own_call(&mut self, at: usize, name: &[u8], open: usize, close: usize) {
        let value = self.value(open + 1, close);
        if value.input && self.calls.len() < 50_000 {
            self.calls.push((name.to_vec(), at));
        }
        let caller = self.scope().function.to_ascii_lowercase();
        if value.parameter && !caller.is_empty() && self.handed_on.len() < 50_000 {
            self.handed_on.insert((caller, name.to_vec()));
        }
    }

    /// The arguments between two parentheses.
    fn arguments(&self, open: usize, close: usize) -> Vec<Range<usize>> {
        let (mut arguments, mut from, mut at) = (Vec::new(), open + 1, open + 1);
        while at < close && arguments.len() < 20 {
            match self.kind(at) {
                Some(Kind::Mark(b',')) => {
                    arguments.push(from..at);
                    from = at + 1;
                    at += 1;
                }
                Some(Kind::Mark(b'(' | b'[' | b'{')) => at = self.pair(at) + 1,
                _ => at += 1,
            }
        }
        if from < close {
            arguments.push(from..close);
        }
        arguments
    }

    fn argument(&self, arguments: &[Range<usize>], index: usize) -> Value {
        arguments.get(index).map(|range| self.value(range.start, range.end)).unwrap_or_default()
    }

    /// What follows from running `value`.
    fn runs(&mut self, how: Use, value: Value, at: usize) {
        let signal = match how {
            Use::Code => Signal::InputEvaluated,
            Use::Command => Signal::InputExecuted,
        };
        if value.input {
            self.find(signal, at);
        }
        if value.parameter {
            let function = self.scope().function.to_ascii_lowercase();
            if !function.is_empty() {
                self.running.insert(function, signal);
            }
        }
        if value.decoded && how == Use::Code {
            self.find(Signal::DecodedEvaluated, at);
        }
    }

    fn run_by(&mut self, how: Use, name: &[u8], arguments: &[Range<usize>], at: usize) {
        let value = match how {
            Use::Code => arguments
                .iter()
                .fold(Value::default(), |sum, range| sum.or(self.value(range.start, range.end))),
            Use::Command => self.argument(arguments, 0),
        };
        // assert($x instanceof Y) states something; assert($x) runs a text in PHP before 8.
        let states = name == b"assert"
            && arguments.first().is_some_and(|range| {
                range.clone().any(|at| {
                    matches!(self.kind(at), Some(Kind::Mark(b'=' | b'<' | b'!' | b'&' | b'|' | b'>' | b'?')))
                }) || range
                    .clone()
                    .any(|at| matches!(self.lower(at).as_slice(), b"instanceof" | b"and" | b"or"))
            });
        if !states {
            self.evaluates |= how == Use::Code && name != b"assert";
            self.commands |= how == Use::Command;
            self.runs(how, value, at);
        }
    }

    /// A function that is called by the name in one of the arguments.
    fn callback(&mut self, place: usize, arguments: &[Range<usize>], at: usize) {
        let Some(callee) = arguments.get(place).cloned() else { return };
        let rest = arguments.iter().enumerate().filter(|(index, _)| *index != place);
        let data = rest.fold(Value::default(), |sum, (_, range)| sum.or(self.value(range.start, range.end)));
        let names = self.value(callee.start, callee.end);
        // A closure or an array of object and method is no name the request gives.
        let is_name = callee.clone().all(|at| {
            !matches!(self.lower(at).as_slice(), b"function" | b"fn" | b"array") && !self.is(at, b'[')
        }) || names.direct;
        if names.input && is_name && (data.input || names.direct) {
            self.find(Signal::InputNamesFunction, at);
        }
        if let Some(folded) = self.fold(callee.start, callee.end)
            && let Some(how) = words::runs(&folded.text.to_ascii_lowercase())
        {
            self.runs(how, data, at);
        }
    }

    /// `$f(…)` and `$f[…](…)`.
    pub(super) fn variable_call(&mut self, at: usize) {
        let open = self.behind_index(at + 1);
        if !self.is(open, b'(') || self.is_member(at) || self.pair(open) == open {
            return;
        }
        let data = self.value(open + 1, self.pair(open));
        let callee = self.value(at, at + 1);
        self.evaluates |= callee.decoded;
        if callee.direct || (callee.input && data.input) {
            self.find(Signal::InputNamesFunction, at);
        }
        if callee.decoded && data.input {
            self.find(Signal::HiddenFunction, at);
        }
        let name = self.scopes.last().and_then(|scope| scope.constants.get(self.bytes(at))).cloned();
        if let Some(how) = name.and_then(|name| words::runs(&name.to_ascii_lowercase())) {
            self.evaluates |= how == Use::Code;
            self.commands |= how == Use::Command;
            self.runs(how, data, at);
        }
    }

    /// `"name"(…)` and `("na" . "me")(…)`: the name's tokens, then the opening parenthesis.
    pub(super) fn text_call(&mut self, from: usize, to: usize, open: usize) {
        let to = to.max(from + 1);
        let callee = self.value(from, to);
        let data = self.value(open + 1, self.pair(open));
        if callee.direct && data.input {
            self.find(Signal::InputNamesFunction, from);
        }
        let Some(folded) = self.fold(from, to) else { return };
        if let Some(how) = words::runs(&folded.text.to_ascii_lowercase()) {
            self.find(Signal::HiddenFunction, from);
            self.runs(how, data, from);
        }
    }

    pub(super) fn backtick(&mut self, at: usize) {
        let value = self.inside_text(self.bytes(at));
        self.commands = true;
        self.runs(Use::Command, value, at);
    }

    /// Arguments that are telling names put together from pieces.
    fn built_arguments(&mut self, name: &[u8], arguments: &[Range<usize>], at: usize) {
        if matches!(name, b"base64_decode" | b"strrev" | b"str_rot13" | b"chr" | b"pack" | b"hex2bin") {
            return;
        }
        for range in arguments.iter().filter(|range| range.len() > 1 && range.len() < 60) {
            if let Some(folded) = self.fold(range.start, range.end)
                && folded.built
            {
                self.hidden(&folded.text, at);
            }
        }
    }

    pub(super) fn include(&mut self, at: usize) {
        let end = self.statement_end_or_paren(at + 1);
        let value = self.value(at + 1, end);
        let starts = |with: &[u8]| {
            (at + 1..end).any(|at| {
                matches!(self.kind(at), Some(Kind::Single | Kind::Double)) && self.lower(at).starts_with(with)
            })
        };
        let uploaded = (at + 1..end).any(|at| self.bytes(at) == b"_FILES");
        let (data, body) = (starts(b"data:") || starts(b"expect://"), starts(b"php://input"));
        let in_base64 = starts(b"data:text/plain;base64,");
        let long = (at + 1..end).any(|at| self.bytes(at).len() > 40);
        if (data && value.input) || uploaded || body {
            self.find(Signal::InputEvaluated, at);
        }
        if data && (value.decoded || (long && in_base64)) {
            self.find(Signal::DecodedEvaluated, at);
        }
        let joined = (at + 1..end).any(|at| self.is(at, b'.') || self.kind(at) == Some(Kind::Double));
        if value.direct && !joined {
            self.find(Signal::InputIncluded, at);
        }
    }

    fn statement_end_or_paren(&self, at: usize) -> usize {
        if self.is(at, b'(') { self.pair(at) } else { self.statement_end(at) }
    }

    /// Replacement whose result is run: the modifier `e` of PHP before 7.
    fn replaced(&mut self, name: &[u8], arguments: &[Range<usize>], at: usize) {
        let data = self.argument(arguments, 1).or(self.argument(arguments, 2));
        let text = |index: usize| {
            let range = arguments.get(index)?;
            // The pattern may be written as one text; its end tells the modifiers.
            self.fold(range.start, range.end).map(|folded| folded.text)
        };
        let runs = if name == b"mb_ereg_replace" {
            text(3).is_some_and(|options| options.contains(&b'e') && options.len() < 8)
        } else {
            text(0).is_some_and(|pattern| {
                let delimiter = pattern.first().copied().unwrap_or(0);
                let modifiers = pattern.rsplit(|b| *b == delimiter).next().unwrap_or_default();
                !delimiter.is_ascii_alphanumeric()
                    && modifiers.contains(&b'e')
                    && modifiers.len() < 8
                    && modifiers.iter().all(u8::is_ascii_alphabetic)
            })
        };
        if runs && data.input {
            self.find(Signal::InputEvaluated, at);
        }
    }

    /// `preg_match('/^[a-z]+$/', $x)`: what passes such a check is a word, and can not be a program.
    fn checked(&mut self, arguments: &[Range<usize>]) {
        let Some((pattern, variable)) = arguments.first().zip(arguments.get(1)) else { return };
        let only_words = self.fold(pattern.start, pattern.end).is_some_and(|folded| {
            let inside = folded.text.strip_prefix(b"/^").and_then(|rest| {
                let rest = rest.strip_suffix(b"i").unwrap_or(rest);
                rest.strip_suffix(b"$/").or_else(|| rest.strip_suffix(b"$/D"))
            });
            let word = |b: &u8| b.is_ascii_alphanumeric() || b"_-()[]+*{},".contains(b);
            inside.is_some_and(|inside| inside.iter().all(word))
        });
        if only_words && variable.len() == 1 && self.kind(variable.start) == Some(Kind::Variable) {
            let name = self.bytes(variable.start);
            self.scope().values.insert(name, Value::default());
        }
    }

    fn written(&mut self, name: &[u8], arguments: &[Range<usize>], at: usize) {
        let (to, what) = (self.argument(arguments, 0), self.argument(arguments, 1));
        let named = if name == b"file_put_contents" { to.input } else { to.handle };
        let script =
            arguments.first().and_then(|range| self.fold(range.start, range.end)).is_some_and(|folded| {
                let name = folded.text.to_ascii_lowercase();
                name.ends_with(b".php") || name.ends_with(b".phtml")
            });
        if what.input && (named || (script && what.direct)) {
            self.find(Signal::InputWritten, at);
        }
    }

    /// `md5($_POST['p']) == '5f4d…'`.
    fn digest_password(&mut self, open: usize, close: usize, at: usize) {
        let mut literal = close + 1;
        while self.is(literal, b'=') || self.is(literal, b'!') {
            literal += 1;
        }
        let before = at.checked_sub(3).filter(|_| self.is(at - 1, b'=') && self.is(at - 2, b'='));
        let before = before.map(|before| {
            if self.is(before, b'=') || self.is(before, b'!') { before.saturating_sub(1) } else { before }
        });
        let is_digest = |at: usize| {
            let text = self.bytes(at);
            matches!(self.kind(at), Some(Kind::Single | Kind::Double))
                && matches!(text.len(), 32 | 40 | 64 | 128)
                && text.iter().all(u8::is_ascii_hexdigit)
        };
        if self.value(open + 1, close).input
            && ((literal > close + 1 && is_digest(literal)) || before.is_some_and(is_digest))
        {
            self.find(Signal::DigestPassword, at);
        }
    }
}
