//! Ways in: accounts, keys, the ssh server's settings, sudo.

use super::names::{encoded, kept_folder, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(59, 4, account), (60, 4, key), (61, 4, server_setting), (64, 4, sudo_rule)];

fn account(shape: usize, random: &mut Random) -> Plant {
    let name = format!("{}{}", random.pick(&["sys", "ftp", "db", "sup", "tool", "adm"]), random.letters(3));
    let hash = format!("$6${}${}", random.letters(8), encoded(&random.hex(60)).replace('=', ""));
    let passwd = |line: String| Step::Append("/etc/passwd".into(), line);
    let shadow = |line: String| Step::Append("/etc/shadow".into(), line);
    let plant = |what: &str| Plant::new(59, what).expect("/etc/passwd").expect("/etc/shadow");
    match shape {
        0 => plant("a second account with uid 0")
            .step(passwd(format!("{name}:x:0:0::/root:/bin/bash\n")))
            .step(shadow(format!("{name}:{hash}:19700:0:99999:7:::\n"))),
        1 => plant("a second account with uid 0 in the middle, without a password")
            .step(Step::Prepend("/etc/passwd".into(), format!("{name}::00:0:{name}:/:/bin/sh\n"))),
        2 => plant("a service account that can log in").step(Step::Run("true".into())).step(Step::Run(
            format!(
                "sed -i -e 's#^games:.*#games:x:5:60:games:/usr/games:/bin/bash#' /etc/passwd; \
                 sed -i -e 's#^games:[^:]*:#games:{hash}:#' /etc/shadow"
            ),
        )),
        _ => plant("two accounts with one uid")
            .step(passwd(format!("{name}:x:33:33:{name}:/var/www:/bin/bash\n")))
            .step(shadow(format!("{name}:{hash}:19700:0:99999:7:::\n"))),
    }
}

/// A public key that nobody has the private half of.
fn public(random: &mut Random, comment: &str) -> String {
    let mut bytes = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    bytes.extend((0..32).map(|_| random.below(256) as u8));
    use base64::Engine as _;
    format!("ssh-ed25519 {} {comment}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn key(shape: usize, random: &mut Random) -> Plant {
    let comment = format!("{}@{}", random.pick(&["root", "kali", "user", "localhost"]), random.letters(5));
    let line = public(random, &comment);
    let (home, uid) = [("/var/www", 33), ("/usr/games", 5), ("/var/mail", 8), ("/root", 0)][shape % 4];
    let path = match shape {
        3 => format!("{home}/.ssh/authorized_keys2"),
        _ => format!("{home}/.ssh/authorized_keys"),
    };
    let text = match shape {
        3 => format!(
            "command=\"/bin/sh -c 'echo {} | base64 -d | sh; $SHELL'\" {line}\n",
            encoded("exit 0; id")
        ),
        _ => format!("{line}\n"),
    };
    let what = if shape == 3 {
        "a key that runs an encoded command"
    } else {
        "a key for an account that never logs in"
    };
    Plant::new(60, what)
        .file(&path, text, 0o600)
        .step(Step::Own(path.clone(), uid, uid, 0o600))
        .step(Step::Own(format!("{home}/.ssh"), uid, uid, 0o700))
        .expect(path)
}

fn server_setting(shape: usize, random: &mut Random) -> Plant {
    let drop_in = format!("/etc/ssh/sshd_config.d/{:02}-{}.conf", random.below(99), service(random));
    match shape {
        0 => {
            let program = format!("/usr/lib/openssh/{}", service(random));
            Plant::new(61, "the ssh server asks a program of no package for keys")
                .helper(&program)
                .file(
                    &drop_in,
                    format!("AuthorizedKeysCommand {program} %u\nAuthorizedKeysCommandUser root\n"),
                    0o644,
                )
                .expect(drop_in)
                .expect(program)
        }
        1 => {
            let keys = format!("/etc/ssh/.{}", random_name(random));
            let line = public(random, "");
            Plant::new(61, "the ssh server reads a second, hidden list of keys")
                .file(&keys, format!("{line}\n"), 0o644)
                .step(Step::Append(
                    "/etc/ssh/sshd_config".into(),
                    format!("\nAuthorizedKeysFile .ssh/authorized_keys {keys}\n"),
                ))
                .expect("/etc/ssh/sshd_config")
                .expect(keys)
        }
        2 => {
            let authority = format!("/usr/share/{}.pub", service(random));
            let line = public(random, "ca");
            Plant::new(61, "the ssh server trusts somebody's certificates for every account")
                .file(&authority, format!("{line}\n"), 0o644)
                .file(&drop_in, format!("TrustedUserCAKeys {authority}\n"), 0o600)
                .expect(drop_in)
                .expect(authority)
        }
        _ => {
            let hidden = format!("{}/{}.conf", kept_folder(random), random_name(random));
            Plant::new(61, "the ssh server includes settings from a hidden place")
                .file(&hidden, "Match User root\n PermitRootLogin yes\n PermitEmptyPasswords yes\n", 0o644)
                .step(Step::Prepend("/etc/ssh/sshd_config".into(), format!("Include {hidden}\n")))
                .expect("/etc/ssh/sshd_config")
                .expect(hidden)
        }
    }
}

fn sudo_rule(shape: usize, random: &mut Random) -> Plant {
    let path = format!("/etc/sudoers.d/{}", service(random));
    match shape {
        0 => Plant::new(64, "the web server's account may do everything")
            .file(&path, "www-data ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
            .expect(path),
        1 => Plant::new(64, "everybody may do everything")
            .step(Step::Append("/etc/sudoers".into(), "ALL ALL=NOPASSWD:ALL\n".into()))
            .expect("/etc/sudoers"),
        2 => Plant::new(64, "a numbered service account may do everything, by an alias")
            .file(
                &path,
                format!(
                    "User_Alias {0} = #65534, #33\n{0} ALL = (root) NOPASSWD: /bin/bash, ALL\n",
                    random.letters(6).to_uppercase()
                ),
                0o440,
            )
            .expect(path),
        _ => {
            let module = format!("/usr/lib/{}.so", random_name(random));
            Plant::new(64, "sudo loads a plugin of no package")
                .step(Step::Copy("/usr/libexec/sudo/sudoers.so".into(), module.clone(), 0o644))
                .step(Step::Append("/etc/sudo.conf".into(), format!("Plugin sudoers_audit {module}\n")))
                .expect("/etc/sudo.conf")
                .expect(module)
        }
    }
}
