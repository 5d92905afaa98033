//! What a fact says of the running machine: a setting, a module, a BPF program, a connection, a session, a group.

use super::files::{Thought, column, kind, text};
use crate::side::{Side, SideError};
use calma_host::ground::ProcessLine;
use calma_record::step::{SocketName, Target};
use calma_record::{Certainty, Finding, Text};
use serde_json::Value;

/// Settings of the kernel by their file, with the value that does no harm. Of those that make it run a program, what the
/// kernel itself begins with or nothing; of those that protect, what every distribution has (admin-guide/sysctl of the kernel).
const HARMLESS: [(&str, &str); 10] = [
    ("/proc/sys/kernel/core_pattern", "core"),
    ("/proc/sys/kernel/modprobe", "/sbin/modprobe"),
    ("/proc/sys/kernel/hotplug", ""),
    ("/proc/sys/kernel/poweroff_cmd", "/sbin/poweroff"),
    ("/sys/kernel/uevent_helper", ""),
    ("/proc/sys/kernel/randomize_va_space", "2"),
    ("/proc/sys/kernel/yama/ptrace_scope", "1"),
    ("/proc/sys/fs/suid_dumpable", "0"),
    ("/proc/sys/fs/protected_symlinks", "1"),
    ("/proc/sys/fs/protected_hardlinks", "1"),
];

/// Handlers of binary formats: each can be switched off by itself.
const FORMATS: &[u8] = b"/proc/sys/fs/binfmt_misc/";

/// Groups whose members can become root.
const POWERFUL: [&str; 10] =
    ["root", "sudo", "wheel", "admin", "docker", "lxd", "incus-admin", "disk", "shadow", "kmem"];

