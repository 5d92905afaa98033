//! The one line that runs on a host: it receives calma's program into memory and becomes it.

use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

/// Exit code of the line: no place can run a program.
pub(super) const NO_PLACE: i32 = 91;
/// Exit code of the line: the program did not come whole.
pub(super) const NO_ROOM: i32 = 92;

/// For sh(1p), called with the program's length, a name for its folder, whether a disk is allowed, and the program's
/// own words. It holds no single quote, backslash, exclamation mark or line break, so that every login shell passes it on
/// unchanged.
///
/// It begins with an empty line, which says that nobody has to type a password any more. Then it
///
/// 1. Takes the first memory-backed file system (by /proc/mounts) in which an empty executable file can be run, which one
///    mounted `noexec` refuses (mount(8)); on a disk only if that is allowed.
/// 2. Receives exactly as many bytes as the program has.
/// 3. Opens the file, removes it, and becomes it through the open descriptor: nothing stays, whatever happens later.
const LINE: &str = concat!(
    "echo; umask 077; size=$1; name=$2; disk=$3; shift 3; place=; ",
    "clean() { rm -rf \"$place/$name\"; exit 92; }; ",
    "memory() { type=; while read -r a b c d; do [ \"$b\" = \"$1\" ] && type=$c; done </proc/mounts; ",
    "[ \"$type\" = tmpfs ] || [ \"$type\" = ramfs ]; }; ",
    "runs() { mkdir \"$1/$name\" 2>/dev/null || return 1; ",
    ": >\"$1/$name/calma\" && chmod 700 \"$1/$name/calma\" && \"$1/$name/calma\" 2>/dev/null && return 0; ",
    "rm -rf \"$1/$name\"; return 1; }; ",
    "kind=memory; for place in /dev/shm \"$XDG_RUNTIME_DIR\" /run/user/0 /run; do ",
    "[ -n \"$place\" ] && memory \"$place\" && runs \"$place\" && break; place=; done; ",
    "if [ -z \"$place\" ] && [ \"$disk\" = yes ]; then kind=disk; for place in /var/tmp /tmp; do ",
    "runs \"$place\" && break; place=; done; fi; ",
    "[ -n \"$place\" ] || exit 91; trap clean HUP INT TERM PIPE; file=$place/$name/calma; ",
    "head -c \"$size\" >\"$file\" && [ \"$(wc -c <\"$file\")\" -eq \"$size\" ] || clean; ",
    "exec 3<\"$file\"; rm -rf \"$place/$name\"; echo; echo \"=calma-placed $kind $place/$name\"; ",
    "exec /proc/self/fd/3 \"$@\"",
);

/// The command for ssh.
///
/// # Errors
/// When a word holds a character that some login shell would change.
pub(super) fn command(sudo: bool, disk: bool, length: usize, words: &[OsString]) -> io::Result<String> {
    let become_root = if sudo { "sudo -n " } else { "" };
    let allowed = if disk { "yes" } else { "no" };
    let mut command =
        format!("exec {become_root}sh -c '{LINE}' calma {length} .calma-{:016x} {allowed}", unforeseen());
    for word in words {
        let word = std::str::from_utf8(word.as_bytes()).ok().filter(|word| passes(word));
        let word =
            word.ok_or_else(|| io::Error::other("a name with quotes, backslashes or control characters"))?;
        command.push_str(&format!(" '{word}'"));
    }
    Ok(command)
}

/// Whether every login shell passes `word` on unchanged between single quotes.
fn passes(word: &str) -> bool {
    !word.chars().any(|c| c.is_control() || matches!(c, '\'' | '\\' | '!'))
}

/// A number that nobody on the host can have prepared for.
fn unforeseen() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_login_shell_passes_the_line_on() {
        assert!(passes(LINE) && LINE.is_ascii());
        let words = ["--done".into(), "a b".into()];
        let command = command(true, false, 5, &words).unwrap();
        assert!(command.starts_with("exec sudo -n sh -c '") && command.ends_with(" no '--done' 'a b'"));
    }

    #[test]
    fn words_that_a_shell_would_change_are_refused() {
        for word in ["it's", "a\\b", "a\nb", "!1", "\u{7}"] {
            assert!(command(false, false, 1, &[word.into()]).is_err(), "{word:?}");
        }
    }
}
