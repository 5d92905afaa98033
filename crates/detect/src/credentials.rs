//! Credentials of the service manager that let somebody in or run something (systemd.system-credentials(7)).

/// Whether a credential of this name opens the system: accounts and their passwords, keys, units, files, rules.
pub(crate) fn opens(name: &[u8]) -> bool {
    let begins: [&[u8]; 9] = [
        b"passwd.",
        b"ssh.authorized_keys",
        b"ssh.ephemeral",
        b"systemd.extra-unit.",
        b"systemd.unit-dropin.",
        b"tmpfiles.extra",
        b"sysusers.extra",
        b"udev.rules.",
        b"sysctl.extra",
    ];
    begins.iter().any(|begin| name.starts_with(begin))
}
