//! "Rotate these, from a clean machine, now": the secrets of a host by where to go, in the order of the harm they can do.

use crate::{Row, Tables};
use calma_record::kinds::{Account, Secret};
use calma_record::{Rotation, RotationItem, Text};
use std::collections::BTreeMap;

/// One sort of secret: its name, the stable names of what belongs to it, and its words.
struct Sort {
    name: &'static str,
    whats: &'static [&'static str],
    place: &'static str,
    how: &'static str,
    why: &'static str,
    noun: [&'static str; 2],
    elsewhere: bool,
}

/// In the order in which they are changed.
const SORTS: &[Sort] = &[
    Sort {
        name: "cloud",
        whats: &["cloud", "cloud-role"],
        place: "your cloud providers' consoles",
        how: "make new keys, delete these, end all sessions; take the role from this machine; read the provider's own log of what was done with them",
        why: "first, because one key can make, read and delete everything else, backups too, from anywhere",
        noun: ["cloud credential", "cloud credentials"],
        elsewhere: true,
    },
    Sort {
        name: "code",
        whats: &["code"],
        place: "code hosting, build systems, package and image registries",
        how: "revoke the tokens, make new ones with fewer rights, remove unknown keys and runners; look for commits, releases and images nobody made",
        why: "second, because what is changed there reaches every other server with the next delivery",
        noun: ["code or registry token", "code or registry tokens"],
        elsewhere: true,
    },
    Sort {
        name: "kubernetes",
        whats: &["kubernetes"],
        place: "Kubernetes clusters",
        how: "rotate the certificates and tokens of the cluster, remove what was bound to them, look for pods nobody made",
        why: "a cluster's administrator is root on all its machines and reads all its secrets",
        noun: ["cluster credential", "cluster credentials"],
        elsewhere: true,
    },
    Sort {
        name: "store",
        whats: &["store"],
        place: "stores of further secrets: Vault, Ansible, Terraform, password managers",
        how: "change the store's own key, then every secret it holds",
        why: "what is in them has to be changed too, so that they come before what they hold",
        noun: ["store of secrets", "stores of secrets"],
        elsewhere: true,
    },
    Sort {
        name: "backup",
        whats: &["backup"],
        place: "backup servers and repositories",
        how: "cut this host's access, check that older backups are still there, then make new credentials that can only add",
        why: "you will need the backups; whoever can write to them can destroy them",
        noun: ["backup credential", "backup credentials"],
        elsewhere: true,
    },
    Sort {
        name: "keys",
        whats: &["private-key", "agent"],
        place: "machines that trust these SSH keys",
        how: "remove the public half from authorized_keys everywhere and from code hosting, then make new keys elsewhere; end agents and forwarded logins",
        why: "they open other machines without any question, and logins with them look like yours",
        noun: ["private key", "private keys"],
        elsewhere: true,
    },
    Sort {
        name: "machines",
        whats: &["machine"],
        place: "directories, domains, networks and other machines",
        how: "change passwords, reset the machine's account and key tables, change the keys of tunnels and networks",
        why: "they open more of your network from inside",
        noun: ["network or directory credential", "network or directory credentials"],
        elsewhere: true,
    },
    Sort {
        name: "databases",
        whats: &["database"],
        place: "databases",
        how: "change the passwords where the database can be reached from elsewhere, first those used on several servers; look for accounts nobody made",
        why: "they open data, mostly from this host or its neighbours alone",
        noun: ["database password", "database passwords"],
        elsewhere: true,
    },
    Sort {
        name: "services",
        whats: &["service"],
        place: "mail servers and other services",
        how: "change the passwords and tokens; look for what was sent or fetched with them",
        why: "they send in your name and open what the services hold",
        noun: ["password or token of a service", "passwords or tokens of services"],
        elsewhere: true,
    },
    Sort {
        name: "certificates",
        whats: &["certificate-key", "signing-key"],
        place: "certificate authorities, and whoever trusts what these keys sign",
        how: "make new keys, have new certificates made, revoke the old ones; tell whoever checks your signatures",
        why: "with them another machine can pass as this one, or sign in your name",
        noun: ["certificate or signing key", "certificate or signing keys"],
        elsewhere: true,
    },
    Sort {
        name: "sites",
        whats: &["application", "sessions"],
        place: "the sites and applications of this server",
        how: "make new signing keys and end all sessions, so that everybody signs in again",
        why: "whoever has them makes or takes over sessions of your visitors and administrators",
        noun: ["key or session of a site", "keys or sessions of sites"],
        elsewhere: false,
    },
    Sort {
        name: "own",
        whats: &["host-key", "password-hashes"],
        place: "this server itself, once it is rebuilt",
        how: "make new host keys; have everybody choose a new password, and change it wherever the same one was used",
        why: "they open this server alone, as long as no password was used twice",
        noun: ["key or password of its own", "keys or passwords of its own"],
        elsewhere: false,
    },
    Sort {
        name: "trust",
        whats: &["trust"],
        place: "machines to look at too",
        how: "look at them with calma as well; take back what lets this host in",
        why: "nothing to change by itself: it says where an intruder could go from here, or came from",
        noun: ["trust with other machines", "trusts with other machines"],
        elsewhere: false,
    },
];

