//! Detector: rules by which somebody becomes root who should not.

use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry, weigh};
use calma_record::{Certainty, Severity, Text, kinds::Account, kinds::SudoRule};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "sudo-rules",
        doc: "A rule of sudo or doas makes a service root without a password, loads foreign code, or can be changed by others.",
        mechanisms: &[64],
        attack: &["T1548.003"],
        why: "Whoever has this account, or may change this file, is root.",
        innocent: "you or a package set it up for a task that needs it",
        next: "ask who made the rule; if nobody did, take it out once the server is cut off",
    },
    judge,
};

/// What the rules are judged against.
struct World<'a> {
    files: Files<'a>,
    accounts: BTreeMap<&'a Text, Row<'a, Account>>,
    aliases: BTreeMap<&'a Text, Vec<Text>>,
    /// Whether sudo asks for root's own or the target's password (sudoers(5), `targetpw`, `rootpw`).
    target_password: bool,
    /// Users for whom no password is asked, by `Defaults … !authenticate`; `ALL` for everybody.
    free: BTreeSet<Text>,
}

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut world = World {
        files: Files::new(tables),
        accounts: tables.of::<Account>().map(|account| (&account.fact.name, account)).collect(),
        aliases: BTreeMap::new(),
        target_password: false,
        free: BTreeSet::new(),
    };
    for rule in tables.of::<SudoRule>() {
        match (rule.what.as_str(), rule.fact.who.first()) {
            ("alias", Some(name)) => {
                let members =
                    rule.command.as_bytes().split(|b| *b == b',').map(|m| Text::from(m.trim_ascii()));
                world.aliases.entry(name).or_insert_with(|| members.collect());
            }
            ("defaults", scope) => {
                world.target_password |= ["targetpw", "rootpw"].iter().any(|name| rule.command == *name);
                if rule.command == "!authenticate" {
                    let who = scope.and_then(|scope| scope.as_bytes().strip_prefix(b":")).unwrap_or(b"ALL");
                    world.free.insert(who.into());
                }
            }
            _ => {}
        }
    }
    let mut places = BTreeSet::new();
    for rule in tables.of::<SudoRule>() {
        if places.insert(&rule.fact.path) {
            drafts.extend(place(&world, &rule));
        }
        match rule.what.as_str() {
            "rule" => drafts.extend(right(&world, &rule)),
            "defaults" => drafts.extend(setting(&world, &rule)),
            "plugin" | "include" => drafts.extend(named(&world, &rule)),
            _ => {}
        }
    }
}

/// A file of rules that others may change, or that stands where no rules stand.
fn place(world: &World<'_>, rule: &Row<'_, SudoRule>) -> Option<Draft> {
    let mut weight = entry::loose(&world.files, &rule.path, None);
    if weigh::is_open(rule.path.as_bytes()) || entry::is_hidden(rule.path.as_bytes()) {
        entry::add(&mut weight, Severity::High, format!("{} is no place for rules", rule.path));
    }
    draft(rule, b"place", format!("The rules in {} can be changed by others", rule.path), weight)
}

/// One right: who, what, as whom, with or without a password.
fn right(world: &World<'_>, rule: &Row<'_, SudoRule>) -> Option<Draft> {
    let command = rule.command.as_bytes();
    if command.starts_with(b"!") || !as_root(rule) {
        return None;
    }
    let mut users = BTreeSet::new();
    rule.who.iter().for_each(|who| expand(world, who, 0, &mut users));
    let mut commands = BTreeSet::new();
    expand(world, &rule.command, 0, &mut commands);
    let everything = commands.contains(&Text::from("ALL")) || commands.iter().any(is_shell);
    let tagged = rule.tags.iter().any(|tag| tag == "NOPASSWD");
    let free = |user: &Text| tagged || world.free.contains(user) || world.free.contains(&Text::from("ALL"));
    let mut weight = Weight::default();
    for user in &users {
        let services = services(world, user);
        if everything && *user == "ALL" {
            let severity = match (free(user), world.target_password) {
                (true, _) => Some(Severity::High),
                // SUSE's default: everybody may try, with root's password.
                (false, true) => None,
                (false, false) => Some(Severity::Medium),
            };
            if let Some(severity) = severity {
                entry::add(&mut weight, severity, "every account of the host may become root");
            }
        } else if everything && !services.is_empty() && free(user) {
            let names = services.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            entry::add(
                &mut weight,
                Severity::High,
                format!("the service account {names} becomes root without a password"),
            );
        } else if everything && free(user) && *user != "root" {
            entry::add(&mut weight, Severity::Info, format!("\"{user}\" becomes root without a password"));
        }
    }
    for command in commands.iter().filter(|command| command.as_bytes().starts_with(b"/")) {
        // Who may change the program is root; a script of root's own in /usr/local is what such rules are for.
        let mut program = entry::program(&world.files, command, true);
        let word = command.as_bytes().split(|b| *b == b' ').next().unwrap_or_default();
        entry::merge(&mut program, entry::loose(&world.files, &word.into(), None));
        if program.severity >= Some(Severity::Medium) {
            entry::merge(&mut weight, program);
        }
    }
    if rule.blanks >= 60 {
        let reason = format!("{} blanks in the line keep the rest of it out of sight", rule.blanks);
        entry::add(&mut weight, Severity::Medium, reason);
    }
    if rule.tags.iter().any(|tag| tag.starts_with("LD_")) {
        entry::add(
            &mut weight,
            Severity::High,
            "it sets a variable that loads libraries into root's programs",
        );
    }
    let names: Vec<String> = rule.who.iter().take(6).map(ToString::to_string).collect();
    let mut draft =
        draft(rule, b"right", format!("{} may act as root ({})", names.join(", "), rule.program), weight)?;
    for user in users.iter().filter(|user| world.accounts.contains_key(user)).take(8) {
        draft = draft.account(user);
    }
    Some(draft)
}

