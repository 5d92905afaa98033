//! Ends a login session: the process that leads it, what it started, and what stayed behind of it in the background.

use super::kill;
use crate::action::{Action, Card, Looking, refused};
use crate::tree;
use calma_host::Host;
use calma_host::ground::{ProcessLine, processes};
use calma_record::step::{Refusal, Step, Target, Undo, Undoable};

pub(super) const ACTION: Action = Action {
    card: Card {
        name: "end-session",
        doc: "Ends every process of one login session, also those that it left in the background.",
        csf: "RS.MI-01",
        undoable: Undoable::Compensable,
        back: "cannot be undone; the account can log in again",
        against: "The account logs in again: lock it first. What it started through cron, at or a user's own service manager \
                  belongs to no session.",
    },
    ready: None,
    prepare,
    apply: kill::apply,
    verify: kill::verify,
    revert: kill::revert,
};

/// What the kernel and the service manager say of a process's session: the number that the audit system gave at the login
/// (credentials(7), /proc/PID/sessionid), and the session's control group.
#[derive(PartialEq)]
struct Marks {
    audit: Option<u32>,
    group: Option<Vec<u8>>,
}

impl Marks {
    fn of(host: &dyn Host, pid: u32) -> Self {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            host.tree().read(path.as_bytes(), 64 << 10).map(|content| content.bytes).unwrap_or_default()
        };
        let audit = String::from_utf8_lossy(&read("sessionid")).trim().parse().ok();
        let cgroup = read("cgroup");
        let group = cgroup.split(|b| *b == b'\n').find_map(|line| {
            let path = line.splitn(3, |b| *b == b':').nth(2)?;
            // logind names it session-N.scope (systemd-logind.service(8)).
            let at = path
                .split(|b| *b == b'/')
                .position(|part| part.starts_with(b"session-") && part.ends_with(b".scope"))?;
            Some(path.split(|b| *b == b'/').take(at + 1).collect::<Vec<_>>().join(&b'/'))
        });
        // 4294967295 means that nobody logged in.
        Self { audit: audit.filter(|number| *number != u32::MAX && *number != 0), group }
    }

    /// Whether two processes are of one session.
    fn same(&self, other: &Self) -> bool {
        (self.audit.is_some() && self.audit == other.audit)
            || (self.group.is_some() && self.group == other.group)
    }
}

fn prepare(looking: &mut Looking<'_>, step: &Step) -> Result<Undo, Refusal> {
    let Target::Session { leader, .. } = &step.target else {
        return Err(Refusal::new("this is not about a login session"));
    };
    let below = tree::checked(leader, looking.keep_off)?;
    let host = looking.host;
    let session = Marks::of(host, leader.pid);
    let own = Marks::of(host, std::process::id());
    if session.same(&own) {
        return Err(Refusal::new("this is your own session"));
    }
    let all = processes().map_err(refused)?;
    let members: Vec<ProcessLine> = all
        .into_iter()
        .filter(|line| line.pid > 1 && !line.is_gone() && !line.kernel_thread)
        .filter(|line| {
            below.iter().any(|one| one.identity() == line.identity())
                || session.same(&Marks::of(host, line.pid))
        })
        .collect();
    looking.keep_off.allows(&members)?;
    kill::gather(looking, leader, &members)
}
