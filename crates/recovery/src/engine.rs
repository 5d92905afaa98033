//! Carries a plan out: every intent is on the keeper's disk before its step is done, and every outcome after it.
//!
//! The machine may be this one or another: see [`crate::side`]. Steps of one kind that stand together are prepared, promised, done and settled together, so that a thousand files cost
//! a few disk flushes and not thousands. A crash anywhere leaves intents without outcome, which the next start finishes or
//! takes back ([`Engine::put_right`]).

mod elsewhere;
mod history;
mod keeping;

use crate::side::{Errand, Report, Side, SideError, Stage, Taken};
use calma_act::Trouble;
use calma_case::{Away, Case, CaseError, Identity, PlaceKind, now};
use calma_record::Text;
use calma_record::step::{Ended, Entry, Intent, Outcome, Plan, Refusal, Step, Target, Undo, Undoable, Way};
pub use history::{History, Past, Stands};
use keeping::Keeping;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// At most so many steps are promised at once: each time costs several flushes of the disk.
const BATCH: usize = 1024;

/// Why nothing was begun, or why it did not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The case can not be written.
    #[error("{0}")]
    Case(#[from] CaseError),
    /// The machine refuses, or does not answer any more.
    #[error("{0}")]
    Side(#[from] SideError),
    /// The plan, or what stands in the journal, is about another machine.
    #[error("this is about {0}, and the machine that answers is {1}")]
    Another(Text, Text),
    /// The case would be gone after a power cut.
    #[error("the case is in this machine's memory: after a power cut nobody could take the changes back")]
    NotDurable,
    /// What is to be done could not be written down first, so it was not begun.
    #[error("nothing was begun, since it could not be written down first: {0}")]
    NotPromised(String),
}

/// What happened to a step, as it happens.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// It begins.
    Begins(&'a Step, Way),
    /// It ended.
    Ended(&'a Step, &'a Outcome),
    /// It was refused before anything was done.
    Refused(&'a Step, &'a Refusal),
}

/// Who carries steps out, with the journal in which they stand.
pub struct Engine<'a> {
    keeping: Keeping<'a>,
    taken: Box<dyn Taken + 'a>,
    history: History,
    boot: Text,
    name: Text,
}

impl<'a> Engine<'a> {
    /// Takes the machine for this run, reads the journal, and opens a new part of it.
    ///
    /// # Errors
    /// When another calma is at it, the case would not survive a power cut, or either of them refuses.
    pub fn start(case: &'a Case, side: &'a dyn Side) -> Result<Self, EngineError> {
        if case.about().place == PlaceKind::Memory {
            return Err(EngineError::NotDurable);
        }
        let folder = case.folder().canonicalize().unwrap_or_else(|_| case.folder().to_owned());
        let taken = side.take(&folder.as_os_str().as_encoded_bytes().into())?;
        let entries = case.journal_entries()?;
        let (boot, name) = (side.boot().clone(), side.name().clone());
        for entry in &entries {
            if let Entry::Plan(plan) = entry {
                is_about(plan, &boot, &name)?;
            }
        }
        let history = History::of(entries);
        let keeping = Keeping::open(case)?;
        Ok(Self { keeping, taken, history, boot, name })
    }

    /// Quarantined files go there from now on, and not into the case.
    ///
    /// # Errors
    /// When the case can not remember where they went.
    pub fn send_to(&mut self, away: Away) -> Result<(), EngineError> {
        Ok(self.keeping.send_to(away)?)
    }

    /// Files that went elsewhere are opened with this key, and looked for in this folder too.
    pub fn fetch_with(&mut self, identity: Option<&Identity>, folder: Option<&Path>) {
        self.keeping.fetch_with(identity, folder);
    }

