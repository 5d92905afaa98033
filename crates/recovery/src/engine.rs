//! Carries a plan out: every intent is on the keeper's disk before its step is done, and every outcome after it.
//!
//! Steps of one kind that stand together are prepared, promised, done and settled together, so that a thousand files cost
//! a few disk flushes and not thousands. A crash anywhere leaves intents without outcome, which the next start finishes or
//! takes back ([`Engine::put_right`]).

mod history;
mod keeping;

use calma_act::{Acting, Action, Done, KeepOff, Looking, Permit, Trouble, Verdict};
use calma_case::{Away, Case, CaseError, Identity, Journal, PlaceKind, now};
use calma_host::ground::{Ground, boot};
use calma_host::{Alone, HostError, Live};
use calma_record::step::{Ended, Entry, Intent, Outcome, Plan, Refusal, Step, Target, Undo, Undoable, Way};
pub use history::{History, Past, Stands};
use keeping::{CaseVault, Elsewhere, JournalLedger};
use serde_json::Value;
use std::cell::RefCell;

/// At most so many steps are promised at once.
const BATCH: usize = 256;

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The case can not be written.
    #[error("{0}")]
    Case(#[from] CaseError),
    /// The machine does not answer.
    #[error("{0}")]
    Host(#[from] HostError),
    /// Another calma changes this machine now.
    #[error("another calma is changing this machine now")]
    NotAlone,
    /// What is to be done could not be written down first, so it was not begun.
    #[error("nothing was begun, since it could not be written down first: {0}")]
    NotPromised(String),
    /// The case would be gone after a power cut.
    #[error("the case is in this machine's memory: after a power cut nobody could take the changes back")]
    NotDurable,
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
    case: &'a Case,
    host: &'a Live,
    ground: Ground,
    keep_off: KeepOff,
    journal: RefCell<Journal>,
    elsewhere: RefCell<Elsewhere>,
    history: History,
    boot: calma_record::Text,
    _alone: Alone,
}

/// A step that is under way.
struct Under {
    intent: Intent,
    action: &'static Action,
    notes: Vec<Value>,
    done: Result<Done, Trouble>,
}

impl<'a> Engine<'a> {
    /// Takes the machine for this run, reads the journal, and opens a new part of it.
    ///
    /// # Errors
    /// When another calma is at it, the case would not survive a power cut, or either of them refuses.
    pub fn start(case: &'a Case, host: &'a Live) -> Result<Self, EngineError> {
        if case.about().place == PlaceKind::Memory {
            return Err(EngineError::NotDurable);
        }
        let alone = calma_host::alone()?.ok_or(EngineError::NotAlone)?;
        let history = History::of(case.journal_entries()?);
        let folder = case.folder().canonicalize().unwrap_or_else(|_| case.folder().to_owned());
        Ok(Self {
            ground: Ground::below(b"/")?,
            keep_off: KeepOff::gather(vec![folder.as_os_str().as_encoded_bytes().into()]),
            journal: RefCell::new(case.journal()?),
            elsewhere: RefCell::new(Elsewhere::of(case)?),
            boot: boot(),
            case,
            host,
            history,
            _alone: alone,
        })
    }

    /// Quarantined files go there from now on, and not into the case.
    ///
    /// # Errors
    /// When the case can not remember where they went.
    pub fn send_to(&mut self, away: Away) -> Result<(), EngineError> {
        Ok(self.elsewhere.get_mut().send(self.case, away)?)
    }

    /// Files that went elsewhere are opened with this key, and looked for in this folder too.
    pub fn fetch_with(&mut self, identity: Option<&Identity>, folder: Option<&std::path::Path>) {
        self.elsewhere.get_mut().unlock(identity, folder);
    }

    /// Servers of databases are ended like any other process, whatever they are writing.
    pub fn even_databases(&mut self) {
        self.keep_off.databases = false;
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
        self.journal.borrow_mut().write(vec![Entry::Plan(Box::new(plan.clone()))])?;
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
        let mut under = Vec::new();
        for step in steps {
            match self.prepare(step, plan, failed) {
                Ok((action, undo)) => {
                    let id = self.history.next_id() + under.len() as u64;
                    let intent = Intent {
                        id,
                        way: Way::Do,
                        at: now(),
                        boot: self.boot.clone(),
                        step: Step::clone(step),
                        undo,
                    };
                    under.push(Under { intent, action, notes: Vec::new(), done: Ok(Done::default()) });
                }
                Err(refusal) => {
                    tell(&Event::Refused(step, &refusal));
                    failed.push((step.target.clone(), format!("{} was refused", step.action)));
                    let why = refusal.why.clone();
                    let entry = Entry::Refused { step: Box::new(Step::clone(step)), why };
                    self.journal.borrow_mut().write(vec![entry])?;
                }
            }
        }
        for one in self.go(under, tell)? {
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

    /// Looks whether a step can be done, and gathers what taking it back needs.
    fn prepare(
        &mut self,
        step: &Step,
        plan: &Plan,
        failed: &[(Target, String)],
    ) -> Result<(&'static Action, Undo), Refusal> {
        let action = calma_act::named(&step.action)
            .ok_or_else(|| Refusal::new(format!("this calma knows no action \"{}\"", step.action)))?;
        if step.target.is_of_one_boot() && plan.boot != self.boot {
            return Err(Refusal::new(
                "the machine was restarted since the plan was made; what runs is something else now",
            ));
        }
        // What is not frozen or kept is not ended: its memory would be lost.
        let earlier = failed.iter().find(|(target, _)| *target == step.target);
        if let Some((_, why)) = earlier.filter(|_| action.card.undoable > Undoable::Reversible) {
            return Err(Refusal::new(format!("{why} for the same process, so it is not ended")));
        }
        let mut vault = CaseVault { case: self.case, journal: &self.journal, elsewhere: &self.elsewhere };
        let mut looking = Looking {
            host: self.host,
            ground: &self.ground,
            vault: &mut vault,
            keep_off: &self.keep_off,
            noted: &[],
        };
        Ok((action, (action.prepare)(&mut looking, step)?))
    }

    /// Promises the intents, carries them out, settles, verifies, and writes what became of them.
    fn go(
        &mut self,
        mut under: Vec<Under>,
        tell: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Vec<Outcome>, EngineError> {
        if under.is_empty() {
            return Ok(Vec::new());
        }
        let intents: Vec<Intent> = under.iter().map(|one| one.intent.clone()).collect();
        let promised = Permit::obtain(
            &mut JournalLedger { journal: &self.journal, elsewhere: &self.elsewhere },
            &intents,
        );
        let permit = match promised {
            Ok(permit) => permit,
            // Nothing was done, and the error is the case's own.
            Err(Trouble(why)) => return Err(EngineError::NotPromised(why)),
        };
        self.history.promised(&intents);
        for one in &mut under {
            tell(&Event::Begins(&one.intent.step, one.intent.way));
            self.act(one, &permit);
        }
        if let Err(trouble) = permit.settle() {
            for one in &mut under {
                one.done = one.done.clone().and(Err(trouble.clone()));
            }
        }
        let mut outcomes = Vec::new();
        for one in &mut under {
            let outcome = self.judge(one, &permit);
            tell(&Event::Ended(&one.intent.step, &outcome));
            outcomes.push(outcome);
        }
        // What was taken back on the way is on the disk too before it is called so.
        let _ = permit.settle();
        let entries = outcomes.iter().map(|outcome| Entry::Outcome(Box::new(outcome.clone()))).collect();
        let mut journal = self.journal.borrow_mut();
        journal.write(entries)?;
        journal.sync()?;
        outcomes.iter().for_each(|outcome| self.history.ended(outcome));
        Ok(outcomes)
    }

    /// Goes a step's way once.
    fn act(&self, one: &mut Under, permit: &Permit) {
        let (id, way) = (one.intent.id, one.intent.way);
        let earlier = one.notes.clone();
        let mut more = Vec::new();
        let mut progress = |note: Value| {
            more.push(note.clone());
            let entry = Entry::Progress { id, note };
            self.journal.borrow_mut().write(vec![entry]).map_err(|error| Trouble::new(error.to_string()))
        };
        let mut vault = CaseVault { case: self.case, journal: &self.journal, elsewhere: &self.elsewhere };
        let mut acting = Acting {
            looking: Looking {
                host: self.host,
                ground: &self.ground,
                vault: &mut vault,
                keep_off: &self.keep_off,
                noted: &earlier,
            },
            permit,
            progress: &mut progress,
        };
        let go = if way == Way::Do { one.action.apply } else { one.action.revert };
        one.done = go(&mut acting, &one.intent.step, &one.intent.undo);
        one.notes.extend(more);
    }

    /// Looks whether a step holds; one that failed is taken back.
    fn judge(&self, one: &mut Under, permit: &Permit) -> Outcome {
        let way = one.intent.way;
        let (ended, says, left) = match one.done.clone() {
            Ok(done) => {
                one.notes.push(done.left.clone());
                match self.verify(one, way) {
                    Verdict::Holds => (Ended::Done, done.says, done.left),
                    Verdict::Fails(why) => (Ended::NotHeld, why, done.left),
                }
            }
            Err(trouble) if way == Way::Undo => (Ended::NotHeld, trouble.0, Value::Null),
            Err(trouble) => {
                one.intent.way = Way::Undo;
                self.act(one, permit);
                let back = one.done.clone().map(|_| self.verify(one, Way::Undo));
                one.intent.way = Way::Do;
                match back {
                    Ok(Verdict::Holds) => (Ended::Refused, trouble.0, Value::Null),
                    Ok(Verdict::Fails(why)) | Err(Trouble(why)) => {
                        (Ended::NotHeld, format!("{}; and taking it back: {why}", trouble.0), Value::Null)
                    }
                }
            }
        };
        Outcome { id: one.intent.id, way, at: now(), ended, says, left }
    }

    fn verify(&self, one: &Under, way: Way) -> Verdict {
        let mut vault = CaseVault { case: self.case, journal: &self.journal, elsewhere: &self.elsewhere };
        let mut looking = Looking {
            host: self.host,
            ground: &self.ground,
            vault: &mut vault,
            keep_off: &self.keep_off,
            noted: &one.notes,
        };
        (one.action.verify)(&mut looking, &one.intent.step, &one.intent.undo, way)
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
        let mut outcomes = Vec::new();
        for id in ids {
            let Some(past) = self.history.step(id).filter(|past| past.can_be_undone()) else { continue };
            let Some(action) = calma_act::named(&past.intent.step.action) else { continue };
            let (notes, mut intent) = (past.notes.clone(), past.intent.clone());
            (intent.way, intent.at) = (Way::Undo, now());
            if intent.step.target.is_of_one_boot() && intent.boot != self.boot {
                outcomes.push(self.gone(&intent, tell)?);
                continue;
            }
            let under = Under { intent, action, notes, done: Ok(Done::default()) };
            outcomes.extend(self.go(vec![under], tell)?);
        }
        Ok(outcomes)
    }

    /// A step about processes of an earlier boot: there is nothing to take back.
    fn gone(&mut self, intent: &Intent, tell: &mut dyn FnMut(&Event<'_>)) -> Result<Outcome, EngineError> {
        let says = "the machine was restarted since; what it was about is gone with that boot".to_owned();
        let outcome =
            Outcome { id: intent.id, way: Way::Undo, at: now(), ended: Ended::Done, says, left: Value::Null };
        tell(&Event::Ended(&intent.step, &outcome));
        self.journal.borrow_mut().write(vec![Entry::Outcome(Box::new(outcome.clone()))])?;
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
            let Some(action) = calma_act::named(&past.intent.step.action) else { continue };
            if past.intent.step.target.is_of_one_boot() && past.intent.boot != self.boot {
                outcomes.push(self.gone(&past.intent, tell)?);
                continue;
            }
            let under = Under { intent: past.intent, action, notes: past.notes, done: Ok(Done::default()) };
            outcomes.extend(self.go(vec![under], tell)?);
        }
        Ok(outcomes)
    }

    /// Ends the run's part of the journal; the seal's words.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end(self) -> Result<String, EngineError> {
        Ok(self.journal.into_inner().seal()?.phrase)
    }
}
