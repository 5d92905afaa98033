//! Collector: keys that open accounts over SSH.

use crate::sshd::Reader;
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::authorized_keys;
use calma_host::join;
use calma_record::{Source, Text, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "authorized-keys",
        doing: "Looking at keys that open accounts",
        doc: "keys that open accounts over SSH",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "keys that open accounts";

/// Who a key file is for.
struct For {
    account: Text,
    home: Text,
    source: Source,
}

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for (path, whose) in files(context, out)? {
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        settings::describe_place(context, &path, out)?;
        for key in authorized_keys::parse(&bytes) {
            for option in &key.options {
                if let Some(command) = option.as_bytes().strip_prefix(b"command=") {
                    describe::command(context, command, out)?;
                }
            }
            let fact = kinds::AuthorizedKey {
                account: whose.account.clone(),
                path: path.as_slice().into(),
                line: key.line,
                algorithm: key.algorithm,
                fingerprint: key.fingerprint,
                comment: key.comment,
                options: key.options,
                indent: key.indent,
                home: whose.home.clone(),
            };
            out.fact(whose.source.clone(), fact)?;
        }
    }
    Flow::Continue(())
}

/// Every key file that the server may ask, whether or not it is there, with whom it is for.
fn files(context: &Context, out: &mut Out) -> ControlFlow<(), BTreeMap<Vec<u8>, For>> {
    let tree = context.host.tree();
    let mut patterns: BTreeSet<Vec<u8>> =
        [b".ssh/authorized_keys".to_vec(), b".ssh/authorized_keys2".to_vec()].into();
    for setting in Reader::server(tree).settings {
        if matches!(setting.keyword.as_str(), "authorizedkeysfile" | "authorizedkeysfile2") {
            let words = setting.value.as_bytes().split(|b| *b == b' ');
            patterns.extend(words.filter(|word| !word.is_empty() && *word != b"none").map(<[u8]>::to_vec));
        }
    }
    let mut files = BTreeMap::new();
    for account in context.accounts() {
        for pattern in &patterns {
            let home = account.home.as_bytes();
            let path = expand(pattern, account.name.as_bytes(), home, account.uid);
            let own = account.uid != 0 && path.starts_with(home) && home.len() > 1;
            let source =
                if own { Source::owned_file(path.as_slice()) } else { Source::file(path.as_slice()) };
            let whose = For { account: account.name.clone(), home: account.home.clone(), source };
            files.entry(path).or_insert(whose);
        }
    }
    // Homes whose account is gone, and folders in which keys are kept by account.
    for home in settings::homes(context).into_iter().filter(|home| home.uid.is_none()) {
        for pattern in patterns.iter().filter(|pattern| !pattern.starts_with(b"/")) {
            let path = expand(pattern, home.account.as_bytes(), &home.path, 0);
            let source = home.source(&path);
            files.entry(path).or_insert(For { account: home.account.clone(), home: Text::default(), source });
        }
    }
    for folder in [&b"/etc/ssh/authorized_keys.d"[..], b"/etc/ssh/authorized_keys", b"/etc/ssh/keys"] {
        for path in settings::files(context, folder, WHAT, out)? {
            let source = Source::file(path.as_slice());
            let name = Text::from(Text::from(path.as_slice()).file_name());
            let home = context.accounts().iter().find(|account| account.name == name);
            let home = home.map(|account| account.home.clone()).unwrap_or_default();
            files.entry(path).or_insert(For { account: name, home, source });
        }
    }
    ControlFlow::Continue(files)
}

/// The tokens of AuthorizedKeysFile (sshd_config(5)): `%h` home, `%u` name, `%U` id, `%%` a percent sign.
fn expand(pattern: &[u8], name: &[u8], home: &[u8], uid: u32) -> Vec<u8> {
    let mut path = Vec::new();
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match (byte, if *byte == b'%' { bytes.next() } else { None }) {
            (b'%', Some(b'h')) => path.extend_from_slice(home),
            (b'%', Some(b'u')) => path.extend_from_slice(name),
            (b'%', Some(b'U')) => path.extend_from_slice(uid.to_string().as_bytes()),
            (_, Some(other)) => path.push(*other),
            _ => path.push(*byte),
        }
    }
    if path.starts_with(b"/") { path } else { join(home, &path) }
}
