//! What backups, scanners and integrity checkers are told to leave out, keep or not to do.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "protection",
    doc: "Exclusions, retention and switched-off parts of backup and security programs, and cron lines that are commented out.",
    manual: "crontab(5), rsnapshot(1), borgmatic's and Bacula's documentation, aide.conf(5), clamd.conf(5), rkhunter(8), Wazuh's ossec.conf reference",
    samples: &[
        b"# m h dom\n#15 3 * * * root /usr/local/bin/backup.sh\n#@daily restic backup /\n",
        b"retain\tdaily\t0\nbackup\t/etc/\tlocalhost/\nexclude\t/\n",
        b"keep_daily: 0\nkeep_weekly: 4\nexclude_patterns:\n    - /\n    - '*.pyc'\nsource_directories: []\n",
        b"!/etc\n!/var/log/.*\nExcludePath ^/tmp/\nScanELF no\n",
        b"<ossec_config><syscheck>\n<disabled>yes</disabled><ignore>/usr/bin</ignore></syscheck></ossec_config>",
        b"Job {\n  Name = a\n  Enabled = no\n}\n",
        b"DISABLE_TESTS=\"all\"\nALLOWHIDDENDIR=/dev/.x\n",
    ],
    feed: |bytes| {
        drop(commented_jobs(bytes));
        drop(ends_early(bytes));
        drop(states(bytes, Program::Backup));
        for program in [Program::Aide, Program::Clam, Program::Ossec, Program::Rkhunter, Program::Paths] {
            drop(states(bytes, program));
        }
    },
};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// rsnapshot, borgmatic, Bacula and the like.
    Backup,
    /// AIDE.
    Aide,
    /// ClamAV.
    Clam,
    /// OSSEC and Wazuh.
    Ossec,
    /// rkhunter.
    Rkhunter,
    /// One path a line.
    Paths,
}

/// One thing that is left out or switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Line, from 1.
    pub line: u32,
    /// `excludes`, `keeps-none`, `switched-off`, `nothing-included`.
    pub name: &'static str,
    /// The path, or the setting as written.
    pub value: Text,
}

/// No more states than this are taken from one file.
const MOST: usize = 2_000;

/// Lines that would be jobs of cron if no `#` stood in front, with their command.
pub fn commented_jobs(bytes: &[u8]) -> Vec<State> {
    let mut jobs = Vec::new();
    for (line, text) in lines::numbered(bytes) {
        let Some(rest) = text.trim_ascii().strip_prefix(b"#").filter(|_| jobs.len() < MOST) else { continue };
        let rest = rest.trim_ascii_start();
        let mut words = lines::words(rest);
        let first = lines::words(rest).next().unwrap_or_default();
        let fields = if first.starts_with(b"@") && first.len() > 4 { 1 } else { 5 };
        let field = |word: &&[u8]| {
            word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'/' | b',' | b'-' | b'@'))
        };
        let telling = |word: &&[u8]| word.iter().any(|b| b.is_ascii_digit() || matches!(b, b'*' | b'@'));
        let when: Vec<&[u8]> = words.by_ref().take(fields).collect();
        let command: Vec<&[u8]> = words.collect();
        // An example of the manual names no path.
        let runs = command.iter().any(|word| word.contains(&b'/')) || command.len() > 1;
        if when.len() == fields && when.iter().all(field) && when.iter().take(2).all(telling) && runs {
            jobs.push(State { line, name: "commented-out", value: command.join(&b' ').into() });
        }
    }
    jobs
}

/// Where a shell script ends before what it is for: an `exit` that stands alone outside any condition, and what follows.
pub fn ends_early(bytes: &[u8]) -> Option<State> {
    let (mut depth, mut end) = (0_i32, None::<(u32, Text)>);
    let mut behind = 0_u32;
    for (line, text) in lines::meaningful(bytes).take(10_000) {
        if end.is_some() {
            behind += u32::from(!matches!(text, b"exit" | b"exit 0" | b"fi" | b"}" | b"done"));
            continue;
        }
        // A text between marks is none of the script's commands; nothing is said of scripts that hold one.
        if text.windows(2).any(|pair| pair == b"<<") {
            return None;
        }
        let alone = text.split(|b| matches!(b, b';' | b'#')).next().unwrap_or_default().trim_ascii();
        let stops = alone.strip_prefix(b"exit").is_some_and(|rest| {
            rest.is_empty() || (rest.starts_with(b" ") && rest.trim_ascii().iter().all(u8::is_ascii_digit))
        }) || [&b"exec true"[..], b"exec /bin/true", b"exec /usr/bin/true", b"exec :"]
            .contains(&alone);
        if stops && depth == 0 {
            end = Some((line, text.into()));
            continue;
        }
        for word in text.split(|b| b" \t;".contains(b)) {
            match word {
                b"if" | b"case" | b"do" | b"{" => depth += 1,
                b"fi" | b"esac" | b"done" | b"}" => depth -= 1,
                _ if word.ends_with(b"(){") || word.ends_with(b"){") => depth += 1,
                _ => {}
            }
        }
        // `test -x /x || {`, joined lines: too deep rather than not deep enough.
        if text.ends_with(b"\\") || text.ends_with(b"||") || text.ends_with(b"&&") {
            depth = depth.max(1);
        }
    }
    end.filter(|_| behind > 0).map(|(line, value)| State { line, name: "ends-early", value })
}