/// Whether a rule leads to root: no target named, or root or everybody among the targets.
fn as_root(rule: &SudoRule) -> bool {
    let users = rule.runas.as_bytes().split(|b| *b == b':').next().unwrap_or_default();
    rule.runas.is_empty()
        || users.split(|b| *b == b',').map(<[u8]>::trim_ascii).any(|user| {
            matches!(user, b"root" | b"ALL" | b"#0")
                || user.iter().all(|b| b.is_ascii_uppercase() || *b == b'_') && !user.is_empty()
        })
}

/// Names behind aliases.
fn expand(world: &World<'_>, name: &Text, depth: usize, into: &mut BTreeSet<Text>) {
    match world.aliases.get(name).filter(|_| depth < 8 && into.len() < 1000) {
        Some(members) => members.iter().for_each(|member| expand(world, member, depth + 1, into)),
        None => {
            into.insert(name.clone());
        }
    }
}

/// The service accounts that a name, `#id` or `%group` of a rule stands for.
fn services<'w>(world: &'w World<'_>, user: &Text) -> Vec<&'w Text> {
    let bytes = user.as_bytes();
    let fits = |account: &Account| match bytes {
        [b'#', id @ ..] => id == account.uid.to_string().as_bytes(),
        [b'%', group @ ..] => account.groups.iter().any(|name| name.as_bytes() == group),
        name => account.name.as_bytes() == name,
    };
    let services =
        world.accounts.values().filter(|account| account.system && account.uid != 0 && fits(account));
    services.map(|account| &account.fact.name).take(8).collect()
}

/// A program that with free arguments gives a root shell by its nature: shells, interpreters, editors and pagers with a
/// shell escape, and programs that run or write whatever they are told.
fn is_shell(command: &Text) -> bool {
    const SHELLS: &[&[u8]] = &[
        b"sh", b"bash", b"dash", b"zsh", b"ksh", b"ash", b"fish", b"busybox", b"su", b"env", b"perl",
        b"ruby", b"lua", b"python", b"php", b"node", b"vi", b"vim", b"nano", b"less", b"more", b"find",
        b"awk", b"gawk", b"mawk", b"tee", b"dd", b"gdb", b"script", b"xargs", b"nsenter", b"unshare",
        b"chroot",
    ];
    let path = command.as_bytes();
    let path = path.strip_suffix(b" *").unwrap_or(path);
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let versioned = name.strip_prefix(b"python").or_else(|| name.strip_prefix(b"perl"));
    let versioned = versioned.is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'));
    path.starts_with(b"/") && (SHELLS.contains(&name) || versioned)
}