/// All secrets that the facts hold, by sort, in the order in which they are changed.
pub fn rotations(tables: &Tables) -> Vec<Rotation> {
    let accounts: BTreeMap<u32, &Text> =
        tables.of::<Account>().map(|row| (row.uid, &row.fact.name)).collect();
    let mut rotations = Vec::new();
    for sort in SORTS {
        let whats = |what: &str| sort.whats.contains(&what);
        let mut items: Vec<RotationItem> = tables
            .of::<Secret>()
            // A key that was made at installation for this host alone opens nothing elsewhere.
            .filter(|row| if row.own { sort.name == "own" } else { whats(&row.what) })
            .map(|row| item(&row, &accounts))
            .collect();
        items.sort();
        if !items.is_empty() {
            let Sort { name, place, how, why, noun, elsewhere, .. } = *sort;
            rotations.push(Rotation { name, place, how, why, noun, elsewhere, items });
        }
    }
    rotations
}

fn item(row: &Row<'_, Secret>, accounts: &BTreeMap<u32, &Text>) -> RotationItem {
    let owner = || {
        accounts
            .get(&row.uid)
            .map_or_else(|| format!("user id {}", row.uid), |name| format!("account {name}"))
    };
    let (reach, reader) = match row.readable_by.as_str() {
        "everybody" => (0, "every account here may read it".to_owned()),
        "group" => (1, format!("{} and group id {} may read it", owner(), row.gid)),
        "owner" => (2, format!("{} may read it", owner())),
        _ => (3, "only root may read it".to_owned()),
    };
    let mut what = row.words.clone();
    match row.encrypted {
        Some(true) => what.push_str(", behind a passphrase"),
        Some(false) if matches!(row.what.as_str(), "private-key" | "certificate-key" | "signing-key") => {
            what.push_str(", no passphrase");
        }
        _ => {}
    }
    let mut known = Vec::new();
    if row.what == "cloud-role" {
        known.push("every account here may ask for them".to_owned());
    } else {
        known.push(reader);
    }
    if row.served {
        known.push("it stands in a folder that a web server serves".to_owned());
    }
    if row.modified.seconds() > 0 && !matches!(row.what.as_str(), "trust" | "agent") {
        known.push(format!("last changed {}", day(&row.modified.to_string())));
    }
    let folder = row.known_by == "name" && row.count > 1 && row.names.is_empty();
    if folder {
        known.push(format!("{} in this folder or file", row.count));
    }
    if !row.names.is_empty() {
        let names: Vec<String> = row.names.iter().take(12).map(ToString::to_string).collect();
        let more = row.names.len().saturating_sub(12);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        known.push(format!("{}{more}", names.join(", ")));
    }
    if row.known_by == "environment" && row.count > 1 {
        known.push(format!("the same in {} processes", row.count));
    }
    RotationItem { reach, path: row.path.clone(), what, known, pid: row.pid, record: row.id.clone() }
}

