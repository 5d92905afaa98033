//! Opening: at the end of the trial, or when a person says so; everything as it was.

use super::Guard;
use crate::order::Phase;

impl Guard<'_> {
    /// Opens when the trial has ended without a confirmation; whether it did.
    pub fn ended_by_itself(&mut self) -> bool {
        let due = self.left() == Some(0);
        if due {
            drop(self.open());
        }
        due
    }

    /// Takes everything back. What could not be put back exactly is told, one sentence each.
    pub fn open(&mut self) -> Vec<String> {
        let mut lacking = self.up_again();
        for held in self.held.values_mut() {
            lacking.extend(held.door.attach_again());
            let lasting = held.stays.then(|| held.lasting.clone());
            for name in std::iter::once(held.name.clone()).chain(lasting) {
                match held.door.open(&name) {
                    Err(error) if !error.is_missing() => {
                        lacking.push(format!(
                            "the tables {name} of {} are still there: {}",
                            held.file,
                            error.why()
                        ));
                    }
                    _ => {}
                }
            }
        }
        if lacking.is_empty() {
            self.held.clear();
        }
        lacking
    }

    /// Links and radios as they were.
    pub(super) fn up_again(&mut self) -> Vec<String> {
        let mut lacking = Vec::new();
        for (inode, saved) in std::mem::take(&mut self.saved.networks) {
            let Some(held) = self.held.get_mut(&inode) else { continue };
            match held.door.restore(&saved) {
                Ok(differences) => lacking.extend(differences),
                Err(error) => {
                    lacking.push(format!("the network of {} was not put back: {}", held.file, error.why()));
                    self.saved.networks.insert(inode, saved);
                }
            }
        }
        if let Some(were) = self.saved.radios.take()
            && let Err(error) = self.world.radios_on(&were)
        {
            lacking.push(format!("radios were not turned on again: {}", error.why()));
        }
        lacking
    }

    /// Opens these ports of this host to everybody and nothing else.
    ///
    /// # Errors
    /// When a namespace's packet filter refuses; the others are open by then, and it is told which.
    pub fn open_ports(&mut self, ports: &[u16]) -> Result<Vec<String>, String> {
        for port in ports {
            if !self.wanted.open.contains(port) {
                self.wanted.open.push(*port);
            }
        }
        self.state.open = self.wanted.open.clone();
        // Whoever opens a port has come back: nothing is to close or open by itself any more.
        self.state.phase = Phase::Held;
        self.state.ends = 0;
        self.make_lasting().map_err(|why| why.to_string())?;
        self.again(|_| true);
        Ok(vec![format!("open to everybody: {}", numbers(&self.state.open))])
    }
}

fn numbers(ports: &[u16]) -> String {
    ports.iter().map(|port| format!("port {port}")).collect::<Vec<_>>().join(", ")
}