/// `Defaults` that change what sudo trusts or tells.
fn setting(world: &World<'_>, rule: &Row<'_, SudoRule>) -> Option<Draft> {
    let command = rule.command.as_bytes();
    let end =
        command.iter().position(|b| matches!(b, b'=' | b'+' | b'-' | b' ' | b'\t')).unwrap_or(command.len());
    let (name, rest) = command.split_at_checked(end)?;
    let value = rest.iter().position(|b| *b == b'=').and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    let value: Vec<u8> = value.iter().copied().filter(|b| *b != b'"').collect();
    let removes = rest.trim_ascii_start().starts_with(b"-");
    let mut weight = Weight::default();
    match name {
        b"env_keep" | b"env_check" if !removes => {
            for variable in value.split(u8::is_ascii_whitespace) {
                let loads = [
                    &b"LD_PRELOAD"[..],
                    b"LD_AUDIT",
                    b"LD_LIBRARY_PATH",
                    b"BASH_ENV",
                    b"ENV",
                    b"PYTHONPATH",
                    b"PERL5LIB",
                    b"PERL5OPT",
                ];
                if loads.contains(&variable) || variable.starts_with(b"LD_") {
                    let reason = format!(
                        "users may load their own code into what root runs ({})",
                        Text::from(variable)
                    );
                    entry::add(&mut weight, Severity::High, reason);
                } else if variable == b"*" {
                    entry::add(
                        &mut weight,
                        Severity::Medium,
                        "users may set any variable for what root runs",
                    );
                }
            }
        }
        b"!env_reset" => entry::add(&mut weight, Severity::Low, "users' variables reach what root runs"),
        b"!authenticate" => {
            let scope =
                rule.who.first().and_then(|scope| scope.as_bytes().strip_prefix(b":")).map(Text::from);
            match scope {
                None if rule.who.is_empty() => {
                    entry::add(&mut weight, Severity::High, "sudo asks nobody for a password")
                }
                Some(who) if !services(world, &who).is_empty() => {
                    entry::add(
                        &mut weight,
                        Severity::High,
                        format!("sudo asks the service account \"{who}\" for no password"),
                    );
                }
                _ => entry::add(&mut weight, Severity::Info, "sudo asks for no password"),
            }
        }
        b"!syslog" | b"!logfile" => {
            entry::add(&mut weight, Severity::Low, "what is done with sudo is not logged")
        }
        b"timestamp_timeout" if value.trim_ascii().starts_with(b"-") => {
            entry::add(&mut weight, Severity::Low, "a password once given counts until the next reboot");
        }
        b"secure_path" => {
            for part in value.trim_ascii().split(|b| *b == b':') {
                let path = Text::from(part);
                let open = weigh::is_open(part)
                    || matches!(part, b"/tmp" | b"/var/tmp" | b"/dev/shm")
                    || !part.starts_with(b"/");
                if open || entry::is_hidden(part) {
                    entry::add(
                        &mut weight,
                        Severity::High,
                        format!("root's programs are looked for in {path}"),
                    );
                    weight.paths.push(path);
                } else {
                    entry::merge(&mut weight, entry::loose(&world.files, &path, None));
                }
            }
        }
        b"mailerpath"
        | b"env_file"
        | b"restricted_env_file"
        | b"editor"
        | b"askpass"
        | b"group_plugin"
        | b"sudoedit_checkdir" => {
            for path in
                value.trim_ascii().split(|b| matches!(b, b':' | b' ')).filter(|path| path.starts_with(b"/"))
            {
                let standing = entry::standing(&world.files, &path.into(), "the file");
                if standing.severity > Some(Severity::Low) {
                    entry::merge(&mut weight, standing);
                }
            }
        }
        _ => {}
    }
    draft(rule, b"setting", format!("sudo is set up in an unusual way ({})", Text::from(name)), weight)
}

/// A plugin, or another file of rules.
fn named(world: &World<'_>, rule: &Row<'_, SudoRule>) -> Option<Draft> {
    let mut weight = Weight::default();
    let plugin = rule.what == "plugin";
    if let Some(file) = &rule.file {
        let standing = entry::standing(&world.files, file, if plugin { "the plugin" } else { "the file" });
        let outside =
            !weigh::is_below(file.as_bytes(), b"/etc") && !weigh::is_below(file.as_bytes(), b"/usr");
        if plugin || standing.severity > Some(Severity::Low) {
            entry::merge(&mut weight, standing);
        }
        if !plugin && outside {
            entry::add(&mut weight, Severity::Medium, format!("{file} is no place for rules"));
        }
        if weight.paths.is_empty() {
            weight.paths.push(file.clone());
        }
    }
    let title =
        if plugin { "sudo loads a plugin of unknown origin" } else { "sudo takes rules from an odd place" };
    draft(rule, b"named", title.to_owned(), weight)
}

