//! PHP as tokens: comments and HTML left out, strings kept as ranges.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name: function, keyword, constant.
    Name,
    /// A variable; the range is its name without `$`.
    Variable,
    /// A string without variables in it; the range is its inside.
    Single,
    /// A double-quoted string or heredoc; the range is its inside.
    Double,
    /// A command in backticks; the range is its inside.
    Backtick,
    /// A number.
    Number,
    /// Any other single byte.
    Mark(u8),
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
}

impl Token {
    /// Its bytes.
    pub(super) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Where it begins.
    pub(super) fn at(&self) -> usize {
        self.start as usize
    }

    pub(super) fn is(&self, mark: u8) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// No file is read further than this many tokens (12 bytes each).
const MOST: usize = 400_000;

/// The tokens of all PHP parts of `text`.
pub(super) fn tokens(text: &[u8]) -> Vec<Token> {
    let mut scanner = Scanner { text, at: 0, tokens: Vec::new() };
    while scanner.skip_html() {
        scanner.php();
        if scanner.tokens.len() >= MOST {
            break;
        }
    }
    scanner.tokens
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
}

impl Scanner<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) {
            self.tokens.push(Token { kind, start, end });
        }
    }

    /// Goes to the next opening tag; false if there is none.
    fn skip_html(&mut self) -> bool {
        while let Some(found) = self.rest().iter().position(|b| *b == b'<') {
            self.at += found;
            let next = self.text.get(self.at + 1..).unwrap_or_default();
            let opens = |tag: &[u8]| next.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
            let tag = if opens(b"?php") && !self.peek(5).is_ascii_alphanumeric() {
                5
            } else if opens(b"?=") {
                3
            } else if opens(b"?") && matches!(self.peek(2), b' ' | b'\t' | b'\n' | b'\r') {
                2
            } else if opens(b"script language=php")
                || opens(b"script language=\"php\"")
                || opens(b"script language='php'")
            {
                next.iter().position(|b| *b == b'>').map_or(1, |at| at + 2)
            } else {
                0
            };
            if tag > 0 {
                self.at += tag;
                return true;
            }
            self.at += 1;
        }
        false
    }

    fn php(&mut self) {
        while self.at < self.text.len() && self.tokens.len() < MOST {
            let start = self.at;
            match self.peek(0) {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'?' if self.peek(1) == b'>' => {
                    self.push(Kind::Mark(b';'), start, start + 1);
                    self.at += 2;
                    return;
                }
                b'#' if self.peek(1) != b'[' => self.line_comment(),
                b'/' if self.peek(1) == b'/' => self.line_comment(),
                b'/' if self.peek(1) == b'*' => {
                    let end = super::find(self.text.get(start + 2..).unwrap_or_default(), b"*/");
                    self.at = end.map_or(self.text.len(), |end| start + 2 + end + 2);
                }
                quote @ (b'\'' | b'"' | b'`') => self.quoted(quote),
                b'<' if self.rest().starts_with(b"<<<") && self.heredoc() => {}
                b'$' if is_name(self.peek(1)) => {
                    let end = self.name_end(start + 1);
                    self.push(Kind::Variable, start + 1, end);
                    self.at = end;
                }
                b'\\' => self.at += 1,
                byte if byte.is_ascii_digit() => {
                    let length =
                        self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
                    self.push(Kind::Number, start, start + length);
                    self.at += length;
                }
                byte if is_name(byte) => {
                    let end = self.name_end(start);
                    self.push(Kind::Name, start, end);
                    self.at = end;
                }
                byte => {
                    self.push(Kind::Mark(byte), start, start + 1);
                    self.at += 1;
                }
            }
        }
    }

    /// A comment ends with the line or with the closing tag.
    fn line_comment(&mut self) {
        while self.at < self.text.len() && self.peek(0) != b'\n' && !self.rest().starts_with(b"?>") {
            self.at += 1;
        }
    }

    fn quoted(&mut self, quote: u8) {
        let start = self.at + 1;
        let mut end = start;
        while let Some(byte) = self.text.get(end).filter(|byte| **byte != quote) {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.text.len());
        let kind = match quote {
            b'\'' => Kind::Single,
            b'"' => Kind::Double,
            _ => Kind::Backtick,
        };
        self.push(kind, start, end);
        self.at = (end + 1).min(self.text.len());
    }

    /// `<<<WORD`, `<<<"WORD"` or `<<<'WORD'` up to a line that begins with the word.
    fn heredoc(&mut self) -> bool {
        let behind = self.text.get(self.at + 3..).unwrap_or_default();
        let line = behind.split(|b| *b == b'\n').next().unwrap_or_default();
        let word = line.trim_ascii();
        let (kind, word) = match word.first() {
            Some(b'\'') => {
                (Kind::Single, word.trim_ascii_end().get(1..word.len().saturating_sub(1)).unwrap_or_default())
            }
            Some(b'"') => (Kind::Double, word.get(1..word.len().saturating_sub(1)).unwrap_or_default()),
            _ => (Kind::Double, word),
        };
        if word.is_empty() || !word.iter().all(|b| is_name(*b)) {
            return false;
        }
        let start = (self.at + 3 + line.len() + 1).min(self.text.len());
        let mut end = start;
        for line in self.text.get(start..).unwrap_or_default().split(|b| *b == b'\n') {
            let head = line.trim_ascii_start();
            if head.starts_with(word) && !head.get(word.len()).is_some_and(|b| is_name(*b)) {
                self.push(kind, start, end);
                self.at = (end + (line.len() - head.len()) + word.len()).min(self.text.len());
                return true;
            }
            end = (end + line.len() + 1).min(self.text.len());
        }
        self.push(kind, start, self.text.len());
        self.at = self.text.len();
        true
    }

    fn name_end(&self, from: usize) -> usize {
        let length = self.text.get(from..).unwrap_or_default().iter().take_while(|b| is_name(**b)).count();
        from + length
    }
}

/// Bytes of a PHP name; those above 127 count too.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
