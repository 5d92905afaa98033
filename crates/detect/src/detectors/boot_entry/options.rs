//! What single options of a kernel's command line mean (kernel-parameters.txt, kernel-command-line(7), dracut.cmdline(7)).

use crate::entry;
use crate::weigh::{self, Files, Weight};
use calma_record::{Severity, Text};

/// Name and value of an option; the kernel takes dashes and underscores of names as one.
fn split(option: &[u8]) -> (Vec<u8>, &[u8]) {
    let at = option.iter().position(|b| *b == b'=').unwrap_or(option.len());
    let name = option.get(..at).unwrap_or_default();
    let name = name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect();
    (name, option.get(at + 1..).unwrap_or_default())
}

fn is_no(value: &[u8]) -> bool {
    matches!(value, b"0" | b"no" | b"off" | b"false" | b"n")
}

/// What an option weighs by itself.
pub(super) fn weigh(files: &Files<'_>, option: &[u8]) -> Weight {
    let (name, value) = split(option);
    match name.as_slice() {
        b"init" | b"rdinit" => first_program(files, value),
        b"rd.break" | b"break" => {
            Weight::of(Severity::Medium, "it stops at boot with a root shell that asks for no password")
        }
        b"systemd.debug_shell" if !is_no(value) => Weight::of(
            Severity::Medium,
            "a root shell waits on a terminal of the machine and asks for no password",
        ),
        b"systemd.run" => {
            let weight = weigh::command(files, &value.into(), true);
            weight.and(Weight::of(Severity::Medium, "the service manager runs this command at boot, as root"))
        }
        b"systemd.unit" | b"rd.systemd.unit" => target(value),
        b"systemd.wants" | b"rd.systemd.wants" => {
            Weight::of(Severity::Medium, format!("it starts the unit {} besides", Text::from(value)))
        }
        b"systemd.mask" | b"rd.systemd.mask" => mask(value),
        b"systemd.setenv" => {
            let at = value.iter().position(|b| *b == b'=').unwrap_or(value.len());
            let (name, content) = (value.get(..at), value.get(at + 1..));
            weigh::variable(files, name.unwrap_or_default(), content.unwrap_or_default(), true)
        }
        b"systemd.set_credential" | b"systemd.set_credential_binary" => credential(value),
        b"initcall_blacklist" => {
            let parts: [&[u8]; 6] = [b"selinux", b"apparmor", b"lockdown", b"integrity", b"yama", b"audit"];
            match parts.iter().any(|part| weigh::contains(value, part)) {
                true => {
                    Weight::of(Severity::Medium, "it keeps a part of the kernel's protection from starting")
                }
                false => Weight::default(),
            }
        }
        _ => match name.strip_prefix(b"sysctl.") {
            Some(setting) => helper(files, setting, value),
            None => Weight::default(),
        },
    }
}

/// The program that the kernel starts first.
fn first_program(files: &Files<'_>, value: &[u8]) -> Weight {
    const USUAL: [&[u8]; 10] = [
        b"/sbin/init",
        b"/usr/sbin/init",
        b"/bin/init",
        b"/init",
        b"/lib/systemd/systemd",
        b"/usr/lib/systemd/systemd",
        b"/bin/systemd",
        b"/usr/bin/systemd",
        b"/sbin/openrc-init",
        b"/usr/bin/runit-init",
    ];
    if USUAL.contains(&value) || value.starts_with(b"/nix/store/") || value.starts_with(b"/ostree/") {
        return Weight::default();
    }
    let path = Text::from(value);
    let mut weight = weigh::file(files, &path, true);
    let name = path.file_name();
    let shell = [&b"sh"[..], b"bash", b"dash", b"ash", b"zsh", b"ksh", b"busybox"].contains(&name);
    if shell {
        entry::add(
            &mut weight,
            Severity::High,
            "a root shell is started instead of the system, without a password",
        );
    } else if files.get(&path).is_some_and(|file| file.package.is_some()) {
        entry::add(
            &mut weight,
            Severity::Low,
            format!("{path}, of a package, is started first, not the usual init"),
        );
    } else {
        entry::add(
            &mut weight,
            Severity::High,
            format!("{path} is started first, instead of the usual init"),
        );
    }
    weight.paths.push(path);
    weight
}

