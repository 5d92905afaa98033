//! Every dependency's licence is one that a work under MIT OR Apache-2.0 may contain (works offline).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::Value;
use std::process::Command;

const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
];

/// Whether an SPDX expression can be met: one of every `OR`, all of every `AND`.
fn allowed(expression: &str) -> bool {
    let expression = expression.trim().replace('/', " OR ");
    let expression = expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')).unwrap_or(&expression);
    let parts = |word: &str| split(expression, word);
    match (parts(" AND "), parts(" OR ")) {
        (all, _) if all.len() > 1 => all.iter().all(|part| allowed(part)),
        (_, any) if any.len() > 1 => any.iter().any(|part| allowed(part)),
        _ => ALLOWED.contains(&expression.trim()),
    }
}

/// Splits outside of parentheses.
fn split(expression: &str, word: &str) -> Vec<String> {
    let (mut depth, mut from, mut found) = (0_i32, 0, Vec::new());
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ if depth == 0 && at >= from && expression[at..].starts_with(word) => {
                found.push(expression[from..at].to_owned());
                from = at + word.len();
            }
            _ => {}
        }
    }
    found.push(expression[from..].to_owned());
    found
}

#[test]
fn all_dependencies_may_be_used() {
    assert!(
        allowed("(MIT OR Apache-2.0) AND Unicode-3.0")
            && allowed("MIT/Apache-2.0")
            && !allowed("MIT AND GPL-3.0")
    );
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(calma_testkit::binaries::workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let packages = metadata["packages"].as_array().unwrap();
    let bad: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(allowed))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(packages.len() > 20, "cargo metadata lists the dependencies");
}
