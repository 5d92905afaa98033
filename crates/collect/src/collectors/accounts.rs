//! Collector: accounts and groups.

use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::{group, lines, passwd, shadow};
use calma_record::{Source, Text, kinds};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "accounts",
        doing: "Looking at accounts",
        doc: "accounts, the states of their passwords, and groups",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(10),
    },
    collect,
};

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    for path in [&b"/etc/passwd"[..], b"/etc/shadow", b"/etc/group"] {
        describe::file(context, path, out)?;
    }
    // Context::accounts keeps no error, so what it could not read is said here.
    settings::read(context, b"/etc/passwd", "accounts", out)?;
    let groups = settings::read(context, b"/etc/group", "groups", out)?;
    let groups = group::parse(&groups.unwrap_or_default());
    let states = settings::read(context, b"/etc/shadow", "states of passwords", out)?
        .map(|bytes| shadow::parse(&bytes));
    let mut by_name: BTreeMap<&Text, &shadow::Shadow> = BTreeMap::new();
    for state in states.iter().flatten() {
        by_name.entry(&state.name).or_insert(state);
    }
    let backup = settings::read(context, b"/etc/passwd-", "the backup of accounts", out)?;
    let backup: Option<BTreeSet<Text>> =
        backup.map(|bytes| passwd::parse(&bytes).into_iter().map(|account| account.name).collect());
    let first_person = first_person(context, out)?;
    for account in context.accounts() {
        describe::file(context, account.shell.as_bytes(), out)?;
        let state = by_name.get(&account.name);
        // The field itself counts unless it is "x" (pwconv(8)).
        let password = match account.password.as_bytes() {
            b"x" => match (&states, state) {
                (None, _) => None,
                (Some(_), Some(state)) => Some(state.password),
                (Some(_), None) => Some(shadow::password(b"*")),
            },
            field => Some(shadow::password(field)),
        };
        let fact = kinds::Account {
            name: account.name.clone(),
            uid: account.uid,
            gid: account.gid,
            home: account.home.clone(),
            shell: account.shell.clone(),
            line: account.line,
            no_password: account.password.is_empty(),
            uid_written: (account.uid_written.as_bytes() != account.uid.to_string().as_bytes())
                .then(|| account.uid_written.clone()),
            password: password.map(|password| password.state.to_owned()),
            scheme: password.map(|password| password.scheme.to_owned()).unwrap_or_default(),
            password_changed: state.and_then(|state| state.changed),
            groups: groups
                .iter()
                .filter(|group| group.gid == account.gid || group.members.contains(&account.name))
                .map(|group| group.name.clone())
                .collect(),
            system: account.uid < first_person || account.uid == 65_534,
            login: logs_in(account.shell.as_bytes()),
            in_backup: backup.as_ref().map(|backup| backup.contains(&account.name)),
        };
        out.fact(Source::file("/etc/passwd"), fact)?;
    }
    for group in groups {
        let group::Group { line, name, gid, members } = group;
        out.fact(Source::file("/etc/group"), kinds::Group { name, gid, members, line })?;
    }
    Flow::Continue(())
}

/// The first user id for persons: UID_MIN of login.defs(5), by default 1000.
fn first_person(context: &Context, out: &mut Out) -> ControlFlow<(), u32> {
    let text = settings::read(context, b"/etc/login.defs", "limits of user ids", out)?.unwrap_or_default();
    let minimum = lines::meaningful(&text).find_map(|(_, line)| {
        let mut words = lines::words(line);
        (words.next()? == b"UID_MIN").then(|| words.next().and_then(lines::decimal)).flatten()
    });
    // Values that make no sense would hide every service account or every person.
    ControlFlow::Continue(minimum.filter(|id| (100..=10_000).contains(id)).unwrap_or(1000))
}

/// Whether a shell lets its account log in; an empty one is /bin/sh.
fn logs_in(shell: &[u8]) -> bool {
    const NOT: &[&[u8]] = &[b"nologin", b"false", b"sync", b"shutdown", b"halt"];
    let name = shell.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let system = [&b"/bin/"[..], b"/sbin/", b"/usr/bin/", b"/usr/sbin/", b""];
    let directory = shell.strip_suffix(name).unwrap_or_default();
    !(NOT.contains(&name) && system.contains(&directory)) && shell != b"/dev/null"
}