fn target(value: &[u8]) -> Weight {
    const USUAL: [&[u8]; 12] = [
        b"multi-user.target",
        b"graphical.target",
        b"default.target",
        b"rescue.target",
        b"emergency.target",
        b"runlevel1.target",
        b"runlevel3.target",
        b"runlevel5.target",
        b"initrd.target",
        b"kdump.target",
        b"anaconda.target",
        b"system-update.target",
    ];
    if USUAL.contains(&value) {
        return Weight::default();
    }
    let reason = format!("{} is started instead of the usual target", Text::from(value));
    Weight::of(Severity::Medium, reason)
}

/// A unit that is kept from starting.
fn mask(value: &[u8]) -> Weight {
    let parts: [&[u8]; 14] = [
        b"audit",
        b"syslog",
        b"journal",
        b"apparmor",
        b"selinux",
        b"fail2ban",
        b"firewall",
        b"nftables",
        b"iptables",
        b"ufw",
        b"falco",
        b"wazuh",
        b"clam",
        b"aide",
    ];
    let watches = parts.iter().any(|part| weigh::contains(value, part));
    let severity = if watches { Severity::Medium } else { Severity::Low };
    Weight::of(severity, format!("it keeps {} from starting", Text::from(value)))
}

/// Data given to services at boot (systemd.system-credentials(7)): those that let somebody in or run something.
fn credential(value: &[u8]) -> Weight {
    let name = value.split(|b| *b == b':').next().unwrap_or_default();
    if crate::credentials::opens(name) {
        let reason = format!("it gives the system {} at boot", Text::from(name));
        return Weight::of(Severity::Medium, reason);
    }
    Weight::default()
}

/// A kernel setting that names a program.
fn helper(files: &Files<'_>, setting: &[u8], value: &[u8]) -> Weight {
    let setting: Vec<u8> = setting.iter().map(|b| if *b == b'/' { b'.' } else { *b }).collect();
    let program = value.strip_prefix(b"|").unwrap_or(value);
    match setting.as_slice() {
        b"kernel.core_pattern" if value.starts_with(b"|") => weigh::command(files, &program.into(), true)
            .and(Weight::of(Severity::Medium, "the kernel runs this program whenever another one crashes")),
        b"kernel.modprobe"
            if !matches!(value, b"/sbin/modprobe" | b"/usr/sbin/modprobe" | b"/bin/false" | b"") =>
        {
            weigh::command(files, &program.into(), true)
                .and(Weight::of(Severity::Medium, "the kernel runs this program whenever it wants a module"))
        }
        _ => Weight::default(),
    }
}

/// The protection an option switches off, in plain words.
pub(super) fn switches_off(option: &[u8]) -> Option<&'static str> {
    let (name, value) = split(option);
    let no = is_no(value);
    match name.as_slice() {
        b"selinux" if no => Some("SELinux"),
        b"enforcing" if no => Some("SELinux's enforcement"),
        b"apparmor" if no => Some("AppArmor"),
        b"audit" if no => Some("the kernel's audit"),
        b"security" if matches!(value, b"none" | b"" | b"dac") => Some("every security module"),
        b"lsm" if !value.split(|b| *b == b',').any(is_security_module) => Some("every security module"),
        b"module.sig_enforce" | b"module_sig_enforce" if no => Some("the check of modules' signatures"),
        b"lockdown" if value == b"none" => Some("the kernel's lockdown"),
        b"ima_appraise" if matches!(value, b"off" | b"fix" | b"log") => {
            Some("the check of files' signatures")
        }
        _ => None,
    }
}

fn is_security_module(name: &[u8]) -> bool {
    matches!(name, b"selinux" | b"apparmor" | b"smack" | b"tomoyo")
}

/// Whether administrators switch it off often enough, for a program that does not get along with it.
pub(super) fn is_ordinary(what: &str) -> bool {
    matches!(what, "SELinux" | "SELinux's enforcement" | "AppArmor" | "the kernel's audit")
}
