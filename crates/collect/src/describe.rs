//! Facts about the files that settings point to, so that a detector can weigh what a line would run.

use crate::{Context, Flow, Out, Owner};
use calma_host::{FileKind, resolve};
use calma_record::{Source, Text, kinds};

/// Text of a script no package owns is kept up to this many bytes: the beginning, and the end, where lines are added.
const TEXT: usize = 16 << 10;
/// The end's part of it.
const END: usize = 4 << 10;
/// One command line makes at most this many files described.
const MOST: usize = 96;
/// Scripts are followed from one to the next this often.
const DEEPEST: usize = 4;

/// Puts out a [`kinds::File`] for `path`, once a run. A file that is not there is a fact too (`missing`).
pub(crate) fn file(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    file_at(context, path, 0, out)
}

/// The same without a look at the content, for large files that are no programs (boot images).
pub(crate) fn outline(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    described(context, path, DEEPEST, false, out)
}

fn file_at(context: &Context, path: &[u8], depth: usize, out: &mut Out) -> Flow {
    described(context, path, depth, true, out)
}

fn described(context: &Context, path: &[u8], depth: usize, read: bool, out: &mut Out) -> Flow {
    if !path.starts_with(b"/") || !context.first_time(path) {
        return out.flow();
    }
    let tree = context.host.tree();
    let mut fact = kinds::File { path: path.into(), what: "missing".to_owned(), ..kinds::File::default() };
    let real = resolve(tree, path).unwrap_or_else(|_| path.to_vec());
    match tree.meta(&real) {
        Err(error) if error.is_missing() => return out.fact(Source::file(path), fact),
        Err(error) => return out.unseen("files that settings point to", &error),
        Ok(meta) => {
            fact.what = match meta.kind {
                FileKind::File => "file",
                FileKind::Directory => "directory",
                FileKind::Link => "link",
                FileKind::Other => "other",
            }
            .to_owned();
            (fact.mode, fact.uid, fact.gid, fact.size) = (meta.mode, meta.uid, meta.gid, meta.size);
            (fact.modified, fact.changed, fact.born) = (meta.modified, meta.changed, meta.born);
            (fact.inode, fact.device) = (meta.inode, meta.device);
            fact.immutable = meta.immutable == Some(true);
            match context.packages().owner(&real) {
                Owner::Package(package) => (fact.package, fact.packages_known) = (Some(package), true),
                Owner::Nobody => fact.packages_known = true,
                Owner::Unknown => {}
            }
            if real != path {
                fact.target = tree.link(path).ok().map(Text::from);
                fact.real = Some(real.as_slice().into());
            }
            if read
                && meta.kind == FileKind::File
                && (fact.package.is_none() || is_changed_by_hand(&real, meta.mode))
            {
                content(context, &real, &mut fact);
            }
            if let Ok(Some(capability)) = tree.attribute(&real, "security.capability") {
                fact.capability = capability.iter().map(|byte| format!("{byte:02x}")).collect();
            }
        }
    }
    let script = fact.text.clone().filter(|text| text.as_bytes().starts_with(b"#!"));
    out.fact(Source::file(path), fact)?;
    // What a script runs is described as well, so that one script that starts another hides nothing.
    match script {
        Some(text) if depth < DEEPEST => command_at(context, text.as_bytes(), depth + 1, out),
        _ => out.flow(),
    }
}

/// Whether a packaged file is one that administrators change (a script or setting of the shell in /etc), so that its package
/// says nothing of its content.
fn is_changed_by_hand(path: &[u8], mode: u32) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let shell = name.ends_with(b".sh") || name.ends_with(b"rc") || name.starts_with(b"profile");
    path.starts_with(b"/etc/") && (shell || mode & 0o111 != 0)
}

/// Digest, kind of content, and the first bytes of a text.
fn content(context: &Context, path: &[u8], fact: &mut kinds::File) {
    const LARGEST: usize = 64 << 20;
    let Ok(content) = context.host.tree().read(path, LARGEST) else { return };
    let bytes = &content.bytes;
    fact.elf = bytes.starts_with(b"\x7fELF");
    if !content.cut {
        fact.digest = Some(calma_record::Digest::of(bytes));
    }
    if fact.elf || bytes.iter().take(TEXT).any(|b| *b == 0) || is_secret(path, bytes) {
        return;
    }
    fact.text = Some(match bytes.get(..TEXT) {
        None => bytes.as_slice().into(),
        Some(_) => {
            let begin = bytes.get(..TEXT - END).unwrap_or_default();
            let end = bytes.get(bytes.len() - END..).unwrap_or_default();
            [begin, b"\n", end].concat().into()
        }
    });
}

/// Whether a text holds what must not stand in a case: hashes of passwords (shadow(5), gshadow(5), pam_pwhistory(8)), or a
/// private key (RFC 7468).
fn is_secret(path: &[u8], bytes: &[u8]) -> bool {
    let hashes = [&b"/etc/shadow"[..], b"/etc/gshadow", b"/etc/security/opasswd"];
    let head = bytes.get(..80.min(bytes.len())).unwrap_or_default();
    let key = head.starts_with(b"-----BEGIN ") && head.windows(12).any(|part| part == b" PRIVATE KEY");
    key || hashes.iter().any(|place| path.starts_with(place))
}

/// Puts out [`kinds::File`] facts for the programs and files a command line or a script names: every absolute path in it,
/// in quotes or not, and the first word of each command as the shell would find it in the system's usual PATH.
pub(crate) fn command(context: &Context, command: &[u8], out: &mut Out) -> Flow {
    command_at(context, command, 0, out)
}

