//! `calma at`: from the clean machine over a real sshd, as root and through sudo, leaving the tree as it was.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Release, quoted};
use calma_testkit::skip_without_root;
use calma_testkit::whole_tree::{changed, dump, is_written_by_login};

fn looked_at(account: &str, more: &[&str]) {
    let bed = Bed::booted(Release::Bookworm);
    let setup = "useradd -m -s /bin/bash admin && mkdir -p /home/admin/.ssh && cp /root/.ssh/authorized_keys /home/admin/.ssh/ && \
                 chown -R admin:admin /home/admin/.ssh && chmod 700 /home/admin/.ssh && \
                 echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin && chmod 440 /etc/sudoers.d/admin";
    assert!(bed.run(setup).ok());
    // The first login makes folders that stay; what is compared is a login with calma against the state after one.
    assert!(bed.keeper(&["ssh", "-l", account, "srv", "true"]).ok());
    if account != "root" {
        assert!(bed.keeper(&["ssh", "-l", account, "srv", "sudo -n true"]).ok());
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    let before = dump(&bed);
    let target = format!("{account}@srv");
    let case = bed.work().join("case-at").display().to_string();
    let mut args = vec!["at"];
    args.extend_from_slice(more);
    args.extend_from_slice(&[&target, "triage", "--json", "--case", &case]);
    let output = bed.calma_from_keeper(&args);
    let report = output.report();
    eprintln!("at {account}: {} s\n{}{:#?}", report.end["seconds"], report.listing(), report.gaps);
    report.assert_complete();
    assert!(report.alarms().is_empty(), "{}", report.listing());
    let after = dump(&bed);
    let (written, foreign): (Vec<_>, Vec<_>) =
        changed(&before, &after).into_iter().partition(|line| is_written_by_login(line));
    eprintln!("written by sshd, PAM, logind, sudo and loggers:\n{}", written.join("\n"));
    assert!(foreign.is_empty(), "changed by looking:\n{}", foreign.join("\n"));
    assert_eq!(bed.run("pgrep -c calma; ls /dev/shm | grep -c calma").text(), "0\n0\n");
    let verified = bed.calma_from_keeper(&["case", "verify", "--case", &case]);
    assert!(verified.ok(), "{verified}");
}

#[test]
fn as_root() {
    if !skip_without_root("as_root") {
        looked_at("root", &[]);
    }
}

#[test]
fn through_sudo() {
    if !skip_without_root("through_sudo") {
        looked_at("admin", &["--sudo"]);
    }
}

#[test]
fn sudo_that_asks_is_refused_with_the_reason() {
    if skip_without_root("sudo_that_asks_is_refused_with_the_reason") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    assert!(bed.run("useradd -m -s /bin/bash -G sudo admin && mkdir -p /home/admin/.ssh && cp /root/.ssh/authorized_keys /home/admin/.ssh/ && chown -R admin:admin /home/admin/.ssh").ok());
    let case = bed.work().join("case-at").display().to_string();
    let output = bed.calma_from_keeper(&["at", "--sudo", "admin@srv", "triage", "--json", "--case", &case]);
    assert!(matches!(output.code, Some(4 | 5)), "{output}");
    assert!(String::from_utf8_lossy(&output.err).to_lowercase().contains("sudo"), "{output}");
    // Without sudo it works and says what an ordinary account can not see.
    let case = bed.work().join("case-plain").display().to_string();
    let report = bed.calma_from_keeper(&["at", "admin@srv", "triage", "--json", "--case", &case]).report();
    assert!(!report.gaps.is_empty() && report.alarms().is_empty(), "{}", report.listing());
}

#[test]
fn a_host_that_is_not_there_is_a_clear_error() {
    if skip_without_root("a_host_that_is_not_there_is_a_clear_error") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    assert!(bed.run("printf 'Authorised use only.\\nSecond line\\n' >/etc/issue.net; echo 'Banner /etc/issue.net' >>/etc/ssh/sshd_config; systemctl reload ssh").ok());
    let case = bed.work().join("case-banner").display().to_string();
    bed.calma_from_keeper(&["at", "root@srv", "triage", "--quick", "--json", "--case", &case]).report();
    assert!(bed.run("systemctl stop ssh.socket ssh.service; pkill -x sshd; true").code.is_some());
    let case = bed.work().join("case-gone").display().to_string();
    let output = bed.calma_from_keeper(&["at", "root@srv", "triage", "--json", "--case", &case]);
    assert!(!matches!(output.code, Some(0 | 1 | 3) | None), "{output}");
    assert!(!output.err.is_empty(), "{output}");
}

/// The line dies while the program is on its way, or at the latest when the stream has begun: it is tried again.
#[test]
fn a_connection_lost_on_the_way_is_made_again() {
    if skip_without_root("a_connection_lost_on_the_way_is_made_again") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    let killer = "while [ -z \"$(find /dev/shm -type f -size +64k)\" ]; do :; done; pkill -9 -f '^sshd.*root@notty'; exec sleep 60";
    bed.live(killer);
    let case = bed.work().join("case-lost").display().to_string();
    let output = bed.calma_from_keeper(&["at", "root@srv", "triage", "--quick", "--json", "--case", &case]);
    let report = output.report();
    report.assert_complete();
    let said = String::from_utf8_lossy(&output.err);
    eprintln!("{said}");
    assert!(said.contains("was lost") || said.contains("was cut"), "{said}");
}

/// A password is typed at ssh's own prompt, on the terminal of whoever started calma; and a host is reached through another.
#[test]
fn ways_in_that_ssh_knows_work() {
    if skip_without_root("ways_in_that_ssh_knows_work") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    assert!(bed.run("useradd -m -s /bin/bash typed && echo 'typed:open sesame' | chpasswd").ok());
    let case = bed.work().join("case-typed").display().to_string();
    let output = typed(&bed, "open sesame", &["at", "typed@srv", "triage", "--quick", "--case", &case]);
    eprintln!("{output}");
    assert!(output.contains("password") && output.contains("Looked at"), "{output}");
    assert!(bed.calma_from_keeper(&["case", "verify", "--case", &case]).ok());
    // The server seen from itself: ssh goes to it, and from there to its own loopback address.
    let config = bed.work().join("home/.ssh/config");
    let more = "Host inner\n HostName 127.0.0.1\n User root\n ProxyJump srv\n StrictHostKeyChecking no\n LogLevel ERROR\n \
                UserKnownHostsFile /dev/null\n";
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}{more}")).unwrap();
    let case = bed.work().join("case-inner").display().to_string();
    let report =
        bed.calma_from_keeper(&["at", "inner", "triage", "--quick", "--json", "--case", &case]).report();
    report.assert_complete();
}

/// Runs calma on the keeper with a terminal on which the password is typed when it is asked for; what the terminal showed.
fn typed(bed: &Bed, password: &str, args: &[&str]) -> String {
    use std::io::{Read as _, Write as _};
    let calma = bed.work().join("home/calma").display().to_string();
    let words: Vec<String> = [calma.as_str()].iter().chain(args).map(|word| quoted(word)).collect();
    let mut child = bed
        .keeper_command(&["script", "-q", "-e", "-f", "-c", &words.join(" "), "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut buffer, mut asked) = (Vec::new(), [0; 4096], false);
    while let Ok(n @ 1..) = output.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..n]);
        if !asked && String::from_utf8_lossy(&shown).contains("password:") {
            asked = true;
            writeln!(input, "{password}").unwrap();
        }
    }
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}
