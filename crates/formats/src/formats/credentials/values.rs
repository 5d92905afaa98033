//! Names with their values in the syntaxes of settings, and which values can be a secret.

/// Names whose value stands behind a blank, without any sign between.
const WITH_BLANK: &[&[u8]] = &[
    b"requirepass",
    b"masterauth",
    b"bindpw",
    b"rootbindpw",
    b"rootpw",
    b"ldap_default_authtok",
    b"_authtoken",
];

/// Every name and value of a line: `NAME=value`, `name: value`, `'name' => 'value'`, `define('NAME', 'value')`,
/// `<name>value</name>`, several of them behind one another.
pub(super) fn assignments(line: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    let (mut at, mut left) = (0, 256);
    while left > 0
        && let Some(sign) =
            line.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'=' | b':' | b',' | b'>')))
    {
        let sign = at + sign;
        (at, left) = (sign + 1, left - 1);
        let before = line.get(..sign).unwrap_or_default().trim_ascii_end();
        let (mut behind, byte) =
            (line.get(sign + 1..).unwrap_or_default(), line.get(sign).copied().unwrap_or(0));
        if byte == b'=' {
            // Comparisons set nothing.
            if matches!(behind.first(), Some(b'=' | b'~'))
                || matches!(before.last(), Some(b'=' | b'!' | b'<' | b'>'))
            {
                at = sign + 2;
                continue;
            }
            behind = behind.strip_prefix(b">").unwrap_or(behind);
        }
        if byte == b':' && behind.starts_with(b"//") {
            continue;
        }
        let name = match byte {
            // `define('NAME', 'value')` alone has its name before a comma, in quotes.
            b',' => quoted_before(before)
                .filter(|_| has(line, b"define") || has(line, b"setenv") || has(line, b"Define")),
            b'>' => element_before(before).filter(|_| has(behind, b"</")),
            _ => name_before(before),
        };
        if let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= 96) {
            found.push((name, value(behind, byte == b'>')));
        }
        if found.len() >= 64 {
            break;
        }
    }
    let mut words = line.trim_ascii().splitn(2, |b| matches!(b, b' ' | b'\t'));
    if let (Some(name), Some(rest)) = (words.next(), words.next())
        && WITH_BLANK.contains(&name.to_ascii_lowercase().as_slice())
    {
        found.push((name, value(rest, false)));
    }
    found
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// The name that ends a text, without the quotes or brackets around it.
fn name_before(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_suffix(b"]").unwrap_or(text);
    if text.last().is_some_and(|b| matches!(b, b'\'' | b'"')) {
        return quoted_before(text);
    }
    let begins = text.iter().rposition(|b| !is_name(*b)).map_or(0, |at| at + 1);
    let name = text.get(begins..)?;
    // What stands in front must end a word: `a@name`, `/name`, `$(name` are something else.
    let open = text.get(..begins).and_then(<[u8]>::last).is_none_or(|b| {
        matches!(
            b,
            b' ' | b'\t'
                | b'"'
                | b'\''
                | b'{'
                | b'('
                | b','
                | b';'
                | b'['
                | b'$'
                | b'&'
                | b'?'
                | b'/'
                | b'@'
                | b'>'
                | b'<'
                | b'|'
                | b'_'
        )
    });
    (open && !name.iter().all(u8::is_ascii_digit)).then_some(name)
}

fn quoted_before(text: &[u8]) -> Option<&[u8]> {
    let (quote, rest) = text.split_last().filter(|(quote, _)| matches!(quote, b'\'' | b'"'))?;
    let begins = rest.iter().rposition(|b| b == quote)? + 1;
    rest.get(begins..).filter(|name| name.iter().all(|b| is_name(*b)))
}

/// The name of an element, or of what its `key` or `name` says.
fn element_before(text: &[u8]) -> Option<&[u8]> {
    let begins = text.iter().rposition(|b| *b == b'<')? + 1;
    let inside = text.get(begins..)?;
    if inside.iter().all(|b| is_name(*b)) { Some(inside) } else { quoted_before(inside) }
}

/// The value that begins a text: up to the quote that closes it, or to a blank or a sign that ends it.
fn value(text: &[u8], element: bool) -> &[u8] {
    let text = text.trim_ascii();
    if element {
        return text.split(|b| *b == b'<').next().unwrap_or_default().trim_ascii();
    }
    match text {
        [quote @ (b'"' | b'\''), rest @ ..] => {
            let end = rest.iter().position(|b| b == quote).unwrap_or(rest.len());
            rest.get(..end).unwrap_or_default()
        }
        _ => {
            let end = text.iter().position(|b| matches!(b, b' ' | b'\t' | b',' | b';' | b'"' | b'\'' | b'}'));
            text.get(..end.unwrap_or(text.len())).unwrap_or_default()
        }
    }
}