    /// Servers of databases are ended like any other process, whatever they are writing.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn even_databases(&mut self) -> Result<(), EngineError> {
        Ok(self.taken.even_databases()?)
    }

    /// What stands in the journal.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Carries out the ticked steps of a plan.
    ///
    /// # Errors
    /// When the journal can not be written; what was begun is in it.
    pub fn carry_out(&mut self, plan: &Plan, tell: &mut dyn FnMut(&Event<'_>)) -> Result<(), EngineError> {
        is_about(plan, &self.boot, &self.name)?;
        self.keeping.write(vec![Entry::Plan(Box::new(plan.clone()))])?;
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.ticked).collect();
        let mut failed: Vec<(Target, String)> = Vec::new();
        for run in steps.chunk_by(|a, b| a.action == b.action) {
            for batch in run.chunks(BATCH) {
                self.batch(batch, plan, &mut failed, tell)?;
            }
        }
        Ok(())
    }

    /// Prepares, promises, does, settles and verifies steps of one action.
    fn batch(
        &mut self,
        steps: &[&Step],
        plan: &Plan,
        failed: &mut Vec<(Target, String)>,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), EngineError> {
        let mut possible = Vec::new();
        for step in steps {
            match self.may_begin(step, plan, failed) {
                Ok(()) => possible.push(*step),
                Err(refusal) => self.refused(step, &refusal, failed, tell)?,
            }
        }
        let prepared = self.taken.prepare(&possible, &self.keeping)?;
        if prepared.len() != possible.len() {
            return Err(SideError::Lies("an answer to another question").into());
        }
        let mut errands: Vec<Errand> = Vec::new();
        for (step, prepared) in possible.into_iter().zip(prepared) {
            match prepared {
                Ok(undo) => {
                    let id = self.history.next_id() + errands.len() as u64;
                    errands.push(self.errand(id, step, undo));
                }
                Err(refusal) => self.refused(step, &refusal, failed, tell)?,
            }
        }
        for one in self.go(errands, tell)? {
            if one.ended != Ended::Done
                && let Some(past) = self.history.step(one.id)
            {
                failed.push((
                    past.intent.step.target.clone(),
                    format!("{} did not work", past.intent.step.action),
                ));
            }
        }
        Ok(())
    }

    fn errand(&self, id: u64, step: &Step, undo: Undo) -> Errand {
        let (boot, step) = (self.boot.clone(), step.clone());
        Errand { intent: Intent { id, way: Way::Do, at: now(), boot, step, undo }, notes: Vec::new() }
    }

    /// A step that is not begun: told, and written down.
    fn refused(
        &self,
        step: &Step,
        refusal: &Refusal,
        failed: &mut Vec<(Target, String)>,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), EngineError> {
        tell(&Event::Refused(step, refusal));
        failed.push((step.target.clone(), format!("{} was refused", step.action)));
        let entry = Entry::Refused { step: Box::new(step.clone()), why: refusal.why.clone() };
        Ok(self.keeping.write(vec![entry])?)
    }

    /// Whether a step may be begun at all, by what is known here.
    fn may_begin(&self, step: &Step, plan: &Plan, failed: &[(Target, String)]) -> Result<(), Refusal> {
        let action = calma_act::named(&step.action)
            .ok_or_else(|| Refusal::new(format!("this calma knows no action \"{}\"", step.action)))?;
        if step.target.is_of_one_boot() && plan.boot != self.boot {
            return Err(Refusal::new(
                "the machine was restarted since the plan was made; what runs is something else now",
            ));
        }
        // What is not frozen or kept is not ended: its memory would be lost.
        let earlier = failed.iter().find(|(target, _)| *target == step.target);
        match earlier.filter(|_| action.card.undoable > Undoable::Reversible) {
            Some((_, why)) => Err(Refusal::new(format!("{why} for the same process, so it is not ended"))),
            None => Ok(()),
        }
    }

    /// Has errands gone, and writes what became of them. What ended before an error is written all the same.
    fn go(
        &mut self,
        errands: Vec<Errand>,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Vec<Outcome>, EngineError> {
        if errands.is_empty() {
            return Ok(Vec::new());
        }
        let intents: Vec<Intent> = errands.iter().map(|errand| errand.intent.clone()).collect();
        let (mut outcomes, mut ended) = (Vec::<Outcome>::new(), BTreeSet::new());
        let at: BTreeMap<u64, usize> = intents.iter().map(|intent| intent.id).zip(0..).collect();
        let asked = |id: u64| at.get(&id).and_then(|at| intents.get(*at));
        let gone = self.taken.go(errands, &self.keeping, &mut |stage| match stage {
            Stage::Begins(id) => {
                if let Some(intent) = asked(id) {
                    tell(&Event::Begins(&intent.step, intent.way));
                }
            }
            Stage::Ended(report) => {
                if let Some(intent) = asked(report.id).filter(|intent| ended.insert(intent.id)) {
                    let Report { id, ended, says, left } = report;
                    let outcome = Outcome { id, way: intent.way, at: now(), ended, says, left };
                    tell(&Event::Ended(&intent.step, &outcome));
                    outcomes.push(outcome);
                }
            }
        });
        if let Err(SideError::Keeper(Trouble(why))) = gone {
            // Nothing was done, and the error is the case's own.
            return Err(EngineError::NotPromised(why));
        }
        self.history.promised(&intents);
        let entries = outcomes.iter().map(|outcome| Entry::Outcome(Box::new(outcome.clone()))).collect();
        self.keeping.write(entries)?;
        outcomes.iter().for_each(|outcome| self.history.ended(outcome));
        if let Err(error) = gone {
            self.keeping.gap(intents.len().saturating_sub(outcomes.len()), &error)?;
            return Err(error.into());
        }
        self.keeping.sync()?;
        Ok(outcomes)
    }

    /// Takes steps back, the last one first. Steps that were taken back or never done are left out.
    ///
    /// # Errors
    /// When the journal can not be written.
    pub fn undo(
        &mut self,
        ids: &[u64],
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Vec<Outcome>, EngineError> {
        let mut ids: Vec<u64> = ids.to_vec();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let (mut outcomes, mut waiting) = (Vec::new(), Vec::<Errand>::new());
        for id in ids {
            let Some(past) = self.history.step(id).filter(|past| past.can_be_undone()) else { continue };
            let (notes, mut intent) = (past.notes.clone(), past.intent.clone());
            (intent.way, intent.at) = (Way::Undo, now());
            if intent.step.target.is_of_one_boot() && intent.boot != self.boot {
                outcomes.extend(self.go(std::mem::take(&mut waiting), tell)?);
                outcomes.push(self.gone(&intent, tell)?);
                continue;
            }
            if !waiting.last().is_some_and(|last| self.go_together(last, &intent) && waiting.len() < BATCH) {
                outcomes.extend(self.go(std::mem::take(&mut waiting), tell)?);
            }
            waiting.push(Errand { intent, notes });
        }
        outcomes.extend(self.go(waiting, tell)?);
        Ok(outcomes)
    }

    /// Whether a step is taken back together with the one before it.
    fn go_together(&self, before: &Errand, intent: &Intent) -> bool {
        let action = &intent.step.action;
        let can = calma_act::named(action).is_some_and(|action| action.ready.is_some());
        can && before.intent.step.action == *action && self.taken.together()
    }

    /// A step about processes of an earlier boot: there is nothing to take back.
    fn gone(&mut self, intent: &Intent, tell: &mut dyn FnMut(&Event<'_>)) -> Result<Outcome, EngineError> {
        let says = "the machine was restarted since; what it was about is gone with that boot".to_owned();
        let outcome =
            Outcome { id: intent.id, way: Way::Undo, at: now(), ended: Ended::Done, says, left: Value::Null };
        tell(&Event::Ended(&intent.step, &outcome));
        self.keeping.write(vec![Entry::Outcome(Box::new(outcome.clone()))])?;
        self.history.ended(&outcome);
        Ok(outcome)
    }

    /// Puts right what a crash left: steps that were being done are finished, or taken back with `take_back`; steps that
    /// were being taken back are, either way.
    ///
    /// # Errors
    /// When the journal can not be written.
    pub fn put_right(
        &mut self,
        take_back: bool,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Vec<Outcome>, EngineError> {
        let open = self.history.open().cloned();
        let (back, on): (Vec<Past>, Vec<Past>) =
            open.partition(|past| take_back || past.stands() == Stands::Undoing);
        let back: Vec<u64> = back.iter().map(|past| past.intent.id).collect();
        let mut outcomes = self.undo(&back, tell)?;
        // Finished in the order in which they were begun: each leaves its folder as the next one's undo expects it.
        for past in on {
            if past.intent.step.target.is_of_one_boot() && past.intent.boot != self.boot {
                outcomes.push(self.gone(&past.intent, tell)?);
                continue;
            }
            let Past { intent, notes, .. } = past;
            outcomes.extend(self.go(vec![Errand { intent, notes }], tell)?);
        }
        Ok(outcomes)
    }

    /// Ends the run's part of the journal; the seal's words.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end(self) -> Result<String, EngineError> {
        Ok(self.keeping.seal()?)
    }
}

/// Refuses a plan about another machine: one of another boot with another name. A machine may be restarted, or get another
/// name, but hardly both between a plan and its undoing.
fn is_about(plan: &Plan, boot: &Text, name: &Text) -> Result<(), EngineError> {
    let known = !plan.host.is_empty() && !name.is_empty();
    if known && plan.boot != *boot && plan.host != *name {
        return Err(EngineError::Another(plan.host.clone(), name.clone()));
    }
    Ok(())
}