/// The day of an instant.
fn day(instant: &str) -> &str {
    instant.get(..10).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calma_testkit::{Mem, check};

    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n";

    fn rotate(host: Mem) -> Vec<Rotation> {
        let seen = check(host);
        let mut tables = Tables::default();
        for record in seen.records {
            tables.fold(&calma_record::StreamName("t".to_owned()), record);
        }
        rotations(&tables)
    }

    fn passwd() -> Mem {
        Mem::new().file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    }

    #[test]
    fn secrets_of_every_kind_are_in_their_place_of_the_order() {
        for (path, text, sort) in [
            ("/home/me/.aws/credentials", "[prod]\naws_secret_access_key = abcdefgh\n", "cloud"),
            ("/root/deploy.env", "HCLOUD_TOKEN=abcdefgh12\n", "cloud"),
            (
                "/srv/x/sa.json",
                "{\"type\": \"service_account\", \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\\n\"}",
                "cloud",
            ),
            ("/home/me/.git-credentials", "https://me:abcdef@git.example.org\n", "code"),
            ("/root/.docker/config.json", "{\"auths\":{\"r.example.org\":{\"auth\":\"dTpw\"}}}", "code"),
            ("/etc/gitlab-runner/config.toml", "[[runners]]\n  token = \"abcdefgh12\"\n", "code"),
            (
                "/opt/admin.conf",
                "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: https://k}\nusers:\n- name: a\n",
                "kubernetes",
            ),
            (
                "/etc/kubernetes/pki/ca.key",
                "-----BEGIN RSA PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
                "kubernetes",
            ),
            ("/srv/deploy/group_vars/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "store"),
            ("/etc/restic/env", "export RESTIC_PASSWORD=abcdefg\n", "backup"),
            ("/home/me/keys/work", KEY, "keys"),
            ("/tmp/.x/k", KEY, "keys"),
            ("/backup/old/root-key", KEY, "keys"),
            ("/var/spool/x/k", KEY, "keys"),
            ("/home/me/.bash_history", "mysqldump -uroot -pabcdef1 shop > x.sql\n", "databases"),
            ("/srv/a/key.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "keys"),
            ("/etc/krb5.keytab", "\u{5}\u{2}\0\0\0\u{1}abcdxyz", "machines"),
            ("/etc/sssd/sssd.conf", "[domain/x]\nldap_default_authtok = abcdefg\n", "machines"),
            ("/var/www/html/wp-config.php", "<?php\ndefine( 'DB_PASSWORD', 'abcdefg' );\n", "databases"),
            ("/srv/app/config/database.yml", "production:\n  password: abcdefg\n", "databases"),
            ("/opt/a/application.properties", "spring.datasource.password=abcdefg\n", "databases"),
            ("/home/me/.my.cnf", "[client]\npassword = abcdefg\n", "databases"),
            ("/etc/postfix/sasl_passwd", "[smtp.example.org]:587 me:abcdefg\n", "services"),
            (
                "/etc/nginx/tls/site.key",
                "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
                "certificates",
            ),
            ("/srv/app/.env", "APP_KEY=base64:abcdefgh\n", "sites"),
            ("/etc/ssh/ssh_host_ed25519_key", KEY, "own"),
            ("/etc/shadow", "me:$y$j9T$salt$0123456789abcdef:20001:0:99999:7:::\n", "own"),
            ("/home/me/.ssh/known_hosts", "a.example.org ssh-ed25519 AAAA\n|1|x|y ssh-rsa AAAA\n", "trust"),
        ] {
            let found = rotate(passwd().file(path, text));
            let sorts: Vec<_> =
                found.iter().filter(|r| r.items.iter().any(|i| i.path == path)).map(|r| r.name).collect();
            assert_eq!(sorts, [sort], "{path}: {found:#?}");
            for secret in ["abcdef", "AAAAAAA", "salt"] {
                assert!(!format!("{found:?}").contains(secret), "{path}: {found:#?}");
            }
        }
    }

    #[test]
    fn no_column_of_any_fact_holds_a_value() {
        let seen = check(
            passwd()
                .file("/srv/app/.env", "DB_PASSWORD=Zebra-crossing\nURL=mysql://u:Zebra-crossing@db/x\n")
                .file("/home/me/.netrc", "machine a.example.org login me password Zebra-crossing\n")
                .file("/home/me/.pgpass", "db.example.org:5432:x:me:Zebra-crossing\n")
                .file("/home/me/token.txt", "Zebra-crossing\n"),
        );
        let secrets: Vec<_> = seen.facts.iter().filter(|fact| fact.kind() == "secret").collect();
        assert_eq!(secrets.len(), 4, "{secrets:#?}");
        assert!(!format!("{secrets:?}").contains("Zebra"), "{secrets:#?}");
    }

    #[test]
    fn what_opens_nothing_is_not_listed() {
        let found = rotate(
            passwd()
                .file("/etc/ssh/sshd_config", "PasswordAuthentication no\n")
                .file("/etc/login.defs", "PASS_MAX_DAYS 99999\n")
                .file("/srv/a/node_modules/b/key.pem", KEY)
                .file("/home/me/.ssh/id.pub", "ssh-ed25519 AAAA me\n")
                .file("/etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n")
                .file("/srv/a/.env.example", "DB_PASSWORD=\nAPP_KEY=${KEY}\n"),
        );
        assert!(found.is_empty(), "{found:#?}");
    }
}
