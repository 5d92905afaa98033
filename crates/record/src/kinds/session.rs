//! Kind: a login session.

use crate::{Text, Timestamp, kind::kind};

kind! {
    /// Somebody who is logged in, as one of the host's own lists says. Both lists can be forged by root.
    Session = "session" {
        /// The file that says so: `/run/utmp`, or one of systemd-logind's.
        1 path: Text as Path,
        /// `user`, `login` (a prompt waits), `init`, `boot`, `run-level`, `clock`, `dead`, `empty`; for logind its class.
        2 what: String as Plain,
        /// The account's name.
        3 user: Text as Account,
        /// Its user id, where the list has it.
        4 uid: Option<u32> as Plain,
        /// The terminal.
        5 terminal: Text as Plain,
        /// Where it comes from, as the service that let it in wrote it.
        6 remote: Text as Address,
        /// The numeric address, where the list has one.
        7 address: Option<String> as Address,
        /// Process that leads the session.
        8 pid: Option<u32> as Pid,
        /// When it began.
        9 since: Option<Timestamp> as Time,
        /// The service that let it in (PAM), where the list has it.
        10 service: Text as Plain,
        /// logind's state: `active`, `online`, `closing`.
        11 state: Text as Plain,
        /// logind's name of the session.
        12 session: Text as Plain,
    }
}