fn command_at(context: &Context, command: &[u8], depth: usize, out: &mut Out) -> Flow {
    for candidate in candidates(command) {
        if candidate.starts_with(b"/") {
            file_at(context, &candidate, depth, out)?;
        } else {
            let directories =
                [&b"/usr/local/sbin"[..], b"/usr/local/bin", b"/usr/sbin", b"/usr/bin", b"/sbin", b"/bin"];
            let paths = directories.iter().map(|directory| calma_host::join(directory, &candidate));
            let found = paths.into_iter().find(|path| context.host.tree().meta(path).is_ok());
            if let Some(path) = found {
                file_at(context, &path, depth, out)?;
            }
        }
    }
    out.flow()
}

/// Absolute paths that a text may mean, and bare names that stand where commands do. Too many rather than too few.
fn candidates(text: &[u8]) -> Vec<Vec<u8>> {
    candidates_at(text, 0)
}

fn candidates_at(text: &[u8], depth: usize) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut take = |word: &[u8]| {
        if word.len() > 1
            && word.len() <= 4096
            && found.len() < MOST
            && !found.iter().any(|known| known == word)
        {
            found.push(word.to_vec());
        }
    };
    let (mut begins, mut directory) = (true, Vec::new());
    let mut before: Vec<u8> = Vec::new();
    for (piece, quoted) in pieces(text) {
        if quoted {
            // A quoted path may hold spaces; a quoted script holds paths and commands of its own.
            if piece.starts_with(b"/") && !piece.contains(&b'\n') {
                take(&piece);
            }
            if piece.contains(&b' ') && depth < 2 {
                for inner in candidates_at(&piece, depth + 1) {
                    take(&inner);
                }
            }
            begins = false;
            continue;
        }
        if matches!(piece.as_slice(), b";" | b"&" | b"|" | b"(" | b"\n" | b"`" | b"{") {
            begins = true;
            before.clear();
            continue;
        }
        // systemd's prefixes of an executable path (systemd.service(5)).
        let word = if begins { without_prefix(&piece) } else { piece.as_slice() };
        for part in word.split(|b| matches!(b, b'=' | b':' | b',')).filter(|part| part.starts_with(b"/")) {
            take(part);
        }
        if word.starts_with(b"/") {
            take(word);
            if before == b"cd" {
                directory = word.to_vec();
            }
        } else if word.contains(&b'/') || (!directory.is_empty() && !begins) {
            if !directory.is_empty() && !word.starts_with(b"-") {
                take(&calma_host::join(&directory, word.strip_prefix(b"./").unwrap_or(word)));
            }
        } else if begins && !word.contains(&b'=') {
            take(word);
        }
        // Words that stand before a command.
        let goes_on = word.contains(&b'=')
            || [
                &b"then"[..],
                b"do",
                b"else",
                b"if",
                b"elif",
                b"while",
                b"until",
                b"!",
                b"exec",
                b"sudo",
                b"env",
                b"nohup",
                b"setsid",
                b"command",
            ]
            .contains(&word);
        begins = begins && goes_on;
        before = word.to_vec();
    }
    found
}

/// Words and separators of a text; true for what stood in quotes.
fn pieces(text: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let mut pieces: Vec<(Vec<u8>, bool)> = Vec::new();
    let mut word: Vec<u8> = Vec::new();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if pieces.len() > 16 * MOST {
            break;
        }
        let quote = byte == b'\'' || byte == b'"';
        if quote {
            let mut inside = std::mem::take(&mut word);
            inside.extend(bytes.by_ref().take_while(|b| *b != byte));
            pieces.push((inside, true));
            continue;
        }
        let separates =
            matches!(byte, b';' | b'&' | b'|' | b'(' | b')' | b'\n' | b'`' | b'{' | b'}' | b'<' | b'>');
        match byte {
            b'\\' => word.extend(bytes.next()),
            b' ' | b'\t' | b'\r' => {}
            b'$' if word.is_empty() => word.push(byte),
            _ if !separates => word.push(byte),
            _ => {}
        }
        if separates || matches!(byte, b' ' | b'\t' | b'\r') {
            if !word.is_empty() {
                pieces.push((std::mem::take(&mut word), false));
            }
            if separates {
                pieces.push((vec![byte], false));
            }
        }
    }
    if !word.is_empty() {
        pieces.push((word, false));
    }
    pieces
}

fn without_prefix(word: &[u8]) -> &[u8] {
    let at = word.iter().position(|b| !b"-@:+!|".contains(b)).unwrap_or(word.len());
    word.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_files() {
        for (line, files) in [
            ("-/opt/a/b --config=/etc/x.conf", &["/opt/a/b", "/etc/x.conf"][..]),
            ("/bin/sh -c '/tmp/x --y; ls'", &["/bin/sh", "/tmp/x", "ls"]),
            ("cd /tmp && ./run a", &["cd", "/tmp", "/tmp/run", "/tmp/a"]),
            ("A=1 LD_PRELOAD=/a.so:/b.so foo", &["/a.so", "/b.so", "foo"]),
            ("\"/usr/bin/x \" -d", &["/usr/bin/x "]),
            ("if true; then /opt/z; fi", &["if", "true", "/opt/z", "fi"]),
        ] {
            let found = candidates(line.as_bytes());
            for path in files {
                assert!(found.iter().any(|known| known == path.as_bytes()), "{line}: {path} in {found:?}");
            }
        }
    }
}
