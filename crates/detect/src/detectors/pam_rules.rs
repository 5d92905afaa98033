//! Detector: authentication that lets everybody in, or tells somebody the passwords.

use crate::pam_stack::Stacks;
use crate::weigh::{Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry, weigh};
use calma_record::{Certainty, Severity, Text, kinds::File, kinds::PamRule};
use std::collections::{BTreeMap, BTreeSet};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "pam-rules",
        doc: "Authentication accepts a wrong password, loads a module no package owns, or runs a foreign program.",
        mechanisms: &[8, 9],
        attack: &["T1556.003"],
        why: "Every login passes here: the intruder comes in with any password, or learns those that are typed.",
        innocent: "you or a vendor's installer set it up (second factor, single sign-on)",
        next: "compare with the packaged files; assume that passwords typed since then are known",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    open_stacks(&files, &Stacks::new(tables), drafts);
    let mut seen = BTreeSet::new();
    let mut used = BTreeSet::new();
    for rule in tables.of::<PamRule>() {
        used.extend(rule.fact.file.as_ref());
        if seen.insert(&rule.fact.path) {
            let weight = entry::loose(&files, &rule.path, None);
            if weight.severity.is_some() {
                let title = format!("The rules of authentication in {} can be changed by others", rule.path);
                drafts.extend(draft(&rule, b"place", title, weight));
            }
        }
        drafts.extend(program(&files, &rule));
        drafts.extend(module(&files, &rule));
    }
    for file in tables.of::<File>() {
        drafts.extend(stray(&file, &used));
    }
}

/// The rule that lets in, the services it opens, and whether it does so without any condition.
type Opened<'a> = (Row<'a, PamRule>, BTreeSet<Text>, bool);

/// Stacks that let somebody in who knows no password.
fn open_stacks(files: &Files<'_>, stacks: &Stacks<'_>, drafts: &mut Vec<Draft>) {
    let mut found: BTreeMap<(Text, u32), Opened<'_>> = BTreeMap::new();
    for service in stacks.services() {
        let (rule, always) = match (stacks.opens(service, false), stacks.opens(service, true)) {
            (Some(rule), _) => (rule, true),
            (None, Some(rule)) => (rule, false),
            (None, None) => continue,
        };
        // Graphical sessions that nobody has to log in to are made so; a packaged rule of another service may be too.
        let name = String::from_utf8_lossy(service);
        let display = ["autologin", "greeter", "launch-environment", "xserver", "gdm", "lightdm", "sddm"];
        let packaged = files.get(&rule.path).is_some_and(|file| file.package.is_some());
        if display.iter().any(|part| name.contains(part)) || (!is_login(service) && (packaged || !always)) {
            continue;
        }
        let entry = found.entry((rule.path.clone(), rule.line)).or_insert((rule, BTreeSet::new(), false));
        entry.1.insert(service.into());
        entry.2 |= always;
    }
    for (rule, services, always) in found.into_values() {
        let (severity, certainty) =
            match (always, services.iter().any(|service| is_login(service.as_bytes()))) {
                (false, _) => (Severity::Low, Certainty::Possible),
                (true, true) => (Severity::High, Certainty::VeryLikely),
                (true, false) => (Severity::Medium, Certainty::Possible),
            };
        let names: Vec<String> = services.iter().take(12).map(ToString::to_string).collect();
        let title = match always {
            true => format!("A wrong password is accepted ({})", names.join(", ")),
            false => format!("Some users need no password ({})", names.join(", ")),
        };
        let identity = [rule.path.as_bytes(), b"\0opens\0", rule.module.as_bytes()].concat();
        drafts.push(
            Draft::new(severity, certainty, identity, title)
                .saw(format!("line {} of {} decides: {}", rule.line, rule.path, shown(&rule)))
                .path(&rule.path)
                .from(&rule, "the rule that lets in")
                .innocent(if always { "" } else { "you let a group in without a password on purpose" }),
        );
    }
}

/// Services by which people come in or become root, and the shared stacks they use.
fn is_login(service: &[u8]) -> bool {
    let names: [&[u8]; 24] = [
        b"sshd",
        b"login",
        b"remote",
        b"sudo",
        b"sudo-i",
        b"su",
        b"su-l",
        b"doas",
        b"other",
        b"common-auth",
        b"system-auth",
        b"password-auth",
        b"system-login",
        b"system-local-login",
        b"system-remote-login",
        b"system-services",
        b"polkit-1",
        b"cockpit",
        b"vsftpd",
        b"proftpd",
        b"dovecot",
        b"smtp",
        b"base-auth",
        b"passwd",
    ];
    names.contains(&service) || service.ends_with(b"-auth")
}

