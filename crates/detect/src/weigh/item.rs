//! What is odd about one file as a thing that is run or loaded, and about variables that make programs load one.

use super::command::{Scale, Strength};
use super::{calls, code, places, walk};
use calma_record::Text;

/// Scripts are followed from one to the next this often.
pub(super) const DEEPEST: usize = 4;

/// `path` is run, read by an interpreter, or loaded.
pub(super) fn run(scale: &mut Scale<'_, '_>, path: &[u8], depth: usize) {
    if !scale.seen.insert(path.to_vec()) {
        return;
    }
    place(scale, path);
    content(scale, path, depth);
}

/// What the file at `path` is and does, wherever it stands.
pub(super) fn content(scale: &mut Scale<'_, '_>, path: &[u8], depth: usize) {
    let Some(row) = scale.files.get(&Text::from(path)) else { return };
    let file = row.fact;
    let real = file.real.as_ref().map_or(path, Text::as_bytes);
    match file.what.as_str() {
        "missing" => {
            if depth == 0 {
                scale.reason(Strength::Note, format!("{} is not there", file.path));
            }
            return;
        }
        "file" => {}
        _ => return,
    }
    if real != path {
        place(scale, real);
    }
    changeable(scale, &row, path);
    let begins = file.text.as_ref().is_some_and(|text| text.as_bytes().starts_with(b"#!"));
    let program = file.elf || begins || file.mode & 0o111 != 0;
    if file.package.is_none() && file.packages_known && program && places::is_packaged_place(real) {
        scale.path(path);
        scale.reason(
            Strength::Strong,
            format!("{} stands among the system's own programs, but no package owns it", Text::from(real)),
        );
    }
    if let Some(text) =
        file.text.as_ref().filter(|_| depth < DEEPEST && (file.package.is_none() || in_etc(real)))
    {
        script(scale, path, text.as_bytes(), depth + 1);
    }
}

fn in_etc(path: &[u8]) -> bool {
    places::is_below(path, b"/etc")
}

/// Who may change the file that runs.
fn changeable(scale: &mut Scale<'_, '_>, row: &crate::Row<'_, calma_record::kinds::File>, path: &[u8]) {
    let file = row.fact;
    if file.mode & 0o002 != 0 {
        scale.path(path);
        scale.reason(Strength::Strong, format!("everybody may write to {}", file.path));
    } else if scale.as_root && file.package.is_none() {
        if file.uid != 0 {
            scale.path(path);
            let reason = format!("root runs {}, which belongs to user id {}", file.path, file.uid);
            scale.reason(Strength::Strong, reason);
        } else if file.mode & 0o020 != 0 && !matches!(file.gid, 0 | 50) {
            scale.path(path);
            let reason = format!("root runs {}, which group id {} may change", file.path, file.gid);
            scale.reason(Strength::Weak, reason);
        }
    }
}

/// The words of a script, by the language its first line or its name says.
pub(super) fn script(scale: &mut Scale<'_, '_>, path: &[u8], text: &[u8], depth: usize) {
    let before = scale.reasons();
    let first = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = first.strip_prefix(b"#!").unwrap_or_default();
    let language = line
        .split(|b| matches!(b, b' ' | b'\t' | b'/'))
        .rfind(|word| code::language(word).is_some() || walk::is_shell(word))
        .and_then(code::language)
        .or_else(|| (line.is_empty()).then(|| code::language_of_name(path)).flatten());
    match language {
        Some(language) => {
            code::weigh(scale, language, text, false);
            calls::weigh(scale, language, text, depth);
        }
        None => {
            walk::text(scale, text, depth);
        }
    }
    if scale.reasons() > before {
        scale.path(path);
    }
}