/// What a program's settings leave out or switch off.
pub fn states(bytes: &[u8], program: Program) -> Vec<State> {
    let mut states = Vec::new();
    match program {
        Program::Backup => backup(bytes, &mut states),
        Program::Ossec => ossec(bytes, &mut states),
        _ => {
            for (line, text) in lines::meaningful(bytes) {
                if states.len() >= MOST {
                    break;
                }
                let mut put = |name, value: &[u8]| states.push(State { line, name, value: value.into() });
                match program {
                    Program::Aide => {
                        if let Some(path) = text
                            .strip_prefix(b"!")
                            .or(text.strip_prefix(b"-/").map(|_| text.get(1..).unwrap_or_default()))
                        {
                            put("excludes", plain_path(path.trim_ascii()));
                        }
                    }
                    Program::Paths => put("excludes", plain_path(text)),
                    Program::Clam => {
                        let (name, value) = lines::cut(text, b' ').unwrap_or((text, b""));
                        let off = matches!(value, b"no" | b"false" | b"0");
                        match name {
                            b"ExcludePath" | b"OnAccessExcludePath" => put("excludes", plain_path(value)),
                            b"ScanELF" | b"ScanPE" | b"ScanArchive" | b"ScanHTML" | b"Checks" if off => {
                                put("switched-off", text)
                            }
                            _ => {}
                        }
                    }
                    _ => {
                        let (name, value) = lines::cut(text, b'=').unwrap_or((text, b""));
                        let value = value.trim_ascii();
                        let value = value
                            .strip_prefix(b"\"")
                            .and_then(|rest| rest.strip_suffix(b"\""))
                            .unwrap_or(value);
                        let whitelist = name.ends_with(b"WHITELIST")
                            || name.starts_with(b"ALLOW")
                            || name == b"EXCLUDE_USER_FILEPROP_FILES_DIRS";
                        if name == b"DISABLE_TESTS" && value.eq_ignore_ascii_case(b"all") {
                            put("switched-off", text);
                        } else if whitelist && value.starts_with(b"/") {
                            put("allows", value.split(|b| *b == b':').next().unwrap_or_default());
                        }
                    }
                }
            }
        }
    }
    states
}

/// A path without the marks of a regular expression around it.
fn plain_path(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"^").unwrap_or(path);
    let path = lines::words(path).next().unwrap_or_default();
    let mut path = path;
    for end in [&b"$"[..], b".*", b"/*", b"/", b"(", b"/.*"] {
        path = path.strip_suffix(end).filter(|rest| !rest.is_empty()).unwrap_or(path);
    }
    path
}

/// rsnapshot.conf, borgmatic's YAML, Bacula's and Bareos's resources.
fn backup(bytes: &[u8], states: &mut Vec<State>) {
    let mut list: &[u8] = b"";
    let (mut keeps, mut none) = (0_u32, 0_u32);
    let mut last_none = None;
    for (line, text) in lines::meaningful(bytes) {
        if states.len() >= MOST {
            return;
        }
        let mut put = |name, value: &[u8]| states.push(State { line, name, value: value.into() });
        if let Some(item) = text.strip_prefix(b"- ") {
            let item = item.trim_ascii();
            let item = item
                .strip_prefix(b"'")
                .or(item.strip_prefix(b"\""))
                .map_or(item, |rest| rest.get(..rest.len().saturating_sub(1)).unwrap_or(rest));
            if matches!(list, b"exclude_patterns" | b"exclude" | b"excludes") {
                put("excludes", plain_path(item));
            }
            continue;
        }
        let words: Vec<&[u8]> = lines::words(text).take(4).collect();
        let (name, value) = lines::cut(text, b':').or_else(|| lines::cut(text, b'=')).unwrap_or((text, b""));
        list = if value.is_empty() { name } else { b"" };
        match (words.first().copied().unwrap_or_default(), words.get(2).copied()) {
            (b"retain" | b"interval", Some(number)) => {
                keeps += 1;
                if number == b"0" {
                    none += 1;
                    last_none = Some((line, Text::from(text)));
                }
            }
            (b"exclude", _) => put("excludes", plain_path(words.get(1).copied().unwrap_or_default())),
            _ => {}
        }
        if name.starts_with(b"keep_") || name.starts_with(b"keep-") {
            keeps += 1;
            if value == b"0" {
                none += 1;
                last_none = Some((line, Text::from(text)));
            }
        }
        if matches!(name, b"source_directories" | b"repositories" | b"sources") && value == b"[]" {
            put("nothing-included", text);
        }
        let switch = name.eq_ignore_ascii_case(b"enabled") || name.eq_ignore_ascii_case(b"enable");
        if switch && (value.eq_ignore_ascii_case(b"no") || value.eq_ignore_ascii_case(b"false")) {
            put("switched-off", text);
        }
    }
    // rsnapshot.conf names each thing to back up in a line of its own.
    let begins =
        |word: &[u8]| lines::meaningful(bytes).find(|(_, text)| lines::words(text).next() == Some(word));
    if let Some((line, text)) = begins(b"snapshot_root")
        && begins(b"backup").is_none()
        && begins(b"backup_script").is_none()
        && begins(b"backup_exec").is_none()
        && begins(b"include_conf").is_none()
    {
        states.push(State { line, name: "nothing-included", value: text.into() });
    }
    // Some steps of the past may be kept for nothing; all of them is no backup.
    if let Some((line, value)) = last_none.filter(|_| none == keeps) {
        states.push(State { line, name: "keeps-none", value });
    }
}

