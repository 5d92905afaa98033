//! Settings of web servers and PHP with the files they include, and the folders that they serve.

use crate::{Context, settings};
use calma_formats::web_config::{self, Directive};
use calma_host::{FileKind, HostError, Tree, join, parent, resolve};
use std::collections::BTreeSet;

/// Files read at most.
const MOST_FILES: usize = 2_000;
/// Directives kept at most.
const MOST: usize = 100_000;
/// Length up to which a file is read.
const LARGEST: usize = 2 << 20;

/// A web server, or PHP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Apache,
    Nginx,
    Lighttpd,
    Caddy,
    Php,
}

impl Program {
    /// Its name in facts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::Nginx => "nginx",
            Self::Lighttpd => "lighttpd",
            Self::Caddy => "caddy",
            Self::Php => "php",
        }
    }
}

/// Where each keeps its settings, as Debian, Red Hat, SUSE, Alpine, Arch and their own makers install them.
const MAIN: &[(Program, &str)] = &[
    (Program::Apache, "/etc/apache2/*.conf"),
    (Program::Apache, "/etc/apache2/*-enabled/*"),
    (Program::Apache, "/etc/apache2/conf.d/*.conf"),
    (Program::Apache, "/etc/apache2/vhosts.d/*.conf"),
    (Program::Apache, "/etc/httpd/conf/*.conf"),
    (Program::Apache, "/etc/httpd/conf.d/*.conf"),
    (Program::Apache, "/etc/httpd/conf.modules.d/*.conf"),
    (Program::Apache, "/usr/local/apache*/conf/*.conf"),
    (Program::Apache, "/opt/*/etc/httpd.conf"),
    (Program::Nginx, "/etc/nginx/nginx.conf"),
    (Program::Nginx, "/etc/nginx/*-enabled/*"),
    (Program::Nginx, "/etc/nginx/conf.d/*.conf"),
    (Program::Nginx, "/etc/nginx/http.d/*.conf"),
    (Program::Nginx, "/usr/local/nginx/conf/nginx.conf"),
    (Program::Nginx, "/usr/local/openresty/nginx/conf/nginx.conf"),
    (Program::Lighttpd, "/etc/lighttpd/lighttpd.conf"),
    (Program::Lighttpd, "/etc/lighttpd/conf-enabled/*.conf"),
    (Program::Caddy, "/etc/caddy/Caddyfile"),
    (Program::Php, "/etc/php.ini"),
    (Program::Php, "/etc/php.d/*.ini"),
    (Program::Php, "/etc/php-fpm.conf"),
    (Program::Php, "/etc/php-fpm.d/*.conf"),
    (Program::Php, "/etc/php*/php.ini"),
    (Program::Php, "/etc/php*/conf.d/*.ini"),
    (Program::Php, "/etc/php*/php-fpm.d/*.conf"),
    (Program::Php, "/etc/php*/*/php.ini"),
    (Program::Php, "/etc/php*/*/conf.d/*.ini"),
    (Program::Php, "/etc/php*/*/pool.d/*.conf"),
    (Program::Php, "/etc/php/*/*/php.ini"),
    (Program::Php, "/etc/php/*/*/conf.d/*.ini"),
    (Program::Php, "/etc/php/*/*/php-fpm.conf"),
    (Program::Php, "/etc/php/*/*/pool.d/*.conf"),
    (Program::Php, "/usr/local/etc/php/php.ini"),
    (Program::Php, "/usr/local/etc/php/conf.d/*.ini"),
    (Program::Php, "/usr/local/lib/php.ini"),
];

/// A settings file.
pub(crate) struct File {
    /// Whose.
    pub(crate) program: Program,
    /// Its path.
    pub(crate) path: Vec<u8>,
    /// What it says.
    pub(crate) directives: Vec<Directive>,
}

