//! What the workspace promises: layers, licences, and files that say what they are.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test of this checkout"
)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which crates of the workspace each may depend on, tests apart. Whatever is not listed is forbidden.
const LAYERS: &[(&str, &[&str])] = &[
    ("calma-record", &[]),
    ("calma-formats", &["calma-record"]),
    ("calma-host", &["calma-record"]),
    ("calma-collect", &["calma-record", "calma-formats", "calma-host"]),
    ("calma-act", &["calma-record", "calma-host", "calma-isolate"]),
    ("calma-isolate", &["calma-record", "calma-formats", "calma-host", "calma-collect"]),
    ("calma-detect", &["calma-record"]),
    ("calma-case", &["calma-record"]),
    (
        "calma-recovery",
        &[
            "calma-record",
            "calma-formats",
            "calma-host",
            "calma-collect",
            "calma-act",
            "calma-isolate",
            "calma-detect",
            "calma-case",
        ],
    ),
    ("calma-views", &["calma-record", "calma-case"]),
    (
        "calma-cli",
        &[
            "calma-record",
            "calma-host",
            "calma-isolate",
            "calma-collect",
            "calma-detect",
            "calma-isolate",
            "calma-case",
            "calma-recovery",
            "calma-views",
        ],
    ),
    (
        "calma-testkit",
        &[
            "calma-record",
            "calma-formats",
            "calma-host",
            "calma-collect",
            "calma-detect",
            "calma-act",
            "calma-case",
            "calma-recovery",
        ],
    ),
    ("xtask", &[]),
];

/// Licences that may be in the tree; kept equal to `deny.toml`.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "Unlicense",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let members: BTreeSet<&str> =
        metadata["workspace_members"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        if !members.contains(package["id"].as_str().unwrap()) {
            continue;
        }
        seen += 1;
        let name = package["name"].as_str().unwrap();
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} has no line in LAYERS"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            if dependency["kind"].is_null() && (on.starts_with("calma-") || on == "xtask") {
                assert!(allowed.contains(&on), "{name} must not depend on {on}");
            }
        }
    }
    assert_eq!(seen, LAYERS.len());
}

#[test]
fn every_licence_is_allowed() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 20);
    for package in packages {
        let expression = package["license"].as_str().unwrap_or("none given");
        let choices = expression.split(" OR ").flat_map(|choice| choice.split('/'));
        let fits = |choice: &str| {
            let choice = choice.trim_matches(|c| c == '(' || c == ')' || c == ' ');
            choice
                .split(" AND ")
                .all(|one| LICENCES.contains(&one.trim_matches(|c| c == '(' || c == ')' || c == ' ')))
        };
        assert!(choices.clone().any(fits), "{}: {expression}", package["name"]);
    }
}

#[test]
fn every_dependency_is_named_with_its_reason() {
    let metadata = metadata();
    let text = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        if package["source"].is_null() {
            for dependency in package["dependencies"].as_array().unwrap() {
                let name = dependency["name"].as_str().unwrap();
                let ours = name.starts_with("calma-") || name == "xtask";
                assert!(ours || text.contains(name), "docs/dependencies.md does not name {name}");
            }
        }
    }
}

#[test]
fn every_source_file_opens_with_what_it_is() {
    let mut folders = vec![root().join("crates"), root().join("xtask")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("//! "), "{} does not open with a line of //!", path.display());
                assert!(text.lines().count() <= 500, "{} is over 500 lines", path.display());
            }
        }
    }
    assert!(files > 50);
}
