//! Running things: preloaded libraries, masked, deleted and memory-only programs, sockets that listen below the filter.

use super::names::{hidden_folder, kept_folder, libraries, random_name, service, system_folder};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (1, 3, global_preload),
    (2, 5, preload_variable),
    (11, 4, fake_kernel_thread),
    (12, 4, deleted_program),
    (13, 3, memory_program),
    (14, 3, masked_process),
    (32, 3, packet_socket),
];

/// A harmless library: a copy of one that every Debian has, under another name.
fn library(plant: Plant, path: &str) -> Plant {
    plant.step(Step::Copy(format!("{}/liblz4.so.1", libraries()), path.to_owned(), 0o644))
}

fn library_path(shape: usize, random: &mut Random) -> String {
    match shape % 3 {
        0 => format!("{}/lib{}.so.{}", libraries(), service(random), random.below(5)),
        1 => format!("{}/{}.so", kept_folder(random), random_name(random)),
        _ => format!("/usr/local/lib/{}.so", random_name(random)),
    }
}

fn global_preload(shape: usize, random: &mut Random) -> Plant {
    let path = library_path(shape, random);
    library(Plant::new(1, "a library preloaded into every program"), &path)
        .file(
            "/etc/ld.so.preload",
            if shape == 1 { format!("# \n {path}") } else { format!("{path}\n") },
            0o644,
        )
        .expect(path)
        .expect("/etc/ld.so.preload")
}

fn preload_variable(shape: usize, random: &mut Random) -> Plant {
    let path = library_path(random.below(3), random);
    let name = service(random);
    let plant =
        library(Plant::new(2, "a library preloaded through the environment"), &path).expect(path.clone());
    match shape {
        0 => plant.step(Step::Live(format!("exec env LD_PRELOAD={path} sleep 120"))),
        1 => plant
            .step(Step::Append("/etc/environment".into(), format!("LD_PRELOAD={path}\n")))
            .expect("/etc/environment"),
        2 => {
            let to = format!("/etc/systemd/system/ssh.service.d/{name}.conf");
            plant.file(&to, format!("[Service]\nEnvironment=\"LD_PRELOAD={path}\"\n"), 0o644).expect(to)
        }
        3 => {
            let to = "/etc/security/pam_env.conf";
            plant.step(Step::Append(to.into(), format!("LD_PRELOAD DEFAULT={path}\n"))).expect(to)
        }
        _ => {
            let to = format!("/etc/systemd/system.conf.d/{name}.conf");
            plant.file(&to, format!("[Manager]\nDefaultEnvironment=LD_PRELOAD={path}\n"), 0o644).expect(to)
        }
    }
}

fn fake_kernel_thread(shape: usize, random: &mut Random) -> Plant {
    let (comm, argv0) = match shape {
        0 => {
            let name = format!("kworker/{}:{}", random.below(4), random.below(3));
            (name.clone(), format!("[{name}]"))
        }
        1 => ("kswapd0".to_owned(), "[kswapd0]".to_owned()),
        2 => {
            ("rcu_preempt".to_owned(), format!("[{}]", random.pick(&["kthreadd", "migration/1", "cpuhp/0"])))
        }
        _ => (
            random_name(random),
            format!("[{}/{}]", random.pick(&["jbd2", "scsi_eh", "irq", "md"]), random.below(9)),
        ),
    };
    let path = match shape {
        0 => format!("/usr/sbin/{}", service(random)),
        1 => format!("{}/{}", kept_folder(random), random_name(random)),
        2 => format!("/usr/local/lib/{}", service(random)),
        _ => format!("/opt/{}/{}", service(random), random_name(random)),
    };
    Plant::new(11, "a program that calls itself a kernel thread")
        .helper(&path)
        .step(Step::Live(format!("exec {path} titled '{comm}' '{argv0}'")))
        .expect(path)
}

fn deleted_program(shape: usize, random: &mut Random) -> Plant {
    let path = match shape {
        0 => format!("{}/{}", hidden_folder(random), random_name(random)),
        1 => format!("/usr/bin/{}", service(random)),
        2 => format!("/tmp/{}", random_name(random)),
        _ => format!("{}/{}", system_folder(random), service(random)),
    };
    let account = if shape == 0 { "runuser -u www-data -- " } else { "" };
    let mut plant = Plant::new(12, "a program that was deleted after it was started")
        .helper(&path)
        .step(Step::Live(format!("exec {account}'{path}' {}", random.pick(&["", "-d", "wait --quiet"]))))
        .step(Step::Run(format!("sleep 0.4; rm '{path}'")))
        .expect(path);
    if account.is_empty() {
        return plant;
    }
    // The folder must let the other account in.
    plant
        .steps
        .insert(1, Step::Run("chmod 755 /var/tmp/.[a-zA-Z.]* /tmp/.[a-zA-Z.]* 2>/dev/null; true".into()));
    plant
}

fn memory_program(shape: usize, random: &mut Random) -> Plant {
    let loader = format!("/usr/local/bin/{}", random_name(random));
    let (name, argv0) = match shape {
        0 => (String::new(), service(random)),
        1 => (random_name(random), "/usr/sbin/cron".to_owned()),
        _ => ("pulseaudio".to_owned(), "sshd: root@pts/1".to_owned()),
    };
    Plant::new(13, "a program that runs from memory")
        .helper(&loader)
        .step(Step::Live(format!("exec {loader} memfd '{name}' '{argv0}'")))
        .step(Step::Run(format!("sleep 0.4; rm {loader}")))
}

fn masked_process(shape: usize, random: &mut Random) -> Plant {
    let path = format!("{}/{}", kept_folder(random), service(random));
    let (make, over) = match shape {
        0 => (format!("mkdir -p /var/tmp/{0}", random.hex(4)), format!("/var/tmp/{}", random.hex(4))),
        1 => (String::from("true"), "/proc/1".to_owned()),
        _ => (String::from("true"), "/run".to_owned()),
    };
    let over = if shape == 0 { make.trim_start_matches("mkdir -p ").to_owned() } else { over };
    Plant::new(14, "a process behind something mounted over its folder in /proc")
        .helper(&path)
        .step(Step::Live(format!("{path} wait & P=$!; sleep 0.2; {make}; mount --bind {over} /proc/$P; echo $P >/run/masked; sleep 120")))
        .step(Step::Run("for i in 1 2 3 4 5 6 7 8 9 10; do [ -s /run/masked ] && break; sleep 0.2; done; cat /run/masked".into()))
}

fn packet_socket(shape: usize, random: &mut Random) -> Plant {
    let path = match shape {
        0 => format!("/usr/sbin/{}", service(random)),
        1 => format!("{}/{}", kept_folder(random), random_name(random)),
        _ => format!("/usr/local/sbin/{}", service(random)),
    };
    Plant::new(32, "a program that waits for a magic packet below the packet filter")
        .helper(&path)
        .step(Step::Live(format!("exec {path} packet {}", ["raw", "ip", "dgram"][shape % 3])))
        .expect(path)
}
