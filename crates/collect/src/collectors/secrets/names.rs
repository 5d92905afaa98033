//! Which files are worth reading for a secret, by name and place alone.

use calma_formats::credentials::Family;

/// How much of a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Interest {
    /// Nothing of it.
    None,
    /// Its beginning, for a key.
    Head,
    /// All of it, for names that hold a password.
    Whole,
}

/// Endings of what holds no settings and no keys.
const NEVER: &[&[u8]] = &[
    b"js",
    b"mjs",
    b"ts",
    b"tsx",
    b"jsx",
    b"css",
    b"scss",
    b"less",
    b"html",
    b"htm",
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"ico",
    b"webp",
    b"woff",
    b"woff2",
    b"ttf",
    b"eot",
    b"mo",
    b"po",
    b"pot",
    b"gz",
    b"xz",
    b"zst",
    b"bz2",
    b"zip",
    b"tar",
    b"deb",
    b"rpm",
    b"so",
    b"a",
    b"o",
    b"pyc",
    b"class",
    b"jar",
    b"war",
    b"list",
    b"md5sums",
    b"ibd",
    b"frm",
    b"myd",
    b"myi",
    b"mp3",
    b"mp4",
    b"wav",
    b"md",
    b"rst",
    b"h",
    b"c",
    b"cpp",
    b"hpp",
    b"rs",
    b"go",
    b"map",
    b"lock",
    b"journal",
    b"wasm",
    b"pdf",
    b"vim",
    b"el",
    b"elc",
    b"pm",
    b"pod",
    b"tmpl",
    b"triggers",
    b"crl",
    b"csv",
    b"log",
    b"tcl",
    b"m4",
    b"rules",
    b"types",
    b"hwdb",
    b"dat",
    b"idx",
    b"pack",
    b"whl",
    b"less",
    b"twig",
    b"phtml",
    b"symbols",
    b"shlibs",
    b"postinst",
    b"postrm",
    b"preinst",
    b"prerm",
    b"conffiles",
    b"templates",
    b"target",
    b"mount",
    b"slice",
];

/// Endings of settings, scripts and histories.
const SETTINGS: &[&[u8]] = &[
    b"conf",
    b"cnf",
    b"cfg",
    b"ini",
    b"env",
    b"yml",
    b"yaml",
    b"toml",
    b"properties",
    b"json",
    b"xml",
    b"tfvars",
    b"tfstate",
    b"sh",
    b"bash",
    b"nmconnection",
    b"service",
    b"ovpn",
    b"secret",
    b"secrets",
    b"cred",
    b"creds",
    b"credentials",
    b"local",
    b"rc",
    b"config",
    b"auto",
    b"tfrc",
    b"hcl",
    b"neon",
    b"envrc",
    b"cron",
    b"pgpass",
    b"netrc",
];

/// Words in a name that say it may hold a secret.
const TELLING: &[&[u8]] = &[
    b"secret",
    b"passw",
    b"passphrase",
    b"credential",
    b"token",
    b"apikey",
    b"api_key",
    b"api-key",
    b"openrc",
    b"history",
    b"dbconfig",
];

/// Names of programs' own files that are settings of no service.
const HARMLESS: &[&[u8]] = &[
    b"package.json",
    b"package-lock.json",
    b"composer.json",
    b"tsconfig.json",
    b"npm-shrinkwrap.json",
    b"manifest.json",
    b"login.defs",
    b"nsswitch.conf",
    b"openssl.cnf",
    b"pam.conf",
    b"deluser.conf",
    b"adduser.conf",
    b"installed.json",
];

