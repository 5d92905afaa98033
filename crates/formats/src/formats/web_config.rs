//! Settings of web servers: Apache httpd, nginx, lighttpd, Caddy; PHP's ini files and .htaccess.

use crate::{Format, lines};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "web-config",
    doc: "Directives of Apache httpd, nginx, lighttpd, Caddy and PHP.",
    manual: "https://httpd.apache.org/docs/2.4/configuring.html, https://nginx.org/en/docs/beginners_guide.html, php.ini",
    samples: &[
        b"<VirtualHost *:80>\n DocumentRoot \"/var/www/a b\"\n CustomLog \"|/usr/bin/rotate /x\" combined\\\n extra\n</VirtualHost>\n# c\n",
        b"user www-data; http { include /etc/nginx/*.conf; server { root /srv/www/x; location ~ \\.php$ { content_by_lua_block { os.execute('x') } } } }\n",
        b"server.document-root = \"/var/www/html\"\nalias.url = ( \"/a/\" => \"/b/\" )\n",
        b"; php\n[PHP]\nauto_prepend_file = \"/x.php\"\nextension=curl\nphp_admin_value[auto_append_file] = y.php\n",
    ],
    feed: |bytes| {
        drop(apache(bytes));
        drop(braces(bytes));
        drop(assignments(bytes));
    },
};

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Line, from 1.
    pub line: u32,
    /// Its name in lower case.
    pub name: String,
    /// Its arguments, quotes taken off.
    pub arguments: Vec<Text>,
}

/// Most directives of one file that are kept.
const MOST: usize = 20_000;

/// Directives of Apache httpd: one a line, `\` at the end goes on, sections in `<…>`.
pub fn apache(bytes: &[u8]) -> Vec<Directive> {
    let (mut directives, mut held, mut first) = (Vec::new(), Vec::new(), 0);
    for (number, line) in lines::numbered(bytes) {
        let line = line.trim_ascii();
        if held.is_empty() {
            first = number;
        }
        if let Some(part) = line.strip_suffix(b"\\").filter(|_| held.len() < 64 << 10) {
            held.extend_from_slice(part);
            held.push(b' ');
            continue;
        }
        held.extend_from_slice(line);
        let whole = std::mem::take(&mut held);
        let text = whole
            .trim_ascii()
            .strip_prefix(b"<")
            .map_or(whole.trim_ascii(), |inside| inside.strip_suffix(b">").unwrap_or(inside));
        if text.is_empty() || text.starts_with(b"#") || text.starts_with(b"/") {
            continue;
        }
        push(&mut directives, first, words(text));
        if directives.len() >= MOST {
            break;
        }
    }
    directives
}

/// Directives of nginx and Caddy: words up to `;`, `{`, `}` (nginx) or the end of the line before `{` (Caddy).
pub fn braces(bytes: &[u8]) -> Vec<Directive> {
    let (mut directives, mut words, mut word) = (Vec::new(), Vec::<Text>::new(), Vec::new());
    let (mut line, mut first, mut quote) = (1_u32, 1_u32, 0_u8);
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let here = line;
        line = line.saturating_add(u32::from(byte == b'\n'));
        if quote != 0 {
            match byte {
                _ if byte == quote => quote = 0,
                b'\\' if rest.peek() == Some(&quote) => word.extend(rest.next()),
                _ => word.push(byte),
            }
            continue;
        }
        match byte {
            b'#' if word.is_empty() => while rest.next_if(|b| *b != b'\n').is_some() {},
            b'"' | b'\'' if word.is_empty() => quote = byte,
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b'}' => {
                // `${x}` belongs to a word.
                if byte == b'{' && word.last() == Some(&b'$') {
                    word.push(byte);
                    while let Some(inside) = rest.next_if(|b| !matches!(b, b'\n' | b';')) {
                        word.push(inside);
                        if inside == b'}' {
                            break;
                        }
                    }
                    continue;
                }
                if !word.is_empty() {
                    if words.is_empty() {
                        first = here;
                    }
                    words.push(std::mem::take(&mut word).into());
                }
                // A line's end ends a directive of Caddy, whose names stand alone; nginx goes on to the semicolon.
                let ends = matches!(byte, b';' | b'{' | b'}') || (byte == b'\n' && is_caddy(words.first()));
                if ends && !words.is_empty() {
                    push(&mut directives, first, std::mem::take(&mut words));
                    if directives.len() >= MOST {
                        return directives;
                    }
                }
            }
            _ if word.len() < 4096 => word.push(byte),
            _ => {}
        }
    }
    directives
}

