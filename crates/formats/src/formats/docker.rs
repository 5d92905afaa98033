//! What the Docker engine writes down: a container's config.v2.json and hostconfig.json, and its own daemon.json.

use crate::{Format, json};
use calma_record::{Text, kinds::Container, kinds::ContainerSetting};
use serde_json::Value;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "docker",
    doc: "Containers and settings of the Docker engine.",
    manual: "Docker Engine API (HostConfig, State, Mount); dockerd(8)",
    samples: &[
        br#"{"ID":"ab12","Name":"/web","Path":"nginx","Args":["-g","daemon off;"],"State":{"Running":true,"Pid":812,"StartedAt":"2026-01-02T03:04:05.6Z"},"Config":{"Image":"nginx:1.27"},"MountPoints":{"/h":{"Type":"bind","Source":"/","RW":true}}}"#,
        br#"{"Binds":["/etc:/host/etc:ro","data:/data"],"Mounts":[{"Type":"bind","Source":"/srv","ReadOnly":true}],"NetworkMode":"host","PidMode":"host","IpcMode":"private","Privileged":true,"CapAdd":["CAP_SYS_ADMIN"],"SecurityOpt":["seccomp=unconfined","label:disable"],"RestartPolicy":{"Name":"always"},"Devices":[{"PathOnHost":"/dev/sda"}]}"#,
        br#"{"hosts":["unix:///var/run/docker.sock","tcp://0.0.0.0:2375"],"tlsverify":false,"runtimes":{"x":{"path":"/opt/x"}}}"#,
    ],
    feed: |bytes| {
        container(bytes, bytes);
        settings(b"/etc/docker/daemon.json", bytes);
    },
};

/// A container from its config.v2.json and hostconfig.json; `None` if the first is no JSON.
pub fn container(config: &[u8], host: &[u8]) -> Option<Container> {
    let config = json::parse(config)?;
    let host = json::parse(host).unwrap_or_default();
    let name = json::text(&config, &["Name"]);
    let running = json::flag(&config, &["State", "Running"]);
    let pid = json::at(&config, &["State", "Pid"]).as_u64().and_then(|pid| u32::try_from(pid).ok());
    let is_host = |name: &str| json::text(&host, &[name]) == "host";
    let mut row = Container {
        runtime: "docker".to_owned(),
        id: json::text(&config, &["ID"]),
        name: name.as_bytes().strip_prefix(b"/").map_or_else(|| name.clone(), Text::from),
        image: json::text(&config, &["Config", "Image"]),
        pid: pid.filter(|pid| running && *pid > 0),
        started: time(&config, &["State", "StartedAt"]),
        command: std::iter::once(json::text(&config, &["Path"]))
            .chain(json::texts(&config, &["Args"]))
            .filter(|word| !word.is_empty())
            .collect(),
        restart: json::at(&host, &["RestartPolicy", "Name"])
            .as_str()
            .filter(|name| *name != "no")
            .unwrap_or_default()
            .to_owned(),
        privileged: json::flag(&host, &["Privileged"]),
        host_pid: is_host("PidMode"),
        host_network: is_host("NetworkMode"),
        host_ipc: is_host("IpcMode"),
        capabilities: json::texts(&host, &["CapAdd"]).iter().map(capability).collect(),
        devices: json::list(&host, &["Devices"])
            .map(|device| json::text(device, &["PathOnHost"]))
            .filter(|path| !path.is_empty())
            .collect(),
        ..Container::default()
    };
    for option in json::texts(&host, &["SecurityOpt"]) {
        row.unconfined.extend(turned_off(option.as_bytes()));
    }
    for bind in json::texts(&host, &["Binds"]) {
        let mut parts = bind.as_bytes().split(|b| *b == b':');
        let source = parts.next().unwrap_or_default();
        let read_only = parts.nth(1).is_some_and(|mode| mode.split(|b| *b == b',').any(|word| word == b"ro"));
        mount(&mut row, &source.into(), !read_only);
    }
    for entry in json::list(&host, &["Mounts"]).filter(|entry| json::text(entry, &["Type"]) == "bind") {
        mount(&mut row, &json::text(entry, &["Source"]), !json::flag(entry, &["ReadOnly"]));
    }
    for (_, entry) in json::members(&config, &["MountPoints"]) {
        if json::text(entry, &["Type"]) != "volume" {
            mount(&mut row, &json::text(entry, &["Source"]), json::flag(entry, &["RW"]));
        }
    }
    Some(row)
}

/// Adds a directory or file of the host to what a container sees.
pub(crate) fn mount(row: &mut Container, source: &Text, writable: bool) {
    let mounts = if writable { &mut row.writable } else { &mut row.readable };
    if source.as_bytes().starts_with(b"/") && mounts.len() < 256 && !mounts.contains(source) {
        mounts.push(source.clone());
    }
}

/// An instant as RFC 3339 writes it; `None` for Go's year 1, which means never.
pub(crate) fn time(value: &Value, path: &[&str]) -> Option<calma_record::Timestamp> {
    serde_json::from_value(json::at(value, path).clone()).ok()
}

/// A capability without its prefix.
pub(crate) fn capability(name: &Text) -> String {
    let name = name.to_string().to_ascii_uppercase();
    name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
}

fn turned_off(option: &[u8]) -> Option<String> {
    let at = option.iter().position(|b| matches!(b, b'=' | b':'))?;
    let (name, value) = (option.get(..at)?, option.get(at + 1..)?);
    match (name, value) {
        (b"seccomp", b"unconfined") => Some("seccomp"),
        (b"apparmor", b"unconfined") => Some("apparmor"),
        (b"label", b"disable") => Some("selinux"),
        _ => None,
    }
    .map(str::to_owned)
}

/// What daemon.json at `path` says of who may command the engine, and of the programs that make containers; `None` if it
/// is no JSON.
pub fn settings(path: &[u8], bytes: &[u8]) -> Option<Vec<ContainerSetting>> {
    let value = json::parse(bytes)?;
    let verified = json::flag(&value, &["tlsverify"]);
    let setting =
        |name: &str, value| ContainerSetting { path: path.into(), name: name.to_owned(), value, verified };
    let mut all: Vec<ContainerSetting> =
        json::texts(&value, &["hosts"]).into_iter().map(|host| setting("host", host)).collect();
    for (_, runtime) in json::members(&value, &["runtimes"]) {
        let program = json::text(runtime, &["path"]);
        if !program.is_empty() {
            all.push(setting("runtime", program));
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_and_settings_are_understood() {
        let row = container(FORMAT.samples[0], FORMAT.samples[1]).unwrap();
        assert!(row.privileged && row.host_pid && row.host_network && !row.host_ipc);
        assert_eq!((row.name.to_string(), row.pid, row.command.len()), ("web".to_owned(), Some(812), 3));
        assert_eq!((row.writable, row.readable.len()), (vec!["/".into()], 2));
        assert_eq!(row.unconfined, ["seccomp", "selinux"]);
        assert_eq!(row.capabilities, ["SYS_ADMIN"]);
        assert!(row.started.is_some());
        // Go does not care for the case of names, nor for bytes that are no UTF-8.
        let row = container(b"{\"id\":\"a\xff\"}", br#"{"privileged":true}"#).unwrap();
        assert!(row.privileged);
        assert_eq!(settings(b"/x", FORMAT.samples[2]).unwrap().len(), 3);
    }
}