/// ossec.conf: what is ignored, and parts that are switched off.
fn ossec(bytes: &[u8], states: &mut Vec<State>) {
    let mut section = Vec::new();
    for (line, text) in lines::numbered(bytes) {
        for piece in text.split(|b| *b == b'<').skip(1) {
            let Some(end) = piece.iter().position(|b| *b == b'>') else { continue };
            let (tag, value) =
                (piece.get(..end).unwrap_or_default(), piece.get(end + 1..).unwrap_or_default().trim_ascii());
            let name = tag.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            match name {
                b"syscheck" | b"rootcheck" | b"active-response" | b"localfile" | b"wodle" | b"sca"
                | b"client" => section = name.to_vec(),
                b"ignore" if section == b"syscheck" || section == b"rootcheck" => {
                    for path in value.split(|b| *b == b',') {
                        states.push(State {
                            line,
                            name: "excludes",
                            value: plain_path(path.trim_ascii()).into(),
                        });
                    }
                }
                b"disabled" if value == b"yes" && (section == b"syscheck" || section == b"rootcheck") => {
                    states.push(State { line, name: "switched-off", value: section.as_slice().into() });
                }
                _ => {}
            }
            if states.len() >= MOST {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8], program: Program) -> Vec<(&'static str, String)> {
        states(bytes, program).into_iter().map(|state| (state.name, state.value.to_string())).collect()
    }

    #[test]
    fn an_end_before_the_work_is_found() {
        let line = |text: &str| ends_early(text.as_bytes()).map(|state| state.line);
        assert_eq!(line("#!/bin/sh\nexit 0\nset -e\ntar c /etc\n"), Some(2));
        assert_eq!(line("#!/bin/sh\nset -e\nexit # later\nrsync a b\n"), Some(3));
        assert_eq!(line("#!/bin/sh\nif [ -x /a ]; then\n  exit 0\nfi\ntar c /etc\nexit 0\n"), None);
        assert_eq!(line("#!/bin/sh\nf() {\n  exit 1\n}\ntar c /etc || exit 1\nexit 0\n"), None);
        assert_eq!(line("#!/bin/sh\ncase $1 in\na)\n exit 0\n;;\nesac\ntar c x\n"), None);
    }

    #[test]
    fn what_is_left_out_is_found() {
        let jobs = commented_jobs(FORMAT.samples[0]);
        assert_eq!((jobs.len(), &jobs[0].value), (2, &"root /usr/local/bin/backup.sh".into()));
        assert!(commented_jobs(b"# m h dom mon dow user command\n# every day at 3\n").is_empty());
        assert_eq!(
            told(FORMAT.samples[1], Program::Backup),
            [("excludes", "/".to_owned()), ("keeps-none", "retain\\tdaily\\t0".to_owned())]
        );
        let seen = told(FORMAT.samples[2], Program::Backup);
        assert_eq!(
            seen.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["excludes", "excludes", "nothing-included"]
        );
        assert_eq!(told(FORMAT.samples[3], Program::Aide)[0], ("excludes", "/etc".to_owned()));
        assert_eq!(
            told(FORMAT.samples[3], Program::Clam),
            [("excludes", "/tmp".to_owned()), ("switched-off", "ScanELF no".to_owned())]
        );
        assert_eq!(told(FORMAT.samples[4], Program::Ossec).len(), 2);
        assert_eq!(told(FORMAT.samples[5], Program::Backup)[0].0, "switched-off");
        assert_eq!(told(FORMAT.samples[6], Program::Rkhunter).len(), 2);
    }
}
