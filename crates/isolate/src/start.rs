//! Starts the guard, and opens again where there is none any more.

use crate::control::{self, Ask, Say};
use crate::order::{Order, State};
use crate::serve::Began;
use crate::state;
use crate::world::World;
use calma_record::Text;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The word that makes this program a guard.
pub const WORD: &str = "isolation-guard";
/// Longest wait for an answer that is only told.
const SOON: Duration = Duration::from_secs(5);

/// Starts the guard: this same program, also when its file is gone. Returns when everything is closed, or nothing is.
///
/// # Errors
/// When it can not be started or says nothing.
#[expect(clippy::disallowed_methods, reason = "the guard is this same program, not one of the host's")]
pub fn start(order: &Order) -> io::Result<Began> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WORD)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = serde_json::to_vec(order).map_err(io::Error::other)?;
    line.push(b'\n');
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&line)?;
    }
    let Some(output) = child.stdout.take() else { return Err(io::Error::other("the guard has no output")) };
    let mut said = String::new();
    BufReader::new(output).read_line(&mut said)?;
    let began: Began =
        serde_json::from_str(&said).map_err(|_| io::Error::other("the guard ended without a word"))?;
    if let Began::Refused { .. } = began {
        // It ends at once; nobody else would collect it.
        drop(child.wait());
    }
    Ok(began)
}

/// Where an isolation of this boot stands, and whether its guard lives.
///
/// # Errors
/// When the state is there and can not be read.
pub fn status(boot: &Text) -> io::Result<Option<(State, bool)>> {
    if let Ok(Say::State(state)) = control::ask(&Ask::Status, SOON) {
        return Ok(Some((*state, true)));
    }
    Ok(state::read(boot)?.map(|state| (state, false)))
}

/// Opens what a guard left that is gone, and forgets it. What could not be put back is told.
pub fn open_without_guard(world: &dyn World, left: &State) -> Vec<String> {
    let lacking = open(world, left);
    if lacking.is_empty() {
        state::remove();
    }
    lacking
}

/// Its lasting tables, links that are down, radios that are off.
pub(crate) fn open(world: &dyn World, left: &State) -> Vec<String> {
    let mut lacking = Vec::new();
    let survey = world.survey();
    let networks = left.put_back.get("networks").cloned().unwrap_or_default();
    for cut in &left.cuts {
        let Some(place) = survey.places.iter().find(|place| place.inode == cut.inode) else { continue };
        let mut door = match world.door(place) {
            Ok(door) => door,
            Err(error) => {
                lacking.push(format!("{} can not be entered: {}", cut.file, error.why()));
                continue;
            }
        };
        if let Some(saved) = networks.get(cut.inode.to_string()).filter(|saved| !saved.is_null()) {
            match door.restore(saved) {
                Ok(differences) => lacking.extend(differences),
                Err(error) => {
                    lacking.push(format!("the network of {} was not put back: {}", cut.file, error.why()))
                }
            }
        }
        for name in [&cut.lasting, &cut.table].into_iter().filter(|name| !name.is_empty()) {
            match door.open(name) {
                Err(error) if !error.is_missing() => {
                    lacking.push(format!(
                        "the tables {name} of {} are still there: {}",
                        cut.file,
                        error.why()
                    ));
                }
                _ => {}
            }
        }
    }
    if let Some(were) = left.put_back.get("radios").filter(|were| !were.is_null())
        && let Err(error) = world.radios_on(were)
    {
        lacking.push(format!("radios were not turned on again: {}", error.why()));
    }
    lacking
}
