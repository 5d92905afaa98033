//! Kind: a key that opens an account.

use crate::{Text, kind::kind};

kind! {
    /// One key that opens an account over SSH (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
    AuthorizedKey = "authorized-key" {
        /// The account it opens.
        1 account: Text as Account,
        /// The file it stands in.
        2 path: Text as Path,
        /// Line of the file, from 1.
        3 line: u32 as Plain,
        /// Key type: `ssh-ed25519` and so on.
        4 algorithm: String as Plain,
        /// SHA-256 fingerprint as ssh-keygen(1) shows it, without the `SHA256:` in front.
        5 fingerprint: String as Plain,
        /// Comment at its end; anybody may write anything there.
        6 comment: Text as Plain,
        /// Options before the key, each as `name` or `name=value`.
        7 options: Vec<Text> as Plain,
        /// Columns of the line before the key or its options begin.
        8 indent: u32 as Plain,
        /// Home directory of the account, empty where the account is not in the password file.
        9 home: Text as Path,
    }
}
