//! `calma` alone: where you are, what comes next, what can wait.

use crate::exit::Exit;
use crate::{places, show};

/// Rule 1: don't panic.
pub(crate) fn run() -> anyhow::Result<Exit> {
    let case = places::newest(None).ok();
    let mut screen = String::from(
        "\n  calma: from the first alarm to a verified server back on the network.\n\n\
         \x20 First minute, if a server is in trouble now:\n\
         \x20   · Do not reboot it. What runs now is evidence.\n\
         \x20   · Note the time at which you became aware.\n\
         \x20   · If it is a virtual machine: take a snapshot with memory, from outside.\n\
         \x20   · Come with a fresh key, without agent forwarding; type no password there\n\
         \x20     that you use elsewhere.\n\
         \x20   · Revoke its cloud keys and tokens, from another machine.\n\n",
    );
    match &case {
        Some(folder) => screen.push_str(&calma_views::text::wrap(
            "  ",
            &format!("There is a case already: {}", show::path(folder)),
        )),
        None => screen.push_str("  There is no case yet. Nothing has been looked at, nothing was changed.\n"),
    }
    screen.push_str("  What can wait: cleaning, restoring, finding out who it was.\n\n");
    screen.push_str(match case {
        Some(_) => "  Next: read what was found:   calma show\n",
        None => {
            "  Next: look, from a clean machine:   calma at USER@HOST triage\n\
             \x20       or on the server itself:      sudo calma triage\n"
        }
    });
    show::print(&screen);
    Ok(Exit::Done)
}
