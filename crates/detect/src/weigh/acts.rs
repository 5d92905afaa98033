//! Acts that a command should not do by itself: opening shells to the network, giving rights, hiding traces.

use super::command::{Scale, Strength};
use super::places::{self, contains};
use super::shell::{Simple, Word};
use super::walk::{State, behind_reserved, is_shell, program_name};

/// Logs of who came and what was done.
const LOGS: &[&[u8]] = &[
    b"/var/log/wtmp",
    b"/var/log/btmp",
    b"/var/log/lastlog",
    b"/var/run/utmp",
    b"/run/utmp",
    b"/var/log/auth.log",
    b"/var/log/secure",
    b"/var/log/audit",
    b"/var/log/journal",
    b"/var/log/messages",
    b"/var/log/syslog",
    b"/var/log/sudo.log",
    b"/var/log/faillog",
];

/// Services that watch a system or keep its logs.
const WATCHERS: &[&[u8]] = &[
    b"auditd",
    b"rsyslog",
    b"rsyslogd",
    b"syslog",
    b"syslog-ng",
    b"syslogd",
    b"systemd-journald",
    b"journald",
    b"apparmor",
    b"fail2ban",
    b"fail2ban-server",
    b"falcon-sensor",
    b"wazuh-agent",
    b"wazuh-agentd",
    b"ossec",
    b"osqueryd",
    b"clamd",
    b"clamav-daemon",
    b"clamav-freshclam",
    b"falco",
    b"aide",
    b"samhain",
    b"crowdsec",
    b"selinux",
    b"mdatp",
    b"sysmon",
    b"cbagentd",
    b"aliyun",
    b"aegis",
    b"cloudmonitor",
    b"auditbeat",
    b"filebeat",
    b"tripwire",
    b"rkhunter",
    b"suricata",
    b"sshguard",
];

/// One simple command; `words` are its words behind the shell's own.
pub(super) fn one(scale: &mut Scale<'_, '_>, state: &State, simple: &Simple, words: &[Word]) {
    let texts: Vec<&[u8]> = words.iter().map(|word| word.text.as_slice()).collect();
    let names = || texts.iter().map(|word| program_name(word));
    let name = names().next().unwrap_or_default();
    let has = |word: &[u8]| texts.contains(&word);
    let written = |path: &[u8]| {
        simple.redirects.iter().any(|r| r.operator.contains(&b'>') && contains(&r.target.text, path))
            || (names().any(|name| matches!(name, b"tee" | b"cp" | b"mv" | b"dd" | b"install" | b"ln"))
                && texts.last().is_some_and(|last| contains(last, path)))
            || (names().any(|name| name == b"tee") && texts.iter().any(|word| contains(word, path)))
            || (names().any(|name| name == b"sed")
                && texts.iter().any(|word| word.starts_with(b"-i"))
                && texts.last().is_some_and(|last| contains(last, path)))
    };
    shells(scale, simple, &texts);
    if written(b"authorized_keys") {
        scale.reason(Strength::Strong, "it adds keys that may log in");
    }
    if written(b"/etc/ld.so.preload") {
        scale.reason(Strength::Plain, "it writes /etc/ld.so.preload, which puts code into every program");
    }
    if [&b"/etc/passwd"[..], b"/etc/shadow", b"/etc/sudoers"].iter().any(|path| written(path))
        && !has(b"/etc/passwd-")
    {
        scale.reason(Strength::Strong, "it changes who may log in or become root");
    }
    if [
        &b"/etc/cron"[..],
        b"/var/spool/cron",
        b"/etc/systemd/system/",
        b"/etc/rc.local",
        b"/etc/profile",
        b".bashrc",
        b".profile",
        b".bash_profile",
        b"/etc/init.d/",
        b"/etc/ld.so.conf",
    ]
    .iter()
    .any(|path| written(path))
    {
        scale.reason(Strength::Strong, "it writes other things that start by themselves");
    }
    if name == b"crontab" && (has(b"-") || simple.piped) && !has(b"-l") {
        scale.reason(Strength::Strong, "it writes its own cron jobs");
    }
    let (adds, system) =
        (matches!(name, b"useradd" | b"adduser"), has(b"--system") || has(b"-r") || has(b"-S"));
    if (adds || name == b"usermod") && texts.windows(2).any(|pair| matches!(pair, [b"-u" | b"--uid", b"0"])) {
        scale.reason(Strength::Plain, "it gives an account root's user id");
    } else if (adds && !system) || (matches!(name, b"chpasswd") && simple.piped) {
        scale.reason(Strength::Strong, "it adds an account or sets its password");
    }
    rights(scale, state, name, &texts);
    traces(scale, simple, name, &texts);
    if name == b"exec" || name == b"-a" {
        let renamed = texts.windows(2).any(|pair| matches!(pair, [b"-a", title] if title.starts_with(b"[")));
        if renamed {
            scale.reason(Strength::Plain, "it runs a program under the name of a kernel thread");
        }
    }
    if texts.iter().any(|word| {
        contains(word, b"stratum+tcp") || contains(word, b"stratum+ssl") || contains(word, b"--donate-level")
    }) {
        scale.reason(Strength::Plain, "it mines cryptocurrency");
    }
}

