//! What administrators ordinarily do, near enough to a mechanism that a hasty check would cry: none of it is an alarm.

use super::names::libraries;
use super::{Plant, Step};

/// A near-miss for every mechanism that can be planted in a container.
pub fn near_misses() -> Vec<Plant> {
    let mut all = programs();
    all.extend(startup());
    all.extend(access());
    all.extend(files());
    all
}

/// What a web shell is not: it takes input and prints it, escaped; it contains no way to run anything.
const PAGE: &str = "<?php\n// Contact form.\n$name = htmlspecialchars($_POST['name'] ?? '');\nif ($name !== '') {\n    \
                    file_put_contents('/var/lib/app/messages.txt', $name . \"\\n\", FILE_APPEND);\n}\n?>\n<p>Thanks <?= $name ?></p>\n";

fn programs() -> Vec<Plant> {
    vec![
        Plant::new(1, "an empty list of preloaded libraries").file("/etc/ld.so.preload", "", 0o644),
        Plant::new(2, "a unit that preloads a packaged library for one program")
            .file("/etc/systemd/system/shop.service.d/memory.conf", preload(), 0o644)
            .step(Step::Live(format!("exec env LD_PRELOAD={}/libgcc_s.so.1 sleep 110", libraries()))),
        Plant::new(11, "a worker that sets its own title")
            .helper("/opt/shop/bin/worker")
            .step(Step::Live("exec /opt/shop/bin/worker titled shop-worker 'shop: worker [queue mail]'".into())),
        Plant::new(12, "a packaged program that was replaced while it ran, as an upgrade does")
            .step(Step::Live("exec /usr/bin/sleep 111".into()))
            .step(Step::Run("sleep 0.2; cp -p /usr/bin/sleep /usr/bin/sleep.dpkg-new && mv /usr/bin/sleep.dpkg-new /usr/bin/sleep".into())),
        Plant::new(13, "a program that holds memory-backed files but runs from disk")
            .file("/opt/shop/bin/buffer.py", "import os, time\nbuffer = os.memfd_create('buffer')\nos.write(buffer, b'x' * 4096)\ntime.sleep(110)\n", 0o644)
            .step(Step::Live("exec python3 /opt/shop/bin/buffer.py".into())),
        Plant::new(14, "a read-only bind mount somewhere else")
            .step(Step::Run("mkdir -p /srv/files /srv/ro && mount --bind -o ro /srv/files /srv/ro".into())),
        Plant::new(32, "the network manager's own packet sockets (LLDP)")
            .file("/etc/systemd/network/10-eth0.network", "[Match]\nName=eth0\n[Network]\nLLDP=yes\nAddress=10.77.0.2/24\nKeepConfiguration=yes\n", 0o644)
            .step(Step::Run("systemctl start systemd-networkd || true; sleep 0.5".into())),
    ]
}

fn preload() -> String {
    format!("[Service]\nEnvironment=LD_PRELOAD={}/libgcc_s.so.1\n", libraries())
}

