//! Settings of apt and dpkg, as far as they run commands: apt.conf(5), dpkg.cfg(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "apt_conf",
    doc: "Settings of apt and dpkg with the commands they run.",
    manual: "apt.conf(5), dpkg.cfg(5), dpkg(1)",
    samples: &[
        b"# c\nAPT { Update { Post-Invoke {\"a; b\";\"c\"}; }; };\n/* x\n */ DPkg::Post-Invoke:: \"d // e\";\n",
        b"dpkg::pre-install-pkgs {\"x --apt || true\";}; // c\n#include \"/opt/a.conf\";\nA::B c;\n",
        b"# dpkg\npre-invoke=\"/opt/a b\"\nlog /var/log/dpkg.log\npost-invoke = c\n",
    ],
    feed: |bytes| {
        drop(parse(bytes));
        drop(dpkg(bytes));
    },
};

/// More settings than this are not taken from one file.
const MOST: usize = 20_000;
/// Scopes inside scopes are followed to this depth.
const DEEPEST: usize = 64;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Line on which its value stands, from 1.
    pub line: u32,
    /// Its full name in small letters, `dpkg::pre-invoke`; the names of apt do not tell capitals.
    pub name: Text,
    /// Its value without quotes.
    pub value: Text,
}

impl Setting {
    /// The command that apt or dpkg runs because of this setting.
    pub fn command(&self) -> Option<&[u8]> {
        let (name, value) = (self.name.as_bytes(), self.value.as_bytes());
        let last = name.rsplit(|b| *b == b':').find(|part| !part.is_empty())?;
        let hook = |part: &[u8]| {
            [&b"pre-invoke"[..], b"post-invoke", b"pre-install-pkgs", b"status-logger"].contains(&part)
                || part.starts_with(b"post-invoke-")
                || part.starts_with(b"pre-invoke-")
        };
        // Programs that apt calls by a configured name, and commands it asks for an answer.
        let program = name.starts_with(b"dir::bin::")
            || name.starts_with(b"aptcli::hooks")
            || (name.starts_with(b"apt::compressor::") && last == b"binary")
            || (name.starts_with(b"acquire::")
                && [&b"proxy-auto-detect"[..], b"proxyautodetect"].contains(&last));
        if hook(last) || (program && (value.starts_with(b"/") || name.starts_with(b"aptcli::hooks"))) {
            return Some(value).filter(|value| !value.is_empty());
        }
        // Options that apt hands to dpkg.
        let (option, command) = lines::cut(value.strip_prefix(b"--")?, b'=')?;
        (name.starts_with(b"dpkg::options") && hook(option)).then_some(command)
    }
}

/// The settings of apt; `#include` is a setting of that name.
pub fn parse(bytes: &[u8]) -> Vec<Setting> {
    let mut reader = Reader { bytes, at: 0, line: 1 };
    let (mut settings, mut scopes) = (Vec::new(), Vec::<usize>::new());
    // The scope's name, and the name and value that wait for their semicolon.
    let (mut scope, mut name) = (Vec::new(), Vec::new());
    let mut value: Option<(u32, Vec<u8>)> = None;
    while let Some(token) = reader.token() {
        match token {
            Token::Word(word) if name.is_empty() && !word.is_empty() => name = word.to_ascii_lowercase(),
            Token::Word(word) => put(&mut value, reader.line, &word),
            Token::Quoted(text) => put(&mut value, reader.line, &text),
            Token::Open => {
                if scopes.len() >= DEEPEST {
                    return settings;
                }
                scopes.push(scope.len().min(1024));
                scope = full(&scope, &name);
                name.clear();
                value = None;
            }
            Token::Close | Token::End => {
                if let Some((line, value)) = value.take() {
                    let name = full(&scope, &name).into();
                    settings.push(Setting { line, name, value: value.into() });
                }
                name.clear();
                if matches!(token, Token::Close) {
                    scope.truncate(scopes.pop().unwrap_or(0));
                }
            }
        }
        if settings.len() >= MOST {
            break;
        }
    }
    if let Some((line, value)) = value.take() {
        settings.push(Setting { line, name: full(&scope, &name).into(), value: value.into() });
    }
    settings
}

fn put(value: &mut Option<(u32, Vec<u8>)>, line: u32, text: &[u8]) {
    let (_, value) = value.get_or_insert_with(|| (line, Vec::new()));
    if !value.is_empty() {
        value.push(b' ');
    }
    value.extend_from_slice(text);
}