/// What follows from a fact about the running machine; `None` where the fact is about something else.
///
/// `lines` are the processes that are there now.
pub(super) fn follow(
    side: &dyn Side,
    lines: &[ProcessLine],
    fact: &Value,
    finding: &Finding,
) -> Result<Option<Vec<Thought>>, SideError> {
    let thoughts = match kind(fact) {
        "kernel-setting" => setting(fact, finding).into_iter().collect(),
        "module" => module(fact, finding).into_iter().collect(),
        "bpf-program" => {
            let id = column(fact, "id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
            programs(side, id.as_slice(), finding)?
        }
        "interface" => interface(side, fact, finding)?,
        "socket" => socket(fact, finding).into_iter().collect(),
        "session" => session(lines, fact, finding).into_iter().collect(),
        "account" => account(fact, finding),
        _ => return Ok(None),
    };
    Ok(Some(thoughts))
}

/// Nothing, or why a finding that is less than this does not carry a change.
fn unless(finding: &Finding, least: Certainty, why: &str) -> String {
    if finding.certainty >= least { String::new() } else { why.to_owned() }
}

fn setting(fact: &Value, finding: &Finding) -> Option<Thought> {
    let path = text(fact, "path")?;
    let value: Text = if path.as_bytes().starts_with(FORMATS) {
        "0".into()
    } else {
        HARMLESS.iter().find(|(known, _)| path == **known).map(|(_, value)| Text::from(*value))?
    };
    // A handler's file says more than whether it is on, so what was seen is not compared with it.
    let seen = text(fact, "value").filter(|_| !path.as_bytes().starts_with(FORMATS));
    if seen.as_ref() == Some(&value) {
        return None;
    }
    let doubt = unless(finding, Certainty::Likely, "someone may have set it on purpose");
    Some(("set-sysctl", Target::Setting { path, value, seen }, doubt))
}

fn module(fact: &Value, finding: &Finding) -> Option<Thought> {
    let name = text(fact, "name").filter(|name| !name.is_empty())?;
    let doubt = unless(finding, Certainty::Likely, "calma is not sure enough that it is not yours");
    Some(("block-module", Target::Module { name }, doubt))
}

/// Programs that are still loaded, named so that no other can be met.
fn programs(side: &dyn Side, ids: &[u32], finding: &Finding) -> Result<Vec<Thought>, SideError> {
    let doubt = unless(
        finding,
        Certainty::VeryLikely,
        "it can not be attached again by calma; ask first who on this server loads such programs",
    );
    let mut thoughts: Vec<Thought> = Vec::new();
    for id in ids.iter().copied().filter(|id| *id != 0) {
        if let Some((tag, name)) = side.program(id)? {
            let tag = format!("{:016x}", u64::from_be_bytes(tag));
            thoughts.push(("detach-program", Target::Program { id, tag, name }, doubt.clone()));
        }
    }
    Ok(thoughts)
}

/// The programs of an interface: XDP by number, filters by the words "(program 7)".
fn interface(side: &dyn Side, fact: &Value, finding: &Finding) -> Result<Vec<Thought>, SideError> {
    let numbers = column(fact, "xdp").and_then(Value::as_array).into_iter().flatten();
    let mut ids: Vec<u32> =
        numbers.filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect();
    let filters = column(fact, "filters").and_then(Value::as_array).into_iter().flatten();
    ids.extend(
        filters
            .filter_map(Value::as_str)
            .filter_map(|words| words.rsplit_once("(program ")?.1.strip_suffix(')')?.parse::<u32>().ok()),
    );
    ids.sort_unstable();
    ids.dedup();
    programs(side, &ids, finding)
}

fn socket(fact: &Value, finding: &Finding) -> Option<Thought> {
    let word = |name: &str| column(fact, name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| column(fact, name).and_then(Value::as_u64).unwrap_or(0);
    let connected = word("state") == "established" && number("remote_port") != 0;
    let here = column(fact, "first_namespace").and_then(Value::as_bool) != Some(false);
    if !connected || !here || !matches!(word("protocol"), "tcp" | "udp") {
        return None;
    }
    let end = |address: &str, port: u64| match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    };
    let target = Target::Socket(SocketName {
        protocol: word("protocol").to_owned(),
        local: end(word("local"), number("local_port")),
        remote: end(word("remote"), number("remote_port")),
    });
    let doubt = match number("holders") {
        0 => unless(finding, Certainty::Likely, "calma is not sure enough that it is not yours"),
        _ => "it ends with the process that holds it, and it can not be taken back".to_owned(),
    };
    Some(("destroy-socket", target, doubt))
}

fn session(lines: &[ProcessLine], fact: &Value, finding: &Finding) -> Option<Thought> {
    let what = column(fact, "what").and_then(Value::as_str)?;
    if what != "user" {
        return None;
    }
    let pid = column(fact, "pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok())?;
    let leader = lines.iter().find(|line| line.pid == pid && !line.is_gone())?.identity();
    let account = text(fact, "user").unwrap_or_default();
    let doubt = unless(finding, Certainty::VeryLikely, "it may be yours or a colleague's");
    Some(("end-session", Target::Session { leader, account }, doubt))
}

/// An account is locked. One of a service that is in a group as good as root leaves that group, and is locked only when told
/// to: its service may need it.
fn account(fact: &Value, finding: &Finding) -> Vec<Thought> {
    let Some(name) = text(fact, "name").filter(|name| *name != "root") else { return Vec::new() };
    let groups = column(fact, "groups").and_then(Value::as_array).into_iter().flatten();
    let powerful: Vec<&str> =
        groups.filter_map(Value::as_str).filter(|group| POWERFUL.contains(group)).collect();
    let service = column(fact, "system").and_then(Value::as_bool) == Some(true) && !powerful.is_empty();
    let mut thoughts = Vec::new();
    if service {
        let doubt = unless(finding, Certainty::Likely, "its service may need the group");
        thoughts.extend(powerful.iter().map(|group| {
            let target = Target::Member { account: name.clone(), group: (*group).into() };
            ("leave-group", target, doubt.clone())
        }));
    }
    let doubt = match service {
        true => "it is the account of a service, which may end with it".to_owned(),
        false => unless(finding, Certainty::Certain, "someone may have made it on purpose"),
    };
    thoughts.push(("lock-account", Target::Account { name }, doubt));
    thoughts
}

/// Where a link of the alternatives should lead: the choice with the highest priority that is there and is not where it
/// leads now, from the system's own list (update-alternatives(1)).
pub(super) fn alternative(side: &dyn Side, link: &Text, leads: &Text) -> Result<Option<Text>, SideError> {
    let Some(name) = link.as_bytes().strip_prefix(b"/etc/alternatives/") else { return Ok(None) };
    for folder in [&b"/var/lib/dpkg/alternatives"[..], b"/var/lib/alternatives"] {
        if let Some(list) = side.read(&calma_host::join(folder, name).into())? {
            let choices = choices(list.as_bytes(), leads);
            let there = side.reached(choices.iter().map(|(_, choice)| choice.clone()).collect())?;
            return Ok(choices.into_iter().map(|(_, choice)| choice).find(|choice| there.contains(choice)));
        }
    }
    Ok(None)
}

/// The choices of a list of the alternatives in folders of the system, without where it leads now; those of the highest
/// priority come first.
fn choices(list: &[u8], leads: &Text) -> Vec<(i64, Text)> {
    let mut lines = list.split(|b| *b == b'\n');
    // The status and the link, then pairs of lines for what goes along with it, up to an empty one.
    let along = lines.by_ref().skip(2).take_while(|line| !line.is_empty()).count() / 2;
    let mut choices: Vec<(i64, Text)> = Vec::new();
    while let Some(choice) = lines.next().filter(|line| line.starts_with(b"/")) {
        let priority = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.trim().parse().ok());
        lines.by_ref().take(along).for_each(drop);
        let own = [&b"/usr/"[..], b"/bin/", b"/sbin/", b"/lib"].iter().any(|at| choice.starts_with(at));
        let choice = Text::from(choice);
        if own && choice != *leads {
            choices.push((priority.unwrap_or(0), choice));
        }
    }
    choices.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_other_choice_of_the_system_comes_first() {
        let list = b"manual\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n\
            /bin/ed\n-100\n/usr/share/man/man1/ed.1.gz\n/tmp/x\n900\n\n/usr/bin/vim.basic\n30\n\n/bin/nano\n40\n\n";
        let found: Vec<(i64, Text)> = choices(list, &"/usr/bin/vim.basic".into());
        assert_eq!(found, [(40, "/bin/nano".into()), (-100, "/bin/ed".into())]);
        for list in
            [&b""[..], b"auto", b"auto\n/usr/bin/x\n\n/usr/bin/y", b"auto\n/usr/bin/x\n\n/usr/bin/y\nz\n"]
        {
            assert!(choices(list, &"/x".into()).len() <= 1);
        }
    }
}
