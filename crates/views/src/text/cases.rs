//! Whether a case is what its writer wrote.

use super::layout::{Style, wrap};

/// What verifying one stream gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Its seal matches.
    Sealed,
    /// It has no seal, and is whole to a frame, after which it may be torn.
    Unsealed {
        /// Whole frames.
        frames: u64,
        /// Whether a torn frame follows them.
        torn: bool,
    },
    /// It is not what its writer wrote.
    Broken(String),
}

/// The screen of `calma case verify`.
pub fn verification(
    case: &str,
    streams: &[(String, Sealing)],
    evidence: (u64, &[String]),
    phrase: Option<&str>,
    style: Style,
) -> String {
    let mut out = String::from("\n");
    let mut broken = !evidence.1.is_empty();
    for (name, sealing) in streams {
        let text = match sealing {
            Sealing::Sealed => "sealed".to_owned(),
            Sealing::Unsealed { frames, torn: false } => format!("unsealed, whole to frame {frames}"),
            Sealing::Unsealed { frames, torn: true } => {
                format!("unsealed, whole to frame {frames}, torn tail")
            }
            Sealing::Broken(why) => {
                broken = true;
                format!("broken: {why}")
            }
        };
        out.push_str(&wrap(&format!("  {name:<18} "), &text));
    }
    out.push_str(&wrap(
        "  evidence           ",
        &format!("{} pieces, {} broken", evidence.0, evidence.1.len()),
    ));
    for piece in evidence.1 {
        out.push_str(&wrap("                     ", piece));
    }
    out.push('\n');
    if let Some(phrase) = phrase {
        out.push_str(&wrap("  Phrase: ", phrase));
        out.push_str(&wrap("  ", "Compare it with what you wrote down: the same words mean the same case."));
        out.push('\n');
    }
    let next = if broken {
        "Next: this case was changed or damaged; take the copy you exported."
    } else {
        "Next: read it:   calma show --case"
    };
    let next = if broken { next.to_owned() } else { format!("{next} {case}") };
    out.push_str(&wrap("  ", &next).replacen("Next:", &style.strong("Next:"), 1));
    out
}
