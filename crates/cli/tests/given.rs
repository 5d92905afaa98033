//! The built binary with the user's rules and lists: here and over a link, with broken ones among them.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// A tree with two files that rules and lists name, and rules that lie in the tree themselves.
fn prepare(folder: &Path) {
    let root = folder.join("root");
    for name in ["etc", "usr/bin", "var/tmp", "srv/rules/more"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("var/tmp/one"), "hay needle-one hay").unwrap();
    std::fs::write(root.join("usr/bin/two"), "abc").unwrap();
    let rules = "rule found { meta: severity = \"high\" strings: $a = \"needle-one\" condition: $a }\n\nrule broken { condition: $none }\n";
    std::fs::write(root.join("srv/rules/more/x.yar"), rules).unwrap();
    let list = "type,value,severity\nmd5,900150983cd24fb0d6963f7d28e17f72,critical\nodd,\u{1},\n";
    std::fs::write(folder.join("list.csv"), list).unwrap();
}

fn calma(folder: &Path, words: &[&str]) -> Output {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    Command::new(env!("CARGO_BIN_EXE_calma"))
        .current_dir(folder)
        .args(words)
        .env("PATH", path)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let all =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn everything_is_found(output: &Output) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in [
        "/var/tmp/one matches a rule of yours: found",
        "The MD5 900150983cd24fb0d6963f7d28e17f72 stands on your list",
        "more/x.yar:3: ",
        "list.csv:3: ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("x.yar matches"), "the rules found themselves: {text}");
}

const WORDS: [&str; 9] =
    ["--hurry", "--root", "root", "--case", "case", "--yara", "root/srv/rules", "--ioc", "list.csv"];

#[test]
fn rules_and_lists_are_looked_for_here() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    everything_is_found(&calma(folder.path(), &[&["triage"], &WORDS[..]].concat()));
    // An old case is compared with a list that came later.
    std::fs::write(folder.path().join("later"), "/var/tmp/on*\n").unwrap();
    let output = calma(folder.path(), &["show", "--case", "case", "--ioc", "later"]);
    assert!(text(&output).contains("The path /var/tmp/on* stands on your list"), "{}", text(&output));
    // Nothing that can be used is a refusal, not a silent look without rules.
    std::fs::write(folder.path().join("bad.yar"), "no rule").unwrap();
    let output = calma(folder.path(), &["triage", "--root", "root", "--case", "new", "--yara", "bad.yar"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn rules_reach_the_host_over_a_link() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("ssh"), "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n").unwrap();
    std::fs::set_permissions(bin.join("ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The tree is named as it is over there.
    let root = folder.path().join("root").display().to_string();
    let mut words = vec!["at", "--allow-disk", "root@web1", "triage"];
    words.extend(WORDS.iter().map(|word| if *word == "root" { root.as_str() } else { word }));
    everything_is_found(&calma(folder.path(), &words));
}
