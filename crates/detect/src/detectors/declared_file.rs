//! Detector: a line of tmpfiles.d, sysusers.d or a credential that makes what an intruder would want at every boot.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables, credentials, entry};
use calma_record::{Severity, Text, kinds::DeclaredFile};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "declared-file",
        doc: "A line of tmpfiles.d or sysusers.d, or a credential of the service manager, makes keys, jobs, rights or accounts by itself.",
        mechanisms: &[45, 114],
        attack: &["T1546", "T1547", "T1136"],
        why: "The service manager does it as root at every boot: what you remove comes back.",
        innocent: "you wrote this line to have a program's files made",
        next: "read the file; keep it as evidence and remove it before you remove what it makes",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<DeclaredFile>() {
        let weight = match row.what.as_str() {
            "account" => account(row.fact),
            "credential" => credential(row.fact),
            _ => file(&files, row.fact),
        };
        let weight = weight.and(entry::loose(&files, &row.path, None));
        let identity =
            [row.path.as_bytes(), b"\0", row.action.as_bytes(), b"\0", row.target.as_bytes()].concat();
        let title = match row.what.as_str() {
            "account" => format!("An account is made by itself at boot: {}", entry::short(&row.target)),
            "credential" => format!("The system is given {} at boot", entry::short(&row.target)),
            _ => format!("The service manager makes or changes {} at boot", entry::short(&row.target)),
        };
        let shown: Vec<String> = [&row.action, &row.target, &row.mode, &row.user, &row.group, &row.argument]
            .iter()
            .map(|word| if word.is_empty() { "-".to_owned() } else { word.to_string() })
            .collect();
        let written = Text::from(shown.join(" "));
        let target = row.target.as_bytes().starts_with(b"/").then_some(&row.fact.target);
        let draft = weigh::draft(weight, &identity, title, &row.path, row.line, &written, &row);
        drafts.extend(draft.map(|draft| match target {
            Some(target) => draft.path(target),
            None => draft,
        }));
    }
}

/// A word of the shell that stands for these bytes.
fn quoted(text: &Text) -> Vec<u8> {
    let mut word = vec![b'\''];
    word.extend(text.as_bytes().iter().filter(|b| **b != b'\''));
    word.push(b'\'');
    word
}

/// A line of tmpfiles.d: what it does, said as a command, and what it makes of rights.
fn file(files: &Files<'_>, line: &DeclaredFile) -> Weight {
    let action = line.action.as_bytes().first().copied().unwrap_or_default();
    let (target, argument) = (quoted(&line.target), quoted(&line.argument));
    let command: Vec<u8> = match action {
        b'f' | b'F' => [b"echo ", argument.as_slice(), b" > ", &target].concat(),
        b'w' => [b"echo ", argument.as_slice(), b" >> ", &target].concat(),
        b'C' => [b"cp ", argument.as_slice(), b" ", &target].concat(),
        b'L' => [b"ln -s ", argument.as_slice(), b" ", &target].concat(),
        b'r' | b'R' => [b"rm -rf ", target.as_slice()].concat(),
        _ => Vec::new(),
    };
    let mut weight = weigh::command(files, &command.into(), true);
    if matches!(action, b'f' | b'F' | b'w') && starts_programs(line.target.as_bytes()) {
        let reason = format!("it sets {}, which names a program that runs as root", line.target);
        weight = weight.and(weigh::command(files, &line.argument, true));
        entry::add(&mut weight, Severity::Medium, reason);
    }
    if matches!(action, b'C' | b'L')
        && line.argument.as_bytes().starts_with(b"/")
        && line.argument != "/dev/null"
    {
        let own = weigh::file(files, &line.argument, true);
        if own.severity >= Some(Severity::Medium) {
            weight = weight.and(own);
        }
        if is_system(line.target.as_bytes()) && action == b'L' && weigh::is_open(line.argument.as_bytes()) {
            entry::add(
                &mut weight,
                Severity::High,
                "a name of the system leads to where anybody may put files",
            );
        }
    }
    if action == b'C' && starts_by_itself(line.target.as_bytes()) {
        let reason = format!("what it copies to {} starts by itself or opens the system", line.target);
        entry::add(&mut weight, Severity::Medium, reason);
    }
    rights(line, action, &mut weight);
    weight
}

