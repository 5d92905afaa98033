//! Containers as the Open Container Initiative's runtimes keep them: bundles, states of runc and crun, names of podman's
//! storage, and hooks.

use super::docker::{capability, mount, time};
use crate::{Format, json};
use calma_record::{Text, kinds::Container};
use serde_json::Value;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "oci",
    doc: "Containers of runc, crun, containerd, podman and cri-o, and hooks of these.",
    manual: "OCI runtime specification (config.md, config-linux.md); oci-hooks(5)",
    samples: &[
        br#"{"process":{"args":["sh","-c","id"],"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_ADMIN"]},"apparmorProfile":"x"},"mounts":[{"destination":"/h","type":"bind","source":"/etc","options":["rbind","ro"]},{"destination":"/proc","type":"proc","source":"proc"}],"linux":{"namespaces":[{"type":"mount"},{"type":"pid","path":"/proc/1/ns/pid"}],"devices":[{"path":"/dev/sda","type":"b"}],"uidMappings":[{"containerID":0,"hostID":1000,"size":1}]},"hooks":{"prestart":[{"path":"/opt/h","args":["h","x"]}]},"annotations":{"io.kubernetes.cri.image-name":"a/b:1","io.kubernetes.cri.container-name":"c"}}"#,
        br#"{"id":"a","init_process_pid":41,"created":"2026-01-02T03:04:05Z","config":{"labels":["bundle=/run/b"]}}"#,
        br#"{"pid":42,"bundle":"/run/b","created":"2026-01-02T03:04:05Z"}"#,
        br#"[{"id":"ab","names":["web"],"metadata":"{\"image-name\":\"docker.io/library/alpine:3\",\"name\":\"web\"}"}]"#,
        br#"{"version":"1.0.0","hook":{"path":"/opt/h","args":["h","x"]},"when":{"always":true},"stages":["prestart"]}"#,
    ],
    feed: |bytes| {
        bundle(bytes);
        state(bytes);
        names(bytes);
        hook(bytes);
    },
};

/// What runtimes give every container (the defaults of Docker, containerd and podman).
const GIVEN: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// A bundle: the container as far as config.json says, and the commands that the host runs for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// The container, without runtime, id and path.
    pub container: Container,
    /// Its hooks, as command lines.
    pub hooks: Vec<Text>,
}