/// pam_exec(8) and whatever else is given a file.
fn program(files: &Files<'_>, rule: &Row<'_, PamRule>) -> Option<Draft> {
    let mut weight = Weight::default();
    let has = |word: &str| rule.arguments.iter().any(|argument| *argument == word);
    let exec = matches!(rule.module.file_name(), b"pam_exec.so" | b"pam_exec");
    if exec {
        // The command begins at the first argument that is a path.
        let words: Vec<&[u8]> =
            rule.arguments.iter().map(Text::as_bytes).skip_while(|word| !word.starts_with(b"/")).collect();
        let command = Text::from(words.join(&b' '));
        entry::merge(&mut weight, entry::program(files, &command, true));
        if has("expose_authtok") {
            let packaged = words
                .first()
                .is_some_and(|path| files.get(&Text::from(*path)).is_some_and(|f| f.package.is_some()));
            let severity = if packaged { Severity::Low } else { Severity::Medium };
            entry::add(&mut weight, severity, "the program is given every password (expose_authtok)");
        }
        if weight.paths.is_empty() {
            weight.paths.extend(words.first().map(|path| Text::from(*path)));
        }
    }
    for argument in &rule.arguments {
        let value = argument.as_bytes().rsplit(|b| *b == b'=').next().unwrap_or_default();
        if weigh::is_open(value) || (value.starts_with(b"/") && entry::is_hidden(value)) {
            entry::add(
                &mut weight,
                Severity::High,
                format!("{} is no place for what logins need", Text::from(value)),
            );
            weight.paths.push(value.into());
        }
    }
    let title = match (exec, has("expose_authtok")) {
        (true, true) => "A program of its own learns every password",
        (true, false) => "Logins run a program",
        _ => "Authentication uses a file in an odd place",
    };
    draft(rule, b"runs", title.to_owned(), weight)
}

/// A module that comes from elsewhere, or that no package owns.
fn module(files: &Files<'_>, rule: &Row<'_, PamRule>) -> Option<Draft> {
    let path = rule.file.as_ref()?;
    let mut weight = entry::standing(files, path, "the module");
    let standard = path.as_bytes().windows(10).any(|w| w == b"/security/");
    let packaged = files.get(path).is_some_and(|file| file.package.is_some());
    if !standard && !packaged && rule.module.as_bytes().starts_with(b"/") {
        let place =
            weigh::is_below(path.as_bytes(), b"/opt") || weigh::is_below(path.as_bytes(), b"/usr/local");
        let severity = if place { Severity::Low } else { Severity::Medium };
        entry::add(&mut weight, severity, format!("{path} is not where modules stand"));
        weight.paths.push(path.clone());
    }
    let title = format!("Authentication loads a module of unknown origin, {}", Text::from(path.file_name()));
    draft(rule, b"module", title, weight)
}

/// A module among the packaged ones that no package owns and no rule names: ready to be named.
fn stray(file: &Row<'_, File>, used: &BTreeSet<&Text>) -> Option<Draft> {
    let path = file.path.as_bytes();
    let module = path.starts_with(b"/usr/lib") || path.starts_with(b"/lib");
    let ours = module && path.ends_with(b".so") && path.windows(10).any(|w| w == b"/security/");
    if !ours
        || !file.packages_known
        || file.package.is_some()
        || file.what != "file"
        || used.contains(&file.fact.path)
    {
        return None;
    }
    let title =
        format!("A module of authentication belongs to no package, {}", Text::from(file.path.file_name()));
    Some(
        Draft::new(Severity::Medium, Certainty::Possible, [b"stray\0", path].concat(), title)
            .saw(format!("{} stands among the packaged modules; no rule names it", file.path))
            .path(&file.path)
            .from(file, "the module's file"),
    )
}

fn draft(rule: &Row<'_, PamRule>, what: &[u8], title: String, weight: Weight) -> Option<Draft> {
    // A root-owned script of the administrator's in /usr/local is nothing to report.
    let severity = weight.severity.filter(|severity| *severity > Severity::Info)?;
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let subject = weight.paths.first().map(Text::as_bytes).unwrap_or_default();
    let identity =
        [what, b"\0", rule.path.as_bytes(), b"\0", rule.module.as_bytes(), b"\0", subject].concat();
    let mut draft = Draft::new(severity, certainty, identity, title)
        .saw(format!("line {} of {}: {}", rule.line, rule.path, shown(rule)))
        .saw_all(weight.reasons)
        .path(&rule.path)
        .from(rule, "the rule");
    for path in &weight.paths {
        draft = draft.path(path);
    }
    Some(draft)
}

