//! The SSH server's and client's settings with their includes, in the order in which the programs read them.

use crate::settings;
use calma_formats::ssh_config;
use calma_host::Tree;
use calma_record::{Text, kinds::SshSetting};
use std::collections::BTreeSet;

/// Files included within included files: sshd's own bound (servconf.c, SERVCONF_MAX_DEPTH).
const DEEPEST: usize = 16;
/// Settings of one program; a host that includes without end must not fill memory.
const MOST: usize = 20_000;

/// Keywords of which every value counts, or whose first argument tells them apart.
const MANY: &[&str] = &[
    "port",
    "listenaddress",
    "hostkey",
    "hostcertificate",
    "acceptenv",
    "include",
    "subsystem",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
    "setenv",
    "identityfile",
    "permitopen",
    "permitlisten",
    "match",
    "host",
];

/// Reads settings, and notes which files were read and which could not be.
pub(crate) struct Reader<'a> {
    tree: &'a dyn Tree,
    program: &'a str,
    folder: Vec<u8>,
    home: Vec<u8>,
    seen: BTreeSet<String>,
    /// The settings in order.
    pub settings: Vec<SshSetting>,
    /// The files they stand in.
    pub files: Vec<Vec<u8>>,
    /// What could not be read.
    pub errors: Vec<calma_host::HostError>,
}

impl<'a> Reader<'a> {
    /// Reads the server's settings.
    pub(crate) fn server(tree: &'a dyn Tree) -> Self {
        Self::new(tree, "sshd", b"/etc/ssh", b"").read(b"/etc/ssh/sshd_config")
    }

    /// Reads the client's settings for the whole system.
    pub(crate) fn client(tree: &'a dyn Tree) -> Self {
        Self::new(tree, "ssh", b"/etc/ssh", b"").read(b"/etc/ssh/ssh_config")
    }

    /// Reads the client's settings of one home directory.
    pub(crate) fn of_home(tree: &'a dyn Tree, home: &[u8]) -> Self {
        let folder = calma_host::join(home, b".ssh");
        let path = calma_host::join(&folder, b"config");
        Self::new(tree, "ssh", &folder, home).read(&path)
    }

    fn new(tree: &'a dyn Tree, program: &'a str, folder: &[u8], home: &[u8]) -> Self {
        let (folder, home) = (folder.to_vec(), home.to_vec());
        let (seen, settings, files, errors) = Default::default();
        Self { tree, program, folder, home, seen, settings, files, errors }
    }

    fn read(mut self, path: &[u8]) -> Self {
        self.file(path, "", 0);
        self
    }

    /// Reads one file that is included within `block`. A block that begins in it ends with it.
    fn file(&mut self, path: &[u8], block: &str, depth: usize) {
        let content = match self.tree.read(path, 2 << 20) {
            Ok(content) => content,
            Err(error) => return self.errors.push(error),
        };
        self.files.push(path.to_vec());
        let mut block = block.to_owned();
        for setting in ssh_config::parse(&content.bytes) {
            if self.settings.len() >= MOST {
                return;
            }
            if matches!(setting.keyword.as_str(), "match" | "host") {
                block = String::from_utf8_lossy(setting.rest.as_bytes()).into_owned();
                if block.eq_ignore_ascii_case("all") || (setting.keyword == "host" && block == "*") {
                    block.clear();
                }
            }
            let effective = block.is_empty()
                && (MANY.contains(&setting.keyword.as_str()) || self.seen.insert(setting.keyword.clone()));
            let value = setting.arguments.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b' ');
            self.settings.push(SshSetting {
                program: self.program.to_owned(),
                path: path.into(),
                line: setting.line,
                keyword: setting.keyword.clone(),
                value: value.into(),
                block: block.as_str().into(),
                effective: effective || !block.is_empty(),
                home: self.home.as_slice().into(),
            });
            if setting.keyword == "include" && depth < DEEPEST {
                for pattern in &setting.arguments {
                    for path in settings::glob(self.tree, &self.absolute(pattern.as_bytes())) {
                        self.file(&path, &block, depth + 1);
                    }
                }
            }
        }
    }

    fn absolute(&self, pattern: &[u8]) -> Vec<u8> {
        match pattern {
            [b'/', ..] => pattern.to_vec(),
            [b'~', b'/', rest @ ..] => calma_host::join(&self.home, rest),
            _ => calma_host::join(&self.folder, pattern),
        }
    }
}
