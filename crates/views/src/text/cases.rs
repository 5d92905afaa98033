//! Whether a case is what its writer wrote.

use super::layout::{Style, wrap};

/// What verifying a case gave.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// The case's folder.
    pub case: String,
    /// Each stream with its state in words.
    pub streams: Vec<(String, String)>,
    /// Whole pieces of evidence.
    pub evidence: u64,
    /// What is wrong, a sentence each.
    pub wrong: Vec<String>,
    /// Files that calma did not put there.
    pub strays: Vec<String>,
    /// The seal's words.
    pub phrase: Option<String>,
    /// Whether anything is broken.
    pub broken: bool,
}

/// The screen of `calma case verify`.
pub fn verification(verified: &Verified, style: Style) -> String {
    let mut out = String::from("\n");
    for (name, state) in &verified.streams {
        out.push_str(&wrap(&format!("  {name:<18} "), state));
    }
    out.push_str(&wrap("  evidence           ", &format!("{} pieces whole", verified.evidence)));
    for line in verified.wrong.iter().chain(&verified.strays) {
        out.push_str(&wrap("                     ", line));
    }
    out.push('\n');
    if let Some(phrase) = &verified.phrase {
        out.push_str(&wrap("  Phrase: ", phrase));
        out.push_str(&wrap("  ", "Compare it with what you wrote down: the same words mean the same case."));
        out.push('\n');
    }
    let next = if verified.broken {
        "Next: this case was changed or damaged; take the copy you exported.".to_owned()
    } else {
        format!("Next: read it:   calma show --case {}", verified.case)
    };
    out.push_str(&wrap("  ", &next).replacen("Next:", &style.strong("Next:"), 1));
    out
}
