//! Collector: what database servers load and run, and whom they let in.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Owner, Volatility, describe, settings};
use calma_formats::database_config::{self as parse, Setting};
use calma_host::{join, parent, resolve};
use calma_record::Gap;
use std::collections::BTreeSet;
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "database-settings",
        doing: "Looking at databases",
        doc: "what database servers load and run, and whom they let in",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(30),
    },
    collect,
};

const WHAT: &str = "settings of databases";
const MYSQL: Area = Area("mysql setting");
const POSTGRESQL: Area = Area("postgresql setting");
const REDIS: Area = Area("redis setting");
const MONGODB: Area = Area("mongodb setting");
const LIBRARY: Area = Area("database library");
/// Libraries that are looked at in all.
const MOST: usize = 2_000;

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    mysql(context, out)?;
    postgresql(context, out)?;
    redis(context, out)?;
    mongodb(context, out)?;
    let couch = Mechanism { name: "database: CouchDB", when: "when a query asks for it, or at its start" };
    for pattern in [
        "/etc/couchdb/*.ini",
        "/etc/couchdb/*.d/*.ini",
        "/opt/couchdb/etc/*.ini",
        "/opt/couchdb/etc/*.d/*.ini",
    ] {
        for path in settings::glob(context.host.tree(), pattern.as_bytes()) {
            let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
            for one in parse::mysql(&bytes) {
                if matches!(
                    one.section.as_bytes(),
                    b"query_servers" | b"os_daemons" | b"native_query_servers" | b"update_notification"
                ) {
                    couch.command_as(
                        context,
                        &path,
                        one.line,
                        one.value.as_bytes(),
                        &Who::named(context, b"couchdb"),
                        out,
                    )?;
                }
            }
        }
    }
    let data: [&[u8]; 5] = [
        b"/var/lib/mysql/mysql",
        b"/var/lib/mariadb",
        b"/var/lib/pgsql",
        b"/var/lib/postgresql",
        b"/var/lib/mongodb",
    ];
    if let Some(place) =
        data.iter().find(|place| context.host.tree().list(place).is_ok_and(|names| !names.is_empty()))
    {
        let gap = Gap::new(
            "functions, triggers and events kept inside databases",
            "only the database's own server reads them",
        );
        out.gap(
            gap.at(*place)
                .instead("dump the database without starting its jobs, and read the dump on another machine"),
        )?;
    }
    out.flow()
}

fn put(area: Area, context: &Context, path: &[u8], one: &Setting, out: &mut Out) -> Flow {
    if one.value.as_bytes().starts_with(b"/") {
        describe::file(context, one.value.as_bytes(), out)?;
    }
    let found = Found {
        line: one.line,
        name: one.name.as_bytes(),
        value: one.value.as_bytes(),
        whom: one.section.as_bytes(),
    };
    area.put(context, path, &found, out)
}

fn mysql(context: &Arc<Context>, out: &mut Out) -> Flow {
    const NAMES: &[&str] = &[
        "init_file",
        "init_connect",
        "init_slave",
        "plugin_load",
        "plugin_load_add",
        "plugin_dir",
        "skip_grant_tables",
        "general_log_file",
        "slow_query_log_file",
        "log_error",
        "secure_file_priv",
        "pager",
        "init_command",
        "plugin_maturity",
    ];
    let tree = context.host.tree();
    let mut todo: Vec<Vec<u8>> = [
        "/etc/my.cnf",
        "/etc/mysql/*.cnf",
        "/etc/mysql/*.d/*.cnf",
        "/etc/my.cnf.d/*.cnf",
        "/var/lib/mysql/my.cnf",
        "/usr/local/mysql/*.cnf",
        "/usr/local/etc/my.cnf",
    ]
    .iter()
    .flat_map(|pattern| settings::glob(tree, pattern.as_bytes()))
    .collect();
    todo.extend(settings::homes(context).iter().map(|home| join(&home.path, b".my.cnf")));
    let (mut seen, mut folders) = (BTreeSet::new(), Vec::new());
    while let Some(path) = todo.pop() {
        let real = resolve(tree, &path).unwrap_or(path);
        if seen.len() > 500 || !seen.insert(real.clone()) {
            continue;
        }
        let Some(bytes) = settings::read(context, &real, WHAT, out)? else { continue };
        for one in parse::mysql(&bytes) {
            let value = one.value.as_bytes();
            match one.name.as_str() {
                "!include" => todo.push(value.to_vec()),
                "!includedir" => todo.extend(settings::glob(tree, &join(value, b"*.cnf"))),
                "plugin_dir" if value.starts_with(b"/") => folders.push(value.to_vec()),
                _ => {}
            }
            if NAMES.contains(&one.name.as_str()) {
                put(MYSQL, context, &real, &one, out)?;
            }
        }
    }
    for pattern in [
        "/usr/lib/mysql/plugin",
        "/usr/lib64/mysql/plugin",
        "/usr/lib64/mariadb/plugin",
        "/usr/lib/*/mariadb*/plugin",
        "/usr/lib/mariadb/plugin",
        "/usr/local/mysql/lib/plugin",
    ] {
        folders.extend(settings::glob(tree, pattern.as_bytes()));
    }
    folders.push(b"/var/lib/mysql".to_vec());
    libraries(context, "MySQL or MariaDB", folders, out)
}

