//! Detector: a script in a web server's folders that runs what a request says.

use crate::weigh::is_deceptive;
use crate::{Card, Detector, Draft, Row, Tables};
use calma_record::{Certainty, Severity, Text, kinds::WebFile};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "web-shell",
        doc: "A script in a web server's folders runs what a request says, or hides program text.",
        mechanisms: &[72],
        attack: &["T1505.003"],
        why: "Whoever knows its address runs commands on this server, with the web server's rights and past every password.",
        innocent: "it is a management tool that you put there yourself and that asks for a password",
        next: "keep it as evidence, then look in the access log for its address: who asked for it, and since when",
    },
    judge,
};

/// Below this length nothing else stands in a script that runs what it is told.
const SMALL: u64 = 4096;

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let mut in_uploads: BTreeMap<&Text, Vec<Row<'_, WebFile>>> = BTreeMap::new();
    for file in tables.of::<WebFile>() {
        match weigh(&file) {
            Some((severity, reasons)) => drafts.push(draft(&file, severity, reasons)),
            None if file.in_uploads && file.package.is_none() && file.size > 300 => {
                in_uploads.entry(&file.fact.root).or_default().push(file);
            }
            None => {}
        }
    }
    for (root, mut files) in in_uploads {
        files.sort_by_key(|file| &file.fact.path);
        drafts.push(uploads(root, &files));
    }
}

/// What a signal says in plain words, and how much it counts: 2 only web shells do it, 1 it is seldom in ordinary scripts.
fn words(signal: &str) -> (u32, &'static str) {
    match signal {
        "input-evaluated" => (2, "it runs what a request sends as program text"),
        "input-executed" => (2, "it runs what a request sends as a command"),
        "input-names-function" => (2, "a request names the function that it calls"),
        "input-loaded" => (2, "it loads a class that a request sends"),
        "shell-on-socket" => (2, "it ties a shell to a network connection"),
        "decoded-evaluated" => (2, "it decodes hidden program text and runs it"),
        "hidden-function" => {
            (2, "it puts together the name of a function so that nobody finds it by searching")
        }
        "hidden-input" => {
            (2, "it puts together the name of the request's variables so that nobody finds it by searching")
        }
        "input-written" => (1, "it writes what a request sends into a file that the request names"),
        "input-included" => (1, "a request names the file that it runs"),
        "upload-by-name" => (1, "it stores an uploaded file under whatever name the request gives"),
        "long-encoded" => (1, "a very long encoded text stands beside something that runs program text"),
        "escaped-letters" => (1, "plain letters are written as escape codes"),
        "digest-password" => (1, "it compares the request with the digest of a password"),
        "php-code" => (0, "there is PHP code in it"),
        _ => (0, ""),
    }
}

fn weigh(file: &Row<'_, WebFile>) -> Option<(Severity, Vec<String>)> {
    let (mut points, mut plain, mut reasons) = (0, false, Vec::new());
    for signal in &file.signals {
        let (name, line) = signal.split_once(':').unwrap_or((signal, "0"));
        let (counts, text) = words(name);
        points += counts;
        plain |=
            matches!(name, "input-evaluated" | "input-executed" | "input-names-function" | "input-loaded");
        if !text.is_empty() && name != "php-code" {
            reasons.push((counts, format!("line {line}: {text}")));
        }
    }
    if file.disguised {
        points += 2;
        reasons.push((2, "its name is not that of a script, yet there is PHP code in it".to_owned()));
    }
    if points == 0 {
        return None;
    }
    if file.in_uploads {
        points += 1;
        reasons.push((1, "it stands where visitors' uploads go".to_owned()));
    }
    let name = file.path.file_name();
    if name.starts_with(b".") || is_deceptive(file.path.as_bytes()) {
        points += 1;
        reasons.push((1, "its name is hidden".to_owned()));
    }
    if plain && file.size < SMALL {
        points += 1;
        reasons.push((1, "there is hardly anything else in it".to_owned()));
    }
    if let Some(package) = &file.package {
        reasons.push((
            0,
            format!("the package list says that it belongs to {package}; it may have been changed"),
        ));
    }
    reasons.sort_by_key(|(counts, _)| std::cmp::Reverse(*counts));
    let severity = match points {
        0 => return None,
        1 => Severity::Low,
        2 => Severity::Medium,
        _ => Severity::High,
    };
    Some((severity, reasons.into_iter().map(|(_, reason)| reason).collect()))
}

fn draft(file: &Row<'_, WebFile>, severity: Severity, reasons: Vec<String>) -> Draft {
    let certainty = if severity >= Severity::High { Certainty::Likely } else { Certainty::Possible };
    let title = match (severity, file.disguised) {
        (Severity::Low, _) => "A script of the web server does something unusual",
        (_, true) => "PHP code is hidden in a file that is no script",
        _ => "A script of the web server looks like a web shell",
    };
    Draft::new(severity, certainty, file.path.as_bytes(), title)
        .saw_all(reasons)
        .saw(format!("user id {} owns it, its content changed {}", file.uid, file.modified))
        .path(&file.path)
        .from(file, "what the script does")
}