/// What is worth reading of a file.
pub(super) fn interest(path: &[u8], size: u64) -> Interest {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_ascii_lowercase();
    if size < 8 || in_code(path) || HARMLESS.contains(&name.as_slice()) {
        return Interest::None;
    }
    let (name, kept) = (without_backup(&name), name.len());
    let hidden = name.starts_with(b".");
    let ending = name.iter().rposition(|b| *b == b'.').filter(|at| *at > 0).and_then(|at| name.get(at + 1..));
    let has = |words: &[&[u8]]| words.iter().any(|word| name.windows(word.len()).any(|part| part == *word));
    let ending = match ending {
        // `.env.production`, `config.yml.1`
        _ if name.starts_with(b".env") || name.starts_with(b"env.") => Some(&b"env"[..]),
        other => other,
    };
    let size_of_settings = size <= 1 << 20;
    match ending {
        Some(ending) if NEVER.contains(&ending) && name.len() == kept => Interest::None,
        Some(b"php" | b"py" | b"rb" | b"pl" | b"exs") => {
            let telling = has(&[
                b"config",
                b"settings",
                b"database",
                b"secret",
                b"local",
                b"parameters",
                b"credential",
                b"conn",
                b"env",
            ]) || has(&[b"db"]);
            if telling && size_of_settings { Interest::Whole } else { Interest::None }
        }
        Some(b"txt" | b"sql" | b"bin" | b"key" | b"pem" | b"db") if !has(TELLING) => key_size(size),
        Some(ending) if SETTINGS.contains(&ending) && size_of_settings => Interest::Whole,
        _ if has(TELLING) && size_of_settings => Interest::Whole,
        None if hidden && size <= 256 << 10 => Interest::Whole,
        Some(ending) if ending.iter().all(u8::is_ascii_digit) => Interest::None,
        None if name.iter().all(u8::is_ascii_digit) => Interest::None,
        // Settings without an ending, as many in /etc are, and scripts of an administrator.
        None if size <= 64 << 10
            && (path.starts_with(b"/etc/")
                || path.starts_with(b"/usr/local/")
                || path.starts_with(b"/root/")) =>
        {
            Interest::Whole
        }
        _ => key_size(size),
    }
}

fn key_size(size: u64) -> Interest {
    if size <= 256 << 10 { Interest::Head } else { Interest::None }
}

/// A name without what a copy adds to it.
fn without_backup(name: &[u8]) -> &[u8] {
    const COPIES: &[&[u8]] = &[
        b".bak",
        b".old",
        b".orig",
        b".save",
        b"~",
        b".swp",
        b".copy",
        b".backup",
        b".1",
        b".2",
        b".dist",
        b".dpkg-old",
        b".dpkg-dist",
        b".rpmsave",
        b".rpmnew",
    ];
    COPIES.iter().find_map(|copy| name.strip_suffix(*copy)).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// Folders of programs, packages and their tests, which hold examples rather than keys of this host.
fn in_code(path: &[u8]) -> bool {
    const FOLDERS: &[&[u8]] = &[
        b"node_modules",
        b"site-packages",
        b"dist-packages",
        b"vendor",
        b"objects",
        b"__pycache__",
        b"doc",
        b"docs",
        b"man",
        b"locale",
        b"i18n",
        b"test",
        b"tests",
        b"testdata",
        b"spec",
        b"fixtures",
        b"examples",
        b"example",
        b"registry",
        b"rustup",
        b".rustup",
        b"toolchains",
        b"include",
        b"share",
    ];
    const PLACES: &[&[u8]] = &[
        b"/var/lib/dpkg",
        b"/var/lib/apt",
        b"/var/lib/rpm",
        b"/var/lib/pacman",
        b"/var/lib/ucf",
        b"/var/lib/systemd/catalog",
        b"/etc/alternatives",
        b"/etc/ssl/certs",
        b"/etc/ca-certificates",
        b"/etc/fonts",
        b"/etc/apparmor.d",
        b"/etc/pam.d",
        b"/etc/selinux",
        b"/etc/init.d",
        b"/usr/local/share",
        b"/usr/local/lib",
        b"/usr/local/include",
        b"/usr/local/go",
        b"/var/lib/mecab",
        b"/var/lib/clamav",
        b"/etc/xdg",
        b"/etc/udev",
        b"/etc/terminfo",
        b"/etc/vim",
        b"/etc/bash_completion.d",
        b"/etc/logcheck",
        b"/etc/modprobe.d",
        b"/etc/iproute2",
        b"/etc/fail2ban/filter.d",
        b"/etc/snort",
        b"/etc/suricata/rules",
    ];
    if PLACES.iter().any(|place| crate::web::is_below(path, place)) {
        return true;
    }
    let code = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).rev().skip(1);
    let mut parts = code.peekable();
    while let Some(part) = parts.next() {
        // `.local/share` holds keyrings and other own files.
        if FOLDERS.contains(&part) && !(part == b"share" && parts.peek() == Some(&&b".local"[..])) {
            return !path.starts_with(b"/etc/") || part == b"objects";
        }
    }
    false
}

