//! Servers of databases: killed or frozen in the middle of a write they may lose what a clean stop keeps.

use crate::KeepOff;
use calma_host::Host;
use calma_host::ground::ProcessLine;
use calma_record::step::Refusal;

/// Programs by their file's name, with the command that stops each in an orderly way where no unit is known. Taken from the
/// manuals of the programs themselves.
const SERVERS: [(&str, &str); 14] = [
    ("mariadbd", "mariadb-admin shutdown"),
    ("mysqld", "mysqladmin shutdown"),
    ("postgres", "pg_ctl stop -m fast -D DATADIR"),
    ("redis-server", "redis-cli shutdown save"),
    ("valkey-server", "valkey-cli shutdown save"),
    ("mongod", "mongod --shutdown --dbpath DBPATH"),
    ("clickhouse-server", "clickhouse stop"),
    ("influxd", "kill -TERM PID, then wait for its end"),
    ("etcd", "kill -TERM PID, then wait for its end"),
    ("slapd", "kill -INT PID, then wait for its end"),
    ("beam.smp", "rabbitmqctl stop, or couchdb's own stop"),
    ("cassandra", "nodetool drain, then kill -TERM PID"),
    ("neo4j", "neo4j stop"),
    ("oracle", "shutdown immediate, in sqlplus"),
];

/// Where programs of a system stand: a program elsewhere that calls itself mysqld is nobody's database.
const PLACES: [&[u8]; 6] = [b"/usr/", b"/bin/", b"/sbin/", b"/opt/", b"/lib/", b"/snap/"];

/// Refuses if one of these processes is the server of a database, unless that was allowed.
pub(crate) fn allows(host: &dyn Host, keep_off: &KeepOff, members: &[ProcessLine]) -> Result<(), Refusal> {
    if !keep_off.databases {
        return Ok(());
    }
    for line in members {
        let program = host.tree().link(format!("/proc/{}/exe", line.pid).as_bytes()).unwrap_or_default();
        if let Some((server, stop)) = server(&program) {
            let stop = unit(host, line.pid).map_or_else(
                || stop.replace("PID", &line.pid.to_string()),
                |unit| format!("systemctl stop {unit}"),
            );
            let why = format!(
                "process {} is the database server {server}, which may be in the middle of a write",
                line.pid
            );
            return Err(
                Refusal::new(why).instead(format!("stop it cleanly first: {stop}; or give --even-databases"))
            );
        }
    }
    Ok(())
}

/// The server that a program is.
fn server(program: &[u8]) -> Option<(&'static str, &'static str)> {
    let name = program.rsplit(|b| *b == b'/').next()?;
    let known = SERVERS.iter().find(|(server, _)| server.as_bytes() == name)?;
    PLACES.iter().any(|place| program.starts_with(place)).then_some(*known)
}

/// The unit of the service manager that a process belongs to, by its control group, if its name can be typed as it is.
fn unit(host: &dyn Host, pid: u32) -> Option<String> {
    let text = host.tree().read(format!("/proc/{pid}/cgroup").as_bytes(), 64 << 10).ok()?.bytes;
    let mut parts = text.split(|b| *b == b'\n' || *b == b'/');
    let unit = parts.find(|part| part.ends_with(b".service"))?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    unit.iter().all(plain).then(|| String::from_utf8_lossy(unit).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_program_and_its_place() {
        for program in
            ["/usr/sbin/mariadbd", "/usr/lib/postgresql/15/bin/postgres", "/opt/redis/redis-server"]
        {
            assert!(server(program.as_bytes()).is_some(), "{program}");
        }
        for program in
            ["/tmp/.x/mysqld", "/usr/sbin/mysqld (deleted)", "/usr/bin/mysql", "", "/usr/sbin/nginx"]
        {
            assert!(server(program.as_bytes()).is_none(), "{program}");
        }
    }
}
