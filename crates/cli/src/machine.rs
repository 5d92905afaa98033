//! Which machine a command is about: this one, or one at the other end of the user's own ssh.

use crate::args::At;
use crate::exit::Refusal;
use crate::places;
use calma_case::Case;
use calma_record::Text;
use calma_recovery::{
    EngineError, History, HostSide, Link, LinkOptions, LocalChild, LocalSide, Program, RemoteSide, Side,
    SideError,
};
use std::path::Path;

/// A machine as the user names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Machine<'a> {
    /// This one.
    Here,
    /// One to be reached.
    At(&'a At, &'a str),
}

impl<'a> Machine<'a> {
    /// The one host that is named; only one at a time is changed.
    pub(crate) fn of(at: &'a At) -> anyhow::Result<Self> {
        match at.hosts.as_slice() {
            [host] => Ok(Self::At(at, host)),
            _ => Err(Refusal::wrong_use(
                format!("{} servers were named, and only one at a time is changed", at.hosts.len()),
                "name one of them; look at all of them together with triage",
            )),
        }
    }

    /// How a command for it begins.
    pub(crate) fn command(&self) -> String {
        match self {
            Self::Here => "calma".to_owned(),
            Self::At(at, host) => {
                let sudo = if at.sudo { " --sudo" } else { "" };
                format!("calma at {}{sudo}", Text::from(*host))
            }
        }
    }

    /// From now on Ctrl-C gives a connection up, and what is known by then is still written down. On this machine it ends
    /// calma at once, and the next run puts right what was under way.
    pub(crate) fn survive_signals(&self) {
        if matches!(self, Self::At(..)) {
            drop(calma_host::on_interrupt());
        }
    }

    /// The case that was named, or the newest one about it.
    pub(crate) fn case(&self, named: Option<&Path>) -> anyhow::Result<Case> {
        let target = match self {
            Self::Here => None,
            Self::At(_, host) => Some(Text::from(*host)),
        };
        Ok(Case::open(&places::newest_about(named, target.as_ref())?)?)
    }

    /// The machine itself. One far away is connected to now.
    pub(crate) fn side(&self) -> anyhow::Result<Box<dyn Side>> {
        self.side_through(Vec::new())
    }

    /// The same over a connection of its own, also where the user's ssh shares one (ssh_config(5), ControlPath).
    pub(crate) fn side_anew(&self) -> anyhow::Result<Box<dyn Side>> {
        self.side_through(["-o", "ControlPath=none"].map(Into::into).to_vec())
    }

    fn side_through(&self, ssh: Vec<std::ffi::OsString>) -> anyhow::Result<Box<dyn Side>> {
        let Self::At(at, host) = self else { return Ok(Box::new(LocalSide::new())) };
        let options = LinkOptions { sudo: at.sudo, allow_disk: at.allow_disk, ssh };
        let link = Link::new(host, options, Program::own()?).map_err(|error| {
            Refusal::wrong_use(error.to_string(), "name the host as ssh takes it: root@web1")
        })?;
        let side =
            RemoteSide::connect(link, calma_host::on_interrupt_later()).map_err(|error| {
                match error.advice() {
                    "" => anyhow::Error::from(error),
                    advice => Refusal::new(error.to_string(), advice),
                }
            })?;
        Ok(Box::new(side))
    }

    /// What looks at it: a child of this program, or one at the other end of a connection of its own.
    pub(crate) fn host_side(&self) -> anyhow::Result<Box<dyn HostSide>> {
        let Self::At(at, host) = self else { return Ok(Box::new(LocalChild::default())) };
        let options = LinkOptions { sudo: at.sudo, allow_disk: at.allow_disk, ssh: Vec::new() };
        Ok(Box::new(Link::new(host, options, Program::own()?)?))
    }

    /// An error of the engine with what to do.
    pub(crate) fn refusal(&self, error: EngineError, case: &Case) -> anyhow::Error {
        match error {
            EngineError::NotDurable => crate::commands::contain::not_durable(),
            EngineError::Case(error) => match error.hint() {
                Some(hint) => Refusal::new(error.to_string(), hint),
                None => error.into(),
            },
            EngineError::Another(..) => Refusal::new(
                error.to_string(),
                "name the case that is about this machine with --case DIR, or give it back its name",
            ),
            EngineError::NotPromised(_) => Refusal::new(
                error.to_string(),
                "make room on the disk of the case, or put the disk back that was named with --to, and try again",
            ),
            EngineError::Side(error) => self.silent(error, case),
        }
    }

    /// The machine refuses, or does not answer any more.
    pub(crate) fn silent(&self, error: SideError, case: &Case) -> anyhow::Error {
        let command = self.command();
        match error {
            SideError::NotAlone => Refusal::new(
                error.to_string(),
                "wait for it to end, then try again; one whose connection was lost ends within two minutes",
            ),
            SideError::Refused(why) => {
                let instead = match self {
                    Self::Here => "run calma as root on the server",
                    Self::At(at, _) if at.sudo => "see that sudo makes you root there",
                    Self::At(..) => "log in as root, or become it there with --sudo",
                };
                Refusal::new(format!("it can not be changed from here: {why}"), instead)
            }
            SideError::Keeper(trouble) => anyhow::anyhow!("{}", trouble.0),
            SideError::Lost(_) | SideError::Lies(_) => {
                let open = case.journal_entries().map(|entries| History::of(entries).open().count());
                match open {
                    Ok(0) => Refusal::cut_off(
                        format!("{error}. No step was under way; what was done stands in the journal."),
                        format!("{command} triage, which looks again; {command} undo lists what was done"),
                    ),
                    _ => Refusal::cut_off(
                        format!(
                            "{error}. Calma's other end finishes the step at hand or takes it back, and begins no other. \
                             How far it came is not known here."
                        ),
                        format!(
                            "{command} contain --finish, which goes on from there; or {command} contain --take-back"
                        ),
                    ),
                }
            }
        }
    }
}
