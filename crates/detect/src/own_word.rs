//! How bad a sign is in the word of whoever wrote it: rules and lists each have their own scale.

use calma_record::Severity;

/// The severity that a rule's or list's own word means; `None` if it says nothing that is understood.
///
/// Numbers up to 10 are taken as tenths, larger ones as hundredths (the scores of common rule collections).
pub(crate) fn severity(word: &str) -> Option<Severity> {
    let word = word.trim().to_ascii_lowercase();
    if let Ok(number) = word.parse::<u32>() {
        let score = if number <= 10 { number * 10 } else { number };
        return Some(match score {
            0..=19 => Severity::Info,
            20..=39 => Severity::Low,
            40..=69 => Severity::Medium,
            70..=94 => Severity::High,
            _ => Severity::Critical,
        });
    }
    match word.as_str() {
        "critical" | "crit" | "fatal" | "severe" => Some(Severity::Critical),
        "high" | "malicious" | "malware" | "danger" | "error" => Some(Severity::High),
        "medium" | "moderate" | "suspicious" | "warning" | "warn" => Some(Severity::Medium),
        "low" | "minor" => Some(Severity::Low),
        "info" | "informational" | "information" | "notice" | "none" | "undefined" => Some(Severity::Info),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_scores_are_understood() {
        let cases = [
            ("High", Some(Severity::High)),
            (" suspicious", Some(Severity::Medium)),
            ("80", Some(Severity::High)),
            ("3", Some(Severity::Low)),
            ("100", Some(Severity::Critical)),
            ("", None),
            ("APT", None),
        ];
        for (word, severity) in cases {
            assert_eq!(super::severity(word), severity, "{word}");
        }
    }
}
