//! Collector: what web servers and PHP are told to load and run.

use crate::walk::Walk;
use crate::web::{self, Program};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, describe, settings};
use calma_formats::web_config::Directive;
use calma_host::{join, parent};
use calma_record::{Source, Text, kinds::WebSetting};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "web-settings",
        doing: "Looking at settings of web servers",
        doc: "what web servers and PHP are told to load and run",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(60),
    },
    collect,
};

/// What a gap of this collector is about.
const WHAT: &str = "settings of web servers";
/// Names looked at below web roots.
const MOST: usize = 200_000;
/// Settings kept of web roots at most.
const MOST_FILES: usize = 2_000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let (files, errors) = web::read(context.host.tree());
    for error in &errors {
        out.unseen(WHAT, error)?;
    }
    for file in &files {
        for one in &file.directives {
            put(context, file.program, &file.path, one, false, out)?;
        }
    }
    let mut walk = Walk::new(context, "settings in the web servers' folders", MOST, out);
    let mut left = MOST_FILES;
    for root in web::roots(context, &files) {
        walk.over(&root, MOST, out, &mut |seen, out| {
            for (entry, meta) in seen.names {
                let program = match entry.name.as_bytes() {
                    b".htaccess" => Program::Apache,
                    b".user.ini" => Program::Php,
                    _ => continue,
                };
                if meta.is_none() || left == 0 {
                    continue;
                }
                left -= 1;
                let path = join(seen.path, entry.name.as_bytes());
                let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
                for one in web::directives(program, &bytes) {
                    put(context, program, &path, &one, true, out)?;
                }
            }
            out.flow()
        })?;
    }
    out.flow()
}

/// Puts out a setting that loads or runs something; most do not.
fn put(
    context: &Context,
    program: Program,
    path: &[u8],
    one: &Directive,
    in_web_root: bool,
    out: &mut Out,
) -> Flow {
    let Some((name, value)) = telling(program, one) else { return out.flow() };
    let bare = value.as_bytes().trim_ascii();
    let value = Text::from(bare.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'")).unwrap_or(bare));
    let target = target(context, program, &name, value.as_bytes(), path);
    if let Some(target) = &target {
        describe::file(context, target.as_bytes(), out)?;
    }
    if value.as_bytes().starts_with(b"|") || name == "include_shell" || name == "sendmail_path" {
        describe::command(context, without_pipes(value.as_bytes()), out)?;
    }
    let program = program.name().to_owned();
    let source = if in_web_root { Source::owned_file(path) } else { Source::file(path) };
    let (path, line) = (path.into(), one.line);
    out.fact(source, WebSetting { program, path, line, name, value, target, in_web_root })
}

/// A command without the pipe characters before it: Apache marks a program that a log goes to with `|`, `||` or `|$`.
fn without_pipes(value: &[u8]) -> &[u8] {
    let at = value.iter().position(|b| !matches!(b, b'|' | b'$')).unwrap_or(value.len());
    value.get(at..).unwrap_or_default()
}

/// Settings of PHP that load or run something (php.ini).
fn of_php(name: &str) -> bool {
    matches!(
        name,
        "auto_prepend_file"
            | "auto_append_file"
            | "extension"
            | "zend_extension"
            | "opcache.preload"
            | "sendmail_path"
            | "security.limit_extensions"
    )
}

/// The name and value of a directive that matters.
fn telling(program: Program, one: &Directive) -> Option<(String, Text)> {
    let argument = |at: usize| one.arguments.get(at).cloned().unwrap_or_default();
    let lower = |text: &Text| text.to_string().to_ascii_lowercase();
    let joined = || Text::from(one.arguments.iter().map(Text::as_bytes).collect::<Vec<_>>().join(&b' '));
    let name = one.name.as_str();
    match (program, name) {
        (Program::Php, _) => {
            let inner = name.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(name);
            of_php(inner.trim()).then(|| (inner.trim().to_owned(), argument(0)))
        }
        (Program::Apache, "php_value" | "php_admin_value") => {
            let inner = lower(&argument(0));
            of_php(&inner).then(|| (inner, argument(1)))
        }
        (Program::Apache, "customlog" | "errorlog" | "transferlog" | "globallog") => {
            let piped = argument(0);
            piped.as_bytes().starts_with(b"|").then(|| ("log".to_owned(), piped))
        }
        (Program::Apache, "loadmodule") => Some(("module".to_owned(), argument(1))),
        (Program::Apache, "loadfile") => Some(("module".to_owned(), argument(0))),
        (Program::Apache, "addhandler" | "addtype") => Some(("handler".to_owned(), joined())),
        (Program::Nginx, "load_module") => Some(("module".to_owned(), argument(0))),
        (Program::Nginx, "fastcgi_param") => {
            let which = lower(&argument(0));
            let (setting, value) = argument(1)
                .to_string()
                .split_once('=')
                .map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()))?;
            (matches!(which.as_str(), "php_value" | "php_admin_value") && of_php(&setting))
                .then(|| (setting, value.into()))
        }
        (Program::Lighttpd, "include_shell") => Some(("include_shell".to_owned(), joined())),
        (Program::Lighttpd, "accesslog.filename" | "server.errorlog" | "server.breakagelog") => {
            let piped = argument(0);
            piped.as_bytes().starts_with(b"|").then(|| ("log".to_owned(), piped))
        }
        _ => None,
    }
}

/// The file that a setting loads, where a relative name can be found.
fn target(context: &Context, program: Program, name: &str, value: &[u8], path: &[u8]) -> Option<Text> {
    let tree = context.host.tree();
    let found = |paths: Vec<Vec<u8>>| paths.into_iter().find(|path| tree.meta(path).is_ok()).map(Text::from);
    let glob = |place: &[u8]| settings::glob(tree, &[place, b"/", value].concat());
    match name {
        _ if value.is_empty() || matches!(value, b"none" | b"off") || value.contains(&b'*') => None,
        "module" | "auto_prepend_file" | "auto_append_file" | "extension" | "zend_extension"
        | "opcache.preload"
            if value.starts_with(b"/") =>
        {
            Some(value.into())
        }
        // A relative one is meant from the script's folder or the include path.
        "auto_prepend_file" | "auto_append_file" => found(vec![join(parent(path), value)]),
        "extension" | "zend_extension" => {
            let file = if value.ends_with(b".so") { value.to_vec() } else { [value, b".so"].concat() };
            let places: [&[u8]; 4] = [
                b"/usr/lib/php/*/",
                b"/usr/lib64/php/modules/",
                b"/usr/lib/php*/modules/",
                b"/usr/local/lib/php/extensions/*/",
            ];
            found(
                places
                    .iter()
                    .flat_map(|place| settings::glob(tree, &[place, file.as_slice()].concat()))
                    .collect(),
            )
        }
        "module" if program == Program::Nginx => found(
            [&b"/usr/share/nginx"[..], b"/etc/nginx", b"/usr/lib/nginx", b"/usr/local/nginx"]
                .iter()
                .flat_map(|place| glob(place))
                .collect(),
        ),
        "module" => found(
            [&b"/etc/httpd"[..], b"/etc/apache2", b"/usr/lib/apache2", b"/usr/local/apache2"]
                .iter()
                .flat_map(|place| glob(place))
                .collect(),
        ),
        _ => None,
    }
}
