//! JSP, ASP and CGI scripts: statement by statement, which names hold input and where they end up.

use super::{Found, Signal, find, has};
use std::collections::BTreeSet;

/// How a language writes what matters here.
struct Dialect {
    /// Texts that stand for the request's input.
    sources: &'static [&'static str],
    /// Texts behind which input is run, and what that means.
    sinks: &'static [(&'static str, Signal)],
    /// What ends a statement.
    ends: &'static [u8],
    /// What stands before a variable's name wherever it is used; 0 where nothing does.
    sigil: u8,
    /// What begins a comment's line.
    comment: &'static [u8],
}

/// No statement is followed further than this, and no more names are kept.
const LONGEST: usize = 4096;
const MOST_NAMES: usize = 5000;

/// JSP and ASP pages.
pub(super) fn page(bytes: &[u8]) -> Found {
    follow(
        bytes,
        &Dialect {
            sources: &[
                "request.getParameter",
                "request.getHeader",
                "request.getInputStream",
                "request.getReader",
                "request.getQueryString",
                "request.getCookies",
                "Request[",
                "Request(",
                "request(",
                "Request.Form",
                "Request.QueryString",
                "Request.Params",
                "Request.Headers",
                "Request.InputStream",
                "Request.BinaryRead",
                "Request.Item",
                "Request.Cookies",
                "param.",
            ],
            sinks: &[
                (".exec(", Signal::InputExecuted),
                ("ProcessBuilder(", Signal::InputExecuted),
                ("Process.Start(", Signal::InputExecuted),
                (".Arguments", Signal::InputExecuted),
                ("defineClass(", Signal::InputLoaded),
                ("Assembly.Load(", Signal::InputLoaded),
                ("eval(", Signal::InputEvaluated),
                ("eval ", Signal::InputEvaluated),
                ("Eval(", Signal::InputEvaluated),
                ("execute(", Signal::InputEvaluated),
                ("execute ", Signal::InputEvaluated),
                ("Execute(", Signal::InputEvaluated),
                ("ExecuteGlobal", Signal::InputEvaluated),
                ("FileOutputStream(", Signal::InputWritten),
            ],
            ends: b";\n",
            sigil: 0,
            comment: b"//",
        },
    )
}

/// Perl CGI scripts.
pub(super) fn perl(bytes: &[u8]) -> Found {
    if !has(bytes, b"CGI")
        && !has(bytes, b"QUERY_STRING")
        && !has(bytes, b"CONTENT_LENGTH")
        && !has(bytes, b"HTTP_")
    {
        return Found::new();
    }
    follow(
        bytes,
        &Dialect {
            sources: &["param(", "QUERY_STRING", "{HTTP_", "{'HTTP_", "{\"HTTP_", "<STDIN>", "POSTDATA"],
            sinks: &[
                ("system(", Signal::InputExecuted),
                ("system ", Signal::InputExecuted),
                ("exec(", Signal::InputExecuted),
                ("exec ", Signal::InputExecuted),
                ("qx", Signal::InputExecuted),
                ("`", Signal::InputExecuted),
                ("eval $", Signal::InputEvaluated),
                ("eval($", Signal::InputEvaluated),
                ("eval(param", Signal::InputEvaluated),
                ("eval param", Signal::InputEvaluated),
            ],
            ends: b";",
            sigil: b'$',
            comment: b"#",
        },
    )
}

/// Python CGI scripts and modules.
pub(super) fn python(bytes: &[u8]) -> Found {
    follow(
        bytes,
        &Dialect {
            sources: &[
                "FieldStorage",
                ".getvalue(",
                "QUERY_STRING",
                "HTTP_",
                "request.args",
                "request.form",
                "request.values",
                "request.GET",
                "request.POST",
                "request.params",
                "request.headers",
                "request.data",
                "request.cookies",
                "request.get_json",
            ],
            sinks: &[
                ("os.system(", Signal::InputExecuted),
                ("os.popen(", Signal::InputExecuted),
                ("popen(", Signal::InputExecuted),
                ("Popen(", Signal::InputExecuted),
                ("getoutput(", Signal::InputExecuted),
                ("check_output(", Signal::InputExecuted),
                ("subprocess.run(", Signal::InputExecuted),
                ("subprocess.call(", Signal::InputExecuted),
                (" eval(", Signal::InputEvaluated),
                ("=eval(", Signal::InputEvaluated),
                ("exec(", Signal::InputEvaluated),
            ],
            ends: b"\n",
            sigil: 0,
            comment: b"#",
        },
    )
}

