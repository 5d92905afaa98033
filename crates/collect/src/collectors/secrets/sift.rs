//! One file after another: a key by its content, a known place, names that hold a password.

use super::known::{self, Known, contains};
use super::names::{self, Interest};
use super::reach::Reach;
use crate::{Context, Flow, Out, Owner, web};
use calma_formats::credentials::{self, Family};
use calma_formats::private_key::{self, Key, Kind};
use calma_host::{Meta, parent};
use calma_record::{Gap, Source, Text, kinds::Secret};
use std::collections::BTreeMap;

/// Bytes read in all.
const BYTES: u64 = 1 << 30;
/// Facts put out at most.
const MOST: usize = 5_000;
/// Names that one fact holds.
const NAMES: usize = 24;

/// Looks at files, within bounds.
pub(super) struct Sift<'a> {
    context: &'a Context,
    served: Vec<Vec<u8>>,
    reach: Reach,
    bytes: u64,
    facts: usize,
    /// Folders whose files count as one.
    folders: BTreeMap<Vec<u8>, (Secret, u32)>,
}

impl<'a> Sift<'a> {
    pub(super) fn new(context: &'a Context, served: Vec<Vec<u8>>, reach: Reach) -> Self {
        Self { context, served, reach, bytes: BYTES, facts: 0, folders: BTreeMap::new() }
    }

    /// Looks at one file.
    pub(super) fn file(&mut self, path: &[u8], meta: &Meta, out: &mut Out) -> Flow {
        if meta.size == 0 || self.facts >= MOST {
            return out.flow();
        }
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let known = known::of(path);
        if name.starts_with(b"sess_") && meta.size > 2 && name.len() > 16 {
            let words = "sessions of a site's visitors: whoever has one is that visitor";
            self.tally(parent(path), "sessions", words, path, meta);
            return out.flow();
        }
        if contains(path, b"/volumes/kubernetes.io~secret/")
            || contains(path, b"/volumes/kubernetes.io~projected/")
        {
            self.tally(parent(parent(path)), "kubernetes", "secrets of a pod", path, meta);
            return out.flow();
        }
        if let Some((known, Some(length))) = known {
            self.tally(path.get(..length).unwrap_or(path), known.what, known.words, path, meta);
            return out.flow();
        }
        let interest = names::interest(path, meta.size);
        if (interest == Interest::None && known.is_none()) || self.is_program(path) {
            return out.flow();
        }
        if self.bytes == 0 {
            return out.gap(Gap::new(super::WHAT, "there is too much to read it all").at(path));
        }
        let limit = match (interest, name.rsplit(|b| *b == b'.').next()) {
            (Interest::Whole, _) => 1 << 20,
            (_, Some(b"pem" | b"crt" | b"key" | b"p12" | b"pfx")) => 64 << 10,
            _ if known.is_some() => 256 << 10,
            _ => 4 << 10,
        };
        let content = match self.context.host.tree().read(path, limit) {
            Ok(content) => content,
            Err(error) => return out.unseen(super::WHAT, &error),
        };
        self.bytes = self.bytes.saturating_sub(content.bytes.len() as u64);
        self.content(path, &content.meta, &content.bytes, known.map(|(known, _)| known), interest, out)
    }

