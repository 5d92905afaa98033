//! A shell command line or script as simple commands: enough of POSIX sh and bash (sh(1), bash(1)) to see what runs what.
//!
//! Nothing is evaluated. Variables that the same text sets to plain values are put in, everything else stays as written.

use std::collections::BTreeMap;

/// A text is read up to this many bytes.
const LONGEST: usize = 64 << 10;
/// No more simple commands than this are taken from one text.
const MOST: usize = 4096;
/// No word grows longer than this.
const WORD: usize = 16 << 10;

/// One word, without its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The word; a command substitution stands in it as `$()`.
    pub(super) text: Vec<u8>,
    /// The texts of command and process substitutions in it.
    pub(super) inside: Vec<Vec<u8>>,
    /// Whether any part of it was quoted.
    pub(super) quoted: bool,
}

/// A redirection: its operator without the descriptor's number, and its target; a here-document's target is its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) operator: Vec<u8>,
    pub(super) target: Word,
}

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// Assignments, the name and the arguments.
    pub(super) words: Vec<Word>,
    /// Where its input and output go.
    pub(super) redirects: Vec<Redirect>,
    /// Whether its input is the output of the one before.
    pub(super) piped: bool,
    /// Whether it runs in the background.
    pub(super) background: bool,
}

/// The simple commands of a text in the order in which they are written.
pub(super) fn parse(text: &[u8]) -> Vec<Simple> {
    let text = text.get(..text.len().min(LONGEST)).unwrap_or_default();
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        word: None,
        simple: Simple::default(),
        operator: None,
        bodies: Vec::new(),
        variables: BTreeMap::new(),
        commands: Vec::new(),
    };
    reader.run();
    reader.commands
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    word: Option<Word>,
    simple: Simple,
    operator: Option<Vec<u8>>,
    /// Delimiters of here-documents that begin at the next line, with the redirect's place in the last command.
    bodies: Vec<(Vec<u8>, usize, usize)>,
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
    commands: Vec<Simple>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, byte: u8) {
        let word = self.word.get_or_insert_default();
        if word.text.len() < WORD {
            word.text.push(byte);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.word.get_or_insert_default();
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    fn run(&mut self) {
        while self.at < self.text.len() && self.commands.len() < MOST {
            let byte = self.peek(0);
            self.at += 1;
            match byte {
                b'\\' => {
                    if self.peek(0) == b'\n' {
                        self.at += 1;
                    } else if self.at < self.text.len() {
                        let next = self.peek(0);
                        self.push(next);
                        self.at += 1;
                    }
                }
                b'\'' => self.single(),
                b'"' => self.double(),
                b'$' => self.dollar(),
                b'`' => self.backtick(),
                b'#' if self.word.is_none() => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                }
                b' ' | b'\t' | b'\r' => self.end_word(),
                b'\n' => {
                    self.end_simple(false, false);
                    self.here_documents();
                }
                b';' => self.end_simple(false, false),
                b'&' if matches!(self.peek(0), b'>') => {
                    self.end_word();
                    self.at += 1;
                    self.operator = Some(b"&>".to_vec());
                }
                b'&' => {
                    let both = self.peek(0) == b'&';
                    self.at += usize::from(both);
                    self.end_simple(false, !both);
                }
                b'|' => {
                    let or = self.peek(0) == b'|';
                    self.at += usize::from(or || self.peek(0) == b'&');
                    self.end_simple(!or, false);
                }
                b'(' => {
                    self.depth += 1;
                    self.end_simple(false, false);
                }
                b')' => {
                    if self.depth == 0 {
                        // The pattern of a case: no command.
                        (self.word, self.operator) = (None, None);
                        self.simple = Simple::default();
                    } else {
                        self.depth -= 1;
                        self.end_simple(false, false);
                    }
                }
                b'<' | b'>' => self.redirection(byte),
                _ => self.push(byte),
            }
        }
        self.end_simple(false, false);
    }

    fn redirection(&mut self, byte: u8) {
        if self.peek(0) == b'(' {
            // Process substitution.
            self.at += 1;
            let inside = self.enclosed(b'(', b')');
            let word = self.word.get_or_insert_default();
            word.text.extend_from_slice(b"<()");
            word.inside.push(inside);
            return;
        }
        // A number before it is a descriptor, not a word.
        let digits = self.word.as_ref().is_some_and(|w| !w.quoted && w.text.iter().all(u8::is_ascii_digit));
        let mut operator = vec![byte];
        if digits {
            let number = self.word.take().unwrap_or_default().text;
            operator = [number, operator].concat();
        } else {
            self.end_word();
        }
        while matches!(self.peek(0), b'<' | b'>' | b'&' | b'|') {
            operator.push(self.peek(0));
            self.at += 1;
        }
        if self.peek(0) == b'-' && operator.ends_with(b"<<") {
            self.at += 1;
        }
        self.operator = Some(operator);
    }

    fn single(&mut self) {
        self.word.get_or_insert_default().quoted = true;
        while self.at < self.text.len() {
            let byte = self.peek(0);
            self.at += 1;
            if byte == b'\'' {
                return;
            }
            self.push(byte);
        }
    }

    fn double(&mut self) {
        self.word.get_or_insert_default().quoted = true;
        while self.at < self.text.len() {
            let byte = self.peek(0);
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' if matches!(self.peek(0), b'"' | b'\\' | b'$' | b'`') => {
                    let next = self.peek(0);
                    self.push(next);
                    self.at += 1;
                }
                b'$' => self.dollar(),
                b'`' => self.backtick(),
                _ => self.push(byte),
            }
        }
    }

    fn backtick(&mut self) {
        let mut inside = Vec::new();
        while self.at < self.text.len() && self.peek(0) != b'`' {
            if self.peek(0) == b'\\' {
                self.at += 1;
            }
            inside.push(self.peek(0));
            self.at += 1;
        }
        self.at += 1;
        self.extend(b"$()");
        self.word.get_or_insert_default().inside.push(inside);
    }

    fn dollar(&mut self) {
        match self.peek(0) {
            b'(' => {
                self.at += 1;
                let inside = self.enclosed(b'(', b')');
                self.extend(b"$()");
                self.word.get_or_insert_default().inside.push(inside);
            }
            b'\'' => {
                self.at += 1;
                self.ansi();
            }
            b'{' => {
                self.at += 1;
                let inside = self.enclosed(b'{', b'}');
                let name: Vec<u8> = inside.iter().copied().take_while(|b| name_byte(*b)).collect();
                let rest = inside.get(name.len()..).unwrap_or_default();
                match self.variables.get(&name).cloned() {
                    Some(value) if rest.is_empty() || rest.starts_with(b":-") => self.extend(&value),
                    None if rest.starts_with(b":-/") => self.extend(rest.get(2..).unwrap_or_default()),
                    _ => self.extend(&[&b"${"[..], &inside, b"}"].concat()),
                }
            }
            byte if name_byte(byte) => {
                let start = self.at;
                while name_byte(self.peek(0)) {
                    self.at += 1;
                }
                let name = self.text.get(start..self.at).unwrap_or_default();
                match self.variables.get(name).cloned() {
                    Some(value) => self.extend(&value),
                    None => self.extend(&[b"$", name].concat()),
                }
            }
            _ => self.push(b'$'),
        }
    }

    /// `$'…'`: quoting with the escapes of C.
    fn ansi(&mut self) {
        self.word.get_or_insert_default().quoted = true;
        while self.at < self.text.len() {
            let byte = self.peek(0);
            self.at += 1;
            match byte {
                b'\'' => return,
                b'\\' => {
                    let escape = self.peek(0);
                    self.at += 1;
                    match escape {
                        b'x' => self.number(16, 2),
                        b'0'..=b'7' => {
                            self.at -= 1;
                            self.number(8, 3);
                        }
                        b'n' => self.push(b'\n'),
                        b't' => self.push(b'\t'),
                        other => self.push(other),
                    }
                }
                _ => self.push(byte),
            }
        }
    }

    fn number(&mut self, base: u32, digits: usize) {
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(digit) = char::from(self.peek(0)).to_digit(base) else { break };
            value = value * base + digit;
            self.at += 1;
        }
        self.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
    }

    /// The text up to the closing `end`, which is passed; nested pairs and quotes are kept whole.
    fn enclosed(&mut self, begin: u8, end: u8) -> Vec<u8> {
        let start = self.at;
        let (mut depth, mut quote) = (1_usize, 0_u8);
        while self.at < self.text.len() {
            let byte = self.peek(0);
            self.at += 1;
            match byte {
                b'\\' if quote != b'\'' => self.at += 1,
                b'\'' | b'"' if quote == 0 => quote = byte,
                _ if byte == quote => quote = 0,
                _ if quote == b'\'' => {}
                _ if byte == begin => depth += 1,
                _ if byte == end => {
                    depth -= 1;
                    if depth == 0 {
                        return self.text.get(start..self.at - 1).unwrap_or_default().to_vec();
                    }
                }
                _ => {}
            }
        }
        self.text.get(start..).unwrap_or_default().to_vec()
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if let Some(operator) = self.operator.take() {
            if operator.ends_with(b"<<") {
                self.bodies.push((word.text.clone(), self.commands.len(), self.simple.redirects.len()));
            }
            self.simple.redirects.push(Redirect { operator, target: word });
        } else if let Some(list) = braces(&word) {
            self.simple.words.extend(list);
        } else {
            self.simple.words.push(word);
        }
    }

    fn end_simple(&mut self, pipe: bool, background: bool) {
        self.end_word();
        self.operator = None;
        let next = Simple { piped: pipe, ..Simple::default() };
        let mut simple = std::mem::replace(&mut self.simple, next);
        if simple.words.is_empty() && simple.redirects.is_empty() {
            // `… | (sh)` and `… |` at a line's end: what follows still reads the pipe.
            self.simple.piped |= simple.piped;
            if background && let Some(last) = self.commands.last_mut() {
                last.background = true;
            }
            return;
        }
        simple.background = background;
        self.remember(&simple);
        self.commands.push(simple);
    }

    /// Keeps plain assignments for the words that follow.
    fn remember(&mut self, simple: &Simple) {
        let declares: [&[u8]; 6] = [b"export", b"local", b"readonly", b"declare", b"typeset", b"set"];
        let assignments = simple.words.iter().filter(|word| !declares.contains(&word.text.as_slice()));
        for word in assignments {
            let Some((name, value)) = assignment(&word.text) else { break };
            if word.inside.is_empty() && value.len() <= 4096 && self.variables.len() < 1024 {
                self.variables.insert(name.to_vec(), value.to_vec());
            }
        }
    }

    fn here_documents(&mut self) {
        for (delimiter, command, redirect) in std::mem::take(&mut self.bodies) {
            let mut body = Vec::new();
            while self.at < self.text.len() {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
                self.at += line.len() + 1;
                if line.trim_ascii_start() == delimiter {
                    break;
                }
                body.extend_from_slice(line);
                body.push(b'\n');
            }
            if let Some(found) = self.commands.get_mut(command).and_then(|c| c.redirects.get_mut(redirect)) {
                found.target.text = body;
            }
        }
    }
}

