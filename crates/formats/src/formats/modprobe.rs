//! Settings of kernel modules: modprobe.d(5), modules-load.d(5), modules(5).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "modprobe",
    doc: "Which kernel modules are loaded, and what runs when one is.",
    manual: "modprobe.d(5), modules-load.d(5), modules(5)",
    samples: &[
        b"# c\ninstall usb-storage /bin/true\ninstall a /sbin/modprobe --ignore-install a $CMDLINE_OPTS && \\\n /opt/x\nremove b /sbin/y\n\
          softdep c pre: d e post: f\noptions g debug=1\nblacklist h\nalias i j\nweakdep k l\n",
        b"# modules\nloop\n; c\nnbd max_part=8\n",
    ],
    feed: |bytes| {
        drop(rules(bytes));
        drop(loads(bytes));
    },
};

/// More are not taken from one file.
const MOST: usize = 20_000;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Loads this module, at boot or with another one.
    Load,
    /// Runs this command when the module is to be loaded.
    Install(Text),
    /// Runs this command when the module is to be removed.
    Remove(Text),
    /// Does not load the module by itself.
    Blacklist,
    /// Parameters of the module.
    Options(Text),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its first line, from 1.
    pub line: u32,
    /// The module.
    pub module: Text,
    /// What is asked for.
    pub ask: Ask,
}

/// The rules of a file of modprobe.d. Aliases are left out: what they name is loaded only when a device asks for it.
pub fn rules(bytes: &[u8]) -> Vec<Rule> {
    let mut found = Vec::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    for (number, text) in lines::numbered(bytes) {
        let (line, mut whole) = open.take().unwrap_or((number, Vec::new()));
        let goes_on = text.strip_suffix(b"\\");
        if whole.len() < 1 << 20 {
            whole.extend_from_slice(goes_on.unwrap_or(text));
        }
        if goes_on.is_some() {
            open = Some((line, whole));
        } else {
            rule(line, &whole, &mut found);
        }
        if found.len() >= MOST {
            return found;
        }
    }
    if let Some((line, whole)) = open {
        rule(line, &whole, &mut found);
    }
    found
}

fn rule(line: u32, text: &[u8], found: &mut Vec<Rule>) {
    let text = text.trim_ascii();
    let mut words = lines::words(text);
    let (Some(first), Some(module)) = (words.next(), words.next()) else { return };
    let rest = || {
        let rest = text.get(first.len()..).unwrap_or_default().trim_ascii_start();
        Text::from(rest.get(module.len()..).unwrap_or_default().trim_ascii())
    };
    let ask = match first {
        b"install" => Ask::Install(rest()),
        b"remove" => Ask::Remove(rest()),
        b"blacklist" => Ask::Blacklist,
        b"options" => Ask::Options(rest()),
        b"softdep" => {
            let named = words.filter(|word| !matches!(*word, b"pre:" | b"post:"));
            found.extend(named.map(|module| Rule { line, module: module.into(), ask: Ask::Load }));
            return;
        }
        _ => return,
    };
    found.push(Rule { line, module: module.into(), ask });
}

/// The modules that are loaded at boot, of a file of modules-load.d or /etc/modules.
pub fn loads(bytes: &[u8]) -> Vec<Rule> {
    let names = lines::meaningful(bytes).filter(|(_, text)| !text.starts_with(b";"));
    let rule = |(line, text)| {
        let module = lines::words(text).next()?.into();
        Some(Rule { line, module, ask: Ask::Load })
    };
    names.filter_map(rule).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_modules() {
        let rules = rules(FORMAT.samples[0]);
        let shown: Vec<String> =
            rules.iter().map(|rule| format!("{} {} {:?}", rule.line, rule.module, rule.ask)).collect();
        assert_eq!(rules[0].ask, Ask::Install("/bin/true".into()));
        let Ask::Install(command) = &rules[1].ask else { panic!("{shown:?}") };
        assert!(command.as_bytes().ends_with(b"/opt/x") && rules[1].line == 3);
        assert_eq!(rules[2].ask, Ask::Remove("/sbin/y".into()));
        let loaded: Vec<&Text> =
            rules.iter().filter(|rule| rule.ask == Ask::Load).map(|rule| &rule.module).collect();
        assert_eq!(loaded, ["d", "e", "f"], "{shown:?}");
        assert_eq!(rules.len(), 8);
    }

    #[test]
    fn modules_loaded_at_boot() {
        let rules = loads(FORMAT.samples[1]);
        assert_eq!(rules.iter().map(|rule| &rule.module).collect::<Vec<_>>(), ["loop", "nbd"]);
        assert_eq!(rules[1].line, 4);
    }
}
