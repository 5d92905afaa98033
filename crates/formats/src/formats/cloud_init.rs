//! What cloud-init runs: scripts, commands of its configuration, and parts of messages that hold either.

use crate::init_jobs::Command;
use crate::{Format, lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "cloud_init",
    doc: "What cloud-init is told to run on a machine.",
    manual: "cloud-init documentation, User data formats; RFC 2046",
    samples: &[
        b"#cloud-config\npackages: [a]\nruncmd:\n  - [ sh, -c, \"a b\" ]\n  - c d\n  - - e\n    - f g\n  - |\n    h\n    i\nbootcmd:\n- j\nwrite_files:\n- path: /x\n  content: |\n    #!/bin/sh\n    k\n- encoding: b64\n  content: bCBt\n",
        b"Content-Type: multipart/mixed; boundary=\"XX\"\nMIME-Version: 1.0\n\n--XX\nContent-Type: text/x-shellscript\n\n#!/bin/sh\na\n--XX\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\ncnVuY21kOgogLSBiCg==\n--XX--\n",
        b"#!/bin/bash\nx\n",
        b"#include\nhttp://x/y\n",
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// No more commands than this are taken from one file.
const MOST: usize = 4096;

/// Everything that would be run: commands of lists, whole scripts, contents of files that are written.
pub fn parse(bytes: &[u8]) -> Vec<Command> {
    let mut all = Vec::new();
    part(bytes, 1, 0, &mut all);
    all.truncate(MOST);
    all
}

fn part(bytes: &[u8], line: u32, depth: usize, all: &mut Vec<Command>) {
    if depth > 4 || all.len() >= MOST {
        return;
    }
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let lower = head.to_ascii_lowercase();
    if lower.starts_with(b"content-type: multipart") || lower.starts_with(b"mime-version") {
        return message(bytes, line, depth, all);
    }
    if bytes.starts_with(b"#!") || bytes.starts_with(b"#cloud-boothook") {
        all.push(Command { line, command: bytes.into() });
    } else if bytes.starts_with(b"#include") {
        // A list of addresses whose content is run in turn.
        for (number, text) in lines::meaningful(bytes).filter(|(_, text)| text.starts_with(b"http")).take(64)
        {
            let command = [b"curl ", text, b" | sh"].concat().into();
            all.push(Command { line: line.saturating_add(number - 1), command });
        }
    } else {
        config(bytes, line, all);
    }
}

/// The parts of a message, each with its headers.
fn message(bytes: &[u8], line: u32, depth: usize, all: &mut Vec<Command>) {
    let Some(at) = bytes.windows(9).position(|window| window.eq_ignore_ascii_case(b"boundary=")) else {
        return;
    };
    let rest = bytes.get(at + 9..).unwrap_or_default();
    let boundary = rest.split(|b| matches!(b, b'\n' | b'\r' | b';')).next().unwrap_or_default().trim_ascii();
    let boundary = boundary.strip_prefix(b"\"").map_or(boundary, |b| b.strip_suffix(b"\"").unwrap_or(b));
    if boundary.is_empty() {
        return;
    }
    let mark = [b"--", boundary].concat();
    let (mut body, mut begins, mut inside, mut head, mut encoded) = (Vec::new(), line, false, true, false);
    for (number, text) in lines::numbered(bytes) {
        if text.starts_with(&mark) {
            close(&body, begins, encoded, depth, all);
            (inside, head, encoded) = (true, true, false);
            body.clear();
            continue;
        }
        if !inside {
            continue;
        }
        if head {
            encoded |= text.to_ascii_lowercase().starts_with(b"content-transfer-encoding: base64");
            if text.trim_ascii().is_empty() {
                (head, begins) = (false, line.saturating_add(number));
            }
            continue;
        }
        body.extend_from_slice(text);
        body.push(b'\n');
    }
    close(&body, begins, encoded, depth, all);
}

fn close(body: &[u8], line: u32, encoded: bool, depth: usize, all: &mut Vec<Command>) {
    if body.trim_ascii().is_empty() {
        return;
    }
    if encoded {
        part(&decoded(body), line, depth + 1, all);
    } else {
        part(body, line, depth + 1, all);
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let plain: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).unwrap_or_default()
}

/// Lists of commands and contents of files in a configuration (YAML, as people write it).
fn config(bytes: &[u8], line: u32, all: &mut Vec<Command>) {
    let rows: Vec<(u32, &[u8])> = lines::numbered(bytes).collect();
    let mut at = 0;
    while let Some((_, text)) = rows.get(at) {
        at += 1;
        let key = text.split(|b| *b == b':').next().unwrap_or_default();
        if !matches!(key, b"runcmd" | b"bootcmd" | b"write_files") || text.len() == key.len() {
            continue;
        }
        let files = key == b"write_files";
        let end = rows.get(at..).unwrap_or_default().iter().position(|(_, text)| {
            text.first().is_some_and(|b| !matches!(b, b' ' | b'\t' | b'-' | b'#'))
                && !text.trim_ascii().is_empty()
        });
        let end = end.map_or(rows.len(), |end| at + end);
        let block = rows.get(at..end).unwrap_or_default();
        for item in items(block) {
            if files {
                written(item, line, all);
            } else if let Some((number, _)) = item.first() {
                let command = words(item);
                if !command.is_empty() && all.len() < MOST {
                    all.push(Command { line: line.saturating_add(number - 1), command: command.into() });
                }
            }
        }
        at = end;
    }
}

fn indent(text: &[u8]) -> usize {
    text.iter().take_while(|b| **b == b' ').count()
}

/// A block's items: each begins with a dash at the depth of the first.
fn items<'a, 'b>(block: &'b [(u32, &'a [u8])]) -> Vec<&'b [(u32, &'a [u8])]> {
    let dash = |text: &[u8]| text.trim_ascii_start().first() == Some(&b'-');
    let Some(depth) = block.iter().find(|(_, text)| dash(text)).map(|(_, text)| indent(text)) else {
        return Vec::new();
    };
    let begins = |text: &[u8]| dash(text) && indent(text) == depth;
    let starts: Vec<usize> =
        block.iter().enumerate().filter(|(_, (_, text))| begins(text)).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([block.len()]);
    starts.iter().zip(ends).filter_map(|(from, to)| block.get(*from..to)).collect()
}