fn rights(line: &DeclaredFile, action: u8, weight: &mut Weight) {
    let digits: Vec<u8> = line.mode.as_bytes().iter().copied().filter(u8::is_ascii_digit).collect();
    let mode =
        std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 8).ok()).unwrap_or(0);
    let target = line.target.as_bytes();
    let directory = matches!(action, b'd' | b'D' | b'e' | b'v' | b'q' | b'Q');
    if mode & 0o4000 != 0 && !directory {
        entry::add(weight, Severity::High, format!("it lets {} run with its owner's rights", line.target));
    } else if mode & 0o2000 != 0 && matches!(action, b'f' | b'F' | b'C') {
        entry::add(weight, Severity::Medium, format!("it lets {} run with its group's rights", line.target));
    }
    let own = |name: &Text| !matches!(name.as_bytes(), b"" | b"root" | b"0" | b":root" | b":0");
    if is_system(target) && matches!(action, b'f' | b'F' | b'C' | b'z' | b'Z' | b'm' | b'd' | b'e') {
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            entry::add(weight, Severity::High, format!("it lets everybody change {}", line.target));
        } else if own(&line.user) && starts_by_itself(target) {
            entry::add(weight, Severity::High, format!("it gives {} to {}", line.target, line.user));
        }
        if target == b"/etc/shadow" && mode & 0o044 != 0 {
            entry::add(weight, Severity::High, "it lets everybody read the passwords' digests");
        }
    }
    if matches!(action, b'a' | b'A') && is_system(target) {
        let reason = format!(
            "it gives somebody rights on {} beside the ordinary ones ({})",
            line.target, line.argument
        );
        entry::add(weight, Severity::Medium, reason);
    }
    if matches!(action, b't' | b'T') && weigh::contains(line.argument.as_bytes(), b"security.capability") {
        entry::add(weight, Severity::High, format!("it gives {} rights of root (a capability)", line.target));
    }
    if matches!(action, b'c' | b'b') && !weigh::is_below(target, b"/dev") && !weigh::is_below(target, b"/run")
    {
        entry::add(weight, Severity::Medium, "it makes a device outside the directory of devices");
    }
}

/// The system's own directories.
fn is_system(path: &[u8]) -> bool {
    let places: [&[u8]; 8] = [b"/etc", b"/usr", b"/bin", b"/sbin", b"/lib", b"/lib64", b"/boot", b"/root"];
    places.iter().any(|place| weigh::is_below(path, place))
}

/// Files that run by themselves, or say who may log in or become root.
fn starts_by_itself(path: &[u8]) -> bool {
    let parts: [&[u8]; 24] = [
        b"/etc/cron",
        b"/var/spool/cron",
        b"/systemd/",
        b"/etc/init",
        b"/etc/rc",
        b"/etc/profile",
        b"/.bash",
        b"/.profile",
        b"/.ssh/",
        b"/authorized_keys",
        b"/etc/ssh/",
        b"/etc/sudoers",
        b"/etc/passwd",
        b"/etc/shadow",
        b"/etc/group",
        b"/etc/pam.d",
        b"/etc/ld.so",
        b"/etc/udev",
        b"/etc/apt/",
        b"/etc/update-motd.d",
        b"/etc/modules",
        b"/etc/modprobe.d",
        b"/etc/network/",
        b"/etc/logrotate",
    ];
    parts.iter().any(|part| weigh::contains(path, part)) || weigh::is_packaged_place(path)
}

/// Settings of the kernel that name a program.
fn starts_programs(path: &[u8]) -> bool {
    let ends: [&[u8]; 5] = [
        b"/core_pattern",
        b"/kernel/modprobe",
        b"/uevent_helper",
        b"/release_agent",
        b"/binfmt_misc/register",
    ];
    ends.iter().any(|end| path.ends_with(end))
}

/// A line of sysusers.d that no package wrote.
fn account(line: &DeclaredFile) -> Weight {
    let mut weight = Weight::default();
    if line.package.is_some() {
        return weight;
    }
    let words = line.argument.to_string();
    let shell = words.rsplit(' ').next().unwrap_or_default();
    let action = line.action.as_bytes().first().copied().unwrap_or_default();
    let id = line.user.as_bytes().split(|b| *b == b':').next().unwrap_or_default();
    if action == b'u' && matches!(id, b"0" | b"00") && line.target != "root" {
        entry::add(&mut weight, Severity::High, format!("{} is given the user id of root", line.target));
    }
    if action == b'u' && shell.ends_with("sh") && line.target != "root" && line.packages_known {
        entry::add(
            &mut weight,
            Severity::Medium,
            format!("{} is given a login shell ({shell})", line.target),
        );
    }
    let powerful = ["sudo", "wheel", "root", "docker", "shadow", "disk", "lxd"];
    if action == b'm' && powerful.iter().any(|group| line.user == *group) {
        let reason =
            format!("{} is put into the group {}, whose members can become root", line.target, line.user);
        entry::add(&mut weight, Severity::Medium, reason);
    }
    weight
}

