//! Places and names: where programs ordinarily stand, and where only somebody hiding puts them.

/// Directories anybody may write to (hier(7)): nothing installed is ever run from there.
const OPEN: &[&[u8]] = &[
    b"/tmp",
    b"/var/tmp",
    b"/usr/tmp",
    b"/dev",
    b"/run/user",
    b"/var/run/user",
    b"/run/lock",
    b"/var/lock",
    b"/var/run/lock",
    b"/run/shm",
    b"/var/crash",
    b"/var/spool/samba",
    b"/var/spool/cron",
    b"/var/mail",
    b"/var/spool/mail",
    b"/lost+found",
    b"/proc",
    b"/sys",
];

/// Directories whose content comes from packages alone (file-hierarchy(7)).
const PACKAGED: &[&[u8]] = &[
    b"/usr/bin",
    b"/usr/sbin",
    b"/usr/lib",
    b"/usr/libexec",
    b"/usr/lib32",
    b"/usr/lib64",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/lib32",
    b"/lib64",
];

/// Hidden directories in which tools of ordinary users keep programs: the XDG base directories, and those that language
/// tool chains and shells make directly in a home or a project.
const TOOLS: &[&[u8]] = &[
    b".local",
    b".cargo",
    b".rustup",
    b".nvm",
    b".npm",
    b".npm-global",
    b".npm-packages",
    b".node_modules",
    b".pnpm",
    b".yarn",
    b".bun",
    b".deno",
    b".volta",
    b".fnm",
    b".pyenv",
    b".poetry",
    b".pipx",
    b".conda",
    b".rbenv",
    b".rvm",
    b".gem",
    b".asdf",
    b".sdkman",
    b".jenv",
    b".dotnet",
    b".composer",
    b".go",
    b".gvm",
    b".ghcup",
    b".cabal",
    b".opam",
    b".nix-profile",
    b".linuxbrew",
    b".venv",
    b".virtualenvs",
    b".tox",
    b".acme.sh",
    b".oh-my-zsh",
    b".fzf",
    b".vscode-server",
    b".krew",
    b".kube",
    b".bin",
    b".pm2",
    b".docker",
    b".bashrc.d",
];

/// Whether `path` is `directory` or stands below it.
pub fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Whether `path` stands where anybody may put a file: temporary and lock directories, device and process file systems.
pub fn is_open(path: &[u8]) -> bool {
    OPEN.iter().any(|directory| path != *directory && is_below(path, directory))
        && path != b"/dev/null"
        && path != b"/dev/stdin"
}

/// Whether `path` stands in a directory that packages alone fill.
pub fn is_packaged_place(path: &[u8]) -> bool {
    // Language package managers of the administrator install below these on purpose.
    let others: [&[u8]; 5] =
        [b"/node_modules/", b"/site-packages/", b"/dist-packages/", b"/gems/", b"/__pycache__/"];
    PACKAGED.iter().any(|directory| is_below(path, directory))
        && !others.iter().any(|part| contains(path, part))
}

/// Whether a component of `path` is hidden where no tool of a user keeps programs.
pub fn is_hidden(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
    let last = parts.len().saturating_sub(1);
    parts.iter().enumerate().any(|(index, part)| {
        part.starts_with(b".")
            && *part != b"."
            && *part != b".."
            && (index == last || !(TOOLS.contains(part) && tool_may_stand(&parts, index)))
    })
}

/// A tool's hidden directory stands in a home or a project, never in the system's own directories.
fn tool_may_stand(parts: &[&[u8]], index: usize) -> bool {
    match parts.first().copied().unwrap_or_default() {
        b"root" => index == 1,
        b"home" | b"opt" | b"srv" => index >= 2,
        b"var" => matches!(parts.get(1).copied(), Some(b"www" | b"lib")) && index >= 3,
        b"usr" => parts.get(1) == Some(&&b"local"[..]) && index >= 3,
        _ => false,
    }
}

/// Whether a name in `path` is made to be overlooked or misread: only dots, a space at its end, characters that do not show.
pub fn is_deceptive(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|part| {
        let dots = part.len() > 2 && part.iter().all(|b| matches!(b, b'.' | b' '));
        let spaced = part.starts_with(b" ") || (part.ends_with(b" ") && part.len() > 1);
        let unseen = part.iter().any(u8::is_ascii_control)
            || std::str::from_utf8(part).is_ok_and(|text| {
                text.chars().any(|c| matches!(c, '\u{ad}' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{3164}'))
            });
        dots || spaced || unseen
    })
}

/// Whether `needle` stands in `text`.
pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && text.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        for path in ["/tmp/x", "/dev/shm/a/b", "/run/user/1000/x", "/proc/self/fd/3", "/var/lock/k"] {
            assert!(is_open(path.as_bytes()), "{path}");
        }
        for path in ["/tmp", "/tmpx/y", "/run/foo/bar", "/dev/null", "/var/lib/x", "/usr/bin/x"] {
            assert!(!is_open(path.as_bytes()), "{path}");
        }
        for path in [
            "/usr/share/.x/run",
            "/root/.cache/run",
            "/home/u/.x/y",
            "/opt/.a",
            "/root/.local/.x/y",
            "/usr/lib/.local/x",
            "/etc/..x",
        ] {
            assert!(is_hidden(path.as_bytes()), "{path}");
        }
        for path in [
            "/root/.acme.sh/acme.sh",
            "/home/u/.local/bin/x",
            "/opt/app/.venv/bin/python",
            "/usr/bin/x",
            "/srv/a/../b",
        ] {
            assert!(!is_hidden(path.as_bytes()), "{path}");
        }
        for path in ["/usr/lib/... /x", "/usr/bin/sshd ", "/opt/a\x01b", "/var/\u{200b}x", "/usr/.../y"] {
            assert!(is_deceptive(path.as_bytes()), "{path}");
        }
        assert!(!is_deceptive(b"/srv/My Files/a.b/../run.sh"));
    }
}
