//! Settings of git: git-config(1).

use crate::Format;
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "git_config",
    doc: "Settings of git, for a system, a user or a repository.",
    manual: "git-config(1), gitattributes(5)",
    samples: &[
        b"[core]\n\tfsmonitor = \"sh -c 'a; b'\" ; c\n\thooksPath=/x\n[alias] st = status\n\trun = \"!f() { \\\n ls; }; f\"\n[filter \"a \\\"b\"]\n\tclean = x %f # y\n[include]\n path = ~/z\n",
        b"[remote.origin]\nuploadpack\n = 1\n[broken\nx = \\",
    ],
    feed: |bytes| {
        for setting in parse(bytes) {
            drop(setting.command());
        }
    },
};

/// More settings than this are not taken from one file.
const MOST: usize = 10_000;

/// One setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Its line, from 1.
    pub line: u32,
    /// Section in small letters.
    pub section: String,
    /// Subsection, as written.
    pub subsection: Text,
    /// Name in small letters.
    pub name: String,
    /// Value without quotes and remarks; `true` for a name alone.
    pub value: Text,
}

impl Setting {
    /// What git runs because of this setting, if it runs anything.
    pub fn command(&self) -> Option<Text> {
        let value = self.value.as_bytes().trim_ascii();
        let shell = value.strip_prefix(b"!").map(<[u8]>::trim_ascii);
        let runs = match (self.section.as_str(), self.name.as_str()) {
            ("core", "fsmonitor") | ("pager", _) => !is_switch(value),
            ("core", "pager" | "editor" | "sshcommand" | "gitproxy" | "askpass" | "alternaterefscommand")
            | ("sequence", "editor")
            | ("diff", "external" | "command" | "textconv")
            | ("filter", "clean" | "smudge" | "process")
            | ("merge", "driver")
            | ("mergetool" | "difftool" | "guitool" | "browser" | "man" | "trailer", "cmd" | "command")
            | ("mergetool" | "difftool" | "browser" | "man", "path")
            | ("gpg", "program" | "defaultkeycommand")
            | ("uploadpack", "packobjectshook")
            | ("remote", "uploadpack" | "receivepack")
            | ("interactive", "difffilter")
            | ("hook", "command")
            | ("imap", "tunnel")
            | ("instaweb", "httpd")
            | ("tar" | "log", "command")
            | ("sendemail", "tocmd" | "cccmd" | "headercmd" | "sendmailcmd") => true,
            ("credential", "helper") | ("sendemail", "smtpserver") => {
                shell.is_some() || value.starts_with(b"/") || value.starts_with(b"~")
            }
            ("alias", _) | ("submodule", "update") => shell.is_some(),
            _ => false,
        };
        (runs && !value.is_empty()).then(|| shell.unwrap_or(value).into())
    }

    /// The file whose settings this one brings in.
    pub fn include(&self) -> Option<&[u8]> {
        let includes = matches!(self.section.as_str(), "include" | "includeif") && self.name == "path";
        includes.then(|| self.value.as_bytes())
    }

    /// A directory of hooks, or of a template that brings hooks into new repositories.
    pub fn hooks(&self) -> Option<&[u8]> {
        let names = matches!(
            (self.section.as_str(), self.name.as_str()),
            ("core", "hookspath") | ("init", "templatedir")
        );
        names.then(|| self.value.as_bytes())
    }
}

fn is_switch(value: &[u8]) -> bool {
    let known = [&b"true"[..], b"false", b"yes", b"no", b"on", b"off", b"1", b"0", b""];
    known.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The settings of a file, in order.
pub fn parse(bytes: &[u8]) -> Vec<Setting> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut all, mut section, mut subsection) = (Vec::new(), String::new(), Text::default());
    let mut reader = Reader { bytes, at: 0, line: 1 };
    while let Some(byte) = reader.peek() {
        if all.len() >= MOST {
            break;
        }
        match byte {
            b'[' => (section, subsection) = reader.header(),
            b'#' | b';' => reader.rest_of_line(),
            b if b.is_ascii_alphabetic() => {
                let line = reader.line;
                let name = reader.take_while(|b| b.is_ascii_alphanumeric() || b == b'-');
                let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                reader.take_while(|b| matches!(b, b' ' | b'\t'));
                let value = if reader.peek() == Some(b'=') {
                    reader.next();
                    reader.value()
                } else {
                    reader.rest_of_line();
                    b"true".to_vec()
                };
                let (section, subsection) = (section.clone(), subsection.clone());
                all.push(Setting { line, section, subsection, name, value: value.into() });
            }
            _ => drop(reader.next()),
        }
    }
    all
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line = self.line.saturating_add(u32::from(byte == b'\n'));
        Some(byte)
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.next();
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn rest_of_line(&mut self) {
        self.take_while(|b| b != b'\n');
    }

    /// `[section "subsection"]`, or the older `[section.subsection]`.
    fn header(&mut self) -> (String, Text) {
        self.next();
        let name = self.take_while(|b| !matches!(b, b'"' | b']' | b'\n'));
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        let mut subsection = Vec::new();
        if self.peek() == Some(b'"') {
            self.next();
            while let Some(byte) = self.peek().filter(|b| *b != b'\n') {
                self.next();
                match byte {
                    b'"' => break,
                    b'\\' => subsection.extend(self.next()),
                    _ => subsection.push(byte),
                }
            }
        }
        self.take_while(|b| !matches!(b, b']' | b'\n'));
        if self.peek() == Some(b']') {
            self.next();
        }
        match name.split_once('.') {
            Some((section, sub)) => (section.to_ascii_lowercase(), sub.into()),
            None => (name.to_ascii_lowercase(), subsection.into()),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let (mut value, mut quoted, mut solid) = (Vec::new(), false, 0);
        self.take_while(|b| matches!(b, b' ' | b'\t'));
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => break,
                b'#' | b';' if !quoted => {
                    self.rest_of_line();
                    break;
                }
                b'"' => quoted = !quoted,
                b'\\' => {
                    self.next();
                    match self.peek() {
                        Some(b'\r' | b'\n') => {}
                        Some(b'n') => value.push(b'\n'),
                        Some(b't') => value.push(b'\t'),
                        Some(other) => value.push(other),
                        None => break,
                    }
                    solid = value.len();
                }
                _ => value.push(byte),
            }
            if quoted || !matches!(byte, b' ' | b'\t' | b'\r') {
                solid = value.len();
            }
            self.next();
        }
        value.truncate(solid);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_remarks_and_continued_lines_are_understood() {
        let all = parse(FORMAT.samples[0]);
        let shown: Vec<_> = all
            .iter()
            .map(|s| format!("{} {}.{}.{}={}", s.line, s.section, s.subsection, s.name, s.value))
            .collect();
        assert_eq!(
            shown,
            [
                "2 core..fsmonitor=sh -c 'a; b'",
                "3 core..hookspath=/x",
                "4 alias..st=status",
                "5 alias..run=!f() {  ls; }; f",
                "8 filter.a \"b.clean=x %f",
                "10 include..path=~/z"
            ]
        );
        let commands: Vec<_> = all.iter().filter_map(Setting::command).collect();
        assert_eq!(commands, ["sh -c 'a; b'", "f() {  ls; }; f", "x %f"]);
        assert!(parse(b"[core]\nfsmonitor = true\npager = cat\n")[0].command().is_none());
    }
}