    fn content(
        &mut self,
        path: &[u8],
        meta: &Meta,
        bytes: &[u8],
        known: Option<&'static Known>,
        interest: Interest,
        out: &mut Out,
    ) -> Flow {
        if let Some(key) = private_key::recognise(bytes) {
            return self.key(path, meta, bytes, key, out);
        }
        if let Some(known) = known.filter(|known| known::confirmed(known.check, bytes)) {
            let mut found = self.fact(path, meta, known.what, known.words);
            found.known_by = "name".to_owned();
            found.names = credentials::hosts(bytes);
            let hits = credentials::scan(bytes);
            found.count = u32::try_from(hits.len()).unwrap_or(u32::MAX).max(1);
            return self.put(found, out);
        }
        // ansible-vault(1): the first line says so.
        if bytes.starts_with(b"$ANSIBLE_VAULT;") {
            let mut found = self.fact(path, meta, "store", "an encrypted Ansible vault");
            found.encrypted = Some(true);
            return self.put(found, out);
        }
        let cluster =
            contains(bytes, b"kind: Config") && contains(bytes, b"clusters:") && contains(bytes, b"users:");
        if cluster && contains(bytes, b"apiVersion: v1") {
            let mut found = self.fact(path, meta, "kubernetes", "access to a Kubernetes cluster");
            found.names = credentials::hosts(bytes);
            return self.put(found, out);
        }
        // htpasswd(1): NAME:HASH.
        let hashes = |line: &[u8]| {
            [&b":$apr1$"[..], b":$2y$", b":{SHA}", b":$5$", b":$6$"].iter().any(|form| contains(line, form))
        };
        if calma_formats::lines::meaningful(bytes).take(4).any(|(_, line)| hashes(line))
            && path != b"/etc/shadow"
            && path != b"/etc/shadow-"
        {
            let mut found = self.fact(path, meta, "password-hashes", "password hashes of a site or service");
            found.own = !path.starts_with(b"/etc/shadow") && !path.starts_with(b"/etc/gshadow");
            return self.put(found, out);
        }
        if bytes.iter().take(4096).any(|b| *b == 0) {
            return out.flow();
        }
        if interest == Interest::Whole { self.settings(path, meta, bytes, out) } else { out.flow() }
    }

    fn key(&mut self, path: &[u8], meta: &Meta, bytes: &[u8], key: Key, out: &mut Out) -> Flow {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let ssh = contains(path, b"/.ssh/") || name.starts_with(b"id_");
        let host = name.starts_with(b"ssh_host_");
        let cluster = [&b"/kubernetes/"[..], b"/kubelet/", b"/k3s/", b"/rke2/", b"/etcd/"]
            .iter()
            .any(|part| contains(path, part));
        let (what, words) = match key.kind {
            _ if host => ("host-key", "this server's own SSH key"),
            _ if contains(bytes, b"\"service_account\"") => ("cloud", "a Google Cloud service account's key"),
            _ if contains(path, b"/.oci/") => ("cloud", "an Oracle Cloud key"),
            _ if contains(path, b"/.aws/") || contains(path, b"/.azure/") => ("cloud", "a cloud key"),
            _ if contains(bytes, b"kind: Config") && contains(bytes, b"clusters:") => {
                ("kubernetes", "access to a Kubernetes cluster")
            }
            _ if cluster => ("kubernetes", "a key of a Kubernetes cluster"),
            Kind::OpenSsh | Kind::Putty => ("private-key", "an SSH private key"),
            Kind::Pem if ssh => ("private-key", "an SSH private key"),
            Kind::Pem => ("certificate-key", "a private key of a TLS server, an authority or a program"),
            Kind::OpenPgp => ("signing-key", "an OpenPGP secret key"),
            Kind::KeyStore => ("certificate-key", "a store of private keys"),
            Kind::Keytab => ("machine", "a Kerberos key table: this machine's or a service's account"),
            Kind::Tickets => ("machine", "Kerberos tickets"),
            Kind::FileKey => ("store", "a key that files are encrypted or signed with"),
            Kind::Tor => ("certificate-key", "the key of a Tor service"),
            Kind::Zone => ("certificate-key", "a key that signs a DNS zone"),
            Kind::PasswordStore => ("store", "a password store"),
        };
        let mut found = self.fact(path, meta, what, words);
        found.encrypted = key.encrypted;
        found.own = host || name == b"ssl-cert-snakeoil.key" || name.starts_with(b"snakeoil");
        self.put(found, out)
    }