fn shown(rule: &PamRule) -> String {
    let words = [rule.stack.as_bytes(), rule.control.as_bytes(), rule.module.as_bytes()];
    let words = words.into_iter().chain(rule.arguments.iter().map(Text::as_bytes)).collect::<Vec<_>>();
    entry::short(&words.join(&b' ').into())
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const DEBIAN: &str = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    const REDHAT: &str = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
        auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\nauth [default=1 ignore=ignore success=ok] pam_localuser.so\n\
        auth sufficient pam_unix.so nullok\nauth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n\
        auth sufficient pam_sss.so forward_pass\nauth required pam_deny.so\n";
    const ARCH: &str = "auth required pam_faillock.so preauth\n-auth [success=2 default=ignore] pam_systemd_home.so\n\
        auth [success=1 default=bad] pam_unix.so try_first_pass nullok\nauth [default=die] pam_faillock.so authfail\n\
        auth optional pam_permit.so\nauth required pam_env.so\nauth required pam_faillock.so authsucc\n";

    fn host(common: &str, sshd: &str) -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/p.list", "/usr/lib/x86_64-linux-gnu/security/pam_unix.so\n/usr/bin/logger\n/usr/lib/x86_64-linux-gnu/security/pam_exec.so\n")
            .file("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "")
            .file("/usr/lib/x86_64-linux-gnu/security/pam_exec.so", "")
            .file("/usr/bin/logger", "")
            .file("/etc/pam.d/common-auth", common)
            .file("/etc/pam.d/sshd", sshd)
            .file("/etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n")
    }

    #[test]
    fn opened_stacks_are_found() {
        let permit = format!("auth sufficient pam_permit.so\n{DEBIAN}");
        let no_deny = "auth [success=1 default=ignore] pam_unix.so\nauth required pam_permit.so\n";
        let jump = DEBIAN.replace("default=ignore", "default=1");
        let ignored = ARCH.replace("default=bad", "default=ignore").replace("[default=die]", "optional");
        for (name, common, sshd) in [
            ("permit", permit.as_str(), "@include common-auth\n"),
            ("deny taken away", no_deny, "@include common-auth\n"),
            ("jump over deny", jump.as_str(), "@include common-auth\n"),
            ("weakened", ignored.as_str(), "auth substack common-auth\n"),
            (
                "in sshd alone",
                DEBIAN,
                "auth [success=done default=ignore] pam_permit.so\n@include common-auth\n",
            ),
            ("true", DEBIAN, "auth sufficient pam_exec.so quiet /usr/bin/true\n@include common-auth\n"),
        ] {
            let seen = check(host(common, sshd));
            let found = seen.alarms("pam-rules");
            assert!(
                found.iter().any(|f| f.title.contains("wrong password")),
                "{name}: {:?}",
                seen.by("pam-rules")
            );
        }
    }

    #[test]
    fn foreign_modules_and_programs_are_found() {
        for (name, rule) in [
            ("elsewhere", "auth required /usr/share/misc/pam_x.so\n"),
            ("temporary", "session optional /dev/shm/.m.so\n"),
            ("unowned", "auth optional pam_foo.so\n"),
            ("exec", "auth optional pam_exec.so quiet expose_authtok /usr/local/bin/notify\n"),
            ("exec in tmp", "session optional pam_exec.so /var/tmp/.k\n"),
            ("environment", "session required pam_env.so envfile=/tmp/env\n"),
        ] {
            let mem = host(DEBIAN, &format!("{rule}@include common-auth\n"))
                .file("/usr/lib/x86_64-linux-gnu/security/pam_foo.so", "")
                .file("/usr/local/bin/notify", "#!/bin/sh\nlogger x\n")
                .file("/usr/share/misc/pam_x.so", "");
            let seen = check(mem);
            assert!(
                seen.alarms("pam-rules").iter().any(|f| f.facts[0].contains("/etc/pam.d/sshd")),
                "{name}: {:?}",
                seen.findings
            );
        }
    }

    #[test]
    fn what_distributions_ship_is_quiet() {
        for common in [DEBIAN, REDHAT, ARCH] {
            let sshd = "auth substack common-auth\nauth include postlogin\nsession optional pam_motd.so motd=/run/motd.dynamic\n\
                session optional pam_exec.so /usr/bin/logger hello\n";
            let mem = host(common, sshd)
                .file("/etc/pam.d/lightdm-autologin", "auth required pam_permit.so\n")
                .file("/etc/pam.d/common-account", "account required pam_permit.so\n");
            let seen = check(mem);
            assert!(seen.by("pam-rules").is_empty(), "{:?}", seen.by("pam-rules"));
        }
    }
}