/// Rights given to files, and files protected from their administrator.
fn rights(scale: &mut Scale<'_, '_>, state: &State, name: &[u8], texts: &[&[u8]]) {
    let set_uid = |word: &[u8]| {
        let octal = word.len() == 4
            && word.iter().all(|b| (b'0'..=b'7').contains(b))
            && word.first().is_some_and(|b| matches!(b, b'4' | b'6' | b'5' | b'7'));
        let plus = word.iter().position(|b| matches!(b, b'+' | b'='));
        let symbols = plus.is_some_and(|at| {
            let (who, what) = (word.get(..at).unwrap_or_default(), word.get(at..).unwrap_or_default());
            who.iter().all(|b| b"ugoa".contains(b))
                && (who.is_empty() || who.contains(&b'u') || who.contains(&b'a'))
                && what.contains(&b's')
        });
        octal || symbols
    };
    let rest = texts.get(1..).unwrap_or_default();
    if (name == b"chmod" && rest.iter().any(|word| set_uid(word)))
        || (name == b"install" && rest.windows(2).any(|pair| matches!(pair, [b"-m", mode] if set_uid(mode))))
    {
        scale.reason(Strength::Strong, "it lets a program run with its owner's rights (set-user-id)");
        if rest.iter().any(|word| is_shell(program_name(word)) || state.shells.contains(&state.full(word))) {
            scale.reason(Strength::Plain, "it makes a shell that gives its owner's rights to everybody");
        }
    }
    if name == b"setcap"
        && rest.iter().any(|word| {
            contains(word, b"cap_setuid")
                || contains(word, b"cap_sys_admin")
                || contains(word, b"cap_dac_override")
                || contains(word, b"all")
        })
    {
        scale.reason(Strength::Strong, "it gives a program the means to become root (setcap)");
    }
    if name == b"chattr"
        && rest.iter().any(|word| word.starts_with(b"+") && (word.contains(&b'i') || word.contains(&b'a')))
    {
        let ordinary = rest.iter().any(|word| *word == b"/etc/resolv.conf");
        let strength = if ordinary { Strength::Weak } else { Strength::Strong };
        scale.reason(strength, "it protects a file from being changed or removed (chattr)");
    }
}

/// Whether a word of kill(1) or systemctl(1) is a signal that makes a service open its logs or settings anew, which ends none.
fn asks_to_reread(word: &[u8]) -> bool {
    let bare = word.strip_prefix(b"--signal=").or_else(|| word.strip_prefix(b"-")).unwrap_or(word);
    let bare = bare.strip_prefix(b"s").filter(|rest| !rest.is_empty()).unwrap_or(bare);
    matches!(bare.strip_prefix(b"SIG").unwrap_or(bare), b"HUP" | b"USR1" | b"USR2")
        || matches!(word, b"-1" | b"-10" | b"-12" | b"-0")
}

