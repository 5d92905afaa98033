//! One line that moves, on standard error.

use calma_recovery::Moment;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

/// Shows what is being done: one line that moves on a terminal, else a line every ten seconds.
pub(crate) struct Progress {
    terminal: bool,
    host: String,
    last: Option<Instant>,
    drawn: bool,
}

impl Progress {
    /// Progress about one host; `quiet` where several hosts are looked at together.
    pub(crate) fn new(host: &str, quiet: bool) -> Self {
        Self {
            terminal: !quiet && std::io::stderr().is_terminal(),
            host: host.to_owned(),
            last: None,
            drawn: false,
        }
    }

    /// Shows a moment.
    pub(crate) fn show(&mut self, moment: &Moment<'_>) {
        let text = match moment {
            Moment::Run(run) => format!(
                "Looking at {}",
                if self.host.is_empty() { run.host.to_string() } else { self.host.clone() }
            ),
            Moment::Looking { collector, seconds } => {
                let doing = calma_collect::ALL
                    .iter()
                    .find(|known| known.card.name == *collector)
                    .map_or("Looking", |known| known.card.doing);
                format!("{doing}   {seconds:.0} s")
            }
            Moment::Again(why) => format!("The connection was cut ({why}); trying again"),
        };
        let mut err = std::io::stderr().lock();
        if self.terminal {
            let cut: String = text.chars().take(76).collect();
            drop(write!(err, "\r\u{1b}[K  {cut}"));
            drop(err.flush());
            self.drawn = true;
        } else if self.last.is_some_and(|last| last.elapsed().as_secs() >= 10)
            || matches!(moment, Moment::Again(_))
        {
            drop(writeln!(err, "  {}{}{text}", self.host, if self.host.is_empty() { "" } else { ": " }));
            self.last = Some(Instant::now());
        }
        self.last.get_or_insert_with(Instant::now);
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            drop(write!(std::io::stderr().lock(), "\r\u{1b}[K"));
        }
    }
}
