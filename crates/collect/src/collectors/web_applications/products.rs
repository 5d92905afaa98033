//! Web applications by the files that stand together in their folder, and what each keeps where.

/// A web application.
pub(super) struct Product {
    /// Its name.
    pub(super) name: &'static str,
    /// Names that all stand in its folder.
    pub(super) marks: &'static [&'static str],
    /// A file below it that is there too; empty if the names are enough.
    pub(super) proof: &'static str,
    /// What stands in that file; empty if its being there is enough.
    pub(super) says: &'static str,
    /// Files with the version, and what stands in front of it.
    pub(super) versions: &'static [(&'static str, &'static str)],
    /// Its settings.
    pub(super) config: &'static [&'static str],
    /// Folders that visitors' files go to.
    pub(super) uploads: &'static [&'static str],
    /// Folders below those in which it writes code itself.
    pub(super) generated: &'static [&'static str],
    /// Folders with what it keeps for speed, in which no foreign code belongs.
    pub(super) cache: &'static [&'static str],
    /// Files that it runs with every request, as patterns below its folder, and their role.
    pub(super) always: &'static [(&'static str, &'static str)],
    /// Words in its settings that make it show its inside.
    pub(super) debug: &'static [&'static str],
    /// Addresses of its administration.
    pub(super) admin: &'static [&'static str],
}

const NONE: Product = Product {
    name: "",
    marks: &[],
    proof: "",
    says: "",
    versions: &[],
    config: &[],
    uploads: &[],
    generated: &[],
    cache: &[],
    always: &[("*.php", "start file")],
    debug: &[],
    admin: &[],
};

