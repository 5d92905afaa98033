//! Settings where a named word is followed by a command: interfaces(5), wg-quick(8), openvpn(8), pppd(8), acpid(8).

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "directives",
    doc: "Commands and files behind named words of a line.",
    manual: "interfaces(5), wg-quick(8), openvpn(8), pppd(8), acpid(8), dhclient.conf(5)",
    samples: &[
        b"# c\nauto eth0\niface eth0 inet dhcp\n  pre-up /bin/a \\\n   --b\n\tup ip r a 192.0.2.0/24 dev eth0 || true\nsource /etc/network/interfaces.d/*\n",
        b"[Interface]\nPostUp = iptables -A FORWARD -i %i -j ACCEPT; /opt/x\nPrivateKey = a=\n",
        b"up \"/etc/openvpn/up.sh a\"\nscript-security 2\n; down /x\n",
        b"script \"/sbin/dhclient-script\";\n",
        b"event=button/power\naction=/etc/acpi/p.sh %e\n",
    ],
    feed: |bytes| drop(parse(bytes, &[b"pre-up", b"up", b"PostUp", b"script", b"action", b"source"])),
};

/// More are not taken from one file.
const MOST: usize = 10_000;

/// One named word with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its first line, from 1.
    pub line: u32,
    /// The word, as it was asked for.
    pub name: Text,
    /// What stands behind it, without an equals sign, a semicolon at the end and quotes around the whole.
    pub value: Text,
}

/// The lines whose first word is one of `names`, whatever its case. A backslash at the end goes on in the next line.
pub fn parse(bytes: &[u8], names: &[&[u8]]) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut open: Option<(u32, Vec<u8>)> = None;
    for (number, text) in lines::numbered(bytes) {
        let (line, mut whole) = open.take().unwrap_or((number, Vec::new()));
        if let Some(begins) = text.strip_suffix(b"\\") {
            if whole.len() < 1 << 20 {
                whole.extend_from_slice(begins);
            }
            open = Some((line, whole));
            continue;
        }
        whole.extend_from_slice(text);
        found.extend(one(line, &whole, names));
        if found.len() >= MOST {
            return found;
        }
    }
    found.extend(open.and_then(|(line, whole)| one(line, &whole, names)));
    found
}

fn one(line: u32, text: &[u8], names: &[&[u8]]) -> Option<Directive> {
    let text = text.trim_ascii();
    let end = text.iter().position(|b| matches!(b, b' ' | b'\t' | b'=')).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let name = names.iter().find(|name| word.eq_ignore_ascii_case(name))?;
    let rest = rest.trim_ascii();
    let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii();
    let rest = rest.strip_suffix(b";").unwrap_or(rest).trim_ascii();
    let quoted =
        |quote: &[u8]| rest.strip_prefix(quote)?.strip_suffix(quote).filter(|inner| !inner.contains(&b'"'));
    let value = quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(rest);
    (!value.is_empty()).then(|| Directive { line, name: (*name).into(), value: value.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sample: usize, names: &[&[u8]]) -> Vec<String> {
        let found = parse(FORMAT.samples[sample], names);
        found.iter().map(|one| format!("{}:{}:{}", one.line, one.name, one.value)).collect()
    }

    #[test]
    fn commands_stand_behind_names() {
        assert_eq!(
            shown(0, &[b"pre-up", b"up", b"source"]),
            [
                "4:pre-up:/bin/a    --b",
                "6:up:ip r a 192.0.2.0/24 dev eth0 || true",
                "7:source:/etc/network/interfaces.d/*"
            ]
        );
        assert_eq!(shown(1, &[b"postup"]), ["2:postup:iptables -A FORWARD -i %i -j ACCEPT; /opt/x"]);
        assert_eq!(shown(2, &[b"up", b"down"]), ["1:up:/etc/openvpn/up.sh a"]);
        assert_eq!(shown(3, &[b"script"]), ["1:script:/sbin/dhclient-script"]);
        assert_eq!(shown(4, &[b"action"]), ["2:action:/etc/acpi/p.sh %e"]);
    }
}