fn is_caddy(name: Option<&Text>) -> bool {
    name.is_some_and(|name| {
        matches!(name.as_bytes(), b"file_server" | b"php_fastcgi" | b"import" | b"encode" | b"tls")
    }) || name.is_some_and(|name| *name == "root")
}

/// `name = value` a line, with `;` or `#` for comments: php.ini, pool files, .user.ini, lighttpd.
pub fn assignments(bytes: &[u8]) -> Vec<Directive> {
    let mut directives = Vec::new();
    for (number, line) in lines::meaningful(bytes).filter(|(_, line)| !line.starts_with(b";")).take(MOST) {
        let Some((name, value)) = lines::cut(line, b'=') else { continue };
        let name = name.strip_suffix(b"+").or_else(|| name.strip_suffix(b":")).unwrap_or(name).trim_ascii();
        let value = value.strip_prefix(b">").unwrap_or(value).trim_ascii();
        let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.split(|b| *b == b'"').next());
        let plain =
            quoted.unwrap_or_else(|| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
        push(&mut directives, number, vec![name.into(), plain.into()]);
    }
    directives
}

fn push(directives: &mut Vec<Directive>, line: u32, words: Vec<Text>) {
    let mut words = words.into_iter();
    if let Some(name) = words.next() {
        let name = String::from_utf8_lossy(name.as_bytes()).to_ascii_lowercase();
        directives.push(Directive { line, name, arguments: words.collect() });
    }
}

/// Words of a line; quotes hold blanks together, and a backslash keeps a quote.
fn words(line: &[u8]) -> Vec<Text> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), Vec::new(), 0_u8, false);
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' if matches!(rest.peek(), Some(b'"' | b'\'')) => word.extend(rest.next()),
            _ if quote != 0 && byte == quote => quote = 0,
            b'"' | b'\'' if quote == 0 && word.is_empty() => (quote, open) = (byte, true),
            b' ' | b'\t' if quote == 0 => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word).into());
                }
                open = false;
            }
            _ => word.push(byte),
        }
    }
    if open || !word.is_empty() {
        words.push(word.into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(directives: &[Directive]) -> Vec<String> {
        let line = |d: &Directive| {
            let words = d.arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
            format!("{} {}: {}", d.line, d.name, words.join("|"))
        };
        directives.iter().map(line).collect()
    }

    #[test]
    fn directives_are_read_with_their_lines() {
        assert_eq!(
            shown(&apache(b"<Directory \"/a b\">\n  AddHandler x .jpg \\\n  .png\n</Directory>\nCustomLog \"|/bin/x \\\"y\\\"\" c\n")),
            ["1 directory: /a b", "2 addhandler: x|.jpg|.png", "5 customlog: |/bin/x \"y\"|c"]
        );
        assert_eq!(
            shown(&braces(b"http {\n # no\n server { root /srv/${a}; }\n load_module \"m.so\";\n}\n")),
            ["1 http: ", "3 server: ", "3 root: /srv/${a}", "4 load_module: m.so"]
        );
        assert_eq!(
            shown(&braces(b"example.org {\n root * /srv/x\n file_server\n}\n")),
            ["1 example.org: ", "2 root: *|/srv/x", "3 file_server: "]
        );
        assert_eq!(
            shown(&assignments(
                b"; c\n[x]\na = \"b c\" ; d\nserver.document-root=\"/w\"\nphp_value[k] = v ; w\n"
            )),
            ["3 a: b c", "4 server.document-root: /w", "5 php_value[k]: v"]
        );
    }
}