pub(super) const ALL: &[Product] = &[
    Product {
        name: "WordPress",
        marks: &["wp-includes", "wp-load.php"],
        versions: &[("wp-includes/version.php", "$wp_version = '")],
        config: &["wp-config.php", "../wp-config.php"],
        uploads: &["wp-content/uploads", "wp-content/blogs.dir", "wp-content/upgrade"],
        cache: &["wp-content/cache"],
        always: &[
            ("*.php", "start file"),
            ("wp-content/mu-plugins/*.php", "must-use plugin"),
            ("wp-content/*.php", "drop-in"),
            ("wp-content/themes/*/functions.php", "theme"),
            ("wp-includes/*.php", "start file"),
        ],
        debug: &["'WP_DEBUG', true", "\"WP_DEBUG\", true"],
        admin: &["/wp-admin/", "/wp-login.php", "/xmlrpc.php"],
        ..NONE
    },
    Product {
        name: "Joomla",
        marks: &["administrator", "components", "modules", "plugins", "libraries"],
        versions: &[("administrator/manifests/files/joomla.xml", "<version>")],
        config: &["configuration.php"],
        uploads: &["images", "media/uploads"],
        cache: &["cache", "tmp", "administrator/cache"],
        always: &[
            ("*.php", "start file"),
            ("administrator/*.php", "start file"),
            ("templates/*/index.php", "theme"),
        ],
        debug: &["$debug = '1'", "$debug = true"],
        admin: &["/administrator/"],
        ..NONE
    },
    Product {
        name: "Drupal",
        marks: &["core", "sites", "index.php"],
        proof: "core/lib/Drupal.php",
        versions: &[("core/lib/Drupal.php", "const VERSION = '")],
        config: &["sites/default/settings.php", "sites/default/settings.local.php"],
        uploads: &["sites/default/files"],
        generated: &["sites/default/files/php"],
        ..NONE
    },
    Product {
        name: "Drupal",
        marks: &["includes", "modules", "misc", "sites"],
        proof: "includes/bootstrap.inc",
        versions: &[("includes/bootstrap.inc", "define('VERSION', '")],
        config: &["sites/default/settings.php"],
        uploads: &["sites/default/files"],
        ..NONE
    },
    Product {
        name: "Magento",
        marks: &["app", "bin", "pub", "lib"],
        proof: "app/etc/di.xml",
        versions: &[("composer.json", "\"version\": \"")],
        config: &["app/etc/env.php", "app/etc/config.php"],
        uploads: &["pub/media", "media"],
        cache: &["var/cache"],
        always: &[("*.php", "start file"), ("pub/*.php", "start file"), ("app/*.php", "start file")],
        debug: &["'MAGE_MODE' => 'developer'"],
        admin: &["/admin"],
        ..NONE
    },
    Product {
        name: "Laravel",
        marks: &["artisan", "app", "bootstrap"],
        versions: &[(
            "vendor/laravel/framework/src/Illuminate/Foundation/Application.php",
            "const VERSION = '",
        )],
        config: &[".env", "config/app.php"],
        uploads: &["storage/app", "public/storage", "public/uploads"],
        cache: &["storage/framework/cache"],
        always: &[("public/*.php", "start file"), ("bootstrap/*.php", "start file")],
        debug: &["APP_DEBUG=true"],
        admin: &["/telescope", "/horizon"],
        ..NONE
    },
    Product {
        name: "Nextcloud",
        marks: &["occ", "core", "version.php", "lib"],
        versions: &[("version.php", "$OC_VersionString = '")],
        config: &["config/config.php"],
        uploads: &["data"],
        debug: &["'debug' => true"],
        admin: &["/settings/admin"],
        ..NONE
    },
    Product {
        name: "MediaWiki",
        marks: &["includes", "load.php", "api.php", "mw-config"],
        versions: &[
            ("includes/Defines.php", "define( 'MW_VERSION', '"),
            ("includes/DefaultSettings.php", "$wgVersion = '"),
        ],
        config: &["LocalSettings.php"],
        uploads: &["images"],
        cache: &["cache"],
        debug: &["$wgShowExceptionDetails = true"],
        admin: &["/index.php/Special:SpecialPages"],
        ..NONE
    },
    Product {
        name: "phpMyAdmin",
        marks: &["libraries", "themes", "url.php", "templates"],
        versions: &[("libraries/classes/Version.php", "VERSION = '"), ("package.json", "\"version\": \"")],
        config: &["config.inc.php"],
        uploads: &["upload", "tmp"],
        admin: &["/"],
        ..NONE
    },
    Product {
        name: "Roundcube",
        marks: &["program", "skins", "plugins"],
        proof: "program/include/iniset.php",
        versions: &[("program/include/iniset.php", "define('RCMAIL_VERSION', '")],
        config: &["config/config.inc.php"],
        uploads: &["temp"],
        cache: &["logs"],
        admin: &["/installer/"],
        ..NONE
    },
    Product {
        name: "Moodle",
        marks: &["mod", "blocks", "version.php", "course", "lib"],
        versions: &[("version.php", "$release  = '")],
        config: &["config.php"],
        uploads: &["moodledata", "../moodledata/filedir"],
        debug: &["$CFG->debugdisplay = 1"],
        admin: &["/admin/"],
        ..NONE
    },
    Product {
        name: "Django",
        marks: &["manage.py"],
        proof: "manage.py",
        says: "django",
        config: &["*/settings.py", "*/settings/production.py", "*/local_settings.py", ".env"],
        uploads: &["media"],
        always: &[],
        debug: &["\nDEBUG = True"],
        admin: &["/admin/"],
        ..NONE
    },
    Product {
        name: "Flask",
        marks: &["app.py"],
        proof: "app.py",
        says: "Flask(",
        config: &["config.py", ".env", "app.py"],
        uploads: &["uploads", "static/uploads"],
        always: &[],
        debug: &["debug=True", "FLASK_DEBUG=1"],
        ..NONE
    },
    Product {
        name: "Flask",
        marks: &["wsgi.py"],
        proof: "wsgi.py",
        says: "lask",
        config: &["config.py", ".env"],
        uploads: &["uploads", "static/uploads"],
        always: &[],
        debug: &["debug=True", "FLASK_DEBUG=1"],
        ..NONE
    },
    Product {
        name: "Express",
        marks: &["package.json"],
        proof: "package.json",
        says: "\"express\"",
        versions: &[("node_modules/express/package.json", "\"version\": \"")],
        config: &[".env", "config/default.json", "config/production.json"],
        uploads: &["uploads", "public/uploads"],
        always: &[],
        ..NONE
    },
];