/// Reads all settings, and returns what could not be read besides.
pub(crate) fn read(tree: &dyn Tree) -> (Vec<File>, Vec<HostError>) {
    let (mut files, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut left = MOST;
    let mut todo: Vec<(Program, Vec<u8>)> = Vec::new();
    for (program, pattern) in MAIN.iter().rev() {
        let paths = settings::glob(tree, pattern.as_bytes());
        todo.extend(paths.into_iter().rev().map(|path| (*program, path)));
    }
    while let Some((program, path)) = todo.pop() {
        let real = resolve(tree, &path).unwrap_or_else(|_| path.clone());
        match tree.meta(&real).map(|meta| meta.kind) {
            Ok(FileKind::Directory) => {
                let names = tree.list(&real).unwrap_or_default();
                let below = names.iter().filter(|entry| entry.kind != Some(FileKind::Directory)).rev();
                if seen.insert(real.clone()) {
                    todo.extend(below.map(|entry| (program, join(&real, entry.name.as_bytes()))));
                }
                continue;
            }
            Ok(FileKind::File) => {}
            Ok(_) => continue,
            Err(error) => {
                errors.push(error);
                continue;
            }
        }
        if files.len() >= MOST_FILES || left == 0 || !seen.insert(real) {
            continue;
        }
        match tree.read(&path, LARGEST) {
            Err(error) => errors.push(error),
            Ok(content) => {
                let mut directives = directives(program, &content.bytes);
                directives.truncate(left);
                left = left.saturating_sub(directives.len());
                for pattern in included(program, &directives) {
                    let base = base(tree, program, &path);
                    let pattern = if pattern.starts_with(b"/") { pattern } else { join(&base, &pattern) };
                    todo.extend(settings::glob(tree, &pattern).into_iter().rev().map(|path| (program, path)));
                }
                files.push(File { program, path, directives });
            }
        }
    }
    (files, errors)
}

/// The directives of a file.
pub(crate) fn directives(program: Program, bytes: &[u8]) -> Vec<Directive> {
    match program {
        Program::Apache => web_config::apache(bytes),
        Program::Nginx | Program::Caddy => web_config::braces(bytes),
        Program::Php => web_config::assignments(bytes),
        Program::Lighttpd => {
            let mut all = web_config::assignments(bytes);
            // `include "x"` and `include_shell "x"` have no equals sign.
            let apart = web_config::apache(bytes).into_iter();
            all.extend(apart.filter(|one| one.name.starts_with("include")));
            all
        }
    }
}

fn included(program: Program, directives: &[Directive]) -> Vec<Vec<u8>> {
    let names: &[&str] = match program {
        Program::Apache => &["include", "includeoptional"],
        Program::Nginx | Program::Lighttpd | Program::Php => &["include"],
        Program::Caddy => &["import"],
    };
    let named = directives.iter().filter(|one| names.contains(&one.name.as_str()));
    named.flat_map(|one| one.arguments.iter().map(|path| path.as_bytes().to_vec())).take(256).collect()
}

/// The folder that relative names of a settings file are meant from: the one of the main file.
fn base(tree: &dyn Tree, program: Program, path: &[u8]) -> Vec<u8> {
    let main: &[&[u8]] = match program {
        Program::Apache => &[b"apache2.conf", b"conf/httpd.conf", b"httpd.conf"],
        Program::Nginx => &[b"nginx.conf"],
        Program::Lighttpd => &[b"lighttpd.conf"],
        Program::Caddy => &[b"Caddyfile"],
        Program::Php => &[b"php.ini", b"php-fpm.conf"],
    };
    let mut folder = parent(path);
    while folder.len() > 1 {
        if main.iter().any(|name| tree.meta(&join(folder, name)).is_ok()) {
            return match folder.strip_suffix(b"/conf") {
                Some(above) if program == Program::Apache => above.to_vec(),
                _ => folder.to_vec(),
            };
        }
        folder = parent(folder);
    }
    parent(path).to_vec()
}

/// Folders that web servers commonly serve.
const COMMON: &[&str] = &[
    "/var/www",
    "/srv/www",
    "/srv/http",
    "/srv/htdocs",
    "/usr/share/nginx/html",
    "/usr/share/nginx/www",
    "/usr/lib/cgi-bin",
    "/usr/local/www",
    "/usr/local/nginx/html",
    "/usr/local/apache*/htdocs",
    "/usr/local/apache*/cgi-bin",
    "/usr/local/tomcat*/webapps",
    "/var/lib/tomcat*/webapps",
    "/usr/share/tomcat*/webapps",
    "/opt/*tomcat*/webapps",
    "/opt/*/htdocs",
    "/var/lib/wordpress",
];

/// Folders below a home that a server shows as a user's own (mod_userdir) or that hosting panels make.
const OF_HOMES: &[&str] = &["public_html", "www", "htdocs", "web", "httpdocs"];

/// The folders that are served, without links, the most particular ones last; none stands within an earlier one.
pub(crate) fn roots(context: &Context, files: &[File]) -> Vec<Vec<u8>> {
    let tree = context.host.tree();
    let mut named: Vec<Vec<u8>> = files.iter().flat_map(served).collect();
    named.extend(COMMON.iter().flat_map(|pattern| settings::glob(tree, pattern.as_bytes())));
    for home in context.homes() {
        named.extend(OF_HOMES.iter().map(|name| join(&home, name.as_bytes())));
    }
    let mut real: Vec<Vec<u8>> = named
        .iter()
        .filter_map(|path| resolve(tree, path).ok())
        .filter(|path| may_be_root(path))
        .filter(|path| tree.meta(path).is_ok_and(|meta| meta.kind == FileKind::Directory))
        .collect();
    real.sort();
    real.dedup();
    let mut roots: Vec<Vec<u8>> = Vec::new();
    for path in real {
        if !roots.iter().any(|root| is_below(&path, root)) {
            roots.push(path);
        }
    }
    roots
}

/// Folders of the system itself are no web roots, whatever a setting says.
pub(crate) fn may_be_root(path: &[u8]) -> bool {
    let parts = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).count();
    let first = path.split(|b| *b == b'/').nth(1).unwrap_or_default();
    let system = [&b"proc"[..], b"sys", b"dev", b"boot", b"etc", b"bin", b"sbin", b"lib"].contains(&first);
    let shared: [&[u8]; 8] = [
        b"/usr/share",
        b"/usr/lib",
        b"/usr/local",
        b"/usr/bin",
        b"/usr/sbin",
        b"/var/lib",
        b"/var/log",
        b"/var/cache",
    ];
    parts >= 2 && !system && !shared.contains(&path)
}