/// CGI scripts of a shell. A variable at the place of a command, or behind `eval` or `sh -c`, is run.
pub(super) fn shell(bytes: &[u8]) -> Found {
    let mut found = Found::new();
    if !["QUERY_STRING", "HTTP_", "CONTENT_LENGTH", "PATH_INFO", "REQUEST_METHOD"]
        .iter()
        .any(|name| has(bytes, name.as_bytes()))
    {
        return found;
    }
    let sources = ["QUERY_STRING", "$HTTP_", "${HTTP_", "CONTENT_LENGTH", "$PATH_INFO", "${PATH_INFO"];
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    for _ in 0..2 {
        for (number, line) in crate::lines::meaningful(bytes) {
            let line = line.get(..line.len().min(LONGEST)).unwrap_or(line);
            let input =
                |part: &[u8]| sources.iter().any(|s| has(part, s.as_bytes())) || holds(part, &names, b'$');
            let mut run = ["eval ", "sh -c ", "bash -c "].iter().any(|sink| {
                find(line, sink.as_bytes()).is_some_and(|at| {
                    let free = at == 0
                        || line
                            .get(at - 1)
                            .is_some_and(|b| !b.is_ascii_alphanumeric() || sink.starts_with("sh"));
                    free && input(line.get(at..).unwrap_or_default())
                })
            });
            run |= ["| sh", "|sh", "| bash", "|bash"].iter().any(|sink| {
                find(line, sink.as_bytes()).is_some_and(|at| {
                    let ends = line
                        .get(at + sink.len())
                        .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_' && *b != b'.');
                    ends && input(line.get(..at).unwrap_or_default())
                })
            });
            // At the beginning, in $(…) or in backticks.
            let commands = std::iter::once(line).chain(["$(", "`"].iter().filter_map(|open| {
                let at = find(line, open.as_bytes())?;
                line.get(at + open.len()..)
            }));
            for command in commands {
                let command =
                    command.trim_ascii_start().strip_prefix(b"\"").unwrap_or(command.trim_ascii_start());
                let length = command
                    .iter()
                    .position(|b| matches!(b, b' ' | b'\t' | b')' | b'`' | b';'))
                    .unwrap_or(command.len());
                let word = command.get(..length).unwrap_or_default();
                run |= word.starts_with(b"$") && !word.starts_with(b"$(") && input(word);
            }
            if run {
                found.entry(Signal::InputExecuted).or_insert(number);
            }
            if let Some((name, value)) = crate::lines::cut(line, b'=')
                && input(value)
            {
                keep(
                    &mut names,
                    name.rsplit(|b| matches!(b, b' ' | b'\t' | b';')).next().unwrap_or_default(),
                );
            }
            if let Some(rest) = find(line, b"read ").and_then(|at| line.get(at + 5..)) {
                let words = crate::lines::words(rest).filter(|word| !word.starts_with(b"-"));
                words.take(3).for_each(|word| keep(&mut names, word));
            }
        }
    }
    found
}

fn keep(names: &mut BTreeSet<Vec<u8>>, name: &[u8]) {
    let whole = !name.is_empty() && name.len() < 64 && name.iter().all(|b| is_word(*b));
    if whole && names.len() < MOST_NAMES {
        names.insert(name.to_vec());
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a name that holds input stands in `part`, used as a variable.
fn holds(part: &[u8], names: &BTreeSet<Vec<u8>>, sigil: u8) -> bool {
    if names.is_empty() {
        return false;
    }
    let mut at = 0;
    while let Some(start) =
        part.get(at..).and_then(|rest| rest.iter().position(|b| is_word(*b))).map(|skip| at + skip)
    {
        let rest = part.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|b| is_word(**b)).count();
        let before = part.get(..start).unwrap_or_default();
        let before = before.strip_suffix(b"{").unwrap_or(before);
        let used = sigil == 0 || before.last() == Some(&sigil);
        if used && rest.get(..length).is_some_and(|word| names.contains(word)) {
            return true;
        }
        at = start + length;
    }
    false
}

/// Statement by statement: names that are given input hold it, and what is behind a sink is looked at.
fn follow(bytes: &[u8], dialect: &Dialect) -> Found {
    let (mut found, mut names) = (Found::new(), BTreeSet::new());
    for _ in 0..2 {
        let mut line = 1_u32;
        for statement in bytes.split_inclusive(|b| dialect.ends.contains(b)) {
            let breaks = statement.iter().filter(|b| **b == b'\n').count();
            let number = line;
            line = line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
            let mut text = statement.trim_ascii();
            while text.starts_with(dialect.comment) && !dialect.ends.contains(&b'\n') {
                let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
                text = text.get(end..).unwrap_or_default().trim_ascii();
            }
            let text = text.get(..text.len().min(LONGEST)).unwrap_or(text);
            if text.is_empty() || text.starts_with(dialect.comment) {
                continue;
            }
            let input = |part: &[u8]| {
                dialect.sources.iter().any(|s| has(part, s.as_bytes())) || holds(part, &names, dialect.sigil)
            };
            for (sink, signal) in dialect.sinks {
                let Some(at) = find(text, sink.as_bytes()) else { continue };
                let before = text.get(..at).unwrap_or_default();
                let whole = !sink.as_bytes().first().is_some_and(|b| is_word(*b))
                    || !(before.ends_with(b"->")
                        || before.last().is_some_and(|b| is_word(*b) || matches!(b, b'.' | b'$' | b'-')));
                if whole && input(behind(text, at + sink.len(), sink)) {
                    found.entry(*signal).and_modify(|first| *first = number.min(*first)).or_insert(number);
                }
            }
            if let Some(name) = assigned(text)
                && let Some(at) = find(text, b"=")
                && input(text.get(at..).unwrap_or_default())
            {
                keep(&mut names, &name);
            }
        }
    }
    found
}

/// What a sink is given: the rest of the statement, or what stands between two backticks.
fn behind<'a>(text: &'a [u8], at: usize, sink: &str) -> &'a [u8] {
    let rest = text.get(at..).unwrap_or_default();
    if sink == "`" { rest.split(|b| *b == b'`').next().unwrap_or_default() } else { rest }
}

/// The name before the first single `=`.
fn assigned(text: &[u8]) -> Option<Vec<u8>> {
    let at = text.iter().position(|b| *b == b'=')?;
    if matches!(text.get(at + 1), Some(b'=' | b'~' | b'>')) {
        return None;
    }
    let before = text.get(..at)?.trim_ascii_end();
    if matches!(before.last(), Some(b'=' | b'!' | b'<' | b'>')) {
        return None;
    }
    let start = before.iter().rposition(|b| !is_word(*b)).map_or(0, |at| at + 1);
    before.get(start..).map(<[u8]>::to_vec)
}
