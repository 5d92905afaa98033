//! Acting on the machine this program runs on, whoever keeps the journal.

use super::{AsLedger, AsVault, Errand, Keeper, Report, SideError, Stage, ahead};
use calma_act::{
    Acting, Action, Ahead, Done, Foreseen, Foresight, KeepOff, Looking, Permit, Trouble, Vault, Verdict,
};
use calma_host::ground::Ground;
use calma_host::{Alone, Live};
use calma_record::Text;
use calma_record::step::{Ended, Intent, Refusal, Step, Target, Undo, Way};
use serde_json::Value;

/// This machine, taken.
pub(crate) struct Here {
    host: Live,
    ground: Ground,
    keep_off: KeepOff,
    _alone: Alone,
}

/// An errand that is under way.
struct Under {
    intent: Intent,
    action: &'static Action,
    notes: Vec<Value>,
    ahead: Ahead,
    done: Result<Done, Trouble>,
}

impl Here {
    /// Takes this machine; `folders` are left alone, and so is whatever led to this process.
    pub(crate) fn take(folders: Vec<Text>) -> Result<Self, SideError> {
        let refused = |error: calma_host::HostError| SideError::Refused(error.to_string());
        let alone = calma_host::alone().map_err(refused)?.ok_or(SideError::NotAlone)?;
        let ground = Ground::below(b"/").map_err(refused)?;
        Ok(Self { host: Live::new(), ground, keep_off: KeepOff::gather(folders), _alone: alone })
    }

    /// As [`super::Taken::even_databases`].
    pub(crate) fn even_databases(&mut self) {
        self.keep_off.databases = false;
    }

    /// Looks whether a step can be done, and gathers what taking it back needs.
    pub(crate) fn prepare(&self, step: &Step, keeper: &dyn Keeper) -> Result<Undo, Refusal> {
        self.look(step, &mut AsVault(keeper))
    }

    /// The same for many steps.
    pub(super) fn prepare_all(&self, steps: &[&Step], keeper: &dyn Keeper) -> Vec<Result<Undo, Refusal>> {
        ahead::prepare(steps, keeper, &|step, vault| self.look(step, vault))
    }

    fn look(&self, step: &Step, vault: &mut dyn Vault) -> Result<Undo, Refusal> {
        let action = named(step)?;
        (action.prepare)(&mut self.looking(vault, &[]), step)
    }

