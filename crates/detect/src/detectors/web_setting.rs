//! Detector: settings that make a web server or PHP load or run something odd.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Certainty, Severity, Text, kinds::WebSetting};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "web-setting",
        doc: "A web server or PHP is told to load or run something odd, or to run pictures as scripts.",
        mechanisms: &[73],
        attack: &["T1505.004", "T1574"],
        why: "It runs with every request, whatever page is asked for, and stays when the pages are replaced.",
        innocent: "you or a tool for this site made the setting",
        next: "read the file it leads to without running it; keep both as evidence",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for setting in tables.of::<WebSetting>() {
        let weight = weigh(&files, &setting);
        let Some(severity) = weight.severity.filter(|severity| *severity > Severity::Info) else { continue };
        drafts.push(draft(&setting, severity, weight));
    }
}

fn draft(setting: &Row<'_, WebSetting>, severity: Severity, weight: Weight) -> Draft {
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let title = match setting.name.as_str() {
        "module" | "extension" | "zend_extension" => format!("{} loads an odd module", setting.program),
        "handler" | "security.limit_extensions" => "Files that are no scripts run as scripts".to_owned(),
        "auto_prepend_file" | "auto_append_file" | "opcache.preload" => {
            "PHP runs an odd file with every request".to_owned()
        }
        _ => format!("A setting of {} runs something odd", setting.program),
    };
    let identity =
        [setting.path.as_bytes(), b"\0", setting.name.as_bytes(), b"\0", setting.value.as_bytes()].concat();
    let mut draft = Draft::new(severity, certainty, identity, title)
        .saw_all(weight.reasons)
        .saw(format!("line {} of {}: {}", setting.line, setting.path, setting.name))
        .path(&setting.path)
        .from(setting, "the setting");
    for path in setting.target.iter().chain(&weight.paths) {
        draft = draft.path(path);
    }
    draft
}

fn weigh(files: &Files<'_>, setting: &WebSetting) -> Weight {
    let value = setting.value.as_bytes();
    match setting.name.as_str() {
        "log" | "include_shell" | "sendmail_path" => {
            let at = value.iter().position(|b| !matches!(b, b'|' | b'$')).unwrap_or(value.len());
            weigh::command(files, &value.get(at..).unwrap_or_default().into(), true)
        }
        "handler" | "security.limit_extensions" => handler(setting),
        "auto_prepend_file" | "auto_append_file" | "opcache.preload" => always_run(files, setting),
        _ => module(files, setting),
    }
}

/// Endings of things that are shown, never run.
fn is_shown(ending: &[u8]) -> bool {
    const SHOWN: &[&[u8]] = &[
        b"jpg", b"jpeg", b"png", b"gif", b"ico", b"bmp", b"webp", b"svg", b"pdf", b"css", b"txt", b"log",
        b"woff", b"mp3", b"mp4", b"xml", b"zip", b"json", b"dat",
    ];
    let lower = ending.to_ascii_lowercase();
    SHOWN.contains(&lower.strip_prefix(b".").unwrap_or(&lower))
}

fn handler(setting: &WebSetting) -> Weight {
    let mut words = setting.value.as_bytes().split(|b| b.is_ascii_whitespace());
    let runs = setting.name != "handler"
        || words.next().is_some_and(|handler| {
            let has = |part: &[u8]| weigh::contains(&handler.to_ascii_lowercase(), part);
            has(b"php") && !has(b"source") || has(b"cgi-script") || has(b"fcgid") || has(b"proxy:")
        });
    match words.find(|ending| is_shown(ending)).filter(|_| runs) {
        Some(ending) => {
            Weight::of(Severity::High, format!("files that end in {} run as scripts", Text::from(ending)))
        }
        None => Weight::default(),
    }
}

/// A file that PHP runs before or behind every script.
fn always_run(files: &Files<'_>, setting: &WebSetting) -> Weight {
    let value = setting.value.as_bytes();
    if value.is_empty() || value == b"none" {
        return Weight::default();
    }
    let mut weight = Weight::default();
    if value.starts_with(b"php:") || value.starts_with(b"data:") || weigh::contains(value, b"://") {
        let reason = format!("PHP runs what comes from {} with every script", entry::short(&setting.value));
        return Weight::of(Severity::High, reason);
    }
    let name = value.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let ending = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
    if is_shown(ending) {
        let reason =
            format!("the file that runs with every script is named as no script: {}", Text::from(name));
        entry::add(&mut weight, Severity::High, reason);
    }
    place(setting.target.as_ref().unwrap_or(&setting.value), &mut weight);
    // Security tools of sites use it in a site's own folder; for the whole server hardly anything does.
    let packaged = setting
        .target
        .as_ref()
        .and_then(|target| files.get(target))
        .is_some_and(|file| file.fact.package.is_some());
    if !packaged {
        let severity = if setting.in_web_root { Severity::Low } else { Severity::Medium };
        entry::add(
            &mut weight,
            severity,
            format!("PHP runs {} with every script", entry::short(&setting.value)),
        );
    }
    weight
}

/// A place where nothing that is loaded stands.
fn place(path: &Text, weight: &mut Weight) {
    if weigh::is_open(path.as_bytes()) {
        entry::add(weight, Severity::High, format!("{path} stands where everybody may write"));
    } else if weigh::is_hidden(path.as_bytes()) || weigh::is_deceptive(path.as_bytes()) {
        entry::add(weight, Severity::High, format!("{path} is hidden"));
    }
}

