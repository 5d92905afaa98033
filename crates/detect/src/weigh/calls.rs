//! Command lines that a program in another language hands to a shell or the kernel: strings in calls that run something.

use super::code::Language;
use super::command::Scale;
use super::walk;

/// Endings of names of functions that run a program (os, subprocess, child_process, Kernel, perlfunc, PHP).
const CALLS: &[&[u8]] = &[
    b"system",
    b"popen",
    b"Popen",
    b"popen2",
    b"popen3",
    b"run",
    b"call",
    b"check_output",
    b"check_call",
    b"getoutput",
    b"getstatusoutput",
    b"spawn",
    b"spawnSync",
    b"execSync",
    b"execFile",
    b"execFileSync",
    b"exec",
    b"execl",
    b"execlp",
    b"execle",
    b"execv",
    b"execvp",
    b"execve",
    b"spawnl",
    b"spawnlp",
    b"spawnv",
    b"spawnvp",
    b"startfile",
    b"create_subprocess_shell",
    b"create_subprocess_exec",
    b"shell_exec",
    b"passthru",
    b"proc_open",
    b"execute",
    b"capture2",
    b"capture3",
    b"capture2e",
    b"pipeline",
    b"qx",
    b"syscall",
];
/// How far a call's arguments are read.
const REACH: usize = 2048;
/// No more calls than this are looked at in one text.
const MOST: usize = 500;

/// Weighs what the calls of a text run.
pub(super) fn weigh(scale: &mut Scale<'_, '_>, language: Language, text: &[u8], depth: usize) {
    let mut left = MOST;
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        if left == 0 {
            return;
        }
        let ticks = matches!(language, Language::Perl | Language::Ruby | Language::Php);
        if byte == b'`' && ticks {
            let inside = text.get(at + 1..).unwrap_or_default();
            let end = inside.iter().take(REACH).position(|b| *b == b'`').unwrap_or(0);
            if end > 0 {
                walk::text(scale, inside.get(..end).unwrap_or_default(), depth + 1);
                left -= 1;
            }
            at += end + 2;
            continue;
        }
        if !(byte.is_ascii_alphabetic() || byte == b'_') {
            at += 1;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        at += end;
        if CALLS.contains(&name) {
            let words = arguments(behind.get(..behind.len().min(REACH)).unwrap_or_default());
            if let Some(command) = command(words) {
                walk::text(scale, &command, depth + 1);
                left -= 1;
            }
        }
    }
}

/// The strings of a call's arguments: up to the closing bracket, or the end of the statement where there is none.
fn arguments(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut depth, mut at) = (Vec::new(), 0_usize, 0);
    let mut begun = false;
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        match byte {
            b'(' | b'[' | b'{' => (depth, begun) = (depth + 1, true),
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b';' | b'\n' if depth == 0 => break,
            b'"' | b'\'' | b'`' => {
                begun = true;
                let (word, length) = quoted(text.get(at..).unwrap_or_default(), byte);
                words.push(word);
                at += length;
            }
            b' ' | b'\t' => {}
            _ if !begun && !byte.is_ascii_alphabetic() => break,
            _ if !begun => return words,
            _ => {}
        }
        if words.len() >= 64 {
            break;
        }
    }
    words
}

fn quoted(text: &[u8], quote: u8) -> (Vec<u8>, usize) {
    let (mut word, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at).copied() {
        at += 1;
        match byte {
            b'\\' => {
                let escaped = text.get(at).copied();
                word.extend(escaped.map(|b| if b == b'n' { b'\n' } else { b }));
                at += 1;
            }
            _ if byte == quote => break,
            _ => word.push(byte),
        }
    }
    (word, at)
}

/// One command line: the first string where it is one by itself, else all as words.
fn command(words: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let first = words.first()?;
    if first.contains(&b' ') || words.len() == 1 {
        return Some(first.clone());
    }
    let quote = |word: &Vec<u8>| {
        let plain = word.iter().all(|b| b.is_ascii_alphanumeric() || b"-_./=:@,+".contains(b));
        if plain || word.contains(&b'\'') { word.clone() } else { [b"'", word.as_slice(), b"'"].concat() }
    };
    Some(words.iter().map(quote).collect::<Vec<_>>().join(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_put_together() {
        for (text, line) in [
            ("(\"/tmp/x &\")", "/tmp/x &"),
            ("(['/bin/sh', '-c', 'curl x | sh'], stdin=None)", "/bin/sh -c 'curl x | sh'"),
            (" \"/tmp/y\";", "/tmp/y"),
            ("('a', ['b', 'c d'], {x: 1})", "a b 'c d'"),
        ] {
            assert_eq!(command(arguments(text.as_bytes())).unwrap(), line.as_bytes(), "{text}");
        }
        assert!(command(arguments(b" the thing \"x\"")).is_none());
    }
}
