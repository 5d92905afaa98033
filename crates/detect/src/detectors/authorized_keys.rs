//! Detector: keys that open accounts in a way no administrator sets up.

use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry, weigh};
use calma_record::{Certainty, Severity, Text, kinds::Account, kinds::AuthorizedKey};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "authorized-keys",
        doc: "A key opens an account that no person uses, stands where others may write, or brings a command of its own.",
        mechanisms: &[60, 62],
        attack: &["T1098.004"],
        why: "Whoever holds the key comes in without a password, also after every password was changed.",
        innocent: "you put the key there for a service (backup, git, deployment)",
        next: "compare the fingerprint with the keys you know; remove the line once the server is cut off",
    },
    judge,
};

/// Keys of one file that are odd for the same reasons.
type Group<'a> = (Weight, Vec<Row<'a, AuthorizedKey>>);

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let accounts: BTreeMap<&Text, Row<'_, Account>> =
        tables.of::<Account>().map(|account| (&account.fact.name, account)).collect();
    let is_service =
        |name: &Text| accounts.get(name).is_some_and(|account| account.system && account.uid != 0);
    let mut holders: BTreeMap<&str, BTreeSet<&Text>> = BTreeMap::new();
    for key in tables.of::<AuthorizedKey>() {
        holders.entry(&key.fact.fingerprint).or_default().insert(&key.fact.account);
    }
    let mut odd: BTreeMap<(&Text, Vec<String>), Group<'_>> = BTreeMap::new();
    for key in tables.of::<AuthorizedKey>() {
        let account = accounts.get(&key.account);
        let mut weight = Weight::default();
        if let Some(account) = account {
            service(account, &mut weight);
        }
        let others = holders.get(key.fingerprint.as_str()).into_iter().flatten();
        let others: Vec<&Text> = others.filter(|other| **other != &key.account).copied().collect();
        if is_service(&key.account) || key.account == "root" {
            let strange = others.iter().find(|other| is_service(other) != is_service(&key.account));
            if let Some(other) =
                strange.filter(|_| is_service(&key.account) || others.iter().any(|o| is_service(o)))
            {
                let reason = format!("the same key opens \"{}\" and \"{other}\"", key.account);
                entry::add(&mut weight, Severity::Medium, reason);
            }
        }
        place(&files, &key, account.map(|account| account.uid), &mut weight);
        options(&files, &key, account.is_some_and(|account| account.uid == 0), &mut weight);
        if key.indent >= 40 {
            let reason =
                format!("{} blanks stand before it, so that it is out of sight in an editor", key.indent);
            entry::add(&mut weight, Severity::Medium, reason);
        }
        if weight.severity.is_some() {
            odd.entry((&key.fact.path, weight.reasons.clone())).or_insert((weight, Vec::new())).1.push(key);
        }
    }
    for ((path, reasons), (weight, mut keys)) in odd {
        keys.sort_by_key(|key| key.line);
        drafts.extend(draft(path, &reasons, &weight, &keys));
    }
}

/// One finding for the keys of one file that are odd for the same reasons.
fn draft(path: &Text, reasons: &[String], weight: &Weight, keys: &[Row<'_, AuthorizedKey>]) -> Option<Draft> {
    let (severity, first) = (weight.severity?, keys.first()?);
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let identity = [path.as_bytes(), b"\0", reasons.join("\n").as_bytes()].concat();
    let title = match keys.len() {
        1 => format!("A key that opens \"{}\" is odd", first.account),
        many => format!("{many} keys that open \"{}\" are odd", first.account),
    };
    let mut draft =
        Draft::new(severity, certainty, identity, title).saw_all(reasons.iter().cloned()).path(path);
    for key in keys.iter().take(8) {
        let mut line = format!("line {} of {path}: {} SHA256:{}", key.line, key.algorithm, key.fingerprint);
        if !key.comment.is_empty() {
            line.push_str(&format!(", \"{}\"", entry::short(&key.comment)));
        }
        draft = draft.saw(line).from(key, "the key");
    }
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft.account(&first.account))
}

/// Accounts of services: those that can log in and keep their data in a home of their own may have a key on purpose.
fn service(account: &Row<'_, Account>, weight: &mut Weight) {
    if !account.system || account.uid == 0 {
        return;
    }
    let fixed = account.uid < 100 || account.uid == 65_534;
    if !account.login {
        let reason = format!(
            "\"{}\" is a service's account whose shell {} refuses logins",
            account.name, account.shell
        );
        entry::add(weight, if fixed { Severity::High } else { Severity::Medium }, reason);
    } else if fixed {
        entry::add(
            weight,
            Severity::High,
            format!("\"{}\" is an account of the system that no person uses", account.name),
        );
    }
}

