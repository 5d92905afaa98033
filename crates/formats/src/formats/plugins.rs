//! Modules that libraries load by a setting: gconv-modules of the C library, openssl.cnf.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "plugins",
    doc: "Modules of character conversion, engines and providers of OpenSSL.",
    manual: "iconvconfig(8), config(5) of OpenSSL",
    samples: &[
        b"# from to module cost\nalias BS_4730// ISO646-GB//\nmodule\tISO646-GB//\tINTERNAL\tISO646\t2\nmodule A// INTERNAL /tmp/x.so 1\n",
        b"openssl_conf = i # c\n.include /etc/ssl/a.cnf\n.include=b\n[i]\nengines = e\n[e]\ndynamic_path = /usr/lib/engines-3/p.so\nmodule = \"/opt/m.so\"\nSO_PATH=x\n",
    ],
    feed: |bytes| {
        drop(conversions(bytes));
        drop(openssl(bytes));
    },
};

/// More are not taken from one file.
const MOST: usize = 20_000;

/// The modules of a gconv-modules file as written: a name of the same directory, or a path, without `.so`.
pub fn conversions(bytes: &[u8]) -> Vec<(u32, Text)> {
    let one = |(line, text): (u32, &[u8])| {
        let mut words = lines::words(text);
        if words.next() != Some(b"module") {
            return None;
        }
        Some((line, words.nth(2)?.into()))
    };
    lines::meaningful(bytes).filter_map(one).take(MOST).collect()
}

/// The modules and includes (`true`) of an openssl.cnf.
pub fn openssl(bytes: &[u8]) -> Vec<(u32, Text, bool)> {
    let one = |(line, text): (u32, &[u8])| {
        let text = text.split(|b| *b == b'#').next().unwrap_or_default().trim_ascii();
        let strip = |value: &[u8]| -> Text {
            let value = value.trim_ascii();
            let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            inner.unwrap_or(value).into()
        };
        if let Some(rest) = text.strip_prefix(b".include") {
            let rest = rest.trim_ascii();
            return Some((line, strip(rest.strip_prefix(b"=").unwrap_or(rest)), true));
        }
        let (name, value) = lines::cut(text, b'=')?;
        // A name may be of the form section::name.
        let name = name.rsplit(|b| *b == b':').next().unwrap_or_default();
        let loads = matches!(name, b"module" | b"dynamic_path" | b"SO_PATH" | b"MODULE_PATH");
        (loads && !value.is_empty()).then(|| (line, strip(value), false))
    };
    lines::meaningful(bytes).filter_map(one).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_includes() {
        assert_eq!(conversions(FORMAT.samples[0]), [(3, "ISO646".into()), (4, "/tmp/x.so".into())]);
        let all = openssl(FORMAT.samples[1]);
        let shown: Vec<String> =
            all.iter().map(|(line, value, include)| format!("{line} {value} {include}")).collect();
        assert_eq!(
            shown,
            [
                "2 /etc/ssl/a.cnf true",
                "3 b true",
                "7 /usr/lib/engines-3/p.so false",
                "8 /opt/m.so false",
                "9 x false"
            ]
        );
    }
}
