//! What interpreters and tools read or run when they start.

use crate::init_jobs::Command;
use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "interpreter_start",
    doc: "Lines that interpreters and tools run when they start.",
    manual: "Python library reference, site; npm-config(7); psql(1); gdb(1); tmux(1); vim(1)",
    samples: &[
        b"/usr/local/lib/x\n# c\nimport os; os.system('a')\nimport  foo.bar, baz\n\timport x\n./rel\n",
        b"script-shell=/a\nprefix = /b\nregistry=http://c/\nyarn-path \"d.js\"\nyarnPath: e.js\n; x\n",
        b"\\! a b\n\\set P '%`c`'\nshell d\nrun-shell \"e f\"\nsilent !g\ncall system('h i')\n.shell j\n",
    ],
    feed: |bytes| {
        drop(path_file(bytes));
        drop(modules(bytes));
        drop(rc_values(bytes));
        drop(tool_commands(bytes));
    },
};

/// No more lines than this are taken from one file.
const MOST: usize = 4096;

/// Lines of a .pth file: those that are run as Python (`import …`), and the directories the others add.
pub fn path_file(bytes: &[u8]) -> (Vec<Command>, Vec<Text>) {
    let (mut code, mut directories) = (Vec::new(), Vec::new());
    for (line, text) in lines::numbered(bytes).take(MOST) {
        if text.starts_with(b"import ") || text.starts_with(b"import\t") {
            code.push(Command { line, command: text.trim_ascii().into() });
        } else if text.starts_with(b"/") {
            directories.push(text.trim_ascii_end().into());
        }
    }
    (code, directories)
}

/// The modules that a line of Python imports: `import a.b, c as d; …` gives `a` and `c`.
pub fn modules(text: &[u8]) -> Vec<Text> {
    let mut all = Vec::new();
    for statement in text.split(|b| *b == b';').take(64) {
        let statement = statement.trim_ascii();
        let names = statement.strip_prefix(b"import ").or_else(|| statement.strip_prefix(b"from "));
        for name in names.unwrap_or_default().split(|b| *b == b',').take(16) {
            let first =
                name.trim_ascii().split(|b| matches!(b, b'.' | b' ' | b'\t')).next().unwrap_or_default();
            if !first.is_empty() && first.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
                all.push(first.into());
            }
        }
    }
    all
}

/// `name=value`, `name: value` and `name value` lines: line, name in small letters, value without quotes.
pub fn rc_values(bytes: &[u8]) -> Vec<(u32, String, Text)> {
    let value = |(line, text): (u32, &[u8])| {
        let end = text.iter().position(|b| matches!(b, b'=' | b':' | b' ' | b'\t'))?;
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_ascii();
        let rest = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b":")).unwrap_or(rest).trim_ascii();
        let quoted = matches!(rest, [a @ (b'"' | b'\''), .., b] if a == b);
        let rest = if quoted { rest.get(1..rest.len() - 1)? } else { rest };
        let name = name.strip_prefix(b"//").unwrap_or(name);
        Some((line, String::from_utf8_lossy(name).to_ascii_lowercase(), rest.into()))
    };
    lines::meaningful(bytes)
        .filter(|(_, text)| !text.starts_with(b";"))
        .filter_map(value)
        .take(MOST)
        .collect()
}

/// Commands that settings of interactive tools hand to a shell.
pub fn tool_commands(bytes: &[u8]) -> Vec<Command> {
    const MARKS: &[&[u8]] = &[
        b"\\!",
        b"\\o |",
        b"\\g |",
        b"shell ",
        b"!",
        b"run-shell ",
        b"run ",
        b"if-shell ",
        b".shell ",
        b".system ",
        b"platform shell ",
        b"backtick ",
        b"exec ",
        b":!",
        b"silent !",
        b"silent! !",
        b"silent execute \"!",
    ];
    let mut all = Vec::new();
    for (line, text) in lines::numbered(bytes) {
        let text = text.trim_ascii();
        if all.len() >= MOST {
            break;
        }
        // `autocmd VimEnter * silent !x`: the mark stands behind.
        let at = text.windows(8).position(|window| window == b"silent !" || window == b"silent! ");
        let begins =
            if text.starts_with(b"au") { at.and_then(|at| text.get(at..)).unwrap_or(text) } else { text };
        let mut found = MARKS.iter().filter_map(|mark| begins.strip_prefix(*mark));
        let command = found.next().map(<[u8]>::trim_ascii).map(|command| {
            let command = command.strip_prefix(b"-b ").unwrap_or(command);
            let whole = matches!(command, [a @ (b'"' | b'\''), .., b] if a == b);
            if whole { command.get(1..command.len() - 1).unwrap_or_default() } else { command }
        });
        if let Some(command) = command.filter(|command| !command.is_empty()) {
            all.push(Command { line, command: command.into() });
            continue;
        }
        for call in [&b"system("[..], b"system ", b"shell-command ", b"os.system(", b"popen("] {
            let Some(at) = text.windows(call.len()).position(|window| window == call) else { continue };
            let behind = text.get(at + call.len()..).unwrap_or_default().trim_ascii_start();
            if let [quote @ (b'"' | b'\''), inside @ ..] = behind {
                let command = inside.split(|b| b == quote).next().unwrap_or_default();
                all.push(Command { line, command: command.into() });
                break;
            }
        }
        let inside = text.split(|b| *b == b'`').nth(1).filter(|_| text.starts_with(b"\\set"));
        if let Some(command) = inside {
            all.push(Command { line, command: command.into() });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_understood() {
        let (code, directories) = path_file(FORMAT.samples[0]);
        assert_eq!((code.len(), directories), (2, vec!["/usr/local/lib/x".into()]));
        assert_eq!(modules(b"import foo.bar, baz as q; from z import y"), ["foo", "baz", "z"]);
        let all = rc_values(FORMAT.samples[1]);
        let shown: Vec<_> = all.iter().map(|(line, name, value)| format!("{line} {name} {value}")).collect();
        assert_eq!(
            shown,
            [
                "1 script-shell /a",
                "2 prefix /b",
                "3 registry http://c/",
                "4 yarn-path d.js",
                "5 yarnpath e.js"
            ]
        );
        let all: Vec<_> =
            tool_commands(FORMAT.samples[2]).into_iter().map(|c| c.command.to_string()).collect();
        assert_eq!(all, ["a b", "c", "d", "e f", "g", "h i", "j"]);
    }
}
