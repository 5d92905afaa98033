//! Signs in memory: a million of them in some hundred megabytes.

use calma_formats::signs::{Sign, Sort};
use calma_record::{Text, kinds};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Signs kept at most.
const MOST: usize = 4_000_000;
/// Patterns with `*` and `?` kept at most: each is compared with every path.
const PATTERNS: usize = 5_000;

/// Where a sign comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    list: u16,
    line: u32,
    severity: u16,
    note: u32,
}

/// A sign and where it comes from.
pub(super) type Named<'a> = (Sort, &'a str, Origin);

/// Words that many signs share, each kept once.
#[derive(Debug, Default)]
struct Words {
    words: Vec<Box<str>>,
    numbers: HashMap<Box<str>, usize>,
}

impl Words {
    /// The number of a word; 0 is the empty one.
    fn number(&mut self, word: &str, most: usize) -> usize {
        if word.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        if self.words.len() >= most {
            return 0;
        }
        self.words.push(word.into());
        let number = self.words.len();
        self.numbers.insert(word.into(), number);
        number
    }

    fn get(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|at| self.words.get(at)).map_or("", |word| word)
    }
}

/// Signs of all lists.
#[derive(Debug, Default)]
pub struct Signs {
    exact: HashMap<(Sort, Box<str>), Origin>,
    networks: HashMap<(u8, IpAddr), (Box<str>, Origin)>,
    lengths: BTreeSet<u8>,
    patterns: Vec<(Sort, Box<str>, Origin)>,
    lists: Vec<Text>,
    severities: Words,
    notes: Words,
    /// What the case is to know of the lists.
    pub facts: Vec<kinds::RuleSet>,
    /// What could not be used: "list.csv:7: …".
    pub faults: Vec<String>,
    /// How many could not be used; more than `faults` names.
    pub faulty: u64,
    digests: bool,
}

impl Signs {
    /// How many signs there are.
    pub fn count(&self) -> usize {
        self.exact.len() + self.networks.len() + self.patterns.len()
    }

    /// Whether files must be digested to be compared.
    pub fn wants_digests(&self) -> bool {
        self.digests
    }

    /// Begins a list.
    pub(super) fn list(&mut self, path: &[u8]) {
        self.lists.push(path.into());
    }

    /// Takes in a sign of the list that was begun last.
    pub(super) fn add(&mut self, sign: Sign, line: usize) -> Result<(), &'static str> {
        if self.count() >= MOST {
            return Err("there are more than four million signs; the rest is not used");
        }
        let origin = Origin {
            list: u16::try_from(self.lists.len().saturating_sub(1)).unwrap_or(u16::MAX),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            severity: u16::try_from(self.severities.number(&sign.severity, 1000)).unwrap_or(0),
            note: u32::try_from(self.notes.number(&sign.note, 1_000_000)).unwrap_or(0),
        };
        self.digests |= matches!(sign.sort, Sort::Md5 | Sort::Sha1 | Sort::Sha256);
        let value: Box<str> = sign.value.into();
        match sign.sort {
            Sort::Name | Sort::Path if value.contains(['*', '?']) => {
                if self.patterns.len() >= PATTERNS {
                    return Err("there are more than five thousand patterns; the rest is not used");
                }
                self.patterns.push((sign.sort, value, origin));
            }
            Sort::Address if value.contains('/') => {
                let network = value.split_once('/').and_then(|(base, length)| {
                    let (base, length) = (base.parse().ok()?, length.parse::<u8>().ok()?);
                    Some((length, masked(base, length)))
                });
                let Some(network) = network else { return Err("it is no network") };
                self.lengths.insert(network.0);
                self.networks.entry(network).or_insert((value, origin));
            }
            sort => drop(self.exact.entry((sort, value)).or_insert(origin)),
        }
        Ok(())
    }

    /// A sign with exactly this value.
    pub(super) fn exact(&self, sort: Sort, value: &str) -> Option<Named<'_>> {
        // The value is looked up as it is kept; the copy is short-lived.
        self.exact
            .get_key_value(&(sort, value.into()))
            .map(|((sort, value), origin)| (*sort, &**value, *origin))
    }

    /// An address, or a network that holds it.
    pub(super) fn address(&self, address: IpAddr) -> Option<Named<'_>> {
        let address = address.to_canonical();
        self.exact(Sort::Address, &address.to_string()).or_else(|| {
            let held = |length: &u8| self.networks.get(&(*length, masked(address, *length)));
            let (value, origin) = self.lengths.iter().rev().find_map(held)?;
            Some((Sort::Address, &**value, *origin))
        })
    }

    /// A name of a host, or a domain above it.
    pub(super) fn domain(&self, name: &str) -> Option<Named<'_>> {
        let mut rest = name;
        loop {
            if let Some(found) = self.exact(Sort::Domain, rest) {
                return Some(found);
            }
            rest = rest.split_once('.')?.1;
        }
    }

    /// A path, or the file's own name.
    pub(super) fn path(&self, path: &str) -> Option<Named<'_>> {
        let name = path.rsplit('/').next().unwrap_or_default();
        self.exact(Sort::Path, path).or_else(|| self.name(name)).or_else(|| {
            let mut fitting = self.patterns.iter().filter(|(sort, pattern, _)| {
                let against = if *sort == Sort::Path { path } else { name };
                fits(pattern.as_bytes(), against.as_bytes())
            });
            fitting.next().map(|(sort, pattern, origin)| (*sort, &**pattern, *origin))
        })
    }

    /// A file's own name.
    pub(super) fn name(&self, name: &str) -> Option<Named<'_>> {
        if name.is_empty() { None } else { self.exact(Sort::Name, name) }
    }

    /// A match as a fact, but for where it was seen.
    pub(super) fn fact(&self, (sort, value, origin): Named<'_>) -> kinds::IocMatch {
        let printable = |text: &str| Text::from(text).to_string();
        kinds::IocMatch {
            sort: sort.words().to_owned(),
            sign: printable(value),
            list: self.lists.get(usize::from(origin.list)).cloned().unwrap_or_default(),
            line: u64::from(origin.line),
            severity: printable(self.severities.get(usize::from(origin.severity))),
            note: printable(self.notes.get(usize::try_from(origin.note).unwrap_or(0))),
            ..kinds::IocMatch::default()
        }
    }
}

/// An address with all but its first bits cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V4((u32::from(four) & mask).into())
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
            IpAddr::V6((u128::from(six) & mask).into())
        }
    }
}

/// Whether a pattern with `*` (any letters) and `?` (one) fits the whole text, in linear memory and at most
/// pattern × text steps.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_networks_and_domains_hold_what_is_below_them() {
        assert!(fits(b"/tmp/*/x?", b"/tmp/a/b/xy") && !fits(b"/tmp/*", b"/var/tmp/x") && fits(b"*", b""));
        let long = [b"*a".repeat(50), b"b".to_vec()].concat();
        assert!(!fits(&long, &b"a".repeat(2000)));
        let mut signs = Signs::default();
        signs.list(b"/l");
        for text in ["192.0.2.0/24", "2001:db8::/32", "evil.example", "203.0.113.9"] {
            signs.add(calma_formats::signs::guess(text).unwrap(), 1).unwrap();
        }
        let address = |text: &str| signs.address(text.parse().unwrap()).is_some();
        assert!(
            address("192.0.2.200")
                && address("::ffff:192.0.2.1")
                && address("2001:db8:1::1")
                && address("203.0.113.9")
        );
        assert!(!address("192.0.3.1") && !address("2001:db9::1"));
        assert!(signs.domain("a.b.evil.example").is_some() && signs.domain("notevil.example").is_none());
    }
}
