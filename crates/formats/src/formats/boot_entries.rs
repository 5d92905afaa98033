//! What boot loaders start: GRUB, Boot Loader Specification entries, extlinux, and settings these are made from.

use crate::{Format, lines};
use calma_record::Text;
use std::collections::BTreeMap;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "boot_entries",
    doc: "Kernels, initial file systems and command lines of boot loaders.",
    manual: "GRUB manual, the Boot Loader Specification, extlinux(1), kernel-command-line(7)",
    samples: &[
        b"set kernelopts=\"ro x=y\"\nmenuentry 'Debian \"x\"' --class a {\n\tinsmod gzio\n\tlinux\t/boot/vmlinuz-6.1 root=UUID=1 ro quiet $kernelopts\n\tinitrd\t/boot/a.img /boot/initrd.img-6.1\n}\nmenuentry \"two\" {\n linuxefi ($root)/v \"a=b c\"\n}\n",
        b"title Fedora\nlinux /vmlinuz-6\ninitrd /initramfs-6.img $tuned_initrd\noptions root=/dev/sda1 ro\noptions init=/x\n",
        b"GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\" # c\nGRUB_CMDLINE_LINUX='a=\"b c\"'\nGRUB_EARLY_INITRD_LINUX_CUSTOM=\"x.img\"\n",
        b"DEFAULT l\nLABEL l\n  KERNEL /v\n  APPEND initrd=/i,/j ro quiet\n  MENU LABEL Linux\n",
        b"BOOT_IMAGE=/v root=/dev/a ro \"systemd.run=/x y\" z=\"a b\"\n",
    ],
    feed: |bytes| {
        drop(grub(bytes));
        drop(specification(bytes));
        drop(settings(bytes));
        drop(extlinux(bytes));
        drop(words(bytes));
    },
};

/// More are not taken from one file.
const MOST: usize = 2000;
/// More options are not taken from one command line; the kernel itself takes a few kilobytes.
const OPTIONS: usize = 1000;

/// One entry or setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its first line, from 1.
    pub line: u32,
    /// Title, or name of the setting.
    pub title: Text,
    /// The kernel.
    pub kernel: Option<Text>,
    /// Initial file systems.
    pub initrds: Vec<Text>,
    /// The options, one word each.
    pub options: Vec<Text>,
}

/// The options of a command line: separated by blanks, quotes hold several words together and are left out.
pub fn words(line: &[u8]) -> Vec<Text> {
    let (mut found, mut word, mut quoted) = (Vec::new(), Vec::new(), false);
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            _ if byte.is_ascii_whitespace() && !quoted => {
                if !word.is_empty() && found.len() < OPTIONS {
                    found.push(Text::from(std::mem::take(&mut word)));
                }
            }
            _ => word.push(*byte),
        }
    }
    if !word.is_empty() && found.len() < OPTIONS {
        found.push(word.into());
    }
    found
}

/// The entries of grub.cfg or custom.cfg.
pub fn grub(bytes: &[u8]) -> Vec<Entry> {
    let (mut entries, mut title) = (Vec::<Entry>::new(), Text::default());
    let mut variables: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    // Whether the last entry may still be given initial file systems.
    let mut open = false;
    for (line, text) in lines::meaningful(bytes) {
        let end = text.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(text.len());
        let (first, rest) = text.split_at_checked(end).unwrap_or((text, b""));
        let rest = rest.trim_ascii();
        match first {
            b"set" => {
                if let Some((name, value)) = lines::cut(rest, b'=')
                    && name.ends_with(b"opts")
                    && variables.len() < 100
                {
                    variables.insert(name.to_vec(), unquoted(value).to_vec());
                }
            }
            b"menuentry" => (title, open) = (unquoted(rest).into(), false),
            b"linux" | b"linux16" | b"linuxefi" | b"module" | b"module2" | b"kernel"
                if !open || !first.starts_with(b"module") =>
            {
                let mut all = words(rest).into_iter();
                let kernel = all.next();
                let options = all.flat_map(|word| expanded(word, &variables)).collect();
                entries.push(Entry { line, title: title.clone(), kernel, initrds: Vec::new(), options });
                open = true;
            }
            b"initrd" | b"initrd16" | b"initrdefi" | b"module" | b"module2" if open => {
                if let Some(last) = entries.last_mut() {
                    last.initrds.extend(words(rest).into_iter().take(64));
                }
            }
            b"}" => open = false,
            _ => {}
        }
        if entries.len() >= MOST {
            break;
        }
    }
    entries
}

/// A word that is a variable as its words.
fn expanded(word: Text, variables: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<Text> {
    let name = word.as_bytes().strip_prefix(b"$");
    let name =
        name.map(|name| name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name));
    match name.and_then(|name| variables.get(name)) {
        Some(value) => words(value),
        None => vec![word],
    }
}

