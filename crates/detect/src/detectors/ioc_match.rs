//! Detector: what a list of signs that the user gave names on this host.

use crate::own_word::severity;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::IocMatch};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "ioc-match",
        doc: "A list of signs (indicators of compromise) that the user gave names something on this host.",
        mechanisms: &[],
        attack: &[],
        why: "Somebody saw this in an intrusion before and put it on the list that you gave.",
        innocent: "lists age: an address or name may have another owner by now, and some signs are too common to tell anything",
        next: "read what the list says of it and look at what was found; the same sign on another server is the same incident",
    },
    judge,
};

/// Places named in one finding.
const NAMED: usize = 12;

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut by_sign: BTreeMap<(&str, &str), Vec<Row<'_, IocMatch>>> = BTreeMap::new();
    for row in tables.of::<IocMatch>() {
        by_sign.entry((&row.fact.sort, &row.fact.sign)).or_default().push(row);
    }
    for ((sort, sign), mut rows) in by_sign {
        let key = |row: &Row<'_, IocMatch>| {
            let fact = row.fact;
            (fact.kind.clone(), fact.path.clone(), fact.pid, fact.column.clone(), row.id.clone())
        };
        rows.sort_by_key(key);
        let Some(first) = rows.iter().min_by_key(|row| (&row.list, row.line)).copied() else { continue };
        let worst = rows.iter().filter_map(|row| severity(&row.severity)).max().unwrap_or(Severity::High);
        let certainty = match sort {
            "MD5" | "SHA-1" | "SHA-256" | "ssh key" => Certainty::VeryLikely,
            "file name" => Certainty::Possible,
            _ => Certainty::Likely,
        };
        let list = Text::from(first.list.file_name());
        let said = if first.note.is_empty() { String::new() } else { format!(" ({})", first.note) };
        let title = format!("The {sort} {sign} stands on your list{said}");
        let mut draft = Draft::new(worst, certainty, format!("{sort}\0{sign}"), title)
            .saw(format!("it stands in line {} of {list}", first.line));
        for row in rows.iter().take(NAMED) {
            draft = draft.saw(sentence(row.fact)).from(row, "this agrees with the sign");
        }
        if rows.len() > NAMED {
            draft = draft.saw(format!("and in {} more places", rows.len() - NAMED));
        }
        for row in rows.iter().take(200) {
            draft = if row.path.is_empty() { draft } else { draft.path(&row.path) };
            draft = if row.pid == 0 { draft } else { draft.pid(row.pid) };
        }
        if sort == "address" {
            draft = draft.address(sign);
        }
        drafts.push(draft);
    }
}

fn sentence(row: &IocMatch) -> String {
    let what = format!("{} ({})", row.kind.replace('-', " "), row.column.replace('_', " "));
    match (row.path.is_empty(), row.pid) {
        (true, 0) => format!("seen in a {what}"),
        (true, pid) => format!("process {pid}: seen in its {what}"),
        (false, 0) => format!("{}: seen in its {what}", row.path),
        (false, pid) => format!("{} and process {pid}: seen in a {what}", row.path),
    }
}

#[cfg(test)]
mod tests {
    use calma_record::{Body, Record, Severity, Source, StreamName, Subject, kinds::IocMatch};

    fn found(rows: &[IocMatch]) -> Vec<calma_record::Finding> {
        let mut tables = crate::Tables::default();
        for (seq, row) in (0..).zip(rows) {
            let body = Body::Fact { from: Source::file("/x"), fact: Box::new(row.clone().into()) };
            tables.fold(&StreamName("test".into()), Record { seq, body });
        }
        crate::judge(&tables).findings
    }

    fn row(sort: &str, sign: &str, severity: &str, path: &str, pid: u32) -> IocMatch {
        IocMatch {
            sort: sort.into(),
            sign: sign.into(),
            severity: severity.into(),
            list: "/l/a.csv".into(),
            line: 4,
            kind: "file".into(),
            column: "digest".into(),
            path: path.into(),
            pid,
            ..IocMatch::default()
        }
    }

    #[test]
    fn one_sign_in_many_places_is_one_finding_in_the_lists_own_word() {
        let rows = [
            row("address", "192.0.2.7", "", "", 7),
            row("address", "192.0.2.7", "", "", 8),
            row("SHA-256", "00", "low", "/a", 0),
            row("domain", "c2.example", "critical", "/b", 0),
        ];
        let seen = found(&rows);
        let seen: Vec<_> =
            seen.iter().map(|one| (one.severity, one.subjects.len(), one.facts.len())).collect();
        assert_eq!(seen, [(Severity::Critical, 1, 2), (Severity::High, 3, 3), (Severity::Low, 1, 2)]);
        assert_eq!(found(&rows)[0].subjects, [Subject::Path("/b".into())]);
        assert!(found(&rows)[0].facts[0].contains("line 4 of a.csv"));
    }

    #[test]
    fn without_matches_there_is_nothing() {
        assert!(found(&[]).is_empty());
    }
}
