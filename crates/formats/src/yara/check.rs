//! What of a file of rules can be used, and what is wrong with the rest.

use super::engine;
use super::split::{Sort, split};
use boreal::Compiler;
use serde::{Deserialize, Serialize};

/// Faults named of one file.
const FAULTS: usize = 200;

/// Something in a file of rules that can not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A file of rules, looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Its text with everything blanked out that can not be used; it compiles as a whole.
    pub text: String,
    /// How many rules are left.
    pub rules: usize,
    /// What is wrong with the others.
    pub faults: Vec<Fault>,
}

/// Looks through a file of rules. Cost: each rule is compiled once or twice.
pub fn check(bytes: &[u8]) -> Checked {
    let mut checked = Checked { text: String::from_utf8_lossy(bytes).into_owned(), ..Checked::default() };
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = line_of(bytes, error.valid_up_to());
        checked.fault(line, "it is not UTF-8 from here on".to_owned());
    }
    let parts = split(&checked.text);
    for part in parts.iter().filter(|part| part.sort == Sort::Include) {
        let line = line_of(checked.text.as_bytes(), part.start);
        checked.fault(line, "files are not included: name the folder that holds them all".to_owned());
        checked.blank(part.start, part.end);
    }
    let rules = parts.iter().filter(|part| part.sort == Sort::Rule).count();
    if engine::compiler().add_rules_str(&checked.text).is_ok() {
        checked.rules = rules;
        return checked;
    }
    // One at a time, in order: a rule may name an earlier one.
    let mut compiler = engine::compiler();
    for part in parts.iter().filter(|part| part.sort != Sort::Include) {
        let text = checked.text.get(part.start..part.end).unwrap_or_default().to_owned();
        match add(&mut compiler, &text) {
            Ok(()) => checked.rules += usize::from(part.sort == Sort::Rule),
            Err((line, what)) => {
                let line = line_of(checked.text.as_bytes(), part.start) + line.saturating_sub(1);
                checked.fault(line, what);
                checked.blank(part.start, part.end);
            }
        }
    }
    if checked.rules > 0 && engine::compiler().add_rules_str(&checked.text).is_err() {
        checked.fault(1, "its rules do not work together; none of them is used".to_owned());
        checked.rules = 0;
    }
    if checked.rules == 0 {
        checked.text.clear();
    }
    checked
}

impl Checked {
    fn fault(&mut self, line: usize, what: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(Fault { line, what });
        }
    }

    /// Puts blanks in the place of a part, so that the lines behind it keep their numbers.
    fn blank(&mut self, start: usize, end: usize) {
        let Some(part) = self.text.get(start..end) else { return };
        let blanks: String = part.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
        self.text.replace_range(start..end, &blanks);
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes.iter().take(at).filter(|b| **b == b'\n').count()
}

/// Adds one part; else the line within it, and what is wrong.
fn add(compiler: &mut Compiler, text: &str) -> Result<(), (usize, String)> {
    match compiler.add_rules_str(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            // The engine's own form is `mem:LINE:COLUMN: error: WORDS`.
            let said = error.to_string();
            let mut parts = said.splitn(4, ':');
            let line = parts.nth(1).and_then(|line| line.parse().ok()).unwrap_or(1);
            let what = parts.nth(1).unwrap_or(&said).trim();
            let what = what.strip_prefix("error:").unwrap_or(what).trim();
            Err((line, what.lines().next().unwrap_or_default().chars().take(300).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_rule_is_named_by_its_line_and_the_others_stay() {
        let text = "import \"elf\"\ninclude \"other.yar\"\nrule good { strings: $a = \"abc\" condition: $a and elf.type == elf.ET_EXEC }\n\
                    rule bad {\n  strings: $a = \"x\"\n  condition: $b\n}\nrule worse { strings $a }\n\
                    rule needs { condition: good and filename == \"x\" }\nrule lost { condition: bad }\nimport \"nothing\"\n";
        let checked = check(text.as_bytes());
        assert_eq!(checked.rules, 2, "{checked:?}");
        let lines: Vec<usize> = checked.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 6, 8, 10, 11], "{:?}", checked.faults);
        assert!(checked.faults.iter().all(|fault| !fault.what.is_empty() && !fault.what.contains("mem:")));
        assert_eq!(checked.text.lines().count(), text.lines().count());
    }

    #[test]
    fn a_good_file_is_left_as_it_is() {
        let text = "rule a { condition: filesize < 10KB }\n\nrule b : x y { meta: severity = \"high\" condition: a }";
        assert_eq!(check(text.as_bytes()), Checked { text: text.to_owned(), rules: 2, faults: Vec::new() });
        assert_eq!(check(b""), Checked::default());
        assert_eq!(check(b"\xff\xfe no rules").rules, 0);
    }
}
