//! Passwords and tokens in settings: which names hold one, never what they hold.

mod tokens;
mod values;

use crate::{Format, lines};
use calma_record::Text;
use values::{assignments, is_secret_value};

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "credentials",
    doc: "Names in settings, scripts and histories that hold a password, a key or a token.",
    manual: "the settings of common services; published forms of tokens of AWS, GitHub, GitLab, npm and others",
    samples: &[
        b"DB_PASSWORD=correct-horse\n# X_SECRET=no\nexport AWS_SECRET_ACCESS_KEY='abcd/efgh'\n",
        b"<?php define( 'DB_PASSWORD', 'pa55 word' );\n$cfg['blowfish_secret'] = 'x1y2z3';\n'password' => env('P', 'q'),\n",
        b"spring.datasource.password: hunter2\nurl: jdbc:mysql://u:p4ss@db.example.org/x\n",
        b"{\"auths\":{\"registry.example.org\":{\"auth\":\"dTpw\"}}}",
        b"<entry key=\"password\">abc</entry><password>abc</password>",
        b"machine a.example.org login me password pw\nhttps://me:tok@git.example.org\n",
    ],
    feed: |bytes| {
        drop(scan(bytes));
        drop(hosts(bytes));
        let _family = family(bytes);
        let _named = is_secret(bytes, bytes);
    },
};

/// Where a credential opens something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// A cloud provider's interface.
    Cloud,
    /// Code hosting, continuous integration, package and image registries.
    Code,
    /// A Kubernetes cluster.
    Kubernetes,
    /// A store of further secrets.
    Store,
    /// A backup's repository.
    Backup,
    /// Another machine or a directory of accounts.
    Machine,
    /// A database.
    Database,
    /// Mail and other services.
    Service,
    /// The site's own signing keys.
    Application,
}

/// A name that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Line, from 1.
    pub line: u32,
    /// The name, or in words what kind of token stands there.
    pub name: Text,
    /// What it opens.
    pub family: Family,
}

/// A file gives at most this many.
const MOST: usize = 256;
/// A longer line is cut.
const LONGEST: usize = 8 << 10;

/// Names that hold a secret, and tokens of published form wherever they stand.
pub fn scan(bytes: &[u8]) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    // A file of one long line (JSON as programs write it) is looked through member by member.
    let pieces = lines::numbered(bytes).flat_map(|(line, text)| {
        let long = text.len() > 1024;
        text.split(move |b| long && *b == b',').map(move |piece| (line, piece))
    });
    for (line, text) in pieces {
        if hits.len() >= MOST {
            break;
        }
        let text = text.get(..text.len().min(LONGEST)).unwrap_or_default();
        let before = hits.len();
        // A token counts in a comment too.
        if let Some((name, family)) = tokens::find(text) {
            hits.push(Hit { line, name: name.into(), family });
        }
        if is_comment(text.trim_ascii()) {
            continue;
        }
        for (name, value) in assignments(text) {
            let token = hits.len() > before;
            if !token && is_secret(name, value) {
                hits.push(Hit { line, name: name.into(), family: family(name) });
            }
        }
        if hits.len() == before
            && let Some((name, family)) = on_command_line(text)
        {
            hits.push(Hit { line, name: name.into(), family });
        }
        if hits.len() == before
            && let Some((scheme, _)) = values::address_with_password(text)
        {
            let (name, family) = of_scheme(scheme);
            hits.push(Hit { line, name: name.into(), family });
        }
    }
    hits.truncate(MOST);
    hits
}

/// A password that stands on a command line: mysql(1) with `-pPASSWORD`, sshpass(1) with `-p PASSWORD`.
fn on_command_line(text: &[u8]) -> Option<(&'static str, Family)> {
    let mut words = lines::words(text).map(|word| word.rsplit(|b| *b == b'/').next().unwrap_or_default());
    let program = words.find(|word| {
        matches!(*word, b"mysql" | b"mysqldump" | b"mysqladmin" | b"mariadb" | b"mariadb-dump" | b"sshpass")
    })?;
    let literal = |word: &&[u8]| {
        word.len() >= 3 && !word.starts_with(b"$") && !word.starts_with(b"\"$") && !word.starts_with(b"'$")
    };
    if program == b"sshpass" {
        let value = words
            .find_map(|word| word.strip_prefix(b"-p"))
            .filter(|value| value.is_empty() || literal(value));
        return value.map(|_| ("sshpass -p", Family::Machine));
    }
    // A long option has two dashes; `-p` alone asks for the password.
    words
        .filter_map(|word| word.strip_prefix(b"-p"))
        .any(|value| literal(&value))
        .then_some(("mysql -p", Family::Database))
}

