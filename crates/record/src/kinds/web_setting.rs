//! Kind: a setting of a web server or of PHP that makes it load or run something.

use crate::{Text, kind::kind};

kind! {
    /// A setting that makes a web server or PHP load a module, run a program, or treat other files as scripts.
    WebSetting = "web-setting" {
        /// Whose: `apache`, `nginx`, `lighttpd`, `php`.
        1 program: String as Plain,
        /// The file it stands in.
        2 path: Text as Path,
        /// Its line, from 1.
        3 line: u32 as Plain,
        /// Its name in lower case; settings of PHP by their own name, whatever sets them.
        4 name: String as Plain,
        /// Its arguments with a blank between them.
        5 value: Text as Secret,
        /// The file it loads, as far as it names one.
        6 target: Option<Text> as Path,
        /// Whether it stands in a file of a web root (`.htaccess`, `.user.ini`), which a site's owner may write.
        7 in_web_root: bool as Plain,
    }
}
