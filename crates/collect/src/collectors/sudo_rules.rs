//! Collector: who may act as whom.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::sudoers::{self, What};
use calma_formats::{doas, lines};
use calma_host::join;
use calma_record::{Source, Text, kinds};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "sudo-rules",
        doing: "Looking at who may become root",
        doc: "rules of sudo and doas, includes followed, and plugins of sudo",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(20),
    },
    collect,
};

const WHAT: &str = "rules of sudo and doas";

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let mut seen = BTreeSet::new();
    for path in [&b"/etc/sudoers"[..], b"/usr/etc/sudoers", b"/usr/local/etc/sudoers"] {
        sudoers(context, path, 0, &mut seen, out)?;
    }
    for path in [&b"/etc/doas.conf"[..], b"/usr/local/etc/doas.conf"] {
        doas(context, path, out)?;
    }
    for path in settings::glob(context.host.tree(), b"/etc/doas.d/*.conf") {
        doas(context, &path, out)?;
    }
    sudo_conf(context, out)
}

fn sudoers(
    context: &Context,
    path: &[u8],
    depth: usize,
    seen: &mut BTreeSet<Vec<u8>>,
    out: &mut Out,
) -> Flow {
    if depth > 16 || seen.len() > 4096 || !seen.insert(path.to_vec()) {
        return out.flow();
    }
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    settings::describe_place(context, path, out)?;
    for entry in sudoers::parse(&bytes) {
        let mut file = None;
        match entry.what {
            What::Rule => describe::command(context, entry.command.as_bytes(), out)?,
            What::Defaults | What::Alias => describe::command(context, entry.command.as_bytes(), out)?,
            What::Include | What::IncludeDirectory => file = Some(include(path, entry.command.as_bytes())),
        }
        let fact = kinds::SudoRule {
            program: "sudo".to_owned(),
            path: path.into(),
            line: entry.line,
            what: match entry.what {
                What::Rule => "rule",
                What::Defaults => "defaults",
                What::Alias => "alias",
                What::Include | What::IncludeDirectory => "include",
            }
            .to_owned(),
            who: entry.who,
            hosts: entry.hosts,
            runas: entry.runas,
            tags: entry.tags,
            command: entry.command,
            blanks: entry.blanks,
            file: file.clone().map(Text::from),
        };
        if let Some(file) = &file {
            describe::file(context, file, out)?;
        }
        out.fact(Source::file(path), fact)?;
        match (entry.what, file) {
            (What::Include, Some(file)) => sudoers(context, &file, depth + 1, seen, out)?,
            (What::IncludeDirectory, Some(directory)) => {
                for file in settings::files(context, &directory, WHAT, out)? {
                    // sudo passes over names with a dot or that end in "~" (sudoers(5)).
                    let name = Text::from(file.as_slice());
                    if !name.file_name().contains(&b'.') && !file.ends_with(b"~") {
                        sudoers(context, &file, depth + 1, seen, out)?;
                    }
                }
            }
            _ => {}
        }
    }
    out.flow()
}

/// The path of an include: relative ones stand beside the file that names them; `%h` is the host's name, not known here.
fn include(from: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") { path.to_vec() } else { join(calma_host::parent(from), path) }
}

fn doas(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    settings::describe_place(context, path, out)?;
    for rule in doas::parse(&bytes).into_iter().filter(|rule| rule.permit) {
        describe::command(context, rule.command.as_bytes(), out)?;
        // Said in sudo's words, so that one judgement serves both: groups by "%", any command as ALL.
        let who = match rule.who.as_bytes().strip_prefix(b":") {
            Some(group) => Text::from([b"%", group].concat()),
            None => rule.who,
        };
        let tags = rule.options.iter().map(|option| match option.as_bytes() {
            b"nopass" => "NOPASSWD".to_owned(),
            other => String::from_utf8_lossy(other).into_owned(),
        });
        let fact = kinds::SudoRule {
            program: "doas".to_owned(),
            path: path.into(),
            line: rule.line,
            what: "rule".to_owned(),
            who: vec![who],
            hosts: "ALL".into(),
            runas: rule.target,
            tags: tags.collect(),
            command: if rule.command.is_empty() { "ALL".into() } else { rule.command },
            blanks: 0,
            file: None,
        };
        out.fact(Source::file(path), fact)?;
    }
    out.flow()
}

/// Plugins and helper programs of sudo.conf(5).
fn sudo_conf(context: &Context, out: &mut Out) -> Flow {
    const PATH: &[u8] = b"/etc/sudo.conf";
    const PLUGINS: [&[u8]; 4] =
        [b"/usr/libexec/sudo", b"/usr/lib/sudo", b"/usr/lib64/sudo", b"/usr/local/libexec/sudo"];
    let Some(bytes) = settings::read(context, PATH, WHAT, out)? else { return out.flow() };
    settings::describe_place(context, PATH, out)?;
    for (line, text) in lines::meaningful(&bytes) {
        let mut words = lines::words(text);
        let (Some(kind), Some(name), Some(value)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if kind != b"Plugin" && kind != b"Path" {
            continue;
        }
        let file = match value.starts_with(b"/") {
            true => Some(value.to_vec()),
            false => PLUGINS
                .iter()
                .map(|directory| join(directory, value))
                .find(|path| context.host.tree().meta(path).is_ok()),
        };
        if let Some(file) = &file {
            describe::file(context, file, out)?;
        }
        let fact = kinds::SudoRule {
            program: "sudo.conf".to_owned(),
            path: PATH.into(),
            line,
            what: "plugin".to_owned(),
            who: vec![name.into()],
            command: value.into(),
            file: file.map(Text::from),
            ..kinds::SudoRule::default()
        };
        out.fact(Source::file(PATH), fact)?;
    }
    out.flow()
}
