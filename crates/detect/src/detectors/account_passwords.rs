//! Detector: accounts that open without a password, and service accounts that somebody can log in to.

use crate::weigh::Files;
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, kinds::Account};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "account-passwords",
        doc: "An account needs no password, a service's account has one, or an account's login shell is no shell of the system.",
        mechanisms: &[59],
        attack: &["T1078.003", "T1098"],
        why: "It is a way in that outlives the cleaning of everything else.",
        innocent: "you set it on purpose",
        next: "ask who set it; if nobody did, lock the account once the server is cut off",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for account in tables.of::<Account>() {
        // sync(1) and its like answer without a password on old systems; nobody gets in by them.
        if account.password.as_deref() == Some("empty") && account.login {
            let title = format!("The account \"{}\" needs no password", account.name);
            drafts.push(draft(&account, Severity::High, Certainty::Likely, "empty", title).saw(
                match account.no_password {
                    true => format!("its password field in line {} of /etc/passwd is empty", account.line),
                    false => "its password field in /etc/shadow is empty".to_owned(),
                },
            ));
        }
        if account.system && account.uid != 0 && account.login && account.password.as_deref() == Some("hash")
        {
            // Ids below 100 are given out by the distribution, which never sets a password.
            let fixed = account.uid < 100 || account.uid == 65_534;
            let (severity, certainty) = if fixed {
                (Severity::High, Certainty::VeryLikely)
            } else {
                (Severity::Medium, Certainty::Possible)
            };
            let title = format!("The service account \"{}\" has a password and a shell", account.name);
            let mut draft = draft(&account, severity, certainty, "service", title)
                .saw(format!("user id {}, password hashed with {}", account.uid, account.scheme))
                .saw(format!(
                    "its shell is {}",
                    if account.shell.is_empty() { "/bin/sh".into() } else { account.shell.clone() }
                ))
                .path(&"/etc/shadow".into());
            if let Some(days) = account.password_changed {
                let changed =
                    calma_record::Timestamp::new(i64::from(days).saturating_mul(86_400), 0).to_string();
                draft =
                    draft.saw(format!("the password was set on {}", changed.get(..10).unwrap_or_default()));
            }
            drafts.push(draft);
        }
        shell(&account, &files, drafts);
    }
}

/// A login shell from an odd place, or a nologin(8) that is really a shell.
fn shell(account: &Row<'_, Account>, files: &Files<'_>, drafts: &mut Vec<Draft>) {
    let Some(file) = files.get(&account.shell) else { return };
    let real = file.real.as_ref().unwrap_or(&file.path);
    let name = account.shell.file_name();
    let shells = [&b"bash"[..], b"dash", b"sh", b"zsh", b"ksh", b"busybox"];
    if !account.login
        && name != b"sync"
        && shells.contains(&real.file_name())
        && real.file_name() != b"busybox"
    {
        let title = format!("{} lets accounts in that it should refuse", account.shell);
        drafts.push(
            Draft::new(Severity::High, Certainty::VeryLikely, account.shell.as_bytes(), title)
                .saw(format!("it is a link to the shell {real}"))
                .path(&account.shell)
                .account(&account.name)
                .from(&file, "where it leads"),
        );
        return;
    }
    let weight = entry::standing(files, &account.shell, "the shell");
    if weight.severity >= Some(Severity::Medium) {
        let title = format!("The login shell of \"{}\" is no shell of the system", account.name);
        drafts.push(
            draft(account, weight.severity.unwrap_or(Severity::Medium), Certainty::Likely, "shell", title)
                .saw_all(weight.reasons)
                .path(&account.shell)
                .from(&file, "the shell's file"),
        );
    }
}

fn draft(
    account: &Row<'_, Account>,
    severity: Severity,
    certainty: Certainty,
    what: &str,
    title: String,
) -> Draft {
    Draft::new(severity, certainty, [what.as_bytes(), b"\0", account.name.as_bytes()].concat(), title)
        .account(&account.name)
        .path(&"/etc/passwd".into())
        .from(account, "the account")
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn alarms(passwd: &str, shadow: &str) -> usize {
        check(Mem::new().file("/etc/passwd", passwd).file("/etc/shadow", shadow))
            .alarms("account-passwords")
            .len()
    }

    #[test]
    fn opened_accounts_are_found() {
        for (passwd, shadow) in [
            ("help:x:1001:1001::/home/help:/bin/bash\n", "help::19000::::::\n"),
            ("help::1001:1001::/home/help:\n", ""),
            ("www-data:x:33:33::/var/www:/bin/bash\n", "www-data:$6$s$h:20000::::::\n"),
            ("nobody:x:65534:65534::/:\n", "nobody:$y$j9T$s$h:20000::::::\n"),
            ("svc:x:321:321::/opt/svc:/usr/bin/zsh\n", "svc:ab01FAX.bQRSU:20000::::::\n"),
        ] {
            assert_eq!(alarms(passwd, shadow), 1, "{passwd}");
        }
    }

    #[test]
    fn a_shell_that_is_none_is_found() {
        let mem = Mem::new().file("/etc/passwd", "me:x:1000:1000::/home/me:/var/tmp/.x/sh\n");
        assert_eq!(check(mem).alarms("account-passwords").len(), 1);
        let mem = Mem::new()
            .file("/etc/passwd", "irc:x:39:39::/run/ircd:/usr/sbin/nologin\n")
            .file("/usr/bin/bash", "")
            .symlink("/usr/sbin/nologin", "../bin/bash");
        assert_eq!(check(mem).alarms("account-passwords").len(), 1);
    }

    #[test]
    fn what_distributions_ship_is_quiet() {
        let passwd = "root:x:0:0::/root:/bin/bash\nsync:x:4:65534::/bin:/bin/sync\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n\
                      postgres:x:105:110::/var/lib/postgresql:/bin/bash\nhalt:x:7:0:halt:/sbin:/sbin/halt\nme:x:1000:1000::/home/me:/bin/bash\n";
        let shadow = "root:$y$j9T$a$b:1::::::\nsync:*:1::::::\nwww-data:*:1::::::\npostgres:!:1::::::\nme:$6$a$b:1::::::\n";
        assert_eq!(alarms(passwd, shadow), 0);
    }
}
