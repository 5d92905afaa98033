//! Tokens by their published form.

use super::Family;

/// How a token begins, how long the rest is at least, and what it is.
const FORMS: &[(&[u8], usize, &str, Family)] = &[
    (b"AKIA", 16, "AWS access key", Family::Cloud),
    (b"ASIA", 16, "AWS session key", Family::Cloud),
    (b"AIza", 35, "Google API key", Family::Cloud),
    (b"dop_v1_", 40, "DigitalOcean token", Family::Cloud),
    (b"ghp_", 36, "GitHub token", Family::Code),
    (b"gho_", 36, "GitHub token", Family::Code),
    (b"ghs_", 36, "GitHub token", Family::Code),
    (b"ghu_", 36, "GitHub token", Family::Code),
    (b"ghr_", 36, "GitHub token", Family::Code),
    (b"github_pat_", 40, "GitHub token", Family::Code),
    (b"glpat-", 20, "GitLab token", Family::Code),
    (b"glrt-", 20, "GitLab runner token", Family::Code),
    (b"gldt-", 20, "GitLab deploy token", Family::Code),
    (b"npm_", 36, "npm token", Family::Code),
    (b"pypi-AgE", 40, "PyPI token", Family::Code),
    (b"dckr_pat_", 20, "Docker token", Family::Code),
    (b"hvs.", 24, "Vault token", Family::Store),
    (b"xoxb-", 24, "Slack token", Family::Service),
    (b"xoxp-", 24, "Slack token", Family::Service),
    (b"sk_live_", 20, "Stripe key", Family::Service),
    (b"rk_live_", 20, "Stripe key", Family::Service),
    (b"SG.", 60, "SendGrid key", Family::Service),
    (b"sk-ant-", 40, "Anthropic key", Family::Service),
];

/// The first token of a line.
pub(super) fn find(line: &[u8]) -> Option<(&'static str, Family)> {
    let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    line.split(|b| !inside(b)).filter(|word| word.len() >= 20).find_map(|word| {
        FORMS.iter().find_map(|(begins, least, name, family)| {
            let rest = word.strip_prefix(*begins)?;
            let varied = rest.iter().any(|b| rest.first() != Some(b));
            let upper = begins.len() != 4
                || !begins.iter().all(u8::is_ascii_uppercase)
                || (rest.len() == 16 && rest.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
            let example = word.ends_with(b"EXAMPLE");
            (rest.len() >= *least && varied && upper && !example).then_some((*name, *family))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_by_their_form() {
        // Put together here, so that no scanner of this source takes them for real ones.
        let token = |begin: &str, length: usize| {
            format!("curl -H 'PRIVATE-TOKEN: {begin}{}'", "aB3".repeat(length).get(..length).unwrap())
        };
        assert_eq!(find(token("glpat-", 20).as_bytes()).unwrap().0, "GitLab token");
        assert_eq!(find(token("ghp_", 36).as_bytes()).unwrap().1, Family::Code);
        assert_eq!(find(format!("k=AKIA{}", "A1B2".repeat(4)).as_bytes()).unwrap().1, Family::Cloud);
        for none in
            ["ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIAIOSFODNN7EXAMPLE", "npm_config_registry", ""]
        {
            assert!(find(none.as_bytes()).is_none(), "{none}");
        }
    }
}