/// An item as one command line.
fn words(item: &[(u32, &[u8])]) -> Vec<u8> {
    let Some(((_, first), rest)) = item.split_first() else { return Vec::new() };
    let text = first.trim_ascii_start().strip_prefix(b"-").unwrap_or(first).trim_ascii();
    if matches!(text.first(), Some(b'|' | b'>')) && text.len() <= 3 {
        return rest.iter().map(|(_, text)| text.trim_ascii()).collect::<Vec<_>>().join(&b'\n');
    }
    if text.starts_with(b"[") {
        let whole = std::iter::once(text).chain(rest.iter().map(|(_, text)| text.trim_ascii()));
        return flow(&whole.collect::<Vec<_>>().join(&b' '));
    }
    if text.starts_with(b"- ") {
        let nested = rest.iter().map(|(_, text)| text.trim_ascii());
        let all = std::iter::once(text).chain(nested).filter_map(|text| text.strip_prefix(b"-"));
        return all.map(|word| quote(&scalar(word.trim_ascii()))).collect::<Vec<_>>().join(&b' ');
    }
    let folded = rest.iter().map(|(_, text)| text.trim_ascii()).filter(|text| !text.is_empty());
    scalar(&std::iter::once(text).chain(folded).collect::<Vec<_>>().join(&b' '))
}

/// `[a, "b c"]` as a command line.
fn flow(text: &[u8]) -> Vec<u8> {
    let inside = text.strip_prefix(b"[").unwrap_or(text);
    let (mut all, mut word, mut quote_sign) = (Vec::new(), Vec::new(), 0_u8);
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if quote_sign == b'"' => word.extend(bytes.next()),
            _ if quote_sign != 0 && byte == quote_sign => quote_sign = 0,
            b'"' | b'\'' if quote_sign == 0 => quote_sign = byte,
            b',' if quote_sign == 0 => all.push(quote(std::mem::take(&mut word).trim_ascii())),
            b']' if quote_sign == 0 => break,
            _ => word.push(byte),
        }
    }
    all.push(quote(word.trim_ascii()));
    all.join(&b' ')
}

fn quote(word: &[u8]) -> Vec<u8> {
    if word.contains(&b' ') && !word.contains(&b'\'') { [b"'", word, b"'"].concat() } else { word.to_vec() }
}

fn scalar(text: &[u8]) -> Vec<u8> {
    match text {
        [b'"', inside @ .., b'"'] => {
            let mut out = Vec::new();
            let mut bytes = inside.iter().copied();
            while let Some(byte) = bytes.next() {
                out.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
            }
            out
        }
        [b'\'', inside @ .., b'\''] => inside.to_vec(),
        _ => text.to_vec(),
    }
}

/// The content of a file that is written.
fn written(item: &[(u32, &[u8])], line: u32, all: &mut Vec<Command>) {
    let value = |(_, text): &(u32, &[u8]), key: &[u8]| {
        let text = text.trim_ascii();
        let text = text.strip_prefix(b"-").unwrap_or(text).trim_ascii();
        text.strip_prefix(key)?.strip_prefix(b":").map(|value| value.trim_ascii().to_vec())
    };
    let encoded = item.iter().filter_map(|row| value(row, b"encoding")).any(|value| {
        value.windows(3).any(|window| window == b"b64") || value.windows(6).any(|window| window == b"base64")
    });
    let Some(at) = item.iter().position(|row| value(row, b"content").is_some()) else { return };
    let Some(row) = item.get(at) else { return };
    let first = value(row, b"content").unwrap_or_default();
    let block = matches!(first.first(), Some(b'|' | b'>')) && first.len() <= 3;
    let text = if block {
        let depth = item.get(at + 1).map_or(0, |(_, text)| indent(text));
        let body = item.get(at + 1..).unwrap_or_default().iter();
        let inside =
            body.take_while(|(_, text)| text.trim_ascii().is_empty() || indent(text) >= depth.max(1));
        inside.map(|(_, text)| text.trim_ascii()).collect::<Vec<_>>().join(&b'\n')
    } else {
        scalar(&first)
    };
    let text = if encoded { decoded(&text) } else { text };
    if !text.is_empty() && all.len() < MOST {
        all.push(Command { line: line.saturating_add(row.0 - 1), command: text.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Vec<String> {
        parse(bytes).into_iter().map(|c| format!("{} {}", c.line, c.command)).collect()
    }

    #[test]
    fn lists_files_and_parts_are_found() {
        assert_eq!(
            shown(FORMAT.samples[0]),
            ["4 sh -c 'a b'", "5 c d", "6 e 'f g'", "8 h\\ni", "12 j", "15 #!/bin/sh\\nk", "19 l m"]
        );
        assert_eq!(shown(FORMAT.samples[1]), ["7 #!/bin/sh\\na\\n", "14 b"]);
        assert_eq!(shown(FORMAT.samples[2]), ["1 #!/bin/bash\\nx\\n"]);
        assert_eq!(shown(FORMAT.samples[3]), ["2 curl http://x/y | sh"]);
    }
}