/// Traces removed, watchers stopped.
fn traces(scale: &mut Scale<'_, '_>, simple: &Simple, name: &[u8], texts: &[&[u8]]) {
    let has = |word: &[u8]| texts.contains(&word);
    let rest = texts.get(1..).unwrap_or_default();
    let log = |path: &[u8]| {
        path.strip_suffix(b"/*").is_some_and(|above| above == b"/var/log")
            || path == b"/var/log"
            || path == b"/var/log/"
            || LOGS.iter().any(|log| places::is_below(path, log))
    };
    let history = |path: &[u8]| {
        path.ends_with(b"_history") && path.starts_with(b".")
            || contains(path, b"/.bash_history")
            || contains(path, b"/.zsh_history")
    };
    let emptied = simple.redirects.iter().any(|r| {
        let empties =
            r.operator.ends_with(b">") && !r.operator.ends_with(b">>") && r.operator.first() != Some(&b'2');
        let nothing = texts.is_empty()
            || matches!(name, b":" | b"true")
            || (name == b"cat" && has(b"/dev/null"))
            || (matches!(name, b"echo" | b"printf")
                && rest.iter().all(|word| word.is_empty() || word.starts_with(b"-")));
        empties && nothing && (log(&r.target.text) || history(&r.target.text))
    });
    let removes = matches!(name, b"rm" | b"shred" | b"unlink" | b"wipe" | b"srm" | b"truncate")
        || (name == b"cp" && has(b"/dev/null"))
        || (name == b"ln" && has(b"/dev/null"));
    if emptied || (removes && rest.iter().any(|word| log(word) || history(word))) {
        scale.reason(Strength::Strong, "it removes or empties logs of who came and what was done");
    }
    let off = (name == b"set" && has(b"+o") && has(b"history"))
        || (name == b"unset" && has(b"HISTFILE"))
        || (name == b"history" && rest.iter().any(|word| word.starts_with(b"-") && word.contains(&b'c')));
    if off {
        scale.reason(Strength::Strong, "it switches the shell's history off");
    }
    let watcher = |word: &[u8]| WATCHERS.contains(&word.strip_suffix(b".service").unwrap_or(word));
    let stops = match name {
        b"systemctl" => [&b"stop"[..], b"disable", b"mask", b"kill"].iter().any(|act| has(act)),
        b"service" => has(b"stop"),
        b"kill" | b"pkill" | b"killall" => true,
        b"update-rc.d" => has(b"disable") || has(b"remove"),
        _ => false,
    };
    if stops && rest.iter().any(|word| watcher(word)) && !rest.iter().any(|word| asks_to_reread(word)) {
        scale.reason(Strength::Strong, "it stops a service that watches the system or keeps its logs");
    }
    if (name == b"setenforce" && (has(b"0") || has(b"Permissive")))
        || (name == b"auditctl" && (has(b"-D") || texts.windows(2).any(|pair| matches!(pair, [b"-e", b"0"]))))
    {
        scale.reason(Strength::Strong, "it switches off what watches the system");
    }
}

