//! Scripts that a web server runs: what of the request reaches what of the machine.

mod other;
mod php;
mod php_fold;
mod php_outline;
mod php_tokens;
mod php_words;

use crate::Format;

pub use php_outline::{Act, Base, Include, Outline, outline};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "web-script",
    doc: "PHP, JSP, ASP and CGI scripts, searched for a request's input that reaches an interpreter or a shell.",
    manual: "https://www.php.net/manual/en/langref.php, RFC 3875 (CGI)",
    samples: &[
        b"<html><?php /* c */ $a = $_POST['k']; # x\nfunction f($p) { return trim($p . \"x{$p}\"); }\n$n = \"str\" . strrev('txet'); echo `ls $n`; ?>\n<?= f($a) ?>",
        b"<?php $s = <<<'X'\ntext $a\nX;\nforeach ($_GET as $k => $v) { include $v; } $f = chr(97).\"\\x62\\143\"; $f($k);",
        b"<?php @include(__DIR__ . \"/\\x61.ico\"); require_once ABSPATH . 'b.php'; include base64_decode('L3RtcC94'); wp_insert_user($a);",
        b"<%@ page import=\"java.io.*\" %><% String a = request.getParameter(\"a\"); out.print(a); %>",
        b"#!/bin/sh\nX=$(echo \"$QUERY_STRING\" | sed s/a/b/)\necho \"$X\"\n",
        b"#!/usr/bin/perl\nuse CGI; my $x = param('a'); print `date $y`; open(F, \"<$x\");\n",
        b"#!/usr/bin/python3\nimport cgi, os\nx = cgi.FieldStorage().getvalue('a')\nprint(x)\n",
    ],
    feed: |bytes| {
        drop(signals(bytes, Language::of(b"x.php", bytes)));
        drop(outline(bytes));
        for language in [Language::Php, Language::Java, Language::Asp, Language::Shell, Language::Perl, Language::Python] {
            drop(signals(bytes, language));
        }
    },
};

/// What language a web server would run a file as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// PHP.
    Php,
    /// Java server pages.
    Java,
    /// Active server pages.
    Asp,
    /// A shell's CGI script.
    Shell,
    /// Perl CGI.
    Perl,
    /// Python CGI or module.
    Python,
    /// Not a script by name or beginning; PHP may still stand in it.
    Other,
}

impl Language {
    /// The language by the file's name, or by its first bytes.
    pub fn of(name: &[u8], head: &[u8]) -> Self {
        let extension = name.rsplit(|b| *b == b'.').next().unwrap_or_default().to_ascii_lowercase();
        match extension.as_slice() {
            [b'p', b'h', b'p', ..] | b"phtml" | b"phar" | b"pht" | b"inc" | b"module" => return Self::Php,
            b"jsp" | b"jspx" | b"jspf" | b"jsw" => return Self::Java,
            b"asp" | b"aspx" | b"ashx" | b"asmx" | b"cer" => return Self::Asp,
            b"pl" | b"pm" => return Self::Perl,
            b"py" | b"wsgi" => return Self::Python,
            _ => {}
        }
        let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        if !line.starts_with(b"#!") {
            return if extension == b"sh" { Self::Shell } else { Self::Other };
        }
        let has = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
        if has(b"perl") {
            Self::Perl
        } else if has(b"python") {
            Self::Python
        } else if has(b"php") {
            Self::Php
        } else if has(b"sh") {
            Self::Shell
        } else {
            Self::Other
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Php => "PHP",
            Self::Java => "JSP",
            Self::Asp => "ASP",
            Self::Shell => "shell",
            Self::Perl => "Perl",
            Self::Python => "Python",
            Self::Other => "other",
        }
    }
}

/// What a script does that a detector weighs. The names are stable: they stand in facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// The request's input is run as program text.
    InputEvaluated,
    /// The request's input is run as a command.
    InputExecuted,
    /// The request names the function that is called, with the request's input.
    InputNamesFunction,
    /// The request's input, and nothing else, names the file that is included.
    InputIncluded,
    /// The request's input is written to a file the request names.
    InputWritten,
    /// An uploaded file is stored under the name the request gives it.
    UploadByName,
    /// Program text is decoded, then run.
    DecodedEvaluated,
    /// The name of a function that runs programs is put together so that it can not be searched for.
    HiddenFunction,
    /// The name of the request's variables is put together so that it can not be searched for.
    HiddenInput,
    /// A very long encoded text stands beside something that runs program text.
    LongEncoded,
    /// Most texts are written as escape codes, though they are plain letters.
    EscapedLetters,
    /// The request is compared with the digest of a password.
    DigestPassword,
    /// A shell is tied to a network connection.
    ShellOnSocket,
    /// A class is made from the request's bytes.
    InputLoaded,
    /// There is PHP code.
    PhpCode,
}

impl Signal {
    /// All signals.
    pub const ALL: [Self; 15] = [
        Self::InputEvaluated,
        Self::InputExecuted,
        Self::InputNamesFunction,
        Self::InputIncluded,
        Self::InputWritten,
        Self::UploadByName,
        Self::DecodedEvaluated,
        Self::HiddenFunction,
        Self::HiddenInput,
        Self::LongEncoded,
        Self::EscapedLetters,
        Self::DigestPassword,
        Self::ShellOnSocket,
        Self::InputLoaded,
        Self::PhpCode,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InputEvaluated => "input-evaluated",
            Self::InputExecuted => "input-executed",
            Self::InputNamesFunction => "input-names-function",
            Self::InputIncluded => "input-included",
            Self::InputWritten => "input-written",
            Self::UploadByName => "upload-by-name",
            Self::DecodedEvaluated => "decoded-evaluated",
            Self::HiddenFunction => "hidden-function",
            Self::HiddenInput => "hidden-input",
            Self::LongEncoded => "long-encoded",
            Self::EscapedLetters => "escaped-letters",
            Self::DigestPassword => "digest-password",
            Self::ShellOnSocket => "shell-on-socket",
            Self::InputLoaded => "input-loaded",
            Self::PhpCode => "php-code",
        }
    }
}

/// A signal and the line it was seen on, from 1.
pub type Found = std::collections::BTreeMap<Signal, u32>;

/// What the script does, with the first line of each. `Other` is searched for PHP.
pub fn signals(bytes: &[u8], language: Language) -> Found {
    match language {
        Language::Php | Language::Other => php::signals(bytes),
        Language::Java | Language::Asp => other::page(bytes),
        Language::Shell => other::shell(bytes),
        Language::Perl => other::perl(bytes),
        Language::Python => other::python(bytes),
    }
}

/// The line of a position, from 1.
fn line_at(bytes: &[u8], at: usize) -> u32 {
    let before = bytes.get(..at.min(bytes.len())).unwrap_or_default();
    u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

/// Whether `part` stands anywhere in `bytes`.
fn has(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

/// Where `part` first stands in `bytes`.
fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let (first, rest) = part.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|b| b == first) {
        let behind = from + at + 1;
        if bytes.get(behind..).is_some_and(|behind| behind.starts_with(rest)) {
            return Some(from + at);
        }
        from = behind;
    }
    None
}

#[cfg(test)]
mod tests;
