//! A line of /etc/shadow (shadow(5)) with its account locked and expired.

use calma_record::step::Refusal;

/// `bytes` with the account's password locked (`!` before it, so that it comes back exactly) and the account expired on
/// the first day of 1970 + 1, which also stops keys and other ways to log in (usermod(8), `--lock --expiredate 1`).
pub(crate) fn locked(bytes: &[u8], account: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut found = false;
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        let (line, end) = match piece.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (piece, &b""[..]),
        };
        let mut fields: Vec<Vec<u8>> = line.split(|b| *b == b':').map(<[u8]>::to_vec).collect();
        if fields.first().map(Vec::as_slice) != Some(account) || fields.len() < 2 {
            out.extend_from_slice(piece);
            continue;
        }
        found = true;
        fields.resize(fields.len().max(9), Vec::new());
        if let Some(password) = fields.get_mut(1).filter(|password| !password.starts_with(b"!")) {
            password.insert(0, b'!');
        }
        if let Some(expires) = fields.get_mut(7) {
            *expires = b"1".to_vec();
        }
        out.extend_from_slice(&fields.join(&b':'));
        out.extend_from_slice(end);
    }
    if !found {
        return Err(Refusal::new("the account has no line in /etc/shadow")
            .instead("if it comes from a directory service, lock it there"));
    }
    if out == bytes {
        return Err(Refusal::new("the account is locked and expired already"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_line_changes() {
        let text = b"root:*:1:0:99999:7:::\nsysadm:$y$x:2:0:99999:7:::\nold:x\n";
        let out = locked(text, b"sysadm").unwrap();
        assert_eq!(out, b"root:*:1:0:99999:7:::\nsysadm:!$y$x:2:0:99999:7::1:\nold:x\n");
        assert!(locked(&out, b"sysadm").is_err());
        assert!(locked(text, b"nobody").is_err());
        assert!(locked(text, b"old").unwrap().ends_with(b"old:!x::::::1:\n"));
    }
}
