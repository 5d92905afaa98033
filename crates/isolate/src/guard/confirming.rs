//! Confirming: a person has come back through a new connection, so it stays, and what is left connected is ended.

use super::Guard;
use super::closing::UNTIL;
use super::watching::own_addresses;
use crate::order::Phase;
use crate::survey::Survey;
use crate::world::{Connected, Door};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Why it was not confirmed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotConfirmed {
    /// Why.
    pub why: String,
    /// What to do instead.
    pub instead: String,
}

impl Guard<'_> {
    /// Makes it stay. What a person should know, one sentence each.
    ///
    /// # Errors
    /// When it comes through the connection that asked for the isolation, or the tables that are to stay are refused.
    pub fn confirm(&mut self, through: &str) -> Result<Vec<String>, NotConfirmed> {
        let asked = &self.state.order.through;
        if self.state.phase == Phase::Trial && !asked.is_empty() && through == asked {
            return Err(NotConfirmed {
                why: "this is the connection that was there before: it proves nothing about new ones"
                    .to_owned(),
                instead: "connect anew, and confirm from there".to_owned(),
            });
        }
        if let Err(why) = self.make_lasting() {
            // What was to stay must not outlive a trial that goes on.
            for held in self.held.values_mut().filter(|held| held.stays) {
                held.stays = held.door.open(&held.lasting).is_err();
            }
            return Err(NotConfirmed {
                why: format!("it can not be made to stay: {why}"),
                instead: "look with calma isolate --status; the trial goes on".to_owned(),
            });
        }
        self.state.phase = Phase::Held;
        self.state.ends = 0;
        self.state.gaps.retain(|gap| !gap.contains(UNTIL));
        let mut says = self.detach();
        let survey = self.world.survey();
        says.push(self.end_connections(&survey));
        Ok(says)
    }

    /// Takes foreign programs off the way of packets.
    pub(super) fn detach(&mut self) -> Vec<String> {
        let mut says = Vec::new();
        for held in self.held.values_mut() {
            for program in std::mem::take(&mut held.programs) {
                match held.door.detach(&program) {
                    Ok(()) => {
                        let name = format!("{} ({})", program.name, program.hook);
                        self.state.off.push(format!("program {} on {name}", program.program));
                        says.push(format!("program {} taken off {name}", program.program));
                    }
                    Err(error) => {
                        let gap = format!(
                            "program {} stays on {} ({}): {}; what it lets out is not cut: take the links down (level 2)",
                            program.program,
                            program.name,
                            program.hook,
                            error.why()
                        );
                        says.push(gap.clone());
                        self.state.gaps.push(gap);
                        held.programs.insert(program);
                    }
                }
            }
        }
        says
    }

    /// Ends every connection that leads out of this host and is not kept. Listeners stay, and so does what both ends of are
    /// here. This can not be taken back.
    pub(super) fn end_connections(&mut self, survey: &Survey) -> String {
        let own = own_addresses(survey);
        let (mut ended, mut left) = (0_u64, Vec::new());
        let kept = self.wanted.kept.clone();
        let mut end = |door: &mut dyn Door| {
            let Ok(connections) = door.connected() else { return };
            for connection in connections.iter().filter(|one| leads_out(one, &own) && !is_kept(one, &kept)) {
                match door.end(connection) {
                    Ok(()) => ended += 1,
                    Err(error) if error.is_missing() => {}
                    Err(error) => left.push(error.why()),
                }
            }
        };
        for place in &survey.places {
            match self.held.get_mut(&place.inode) {
                Some(held) => end(held.door.as_mut()),
                // Namespaces that only reach out through another one hold connections too.
                None => {
                    if let Ok(mut door) = self.world.door(place) {
                        end(door.as_mut());
                    }
                }
            }
            // What the kernel tracks would go on for others when it opens again.
            let _ = self.world.forget_tracked(place);
        }
        match left.first() {
            None => format!(
                "{ended} connection{} ended; this can not be taken back",
                if ended == 1 { "" } else { "s" }
            ),
            Some(why) => format!(
                "{ended} connection{} ended, {} not: {why}",
                if ended == 1 { "" } else { "s" },
                left.len()
            ),
        }
    }
}

/// Whether a connection's other end is not on this host.
fn leads_out(connection: &Connected, own: &BTreeSet<IpAddr>) -> bool {
    let remote = connection.remote.0.to_canonical();
    !remote.is_loopback() && !remote.is_unspecified() && !own.contains(&remote)
}

fn is_kept(connection: &Connected, kept: &[crate::Kept]) -> bool {
    let remote = connection.remote.0.to_canonical();
    kept.iter().any(|kept| {
        let port = kept.port.is_none_or(|port| connection.protocol == "tcp" && connection.local.1 == port);
        kept.peer == remote && port
    })
}