fn is_comment(line: &[u8]) -> bool {
    [&b"#"[..], b";", b"//", b"*", b"/*", b"<!--", b"--"].iter().any(|mark| line.starts_with(mark))
}

/// What an address with a password in it opens.
fn of_scheme(scheme: &[u8]) -> (&'static str, Family) {
    let scheme = scheme.to_ascii_lowercase();
    let has = |part: &[u8]| scheme.windows(part.len()).any(|window| window == part);
    if [
        &b"mysql"[..],
        b"maria",
        b"postgres",
        b"pgsql",
        b"mongo",
        b"redis",
        b"mssql",
        b"sqlserver",
        b"oracle",
        b"clickhouse",
    ]
    .iter()
    .any(|part| has(part))
    {
        ("address of a database with its password", Family::Database)
    } else if has(b"smtp") || has(b"imap") || has(b"amqp") {
        ("address of a service with its password", Family::Service)
    } else if has(b"ssh") || has(b"sftp") || has(b"ftp") || has(b"ldap") || has(b"smb") {
        ("address of a machine with its password", Family::Machine)
    } else {
        ("address with a password", Family::Service)
    }
}

/// Whether a setting or variable of this name and value holds a secret.
pub fn is_secret(name: &[u8], value: &[u8]) -> bool {
    is_secret_name(name) && is_secret_value(name, value)
}

/// Whether a setting or variable of this name holds a secret: its last words say so.
fn is_secret_name(name: &[u8]) -> bool {
    if name.len() > 96 {
        return false;
    }
    let flat: Vec<u8> =
        name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let ends = |parts: &[&str]| parts.iter().any(|part| flat.ends_with(part.as_bytes()));
    let not = ends(&["nopassword", "publickeytoken", "forgotpassword", "resetpassword", "changepassword"]);
    let exact = ["pass", "pw", "psk", "dsn", "identitytoken", "pwd", "bindpw", "oldpwd"]
        .contains(&std::str::from_utf8(&flat).unwrap_or_default());
    // The working directories of a shell are called PWD and OLDPWD.
    let directory = matches!(name, b"PWD" | b"OLDPWD" | b"oldpwd" | b"pwd");
    !not && !directory
        && (exact
            || ends(&[
                "password",
                "passwd",
                "passphrase",
                "passwort",
                "secret",
                "secretkey",
                "secretaccesskey",
                "secretid",
                "apikey",
                "apitoken",
                "accesstoken",
                "authtoken",
                "bearertoken",
                "token",
                "privatekey",
                "clientsecret",
                "accountkey",
                "storagekey",
                "masterkey",
                "encryptionkey",
                "signingkey",
                "appkey",
                "requirepass",
                "masterauth",
                "bindpw",
                "authtok",
                "rootpw",
                "userpw",
                "dbpw",
                "connectionstring",
                "databaseurl",
                "redisurl",
                "mongodburi",
                "mongourl",
                "brokerurl",
                "sharedkey",
                "presharedkey",
                "wpapsk",
                "consumersecret",
                "accesskey",
                "cookiekey",
                "hmackey",
                "secrettoken",
                "credentials",
                "rememberkey",
                "authkey",
                "secureauthkey",
                "loggedinkey",
                "noncekey",
                "authsalt",
                "loggedinsalt",
                "noncesalt",
            ])
            || [
                &b"_PASS"[..],
                b"_pass",
                b"_PWD",
                b"_pwd",
                b".pass",
                b"-pass",
                b"_PAT",
                b"_PSK",
                b"-pw",
                b"_pw",
                b"Pwd",
                b"Pass",
                b"_DSN",
                b"_dsn",
            ]
            .iter()
            .any(|end| name.ends_with(end)))
}