/// Shells opened to the network by one command.
fn shells(scale: &mut Scale<'_, '_>, simple: &Simple, texts: &[&[u8]]) {
    let Some(at) = texts.iter().position(|word| {
        matches!(
            program_name(word),
            b"nc" | b"ncat" | b"netcat" | b"nc.traditional" | b"nc.openbsd" | b"socat"
        ) || is_shell(program_name(word))
    }) else {
        return;
    };
    let (name, rest) = (
        texts.get(at).map(|word| program_name(word)).unwrap_or_default(),
        texts.get(at + 1..).unwrap_or_default(),
    );
    let found = match name {
        b"socat" => {
            let lower: Vec<Vec<u8>> = rest.iter().map(|word| word.to_ascii_lowercase()).collect();
            let runs = lower.iter().any(|word| {
                let program = word.strip_prefix(b"exec:").or_else(|| word.strip_prefix(b"system:"));
                program.is_some_and(|program| {
                    let first = program
                        .split(|b| matches!(b, b' ' | b',' | b'\'' | b'"'))
                        .find(|part| !part.is_empty())
                        .unwrap_or_default();
                    is_shell(program_name(first))
                        || super::code::language(program_name(first)).is_some()
                        || program_name(first) == b"login"
                        || contains(program, b"pty")
                })
            });
            let network = lower.iter().any(|word| {
                [&b"tcp"[..], b"udp", b"openssl", b"ssl", b"sctp", b"vsock", b"socks", b"proxy", b"ip"]
                    .iter()
                    .any(|scheme| word.starts_with(scheme))
            });
            runs && network
        }
        _ if is_shell(name) => {
            // A shell whose own input or output is a connection.
            simple.redirects.iter().any(|r| network_device(&r.target.text))
                && (rest.iter().any(|word| word.starts_with(b"-") && word.contains(&b'i'))
                    || simple.redirects.iter().any(|r| r.operator.contains(&b'<')))
                && !rest.iter().any(|word| word.starts_with(b"-") && word.contains(&b'c'))
        }
        _ => rest.iter().enumerate().any(|(index, word)| {
            let option = word.starts_with(b"-")
                && !word.starts_with(b"--")
                && (word.ends_with(b"e") || word.ends_with(b"c"));
            let next = rest.get(index + 1).copied().unwrap_or_default();
            (option && (next.contains(&b'/') || is_shell(program_name(next)) || contains(next, b"sh")))
                || [&b"--exec"[..], b"--sh-exec", b"--lua-exec"].iter().any(|long| word.starts_with(long))
        }),
    };
    if found {
        scale.reason(Strength::Plain, "it connects a shell to the network");
    }
}

fn network_device(path: &[u8]) -> bool {
    contains(path, b"/dev/tcp/") || contains(path, b"/dev/udp/")
}

/// The text as a whole: a shell and a connection joined through a pipe in the file system or a descriptor.
pub(super) fn whole(scale: &mut Scale<'_, '_>, text: &[u8], commands: &[Simple], fifo: bool) {
    let names: Vec<&[u8]> =
        commands.iter().flat_map(|simple| simple.words.iter().map(|word| program_name(&word.text))).collect();
    let connects = names.iter().any(|name| {
        matches!(
            *name,
            b"nc" | b"ncat" | b"netcat" | b"telnet" | b"socat" | b"nc.traditional" | b"nc.openbsd"
        )
    }) || (names.contains(&&b"openssl"[..]) && names.contains(&&b"s_client"[..]));
    let shell_in_pipe = commands.iter().any(|simple| {
        let first = behind_reserved(simple).first().map(|word| program_name(&word.text)).unwrap_or_default();
        let bare =
            simple.words.iter().skip(1).all(|word| word.text.starts_with(b"-") && !word.text.contains(&b'c'));
        is_shell(first)
            && bare
            && (simple.piped || simple.redirects.iter().any(|r| r.operator.contains(&b'<')))
    });
    if connects && shell_in_pipe && fifo {
        scale.reason(Strength::Plain, "it connects a shell to the network");
    }
    // A descriptor opened to the network whose input is run.
    let opened = commands.iter().any(|simple| {
        simple.redirects.iter().any(|r| network_device(&r.target.text) && r.operator.contains(&b'<'))
    });
    let runs = commands.iter().any(|simple| {
        let first = behind_reserved(simple).first().map(|word| program_name(&word.text)).unwrap_or_default();
        let from = simple.redirects.iter().any(|r| {
            r.operator.ends_with(b"<&") || (r.operator.ends_with(b"<") && network_device(&r.target.text))
        });
        (is_shell(first) && (from || simple.piped) && !simple.words.iter().any(|word| word.text == b"-c"))
            || first == b"eval"
            || first.starts_with(b"$")
    });
    if opened && runs && (contains(text, b"/dev/tcp/") || contains(text, b"/dev/udp/")) {
        scale.reason(Strength::Plain, "it connects a shell to the network");
    }
}
