//! One file in a web server's folder: what its name claims, and what it does with a request.

use crate::{Context, Owner};
use calma_formats::web_script::{self, Found, Language, Signal};
use calma_host::{Content, HostError, Meta};
use calma_record::{Digest, kinds::WebFile};

/// A script is read up to here, another file up to there.
const SCRIPT: usize = 4 << 20;
const PICTURE: usize = 256 << 10;

/// How a file's name says it is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A server runs it.
    Script,
    /// Named as a thing that is shown, or without any telling name: code does not belong into it.
    Shown,
    /// No look at it.
    Nothing,
}

impl Use {
    /// Up to where such a file is read.
    pub(super) fn limit(self) -> usize {
        if self == Self::Script { SCRIPT } else { PICTURE }
    }
}

/// A file to be looked at.
pub(super) struct File {
    pub(super) root: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) usage: Use,
    pub(super) in_uploads: bool,
    /// Bytes of it that are to be read, as its metadata says.
    pub(super) expected: u64,
}

/// What one file said, and how many bytes of it were read.
pub(super) struct Answer {
    pub(super) read: u64,
    pub(super) fact: Result<Option<WebFile>, HostError>,
}

impl File {
    pub(super) fn answer(&self, context: &Context) -> Answer {
        match context.host.tree().read(&self.path, self.usage.limit()) {
            Ok(content) => {
                Answer { read: content.bytes.len() as u64, fact: Ok(self.fact(context, &content)) }
            }
            Err(error) => Answer { read: 0, fact: Err(error) },
        }
    }

    fn fact(&self, context: &Context, content: &Content) -> Option<WebFile> {
        let (path, usage) = (self.path.as_slice(), self.usage);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let language = match usage {
            Use::Script => Language::of(name, &content.bytes),
            _ => Language::Other,
        };
        // A tag alone may stand in compressed data by chance; code behind it does not.
        if language == Language::Other && !has(&content.bytes, b"<?php") && !has(&content.bytes, b"<?=") {
            return None;
        }
        let mut found = web_script::signals(&content.bytes, language);
        // A name without an ending claims nothing: code in such a file counts by what it does alone.
        let disguised = usage == Use::Shown && name.contains(&b'.');
        if usage == Use::Shown && !disguised {
            found.remove(&Signal::PhpCode);
        }
        if !worth(&mut found, disguised, self.in_uploads, &content.bytes) {
            return None;
        }
        let (package, packages_known) = match context.packages().owner(path) {
            Owner::Package(package) => (Some(package), true),
            Owner::Nobody => (None, true),
            Owner::Unknown => (None, false),
        };
        let meta = &content.meta;
        Some(WebFile {
            path: path.into(),
            root: self.root.as_slice().into(),
            language: language.name().into(),
            signals: found.iter().map(|(signal, line)| format!("{}:{line}", signal.name())).collect(),
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            size: meta.size,
            modified: meta.modified,
            changed: meta.changed,
            born: meta.born,
            package,
            packages_known,
            digest: (!content.cut).then(|| Digest::of(&content.bytes)),
            in_uploads: self.in_uploads,
            disguised,
        })
    }
}

/// Whether a file says enough for a fact. In pictures and other things that are shown, a lone `<?=` is chance.
fn worth(found: &mut Found, disguised: bool, in_uploads: bool, bytes: &[u8]) -> bool {
    let code = found.contains_key(&Signal::PhpCode);
    if disguised {
        let tag = bytes.windows(5).any(|part| part.eq_ignore_ascii_case(b"<?php"));
        return found.keys().any(|signal| *signal != Signal::PhpCode) || (code && tag);
    }
    if !in_uploads {
        found.remove(&Signal::PhpCode);
    }
    !found.is_empty()
}

pub(super) fn usage(name: &[u8], meta: &Meta) -> Use {
    const SCRIPTS: &[&[u8]] = &[
        b"php", b"phtml", b"phar", b"pht", b"inc", b"module", b"jsp", b"jspx", b"jspf", b"jsw", b"asp",
        b"aspx", b"ashx", b"asmx", b"cgi", b"pl", b"py", b"wsgi", b"sh", b"fcgi",
    ];
    const SHOWN: &[&[u8]] = &[
        b"jpg", b"jpeg", b"png", b"gif", b"ico", b"bmp", b"webp", b"svg", b"tif", b"tiff", b"pdf", b"css",
        b"woff", b"woff2", b"ttf", b"mp3", b"mp4", b"log",
    ];
    let lower = name.to_ascii_lowercase();
    let mut parts = lower.split(|b| *b == b'.');
    let first = parts.next().unwrap_or_default();
    let last = parts.next_back();
    let php = |part: &[u8]| {
        part.starts_with(b"php") && part.len() <= 5 && part.iter().skip(3).all(u8::is_ascii_digit)
    };
    match last {
        Some(last) if php(last) || SCRIPTS.contains(&last) => Use::Script,
        // `x.php.jpg` runs where a handler goes by any ending (mod_mime), `.jpg` where a setting says so.
        Some(last) if SHOWN.contains(&last) => Use::Shown,
        _ if lower.split(|b| *b == b'.').skip(1).any(php) => Use::Script,
        None if meta.mode & 0o111 != 0 => Use::Script,
        // Hidden by its name, and none of the settings that stand in web roots.
        Some(_)
            if first.is_empty()
                && !matches!(lower.as_slice(), b".htaccess" | b".user.ini" | b".gitignore") =>
        {
            Use::Shown
        }
        None => Use::Shown,
        Some(_) => Use::Nothing,
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