    /// Names that hold a password, as one fact for each thing they open.
    fn settings(&mut self, path: &[u8], meta: &Meta, bytes: &[u8], out: &mut Out) -> Flow {
        let place = names::family(path);
        let mut families: BTreeMap<Family, (Vec<Text>, u32)> = BTreeMap::new();
        for hit in credentials::scan(bytes) {
            let family = match hit.family {
                Family::Service | Family::Application => place.unwrap_or(hit.family),
                family => family,
            };
            let (names, count) = families.entry(family).or_default();
            *count += 1;
            if names.len() < NAMES && !names.contains(&hit.name) {
                names.push(hit.name);
            }
        }
        if families.is_empty() && is_one_word(path, bytes) {
            families.insert(place.unwrap_or(Family::Service), (Vec::new(), 1));
        }
        for (family, (names, count)) in families {
            let (what, words) = words(family);
            let mut found = self.fact(path, meta, what, words);
            (found.names, found.count) = (names, count);
            self.put(found, out)?;
        }
        out.flow()
    }

    fn tally(&mut self, folder: &[u8], what: &str, words: &str, path: &[u8], meta: &Meta) {
        if let Some((_, count)) = self.folders.get_mut(folder) {
            *count += 1;
        } else if self.folders.len() < 1000 {
            let mut found = self.fact(path, meta, what, words);
            found.path = folder.into();
            found.known_by = "name".to_owned();
            self.folders.insert(folder.to_vec(), (found, 1));
        }
    }

    /// Puts out the folders whose files count as one.
    pub(super) fn tallies(self, out: &mut Out) -> Flow {
        for (mut found, count) in self.folders.into_values() {
            found.count = count;
            out.fact(Source::file(found.path.clone()), found)?;
        }
        out.flow()
    }

    /// Packages bring programs and examples, which are everybody's; settings in /etc become this host's own.
    fn is_program(&self, path: &[u8]) -> bool {
        !path.starts_with(b"/etc/") && matches!(self.context.packages().owner(path), Owner::Package(_))
    }

    fn fact(&mut self, path: &[u8], meta: &Meta, what: &str, words: &str) -> Secret {
        let package = match self.context.packages().owner(path) {
            Owner::Package(package) => Some(package),
            _ => None,
        };
        Secret {
            what: what.to_owned(),
            words: words.to_owned(),
            path: path.into(),
            count: 1,
            readable_by: self.reach.of(self.context.host.tree(), path, meta).to_owned(),
            uid: meta.uid,
            gid: meta.gid,
            mode: meta.mode,
            modified: meta.modified,
            known_by: "content".to_owned(),
            served: self.served.iter().any(|root| web::is_below(path, root)),
            package,
            ..Secret::default()
        }
    }

    fn put(&mut self, found: Secret, out: &mut Out) -> Flow {
        self.facts += 1;
        let source = if found.uid == 0 {
            Source::file(found.path.clone())
        } else {
            Source::owned_file(found.path.clone())
        };
        out.fact(source, found)
    }
}

/// A file of one word whose name says that it is a password or token.
fn is_one_word(path: &[u8], bytes: &[u8]) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_ascii_lowercase();
    let named = [&b"passw"[..], b"passphrase", b"secret", b"token", b"apikey", b"api_key", b"api-key"]
        .iter()
        .any(|word| contains(&name, word));
    let text = bytes.trim_ascii();
    named && (8..=512).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic) && !text.contains(&b'/')
}

/// What a family is called in facts, and in words.
pub(super) fn words(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::Cloud => ("cloud", "cloud credentials"),
        Family::Code => ("code", "credentials of code hosting, builds or registries"),
        Family::Kubernetes => ("kubernetes", "credentials of a cluster"),
        Family::Store => ("store", "credentials of a store of secrets or of automation"),
        Family::Backup => ("backup", "credentials of backups"),
        Family::Machine => ("machine", "credentials of other machines, networks or directories"),
        Family::Database => ("database", "database passwords"),
        Family::Service => ("service", "passwords or tokens of a service"),
        Family::Application => ("application", "keys with which a site signs sessions and links"),
    }
}
