//! What a directory is for, as far as the Filesystem Hierarchy Standard says.

/// What a directory is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties of one place")]
pub(crate) struct Place {
    /// Everybody may write here, and it is emptied sometimes.
    pub(crate) temporary: bool,
    /// Where device nodes stand, and no regular files.
    pub(crate) devices: bool,
    /// Where the system's programs stand.
    pub(crate) programs: bool,
    /// Where settings, documents, logs or mail stand, and no ELF programs.
    pub(crate) odd: bool,
    /// Where an immutable file guards an access path: settings, programs, keys, timetables.
    pub(crate) guarded: bool,
    /// Whether a hidden name on the way is unusual here.
    pub(crate) hidden_matters: bool,
    /// Whether a directory on the way is hidden where that is unusual, or its name is made to be overlooked.
    pub(crate) hidden: bool,
}

/// What the directory `path` is for.
pub(crate) fn of(path: &[u8]) -> Place {
    const PROGRAMS: &[&[u8]] =
        &[b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/usr/local/sbin", b"/usr/games"];
    const SYSTEM: &[&[u8]] = &[
        b"/bin", b"/sbin", b"/lib", b"/lib32", b"/lib64", b"/usr", b"/etc", b"/dev", b"/run", b"/boot",
        b"/var", b"/tmp",
    ];
    const DATA: &[&[u8]] = &[
        b"/etc",
        b"/var/log",
        b"/var/mail",
        b"/var/spool/cron",
        b"/var/backups",
        b"/var/games",
        b"/usr/include",
        b"/usr/share/man",
        b"/usr/share/doc",
        b"/usr/share/fonts",
        b"/usr/share/icons",
        b"/usr/share/locale",
        b"/usr/share/zoneinfo",
        b"/usr/share/info",
        b"/boot",
        b"/lost+found",
        b"/usr/share/pixmaps",
        b"/usr/share/mime",
    ];
    let shared_memory = below(path, b"/dev/shm");
    let home = private(path);
    let hidden_matters = !home && SYSTEM.iter().any(|root| below(path, root));
    let guarded = below(path, b"/etc")
        || PROGRAMS.iter().any(|root| below(path, root))
        || below(path, b"/usr/lib")
        || below(path, b"/lib")
        || below(path, b"/var/spool/cron")
        || path.ends_with(b"/.ssh")
        || path == b"/root";
    Place {
        temporary: below(path, b"/tmp") || below(path, b"/var/tmp") || shared_memory,
        devices: below(path, b"/dev") && !shared_memory,
        programs: PROGRAMS.iter().any(|root| below(path, root)),
        odd: DATA.iter().any(|root| below(path, root)),
        guarded,
        hidden_matters,
        hidden: path
            .split(|b| *b == b'/')
            .any(|part| made_to_be_overlooked(part) || (hidden_matters && part.starts_with(b"."))),
    }
}

/// Whether `path` is `root` or stands below it.
fn below(path: &[u8], root: &[u8]) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Homes and places where whole projects are unpacked: hidden folders are daily bread there.
fn private(path: &[u8]) -> bool {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    match parts.as_slice() {
        [b"home" | b"root" | b"opt" | b"srv", ..] | [b"var", b"www", ..] => true,
        // A service's own folder is its home: /var/lib/jenkins/.cache is ordinary, /var/lib/.x is not.
        [b"var", b"lib" | b"cache" | b"opt", first, ..]
        | [b"usr", b"local", b"lib" | b"share", first, ..] => !first.starts_with(b"."),
        _ => false,
    }
}

/// Names that a listing hides or makes look like something else: dots alone, blanks, a kernel thread's brackets.
pub(crate) fn made_to_be_overlooked(part: &[u8]) -> bool {
    let dots = part.len() > 2 && part.iter().all(|b| *b == b'.');
    let blanks = !part.is_empty()
        && (part.trim_ascii().is_empty()
            || (part.starts_with(b".") && part.last().is_some_and(u8::is_ascii_whitespace))
            || part.strip_prefix(b".").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace)));
    let thread = part.starts_with(b"[") && part.ends_with(b"]");
    let control = part.iter().any(u8::is_ascii_control);
    dots || blanks || thread || control
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_places_are_told_from_everyday_ones() {
        for hidden in [
            "/usr/lib/.x",
            "/tmp/.ICE-unix/y",
            "/var/lib/.cache",
            "/opt/...",
            "/home/me/.. ",
            "/dev/shm/ ",
            "/srv/[kworker]",
            "/var/spool/.p",
        ] {
            assert!(of(hidden.as_bytes()).hidden, "{hidden}");
        }
        for plain in [
            "/home/me/.local/bin",
            "/var/lib/jenkins/.cache/x",
            "/opt/app/.venv/bin",
            "/usr/lib/python3",
            "/tmp/x",
            "/root/.cargo",
            "/var/www/site/.git/hooks",
            "/usr/local/lib/node_modules/.bin",
            "/home/me/a b",
        ] {
            assert!(!of(plain.as_bytes()).hidden, "{plain}");
        }
        assert!(of(b"/dev/shm/x").temporary && !of(b"/dev/shm").devices && of(b"/dev/x").devices);
    }
}
