//! How input flows through the statements of a file.

use super::super::php_tokens::{Kind, is_name};
use super::super::php_words as words;
use super::{Reader, Scope, Signal, Value};
use std::collections::BTreeMap;

/// No expression is followed further than this many tokens.
const LONGEST: usize = 600;

impl<'a> Reader<'a> {
    /// Goes over all tokens once.
    pub(super) fn pass(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            while self.scopes.len() > 1 && self.scopes.last().is_some_and(|scope| scope.end <= at) {
                self.scopes.pop();
            }
            match self.kind(at) {
                Some(Kind::Name) => self.name(at),
                Some(Kind::Variable) => {
                    self.assignment(at);
                    self.variable_call(at);
                }
                Some(Kind::Backtick) => self.backtick(at),
                Some(Kind::Single | Kind::Double) if self.is(at + 1, b'(') => {
                    self.text_call(at, at + 1, at + 1)
                }
                Some(Kind::Mark(b')')) if self.is(at + 1, b'(') => {
                    let open = self.pair(at);
                    let before = open.checked_sub(1).and_then(|before| self.kind(before));
                    if open < at && !matches!(before, Some(Kind::Name | Kind::Variable)) {
                        self.text_call(open + 1, at, at + 1);
                    }
                }
                Some(Kind::Mark(b'$')) if self.is(at + 1, b'{') => self.variable_by_text(at + 1),
                _ => {}
            }
            at += 1;
        }
    }

    fn name(&mut self, at: usize) {
        let name = self.lower(at);
        match name.as_slice() {
            b"function" | b"fn" => self.function(at),
            b"foreach" => self.foreach(at),
            b"global" => self.global(at),
            b"return" => {
                let value = self.value(at + 1, self.statement_end(at + 1));
                let function = self.scope().function.to_ascii_lowercase();
                if let Some(returns) = self.functions.get_mut(&function) {
                    // Only input of the request itself: parameters are the caller's.
                    returns.input |= value.input;
                    returns.decoded |= value.decoded;
                }
            }
            b"include" | b"include_once" | b"require" | b"require_once" => self.include(at),
            b"extract" | b"parse_str" if self.is(at + 1, b'(') => {
                let value = self.value(at + 2, self.pair(at + 1));
                if value.direct {
                    // Any variable may now be the request's; those that are never assigned count.
                    self.scope().values.insert(b"*", Value { input: true, ..Value::default() });
                }
            }
            _ if self.is(at + 1, b'(') => self.call(at, &name),
            _ => {}
        }
    }

    /// A function's scope: its parameters, and what a closure takes along.
    fn function(&mut self, at: usize) {
        let mut open = at + 1;
        while !self.is(open, b'(') {
            if open > at + 3 || open >= self.tokens.len() {
                return;
            }
            open += 1;
        }
        let function =
            if self.kind(open - 1) == Some(Kind::Name) && open - 1 > at { self.bytes(open - 1) } else { b"" };
        let parameters = self.pair(open);
        let mut body = parameters;
        while body < self.tokens.len()
            && body < parameters + 40
            && !self.is(body, b'{')
            && !self.is(body, b';')
        {
            body += 1;
        }
        if !self.is(body, b'{') || self.pair(body) == body {
            return;
        }
        let parameter = Value { parameter: true, ..Value::default() };
        let variables = |range: std::ops::Range<usize>| {
            range
                .filter(|at| self.kind(*at) == Some(Kind::Variable))
                .map(|at| self.bytes(at))
                .collect::<Vec<_>>()
        };
        let mut values: BTreeMap<&[u8], Value> = BTreeMap::new();
        for name in variables(open..parameters) {
            values.insert(name, if function.is_empty() { Value::default() } else { parameter });
        }
        for name in variables(parameters..body) {
            values.insert(name, self.variable(name));
        }
        // A closure sees the constants around it, as far as they are few.
        let around = self.scopes.last().filter(|scope| function.is_empty() && scope.constants.len() < 100);
        let constants = around.map(|scope| scope.constants.clone()).unwrap_or_default();
        if self.scopes.len() < 50 {
            let end = self.pair(body);
            self.scopes.push(Scope { function, end, values, constants });
        }
    }

    fn foreach(&mut self, at: usize) {
        let (open, close) = (at + 1, self.pair(at + 1));
        let Some(word) = (open..close.min(open + LONGEST)).find(|at| self.lower(*at) == b"as") else {
            return;
        };
        let value = self.value(open + 1, word);
        for name in (word..close).filter(|at| self.kind(*at) == Some(Kind::Variable)).collect::<Vec<_>>() {
            let name = self.bytes(name);
            self.scope().values.insert(name, Value { direct: false, ..value });
        }
    }

    fn global(&mut self, at: usize) {
        for at in at + 1..self.statement_end(at + 1) {
            let name = self.bytes(at);
            let value = self.scopes.first().and_then(|file| file.values.get(name)).copied();
            if let Some(value) = value.filter(|_| self.kind(at) == Some(Kind::Variable)) {
                self.scope().values.insert(name, value);
            }
        }
    }

    /// `$x = …`, `$x .= …`, `$x[…] = …`, `$x->y = …`.
    fn assignment(&mut self, at: usize) {
        let name = self.bytes(at);
        let property =
            self.is(at + 1, b'-') && self.is(at + 2, b'>') && self.kind(at + 3) == Some(Kind::Name);
        let behind = self.behind_index(if property { at + 4 } else { at + 1 });
        let appended = self.is(behind, b'.');
        let equals = behind + usize::from(appended);
        let compares = self.is(equals + 1, b'=') || self.is(equals + 1, b'>');
        if !self.is(equals, b'=') || compares {
            return;
        }
        let (from, end) = (equals + 1, self.statement_end(equals + 1));
        let value = Value { direct: false, ..self.value(from, end) };
        if property {
            let known = self.properties.entry(self.bytes(at + 3)).or_default();
            *known = known.or(value);
            return;
        }
        let keeps = appended || self.is(at + 1, b'[');
        let folded = self.fold(from, end);
        let scope = self.scope();
        let known = scope.values.get(name).copied().unwrap_or_default();
        scope.values.insert(name, if keeps { known.or(value) } else { value });
        if scope.values.len() > 20_000 {
            scope.values.clear();
        }
        let Some(folded) = folded else {
            scope.constants.remove(name);
            return;
        };
        let mut text = folded.text;
        if appended {
            text = [scope.constants.get(name).map(Vec::as_slice).unwrap_or_default(), &text].concat();
        }
        let built = folded.built || appended;
        if text.len() < 512 && !self.is(at + 1, b'[') {
            self.scope().constants.insert(name, text.clone());
        }
        if built {
            self.hidden(&text, at);
        }
    }

    /// A text that was put together: is it one that was not to be found?
    pub(super) fn hidden(&mut self, text: &[u8], at: usize) {
        let lower = text.to_ascii_lowercase();
        if words::is_telling(&lower) {
            self.find(Signal::HiddenFunction, at);
        }
        if words::is_request(text.strip_prefix(b"$").unwrap_or(text)) {
            self.find(Signal::HiddenInput, at);
        }
    }

    /// `${…}`: a variable by its name as a text.
    fn variable_by_text(&mut self, open: usize) {
        if let Some(folded) = self.fold(open + 1, self.pair(open))
            && folded.built
        {
            self.hidden(&folded.text, open);
        }
    }

    /// Where the statement that begins at `from` ends.
    pub(super) fn statement_end(&self, from: usize) -> usize {
        let mut at = from;
        while at < self.tokens.len() && at < from + LONGEST {
            match self.kind(at) {
                Some(Kind::Mark(b';' | b'}' | b')' | b'{')) => return at,
                Some(Kind::Mark(b'(' | b'[')) => at = self.pair(at) + 1,
                _ => at += 1,
            }
        }
        at.min(self.tokens.len())
    }

    /// What is known of a variable.
    fn variable(&self, name: &[u8]) -> Value {
        let Some(scope) = self.scopes.last() else { return Value::default() };
        scope.values.get(name).or_else(|| scope.values.get(&b"*"[..])).copied().unwrap_or_default()
    }

    /// What is known of the expression from `from` to `to`.
    pub(super) fn value(&self, from: usize, to: usize) -> Value {
        let to = to.min(self.tokens.len()).min(from + LONGEST);
        let mut value = Value::default();
        let mut at = from;
        while at < to {
            let bytes = self.bytes(at);
            match self.kind(at) {
                Some(Kind::Variable) => {
                    value = value.or(self.variable_value(at));
                    at = self.behind_index(at + 1);
                    continue;
                }
                Some(Kind::Double | Kind::Backtick) => value = value.or(self.inside_text(bytes)),
                Some(Kind::Mark(b'$')) if self.is(at + 1, b'{') => {
                    let name =
                        self.fold(at + 2, self.pair(at + 1)).map(|folded| folded.text).unwrap_or_default();
                    value.input |= words::is_request(&name);
                    value.direct |= words::is_request(&name);
                }
                // A number is harmless, whatever it was before.
                Some(Kind::Mark(b'(')) if self.is(at + 2, b')') && is_number_cast(&self.lower(at + 1)) => {
                    at = self.behind_index(at + 4);
                    continue;
                }
                Some(Kind::Name) if self.is(at + 1, b'(') => {
                    let (name, close) = (self.lower(at), self.pair(at + 1));
                    value.decoded |= words::decodes(&name);
                    value.input |= words::gives_request(&name);
                    let own = self.functions.get(&name);
                    if let Some(own) = own {
                        value.input |= own.input;
                        value.decoded |= own.decoded;
                    }
                    if name == b"file_get_contents" && self.reads_request(at + 2, close) {
                        (value.input, value.direct) = (true, true);
                    }
                    let goes_through = own.is_some() || (words::passes_on(&name) && !self.is_member(at));
                    if name == b"fopen" {
                        value.handle |= self.value(at + 2, close).input;
                        at = close + 1;
                        continue;
                    }
                    if !goes_through && !words::is_control(&name) && close > at {
                        at = close + 1;
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        value
    }

    fn reads_request(&self, from: usize, to: usize) -> bool {
        self.fold(from, to).is_some_and(|folded| folded.text.eq_ignore_ascii_case(b"php://input"))
    }

    fn variable_value(&self, at: usize) -> Value {
        let name = self.bytes(at);
        if self.is(at + 1, b'-') && self.is(at + 2, b'>') {
            return self
                .properties
                .get(self.bytes(at + 3))
                .filter(|_| !self.is(at + 4, b'('))
                .copied()
                .unwrap_or_default();
        }
        let key = if self.is(at + 1, b'[') { self.bytes(at + 2) } else { b"" };
        let request = words::is_request(name)
            || (name == b"_SERVER" && words::is_request_key(key))
            || (name == b"GLOBALS" && words::is_request(key));
        if request {
            return Value { input: true, direct: true, ..Value::default() };
        }
        if name == b"_FILES" {
            let end = self.behind_index(at + 1);
            let upload = (at..end).any(|at| self.bytes(at) == b"name");
            return Value { upload, ..Value::default() };
        }
        self.variable(name)
    }

    /// Variables inside a double-quoted text.
    pub(super) fn inside_text(&self, text: &[u8]) -> Value {
        let mut value = Value::default();
        let mut pieces = text.split(|b| *b == b'$').take(LONGEST);
        let mut escaped = pieces.next().is_some_and(|before| before.ends_with(b"\\"));
        for piece in pieces {
            if std::mem::replace(&mut escaped, piece.ends_with(b"\\")) {
                continue;
            }
            let piece = piece.strip_prefix(b"{").unwrap_or(piece);
            let length = piece.iter().take_while(|b| is_name(**b)).count();
            let (name, rest) = piece.split_at_checked(length).unwrap_or_default();
            let request = words::is_request(name);
            let member = rest.starts_with(b"->");
            let key = rest
                .strip_prefix(b"[")
                .map(|rest| rest.strip_prefix(b"'").unwrap_or(rest))
                .unwrap_or_default();
            if request || (name == b"_SERVER" && words::is_request_key(key)) {
                value = value.or(Value { input: true, direct: true, ..Value::default() });
            } else if !member && !name.is_empty() {
                value = value.or(self.variable(name));
            }
        }
        value
    }
}

fn is_number_cast(name: &[u8]) -> bool {
    matches!(name, b"int" | b"integer" | b"float" | b"double" | b"bool" | b"boolean")
}
