//! Where packages come from: sources.list(5), deb822 sources, repositories of yum, zypper, apk and pacman.

use crate::{Format, lines, unit};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "package_sources",
    doc: "Addresses that packages are taken from, and how they are checked.",
    manual: "sources.list(5), dnf.conf(5), yum.conf(5), apk-repositories(5), pacman.conf(5)",
    samples: &[
        b"deb [trusted=yes arch=amd64] http://a/b x main\ndeb-src https://c x\n# deb http://n x\ndeb cdrom:[Debian 12 _x_]/ x main\n",
        b"Types: deb\nURIs: https://a/b\n  http://c\nSuites: x\nTrusted: yes\n\nEnabled: no\nURIs: http://n\nTypes: deb\n\nTypes: deb\nURIs: http://d\nSigned-By: /k\n",
        b"[a]\nname=x\nbaseurl=http://a/\n  http://b/\ngpgcheck=0\n[c]\nmirrorlist=https://c\nenabled=0\n[main]\nproxy=http://p\n",
        b"https://a/alpine/v3/main\n@edge http://b\n",
        b"[core]\nSigLevel = Never\nServer = http://a/$repo\n",
    ],
    feed: |bytes| {
        drop(one_line(bytes));
        drop(deb822(bytes));
        drop(sections(bytes));
        drop(plain(bytes));
    },
};

/// More sources than this are not taken from one file.
const MOST: usize = 4096;

/// One address that packages are taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its line, from 1.
    pub line: u32,
    /// The address.
    pub uri: Text,
    /// Options that say how it is checked, `name=value` with small names, separated by blanks.
    pub options: Text,
}

/// Sources of sources.list(5) in the form of one line each.
pub fn one_line(bytes: &[u8]) -> Vec<Source> {
    let found = |(line, text): (u32, &[u8])| {
        let rest = text.strip_prefix(b"deb-src").or_else(|| text.strip_prefix(b"deb"))?;
        let rest = rest.trim_ascii_start();
        let (options, rest) = match rest.strip_prefix(b"[") {
            Some(inside) => {
                let end = inside.iter().position(|b| *b == b']')?;
                (inside.get(..end)?, inside.get(end + 1..)?)
            }
            None => (&b""[..], rest),
        };
        let uri = lines::words(rest).next()?;
        Some(Source { line, uri: uri.into(), options: options.trim_ascii().to_ascii_lowercase().into() })
    };
    lines::meaningful(bytes).filter_map(found).take(MOST).collect()
}

