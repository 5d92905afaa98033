//! Exit codes: a contract (docs/machine-output.md).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, no finding of medium or higher.
    Done,
    /// Done, with such findings.
    Findings,
    /// Wrong use.
    WrongUse,
    /// Done, but something important could not be seen.
    Unseen,
    /// Refused; nothing was changed.
    Refused,
    /// Failed in the middle.
    Failed,
    /// Interrupted; the case is intact.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::WrongUse => 2,
            Exit::Unseen => 3,
            Exit::Refused => 4,
            Exit::Failed => 5,
            Exit::Interrupted => 130,
        })
    }
}

/// A refusal or wrong use, as opposed to a failure: what to do instead, in plain words.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Refusal {
    /// Why.
    pub(crate) why: String,
    /// What to do instead.
    pub(crate) instead: String,
    /// What it stands for.
    pub(crate) exit: Exit,
}

impl Refusal {
    /// Refuses what was asked.
    #[expect(clippy::new_ret_no_self, reason = "a refusal is only ever an error on its way out")]
    pub(crate) fn new(why: impl Into<String>, instead: impl Into<String>) -> anyhow::Error {
        Self { why: why.into(), instead: instead.into(), exit: Exit::Refused }.into()
    }

    /// Says that the words of the command do not fit.
    pub(crate) fn wrong_use(why: impl Into<String>, instead: impl Into<String>) -> anyhow::Error {
        Self { why: why.into(), instead: instead.into(), exit: Exit::WrongUse }.into()
    }

    /// Says that it was cut off in the middle; the journal says what holds.
    pub(crate) fn cut_off(why: impl Into<String>, instead: impl Into<String>) -> anyhow::Error {
        Self { why: why.into(), instead: instead.into(), exit: Exit::Failed }.into()
    }
}

/// The exit code of an error.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    error.downcast_ref::<Refusal>().map_or(Exit::Failed, |refusal| refusal.exit)
}