fn full(scope: &[u8], name: &[u8]) -> Vec<u8> {
    let name = name.get(..name.len().min(1024)).unwrap_or_default();
    let scope = scope.get(..scope.len().min(1024)).unwrap_or_default();
    match (scope.is_empty(), name.is_empty()) {
        (true, _) => name.to_vec(),
        (_, true) => scope.to_vec(),
        _ => [scope, b"::", name].concat(),
    }
}

enum Token {
    Word(Vec<u8>),
    Quoted(Vec<u8>),
    Open,
    Close,
    End,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        self.line += u32::from(byte == b'\n');
        Some(byte)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Option<Token> {
        loop {
            let rest = self.rest();
            let directive = [&b"#include"[..], b"#clear"]
                .iter()
                .any(|word| rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)));
            if rest.starts_with(b"//") || (rest.starts_with(b"#") && !directive) {
                while self.take().is_some_and(|byte| byte != b'\n') {}
            } else if rest.starts_with(b"/*") {
                self.at += 2;
                while !self.rest().starts_with(b"*/") {
                    self.take()?;
                }
                self.at += 2;
            } else {
                match self.take()? {
                    b'{' => return Some(Token::Open),
                    b'}' => return Some(Token::Close),
                    b';' => return Some(Token::End),
                    b'"' => return Some(Token::Quoted(self.quoted())),
                    byte if byte.is_ascii_whitespace() => {}
                    byte => return Some(Token::Word(self.word(byte))),
                }
            }
        }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(byte) = self.take() {
            match (byte, self.rest().first()) {
                (b'"', _) => break,
                (b'\\', Some(b'"')) => {
                    text.push(b'"');
                    self.at += 1;
                }
                _ => text.push(byte),
            }
        }
        text
    }

    fn word(&mut self, first: u8) -> Vec<u8> {
        let mut word = vec![first];
        while let Some(byte) = self.rest().first().copied() {
            if byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}' | b';' | b'"') {
                break;
            }
            word.push(byte);
            self.at += 1;
        }
        word
    }
}

/// The settings of dpkg: an option a line, without its dashes, its value behind `=` or a blank.
pub fn dpkg(bytes: &[u8]) -> Vec<Setting> {
    lines::meaningful(bytes)
        .take(MOST)
        .filter_map(|(line, text)| {
            let at = text.iter().position(|b| matches!(b, b'=' | b' ' | b'\t'))?;
            let (name, value) = (text.get(..at)?, text.get(at..)?.trim_ascii_start());
            let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
            let value = [b'"', b'\'']
                .iter()
                .find_map(|quote| value.strip_prefix(&[*quote])?.strip_suffix(&[*quote]))
                .unwrap_or(value);
            Some(Setting { line, name: name.strip_prefix(b"--").unwrap_or(name).into(), value: value.into() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(settings: &[Setting]) -> Vec<String> {
        let text = |setting: &Setting| Some(format!("{}:{}", setting.line, Text::from(setting.command()?)));
        settings.iter().filter_map(text).collect()
    }

    #[test]
    fn commands_are_found_in_every_spelling() {
        assert_eq!(commands(&parse(FORMAT.samples[0])), ["2:a; b", "2:c", "4:d // e"]);
        assert_eq!(commands(&parse(FORMAT.samples[1])), ["1:x --apt || true"]);
        assert_eq!(parse(FORMAT.samples[1])[1].name, Text::from("#include"));
        assert_eq!(commands(&dpkg(FORMAT.samples[2])), ["2:/opt/a b", "4:c"]);
        let other = b"DPkg::Options { \"--force-confdef\"; \"--pre-invoke=/opt/x y\"; }\nDir::Bin::dpkg /opt/d;\nDir::Bin::methods \"/usr/lib/m\"";
        assert_eq!(commands(&parse(other)), ["1:/opt/x y", "2:/opt/d", "3:/usr/lib/m"]);
    }

    #[test]
    fn comments_and_other_settings_run_nothing() {
        let text = b"// DPkg::Post-Invoke { \"a\"; };\n/* DPkg::Post-Invoke \"b\"; */ Acquire::http::Proxy \"http://x\";\n#DPkg::Pre-Invoke \"c\";\n";
        assert!(commands(&parse(text)).is_empty());
    }
}