/// What a name of a secret opens, by its other words.
pub fn family(name: &[u8]) -> Family {
    let flat = name.to_ascii_lowercase();
    let has = |parts: &[&str]| {
        parts.iter().any(|part| flat.windows(part.len()).any(|window| window == part.as_bytes()))
    };
    let begins = |parts: &[&str]| parts.iter().any(|part| flat.starts_with(part.as_bytes()));
    if has(&["restic", "borg", "duplicity", "kopia", "backup", "b2_", "rclone"]) {
        Family::Backup
    } else if has(&[
        "aws",
        "azure",
        "gcp",
        "google",
        "digitalocean",
        "hcloud",
        "hetzner",
        "linode",
        "vultr",
        "scaleway",
        "openstack",
        "ovh",
        "alicloud",
        "aliyun",
        "cloudflare",
        "s3_",
        "s3.",
        "minio",
        "accountkey",
        "storageaccount",
        "exoscale",
        "oci_",
        "secretaccesskey",
    ]) || begins(&["do_", "os_pass", "os_application", "arm_", "cf_", "fastly", "tf_var"])
    {
        Family::Cloud
    } else if has(&[
        "github",
        "gitlab",
        "gitea",
        "bitbucket",
        "git_",
        "npm",
        "pypi",
        "twine",
        "cargo",
        "docker",
        "registry",
        "jenkins",
        "drone",
        "buildkite",
        "circle",
        "travis",
        "sonar",
        "nexus",
        "artifactory",
        "composer",
        "rubygems",
        "runner",
        "forgejo",
        "webhook_secret",
    ]) || begins(&["ci_", "gh_", "gl_"])
    {
        Family::Code
    } else if has(&["kube", "k8s", "k3s", "rke", "rancher", "etcd"]) {
        Family::Kubernetes
    } else if has(&[
        "vault",
        "consul",
        "ansible",
        "bitwarden",
        "op_service",
        "sops",
        "doppler",
        "infisical",
        "master_key",
        "masterkey",
        "chef",
        "puppet",
        "salt_master",
    ]) {
        Family::Store
    } else if has(&[
        "ldap",
        "bindpw",
        "authtok",
        "krb",
        "kerberos",
        "radius",
        "samba",
        "winbind",
        "ssh",
        "sudo",
        "root_pw",
        "rootpw",
        "become",
        "psk",
        "wireguard",
        "vpn",
        "ipsec",
    ]) {
        Family::Machine
    } else if has(&[
        "db",
        "database",
        "mysql",
        "maria",
        "postgres",
        "pgsql",
        "pg",
        "mongo",
        "redis",
        "sql",
        "datasource",
        "couch",
        "influx",
        "elastic",
        "cassandra",
        "requirepass",
        "masterauth",
        "jdbc",
        "memcache",
        "rabbit",
        "clickhouse",
        "dsn",
    ]) {
        Family::Database
    } else if has(&[
        "app_key",
        "appkey",
        "secret_key",
        "secretkey",
        "session",
        "cookie",
        "jwt",
        "csrf",
        "salt",
        "nonce",
        "auth_key",
        "logged_in",
        "blowfish",
        "hash",
        "encryption",
        "signing",
        "hmac",
        "remember",
        "crypt",
    ]) || flat == b"secret"
    {
        Family::Application
    } else {
        Family::Service
    }
}

/// The hosts that a file of credentials is for: of addresses with a password, `machine` words (netrc(5)) and `server:`.
pub fn hosts(bytes: &[u8]) -> Vec<Text> {
    let mut found: Vec<Text> = Vec::new();
    let mut take = |host: &[u8]| {
        let plain =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/' | b'[' | b']');
        if !host.is_empty() && host.len() < 256 && host.iter().all(plain) && found.len() < 64 {
            let host = Text::from(host);
            if !found.contains(&host) {
                found.push(host);
            }
        }
    };
    for (_, line) in lines::numbered(bytes) {
        let line = line.get(..line.len().min(LONGEST)).unwrap_or_default();
        if let Some((_, host)) = values::address_with_password(line) {
            take(host);
        }
        let mut words = line.split(|b| b.is_ascii_whitespace() || *b == b'"').filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            if matches!(word, b"machine" | b"server:" | b"host:") {
                let host = words.next().unwrap_or_default();
                take(host.split(|b| *b == b'@').next_back().unwrap_or_default());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
