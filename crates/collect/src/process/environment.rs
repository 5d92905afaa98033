//! Variables that change how programs load and run, or tell who came.

use super::{Observed, file};
use calma_formats::process_strings;
use calma_host::Tree;
use calma_record::{Forger, Source, Text, View, kinds};

/// Names taken by default. Everything else may hold secrets and stays out of the case.
const NAMES: [&[u8]; 16] = [
    b"PYTHONPATH",
    b"PYTHONSTARTUP",
    b"PYTHONHOME",
    b"PERL5LIB",
    b"PERL5OPT",
    b"RUBYOPT",
    b"RUBYLIB",
    b"NODE_OPTIONS",
    b"BASH_ENV",
    b"ENV",
    b"GCONV_PATH",
    b"GLIBC_TUNABLES",
    b"HISTFILE",
    b"HISTSIZE",
    b"PWD",
    b"HOME",
];

/// Beginnings of names taken by default.
const STEMS: [&[u8]; 3] = [b"LD_", b"SSH_", b"SUDO_"];

/// Longest environment that is read.
const LIMIT: usize = 256 << 10;

/// Looks through the environment; gives the objects that the loader was told to load.
pub(super) fn look(tree: &dyn Tree, pid: u32, everything: bool, seen: &mut Observed) -> Vec<Vec<u8>> {
    let place = file(pid, "environ");
    let content = match tree.read(&place, LIMIT) {
        Ok(content) => content,
        Err(error) => {
            seen.unseen("environment of processes", error);
            return Vec::new();
        }
    };
    let mut objects = Vec::new();
    for (name, value) in process_strings::variables(&content.bytes) {
        let listed =
            name == b"PATH" || NAMES.contains(&name) || STEMS.iter().any(|stem| name.starts_with(stem));
        if !listed && !everything {
            continue;
        }
        if matches!(name, b"LD_PRELOAD" | b"LD_AUDIT") {
            let words = value.split(|b| matches!(b, b' ' | b':'));
            objects.extend(words.filter(|word| word.starts_with(b"/")).take(64).map(<[u8]>::to_vec));
        }
        // A process can write over its own environment.
        let from = Source { place: Text::from(place.as_slice()), view: View::Proc, forger: Forger::Owner };
        let value = value.get(..value.len().min(4096)).unwrap_or_default();
        seen.fact(from, kinds::ProcessVariable { pid, name: name.into(), value: value.into() });
    }
    objects
}