fn draft(rule: &Row<'_, SudoRule>, what: &[u8], title: String, weight: Weight) -> Option<Draft> {
    let severity = weight.severity?;
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let who = rule.who.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b',');
    let identity = [what, b"\0", rule.path.as_bytes(), b"\0", &who, b"\0", rule.command.as_bytes()].concat();
    let mut draft = Draft::new(severity, certainty, identity, title).path(&rule.path).from(rule, "the rule");
    if what != b"place" {
        let tags = if rule.tags.is_empty() { String::new() } else { format!("{}: ", rule.tags.join(": ")) };
        let line = format!("line {} of {}: {tags}{}", rule.line, rule.path, entry::short(&rule.command));
        draft = draft.saw(line);
    }
    draft = draft.saw_all(weight.reasons);
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host(rules: &str) -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/etc/group", "www-data:x:33:\nsudo:x:27:me\n")
            .file("/var/lib/dpkg/info/p.list", "/usr/bin/systemctl\n/usr/lib/sudo/sudoers.so\n/etc/sudoers\n/bin/sh\n/bin/bash\n")
            .file("/usr/bin/systemctl", "")
            .file("/bin/bash", "")
            .file("/etc/sudoers", "Defaults env_reset\nDefaults secure_path=\"/usr/sbin:/usr/bin\"\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
            .file("/etc/sudoers.d/x", rules)
    }

    #[test]
    fn rules_of_intruders_are_found() {
        for rules in [
            "www-data ALL=(ALL) NOPASSWD: ALL\n",
            "#33 ALL=(root) NOPASSWD:ALL\n",
            "%www-data ALL = NOPASSWD: /bin/bash\n",
            "User_Alias WEB = me, www-data\nCmnd_Alias ANY = /usr/bin/systemctl, /bin/bash\nWEB ALL=(ALL:ALL) NOPASSWD: ANY\n",
            "ALL ALL=(ALL) NOPASSWD: ALL\n",
            "www-data ALL = NOPASSWD: /usr/bin/systemctl, /usr/bin/vim\n",
            "www-data ALL=(ALL) NOPASSWD: /usr/bin/python3.12 *\n",
            "Defaults env_keep += \"LD_PRELOAD\"\n",
            "Defaults !authenticate\n",
            "Defaults secure_path=/dev/shm/bin:/usr/bin\n",
            "me ALL=(root) NOPASSWD: /home/me/fix.sh\n",
            "me ALL=(root) NOPASSWD: /var/tmp/.cache/fix\n",
            "#include /usr/share/.x/rules\n",
        ] {
            let mem = host(rules).file("/home/me/fix.sh", "#!/bin/sh\n").owned(
                "/home/me/fix.sh",
                0o755,
                1000,
                1000,
            );
            let seen = check(mem);
            assert_eq!(seen.alarms("sudo-rules").len(), 1, "{rules}: {:?}", seen.by("sudo-rules"));
        }
        let open = host("me ALL=(ALL) ALL\n").owned("/etc/sudoers.d/x", 0o666, 0, 0);
        assert_eq!(check(open).alarms("sudo-rules").len(), 1);
        let doas = host("").file("/etc/doas.conf", "permit nopass www-data\n");
        assert_eq!(check(doas).alarms("sudo-rules").len(), 1);
        let plugin = host("")
            .file("/etc/sudo.conf", "Plugin sudoers_policy /usr/lib/sudo/policy.so\n")
            .file("/usr/lib/sudo/policy.so", "");
        assert_eq!(check(plugin).alarms("sudo-rules").len(), 1);
        let wide = format!("me ALL=(root) /usr/bin/systemctl{}, /bin/bash\n", " ".repeat(200));
        assert!(!check(host(&wide)).alarms("sudo-rules").is_empty());
    }

    #[test]
    fn what_administrators_write_is_quiet() {
        for rules in [
            "me ALL=(ALL) NOPASSWD:ALL\n",
            "www-data ALL=(root) NOPASSWD: /usr/bin/find /srv -delete\n",
            "www-data ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx\n",
            "www-data ALL=(me) NOPASSWD: ALL\n",
            "%sudo ALL=(ALL) NOPASSWD: ALL\n",
            "me ALL=(root) NOPASSWD: /usr/local/bin/deploy\n",
            "Defaults:me !requiretty, env_keep += \"EDITOR LANG\"\n",
            "Defaults targetpw\nALL ALL=(ALL) ALL\n",
        ] {
            let seen = check(host(rules).file("/usr/local/bin/deploy", "#!/bin/sh\nsystemctl restart x\n"));
            assert!(seen.alarms("sudo-rules").is_empty(), "{rules}: {:?}", seen.by("sudo-rules"));
        }
        // sudo passes over such names.
        let backup = host("").file("/etc/sudoers.d/x.bak", "www-data ALL=(ALL) NOPASSWD: ALL\n");
        assert!(check(backup).by("sudo-rules").is_empty());
    }
}