    fn looking<'a>(&'a self, vault: &'a mut dyn Vault, noted: &'a [Value]) -> Looking<'a> {
        Looking { host: &self.host, ground: &self.ground, vault, keep_off: &self.keep_off, noted }
    }

    /// As [`super::Taken::go`]. Once the keeper is gone nothing new is begun: the errand at hand comes to its end, or is
    /// taken back.
    pub(crate) fn go(
        &self,
        errands: Vec<Errand>,
        keeper: &dyn Keeper,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), SideError> {
        let intents: Vec<Intent> = errands.iter().map(|errand| errand.intent.clone()).collect();
        let mut known = Vec::new();
        for Errand { intent, notes } in errands {
            let action = named(&intent.step).map_err(|refusal| SideError::Refused(refusal.why))?;
            known.push(Under { intent, action, notes, ahead: Ahead::default(), done: Ok(Done::default()) });
        }
        let permit = Permit::obtain(&mut AsLedger(keeper), &intents).map_err(SideError::Keeper)?;
        if known.len() > 1 && known.iter().all(|one| one.intent.way == Way::Undo) {
            self.make_ready(&mut known, keeper, &permit);
        }
        let mut under = Vec::new();
        for mut one in known {
            if keeper.is_lost() {
                break;
            }
            tell(Stage::Begins(one.intent.id));
            self.act(&mut one, keeper, &permit);
            under.push(one);
        }
        if let Err(trouble) = permit.settle() {
            for one in &mut under {
                one.done = one.done.clone().and(Err(trouble.clone()));
            }
        }
        let reports: Vec<Report> = under.iter_mut().map(|one| self.judge(one, keeper, &permit)).collect();
        // What was taken back on the way is on the disk too before it is called so.
        let _ = permit.settle();
        reports.into_iter().for_each(|report| tell(Stage::Ended(report)));
        Ok(())
    }

    /// Does for steps that are taken back together what can be done for all of them at once. What does not work here is left
    /// to each of them.
    fn make_ready(&self, known: &mut [Under], keeper: &dyn Keeper, permit: &Permit) {
        let (mut foreseen, mut notes, mut may) = (Foreseen::default(), Vec::new(), Vec::new());
        for one in known.iter_mut() {
            let foresight = foreseen.next(&self.ground, &one.intent.undo, &one.notes);
            may.push(foresight != Foresight::Unknown);
            if let Foresight::Note(note) = foresight {
                notes.push((one.intent.id, note.clone()));
                one.notes.push(note);
                one.ahead.foreseen = true;
            }
        }
        if keeper.notes(&notes).is_err() {
            for one in known.iter_mut().filter(|one| one.ahead.foreseen) {
                one.notes.pop();
                one.ahead.foreseen = false;
            }
            // They may have come as far as the journal's file: they must not count for an attempt that begins later.
            let none: Vec<_> = notes.iter().map(|(id, _)| (*id, Foreseen::none())).collect();
            let _ = keeper.notes(&none);
            return;
        }
        let mut whole = true;
        for (one, _) in known.iter_mut().zip(may).filter(|(_, may)| *may) {
            let Some(ready) = one.action.ready else { continue };
            let (mut vault, none, mut progress) = (AsVault(keeper), Ahead::default(), |_| Ok(()));
            let looking = self.looking(&mut vault, &one.notes);
            let mut acting = Acting { looking, permit, ahead: &none, progress: &mut progress };
            match ready(&mut acting, &one.intent.step, &one.intent.undo) {
                Ok(lost) => one.ahead.ready = lost,
                Err(_) => whole = false,
            }
        }
        // Where that changed a folder and was cut, its times are not as they were foreseen, and are to be put back all the same.
        known.iter_mut().for_each(|one| one.ahead.foreseen &= whole);
        if permit.settle_files().is_err() {
            known.iter_mut().for_each(|one| one.ahead.ready = None);
        }
    }

    /// Goes a step's way once.
    fn act(&self, one: &mut Under, keeper: &dyn Keeper, permit: &Permit) {
        let (id, way) = (one.intent.id, one.intent.way);
        let lasting = !matches!(one.intent.step.target, Target::Tree(_));
        let earlier = one.notes.clone();
        let mut more = Vec::new();
        // Taken back alone, because the keeper is gone: what would be noted is remembered here.
        let alone = keeper.is_lost();
        let mut progress = |note: Value| {
            more.push(note.clone());
            if alone { Ok(()) } else { keeper.note(id, &note, lasting) }
        };
        let mut vault = AsVault(keeper);
        let mut acting = Acting {
            looking: self.looking(&mut vault, &earlier),
            permit,
            ahead: &one.ahead,
            progress: &mut progress,
        };
        let go = if way == Way::Do { one.action.apply } else { one.action.revert };
        one.done = go(&mut acting, &one.intent.step, &one.intent.undo);
        if !alone {
            // What a later run could not know must not stand.
            one.done = one.done.clone().and_then(|done| keeper.certain().map(|()| done));
        }
        one.notes.extend(more);
    }

    /// Looks whether a step holds; one that failed is taken back.
    fn judge(&self, one: &mut Under, keeper: &dyn Keeper, permit: &Permit) -> Report {
        let way = one.intent.way;
        let (ended, says, left) = match one.done.clone() {
            Ok(done) => {
                one.notes.push(done.left.clone());
                match self.verify(one, keeper, way) {
                    Verdict::Holds => (Ended::Done, done.says, done.left),
                    Verdict::Fails(why) => (Ended::NotHeld, why, done.left),
                }
            }
            Err(trouble) if way == Way::Undo => (Ended::NotHeld, trouble.0, Value::Null),
            Err(trouble) => {
                one.intent.way = Way::Undo;
                self.act(one, keeper, permit);
                let back = one.done.clone().map(|_| self.verify(one, keeper, Way::Undo));
                one.intent.way = Way::Do;
                match back {
                    Ok(Verdict::Holds) => (Ended::Refused, trouble.0, Value::Null),
                    Ok(Verdict::Fails(why)) | Err(Trouble(why)) => {
                        (Ended::NotHeld, format!("{}; and taking it back: {why}", trouble.0), Value::Null)
                    }
                }
            }
        };
        Report { id: one.intent.id, ended, says, left }
    }

    fn verify(&self, one: &Under, keeper: &dyn Keeper, way: Way) -> Verdict {
        let mut vault = AsVault(keeper);
        let mut looking = self.looking(&mut vault, &one.notes);
        (one.action.verify)(&mut looking, &one.intent.step, &one.intent.undo, way)
    }
}

fn named(step: &Step) -> Result<&'static Action, Refusal> {
    calma_act::named(&step.action).ok_or_else(|| {
        Refusal::new(format!("this calma knows no action \"{}\"", Text::from(step.action.as_str())))
    })
}
