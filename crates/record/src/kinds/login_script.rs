//! Kind: a script that a shell or the SSH server reads at a login.

use crate::{Text, kind::kind};

kind! {
    /// A script that a shell reads when somebody logs in, opens a shell or logs out, or that sshd(8) runs at a login.
    LoginScript = "login-script" {
        /// The file.
        1 path: Text as Path,
        /// The account whose logins it is for; empty for everybody's.
        2 account: Text as Account,
        /// Its text, up to 64 KiB; empty if it is the same as the file of this name in /etc/skel.
        3 text: Text as Secret,
        /// Whether the text goes on.
        4 cut: bool as Plain,
        /// Whether it is the same as the file of this name in /etc/skel.
        5 as_shipped: bool as Plain,
    }
}
