//! What rights a file gives, and to whom.

use crate::Tables;
use calma_record::{Text, Timestamp, kinds::SpecialFile};
use std::collections::BTreeSet;

/// Programs that run commands, write or read any file by design: with root's rights they make everybody root.
const ANY_COMMAND: &[&str] = &[
    // Shells and interpreters.
    "sh",
    "bash",
    "rbash",
    "dash",
    "zsh",
    "ksh",
    "ksh93",
    "mksh",
    "fish",
    "tcsh",
    "csh",
    "ash",
    "busybox",
    "toybox",
    "perl",
    "python",
    "pypy",
    "ruby",
    "lua",
    "luajit",
    "node",
    "nodejs",
    "php",
    "tclsh",
    "expect",
    "guile",
    "gawk",
    "mawk",
    "awk",
    "nawk",
    "original-awk",
    "jrunscript",
    "jjs",
    "gdb",
    "java",
    "julia",
    "deno",
    "bun",
    "erl",
    "iex",
    "m4",
    "dc",
    // Programs that start programs.
    "env",
    "find",
    "xargs",
    "nice",
    "ionice",
    "timeout",
    "time",
    "stdbuf",
    "setarch",
    "nohup",
    "watch",
    "strace",
    "ltrace",
    "taskset",
    "chroot",
    "unshare",
    "nsenter",
    "flock",
    "start-stop-daemon",
    "run-parts",
    "script",
    "socat",
    "ncat",
    "nc",
    "tmux",
    "rlwrap",
    "capsh",
    "setpriv",
    "systemd-run",
    "make",
    "cmake",
    "git",
    "docker",
    "podman",
    "ctr",
    "rsync",
    "ssh",
    "scp",
    "sftp",
    "telnet",
    "ftp",
    "tcpdump",
    "nmap",
    "logsave",
    "parallel",
    "choom",
    "chrt",
    "prlimit",
    "sysctl",
    // Editors and pagers.
    "vi",
    "vim",
    "vim.basic",
    "vim.tiny",
    "nvim",
    "view",
    "nano",
    "pico",
    "emacs",
    "ed",
    "ex",
    "joe",
    "jed",
    "mcedit",
    "less",
    "more",
    "most",
    "man",
    "sed",
    // Programs that read, write or change rights of any file.
    "cp",
    "mv",
    "dd",
    "tee",
    "install",
    "ln",
    "chmod",
    "chown",
    "tar",
    "cpio",
    "zip",
    "unzip",
    "gzip",
    "bzip2",
    "xz",
    "7z",
    "ar",
    "cat",
    "head",
    "tail",
    "tac",
    "od",
    "xxd",
    "hexdump",
    "base64",
    "base32",
    "sort",
    "uniq",
    "cut",
    "diff",
    "curl",
    "wget",
    "openssl",
    "dpkg",
    "apt",
    "apt-get",
    "rpm",
    "dnf",
    "yum",
    "pip",
    "gcc",
    "cc",
    "as",
    "ld",
    "debugfs",
    "mount.fuse",
    "setcap",
    "setfacl",
    "split",
    "grep",
    "strings",
    "paste",
    "join",
    "nl",
    "rev",
    "shuf",
    "csplit",
    "column",
    "jq",
    "sqlite3",
    "mysql",
    "psql",
    "restic",
    "borg",
    "crash",
    "gpg",
    "vipw",
    "useradd",
    "usermod",
    "systemctl",
    "journalctl",
    "modprobe",
    "insmod",
    "kmod",
];

/// Whether the program at `path` is of a kind that gives its rights away to whoever runs it.
pub(super) fn gives_a_shell(path: &Text) -> bool {
    let name = path.file_name();
    // Also with its version: python3.11, perl5.36.0, lua5.4.
    let stem = name.iter().position(u8::is_ascii_digit).and_then(|at| name.get(..at)).unwrap_or(name);
    let stem = stem.strip_suffix(b"-").unwrap_or(stem);
    let known = |name: &[u8]| ANY_COMMAND.iter().any(|known| known.as_bytes() == name);
    known(name) || (!stem.is_empty() && name.last().is_some_and(u8::is_ascii_digit) && known(stem))
}