/// A module of the server or an extension of PHP.
fn module(files: &Files<'_>, setting: &WebSetting) -> Weight {
    let Some(target) = &setting.target else { return Weight::default() };
    let mut weight = Weight::default();
    place(target, &mut weight);
    let Some(file) = files.get(target).map(|row| row.fact).filter(|file| file.what != "missing") else {
        return weight;
    };
    if let Some(real) = &file.real {
        place(real, &mut weight);
    }
    let real = file.real.as_ref().unwrap_or(target).as_bytes();
    if file.mode & 0o002 != 0 && file.what == "file" {
        entry::add(&mut weight, Severity::High, format!("everybody may change {target}"));
    } else if file.uid != 0 {
        entry::add(
            &mut weight,
            Severity::Medium,
            format!("{target} belongs to user id {}, not to root", file.uid),
        );
    }
    if file.packages_known && file.package.is_none() && !weigh::contains(real, b"/packages/") {
        let extension = setting.name != "module";
        let local = [&b"/usr/local"[..], b"/opt"].iter().any(|place| weigh::is_below(real, place));
        // pecl(1) puts what it builds beside the packaged ones; Python's and Ruby's tools keep modules of their own.
        let tool = (extension && weigh::contains(real, b"/php"))
            || !weigh::is_packaged_place(real) && weigh::contains(real, b"/gems/");
        let severity = if local || tool { Severity::Low } else { Severity::Medium };
        entry::add(&mut weight, severity, format!("no package owns the module {target}"));
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/var/lib/dpkg/info/apache2.list", "/.\n/usr/lib/apache2/modules/mod_dir.so\n/usr/lib/php/20220829/curl.so\n/usr/bin/rotatelogs\n")
            .file("/usr/lib/apache2/modules/mod_dir.so", "\x7fELF")
            .file("/usr/lib/php/20220829/curl.so", "\x7fELF")
            .file("/usr/bin/rotatelogs", "\x7fELF")
    }

    #[test]
    fn odd_settings_are_found_in_every_place() {
        for (path, text) in [
            ("/etc/php/8.2/fpm/conf.d/99-x.ini", "auto_prepend_file = \"/usr/share/php/.x.php\"\n"),
            ("/etc/php/8.2/fpm/php.ini", "auto_append_file=/var/lib/x/a.php\n"),
            ("/etc/php/8.2/fpm/pool.d/www.conf", "[www]\nphp_admin_value[auto_prepend_file] = /tmp/a.php\n"),
            ("/etc/php/8.2/fpm/conf.d/20-y.ini", "extension=/var/tmp/y.so\n"),
            ("/var/www/html/.user.ini", "auto_prepend_file=logo.jpg\n"),
            ("/var/www/html/up/.htaccess", "AddType application/x-httpd-php .php .jpg\n"),
            ("/var/www/html/up/.htaccess", "php_value auto_append_file \"php://input\"\n"),
            ("/etc/apache2/mods-enabled/z.load", "LoadModule z_module /usr/lib/apache2/modules/mod_z.so\n"),
            ("/etc/apache2/conf-enabled/l.conf", "CustomLog \"|/dev/shm/log\" combined\n"),
            ("/etc/nginx/nginx.conf", "load_module /dev/shm/ngx.so;\nhttp { }\n"),
            (
                "/etc/nginx/sites-enabled/a",
                "server { location / { fastcgi_param PHP_VALUE \"auto_prepend_file=/tmp/x.php\"; } }\n",
            ),
        ] {
            let seen = check(
                host()
                    .file("/usr/lib/apache2/modules/mod_z.so", "\x7fELF")
                    .directory("/var/www/html")
                    .file(path, text),
            );
            let found = seen.alarms("web-setting");
            assert_eq!(found.len(), 1, "{path} {text}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_settings_are_silent() {
        let seen = check(
            host()
                .file("/etc/apache2/mods-available/dir.load", "LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so\n")
                .symlink("/etc/apache2/mods-enabled/dir.load", "../mods-available/dir.load")
                .file("/etc/apache2/conf-enabled/l.conf", "ErrorLog ${APACHE_LOG_DIR}/error.log\nCustomLog \"|/usr/bin/rotatelogs /var/log/a 86400\" combined\n")
                .file("/etc/apache2/mods-enabled/mime.conf", "AddType application/x-gzip .gz .tgz\n#AddHandler cgi-script .cgi\nAddHandler cgi-script .cgi\nAddType image/svg+xml .svg\n")
                .file("/etc/php/8.2/fpm/php.ini", "; c\nauto_prepend_file =\nauto_append_file =\n;extension=x\n")
                .file("/etc/php/8.2/fpm/conf.d/20-curl.ini", "extension=curl.so\n")
                .file("/var/www/html/.htaccess", "# BEGIN WordPress\n<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteBase /\nRewriteRule ^index\\.php$ - [L]\n</IfModule>\n<IfModule mod_php.c>\nphp_value assert.active 0\nphp_flag session.auto_start off\n</IfModule>\nAddType image/svg+xml svg svgz\nAddEncoding gzip svgz\nphp_value upload_max_filesize 64M\nAddHandler application/x-httpd-php81 .php .php8 .phtml\n")
                .file("/var/www/html/.user.ini", "upload_max_filesize = 64M\n"),
        );
        assert!(seen.by("web-setting").is_empty(), "{:#?}", seen.findings);
    }
}