/// What a bundle's config.json says; `None` if it is no JSON.
pub fn bundle(bytes: &[u8]) -> Option<Bundle> {
    let value = json::parse(bytes)?;
    let note = |names: &[&str]| {
        names.iter().map(|name| json::text(&value, &["annotations", name])).find(|text| !text.is_empty())
    };
    // A namespace that is not listed, or is that of the first process, is the host's.
    let shares = |kind: &str| {
        !json::list(&value, &["linux", "namespaces"]).any(|namespace| {
            json::text(namespace, &["type"]) == kind
                && !json::text(namespace, &["path"]).as_bytes().starts_with(b"/proc/1/")
        })
    };
    let mut row = Container {
        name: note(&["io.kubernetes.cri.container-name", "io.kubernetes.cri-o.Name", "nerdctl/name"])
            .unwrap_or_default(),
        image: note(&["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"]).unwrap_or_default(),
        command: json::texts(&value, &["process", "args"]),
        host_pid: shares("pid"),
        host_network: shares("network"),
        host_ipc: shares("ipc"),
        user_namespace: json::list(&value, &["linux", "uidMappings"]).any(|mapping| {
            json::at(mapping, &["containerID"]).as_u64() == Some(0)
                && json::at(mapping, &["hostID"]).as_u64().is_some_and(|id| id != 0)
        }),
        ..Container::default()
    };
    row.capabilities = json::texts(&value, &["process", "capabilities", "bounding"])
        .iter()
        .map(capability)
        .filter(|name| !GIVEN.contains(&name.as_str()))
        .collect();
    let filtered = json::at(&value, &["linux", "seccomp"]).is_object();
    if !filtered {
        row.unconfined.push("seccomp".to_owned());
    }
    if json::text(&value, &["process", "apparmorProfile"]) == "unconfined" {
        row.unconfined.push("apparmor".to_owned());
    }
    let all = ["SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "SYS_BOOT"];
    row.privileged = !filtered && all.iter().all(|name| row.capabilities.iter().any(|had| had == name));
    if row.privileged {
        row.capabilities = vec!["ALL".to_owned()];
    } else {
        row.devices = json::list(&value, &["linux", "devices"])
            .map(|device| json::text(device, &["path"]))
            .filter(|path| !path.is_empty())
            .collect();
    }
    for entry in json::list(&value, &["mounts"]) {
        let options = json::texts(entry, &["options"]);
        let bind = json::text(entry, &["type"]) == "bind"
            || options.iter().any(|word| *word == "bind" || *word == "rbind");
        if bind {
            mount(&mut row, &json::text(entry, &["source"]), !options.iter().any(|word| *word == "ro"));
        }
    }
    // A container whose root is the host's own directory is a mount of it under another name.
    let root = json::text(&value, &["root", "path"]);
    if matches!(root.as_bytes(), b"/" | b"/.") {
        mount(&mut row, &"/".into(), !json::flag(&value, &["root", "readonly"]));
    }
    let mut hooks = Vec::new();
    for (_, stage) in json::members(&value, &["hooks"]) {
        hooks.extend(stage.as_array().into_iter().flatten().take(64).filter_map(command));
    }
    Some(Bundle { container: row, hooks })
}

/// A hook's command line: its path, and its arguments without the first, which is a name only.
fn command(hook: &Value) -> Option<Text> {
    let path = json::text(hook, &["path"]);
    if path.is_empty() {
        return None;
    }
    let rest = json::texts(hook, &["args"]).into_iter().skip(1);
    let words = std::iter::once(path).chain(rest).map(|word| quoted(word.as_bytes()));
    Some(words.collect::<Vec<_>>().join(&b' ').into())
}

/// A word as a shell would have to be given it.
fn quoted(word: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-=:,@%+".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    [b"'", word.split(|b| *b == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..]).as_slice(), b"'"].concat()
}

/// Words as one command line of the shell.
fn line(words: &[Text]) -> Text {
    words.iter().map(|word| quoted(word.as_bytes())).collect::<Vec<_>>().join(&b' ').into()
}

/// A running container: its first process, its bundle, and when it began (state.json of runc, status of crun).
pub fn state(bytes: &[u8]) -> Option<(Container, Text)> {
    let value = json::parse(bytes)?;
    let pid = ["init_process_pid", "pid"].iter().find_map(|name| json::at(&value, &[name]).as_u64());
    let label = json::texts(&value, &["config", "labels"])
        .iter()
        .find_map(|label| label.as_bytes().strip_prefix(b"bundle=").map(Text::from));
    let row = Container {
        id: json::text(&value, &["id"]),
        pid: pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
        started: time(&value, &["created"]),
        ..Container::default()
    };
    Some((row, label.unwrap_or_else(|| json::text(&value, &["bundle"]))))
}

/// Id, name and image of the containers in containers.json of podman's and cri-o's storage.
pub fn names(bytes: &[u8]) -> Vec<(Text, Text, Text)> {
    let value = json::parse(bytes).unwrap_or_default();
    let row = |entry: &Value| {
        let about = json::parse(json::text(entry, &["metadata"]).as_bytes()).unwrap_or_default();
        let name = json::texts(entry, &["names"]).into_iter().next().unwrap_or_default();
        (json::text(entry, &["id"]), name, json::text(&about, &["image-name"]))
    };
    json::list(&value, &[]).map(row).collect()
}

/// The command of a file in hooks.d (oci-hooks(5), also its older form).
pub fn hook(bytes: &[u8]) -> Option<Text> {
    let value = json::parse(bytes)?;
    let new = command(json::at(&value, &["hook"]));
    new.or_else(|| {
        let old = json::text(&value, &["hook"]);
        let words: Vec<Text> = std::iter::once(old).chain(json::texts(&value, &["arguments"])).collect();
        words.first().is_some_and(|word| !word.is_empty()).then(|| line(&words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_states_names_and_hooks_are_understood() {
        let found = bundle(FORMAT.samples[0]).unwrap();
        let row = found.container;
        assert!(row.host_pid && row.host_network && row.user_namespace && !row.privileged);
        assert_eq!((row.capabilities, row.readable), (vec!["SYS_ADMIN".to_owned()], vec!["/etc".into()]));
        assert_eq!((row.image, row.devices.len()), ("a/b:1".into(), 1));
        assert_eq!(found.hooks, ["/opt/h x"]);
        let (row, place) = state(FORMAT.samples[1]).unwrap();
        assert_eq!((row.pid, place), (Some(41), "/run/b".into()));
        assert_eq!(state(FORMAT.samples[2]).unwrap().0.pid, Some(42));
        assert_eq!(names(FORMAT.samples[3])[0].2, "docker.io/library/alpine:3");
        assert_eq!(hook(FORMAT.samples[4]), Some("/opt/h x".into()));
        assert_eq!(line(&["sh".into(), "-c".into(), "it's".into()]), "sh -c 'it'\\''s'");
    }
}
