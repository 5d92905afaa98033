//! Detector: settings of SSH that let somebody in or run something.

use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry, weigh};
use calma_record::{Certainty, Severity, Text, kinds::SshSetting};
use std::collections::BTreeSet;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "ssh-settings",
        doc: "A setting of SSH asks a foreign program or file whom to let in, runs one at logins, or stands where others may write.",
        mechanisms: &[61, 62, 63],
        attack: &["T1556", "T1098.004"],
        why: "It lets somebody in, or runs with each login, without any trace in the accounts.",
        innocent: "you or your configuration management set it up (central keys, a certificate authority)",
        next: "look at the line and at what it names; restore the packaged settings once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let mut places = BTreeSet::new();
    for setting in tables.of::<SshSetting>() {
        let system = setting.home.is_empty();
        if system && places.insert(&setting.fact.path) {
            let weight = entry::loose(&files, &setting.path, None);
            if let Some(severity) = weight.severity {
                let title = format!("The settings of SSH in {} can be changed by others", setting.path);
                let draft = Draft::new(
                    severity,
                    Certainty::Likely,
                    [b"place\0", setting.path.as_bytes()].concat(),
                    title,
                );
                drafts.push(
                    draft.saw_all(weight.reasons).path(&setting.path).from(&setting, "a setting in it"),
                );
            }
        }
        if !setting.effective {
            continue;
        }
        let weight = match setting.program.as_str() {
            "sshd" => server(&files, &setting),
            _ => client(&files, &setting, system),
        };
        // That a program is not there is nothing to report by itself.
        let Some(severity) = weight.severity.filter(|severity| *severity > Severity::Info) else { continue };
        let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
        let keyword = setting.keyword.as_bytes();
        let identity = [setting.path.as_bytes(), b"\0", keyword, b"\0", setting.value.as_bytes()].concat();
        let mut draft = Draft::new(severity, certainty, identity, title(&setting))
            .saw(format!(
                "line {} of {}: {} {}",
                setting.line,
                setting.path,
                setting.keyword,
                entry::short(&setting.value)
            ))
            .saw_all(weight.reasons)
            .path(&setting.path)
            .from(&setting, "the setting");
        if !setting.block.is_empty() {
            draft = draft.saw(format!("it holds for: {}", entry::short(&setting.block)));
        }
        for path in &weight.paths {
            draft = draft.path(path);
        }
        drafts.push(draft);
    }
}

fn title(setting: &SshSetting) -> String {
    match (setting.program.as_str(), setting.keyword.as_str()) {
        ("ssh", _) => "Connecting with SSH runs something odd".to_owned(),
        (_, "authorizedkeyscommand" | "authorizedprincipalscommand") => {
            "A program of its own decides which keys open accounts".to_owned()
        }
        (_, "trustedusercakeys") => "Whoever holds a certain key can open every account".to_owned(),
        (_, "forcecommand" | "subsystem" | "setenv") => "Each login over SSH runs something odd".to_owned(),
        (_, "permitemptypasswords") => "SSH lets accounts without a password in".to_owned(),
        (_, "include") => "SSH takes settings from an odd place".to_owned(),
        (_, "authorizedkeysfile" | "authorizedprincipalsfile") => {
            "SSH takes keys from an odd place".to_owned()
        }
        (_, keyword) => format!("SSH is set up in an unusual way ({keyword})"),
    }
}