/// Whether `path` is `directory` or below it.
pub(crate) fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The folders that one file's directives serve.
fn served(file: &File) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for one in &file.directives {
        let takes = match (file.program, one.name.as_str()) {
            (Program::Apache, "documentroot" | "virtualdocumentroot" | "virtualscriptalias") => 0..1,
            (Program::Apache, "alias" | "scriptalias" | "aliasmatch" | "scriptaliasmatch") => 1..2,
            (Program::Nginx, "root" | "alias") => 0..1,
            (Program::Caddy, "root") => 0..2,
            (Program::Lighttpd, "server.document-root") => 0..1,
            (Program::Lighttpd, name) if name.starts_with("alias.") => 0..1,
            _ => continue,
        };
        for value in one.arguments.get(takes).unwrap_or(&one.arguments) {
            let value = value.as_bytes();
            // lighttpd's alias.url = ( "/a/" => "/b/" ): each quoted path may be a folder.
            for path in value.split(|b| matches!(b, b'"' | b'(' | b')' | b',')) {
                if path.starts_with(b"/") && path.len() < 4096 {
                    found.push(plain(path));
                }
            }
        }
    }
    found
}

/// A path up to the first component that holds a variable or a pattern.
fn plain(path: &[u8]) -> Vec<u8> {
    let kept = path
        .split(|b| *b == b'/')
        .take_while(|part| !part.iter().any(|b| matches!(b, b'$' | b'%' | b'*' | b'{' | b'(' | b'\\')))
        .filter(|part| !part.is_empty());
    kept.fold(Vec::new(), |mut path, part| {
        path.push(b'/');
        path.extend_from_slice(part);
        path
    })
}
