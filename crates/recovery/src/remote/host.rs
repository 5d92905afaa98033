//! The host's end: does what the keeper gives leave for, and comes to an end by itself when the keeper is gone.

use super::PREAMBLE;
use super::afar::Afar;
use super::frames::MOST_WORDS;
use super::wire::Wire;
use super::words::{Claim, Order, Taking, VERSION};
use crate::side::{Answer, Errand, Here, SideError, Stage, answer};
use calma_host::{Host as _, Live};
use calma_record::step::{Refusal, Undo};
use serde::Serialize;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A calma whose connection was cut may still be at its last step.
const LAST_STEP: Duration = Duration::from_secs(3);

/// Acts on this machine by the word of a keeper at the other end of these two. Returns when the keeper is gone, and nothing
/// is half-done by then. `stop` ends it as well, after the step at hand.
///
/// # Errors
/// When nothing can be written at all.
pub fn serve(
    from: Box<dyn Read + Send>,
    mut to: Box<dyn Write + Send>,
    stop: Arc<AtomicBool>,
) -> io::Result<()> {
    to.write_all(PREAMBLE)?;
    to.flush()?;
    let host = Live::new();
    let wire = Rc::new(Wire::new(from, to, stop));
    let afar = Afar::new(Rc::clone(&wire));
    let name = host.kernel().map(|kernel| kernel.identity().host).unwrap_or_default();
    let introduced = wire.say(&Claim::Here { version: VERSION, boot: calma_host::ground::boot(), name });
    let mut taken: Option<Here> = None;
    // From here on the end of the connection is the end of the run, and no error.
    if introduced.is_ok() {
        while let Ok(order) = afar.order() {
            if !obey(order, &host, &mut taken, &afar) {
                break;
            }
        }
    }
    Ok(())
}

/// Carries an order out; `false` at the end.
fn obey(order: Order, host: &Live, taken: &mut Option<Here>, afar: &Afar) -> bool {
    let wire = &afar.wire;
    let said = match order {
        Order::Ask(question) => {
            let answered = answer(host, question);
            let short = fits(&Claim::Answer(answered.clone()));
            wire.say(&Claim::Answer(if short { answered } else { Answer::TooMuch }))
        }
        Order::Take => {
            // Its own lock would stand in its way.
            drop(taken.take());
            let (now, answered) = take();
            *taken = now;
            wire.say(&Claim::Taken(answered))
        }
        Order::EvenDatabases => {
            if let Some(here) = taken.as_mut() {
                here.even_databases();
            }
            Ok(())
        }
        Order::Release => {
            drop(taken.take());
            afar.forget();
            Ok(())
        }
        Order::Prepare { steps } => steps.iter().try_for_each(|step| {
            let prepared = match taken.as_ref() {
                Some(here) => here.prepare(step, afar),
                None => Err(Refusal::new("the machine was not taken")),
            };
            wire.say(&Claim::Prepared(bounded(prepared)))
        }),
        Order::Go { count } => match (taken.as_ref(), afar.errands(count)) {
            (Some(here), Some(errands)) => wire.say(&Claim::Gone(go(here, errands, afar))),
            (None, Some(_)) => wire.say(&Claim::Gone(Some("the machine was not taken".to_owned()))),
            (_, None) => Err("it did not send the errands".to_owned()),
        },
        _ => {
            drop(wire.say(&Claim::Confused));
            return false;
        }
    };
    said.is_ok()
}

/// Takes the machine. One that was cut off a moment ago comes to its end first.
fn take() -> (Option<Here>, Taking) {
    let until = Instant::now() + LAST_STEP;
    loop {
        match Here::take(Vec::new()) {
            Ok(here) => return (Some(here), Taking::Taken),
            Err(SideError::NotAlone) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50))
            }
            Err(SideError::NotAlone) => return (None, Taking::NotAlone),
            Err(error) => return (None, Taking::Refused(error.to_string())),
        }
    }
}

/// Goes errands; a reason, if they were not gone.
fn go(here: &Here, errands: Vec<Errand>, afar: &Afar) -> Option<String> {
    let gone = here.go(errands, afar, &mut |stage| {
        let claim = match stage {
            Stage::Begins(id) => Claim::Begins(id),
            Stage::Ended(report) => Claim::Ended(report),
        };
        // A keeper that is gone finds out from the journal.
        drop(afar.wire.say(&claim));
    });
    gone.err().map(|error| error.to_string())
}

/// A step that could be done, but not written down, is not done.
fn bounded(prepared: Result<Undo, Refusal>) -> Result<Undo, Refusal> {
    match prepared {
        Ok(undo) if !fits(&undo) => Err(Refusal::new("what taking it back needs is too much to be sent")
            .instead("run calma on the server itself for this step")),
        other => other,
    }
}

/// Whether words with this in them stay within a frame.
fn fits(words: &impl Serialize) -> bool {
    serde_json::to_vec(words).is_ok_and(|bytes| bytes.len() < MOST_WORDS - (64 << 10))
}
