//! Files whose place says what they hold, as the programs that write them document it.

/// How a known file is confirmed.
#[derive(Clone, Copy)]
pub(super) enum Check {
    /// Its name and place are enough.
    Place,
    /// One of these words stands in it.
    Has(&'static [&'static str]),
    /// It has a line that is no comment and holds one of these bytes.
    Line(u8),
}

/// A file whose place says what it holds.
pub(super) struct Known {
    /// End of its path; with a slash at its end, a folder all of whose files count, as one.
    pub(super) end: &'static str,
    /// Stable name of what it is.
    pub(super) what: &'static str,
    /// The same in words.
    pub(super) words: &'static str,
    /// How it is confirmed.
    pub(super) check: Check,
}

const fn known(end: &'static str, what: &'static str, words: &'static str, check: Check) -> Known {
    Known { end, what, words, check }
}

use Check::{Has, Line, Place};

const ALL: &[Known] = &[
    known("/.aws/credentials", "cloud", "AWS access keys", Has(&["secret_access_key", "session_token"])),
    known("/.aws/config", "cloud", "AWS access keys", Has(&["secret_access_key"])),
    known("/.aws/sso/cache/", "cloud", "AWS sign-in tokens", Place),
    known("/.aws/cli/cache/", "cloud", "AWS session keys", Place),
    known("/gcloud/credentials.db", "cloud", "Google Cloud credentials", Place),
    known("/gcloud/access_tokens.db", "cloud", "Google Cloud tokens", Place),
    known("/application_default_credentials.json", "cloud", "Google Cloud credentials", Place),
    known("/gcloud/legacy_credentials/", "cloud", "Google Cloud credentials", Place),
    known("/.azure/msal_token_cache.json", "cloud", "Azure tokens", Place),
    known("/.azure/msal_token_cache.bin", "cloud", "Azure tokens", Place),
    known("/.azure/accessTokens.json", "cloud", "Azure tokens", Place),
    known("/.azure/service_principal_entries.json", "cloud", "Azure service principals", Place),
    known("/.azure/servicePrincipalProfile.json", "cloud", "Azure service principals", Place),
    known("/doctl/config.yaml", "cloud", "a DigitalOcean token", Has(&["access-token"])),
    known("/hcloud/cli.toml", "cloud", "a Hetzner Cloud token", Has(&["token"])),
    known("/clouds.yaml", "cloud", "OpenStack credentials", Has(&["password", "secret", "token"])),
    known("/clouds.yml", "cloud", "OpenStack credentials", Has(&["password", "secret", "token"])),
    known("/openstack/secure.yaml", "cloud", "OpenStack credentials", Place),
    known("/.oci/config", "cloud", "Oracle Cloud credentials", Has(&["key_file", "pass_phrase"])),
    known("/scw/config.yaml", "cloud", "Scaleway credentials", Has(&["secret_key"])),
    known("/.config/linode-cli", "cloud", "a Linode token", Has(&["token"])),
    known("/.config/vultr-cli.yaml", "cloud", "a Vultr token", Has(&["api-key"])),
    known("/.aliyun/config.json", "cloud", "Alibaba Cloud keys", Has(&["access_key_secret", "sts_token"])),
    known("/.bluemix/config.json", "cloud", "IBM Cloud tokens", Has(&["Token"])),
    known("/.s3cfg", "cloud", "keys of an object store", Has(&["secret_key"])),
    known("/.passwd-s3fs", "cloud", "keys of an object store", Line(b':')),
    known("/etc/passwd-s3fs", "cloud", "keys of an object store", Line(b':')),
    known("/.boto", "cloud", "cloud keys", Has(&["secret_access_key", "refresh_token"])),
    known("/.mc/config.json", "cloud", "keys of an object store", Has(&["secretKey"])),
    known("/rclone.conf", "cloud", "keys of remote storage", Has(&["secret", "token", "pass", "key"])),
    known("/.fly/config.yml", "cloud", "a Fly.io token", Has(&["access_token"])),
    known("/.cloudflared/", "cloud", "Cloudflare tunnel credentials", Place),
    known("/.terraform.d/credentials.tfrc.json", "cloud", "a Terraform Cloud token", Has(&["token"])),
    known("/.git-credentials", "code", "Git passwords or tokens", Line(b'@')),
    known("/git/credentials", "code", "Git passwords or tokens", Line(b'@')),
    known("/.netrc", "code", "passwords for other hosts (netrc)", Has(&["password"])),
    known("/gh/hosts.yml", "code", "a GitHub token", Has(&["oauth_token"])),
    known("/glab-cli/config.yml", "code", "a GitLab token", Has(&["token: "])),
    known("/.config/hub", "code", "a GitHub token", Has(&["oauth_token"])),
    known("/.npmrc", "code", "an npm token", Has(&["_auth", "_password"])),
    known("/etc/npmrc", "code", "an npm token", Has(&["_auth", "_password"])),
    known("/.yarnrc.yml", "code", "an npm token", Has(&["npmAuth"])),
    known("/.pypirc", "code", "a PyPI password or token", Has(&["password"])),
    known("/.cargo/credentials", "code", "a crates.io token", Has(&["token"])),
    known("/.cargo/credentials.toml", "code", "a crates.io token", Has(&["token"])),
    known("/.docker/config.json", "code", "image registry logins", Has(&["\"auth\"", "identitytoken"])),
    known("/containers/auth.json", "code", "image registry logins", Has(&["\"auth\"", "identitytoken"])),
    known("/containers/0/auth.json", "code", "image registry logins", Has(&["\"auth\"", "identitytoken"])),
    known("/.gem/credentials", "code", "a RubyGems key", Has(&["api_key"])),
    known("/auth.json", "code", "Composer tokens", Has(&["http-basic", "-oauth", "-token", "bearer"])),
    known("/.m2/settings.xml", "code", "Maven passwords", Has(&["<password>", "<passphrase>"])),
    known("/NuGet/NuGet.Config", "code", "NuGet passwords", Has(&["Password"])),
    known("/gitlab-runner/config.toml", "code", "a GitLab runner's token", Has(&["token"])),
    known("/.gitlab-runner/config.toml", "code", "a GitLab runner's token", Has(&["token"])),
    known("/.credentials_rsaparams", "code", "a GitHub runner's key", Place),
    known(
        "/.runner",
        "code",
        "a CI runner's registration",
        Has(&["token", "\"serverUrl\"", "\"gitHubUrl\""]),
    ),
    known("/secrets/master.key", "code", "the key of Jenkins's passwords", Place),
    known("/secrets/hudson.util.Secret", "code", "the key of Jenkins's passwords", Place),
    known("/credentials.xml", "code", "Jenkins credentials", Has(&["cloudbees", "plugins.credentials"])),
    known("/buildkite-agent.cfg", "code", "a Buildkite agent's token", Has(&["\ntoken"])),
    known("/gitlab-secrets.json", "code", "GitLab's own keys", Place),
    known("/.kube/config", "kubernetes", "access to Kubernetes clusters", Place),
    known(
        "/etc/rancher/k3s/k3s.yaml",
        "kubernetes",
        "access to a Kubernetes cluster as its administrator",
        Place,
    ),
    known(
        "/etc/rancher/rke2/rke2.yaml",
        "kubernetes",
        "access to a Kubernetes cluster as its administrator",
        Place,
    ),
    known("/server/node-token", "kubernetes", "the token with which machines join a cluster", Place),
    known("/k3s/server/token", "kubernetes", "the token with which machines join a cluster", Place),
    known("/rke2/server/token", "kubernetes", "the token with which machines join a cluster", Place),
    known("/kubernetes.io/serviceaccount/token", "kubernetes", "a service account's token", Place),
    known("/member/snap/db", "kubernetes", "etcd's data: every secret of a cluster", Place),
    known("/.vault-token", "store", "a Vault token", Place),
    known("/.vault_pass", "store", "the password of an Ansible vault", Place),
    known("/.vault_pass.txt", "store", "the password of an Ansible vault", Place),
    known("/vault_pass.txt", "store", "the password of an Ansible vault", Place),
    known("/.vault_password", "store", "the password of an Ansible vault", Place),
    known("/.vault-password", "store", "the password of an Ansible vault", Place),
    known("/.vault-pass", "store", "the password of an Ansible vault", Place),
    known("/.password-store/", "store", "passwords of pass(1)", Place),
    known("/.local/share/keyrings/", "store", "a desktop's keyring", Place),
    known("/logins.json", "store", "passwords saved by a browser", Has(&["encryptedPassword"])),
    known("/Login Data", "store", "passwords saved by a browser", Place),
    known("/etc/credstore/", "store", "credentials of services (systemd)", Place),
    known("/etc/credstore.encrypted/", "store", "credentials of services (systemd)", Place),
    known("/config/master.key", "store", "the key of a Rails application's secrets", Place),
    known("/.config/borg/keys/", "backup", "a key of a Borg repository", Place),
    known("/.pgpass", "database", "PostgreSQL passwords", Line(b':')),
    known("/.mylogin.cnf", "database", "MySQL passwords, only obscured", Place),
    known("/.rediscli_auth", "database", "a Redis password", Place),
    known("/rsyncd.secrets", "machine", "passwords of rsync", Line(b':')),
    known("/chap-secrets", "machine", "passwords of PPP", Line(b' ')),
    known("/pap-secrets", "machine", "passwords of PPP", Line(b' ')),
    known("/ipsec.secrets", "machine", "keys of IPsec", Has(&[" PSK ", ": RSA", ": XAUTH", ": EAP"])),
    known("/private/secrets.tdb", "machine", "this machine's account in a Windows domain", Place),
    known("/private/passdb.tdb", "password-hashes", "Samba's password hashes", Place),
    known("/private/sam.ldb", "password-hashes", "a Windows domain's password hashes", Place),
    known("/sss/secrets/secrets.ldb", "store", "secrets that sssd keeps", Place),
    known("/etc/libnss-ldap.secret", "machine", "a password of a directory (LDAP)", Place),
    known("/etc/pam_ldap.secret", "machine", "a password of a directory (LDAP)", Place),
    known("/etc/ldap.secret", "machine", "a password of a directory (LDAP)", Place),
    known("/filezilla/sitemanager.xml", "machine", "passwords of file transfers", Has(&["<Pass"])),
    known("/filezilla/recentservers.xml", "machine", "passwords of file transfers", Has(&["<Pass"])),
    known("/postfix/sasl_passwd", "service", "passwords of mail servers", Line(b':')),
    known("/exim4/passwd.client", "service", "passwords of mail servers", Line(b':')),
    known("/.msmtprc", "service", "a mail password", Has(&["password"])),
    known("/etc/msmtprc", "service", "a mail password", Has(&["password"])),
    known("/.fetchmailrc", "service", "a mail password", Has(&["pass"])),
];

/// What a file's place says that it holds, and for a folder its length in the path.
pub(super) fn of(path: &[u8]) -> Option<(&'static Known, Option<usize>)> {
    ALL.iter().find_map(|known| {
        let end = known.end.as_bytes();
        if known.end.ends_with('/') {
            let at = path.windows(end.len()).rposition(|window| window == end)?;
            return Some((known, Some(at + end.len() - 1)));
        }
        path.ends_with(end).then_some((known, None))
    })
}

/// Whether the content is what the place says.
pub(super) fn confirmed(check: Check, bytes: &[u8]) -> bool {
    match check {
        Place => !bytes.trim_ascii().is_empty(),
        Has(words) => words.iter().any(|word| contains(bytes, word.as_bytes())),
        Line(byte) => calma_formats::lines::meaningful(bytes).any(|(_, line)| line.contains(&byte)),
    }
}

/// Whether `part` stands in `bytes`.
pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