fn startup() -> Vec<Plant> {
    vec![
        Plant::new(39, "an application's own unit, timer and drop-in")
            .helper("/opt/shop/bin/server")
            .file(
                "/etc/systemd/system/shop.service",
                "[Unit]\nDescription=Shop\nAfter=network.target\n[Service]\nUser=www-data\nExecStart=/opt/shop/bin/server --port 8080\nRestart=on-failure\n[Install]\nWantedBy=multi-user.target\n",
                0o644,
            )
            .step(Step::Link("/etc/systemd/system/multi-user.target.wants/shop.service".into(), "/etc/systemd/system/shop.service".into()))
            .file("/etc/systemd/system/shop-report.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n", 0o644)
            .file("/etc/systemd/system/shop-report.service", "[Service]\nType=oneshot\nExecStart=/opt/shop/bin/server report\n", 0o644)
            .file("/etc/systemd/system/nginx.service.d/limits.conf", "[Service]\nLimitNOFILE=65536\n", 0o644)
            .step(Step::Run("systemctl daemon-reload; systemctl start shop.service".into())),
        Plant::new(40, "a masked generator")
            .step(Step::Link("/etc/systemd/system-generators/systemd-gpt-auto-generator".into(), "/dev/null".into())),
        Plant::new(42, "rc.local sets a kernel value")
            .file("/etc/rc.local", "#!/bin/sh -e\necho 1024 > /proc/sys/net/core/somaxconn || true\nexit 0\n", 0o755),
        Plant::new(43, "a rule for a backup disk").file(
            "/etc/udev/rules.d/99-backup.rules",
            "SUBSYSTEM==\"block\", ENV{ID_SERIAL}==\"BACKUP01\", RUN+=\"/usr/bin/systemctl --no-block start backup.service\"\nSUBSYSTEM==\"tty\", MODE=\"0660\", GROUP=\"dialout\"\n",
            0o644,
        ),
        Plant::new(46, "backups, certificate renewal and health pings by timetable")
            .file("/usr/local/bin/backup.sh", "#!/bin/bash\nset -eu\ntar czf /srv/backup/etc-$(date +%F).tgz /etc\nfind /srv/backup -mtime +30 -delete\n", 0o755)
            .file(
                "/etc/cron.d/backup",
                "MAILTO=admin@example.org\n30 2 29 2 * root /usr/local/bin/backup.sh >/var/log/backup.log 2>&1\n*/5 * 29 2 * root curl -fsS -m 10 --retry 3 -o /dev/null https://hc-ping.com/abc\n",
                0o644,
            )
            .file("/var/spool/cron/crontabs/root", "# m h dom mon dow command\n5 4 29 2 * /usr/bin/certbot renew --quiet\n@daily test -x /usr/sbin/logrotate && /usr/sbin/logrotate /etc/logrotate.conf\n", 0o600)
            .file("/var/spool/cron/crontabs/www-data", "*/5 * 29 2 * php /var/www/html/cron.php\n", 0o600),
        Plant::new(47, "a restart planned for the night").file(
            "/var/spool/cron/atjobs/a0000201bd1a2c",
            "#!/bin/sh\n# atrun uid=0 gid=0\n# mail admin 0\numask 22\nHOME=/root; export HOME\ncd /root || {\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\nsystemctl restart nginx\n",
            0o700,
        ),
        Plant::new(50, "a proxy, and a hook that saves settings")
            .file("/etc/apt/apt.conf.d/00proxy", "Acquire::http::Proxy \"http://apt.example.org:3142\";\nAPT::Install-Recommends \"false\";\n", 0o644)
            .file("/etc/apt/apt.conf.d/80save", "DPkg::Post-Invoke { \"if [ -x /usr/local/bin/backup.sh ]; then /usr/local/bin/backup.sh; fi\"; };\n", 0o644),
        Plant::new(53, "a greeting with the machine's purpose")
            .file("/etc/update-motd.d/05-purpose", "#!/bin/sh\necho \"Shop, production. Ask admin@example.org before you restart anything.\"\nuptime\n", 0o755),
        Plant::new(65, "ordinary shell settings")
            .file("/etc/profile.d/site.sh", "export EDITOR=vim\nexport HISTTIMEFORMAT='%F %T '\numask 027\n", 0o644)
            .step(Step::Append("/root/.bashrc".into(), "alias ll='ls -l'\nalias rm='rm -i'\nalias sudo='sudo '\neval \"$(dircolors)\"\nexport PATH=$PATH:/opt/shop/bin\n".into())),
    ]
}

