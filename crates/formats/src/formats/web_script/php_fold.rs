//! Constant texts of PHP: what `"sy" . strrev("mets")` is, without running it.

use super::php_tokens::{Kind, Token};
use std::collections::BTreeMap;

/// Longer constants are of no interest: names of functions and variables are short.
const LONGEST: usize = 512;

/// Constant texts of variables.
pub(super) type Constants<'a> = BTreeMap<&'a [u8], Vec<u8>>;

/// A constant's text and whether it was put together rather than written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Folded {
    pub(super) text: Vec<u8>,
    pub(super) built: bool,
}

/// The constant that `tokens` are, if they are one.
pub(super) fn fold(text: &[u8], tokens: &[Token], constants: &Constants<'_>) -> Option<Folded> {
    if tokens.is_empty() || tokens.len() > 200 {
        return None;
    }
    let mut folder = Folder { text, tokens, at: 0, constants, depth: 0 };
    let folded = folder.sum()?;
    (folder.at == tokens.len()).then_some(folded)
}

/// Functions whose value is known where their argument is.
pub(super) fn is_text_function(name: &[u8]) -> bool {
    matches!(
        name,
        b"chr"
            | b"pack"
            | b"strrev"
            | b"str_rot13"
            | b"base64_decode"
            | b"hex2bin"
            | b"urldecode"
            | b"rawurldecode"
            | b"trim"
            | b"strtolower"
            | b"strtoupper"
    )
}

struct Folder<'a> {
    text: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    constants: &'a Constants<'a>,
    depth: u8,
}

impl Folder<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, mark: u8) -> bool {
        let there = self.peek().is_some_and(|token| token.is(mark));
        self.at += usize::from(there);
        there
    }

    /// Terms joined by `.` or combined by `^`.
    fn sum(&mut self) -> Option<Folded> {
        let mut sum = self.term()?;
        loop {
            if self.take(b'.') {
                let next = self.term()?;
                sum.text.extend(next.text);
                sum.built = true;
            } else if self.take(b'^') {
                let next = self.term()?;
                sum.text = sum.text.iter().zip(&next.text).map(|(a, b)| a ^ b).collect();
                sum.built = true;
            } else {
                return Some(sum);
            }
            if sum.text.len() > LONGEST {
                return None;
            }
        }
    }

    fn term(&mut self) -> Option<Folded> {
        let token = *self.peek()?;
        let bytes = token.of(self.text);
        self.at += 1;
        match token.kind {
            Kind::Single => plain(bytes.to_vec()),
            Kind::Double if !bytes.contains(&b'$') => {
                let text = unescape(bytes);
                let built = text != bytes && text.iter().all(u8::is_ascii_graphic);
                (text.len() <= LONGEST).then_some(Folded { text, built })
            }
            Kind::Variable => {
                let mut text = self.constants.get(bytes)?.clone();
                if self.take(b'[') {
                    let index: usize = std::str::from_utf8(self.peek()?.of(self.text)).ok()?.parse().ok()?;
                    self.at += 1;
                    text = vec![*text.get(index)?];
                    if !self.take(b']') {
                        return None;
                    }
                }
                Some(Folded { text, built: true })
            }
            Kind::Mark(b'(') => self.inside(),
            Kind::Name if self.take(b'(') => self.call(&bytes.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn inside(&mut self) -> Option<Folded> {
        self.depth += 1;
        let inside = if self.depth < 20 { self.sum() } else { None };
        self.depth -= 1;
        inside.filter(|_| self.take(b')'))
    }

    fn call(&mut self, name: &[u8]) -> Option<Folded> {
        if name == b"chr" {
            let number = std::str::from_utf8(self.peek()?.of(self.text)).ok()?;
            let value = number
                .strip_prefix("0x")
                .map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
            self.at += 1;
            let text = vec![u8::try_from(value? & 255).ok()?];
            return self.take(b')').then_some(Folded { text, built: true });
        }
        if name == b"pack" {
            // pack("H*", "…") is the one that hides texts.
            let format = self.sum()?;
            return if format.text == b"H*" && self.take(b',') {
                self.inside().map(|t| built(unhex(&t.text)))
            } else {
                None
            };
        }
        let inner = self.inside()?;
        let text = match name {
            b"strrev" => inner.text.iter().rev().copied().collect(),
            b"str_rot13" => inner.text.iter().map(|b| rot13(*b)).collect(),
            b"base64_decode" => unbase64(&inner.text),
            b"hex2bin" => unhex(&inner.text),
            b"urldecode" | b"rawurldecode" => unpercent(&inner.text),
            b"trim" | b"strtolower" => inner.text.trim_ascii().to_ascii_lowercase(),
            b"strtoupper" => inner.text.to_ascii_uppercase(),
            _ => return None,
        };
        Some(built(text))
    }
}

fn plain(text: Vec<u8>) -> Option<Folded> {
    (text.len() <= LONGEST).then_some(Folded { text, built: false })
}

fn built(text: Vec<u8>) -> Folded {
    Folded { text, built: true }
}

/// The escape codes of a double-quoted text.
pub(super) fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let digits = |of: &[u8], base: u32, most: usize| {
            of.iter().take(most).take_while(|b| char::from(**b).is_digit(base)).count()
        };
        let (skip, length, base) = match rest.first() {
            Some(b'x') => (1, digits(rest.get(1..).unwrap_or_default(), 16, 2), 16),
            Some(b'0'..=b'7') => (0, digits(rest, 8, 3), 8),
            _ => (0, 0, 10),
        };
        let number = rest.get(skip..skip + length).filter(|digits| !digits.is_empty());
        match number.and_then(|n| u32::from_str_radix(std::str::from_utf8(n).ok()?, base).ok()) {
            Some(value) => {
                out.push((value & 255) as u8);
                rest = rest.get(skip + length..).unwrap_or_default();
            }
            None => out.push(b'\\'),
        }
    }
    out
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        other => other,
    }
}

fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    text.chunks_exact(2).map_while(pair).collect()
}

fn unpercent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match behind.get(..2).filter(|_| *first == b'%').map(unhex).filter(|byte| byte.len() == 1) {
            Some(byte) => {
                out.extend(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// RFC 4648, section 4; anything else is passed over, as PHP does.
fn unbase64(text: &[u8]) -> Vec<u8> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        held = (held << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 255) as u8);
        }
    }
    out
}
