//! Patterns of STIX 2.1, as far as they are comparisons of one thing with one value (STIX Version 2.1, section 9).
//!
//! `OR` gives each side as a sign of its own. `AND` would make a sign of two things together: it is understood where one
//! of them is a hash, which says everything the others could.

use super::{Sign, Sort, of_type};

/// Longest pattern.
const LONGEST: usize = 64 << 10;

/// The signs that a pattern stands for, or why it is not understood.
pub(super) fn read(pattern: &str) -> Result<Vec<Sign>, String> {
    if pattern.len() > LONGEST {
        return Err("its pattern is too long".to_owned());
    }
    let words = words(pattern).ok_or("its pattern does not end")?;
    let mut rest = words.as_slice();
    let mut signs = Vec::new();
    loop {
        let (found, behind) = brackets(rest)?;
        signs.extend(found);
        match behind {
            [] => break,
            // Any of several observations: each stands for itself.
            [Word::Plain(or), more @ ..] if or == "OR" => rest = more,
            _ => return Err("its pattern joins observations in a way that is not understood".to_owned()),
        }
    }
    Ok(signs)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// A name or operator.
    Plain(String),
    /// A quoted value.
    Quoted(String),
    /// One of `[]()=,`.
    Mark(char),
}

fn words(pattern: &str) -> Option<Vec<Word>> {
    let (mut words, mut plain) = (Vec::new(), String::new());
    let mut letters = pattern.chars().peekable();
    while let Some(c) = letters.next() {
        // A quote right behind a dot belongs to the name: file:hashes.'SHA-256'.
        let in_name = c == '\'' && plain.ends_with('.');
        if !in_name && (c.is_whitespace() || "[](),='".contains(c)) && !plain.is_empty() {
            words.push(Word::Plain(std::mem::take(&mut plain)));
        }
        match c {
            '\'' => {
                let mut quoted = String::new();
                loop {
                    match letters.next()? {
                        '\\' => quoted.push(letters.next()?),
                        '\'' => break,
                        c => quoted.push(c),
                    }
                }
                if in_name { plain.push_str(&quoted) } else { words.push(Word::Quoted(quoted)) }
            }
            '[' | ']' | '(' | ')' | ',' | '=' => words.push(Word::Mark(c)),
            c if c.is_whitespace() => {}
            c => plain.push(c),
        }
    }
    if !plain.is_empty() {
        words.push(Word::Plain(plain));
    }
    Some(words)
}

/// One observation: comparisons in brackets, and what stands behind it.
fn brackets(words: &[Word]) -> Result<(Vec<Sign>, &[Word]), String> {
    let strange = || "its pattern is more than comparisons with a value".to_owned();
    let [Word::Mark('['), rest @ ..] = words else { return Err(strange()) };
    let end = rest.iter().position(|word| *word == Word::Mark(']')).ok_or_else(strange)?;
    let (inside, behind) = (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default());
    let mut signs = Vec::new();
    for side in inside.split(|word| *word == Word::Plain("OR".to_owned())) {
        let all: Result<Vec<Vec<Sign>>, String> =
            side.split(|word| *word == Word::Plain("AND".to_owned())).map(comparison).collect();
        let hash = |signs: &Vec<Sign>| {
            signs.iter().any(|sign| matches!(sign.sort, Sort::Md5 | Sort::Sha1 | Sort::Sha256))
        };
        match all {
            Ok(mut all) if all.len() == 1 => signs.extend(all.pop().unwrap_or_default()),
            Ok(all) => match all.into_iter().find(hash) {
                Some(found) => signs.extend(found),
                None => return Err("its pattern asks for several things together".to_owned()),
            },
            Err(what) => return Err(what),
        }
    }
    Ok((signs, behind))
}

/// `object:property = 'value'` or `object:property IN ('a', 'b')`.
fn comparison(words: &[Word]) -> Result<Vec<Sign>, String> {
    let strange = || "its pattern is more than comparisons with a value".to_owned();
    let words = match words {
        [Word::Mark('('), inner @ .., Word::Mark(')')] => inner,
        words => words,
    };
    let (name, values): (&str, Vec<&str>) = match words {
        [Word::Plain(name), Word::Mark('='), Word::Quoted(value)] => (name, vec![value]),
        [Word::Plain(name), Word::Plain(operator), Word::Mark('('), list @ .., Word::Mark(')')]
            if operator == "IN" =>
        {
            let quoted = |word: &'_ Word| matches!(word, Word::Quoted(_) | Word::Mark(','));
            if !list.iter().all(quoted) {
                return Err(strange());
            }
            let value = |word: &'_ Word| matches!(word, Word::Quoted(_));
            let values = list.iter().filter(|word| value(word)).map(|word| match word {
                Word::Quoted(text) | Word::Plain(text) => text.as_str(),
                Word::Mark(_) => "",
            });
            (name, values.collect())
        }
        _ => return Err(strange()),
    };
    let sort = match name.split_once(':') {
        Some(("ipv4-addr" | "ipv6-addr", "value")) => "ip",
        Some(("network-traffic", "dst_ref.value" | "src_ref.value")) => "ip",
        Some(("domain-name", "value")) => "domain",
        Some(("url", "value")) => "url",
        Some(("file", "name")) => "filename",
        Some(("process", "name")) => "filename",
        Some(("file", hash)) if hash.starts_with("hashes.") => "hash",
        Some(("directory", "path")) => "path",
        _ => return Err(format!("comparisons of {} are not understood", super::short(name, 60))),
    };
    let fits = |value: &&str| of_type(sort, value).or_else(|| of_type("ip", value).filter(|_| sort == "url"));
    values
        .iter()
        .map(|value| fits(value).ok_or_else(|| format!("a value of {} does not fit", super::short(name, 60))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_comparisons_are_signs_and_others_are_said_so() {
        let count = |pattern: &str| read(pattern).map(|signs| signs.len());
        assert_eq!(
            count(
                "[file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' AND file:name = 'x y']"
            ),
            Ok(1)
        );
        assert_eq!(
            count(
                "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e'] OR [ipv4-addr:value = '192.0.2.0/24']"
            ),
            Ok(2)
        );
        assert_eq!(
            count("[domain-name:value IN ('a.example', 'b.example') OR url:value = 'http://c.example/x']"),
            Ok(3)
        );
        for pattern in [
            "",
            "[",
            "[]",
            "[file:name = 'abc' AND file:size = '5']",
            "[file:name LIKE 'abc%']",
            "[ipv4-addr:value = '192.0.2.7'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.8']",
            "[windows-registry-key:key = 'x']",
            "[file:name = 'abc",
            "[NOT file:name = 'abc']",
        ] {
            assert!(read(pattern).is_err(), "{pattern}");
        }
    }
}
