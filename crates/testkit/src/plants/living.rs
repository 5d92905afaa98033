//! Running things, continued: libraries mapped from elsewhere, namespaces of one's own, code without a file, files that
//! are gone but open.

use super::libraries::library;
use super::names::{hidden_folder, kept_folder, libraries, random_name, service};
use super::{DELETED_OPEN, Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (10, 3, mapped_from_elsewhere),
    (16, 3, own_mounts),
    (18, 3, ring),
    (19, 4, code_without_file),
    (34, 3, listener_elsewhere),
    (35, 3, listens_to_all),
    (DELETED_OPEN, 4, deleted_but_open),
];

fn place(shape: usize, random: &mut Random) -> String {
    match shape % 3 {
        0 => format!("/usr/sbin/{}", service(random)),
        1 => format!("{}/{}", kept_folder(random), random_name(random)),
        _ => format!("/usr/local/bin/{}", random_name(random)),
    }
}

fn mapped_from_elsewhere(shape: usize, random: &mut Random) -> Plant {
    let folder = match shape {
        0 => kept_folder(random),
        1 => format!("/usr/lib/{}", service(random)),
        _ => format!("/dev/shm/.{}", random.hex(4)),
    };
    let port = 2300 + random.below(900);
    // The first is what Ebury replaces; newer servers do not use it, but the second.
    let (path, other) = (format!("{folder}/libkeyutils.so.1"), format!("{folder}/libselinux.so.1"));
    Plant::new(10, "an ssh server whose libraries come from elsewhere")
        .step(Step::Copy(format!("{}/libkeyutils.so.1", libraries()), path.clone(), 0o644))
        .step(Step::Copy(format!("{}/libselinux.so.1", libraries()), other.clone(), 0o644))
        .step(Step::Live(format!("exec env LD_LIBRARY_PATH={folder} /usr/sbin/sshd -D -p {port} -o PidFile=none -o ListenAddress=127.0.0.1")))
        .expect(path)
        .expect(other)
}

fn own_mounts(shape: usize, random: &mut Random) -> Plant {
    let path = place(shape, random);
    let over = ["/root", "/var/tmp", "/usr/lib/systemd"][shape % 3];
    Plant::new(16, "a process that sees other files than everybody else")
        .helper(&path)
        .step(Step::Live(format!("exec {path} own-mounts {over}")))
        .expect(path)
}

fn ring(shape: usize, random: &mut Random) -> Plant {
    let path = place(shape, random);
    Plant::new(18, "a program of no package that makes its system calls through a ring")
        .helper(&path)
        .step(Step::Live(format!("exec {path} ring {}", 8 << random.below(4))))
        .expect(path)
}

fn code_without_file(shape: usize, random: &mut Random) -> Plant {
    let path = place(random.below(3), random);
    let kind = ["writable", "sealed", "memory-file", "shared"][shape % 4];
    Plant::new(19, "a program with code that no file holds")
        .helper(&path)
        .step(Step::Live(format!("exec {path} code {kind}")))
        .expect(path)
}

fn listener_elsewhere(shape: usize, random: &mut Random) -> Plant {
    let path = place(shape, random);
    Plant::new(34, "a listener in a network of its own")
        .helper(&path)
        .step(Step::Live(format!("exec {path} own-network {}", 1024 + random.below(60000))))
        .expect(path)
}

fn listens_to_all(shape: usize, random: &mut Random) -> Plant {
    let path = place(shape, random);
    let name = format!("v{}", random.letters(5));
    let make = Step::Run(format!(
        "ip link add {name} type veth peer name {name}p && ip link set {name} up && ip link set {name}p up"
    ));
    let plant =
        Plant::new(35, "a network interface that hands everything to a program").step(make).helper(&path);
    let plant = match shape {
        0 => plant.step(Step::Live(format!("exec {path} listen-to-all {name}"))),
        1 => plant
            .step(Step::Run(format!("ip link set {name} promisc on")))
            .step(Step::Live(format!("exec {path} packet raw"))),
        _ => plant.step(Step::Live(format!("exec {path} listen-to-all eth0"))),
    };
    plant.expect(path)
}

fn deleted_but_open(shape: usize, random: &mut Random) -> Plant {
    let folder = hidden_folder(random);
    let file = format!("{folder}/{}", random_name(random));
    let plant = Plant::new(DELETED_OPEN, "a program runs from a file that is gone").expect(file.clone());
    let gone = Step::Run(format!("sleep 0.5; rm -f '{file}'"));
    let (text, start): (&[u8], String) = match shape {
        0 => (b"#!/bin/sh\nsleep 115\nexit 0\n", format!("exec sh '{file}'")),
        1 => (
            b"import time\ntime.sleep(115)\n",
            format!("exec python3 -c 'f = open(\"{file}\"); exec(f.read())'"),
        ),
        2 => (b"#!/bin/bash\nwhile :; do sleep 23; done\n", format!("exec timeout 115 bash '{file}'")),
        _ => {
            let plant = library(plant, &file);
            return plant.step(Step::Live(format!("exec env LD_PRELOAD='{file}' sleep 115"))).step(gone);
        }
    };
    plant.file(file.clone(), text, 0o755).step(Step::Live(start)).step(gone)
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(16, "a service with folders of its own, as systemd gives them")
            .file("/etc/systemd/system/private.service", "[Service]\nUser=www-data\nPrivateTmp=yes\nProtectHome=yes\nProtectSystem=strict\nInaccessiblePaths=/srv\nExecStart=/usr/bin/sleep 110\n", 0o644)
            .step(Step::Run("systemctl daemon-reload; systemctl start private.service".into())),
        Plant::new(34, "a service without a network, and a namespace for a test")
            .file("/etc/systemd/system/alone.service", "[Service]\nPrivateNetwork=yes\nExecStart=/usr/bin/sleep 110\n", 0o644)
            .step(Step::Run("systemctl daemon-reload; systemctl start alone.service".into())),
        Plant::new(35, "a bridge with its ports")
            .step(Step::Run("ip link add br7 type bridge && ip link add vport type veth peer name vguest && ip link set vport master br7 && ip link set br7 up && ip link set vport up".into())),
        Plant::new(DELETED_OPEN, "a log that was rotated and a temporary file without a name, both still open")
            .file("/opt/shop/bin/hold.py", "import os, tempfile, time\nlog = open('/var/log/shop.log', 'w')\nlog.write('x')\nos.unlink('/var/log/shop.log')\nt = tempfile.TemporaryFile()\nt.write(b'rows')\nt.flush()\ntime.sleep(110)\n", 0o644)
            .step(Step::Live("exec python3 /opt/shop/bin/hold.py".into())),
    ]
}