/// Sources in the form of paragraphs; those that are switched off are left out.
pub fn deb822(bytes: &[u8]) -> Vec<Source> {
    let mut all = Vec::new();
    let mut fields: Vec<(u32, String, Vec<u8>)> = Vec::new();
    let rows = lines::numbered(bytes).chain([(0, &b""[..])]);
    for (line, text) in rows {
        if text.starts_with(b"#") {
            continue;
        }
        if text.trim_ascii().is_empty() {
            paragraph(&std::mem::take(&mut fields), &mut all);
        } else if text.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            if let Some((_, _, value)) = fields.last_mut().filter(|field| field.2.len() < 64 << 10) {
                value.push(b' ');
                value.extend_from_slice(text.trim_ascii());
            }
        } else if let Some((name, value)) = lines::cut(text, b':').filter(|_| fields.len() < 256) {
            fields.push((line, String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
        }
    }
    all
}

fn paragraph(fields: &[(u32, String, Vec<u8>)], all: &mut Vec<Source>) {
    let value = |name: &str| fields.iter().find(|field| field.1 == name);
    if value("enabled").is_some_and(|field| field.2.eq_ignore_ascii_case(b"no")) {
        return;
    }
    let Some((line, _, uris)) = value("uris") else { return };
    let mut options = Vec::new();
    for name in ["trusted", "allow-insecure", "allow-weak", "signed-by", "check-valid-until"] {
        if let Some((_, _, value)) = value(name) {
            let shown: Vec<u8> = value.iter().copied().take_while(|b| *b != b' ').collect();
            options.push([name.as_bytes(), b"=", &shown].concat());
        }
    }
    let options = Text::from(options.join(&b' ').to_ascii_lowercase());
    for uri in lines::words(uris).take(64) {
        if all.len() < MOST {
            all.push(Source { line: *line, uri: uri.into(), options: options.clone() });
        }
    }
}

/// Repositories of yum, dnf, zypper and pacman: sections with settings; those that are switched off are left out.
pub fn sections(bytes: &[u8]) -> Vec<Source> {
    let settings = unit::parse(bytes);
    let mut all = Vec::new();
    for section in settings.chunk_by(|a, b| a.section == b.section) {
        let value = |name: &str| {
            section
                .iter()
                .find(|s| s.name.as_bytes().eq_ignore_ascii_case(name.as_bytes()))
                .map(|s| s.value.as_bytes())
        };
        if value("enabled").is_some_and(|value| matches!(value, b"0" | b"false" | b"no")) {
            continue;
        }
        let mut options = Vec::new();
        for name in ["gpgcheck", "repo_gpgcheck", "pkg_gpgcheck", "sslverify", "siglevel"] {
            if let Some(value) = value(name) {
                options.push([name.as_bytes(), b"=", value].concat());
            }
        }
        let options = Text::from(options.join(&b' ').to_ascii_lowercase());
        let addresses = section.iter().filter(|setting| {
            let name = setting.name.as_bytes().to_ascii_lowercase();
            matches!(name.as_slice(), b"baseurl" | b"mirrorlist" | b"metalink" | b"server")
        });
        let before = all.len();
        for setting in addresses.take(64) {
            for uri in lines::words(setting.value.as_bytes()).take(16) {
                if all.len() < MOST {
                    all.push(Source { line: setting.line, uri: uri.into(), options: options.clone() });
                }
            }
        }
        // Settings for all repositories.
        if all.len() == before && !options.is_empty() && all.len() < MOST {
            let line = section.first().map_or(0, |setting| setting.line);
            all.push(Source { line, uri: Text::default(), options });
        }
    }
    all
}

/// Lines with an address each.
pub fn plain(bytes: &[u8]) -> Vec<Source> {
    let found = |(line, text): (u32, &[u8])| {
        let uri = lines::words(text).find(|word| !word.starts_with(b"@"))?;
        Some(Source { line, uri: uri.into(), options: Text::default() })
    };
    lines::meaningful(bytes).filter_map(found).take(MOST).collect()
}

/// The host that an address names; empty for files.
pub fn host(uri: &[u8]) -> &[u8] {
    let at = uri.windows(3).position(|window| window == b"://");
    let Some(rest) = at.and_then(|at| uri.get(at + 3..)) else { return b"" };
    let rest = rest.split(|b| matches!(b, b'/' | b'?' | b'#')).next().unwrap_or_default();
    let rest = rest.rsplit(|b| *b == b'@').next().unwrap_or_default();
    if let Some(inside) = rest.strip_prefix(b"[") {
        return inside.split(|b| *b == b']').next().unwrap_or_default();
    }
    rest.split(|b| *b == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(all: Vec<Source>) -> Vec<String> {
        all.into_iter().map(|s| format!("{} {} {}", s.line, s.uri, s.options)).collect()
    }

    #[test]
    fn each_form_gives_its_sources() {
        assert_eq!(
            shown(one_line(FORMAT.samples[0])),
            ["1 http://a/b trusted=yes arch=amd64", "2 https://c ", "4 cdrom:[Debian "]
        );
        assert_eq!(
            shown(deb822(FORMAT.samples[1])),
            ["2 https://a/b trusted=yes", "2 http://c trusted=yes", "12 http://d signed-by=/k"]
        );
        assert_eq!(shown(sections(FORMAT.samples[2])), ["3 http://a/ gpgcheck=0"]);
        assert_eq!(shown(plain(FORMAT.samples[3])), ["1 https://a/alpine/v3/main ", "2 http://b "]);
        assert_eq!(shown(sections(FORMAT.samples[4])), ["3 http://a/$repo siglevel=never"]);
        assert_eq!(host(b"https://u:p@a.b:80/x"), b"a.b");
        assert_eq!(host(b"http://[::1]:80/x"), b"::1");
    }
}