/// The text in quotes at the beginning, or the first word.
fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [quote @ (b'"' | b'\''), rest @ ..] => rest.split(|b| b == quote).next().unwrap_or_default(),
        _ => text.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default(),
    }
}

/// One file of loader/entries, if it names a kernel.
pub fn specification(bytes: &[u8]) -> Option<Entry> {
    let mut entry = Entry { line: 1, ..Entry::default() };
    for (line, text) in lines::meaningful(bytes) {
        let end = text.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(text.len());
        let (first, rest) = text.split_at_checked(end)?;
        let rest = rest.trim_ascii();
        match first {
            b"title" => entry.title = rest.into(),
            b"linux" | b"efi" | b"uki" => entry.kernel = Some(rest.into()),
            b"initrd" => entry.initrds.extend(words(rest).into_iter().take(64)),
            b"options" => {
                entry.line = line;
                entry.options.extend(words(rest));
            }
            _ => {}
        }
    }
    entry.options.truncate(OPTIONS);
    (entry.kernel.is_some() || !entry.options.is_empty()).then_some(entry)
}

/// The command lines of /etc/default/grub and its kind, one entry for each setting.
pub fn settings(bytes: &[u8]) -> Vec<Entry> {
    let one = |(line, text): (u32, &[u8])| {
        let (name, value) = lines::cut(text.strip_prefix(b"export ").unwrap_or(text), b'=')?;
        let name = name.strip_suffix(b"+").unwrap_or(name);
        let value = match value {
            [quote @ (b'"' | b'\''), rest @ ..] => {
                let end = rest.iter().rposition(|b| b == quote).unwrap_or(rest.len());
                rest.get(..end)?
            }
            _ => value.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default(),
        };
        let mut entry = Entry { line, title: name.into(), ..Entry::default() };
        if name.windows(7).any(|part| part == b"CMDLINE") || name == b"kernelopts" || name == b"parameters" {
            entry.options = words(value);
        } else if name.windows(6).any(|part| part == b"INITRD") {
            entry.initrds = words(value);
        } else {
            return None;
        }
        Some(entry)
    };
    lines::meaningful(bytes).filter_map(one).take(MOST).collect()
}

/// The entries of extlinux.conf and syslinux.cfg.
pub fn extlinux(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::<Entry>::new();
    for (line, text) in lines::meaningful(bytes) {
        let end = text.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(text.len());
        let (first, rest) = text.split_at_checked(end).unwrap_or((text, b""));
        let (first, rest) = (first.to_ascii_lowercase(), rest.trim_ascii());
        if first == b"label" && entries.len() < MOST {
            entries.push(Entry { line, title: rest.into(), ..Entry::default() });
            continue;
        }
        let Some(last) = entries.last_mut() else { continue };
        let list = |list: &[u8]| -> Vec<Text> {
            list.split(|b| *b == b',').filter(|part| !part.is_empty()).take(64).map(Text::from).collect()
        };
        match first.as_slice() {
            b"kernel" | b"linux" => last.kernel = Some(rest.into()),
            b"initrd" => last.initrds.extend(list(rest)),
            b"append" => {
                for word in words(rest) {
                    if let Some(images) = word.as_bytes().strip_prefix(b"initrd=") {
                        last.initrds.extend(list(images));
                    }
                    last.options.push(word);
                }
                last.options.truncate(OPTIONS);
            }
            _ => {}
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<Text> {
        all.iter().map(|text| Text::from(*text)).collect()
    }

    #[test]
    fn entries_of_grub() {
        let entries = grub(FORMAT.samples[0]);
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].line, entries[0].title.as_bytes()), (4, &b"Debian \"x\""[..]));
        assert_eq!(entries[0].options, texts(&["root=UUID=1", "ro", "quiet", "ro", "x=y"]));
        assert_eq!(entries[0].initrds, texts(&["/boot/a.img", "/boot/initrd.img-6.1"]));
        assert_eq!(entries[1].options, texts(&["a=b c"]));
    }

    #[test]
    fn other_loaders_and_settings() {
        let entry = specification(FORMAT.samples[1]).unwrap();
        assert_eq!(entry.options, texts(&["root=/dev/sda1", "ro", "init=/x"]));
        assert_eq!((entry.initrds.len(), entry.title), (2, "Fedora".into()));
        let all = settings(FORMAT.samples[2]);
        assert_eq!(all[0].options, texts(&["quiet", "splash"]));
        assert_eq!(all[1].options, texts(&["a=b c"]));
        assert_eq!(all[2].initrds, texts(&["x.img"]));
        let entries = extlinux(FORMAT.samples[3]);
        assert_eq!(entries[0].initrds, texts(&["/i", "/j"]));
        assert_eq!(entries[0].kernel, Some("/v".into()));
        let running = words(FORMAT.samples[4]);
        assert_eq!(running.last(), Some(&"z=a b".into()));
        assert!(running.contains(&"systemd.run=/x y".into()));
    }
}