/// A credential that lets somebody in, kept on disk. Those a machine was given from outside at boot come from whoever runs it.
fn credential(line: &DeclaredFile) -> Weight {
    let name = line.target.as_bytes();
    if !credentials::opens(name) {
        return Weight::default();
    }
    if weigh::is_below(line.path.as_bytes(), b"/run/credentials") {
        return Weight::of(Severity::Info, "it was given to this machine from outside at boot");
    }
    Weight::of(
        Severity::Medium,
        "a credential of this name lets somebody in, or runs something, at every boot",
    )
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/all.list", "/.\n/usr/lib/tmpfiles.d/tmp.conf\n/etc/tmpfiles.d/screen-cleanup.conf\n/usr/lib/sysusers.d/basic.conf\n/usr/bin/dash\n")
            .file("/usr/bin/dash", "\x7fELF")
            .symlink("/bin", "usr/bin")
            .file("/usr/lib/tmpfiles.d/tmp.conf", "D /tmp 1777 root root -\nz /etc/shadow 0640 root shadow\n")
            .file("/usr/lib/sysusers.d/basic.conf", "u root 0 \"Super User\" /root /bin/bash\n")
            .file("/etc/tmpfiles.d/screen-cleanup.conf", "d /run/screen 1777 root utmp\n")
    }

    #[test]
    fn lines_that_keep_a_way_in_are_found() {
        for (path, text) in [
            ("/etc/tmpfiles.d/a.conf", "f+ /root/.ssh/authorized_keys 0600 root root - ssh-ed25519 AAAA x\n"),
            ("/usr/lib/tmpfiles.d/b.conf", "f /etc/cron.d/upd 0644 root root - * * * * * root /opt/x\\n\n"),
            ("/run/tmpfiles.d/c.conf", "C /usr/local/bin/rs 4755 root root - /bin/dash\n"),
            ("/etc/tmpfiles.d/d.conf", "z /usr/bin/find 4755 root root -\n"),
            ("/etc/tmpfiles.d/e.conf", "w /proc/sys/kernel/core_pattern - - - - |/var/tmp/c\n"),
            (
                "/etc/tmpfiles.d/screen-cleanup.conf",
                "d /run/screen 1777 root utmp\nL+ /etc/systemd/system/x.service - - - - /dev/shm/x.service\n",
            ),
            ("/etc/tmpfiles.d/g.conf", "m /etc/passwd 0666 root root -\n"),
            ("/etc/tmpfiles.d/h.conf", "a+ /etc/shadow - - - - u:www-data:rw\n"),
            ("/etc/tmpfiles.d/i.conf", "t /usr/bin/python3 - - - - security.capability=0x01\n"),
            ("/etc/tmpfiles.d/j.conf", "L+ /root/.bash_history - - - - /dev/null\n"),
            ("/etc/tmpfiles.d/k.conf", "C+ /etc/systemd/system/net.service 0644 - - - /usr/share/doc/n\n"),
            ("/etc/sysusers.d/a.conf", "u sysd 0 \"x\" /root /bin/bash\n"),
            ("/usr/lib/sysusers.d/z.conf", "m www-data sudo\n"),
            ("/etc/credstore/ssh.authorized_keys.root", "ssh-ed25519 AAAA\n"),
            ("/etc/credstore/passwd.hashed-password.root", "x"),
        ] {
            let seen = check(debian().file(path, text));
            let found = seen.alarms("declared-file");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn files_that_programs_need_are_no_alarm() {
        let seen = check(
            debian()
                .file("/etc/tmpfiles.d/app.conf", "d /run/app 2755 app app -\nf /var/log/app.log 0640 app adm -\nL /var/lib/app/current - - - - /srv/app\nx /tmp/app-*\nw /sys/kernel/mm/transparent_hugepage/enabled - - - - never\nC /etc/app/app.conf - - - - /usr/share/app/app.conf\nz /dev/ttyS0 0660 root dialout -\na+ /var/log/journal - - - - d:group:adm:r-x\n")
                .file("/etc/sysusers.d/app.conf", "u app - \"App\" /srv/app /usr/sbin/nologin\ng app -\nm app ssl-cert\n")
                .file("/etc/credstore/app.token", "x"),
        );
        assert!(seen.by("declared-file").is_empty(), "{:#?}", seen.findings);
    }
}
