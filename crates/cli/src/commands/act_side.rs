//! The acting side: does on this machine what a keeper at the other end of standard input and output gives leave for.

use crate::exit::Exit;

/// Runs until the keeper is gone. A signal ends it after the step at hand, never in the middle.
pub(crate) fn run() -> anyhow::Result<Exit> {
    let stop = calma_host::on_interrupt();
    calma_recovery::serve(Box::new(std::io::stdin()), Box::new(std::io::stdout()), stop)?;
    Ok(Exit::Done)
}