/// What a secret whose name does not tell opens, by the place it stands in.
pub(super) fn family(path: &[u8]) -> Option<Family> {
    let lower = path.to_ascii_lowercase();
    let has = |parts: &[&str]| {
        parts.iter().any(|part| lower.windows(part.len()).any(|window| window == part.as_bytes()))
    };
    if has(&[
        "bacula",
        "bareos",
        "borg",
        "restic",
        "backup",
        "duplicity",
        "rsnapshot",
        "kopia",
        "veeam",
        "barman",
        "pgbackrest",
    ]) {
        Some(Family::Backup)
    } else if has(&["/.aws", "azure", "gcloud", "openstack", "openrc", "hcloud", "doctl", "cloudflare"]) {
        Some(Family::Cloud)
    } else if has(&[
        "gitlab",
        "jenkins",
        "runner",
        "drone",
        "buildkite",
        "woodpecker",
        "gitea",
        "forgejo",
        "/.git/",
        "gitconfig",
        "npmrc",
        "pypirc",
    ]) {
        Some(Family::Code)
    } else if has(&["kube", "k3s", "rke2", "rancher"]) {
        Some(Family::Kubernetes)
    } else if has(&["vault", "terraform", "ansible", "tfstate", "tfvars", "puppet", "/chef", "/salt"]) {
        Some(Family::Store)
    } else if has(&[
        "ldap",
        "sssd",
        "samba",
        "krb5",
        "nslcd",
        "wpa_supplicant",
        "networkmanager",
        "vpn",
        "ipsec",
        "swanctl",
        "/ppp",
        "wireguard",
        "radius",
        "smb",
        "cifs",
        "snmp",
        "ipmi",
    ]) {
        Some(Family::Machine)
    } else if has(&[
        "mysql",
        "maria",
        "postgres",
        "pgsql",
        "redis",
        "mongo",
        "database",
        "my.cnf",
        "/db",
        "odbc",
        "clickhouse",
        "influx",
    ]) {
        Some(Family::Database)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_name_and_place() {
        for path in [
            "/srv/a/.env",
            "/srv/a/.env.production",
            "/var/www/x/wp-config.php",
            "/var/www/x/wp-config.php.bak",
            "/etc/mysql/debian.cnf",
            "/opt/x/application-prod.yml",
            "/home/u/.bash_history",
            "/root/backup",
            "/home/u/.my.cnf",
            "/opt/a/settings.py",
            "/root/passwords.txt",
            "/home/u/.local/share/x/secret.json",
            "/usr/local/bin/dump.sh",
        ] {
            assert_eq!(interest(path.as_bytes(), 500), Interest::Whole, "{path}");
        }
        for path in ["/home/u/id_work", "/srv/a/server.pem", "/srv/a/x.key", "/opt/a/keys.bin"] {
            assert_eq!(interest(path.as_bytes(), 2000), Interest::Head, "{path}");
        }
        for path in [
            "/srv/a/node_modules/b/test/key.pem",
            "/var/lib/dpkg/info/a.list",
            "/srv/a/index.php",
            "/opt/x/a.png",
            "/etc/pam.d/sshd",
            "/opt/p/vendor/k.pem",
        ] {
            assert_eq!(interest(path.as_bytes(), 2000), Interest::None, "{path}");
        }
    }
}
