//! Kind: an installed web application.

use crate::{Text, kind::kind};

kind! {
    /// A web application (a content management system, a shop, a framework's site) that stands on this host.
    WebApplication = "web-application" {
        /// Its name: `WordPress`, `Joomla`, `Drupal`, `Django`, ….
        1 product: String as Plain,
        /// Its version as its own files say; forgeable by whoever may write them.
        2 version: Text as Plain,
        /// The folder it is installed in.
        3 root: Text as Path,
        /// Its settings.
        4 config: Vec<Text> as Path,
        /// Folders that visitors' files go to.
        5 uploads: Vec<Text> as Path,
        /// Files of code that the web server's account, or everybody, may change: how many.
        6 writable: u32 as Plain,
        /// One of them.
        7 writable_example: Option<Text> as Path,
        /// Files of code that everybody may change: how many.
        8 world_writable: u32 as Plain,
        /// Files of code in all.
        9 code: u32 as Plain,
        /// Whether its settings make it show its inside to visitors when something fails.
        10 debug: bool as Plain,
        /// Files of code in folders of uploads, whatever they do: how many.
        11 code_in_uploads: u32 as Plain,
        /// Addresses of its administration, below its own.
        12 admin: Vec<Text> as Plain,
        /// Package that the host's own package list says it belongs to; forgeable by root.
        13 package: Option<Text> as Plain,
    }
}