/// Settings of sshd_config(5).
fn server(files: &Files<'_>, setting: &Row<'_, SshSetting>) -> Weight {
    let mut weight = Weight::default();
    let value = setting.value.as_bytes();
    let is = |wanted: &str| value.eq_ignore_ascii_case(wanted.as_bytes());
    match setting.keyword.as_str() {
        "authorizedkeyscommand" | "authorizedprincipalscommand" if !is("none") => {
            entry::merge(&mut weight, entry::program(files, &setting.value, true));
        }
        "forcecommand" if !is("none") && !value.starts_with(b"internal-sftp") => {
            entry::merge(&mut weight, without_low(entry::program(files, &setting.value, false)));
        }
        "subsystem" => {
            let end = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
            let command = value.get(end..).unwrap_or_default().trim_ascii();
            if !command.starts_with(b"internal-sftp") {
                entry::merge(&mut weight, entry::program(files, &command.into(), true));
            }
        }
        "sshdsessionpath" | "sshdauthpath" | "securitykeyprovider" | "xauthlocation"
            if !is("internal") && !is("none") =>
        {
            entry::merge(&mut weight, entry::standing(files, &setting.value, "the program"));
        }
        "trustedusercakeys" if !is("none") => {
            if is_packaged(files, &setting.value) {
                return weight;
            }
            entry::merge(&mut weight, entry::standing(files, &setting.value, "the file"));
            let ordinary = weigh::is_below(value, b"/etc/ssh") || weigh::is_below(value, b"/etc/pki");
            let severity = if ordinary { Severity::Low } else { Severity::Medium };
            let reason = format!("certificates signed by the keys in {} open accounts", setting.value);
            entry::add(&mut weight, severity, reason);
            if weight.paths.is_empty() {
                weight.paths.push(setting.value.clone());
            }
        }
        "include" => value.split(|b| *b == b' ').for_each(|path| include(files, path, &mut weight)),
        "authorizedkeysfile" | "authorizedprincipalsfile" if !is("none") => {
            value.split(|b| *b == b' ').for_each(|path| keys_file(path, &mut weight));
        }
        "hostkey" | "hostkeyagent" | "revokedkeys" | "pidfile" if weigh::is_open(value) => {
            entry::add(
                &mut weight,
                Severity::Medium,
                format!("{} stands where everybody may write", setting.value),
            );
        }
        "setenv" | "acceptenv" => value.split(|b| *b == b' ').for_each(|word| {
            let name = word.split(|b| *b == b'=').next().unwrap_or_default();
            if [&b"LD_"[..], b"BASH_ENV", b"PROMPT_COMMAND"].iter().any(|bad| name.starts_with(bad)) {
                let severity = if setting.keyword == "setenv" { Severity::High } else { Severity::Medium };
                entry::add(
                    &mut weight,
                    severity,
                    format!("{} loads foreign code into each login", Text::from(name)),
                );
            }
        }),
        "permitemptypasswords" if is("yes") => {
            entry::add(
                &mut weight,
                Severity::Medium,
                "an account whose password is empty can be opened by everybody",
            );
        }
        "strictmodes" if is("no") => {
            entry::add(&mut weight, Severity::Low, "key files count even where others may write to them");
        }
        "loglevel" if is("quiet") => {
            entry::add(&mut weight, Severity::Medium, "logins over SSH leave no trace in the log")
        }
        "permituserenvironment" if is("yes") => {
            entry::add(&mut weight, Severity::Low, "users may set LD_PRELOAD and the like for their logins");
        }
        _ => {}
    }
    weight
}

/// A file or pattern that brings more settings.
fn include(files: &Files<'_>, path: &[u8], weight: &mut Weight) {
    // Relative ones stand in /etc/ssh; packaged places are for the distribution's own (openSUSE: /usr/etc).
    let ordinary = [&b"/etc/ssh"[..], b"/etc/crypto-policies", b"/usr/etc/ssh", b"/usr/share", b"/usr/lib"];
    if !path.starts_with(b"/") || is_packaged(files, &path.into()) {
        return;
    }
    if weigh::is_open(path) || entry::is_hidden(path) {
        entry::add(weight, Severity::High, format!("{} is no place for settings", Text::from(path)));
    } else if !ordinary.iter().any(|place| weigh::is_below(path, place)) {
        entry::add(weight, Severity::Medium, format!("{} is outside /etc/ssh", Text::from(path)));
    }
    if weight.severity.is_some() {
        weight.paths.push(path.into());
    }
}

/// A place of keys; relative ones stand in the home.
fn keys_file(path: &[u8], weight: &mut Weight) {
    let shown = Text::from(path);
    let homely = path.strip_prefix(b"%h/").unwrap_or(path);
    if weigh::is_open(path) || entry::is_hidden(homely.strip_prefix(b".ssh/").unwrap_or(homely)) {
        entry::add(weight, Severity::High, format!("{shown} is no place for keys"));
    } else if path.starts_with(b"/")
        && ![&b"/etc"[..], b"/var/lib", b"/usr/share"].iter().any(|place| weigh::is_below(path, place))
    {
        entry::add(weight, Severity::Low, format!("{shown} is outside the homes and /etc"));
    }
}

