//! The guard's process: closes, tells how it went, then stands alone and answers until it has opened again.

use crate::beat::Heart;
use crate::control::{self, Ask, Say};
use crate::guard::{Guard, own_name};
use crate::order::{Order, Phase, State};
use crate::second::Second;
use crate::start;
use crate::state;
use crate::world::World;
use calma_host::standing;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

/// The guard's control group.
pub const GROUP: &str = "calma-isolation";
/// How often programs on the way of packets are looked for: the kernel sends no word of all of them.
const OFTEN: u64 = 50;
/// How often everything is looked at, whatever the kernel said.
const SELDOM: u64 = 2_000;

/// One part in so many of a processor is the most that each kind of look takes.
const SHARE: u64 = 200;

/// How the guard began: one line of JSON on its standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Began {
    /// It is closed.
    Closed {
        /// Where it stands.
        state: Box<State>,
        /// Milliseconds from the first look to the last table.
        took: u64,
        /// Milliseconds from the first table to the last.
        #[serde(default)]
        window: u64,
        /// What keeps the guard from standing as firmly as it should, one sentence each.
        lacking: Vec<String>,
        /// What was changed besides, one sentence each.
        #[serde(default)]
        said: Vec<String>,
    },
    /// Nothing was closed.
    Refused {
        /// Why.
        why: String,
    },
}

/// Closes by an order and holds it. Returns when all is open again.
///
/// # Errors
/// When nothing was closed, or the state can not be kept; then everything is open.
pub fn serve(world: &dyn World, order: Order, report: &mut dyn Write) -> io::Result<()> {
    let boot = calma_host::ground::boot();
    if let Ok(Some((_, alive))) = start::status(&boot) {
        let why = if alive {
            "this host is isolated already"
        } else {
            "this host is isolated already, and its guard is gone"
        };
        tell(report, &Began::Refused { why: why.to_owned() })?;
        return Err(io::Error::other(why));
    }
    let mut lacking = standing::stand_alone(GROUP);
    let mut heart = None;
    match order.beat.map(Heart::new) {
        None => {}
        Some(Ok(taken)) => heart = Some(taken),
        Some(Err(error)) => lacking.push(format!("signs of life to a witness: {error}")),
    }
    let listener = listen()?;
    let began = world.now();
    let mut second = None;
    let mut promise = |guard: &Guard<'_>| {
        keep(guard)?;
        // Before anything is in force, so that there is no moment in which nobody would open.
        second = guard.needs_second().then(Second::start).transpose()?;
        Ok(())
    };
    let mut guard = match Guard::close(world, order, boot, own_name(), &mut promise) {
        Ok(guard) => guard,
        Err(why) => {
            state::remove();
            tell(report, &Began::Refused { why: why.to_string() })?;
            return Err(io::Error::other(why.to_string()));
        }
    };
    let (took, window) = (guard.state().closed.saturating_sub(began), guard.window());
    drop(keep(&guard));
    let said = guard.said().to_vec();
    // Nobody may be there any more to hear it; the isolation stands all the same.
    drop(tell(report, &Began::Closed { state: Box::new(guard.state()), took, window, lacking, said }));
    hold(world, &mut guard, &listener, &mut second, heart);
    state::remove();
    standing::remove_own_groups(GROUP);
    Ok(())
}

