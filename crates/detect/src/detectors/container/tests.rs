//! Tests of this detector.

use calma_record::Severity;
use calma_testkit::{Mem, Seen, check};

fn docker(image: &str, command: &str, host: &str) -> Mem {
    let config = format!(
        r#"{{"ID":"ab12","Name":"/web","Path":"{command}","Args":[],"State":{{"Running":true,"Pid":812}},"Config":{{"Image":"{image}"}}}}"#
    );
    Mem::new()
        .file("/var/lib/docker/containers/ab12/config.v2.json", config)
        .file("/var/lib/docker/containers/ab12/hostconfig.json", host)
}

fn oci(more: &str) -> String {
    format!(
        r#"{{"process":{{"args":["sh","-c","sleep 9"],"capabilities":{{"bounding":["CAP_CHOWN"]}}}},"linux":{{"seccomp":{{}},"namespaces":[{{"type":"pid"}},{{"type":"network"}},{{"type":"ipc"}}]}}{more}}}"#
    )
}

fn worst(seen: &Seen) -> Option<Severity> {
    seen.by("container").iter().map(|finding| finding.severity).max()
}

#[test]
fn containers_that_are_the_host_are_found() {
    for host in [
        r#"{"Privileged":true,"PidMode":"host"}"#,
        r#"{"Privileged":true,"Binds":["/:/mnt"]}"#,
        r#"{"Binds":["/srv/..//:/data"]}"#,
        r#"{"Binds":["/proc/1/root:/data"]}"#,
        r#"{"Binds":["/opt/backup:/data"]}"#,
        r#"{"Mounts":[{"Type":"bind","Source":"/var/spool/cron/crontabs","Target":"/x"}]}"#,
        r#"{"binds":["/etc:/etc2:rw"]}"#,
        r#"{"Devices":[{"PathOnHost":"/dev/vda1"}]}"#,
    ] {
        let seen = check(docker("alpine", "sh", host).symlink("/opt/backup", "/"));
        assert_eq!(worst(&seen), Some(Severity::High), "{host}: {:?}", seen.by("container"));
        assert_eq!(seen.alarms("container").len(), 1);
    }
    for host in [
        r#"{"Privileged":true}"#,
        r#"{"Binds":["/var/run/docker.sock:/s:ro"]}"#,
        r#"{"Binds":["/run:/s"]}"#,
        r#"{"CapAdd":["ALL"]}"#,
        r#"{"CapAdd":["SYS_PTRACE"],"PidMode":"host"}"#,
    ] {
        let seen = check(docker("my/tool", "run", host));
        assert_eq!(worst(&seen), Some(Severity::Medium), "{host}: {:?}", seen.by("container"));
    }
    // An image's name is no excuse for a shell in it.
    let seen = check(docker("traefik:3", "/bin/sh", r#"{"Privileged":true,"PidMode":"host"}"#));
    assert_eq!(worst(&seen), Some(Severity::High));
    let spec =
        oci(r#","mounts":[{"type":"bind","source":"/root","destination":"/x","options":["rbind","rw"]}]"#);
    for path in [
        "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ab/config.json",
        "/var/lib/containers/storage/overlay-containers/ab/userdata/config.json",
    ] {
        let seen = check(Mem::new().file(path, &spec));
        assert_eq!(worst(&seen), Some(Severity::High), "{path}");
    }
    let crun = Mem::new()
        .file("/run/crun/x/status", r#"{"pid":42,"bundle":"/tmp/.b"}"#)
        .file("/tmp/.b/config.json", &spec);
    let seen = check(crun);
    assert_eq!(worst(&seen), Some(Severity::High));
    assert!(format!("{:?}", seen.by("container")[0].subjects).contains("42"));
    let lxc = Mem::new().file("/var/lib/lxc/x/config", "lxc.mount.entry = / mnt none bind,create=dir 0 0\n");
    assert_eq!(worst(&check(lxc)), Some(Severity::High));
}

#[test]
fn ordinary_containers_are_quiet() {
    for (image, host) in [
        (
            "nginx",
            r#"{"Binds":["/srv/www:/usr/share/nginx/html:ro","/etc/nginx:/etc/nginx","/etc/localtime:/etc/localtime"]}"#,
        ),
        (
            "postgres:16",
            r#"{"Binds":["/var/lib/postgres:/data","/home/me/x:/x"],"RestartPolicy":{"Name":"always"}}"#,
        ),
        ("my/vpn", r#"{"CapAdd":["NET_ADMIN"],"NetworkMode":"host","Binds":["/lib/modules:/lib/modules"]}"#),
        ("my/ci", r#"{"Binds":["/usr/bin/docker:/usr/bin/docker"]}"#),
    ] {
        let seen = check(docker(image, "run", host));
        assert!(seen.by("container").is_empty(), "{image}: {:?}", seen.by("container"));
    }
    for (image, host) in [
        ("portainer/portainer-ce:latest", r#"{"Binds":["/var/run/docker.sock:/var/run/docker.sock"]}"#),
        ("quay.io/prometheus/node-exporter", r#"{"PidMode":"host","Binds":["/:/host:ro,rslave"]}"#),
        ("docker:27-dind", r#"{"Privileged":true}"#),
        (
            "gcr.io/cadvisor/cadvisor",
            r#"{"Privileged":true,"Binds":["/:/rootfs:ro","/var/run:/var/run:ro","/sys:/sys:ro"]}"#,
        ),
        ("my/backup", r#"{"Binds":["/:/data:ro"]}"#),
    ] {
        let seen = check(docker(image, "run", host));
        assert!(seen.alarms("container").is_empty(), "{image}: {:?}", seen.by("container"));
    }
    let rootless = oci(r#","mounts":[{"type":"bind","source":"/","options":["rbind","rw"]}]"#)
        .replace(r#""linux":{"#, r#""linux":{"uidMappings":[{"containerID":0,"hostID":1000,"size":1}],"#);
    let own = "/home/me/.local/share/containers/storage/overlay-containers/ab/userdata/config.json";
    assert!(check(Mem::new().file(own, rootless)).by("container").is_empty());
    // What is no JSON is a gap.
    let broken = check(Mem::new().file("/var/lib/docker/containers/ab/config.v2.json", "{"));
    assert!(broken.by("container").is_empty() && !broken.gaps.is_empty());
}

fn pod(name: &str, spec: &str) -> Mem {
    let text = format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n{spec}");
    Mem::new().file(format!("/etc/kubernetes/manifests/{name}.yaml"), text)
}

#[test]
fn static_pods() {
    let root = "  volumes:\n  - hostPath:\n      path: /\n    name: r\n";
    for (name, spec) in [
        ("kube-apiserver", format!("  containers:\n  - image: a/b\n{root}")),
        (
            "x",
            "  hostPID: true\n  containers:\n  - image: busybox\n    securityContext: {privileged: true}\n"
                .to_owned(),
        ),
        (
            "y",
            "  containers: [{image: a, name: b}]\n  volumes: [{name: v, hostPath: {path: /etc/}}]\n"
                .to_owned(),
        ),
    ] {
        let seen = check(pod(name, &spec));
        assert_eq!(worst(&seen), Some(Severity::High), "{spec}: {:?}", seen.by("container"));
    }
    let moved = Mem::new()
        .file("/var/lib/kubelet/config.yaml", "staticPodPath: \"/opt/pods\"\n")
        .file("/opt/pods/.x", "")
        .file("/opt/pods/x", r#"{"kind":"Pod","spec":{"hostPID":true,"containers":[{"image":"i","securityContext":{"privileged":true}}]}}"#);
    assert_eq!(worst(&check(moved)), Some(Severity::High));
    let spec = "  hostNetwork: true\n  containers:\n  - command:\n    - etcd\n    - --data-dir=/var/lib/etcd\n    image: registry.k8s.io/etcd:3.5.12-0\n    volumeMounts:\n    - mountPath: /var/lib/etcd\n      name: d\n    - mountPath: /pki\n      name: p\n  volumes:\n  - hostPath:\n      path: /etc/kubernetes/pki/etcd\n      type: DirectoryOrCreate\n    name: p\n  - hostPath:\n      path: /var/lib/etcd\n    name: d\n";
    let seen = check(pod("etcd", spec));
    assert!(seen.by("container").is_empty(), "{:?}", seen.by("container"));
}

#[test]
fn hooks_and_listeners() {
    for path in ["/etc/containers/oci/hooks.d/a.json", "/usr/share/containers/oci/hooks.d/b.json"] {
        let hook = r#"{"version":"1.0.0","hook":{"path":"/var/tmp/.x/h"},"when":{"always":true},"stages":["prestart"]}"#;
        let seen = check(Mem::new().file(path, hook).file("/var/tmp/.x/h", "#!/bin/sh\n"));
        assert_eq!(seen.alarms("container").len(), 1, "{path}: {:?}", seen.by("container"));
    }
    let lxc = Mem::new()
        .file("/var/lib/lxc/x/config", "lxc.hook.pre-start = /dev/shm/h\n")
        .file("/dev/shm/h", "#!/bin/sh\n");
    assert_eq!(check(lxc).alarms("container").len(), 1);
    let hosts = |hosts: &str| check(Mem::new().file("/etc/docker/daemon.json", hosts));
    assert_eq!(worst(&hosts(r#"{"hosts":["fd://","tcp://0.0.0.0:2375"]}"#)), Some(Severity::Medium));
    assert_eq!(
        worst(&hosts(r#"{"runtimes":{"x":{"path":"/tmp/x"}}}"#)).map(|s| s >= Severity::Medium),
        Some(true)
    );
    assert!(
        hosts(r#"{"hosts":["unix:///var/run/docker.sock"],"log-driver":"local"}"#).by("container").is_empty()
    );
    assert!(hosts(r#"{"hosts":["tcp://0.0.0.0:2376"],"tlsverify":true}"#).by("container").is_empty());
    let nvidia = r#"{"runtimes":{"nvidia":{"path":"nvidia-container-runtime"}}}"#;
    assert!(hosts(nvidia).by("container").is_empty());
}