/// Whether a value can be a secret: no reference to another place, no switch, no place holder.
pub(super) fn is_secret_value(name: &[u8], value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"true",
        b"false",
        b"yes",
        b"no",
        b"on",
        b"off",
        b"none",
        b"null",
        b"nil",
        b"undefined",
        b"ask",
        b"prompt",
        b"optional",
        b"required",
        b"files",
        b"file",
        b"plain",
        b"md5",
        b"sha256",
        b"compat",
        b"default",
        b"enabled",
        b"disabled",
        b"string",
        b"str",
        b"text",
        b"password",
        b"passwd",
        b"secret",
        b"token",
        b"password_here",
        b"your_password",
        b"yourpassword",
        b"changeme",
        b"change_me",
        b"example",
        b"xxx",
        b"never",
        b"always",
        b"basic",
        b"bearer",
        b"unset",
        b"empty",
        b"self",
        b"crypt",
        b"hidden",
        b"*****",
        b"********",
        b"redacted",
        b"todo",
        b"env",
        b"stdin",
    ];
    let lower = value.to_ascii_lowercase();
    let flat_name = name.to_ascii_lowercase();
    let reference = value.starts_with(b"$")
        || value.starts_with(b"{{")
        || value.starts_with(b"%")
        || value.starts_with(b"<")
        || value.starts_with(b"@")
        || value.starts_with(b"&")
        || value.starts_with(b"!")
        || value.starts_with(b"[")
        || value.starts_with(b"{")
        || value.starts_with(b"|")
        || value.starts_with(b">")
        || has(value, b"${")
        || has(value, b"$(")
        || has(value, b"{{");
    let code = value.contains(&b'(')
        || has(value, b"->")
        || has(value, b"::")
        || [
            &b"os."[..],
            b"process.",
            b"self.",
            b"this.",
            b"config.",
            b"settings.",
            b"env.",
            b"request.",
            b"args.",
        ]
        .iter()
        .any(|part| value.starts_with(part));
    let address = has(value, b"://");
    let holder = has(&lower, b"your")
        || has(&lower, b"xxxx")
        || has(&lower, b"put your")
        || has(&lower, b"_here")
        || has(&lower, b"change-me")
        || has(&lower, b"placeholder")
        || has(&lower, b"insert");
    let wants_address =
        [&b"url"[..], b"uri", b"dsn", b"connectionstring"].iter().any(|end| flat_name.ends_with(end));
    let enough = value.len() >= 3 && value.iter().any(|b| b.is_ascii_alphanumeric());
    let path = value.starts_with(b"/")
        && value.iter().filter(|b| **b == b'/').count() >= 2
        && !value.ends_with(b"=");
    if wants_address {
        return address_with_password(value).is_some() || (!address && has(&lower, b"password="));
    }
    enough && !reference && !code && !path && !address && !holder && !WORDS.contains(&lower.as_slice())
}

/// The scheme and host of `scheme://user:password@host` in a text (RFC 3986 section 3.2).
pub(super) fn address_with_password(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut from, mut left) = (0, 16);
    while left > 0
        && let Some(at) = text.get(from..).and_then(|rest| find(rest, b"://"))
    {
        let at = from + at;
        (from, left) = (at + 3, left - 1);
        let before = text.get(..at)?;
        let begins = before
            .iter()
            .rposition(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
            .map_or(0, |at| at + 1);
        let rest = text.get(from..)?;
        let end = rest
            .iter()
            .position(|b| matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b' ' | b'\t' | b'<' | b'>' | b','))
            .unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        let Some(sign) = authority.iter().rposition(|b| *b == b'@') else { continue };
        let (user, host) = (authority.get(..sign)?, authority.get(sign + 1..)?);
        let Some(colon) = user.iter().position(|b| *b == b':') else { continue };
        let password = user.get(colon + 1..)?;
        let placeholder = [&b"$"[..], b"%", b"{", b"<", b"["].iter().any(|mark| password.starts_with(mark))
            || matches!(
                password,
                b"pass" | b"password" | b"pw" | b"PASSWORD" | b"pwd" | b"xxx" | b"***" | b"secret"
            );
        let scheme = before.get(begins..)?;
        if !password.is_empty() && !placeholder && !host.is_empty() && !scheme.is_empty() {
            return Some((scheme, host));
        }
    }
    None
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    find(bytes, part).is_some()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