const NAMES: [(u32, &str); 41] = [
    (0, "chown"),
    (1, "dac_override"),
    (2, "dac_read_search"),
    (3, "fowner"),
    (4, "fsetid"),
    (5, "kill"),
    (6, "setgid"),
    (7, "setuid"),
    (8, "setpcap"),
    (9, "linux_immutable"),
    (10, "net_bind_service"),
    (11, "net_broadcast"),
    (12, "net_admin"),
    (13, "net_raw"),
    (14, "ipc_lock"),
    (15, "ipc_owner"),
    (16, "sys_module"),
    (17, "sys_rawio"),
    (18, "sys_chroot"),
    (19, "sys_ptrace"),
    (20, "sys_pacct"),
    (21, "sys_admin"),
    (22, "sys_boot"),
    (23, "sys_nice"),
    (24, "sys_resource"),
    (25, "sys_time"),
    (26, "sys_tty_config"),
    (27, "mknod"),
    (28, "lease"),
    (29, "audit_write"),
    (30, "audit_control"),
    (31, "setfcap"),
    (32, "mac_override"),
    (33, "mac_admin"),
    (34, "syslog"),
    (35, "wake_alarm"),
    (36, "block_suspend"),
    (37, "audit_read"),
    (38, "perfmon"),
    (39, "bpf"),
    (40, "checkpoint_restore"),
];

/// Capabilities with which a program can become root or read all of root's secrets (capabilities(7)).
const AS_ROOT: [u32; 15] = [0, 1, 2, 3, 6, 7, 8, 16, 17, 19, 21, 27, 31, 39, 40];

/// The set of capabilities a `security.capability` attribute gives: `vfs_cap_data` of linux/capability.h, revisions 1 to 3.
/// Inheritable ones count: a set-up environment turns them into permitted ones.
pub(super) fn granted(hexadecimal: &str) -> Option<u64> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    let bytes: Vec<u8> =
        digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    let word = |index: usize| {
        let four = bytes.get(index * 4..index * 4 + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
        four.map_or(0, |four| u64::from(u32::from_le_bytes(four)))
    };
    if bytes.len() < 12 {
        return None;
    }
    Some(word(1) | word(2) | (word(3) | word(4)) << 32).filter(|set| *set != 0)
}

/// The names of a set of capabilities.
pub(super) fn powers(set: u64) -> Vec<String> {
    NAMES.iter().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, name)| format!("cap_{name}")).collect()
}

pub(super) fn as_good_as_root(set: u64) -> bool {
    AS_ROOT.iter().any(|bit| set >> bit & 1 == 1)
}

pub(super) fn sees_traffic(set: u64) -> bool {
    [12, 13].iter().any(|bit| set >> bit & 1 == 1)
}

/// Whether a part of the path is dots, blanks or control characters alone, or wears a kernel thread's brackets.
pub(super) fn name_imitates(path: &Text) -> bool {
    path.as_bytes().split(|b| *b == b'/').any(|part| {
        let dots = part.len() > 2 && part.iter().all(|b| *b == b'.');
        let blank = part.first().is_some_and(|b| *b == b'.' || *b == b' ') && part.contains(&b' ');
        let thread = part.starts_with(b"[") && part.ends_with(b"]");
        // The directories X11 keeps its sockets in: they never hold programs.
        let sockets = part.starts_with(b".") && part.ends_with(b"-unix");
        dots || blank || thread || sockets || part.iter().any(u8::is_ascii_control)
    })
}

/// Settings that let somebody in or start something by themselves.
pub(super) fn is_a_way_in(path: &Text) -> bool {
    let path = path.as_bytes();
    let starts = [
        &b"/etc/cron"[..],
        b"/var/spool/cron",
        b"/etc/systemd/",
        b"/etc/init.d/",
        b"/etc/ld.so.preload",
        b"/etc/rc.local",
        b"/etc/profile",
        b"/etc/pam.d/",
        b"/etc/udev/",
        b"/etc/sudoers.d/",
        b"/etc/init/",
    ];
    let folder = path.split(|b| *b == b'/').rev().nth(1).unwrap_or_default();
    starts.iter().any(|start| path.starts_with(start)) || folder == b".ssh"
}

/// Packaged set-id files whose rights changed long after their package was installed.
pub(super) type ChangedLate = BTreeSet<Text>;

/// dpkg sets a file's rights when it installs the package, so its change time and the list's are near each other. Where
/// many differ (a restored backup, a relabelled file system), the difference says nothing.
pub(super) fn changed_late(tables: &Tables) -> ChangedLate {
    const FAR: i64 = 3_600;
    let far = |changed: Timestamp, installed: Timestamp| {
        changed.seconds().saturating_sub(installed.seconds()) > FAR
    };
    let (mut all, mut late) = (0_usize, BTreeSet::new());
    for file in tables.of::<SpecialFile>().filter(|file| file.mode & 0o4000 != 0) {
        let Some(installed) = file.installed else { continue };
        all += 1;
        if far(file.changed, installed) {
            late.insert(file.path.clone());
        }
    }
    if late.len() * 4 > all { BTreeSet::new() } else { late }
}