/// A word that is one brace list, `{a,b}`, as bash writes it out.
fn braces(word: &Word) -> Option<Vec<Word>> {
    let list = word.text.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let whole = !word.quoted && word.inside.is_empty() && list.contains(&b',') && !list.contains(&b'{');
    whole.then(|| {
        list.split(|b| *b == b',').map(|text| Word { text: text.to_vec(), ..Word::default() }).collect()
    })
}

/// `NAME=value` taken apart.
pub(super) fn assignment(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = word.iter().position(|b| *b == b'=')?;
    let name = word.get(..at)?;
    let begins = name.first().is_some_and(|b| !b.is_ascii_digit());
    (begins && name.iter().all(|b| name_byte(*b))).then(|| (name, word.get(at + 1..).unwrap_or_default()))
}

fn name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let join = |simple: &Simple| {
            let words: Vec<_> =
                simple.words.iter().map(|w| String::from_utf8_lossy(&w.text).into_owned()).collect();
            let redirects: String = simple
                .redirects
                .iter()
                .map(|r| {
                    let operator = String::from_utf8_lossy(&r.operator);
                    format!(" {operator}{}", String::from_utf8_lossy(&r.target.text))
                })
                .collect();
            format!(
                "{}{}{}{}",
                if simple.piped { "|" } else { "" },
                words.join(" "),
                redirects,
                if simple.background { " &" } else { "" }
            )
        };
        parse(text.as_bytes()).iter().map(join).collect()
    }

    #[test]
    fn commands_are_taken_apart() {
        for (text, commands) in [
            ("a 'b c' \"d $(e)\"; f|g &", &["a b c d $()", "f", "|g &"][..]),
            (
                "D=/tmp/.x; $D/run ${D}y >/dev/null 2>&1",
                &["D=/tmp/.x", "/tmp/.x/run /tmp/.xy >/dev/null 2>&1"],
            ),
            ("case $1 in /tmp/*) echo x;; esac", &["echo x", "esac"]),
            ("cat <<E >f\n/tmp/x\nE\nls", &["cat <</tmp/x\n >f", "ls"]),
            ("$'\\x2ftmp'/a # b", &["/tmp/a"]),
            ("a && b || c\\\n d", &["a", "b", "c d"]),
            ("bash <(curl x)", &["bash <()"]),
            ("a |\n (sh)", &["a", "|sh"]),
        ] {
            assert_eq!(shown(text), commands, "{text}");
        }
    }

    #[test]
    fn any_bytes_end() {
        let alphabet = b"a'\"$(){}`\\|&;<>\n =#";
        let mut seed = 3_u32;
        for length in 0..3000 {
            let text: Vec<u8> = (0..length % 60)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    alphabet[(seed >> 24) as usize % alphabet.len()]
                })
                .collect();
            drop(parse(&text));
        }
        drop(parse(&b"$(".repeat(40_000)));
        drop(parse(&b"\"`".repeat(40_000)));
    }
}
