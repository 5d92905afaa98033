//! A planted, harmless intrusion that brings itself back: what `contain` and `undo` are tried on, here and from afar.

use crate::bed::{Bed, Release};

/// A timer, a cron line, a profile line, a deleted program, a pair of processes that start each other, a key and a preloaded
/// library: each of them harmless, all of them coming back.
const PLANT: &str = r#"
set -e
mkdir -p /var/tmp/.x /var/www/.ssh
cp /bin/sleep /var/tmp/.x/kworkerd
cp /lib/x86_64-linux-gnu/libm.so.6 /var/tmp/.x/libx.so
for pair in 'wa wb' 'wb wa'; do set -- $pair
cat >/var/tmp/.x/$1 <<END
#!/bin/sh
while :; do
  pgrep -f '^/bin/sh /var/tmp/.x/$2' >/dev/null || setsid /bin/sh /var/tmp/.x/$2 </dev/null >/dev/null 2>&1 &
  sleep 0.5
done
END
chmod 755 /var/tmp/.x/$1; done
printf 'SHELL=/bin/sh\n* * * * * root /bin/sh /var/tmp/.x/wa\n' >/etc/cron.d/php-session
printf '# shell settings\n/bin/sh /var/tmp/.x/wa >/dev/null 2>&1 &\n' >/etc/profile.d/zz-term.sh
printf '[Unit]\nDescription=PHP garbage\n[Service]\nExecStart=/bin/sh /var/tmp/.x/wb\n' >/etc/systemd/system/php-gc.service
printf '[Timer]\nOnActiveSec=1\nOnUnitActiveSec=20\nAccuracySec=1s\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/php-gc.timer
systemctl daemon-reload
systemctl enable --now php-gc.timer 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -f /var/tmp/.x/key
mkdir -p /var/www/.ssh; cp /var/tmp/.x/key.pub /var/www/.ssh/authorized_keys; chown -R www-data:www-data /var/www/.ssh
setsid bash -c 'exec -a "[kworker/0:2]" /var/tmp/.x/kworkerd 100000' </dev/null >/dev/null 2>&1 &
setsid /bin/sh /var/tmp/.x/wa </dev/null >/dev/null 2>&1 &
sleep 2
rm -f /var/tmp/.x/kworkerd
echo /var/tmp/.x/libx.so >/etc/ld.so.preload
"#;

/// Processes of the intrusion.
pub fn alive(bed: &Bed) -> String {
    bed.run("ps -eo pid,ppid,stat,args | grep -e '/var/tmp/[.]x' -e '[[]kworker/0:2' | grep -v grep; true")
        .text()
}

/// Everything about every file of the places that the intrusion and calma touch; atimes of links and folders apart.
pub fn dump(bed: &Bed) -> String {
    let script = "find /etc /var/tmp /var/www /root/.ssh -xdev ! -name mtab -printf '%p %y %m %U:%G %s %l %TY-%Tm-%Td %TT\n' \
                  | sort; find /etc /var/tmp /var/www -xdev -type f -exec sha256sum {} + | sort; \
                  find /var/tmp /etc/cron.d /etc/systemd -xdev -type f -exec getfattr -d -m - {} + 2>/dev/null";
    String::from_utf8_lossy(&bed.run(script).out).into_owned()
}

/// A booted server with the intrusion in it.
pub fn planted() -> Bed {
    planted_on(Release::Bookworm)
}

/// The same of another release.
pub fn planted_on(release: Release) -> Bed {
    let bed = Bed::booted(release);
    let output = bed.run(PLANT);
    assert!(output.ok(), "{output}");
    let before = alive(&bed);
    assert!(before.contains("/var/tmp/.x/wa") && before.contains("/var/tmp/.x/wb"), "{before}");
    bed
}