/// Settings of ssh_config(5) that run something.
fn client(files: &Files<'_>, setting: &Row<'_, SshSetting>, system: bool) -> Weight {
    let value = setting.value.as_bytes();
    let command = match setting.keyword.as_str() {
        "proxycommand" | "localcommand" | "knownhostscommand" if value != b"none" => {
            Some(setting.value.clone())
        }
        "match" => {
            value.windows(5).position(|w| w == b"exec ").and_then(|at| value.get(at + 5..)).map(Text::from)
        }
        _ => None,
    };
    command.map(|command| without_low(entry::program(files, &command, system))).unwrap_or_default()
}

fn is_packaged(files: &Files<'_>, path: &Text) -> bool {
    files.get(path).is_some_and(|file| file.package.is_some())
}

/// An own script at a login is ordinary: only what is odd counts.
fn without_low(weight: Weight) -> Weight {
    if weight.severity > Some(Severity::Low) { weight } else { Weight::default() }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    /// A system with a readable package list that names these paths.
    fn host(settings: &str) -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\n")
            .file(
                "/var/lib/dpkg/info/x.list",
                "/etc/ssh\n/usr/bin/sss_ssh_authorizedkeys\n/usr/lib/openssh/sftp-server\n",
            )
            .file("/usr/bin/sss_ssh_authorizedkeys", "")
            .file("/usr/lib/openssh/sftp-server", "")
            .file("/etc/ssh/sshd_config", settings)
    }

    #[test]
    fn planted_settings_are_found() {
        for settings in [
            "AuthorizedKeysCommand /usr/lib/openssh/keys %u\nAuthorizedKeysCommandUser root\n",
            "Include /usr/share/misc/../.d/x.conf\n",
            "Include /srv/s.conf\n",
            "Match User backup\n  ForceCommand /var/tmp/sh\n",
            "TrustedUserCAKeys /usr/share/doc/ca.pub\n",
            "trustedusercakeys=\"/dev/shm/k\"\n",
            "Subsystem sftp /usr/lib/openssh/sftp-servr\n",
            "AuthorizedKeysFile .ssh/authorized_keys /var/tmp/keys/%u\n",
            "SetEnv LD_PRELOAD=/usr/lib/x.so\n",
            "PermitEmptyPasswords yes\n",
        ] {
            let mem = host(settings)
                .file("/usr/lib/openssh/keys", "")
                .file("/usr/lib/openssh/sftp-servr", "")
                .file("/usr/share/doc/ca.pub", "");
            let seen = check(mem);
            assert_eq!(seen.alarms("ssh-settings").len(), 1, "{settings} {:?}", seen.by("ssh-settings"));
        }
        let loose = host("Port 22\n").owned("/etc/ssh/sshd_config", 0o666, 0, 0);
        assert_eq!(check(loose).alarms("ssh-settings").len(), 1);
    }

    #[test]
    fn an_included_file_counts_and_the_first_value_wins() {
        let first = "Include /etc/ssh/sshd_config.d/*.conf\nPermitEmptyPasswords yes\n";
        let mem = host(first)
            .file("/etc/ssh/sshd_config.d/a.conf", "PermitEmptyPasswords no\nTrustedUserCAKeys /tmp/ca\n");
        let seen = check(mem);
        let found = seen.alarms("ssh-settings");
        assert_eq!(found.len(), 1);
        assert!(found[0].title.contains("open every account"));
    }

    #[test]
    fn what_administrators_do_is_quiet() {
        let settings = "Port 2222\nPermitRootLogin yes\nPasswordAuthentication no\nAuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys\n\
            Subsystem sftp internal-sftp\nMatch Group sftp\n ForceCommand internal-sftp\n ChrootDirectory /srv\nTrustedUserCAKeys /etc/ssh/ca.pub\n";
        let seen =
            check(host(settings).file("/root/.ssh/config", "Host a\n ProxyCommand ssh -W %h:%p jump\n"));
        assert!(seen.alarms("ssh-settings").is_empty(), "{:?}", seen.by("ssh-settings"));
    }
}