/// Scripts that do nothing odd, in folders of uploads: one finding a web root, since plugins put some there as well.
fn uploads(root: &Text, files: &[Row<'_, WebFile>]) -> Draft {
    let identity = [root.as_bytes(), b"\0uploads"].concat();
    let title = "PHP scripts stand where visitors' uploads go";
    let mut draft = Draft::new(Severity::Low, Certainty::Possible, identity, title)
        .saw(format!("{} below {root}", files.len()))
        .innocent("a plugin of the site put them there");
    for file in files.iter().take(16) {
        draft = draft.path(&file.path).from(file, "PHP code in a folder of uploads");
    }
    draft
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    /// The fragments have a tilde in the words that matter, so that nothing here can run.
    fn inert(text: &str) -> String {
        text.replace('~', "")
    }

    #[test]
    fn shells_of_every_language_are_found_wherever_a_server_looks() {
        for (path, text) in [
            ("/var/www/html/a.php", "<?php @ev~al($_PO~ST['k']);"),
            (
                "/var/www/html/wp-content/uploads/2024/01/logo.gif",
                "GIF89a\u{1}\u{2}<?php @ev~al($_PO~ST[1]);",
            ),
            (
                "/var/www/html/wp-content/uploads/2024/01/photo.jpg",
                "JFIF\u{1}<?php $a = strlen('x'); echo $a;",
            ),
            ("/srv/shop/pub/x.phtml", "<?php $f = str~rev('met~sys'); $f($x);"),
            ("/data/site/inc/cache.php", "<?php ev~al(gzin~flate(base64_~decode('c3Rvbmdl')));"),
            ("/opt/light/x.php7", "<?php sys~tem($_G~ET['c'] . ' 2>&1');"),
            ("/home/me/public_html/.thumb.php", "<?php $_G~ET['a']($_G~ET['b']);"),
            (
                "/var/lib/tomcat10/webapps/ROOT/x.jsp",
                "<% Runtime.getRuntime().ex~ec(request.getPara~meter(\"c\")); %>",
            ),
            ("/usr/lib/cgi-bin/status", "#!/bin/sh\nq=${QUERY_~STRING#*=}\necho\n$q\n"),
            ("/var/www/releases/7/a.php", "<?php foreach ($_PO~ST as $k => $v) { ev~al($v); }"),
            ("/srv/else/7/a.php", "<?php ass~ert($_PO~ST['k']);"),
        ] {
            let seen = check(
                Mem::new()
                    .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
                    .file("/etc/nginx/nginx.conf", "http { include sites-enabled/*; }")
                    .file("/etc/nginx/sites-enabled/shop", "server { root /srv/shop/$host; }")
                    .file("/etc/apache2/apache2.conf", "IncludeOptional vh/*.x\n")
                    .file(
                        "/etc/apache2/vh/a.x",
                        "<VirtualHost *:80>\n DocumentRoot \"/data/site\"\n</VirtualHost>\n",
                    )
                    .file("/etc/lighttpd/lighttpd.conf", "server.document-root = \"/opt/light\"\n")
                    .symlink("/var/www/current", "/srv/else/7")
                    .file(path, inert(text))
                    .owned(path, 0o755, 33, 33),
            );
            let found = seen.alarms("web-shell");
            assert_eq!(found.len(), 1, "{path}: {:#?} {:#?}", seen.findings, seen.gaps);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_sites_are_silent() {
        let seen = check(
            Mem::new()
                .file("/etc/nginx/nginx.conf", "http { server { root /; } server { root /etc; } }")
                .file(
                    "/var/www/html/index.php",
                    "<?php include __DIR__ . '/page.php'; echo htmlspecialchars($_GET['q']);",
                )
                .file("/var/www/html/thumb.php", "<?php exec('convert ' . escapeshellarg($_POST['file']));")
                .file("/var/www/html/wp-content/uploads/index.php", "<?php // Silence is golden.\n")
                .file("/var/www/html/wp-content/uploads/a.jpg", b"\xff\xd8\xff\xe0JFIF<?=\x01\x02 <?xml x?>")
                .file("/var/www/html/a.svg", "<?xml version=\"1.0\"?><svg/>")
                .file("/var/www/html/doc.css", "/* <?php is not run here */ a{}")
                .file("/usr/lib/cgi-bin/now", "#!/bin/sh\ncase \"$QUERY_STRING\" in a) date;; esac\n")
                .owned("/usr/lib/cgi-bin/now", 0o755, 0, 0)
                .fifo("/var/www/html/fifo.php")
                .symlink("/var/www/html/loop", "/var/www"),
        );
        assert!(seen.by("web-shell").is_empty(), "{:#?}", seen.findings);
    }

    #[test]
    fn code_among_uploads_is_low_and_one_finding() {
        let text = format!("<?php {} echo $a;", "$a = strlen('plain'); ".repeat(20));
        let place = "/var/www/html/wp-content/uploads";
        let seen = check(
            Mem::new().file(format!("{place}/a/log.php"), &text).file(format!("{place}/b/log.php"), &text),
        );
        assert_eq!(seen.by("web-shell").len(), 1);
        assert!(seen.alarms("web-shell").is_empty());
    }
}