fn access() -> Vec<Plant> {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPq3wJ0m3oJm0YI1c0x8d3vYy0s6mX8tq0rU6m0bqk1F";
    vec![
        Plant::new(59, "an administrator and an application's account")
            .step(Step::Run("useradd -m -s /bin/bash -G sudo maria && useradd -r -s /usr/sbin/nologin -d /opt/shop shop".into()))
            .step(Step::Run("usermod -p '$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ./abcdefghijklmnopqr' maria".into())),
        Plant::new(60, "the administrator's key, and one for backups that can do one thing")
            .file("/home/maria/.ssh/authorized_keys", format!("{KEY} maria@laptop\n"), 0o600)
            .step(Step::Run("chown -R maria:maria /home/maria/.ssh; chmod 700 /home/maria/.ssh".into()))
            .step(Step::Append(
                "/root/.ssh/authorized_keys".into(),
                format!("restrict,command=\"/usr/bin/rrsync -ro /srv/backup\" {KEY} backup@vault\n"),
            )),
        Plant::new(61, "a hardened ssh server").file(
            "/etc/ssh/sshd_config.d/hardening.conf",
            "PasswordAuthentication no\nX11Forwarding no\nAllowGroups sudo root\nMatch Group sftponly\n  ChrootDirectory /srv/sftp/%u\n  ForceCommand internal-sftp\n",
            0o644,
        ),
        Plant::new(64, "administrators and one command for deployment").file(
            "/etc/sudoers.d/site",
            "Defaults use_pty\n%sudo ALL=(ALL:ALL) ALL\nmaria ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop.service\n",
            0o440,
        ),
    ]
}

fn files() -> Vec<Plant> {
    // cap_net_bind_service, the ordinary way to let a server have a low port.
    let mut low_port = 0x0200_0001_u32.to_le_bytes().to_vec();
    low_port.extend((1_u32 << 10).to_le_bytes());
    low_port.extend([0; 12]);
    vec![
        Plant::new(8, "a packaged module, switched on by hand")
            .step(Step::Append("/etc/pam.d/common-session".into(), "session required pam_umask.so umask=0027\n".into())),
        Plant::new(9, "lockout after failed passwords, and a group rule")
            .step(Step::Prepend("/etc/pam.d/common-auth".into(), "auth required pam_faillock.so preauth silent deny=5\n".into()))
            .step(Step::Append("/etc/pam.d/su".into(), "auth sufficient pam_rootok.so\nauth required pam_wheel.so group=sudo\n".into())),
        Plant::new(66, "a shared folder that hands on its group")
            .step(Step::Run("mkdir -p /srv/shared && chgrp www-data /srv/shared && chmod 2775 /srv/shared".into())),
        Plant::new(67, "a server that may open low ports")
            .helper("/opt/shop/bin/edge")
            .step(Step::Attribute("/opt/shop/bin/edge".into(), "security.capability", low_port)),
        Plant::new(72, "a contact form").file("/var/www/html/contact.php", PAGE, 0o644).file(
            "/var/www/html/lib/Mailer.php",
            "<?php\nclass Mailer {\n    public function send($to, $text) {\n        $p = proc_open(['/usr/sbin/sendmail', '-t'], [['pipe', 'r']], $pipes);\n        fwrite($pipes[0], \"To: $to\\n\\n$text\");\n        return proc_close($p);\n    }\n}\n",
            0o644,
        ),
        Plant::new(73, "ordinary settings of web server and PHP")
            .file("/etc/php/8.2/fpm/conf.d/90-shop.ini", "upload_max_filesize = 32M\nauto_prepend_file =\nmemory_limit = 256M\n", 0o644)
            .file("/var/www/html/.htaccess", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /index.php [L]\n", 0o644)
            .file("/var/www/html/.user.ini", "upload_max_filesize = 16M\n", 0o644),
        Plant::new(77, "an ordinary container")
            .file(
                "/var/lib/docker/containers/5f3c1d2e4b6a79881f3c1d2e4b6a79885f3c1d2e4b6a79881f3c1d2e4b6a7988/config.v2.json",
                r#"{"ID":"5f3c1d2e4b6a79881f3c1d2e4b6a79885f3c1d2e4b6a79881f3c1d2e4b6a7988","Name":"/db","Path":"docker-entrypoint.sh","Args":["postgres"],"Config":{"Image":"postgres:16"},"State":{"Running":false,"Pid":0}}"#,
                0o600,
            )
            .file(
                "/var/lib/docker/containers/5f3c1d2e4b6a79881f3c1d2e4b6a79885f3c1d2e4b6a79881f3c1d2e4b6a7988/hostconfig.json",
                r#"{"Binds":["/srv/db:/var/lib/postgresql/data"],"NetworkMode":"bridge","Privileged":false,"PidMode":"","CapAdd":null,"RestartPolicy":{"Name":"unless-stopped"}}"#,
                0o600,
            ),
    ]
}