/// Holds it until it is open.
fn hold(
    world: &dyn World,
    guard: &mut Guard<'_>,
    listener: &UnixListener,
    second: &mut Option<Second>,
    mut heart: Option<Heart>,
) {
    let (mut looked, mut programs) = (world.now(), world.now());
    let (mut often, mut seldom) = (OFTEN, SELDOM);
    loop {
        let wait = guard.left().unwrap_or(OFTEN).clamp(1, OFTEN);
        let mut waiting: Vec<BorrowedFd<'_>> = vec![listener.as_fd()];
        waiting.extend(guard.descriptors());
        waiting.extend(second.iter().filter(|_| guard.needs_second()).map(AsFd::as_fd));
        let ready = standing::readable(&waiting, Duration::from_millis(wait)).unwrap_or_default();
        drop(waiting);
        if guard.ended_by_itself() {
            return;
        }
        if let Some(heart) = &mut heart {
            heart.beat(world.now(), world.clock());
        }
        let ended = second.as_mut().is_some_and(Second::has_ended);
        if ended {
            *second = None;
        }
        let gone = ended && guard.needs_second();
        if gone {
            *second = Second::start().ok();
            let what = match second {
                Some(_) => "the second guardian was ended, and another one was started",
                None => "the second guardian was ended: nothing opens by itself when the guard ends too",
            };
            guard.happened(what, None);
        }
        let mut changed = gone;
        changed |= ready.iter().skip(1).any(|ready| *ready) && guard.listen();
        let before = guard.incidents();
        let spent = standing::own_time();
        if world.now().saturating_sub(looked) >= seldom {
            guard.look_again(false);
            looked = world.now();
            seldom = rest(SELDOM, spent);
        } else if world.now().saturating_sub(programs) >= often {
            guard.look_at_programs();
            programs = world.now();
            often = rest(OFTEN, spent);
        }
        changed |= guard.incidents() != before;
        if ready.first() == Some(&true)
            && let Ok((stream, _)) = listener.accept()
        {
            changed = true;
            if answer(guard, stream) {
                return;
            }
        }
        if changed {
            // It is in memory besides; the next change writes it again.
            drop(keep(guard));
        }
    }
}

/// How long to wait until the same is done again, so that both looks together need less than one hundredth of a processor: as often
/// as meant on an ordinary machine, more seldom on one with very many namespaces.
fn rest(at_least: u64, spent: Duration) -> u64 {
    let cost = standing::own_time().saturating_sub(spent).as_micros();
    at_least.max(u64::try_from(cost).unwrap_or(u64::MAX).saturating_mul(SHARE) / 1_000)
}

/// Answers one question; whether it is open now.
fn answer(guard: &mut Guard<'_>, mut stream: UnixStream) -> bool {
    let patience = Some(Duration::from_secs(2));
    let ready = stream.set_read_timeout(patience).and_then(|()| stream.set_write_timeout(patience));
    if ready.is_err() || standing::peer_user(&stream) != Some(0) {
        return false;
    }
    let Ok(asked) = control::question(&stream) else { return false };
    let (say, ended) = match asked {
        Ask::Status => (Say::State(Box::new(guard.state())), false),
        Ask::Confirm { through } => match guard.confirm(&through) {
            Ok(says) => (Say::Done { says, state: Some(Box::new(guard.state())) }, false),
            Err(no) => (Say::Refused { why: no.why, instead: no.instead }, false),
        },
        Ask::Release { only } if only.is_empty() => {
            let lacking = guard.open();
            let whole = lacking.is_empty();
            let state = (!whole).then(|| Box::new(guard.state()));
            (Say::Done { says: lacking, state }, whole)
        }
        Ask::Release { only } => match guard.open_ports(&only) {
            Ok(says) => (Say::Done { says, state: Some(Box::new(guard.state())) }, false),
            Err(why) => (Say::Refused { why, instead: "look with calma isolate --status".to_owned() }, false),
        },
    };
    if !ended {
        drop(keep(guard));
    }
    drop(control::send(&mut stream, &say));
    ended
}

fn keep(guard: &Guard<'_>) -> io::Result<()> {
    let mut state = guard.state();
    if state.phase == Phase::Held || state.order.trial == 0 {
        state.put_back = guard.to_put_back();
    }
    state::write(&state)
}

/// The socket, for root alone: its folder is.
fn listen() -> io::Result<UnixListener> {
    state::folder()?;
    state::remove();
    let listener = UnixListener::bind(state::socket())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn tell(report: &mut dyn Write, began: &Began) -> io::Result<()> {
    let mut line = serde_json::to_vec(began).map_err(io::Error::other)?;
    line.push(b'\n');
    report.write_all(&line)?;
    report.flush()
}