/// Where the file stands, and who may add keys to it.
fn place(files: &Files<'_>, key: &Row<'_, AuthorizedKey>, owner: Option<u32>, weight: &mut Weight) {
    entry::merge(weight, entry::loose(files, &key.path, owner));
    let home = key.home.as_bytes();
    let inside = home.len() > 1 && weigh::is_below(key.path.as_bytes(), home);
    let rest =
        if inside { key.path.as_bytes().get(home.len()..).unwrap_or_default() } else { key.path.as_bytes() };
    let hidden = entry::is_hidden(rest.strip_prefix(b"/.ssh").unwrap_or(rest));
    if (hidden && !inside) || weigh::is_open(key.path.as_bytes()) {
        entry::add(weight, Severity::High, format!("{} is no place for keys", key.path));
    } else if hidden {
        entry::add(weight, Severity::Medium, format!("{} is a hidden place for keys", key.path));
    }
    let Some(file) = files.get(&key.path) else { return };
    if file.immutable {
        entry::add(
            weight,
            Severity::Medium,
            format!("{} is immutable: nobody can take the key away by editing", key.path),
        );
    }
    if let Some(real) = file.real.as_ref().filter(|_| file.target.is_some()) {
        let moved = !weigh::is_below(real.as_bytes(), home) && !weigh::is_below(real.as_bytes(), b"/etc");
        if weigh::is_open(real.as_bytes()) || (entry::is_hidden(real.as_bytes()) && moved) {
            entry::add(weight, Severity::High, format!("{} leads to {real}", key.path));
        } else if moved {
            entry::add(weight, Severity::Low, format!("{} leads to {real}", key.path));
        }
    }
}

/// What comes with the key: a command at each login, an environment.
fn options(files: &Files<'_>, key: &Row<'_, AuthorizedKey>, root: bool, weight: &mut Weight) {
    for option in &key.options {
        let bytes = option.as_bytes();
        let split = bytes.iter().position(|b| *b == b'=');
        let (name, value) = split.and_then(|at| bytes.split_at_checked(at)).unwrap_or((bytes, b""));
        let value = value.strip_prefix(b"=").unwrap_or(value);
        if name.eq_ignore_ascii_case(b"command") {
            let mut command = entry::program(files, &value.into(), root);
            // A command that stands in for a shell is what an own script in /usr/local does; only odd ones count.
            if command.severity > Some(Severity::Low) {
                entry::add(
                    &mut command,
                    Severity::Low,
                    format!("each login with it runs: {}", entry::short(&value.into())),
                );
                entry::merge(weight, command);
            }
        } else if name.eq_ignore_ascii_case(b"environment") {
            let variable = value.split(|b| *b == b'=').next().unwrap_or_default();
            if variable.starts_with(b"LD_") || variable == b"BASH_ENV" || variable == b"ENV" {
                entry::add(
                    weight,
                    Severity::High,
                    format!("each login with it sets {}", entry::short(&value.into())),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@laptop\n";
    const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n\
        games:x:5:60::/usr/games:/bin/bash\ngit:x:120:120::/srv/git:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n";

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", PASSWD)
    }

    #[test]
    fn odd_keys_are_found() {
        let spaces = " ".repeat(300);
        for (name, mem) in [
            ("service", host().file("/var/www/.ssh/authorized_keys", KEY)),
            ("second file", host().file("/usr/games/.ssh/authorized_keys2", KEY)),
            (
                "writable",
                host().file("/root/.ssh/authorized_keys", KEY).owned(
                    "/root/.ssh/authorized_keys",
                    0o666,
                    0,
                    0,
                ),
            ),
            (
                "stranger",
                host().file("/root/.ssh/authorized_keys", KEY).owned("/root/.ssh", 0o755, 1000, 1000),
            ),
            (
                "preload",
                host()
                    .file("/home/me/.ssh/authorized_keys", format!("environment=\"LD_PRELOAD=/x.so\" {KEY}")),
            ),
            ("hidden", host().file("/root/.ssh/authorized_keys", format!("{spaces}{KEY}"))),
            (
                "immutable",
                host()
                    .file("/root/.ssh/authorized_keys", KEY)
                    .with("/root/.ssh/authorized_keys", |m| m.immutable = Some(true)),
            ),
            ("link", host().file("/dev/shm/k", KEY).symlink("/root/.ssh/authorized_keys", "/dev/shm/k")),
            (
                "elsewhere",
                host()
                    .file(
                        "/etc/ssh/sshd_config",
                        "AuthorizedKeysFile .ssh/authorized_keys /usr/share/.k/%u\n",
                    )
                    .file("/usr/share/.k/root", KEY),
            ),
            (
                "command",
                host().file("/home/me/.ssh/authorized_keys", format!("command=\"/tmp/.x/sh -i\" {KEY}")),
            ),
        ] {
            assert_eq!(check(mem).alarms("authorized-keys").len(), 1, "{name}");
        }
    }

    #[test]
    fn one_key_for_root_and_a_service_is_found() {
        let mem = host().file("/root/.ssh/authorized_keys", KEY).file("/srv/git/.ssh/authorized_keys", KEY);
        assert!(!check(mem).alarms("authorized-keys").is_empty());
    }

    #[test]
    fn an_administrators_own_keys_are_quiet() {
        let mem = host()
            .file("/root/.ssh/authorized_keys", KEY)
            .owned("/root/.ssh", 0o700, 0, 0)
            .file(
                "/home/me/.ssh/authorized_keys",
                format!("no-pty,from=\"10.0.0.0/8\",command=\"/usr/bin/rrsync /srv\" {KEY}"),
            )
            .owned("/home/me/.ssh/authorized_keys", 0o600, 1000, 1000)
            .owned("/home/me/.ssh", 0o700, 1000, 1000)
            .owned("/home/me", 0o755, 1000, 1000);
        let seen = check(mem);
        assert!(seen.by("authorized-keys").is_empty(), "{:?}", seen.by("authorized-keys"));
    }
}