/// Where a thing that runs or is loaded stands, and how it is named.
pub(super) fn place(scale: &mut Scale<'_, '_>, path: &[u8]) {
    let shown = Text::from(path);
    let mut odd = false;
    if places::is_open(path) {
        odd = true;
        let memory = path.starts_with(b"/proc/") && places::contains(path, b"/fd/");
        let (strength, reason) = if memory {
            (Strength::Plain, format!("it runs {shown}: a program that has no file"))
        } else {
            (Strength::Strong, format!("{shown} stands where anybody may put files"))
        };
        scale.reason(strength, reason);
    }
    if places::is_hidden(path) {
        odd = true;
        scale.reason(
            Strength::Strong,
            format!("{shown} is hidden: its name or its directory begins with a dot"),
        );
    }
    if places::is_deceptive(without_options(path)) {
        odd = true;
        scale.reason(Strength::Strong, format!("{shown} is named so that it is overlooked or misread"));
    }
    if odd {
        scale.path(path);
    }
}

/// `name=value` in the environment of something that runs.
pub(super) fn variable(scale: &mut Scale<'_, '_>, name: &[u8], value: &[u8], depth: usize) {
    // What each loads, and from what: files to load, directories to search, commands to run.
    let paths = value.split(|b| matches!(b, b':' | b' ' | b',' | b';')).filter(|path| path.starts_with(b"/"));
    match name {
        b"LD_PRELOAD" | b"LD_AUDIT" => {
            for path in paths {
                let before = scale.reasons();
                run(scale, path, depth.max(1));
                let packaged = scale
                    .files
                    .get(&Text::from(path))
                    .is_none_or(|row| row.package.is_some() || !row.packages_known || row.what != "file");
                let strength = if scale.reasons() > before {
                    Strength::Weak
                } else if packaged {
                    continue;
                } else {
                    Strength::Strong
                };
                scale.path(path);
                let name = Text::from(name);
                let reason = format!(
                    "{name} puts {} into every program it starts; no package owns it",
                    Text::from(path)
                );
                scale.reason(strength, reason);
            }
        }
        b"LD_LIBRARY_PATH" | b"PATH" | b"PYTHONPATH" | b"PERL5LIB" | b"PERLLIB" | b"RUBYLIB"
        | b"GCONV_PATH" | b"NODE_PATH" => {
            for path in paths {
                // A directory anybody may write to is as bad as one below it.
                if places::is_open(&[path, b"/x"].concat())
                    || places::is_hidden(path)
                    || places::is_deceptive(path)
                {
                    scale.path(path);
                    let reason = format!(
                        "{} searches {} first or also, where an intruder may put files",
                        Text::from(name),
                        Text::from(path)
                    );
                    scale.reason(Strength::Strong, reason);
                }
            }
        }
        b"BASH_ENV" | b"ENV" | b"PYTHONSTARTUP" | b"SHELL" | b"PERL5DB" => {
            paths.for_each(|path| run(scale, path, depth.max(1)))
        }
        b"PERL5OPT" | b"RUBYOPT" | b"NODE_OPTIONS" | b"JAVA_TOOL_OPTIONS" => {
            let words =
                value.split(|b| matches!(b, b' ' | b'=' | b':')).filter(|word| word.starts_with(b"/"));
            words.for_each(|path| place(scale, path));
        }
        b"PROMPT_COMMAND" | b"PAGER" | b"EDITOR" | b"GIT_SSH_COMMAND" | b"LESSOPEN" => {
            walk::text(scale, value, depth + 1);
        }
        b"HISTFILE" if value.is_empty() || value == b"/dev/null" => {
            scale.reason(Strength::Strong, "it switches the shell's history off");
        }
        b"HISTSIZE" | b"HISTFILESIZE" if value == b"0" => {
            scale.reason(Strength::Strong, "it switches the shell's history off");
        }
        _ => {}
    }
}

/// A variable may hold a program with its options ("/usr/sbin/postmulti -i x -x /usr/sbin/postfix"); only the program is named.
fn without_options(path: &[u8]) -> &[u8] {
    let end = path.windows(2).position(|two| two == b" -").unwrap_or(path.len());
    path.get(..end).unwrap_or(path)
}
