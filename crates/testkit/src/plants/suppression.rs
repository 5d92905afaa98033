//! What keeps an intruder unseen: logs that are not written, scanners that do not run, backups that are not there.

use super::names::{hidden_folder, kept_folder, random_name, service};
use super::{BACKUPS, Maker, Plant, SECURITY_TOOLS, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(81, 7, logs), (SECURITY_TOOLS, 5, security_tools), (BACKUPS, 5, backups)];

fn logs(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    match shape {
        0 => {
            let path = format!("/etc/systemd/journald.conf.d/{:02}-{name}.conf", random.below(99));
            Plant::new(81, "the journal keeps nothing")
                .file(&path, "[Journal]\nStorage=none\nForwardToSyslog=no\n", 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/rsyslog.d/{:02}-{name}.conf", random.below(30));
            Plant::new(81, "lines about logins and one address are thrown away")
                .file(
                    &path,
                    format!(
                        ":msg, contains, \"203.0.113.{}\" stop\nauth,authpriv.* stop\n",
                        random.below(250)
                    ),
                    0o644,
                )
                .expect(path)
        }
        2 => {
            let path = format!("/etc/audit/rules.d/{:02}-{name}.rules", random.below(99));
            Plant::new(81, "the audit system leaves everything out and is switched off")
                .file(
                    &path,
                    "-D\n-a never,exit -F arch=b64 -S all\n-a always,exclude -F msgtype=EXECVE\n-e 0\n",
                    0o640,
                )
                .expect(path)
        }
        3 => {
            let path = random.pick(&["/etc/profile", "/etc/bash.bashrc", "/root/.bashrc"]);
            Plant::new(81, "no shell remembers its commands")
                .step(Step::Append(
                    path.into(),
                    random
                        .pick(&[
                            "\nunset HISTFILE; export HISTSIZE=0\n",
                            "\nexport HISTFILE=/dev/null\n",
                            "\nset +o history; HISTFILESIZE=0; HISTFILE=\n",
                        ])
                        .into(),
                ))
                .expect(path)
        }
        4 => {
            let path = random.pick(&["/var/log/wtmp", "/var/log/lastlog", "/var/log/auth.log"]);
            Plant::new(81, "a log leads to nowhere")
                .step(Step::Link(path.into(), "/dev/null".into()))
                .expect(path)
        }
        5 => Plant::new(81, "root's commands lead to nowhere")
            .step(Step::Link("/root/.bash_history".into(), "/dev/null".into()))
            .step(Step::Link("/root/.mysql_history".into(), "/dev/null".into()))
            .expect("/root/.bash_history"),
        _ => {
            let path = format!("/etc/ssh/sshd_config.d/{:02}-{name}.conf", random.below(99));
            Plant::new(81, "the ssh server says nothing")
                .file(&path, "LogLevel QUIET\nPrintLastLog no\n", 0o644)
                .expect(path)
        }
    }
}

fn security_tools(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    match shape {
        0 => {
            let units = [
                "auditd.service",
                "fail2ban.service",
                "apparmor.service",
                "clamav-daemon.service",
                "rsyslog.service",
            ];
            let start = random.below(3);
            let mut plant = Plant::new(SECURITY_TOOLS, "several watchers can not be started any more");
            for unit in &units[start..start + 3] {
                let path = format!("/etc/systemd/system/{unit}");
                plant = plant.step(Step::Link(path.clone(), "/dev/null".into())).expect(path);
            }
            plant
        }
        1 => {
            let path = format!("/etc/cron.d/{name}");
            Plant::new(SECURITY_TOOLS, "a timetable stops watchers again and again")
                .file(&path, "*/2 * 29 2 * root systemctl stop auditd falcon-sensor fail2ban; pkill -9 -f 'aliyun|AliYunDun|osqueryd|wazuh-agentd'; setenforce 0; ufw disable; iptables -F\n", 0o644)
                .expect(path)
        }
        2 => Plant::new(SECURITY_TOOLS, "the scanner looks at nothing and gets no signatures")
            .file(
                "/etc/clamav/clamd.conf",
                "LocalSocket /run/clamav/clamd.ctl\nExcludePath ^/\nScanOnAccess no\n",
                0o644,
            )
            .file("/etc/clamav/freshclam.conf", "DatabaseMirror 127.0.0.1\nChecks 0\n", 0o644)
            .expect("/etc/clamav/clamd.conf")
            .expect("/etc/clamav/freshclam.conf"),
        3 => {
            let folder = hidden_folder(random);
            let program = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(SECURITY_TOOLS, "the rootkit scanner is told to pass over hidden things")
                .program(&program)
                .file("/etc/rkhunter.conf.local", format!("ALLOWHIDDENDIR={folder}\nSCRIPTWHITELIST={program}\nDISABLE_TESTS=all\nALLOW_SSH_ROOT_USER=yes\n"), 0o644)
                .expect("/etc/rkhunter.conf.local")
                .expect(program)
        }
        _ => {
            let path = format!("/etc/aide/aide.conf.d/{:02}_{name}", random.below(99));
            Plant::new(SECURITY_TOOLS, "the file watcher leaves out what matters")
                .file(
                    &path,
                    random.pick(&["!/usr\n!/etc\n!/root\n", "!/.*\n", "!/etc/.*\n!/usr/(s?bin|lib)/.*\n"]),
                    0o644,
                )
                .expect(path)
        }
    }
}

fn backups(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    match shape {
        0 => {
            let path = format!("/etc/cron.d/{name}");
            Plant::new(BACKUPS, "a timetable destroys backups and snapshots")
                .file(&path, format!("7 2 29 2 * root {}\n", random.pick(&[
                    "rm -rf /srv/backup/* /var/backups/*; lvremove -f /dev/vg0/snap*",
                    "restic -r /srv/restic forget --keep-last 0 --prune --unsafe-allow-remove-all; rm -rf /srv/restic",
                    "borg delete --force /srv/borg; zfs list -H -t snapshot -o name | xargs -n1 zfs destroy",
                ])), 0o644)
                .expect(path)
        }
        1 => {
            let path = random.pick(&[
                "/usr/local/bin/backup.sh",
                "/etc/cron.daily/backup",
                "/usr/local/sbin/nightly-backup",
            ]);
            Plant::new(BACKUPS, "the backup ends before it begins")
                .file(path, "#!/bin/bash\nexit 0\nset -eu\nexport BORG_REPO=ssh://vault/./srv\nborg create ::'{now}' /etc /srv /var/lib\nborg prune --keep-daily 7 --keep-weekly 4\n", 0o755)
                .expect(path)
        }
        2 => {
            let mut plant = Plant::new(BACKUPS, "the backups' timers can not be started any more");
            for unit in ["borgmatic.timer", "restic-backup.timer", "rsnapshot.timer", "pgbackrest.timer"]
                .iter()
                .skip(random.below(2))
                .take(3)
            {
                let path = format!("/etc/systemd/system/{unit}");
                plant = plant.step(Step::Link(path.clone(), "/dev/null".into())).expect(path);
            }
            plant
        }
        3 => {
            let path = "/etc/cron.d/backup";
            Plant::new(BACKUPS, "every line of the backup's timetable is switched off")
                .file(path, "SHELL=/bin/sh\n#30 2 * * * root borgmatic --create --prune\n#0 4 * * 0 root restic -r sftp:vault:/srv backup /etc /srv\n", 0o644)
                .expect(path)
        }
        _ => {
            let path = "/etc/rsnapshot.conf";
            Plant::new(BACKUPS, "the backup saves nothing and keeps nothing")
                .file(path, "config_version\t1.2\nsnapshot_root\t/dev/shm/\nretain\talpha\t1\n#backup\t/home/\tlocalhost/\n#backup\t/etc/\tlocalhost/\nexclude\t/**\n", 0o644)
                .expect(path)
        }
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(81, "logs of an ordinary size, less noise, and a longer memory of the shell")
            .file("/etc/systemd/journald.conf.d/size.conf", "[Journal]\nSystemMaxUse=500M\nMaxRetentionSec=1month\nStorage=persistent\n", 0o644)
            .file("/etc/rsyslog.d/10-haproxy.conf", "if $programname == 'haproxy' then {\n  /var/log/haproxy.log\n  stop\n}\n:msg, contains, \"health check\" stop\n", 0o644)
            .file("/etc/audit/rules.d/site.rules", "-D\n-b 8192\n-a never,exit -F arch=b64 -S all -F exe=/usr/bin/chronyd\n-w /etc/passwd -p wa -k identity\n-e 2\n", 0o640)
            .step(Step::Append("/home/maria/.bashrc".into(), "HISTCONTROL=ignoreboth\nHISTSIZE=100000\nshopt -s histappend\n".into()))
            .file("/etc/ssh/sshd_config.d/log.conf", "LogLevel VERBOSE\n", 0o644),
        Plant::new(SECURITY_TOOLS, "units that are not wanted, and exceptions of scanners")
            .step(Step::Link("/etc/systemd/system/sleep.target".into(), "/dev/null".into()))
            .step(Step::Link("/etc/systemd/system/systemd-networkd-wait-online.service".into(), "/dev/null".into()))
            .file("/etc/clamav/clamd.conf", "LocalSocket /run/clamav/clamd.ctl\nExcludePath ^/proc/\nExcludePath ^/sys/\nMaxScanSize 100M\n", 0o644)
            .file("/etc/rkhunter.conf.local", "ALLOWHIDDENDIR=/etc/.git\nALLOWHIDDENDIR=/etc/.java\nSCRIPTWHITELIST=/usr/bin/egrep\n", 0o644)
            .file("/etc/aide/aide.conf.d/99_site", "!/var/log/shop\n!/srv/files\n", 0o644)
            .file("/etc/fail2ban/jail.d/site.conf", "[sshd]\nenabled = true\nignoreip = 127.0.0.1/8 10.0.0.0/8\n[nginx-botsearch]\nenabled = false\n", 0o644),
        Plant::new(BACKUPS, "backups that are kept for a while")
            .file("/usr/local/bin/save.sh", "#!/bin/bash\nset -eu\n[ -d /srv/backup ] || exit 0\nborg create ::'{now}' /etc /srv\nborg prune --keep-daily 7 --keep-weekly 4 --keep-monthly 6\nrestic forget --keep-daily 14 --prune\nfind /srv/backup -name '*.tgz' -mtime +30 -delete\n", 0o755)
            .file("/etc/cron.d/save", "# old place:\n#30 2 * * * root /root/save-old.sh\n30 2 29 2 * root /usr/local/bin/save.sh\n", 0o644)
            .file("/etc/rsnapshot.conf", "config_version\t1.2\nsnapshot_root\t/srv/snapshots/\nretain\talpha\t6\nretain\tbeta\t7\nbackup\t/home/\tlocalhost/\nbackup\t/etc/\tlocalhost/\nexclude\t/home/*/.cache\n", 0o644),
    ]
}