/// Libraries that no package brings, in folders that a server loads from.
fn libraries(context: &Context, server: &str, folders: Vec<Vec<u8>>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    let mut seen = BTreeSet::new();
    for folder in folders {
        let folder = resolve(tree, &folder).unwrap_or(folder);
        if !seen.insert(folder.clone()) {
            continue;
        }
        for path in settings::files(context, &folder, "libraries of databases", out)?.into_iter().take(MOST) {
            if !path.ends_with(b".so") {
                continue;
            }
            let real = resolve(tree, &path).unwrap_or_else(|_| path.clone());
            if matches!(context.packages().owner(&real), Owner::Package(_)) {
                continue;
            }
            let found = Found { line: 0, name: server.as_bytes(), value: &path, whom: b"" };
            LIBRARY.put(context, &path, &found, out)?;
        }
    }
    out.flow()
}

fn postgresql(context: &Arc<Context>, out: &mut Out) -> Flow {
    const LOADS: &[&str] = &[
        "shared_preload_libraries",
        "local_preload_libraries",
        "session_preload_libraries",
        "dynamic_library_path",
        "archive_library",
        "jit_provider",
        "oauth_validator_libraries",
    ];
    const RUNS: &[&str] = &[
        "archive_command",
        "restore_command",
        "archive_cleanup_command",
        "recovery_end_command",
        "ssl_passphrase_command",
    ];
    let tree = context.host.tree();
    let who = Who::named(context, b"postgres");
    let mut todo: Vec<Vec<u8>> = Vec::new();
    for place in [
        "/etc/postgresql/*/*",
        "/var/lib/postgresql/*/*",
        "/var/lib/postgresql/data",
        "/var/lib/pgsql/data",
        "/var/lib/pgsql/*/data",
        "/var/lib/postgres/data",
        "/usr/local/pgsql/data",
    ] {
        for name in ["*.conf", "conf.d/*.conf"] {
            todo.extend(settings::glob(tree, &join(place.as_bytes(), name.as_bytes())));
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(path) = todo.pop() {
        let real = resolve(tree, &path).unwrap_or(path);
        if seen.len() > 500 || !seen.insert(real.clone()) {
            continue;
        }
        let Some(bytes) = settings::read(context, &real, WHAT, out)? else { continue };
        if real.ends_with(b"pg_hba.conf") {
            for rule in parse::access(&bytes).into_iter().filter(|rule| rule.method == "trust") {
                let place = if rule.address.is_empty() { rule.kind.clone() } else { rule.address.clone() };
                let found = Found {
                    line: rule.line,
                    name: b"trust",
                    value: place.as_bytes(),
                    whom: rule.users.as_bytes(),
                };
                POSTGRESQL.put(context, &real, &found, out)?;
            }
            continue;
        }
        let run = Mechanism {
            name: "database: PostgreSQL",
            when: "as the server goes on: at its start, or with every segment of its log",
        };
        for one in parse::postgresql(&bytes) {
            let value = one.value.as_bytes();
            let below = |value: &[u8]| {
                if value.starts_with(b"/") { value.to_vec() } else { join(parent(&real), value) }
            };
            match one.name.as_str() {
                "include" | "include_if_exists" => todo.push(below(value)),
                "include_dir" => todo.extend(settings::glob(tree, &join(&below(value), b"*.conf"))),
                name if RUNS.contains(&name) && !value.is_empty() => {
                    run.command_as(context, &real, one.line, value, &who, out)?;
                }
                name if LOADS.contains(&name) && !value.is_empty() => {
                    for library in value
                        .split(|b| matches!(b, b',' | b':'))
                        .map(<[u8]>::trim_ascii)
                        .filter(|l| l.starts_with(b"/"))
                    {
                        describe::file(context, library, out)?;
                        describe::file(context, &[library, b".so"].concat(), out)?;
                    }
                    put(POSTGRESQL, context, &real, &one, out)?;
                }
                _ => {}
            }
        }
    }
    for home in settings::homes(context) {
        client(context, &join(&home.path, b".psqlrc"), &Who::of(&home), out)?;
    }
    for path in [&b"/etc/postgresql-common/psqlrc"[..], b"/etc/sysconfig/pgsql/psqlrc"] {
        client(context, path, &Who::everybody(), out)?;
    }
    let mut folders = Vec::new();
    for pattern in [
        "/usr/lib/postgresql/*/lib",
        "/usr/pgsql-*/lib",
        "/usr/lib64/pgsql",
        "/usr/lib/postgresql",
        "/usr/local/pgsql/lib",
    ] {
        folders.extend(settings::glob(tree, pattern.as_bytes()));
    }
    libraries(context, "PostgreSQL", folders, out)
}

/// Commands of a file that psql(1) reads at its start: `\! COMMAND`, `\o |COMMAND`.
fn client(context: &Context, path: &[u8], who: &Who, out: &mut Out) -> Flow {
    let run = Mechanism { name: "database: psql", when: "whenever somebody starts psql" };
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for (line, text) in calma_formats::lines::meaningful(&bytes) {
        let command = text.strip_prefix(b"\\!").or_else(|| {
            let piped = text.strip_prefix(b"\\o").or(text.strip_prefix(b"\\g"))?.trim_ascii_start();
            piped.strip_prefix(b"|")
        });
        if let Some(command) = command {
            run.command_as(context, path, line, command.trim_ascii(), who, out)?;
        }
    }
    out.flow()
}

fn redis(context: &Arc<Context>, out: &mut Out) -> Flow {
    const NAMES: &[&str] = &[
        "dir",
        "dbfilename",
        "appendfilename",
        "appenddirname",
        "loadmodule",
        "bind",
        "protected_mode",
        "requirepass",
        "user",
        "aclfile",
        "replicaof",
        "slaveof",
        "logfile",
        "port",
        "enable_module_command",
        "unixsocket",
    ];
    let tree = context.host.tree();
    let mut todo: Vec<Vec<u8>> = [
        "/etc/redis.conf",
        "/etc/redis-sentinel.conf",
        "/etc/redis/*.conf",
        "/etc/redis/*/*.conf",
        "/etc/valkey/*.conf",
        "/etc/keydb/*.conf",
        "/usr/local/etc/redis*.conf",
    ]
    .iter()
    .flat_map(|pattern| settings::glob(tree, pattern.as_bytes()))
    .collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = todo.pop() {
        if seen.len() > 100 || !seen.insert(path.clone()) {
            continue;
        }
        let Some(bytes) = settings::read(context, &path, WHAT, out)? else { continue };
        for mut one in parse::redis(&bytes) {
            if one.name == "include" {
                todo.extend(settings::glob(tree, one.value.as_bytes()));
            }
            if NAMES.contains(&one.name.as_str()) {
                // A password is there or not; what it is stays out of the case.
                if matches!(one.name.as_str(), "requirepass" | "user") {
                    one.value = "(set)".into();
                }
                if one.name == "loadmodule" {
                    one.value =
                        one.value.as_bytes().split(u8::is_ascii_whitespace).next().unwrap_or_default().into();
                }
                put(REDIS, context, &path, &one, out)?;
            }
        }
    }
    out.flow()
}

fn mongodb(context: &Arc<Context>, out: &mut Out) -> Flow {
    let run = Mechanism { name: "database: MongoDB's shell", when: "whenever somebody starts it" };
    for path in [&b"/etc/mongorc.js"[..], b"/etc/mongosh.conf"] {
        run.script_as(context, path, &Who::everybody(), out)?;
    }
    for home in settings::homes(context) {
        for name in [&b".mongorc.js"[..], b".mongoshrc.js"] {
            run.script_as(context, &join(&home.path, name), &Who::of(&home), out)?;
        }
    }
    for path in [&b"/etc/mongod.conf"[..], b"/etc/mongodb.conf"] {
        let Some(bytes) = settings::read(context, path, WHAT, out)? else { continue };
        for (line, text) in calma_formats::lines::meaningful(&bytes) {
            let Some((name, value)) =
                calma_formats::lines::cut(text, b':').or_else(|| calma_formats::lines::cut(text, b'='))
            else {
                continue;
            };
            if matches!(name, b"bindIp" | b"bind_ip" | b"bindIpAll" | b"authorization" | b"auth" | b"noauth")
            {
                MONGODB.put(context, path, &Found { line, name, value, whom: b"" }, out)?;
            }
        }
    }
    out.flow()
}
