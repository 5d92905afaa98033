//! Detector: a file or a process that the user's own rules match.

use crate::own_word::severity;
use crate::weigh::{Processes, identity, who};
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::RuleMatch};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "rule-match",
        doc: "Rules that the user gave match a file or the memory of a process.",
        mechanisms: &[],
        attack: &[],
        why: "You gave these rules because what they match matters to you.",
        innocent: "the rule is wide, or the file holds the same words for a good reason (a scanner's own rules, a note about the case)",
        next: "read what the rule looks for, then what matched; calma show with this finding's key and --raw names the places",
    },
    judge,
};

/// Rules named in one finding.
const NAMED: usize = 12;

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut by_subject: BTreeMap<(&Text, u32), Vec<Row<'_, RuleMatch>>> = BTreeMap::new();
    for row in tables.of::<RuleMatch>() {
        by_subject.entry((&row.fact.path, row.fact.pid)).or_default().push(row);
    }
    let processes = Processes::new(tables);
    for ((path, pid), mut rows) in by_subject {
        rows.sort_by(|a, b| (&a.namespace, &a.rule, a.id).cmp(&(&b.namespace, &b.rule, b.id)));
        rows.dedup_by(|a, b| (&a.namespace, &a.rule) == (&b.namespace, &b.rule));
        let process = (pid != 0).then(|| processes.get(pid)).flatten();
        let worst = rows.iter().map(|row| weight(row.fact)).max().unwrap_or(Severity::High);
        let packaged = rows.iter().any(|row| row.package.is_some());
        let certainty = if packaged { Certainty::Possible } else { Certainty::Likely };
        let names: Vec<&str> = rows.iter().map(|row| row.rule.as_str()).take(3).collect();
        let names = match rows.len().saturating_sub(names.len()) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        };
        let (about, known_by) = match process {
            _ if pid == 0 => (path.to_string(), path.as_bytes().to_vec()),
            Some(row) => {
                (format!("The memory of process {pid} (\"{}\")", row.name), identity(row.fact).into_bytes())
            }
            None => (format!("The memory of process {pid}"), pid.to_string().into_bytes()),
        };
        let title =
            format!("{about} matches {} of yours: {names}", if rows.len() == 1 { "a rule" } else { "rules" });
        let mut draft = Draft::new(worst, certainty, known_by, title);
        draft = match process {
            Some(row) => draft.saw(who(row.fact)),
            None => draft,
        };
        for row in rows.iter().take(NAMED) {
            draft = draft.saw(sentence(row.fact)).from(row, "the rule matched here");
        }
        if let Some(package) = rows.iter().find_map(|row| row.package.as_ref()) {
            draft = draft.saw(format!("the host's package list says that the file belongs to {package}"));
        }
        drafts.push(if pid == 0 { draft.path(path) } else { draft.pid(pid) });
    }
}

/// The rule's own word, else high; at most medium where the file is a package's, as far as the host says.
fn weight(row: &RuleMatch) -> Severity {
    let own = severity(&row.severity);
    match (own, &row.package) {
        (Some(own), _) => own,
        (None, Some(_)) => Severity::Medium,
        (None, None) => Severity::High,
    }
}

fn sentence(row: &RuleMatch) -> String {
    let said = if row.description.is_empty() { String::new() } else { format!(" ({})", row.description) };
    let places = if row.strings.is_empty() { String::new() } else { format!(": {}", row.strings.join("; ")) };
    format!("rule {} of {}{said}{places}", row.rule, row.namespace)
}

#[cfg(test)]
mod tests {
    use calma_record::Severity;
    use calma_testkit::{Mem, Specimen, check, check_rules, running};

    const RULES: &str = r#"{"files":[{"name":"web/x.yar","text":
        "rule named { meta: description = \"a dropper\" severity = \"critical\" strings: $a = \"needle-one\" condition: $a }\nrule plain : t { strings: $a = /nee.le-two/ condition: $a }\nrule small { meta: score = 25 strings: $a = \"needle-three\" condition: $a }"}],"own":[]}"#;

    #[test]
    fn files_that_match_are_found_anywhere() {
        let host = Mem::new()
            .file("/srv/www/a b/up.php", "x needle-one x")
            .file("/var/spool/.x", "needle-two needle-two")
            .file("/opt/y", "needle-three")
            .file("/root/notes", "nothing of the kind");
        let seen = check_rules(host, RULES);
        let found = seen.by("rule-match");
        let found: Vec<_> = found.iter().map(|finding| (finding.severity, finding.title.as_str())).collect();
        assert_eq!(
            found,
            [
                (Severity::Critical, "/srv/www/a b/up.php matches a rule of yours: named"),
                (Severity::High, "/var/spool/.x matches a rule of yours: plain"),
                (Severity::Low, "/opt/y matches a rule of yours: small"),
            ]
        );
    }

    #[test]
    fn memory_of_a_program_no_package_brought_is_searched() {
        let maps = "1000-3000 rw-p 00000000 00:00 0 \n";
        let memory = [vec![0; 0x1800], b"needle-two".to_vec(), vec![0; 0x1000]].concat();
        let host = running(&["/usr/bin/ordinary"]).file("/proc/2/stat", "2 (calma) S 1 ");
        let mut host = host;
        for (pid, program) in [(40, "/tmp/x (deleted)"), (41, "/home/u/tool"), (42, "/usr/bin/ordinary")] {
            host = Specimen::new(pid, "x").program(program).on(host);
            host = host.file(format!("/proc/{pid}/maps"), maps).file(format!("/proc/{pid}/mem"), &memory);
        }
        let seen = check_rules(host, RULES);
        let found = seen.alarms("rule-match");
        let pids: std::collections::BTreeSet<_> =
            found.iter().flat_map(|finding| &finding.subjects).cloned().collect();
        let expected = [calma_record::Subject::Pid(40), calma_record::Subject::Pid(41)];
        assert_eq!(pids, expected.into_iter().collect(), "{:?}", seen.findings);
        assert!(found[0].facts.iter().any(|fact| fact.contains("$a at 0x1800")), "{:?}", found[0].facts);
    }

    #[test]
    fn without_rules_nothing_is_searched() {
        let seen = check(Mem::new().file("/x", "needle-one"));
        assert!(seen.by("rule-match").is_empty());
    }
}
