//! Reads what `calma … --json` printed, as any other program would.

use serde_json::Value;
use std::fmt;

/// How much a finding asks for, in the order of the contract.
pub const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];

/// One finding.
#[derive(Debug, Clone, Default)]
pub struct Finding {
    /// Stable key.
    pub key: String,
    /// The detector.
    pub detector: String,
    /// 0 (info) to 4 (critical).
    pub severity: usize,
    /// One sentence.
    pub title: String,
    /// ATT&CK techniques.
    pub attack: Vec<String>,
    /// Paths on the examined system.
    pub paths: Vec<String>,
    /// Processes.
    pub pids: Vec<u64>,
    /// Accounts.
    pub accounts: Vec<String>,
    /// Units.
    pub units: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = SEVERITIES[self.severity.min(4)];
        write!(f, "{severity:8} {:24} {} {:?} {:?}", self.detector, self.title, self.paths, self.pids)
    }
}

/// Everything one run printed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The first line.
    pub run: Value,
    /// The last line.
    pub end: Value,
    /// Findings in order.
    pub findings: Vec<Finding>,
    /// Gaps: what, why, count.
    pub gaps: Vec<(String, String, u64)>,
    /// Facts, with `--facts`.
    pub facts: Vec<Value>,
}

impl Report {
    /// Reads JSON lines; panics where they are not what the contract says.
    pub fn read(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).expect("JSON lines are UTF-8");
        let mut report = Self::default();
        for (number, line) in text.lines().enumerate() {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("line {number}: {e}: {line}"));
            match value["type"].as_str() {
                Some("run") => {
                    assert_eq!(number, 0, "the first line is the run");
                    report.run = value;
                }
                Some("end") => report.end = value,
                Some("gap") => {
                    let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
                    report.gaps.push((word("what"), word("why"), value["count"].as_u64().unwrap_or(1)));
                }
                Some("finding") => report.findings.push(finding(&value)),
                Some("fact") => report.facts.push(value),
                other => panic!("line {number}: unknown type {other:?}"),
            }
        }
        assert!(!report.run.is_null(), "there is no first line: {text}");
        assert!(!report.end.is_null(), "there is no last line: {text}");
        report
    }

    /// Panics unless the look came to its end: an unfinished one would look clean.
    pub fn assert_complete(&self) {
        assert_eq!(self.end["complete"], Value::Bool(true), "not complete: {} {:#?}", self.end, self.gaps);
    }

    /// Findings of medium or worse.
    pub fn alarms(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.severity >= 2).collect()
    }

    /// Findings that are low.
    pub fn low(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.severity == 1).collect()
    }

    /// Whether a finding of `severity` or worse names one of these paths or this process.
    pub fn names(&self, severity: usize, paths: &[String], pid: Option<u64>) -> bool {
        self.findings.iter().filter(|finding| finding.severity >= severity).any(|finding| {
            pid.is_some_and(|pid| finding.pids.contains(&pid))
                || finding.paths.iter().any(|path| paths.iter().any(|wanted| merged(path) == merged(wanted)))
        })
    }

    /// All findings, a line each.
    pub fn listing(&self) -> String {
        self.findings.iter().map(|finding| format!("{finding}\n")).collect()
    }
}

/// A path as on a system with merged `/usr`, without a mark that the file is deleted.
fn merged(path: &str) -> String {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    for folder in ["/lib/", "/bin/", "/sbin/", "/lib64/"] {
        if path.starts_with(folder) {
            return format!("/usr{path}");
        }
    }
    path.strip_prefix("/var/run/").map_or_else(|| path.to_owned(), |rest| format!("/run/{rest}"))
}

fn finding(value: &Value) -> Finding {
    let list = |name: &str| -> Vec<String> {
        value[name]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect()
    };
    let word = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned();
    Finding {
        key: word("key"),
        detector: word("detector"),
        severity: SEVERITIES.iter().position(|name| *name == word("severity")).expect("a known severity"),
        title: word("title"),
        attack: list("attack"),
        paths: list("paths"),
        pids: value["pids"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
        accounts: list("accounts"),
        units: list("units"),
    }
}
