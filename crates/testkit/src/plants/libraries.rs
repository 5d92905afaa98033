//! What every program loads: the loader itself, its search paths, auditors, name services, conversions, TLS providers.

use super::names::{kept_folder, libraries, nowhere, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (3, 3, loader),
    (4, 4, search_path),
    (5, 4, auditor),
    (6, 3, name_service),
    (7, 4, conversion),
    (10, 3, key_utilities),
];

/// A harmless library under another name.
pub(super) fn library(plant: Plant, path: &str) -> Plant {
    plant.step(Step::Copy(format!("{}/liblz4.so.1", libraries()), path.to_owned(), 0o644)).expect(path)
}

fn own_loader() -> String {
    format!("{}/ld-linux-x86-64.so.2", libraries())
}

/// A program of Debian that has a search path of its own.
const WITH_PATH: &str = "/usr/bin/systemctl";
/// Another one, so that two plants do not meet.
const ALSO_WITH_PATH: &str = "/usr/bin/journalctl";
const ITS_PATH: &str = "/usr/lib/x86_64-linux-gnu/systemd";

fn loader(shape: usize, random: &mut Random) -> Plant {
    // As long as the name that the loader has built in.
    let list = format!("{}{}", random.pick(&["/etc/", "/lib/", "/usr/"]), random.letters(13));
    let list = format!("{list}{}", random.letters(18 - list.len()));
    let named = format!("{}/lib{}.so", libraries(), service(random));
    let plant = library(Plant::new(3, "a loader that reads another list of preloaded libraries"), &named)
        .file(&list, format!("{named}\n"), 0o644)
        .expect(list.clone());
    let doctored = |to: &str| {
        Step::Doctored(own_loader(), to.to_owned(), b"/etc/ld.so.preload".to_vec(), list.clone().into_bytes())
    };
    match shape {
        0 => plant.step(doctored(&own_loader())).expect(own_loader()),
        1 => {
            // As long as the ordinary interpreter's name.
            let name = format!("/lib64/ld-linux-x86-64.so.{}", 3 + random.below(6));
            let program = format!("/usr/sbin/{}", service(random));
            plant
                .step(doctored(&name))
                .step(Step::Doctored(
                    "/bin/true".into(),
                    program.clone(),
                    b"/lib64/ld-linux-x86-64.so.2".to_vec(),
                    name.clone().into_bytes(),
                ))
                .expect(name)
                .expect(program)
        }
        _ => {
            let name = format!("{}/ld-2.{}.so", libraries(), 20 + random.below(15));
            let unit = format!("/etc/systemd/system/{}.service", service(random));
            plant
                .step(doctored(&name))
                .file(&unit, format!("[Service]\nExecStart={name} /usr/sbin/cron -f\n"), 0o644)
                .expect(name)
                .expect(unit)
        }
    }
}

fn search_path(shape: usize, random: &mut Random) -> Plant {
    let folder = kept_folder(random);
    let shadow = random.pick(&["libcrypt.so.1", "libz.so.1", "liblzma.so.5", "libselinux.so.1"]);
    match shape {
        0 => {
            let conf = format!("/etc/ld.so.conf.d/{:02}-{}.conf", random.below(9), service(random));
            library(
                Plant::new(4, "libraries are looked for in a hidden folder first"),
                &format!("{folder}/{shadow}"),
            )
            .file(&conf, format!("{folder}\n"), 0o644)
            .expect(conf)
        }
        1 | 2 => {
            let short = format!("/var/{}/.{}", random.pick(&["tmp", "lib", "cache"]), random.hex(8));
            let program =
                if shape == 1 { format!("/usr/sbin/{}", service(random)) } else { WITH_PATH.to_owned() };
            library(
                Plant::new(4, "a program looks for its libraries in a hidden folder"),
                &format!("{short}/{shadow}"),
            )
            .step(Step::Doctored(
                WITH_PATH.into(),
                program.clone(),
                ITS_PATH.as_bytes().to_vec(),
                short.into_bytes(),
            ))
            .expect(program)
        }
        _ => {
            let folder = format!("/{}/.{}", random.pick(&["var/tmp", "dev/shm", "tmp"]), random_name(random));
            library(
                Plant::new(4, "the loader's own list begins with a folder that anybody can make"),
                &format!("{folder}/{shadow}"),
            )
            .step(Step::Folder(folder.clone(), 0o777))
            .step(Step::Prepend("/etc/ld.so.conf".into(), format!("{folder}\n")))
            .expect("/etc/ld.so.conf")
        }
    }
}

fn auditor(shape: usize, random: &mut Random) -> Plant {
    let path = match random.below(3) {
        0 => format!("{}/lib{}.so.1", libraries(), service(random)),
        1 => format!("{}/{}.so", kept_folder(random), random_name(random)),
        _ => format!("/usr/local/lib/{}.so", random_name(random)),
    };
    let plant = Plant::new(5, "a library that watches what programs load");
    match shape {
        0 => {
            let unit = random.pick(&["ssh", "cron", "nginx"]);
            let to = format!("/etc/systemd/system/{unit}.service.d/{}.conf", service(random));
            library(plant, &path)
                .file(&to, format!("[Service]\nEnvironment=LD_AUDIT={path}\n"), 0o644)
                .expect(to)
        }
        1 => library(plant, &path)
            .step(Step::Append("/etc/environment".into(), format!("LD_AUDIT=\"{path}\"\n")))
            .expect("/etc/environment"),
        2 => {
            let path = format!("/usr/lib/{}.so", random.letters(8));
            let program = if random.below(2) == 0 {
                ALSO_WITH_PATH.to_owned()
            } else {
                format!("/usr/bin/{}", service(random))
            };
            library(plant, &path)
                .step(Step::Audited(ALSO_WITH_PATH.into(), program.clone(), path))
                .expect(program)
        }
        _ => {
            let to = format!("/etc/profile.d/{}.sh", service(random));
            library(plant, &path).file(&to, format!("export LD_AUDIT={path}\n"), 0o644).expect(to)
        }
    }
}

fn name_service(shape: usize, random: &mut Random) -> Plant {
    let name = format!("{}{}", random.pick(&["x", "c", "sys", "m", "db"]), random.letters(3));
    let folder = if shape == 2 { "/usr/lib".to_owned() } else { libraries() };
    let plant = library(
        Plant::new(6, "a name service of no package answers who is who"),
        &format!("{folder}/libnss_{name}.so.2"),
    )
    .expect("/etc/nsswitch.conf");
    let swap = |from: &str, to: String| Step::Swap("/etc/nsswitch.conf".into(), from.to_owned(), to);
    match shape {
        0 => plant.step(swap("passwd:         files", format!("passwd:         files {name}"))),
        1 => {
            plant.step(swap("hosts:          files dns", format!("hosts: {name} [SUCCESS=return] files dns")))
        }
        _ => plant.step(swap("\nshadow:         files", format!("\nshadow: {name} files"))),
    }
}

fn conversion(shape: usize, random: &mut Random) -> Plant {
    let name = random.letters(7);
    let folder = kept_folder(random);
    match shape {
        0 => {
            let path = format!("{}/ossl-modules/{name}.so", libraries());
            let conf = "/etc/ssl/openssl.cnf";
            library(Plant::new(7, "a TLS provider of no package"), &path)
                .step(Step::Append(
                    conf.into(),
                    format!("\n[provider_sect]\n{name} = {name}_sect\n[{name}_sect]\nactivate = 1\nmodule = {path}\n"),
                ))
                .expect(conf)
        }
        1 => {
            let path = format!("{folder}/{name}.so");
            let conf = "/etc/ssl/openssl.cnf";
            library(Plant::new(7, "a TLS engine in a hidden folder"), &path)
                .step(Step::Append(
                    conf.into(),
                    format!("\n[openssl_init]\nengines = e\n[e]\n{name} = {name}_sect\n[{name}_sect]\ndynamic_path = {path}\ninit = 1\n"),
                ))
                .expect(conf)
        }
        2 => {
            let conf = format!("{}/gconv/gconv-modules.d/{name}.conf", libraries());
            let path = format!("{}/gconv/{}.so", libraries(), name.to_uppercase());
            let upper = name.to_uppercase();
            library(Plant::new(7, "a character set conversion of no package"), &path)
                .file(
                    &conf,
                    format!(
                        "module\t{upper}//\tINTERNAL\t{upper}\t1\nmodule\tINTERNAL\t{upper}//\t{upper}\t1\n"
                    ),
                    0o644,
                )
                .expect(conf)
        }
        _ => {
            let path = format!("{folder}/{name}.so");
            library(Plant::new(7, "character set conversions come from a hidden folder"), &path)
                .file(format!("{folder}/gconv-modules"), format!("module UTF-8// INTERNAL {path} 1\n"), 0o644)
                .step(Step::Append("/etc/environment".into(), format!("GCONV_PATH={folder}\n")))
                .expect(format!("{folder}/gconv-modules"))
                .expect("/etc/environment")
        }
    }
}

fn key_utilities(shape: usize, random: &mut Random) -> Plant {
    let plant = Plant::new(10, "the ssh server's key library is another one");
    match shape {
        0 | 1 => {
            let version = random.pick(&["1.3.2", "1.10.2", "1.11", "1.3.0"]);
            let path = format!("{}/libkeyutils.so.{version}", libraries());
            let link = format!("{}/libkeyutils.so.1", libraries());
            let path = if shape == 0 { path } else { format!("{}/tls/libkeyutils.so.1", libraries()) };
            let target = if shape == 0 { format!("libkeyutils.so.{version}") } else { path.clone() };
            library(plant, &path).step(Step::Link(link.clone(), target)).expect(link)
        }
        _ => {
            let folder = format!("/usr/lib/{}", service(random));
            let to = format!("/etc/systemd/system/ssh.service.d/{}.conf", service(random));
            library(plant, &format!("{folder}/libkeyutils.so.1"))
                .file(&to, format!("[Service]\nEnvironment=LD_LIBRARY_PATH={folder}\n"), 0o644)
                .expect(to)
        }
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(3, "a jail with the system's loader in it")
            .step(Step::Copy(own_loader(), "/srv/jail/lib64/ld-linux-x86-64.so.2".into(), 0o755))
            .step(Step::Copy("/bin/true".into(), "/srv/jail/bin/true".into(), 0o755)),
        Plant::new(4, "an application's own libraries")
            .file("/etc/ld.so.conf.d/shop.conf", "/opt/shop/lib\n", 0o644)
            .step(Step::Copy(format!("{}/liblz4.so.1", libraries()), "/opt/shop/lib/libshop.so.1".into(), 0o644))
            .step(Step::Doctored(
                WITH_PATH.into(),
                "/opt/shop/bin/control".into(),
                ITS_PATH.as_bytes().to_vec(),
                b"$ORIGIN/../lib".to_vec(),
            )),
        Plant::new(5, "a unit that takes the loader's variables away")
            .file("/etc/systemd/system/nginx.service.d/loader.conf", "[Service]\nUnsetEnvironment=LD_AUDIT LD_PRELOAD\nEnvironment=LD_BIND_NOW=1\n", 0o644),
        Plant::new(6, "the ordinary services of names, in another order")
            .step(Step::Swap("/etc/nsswitch.conf".into(), "hosts:          files dns".into(), "hosts: files myhostname resolve [!UNAVAIL=return] dns".into()))
            .step(Step::Swap("/etc/nsswitch.conf".into(), "group:          files".into(), "group: files [SUCCESS=merge] systemd".into())),
        Plant::new(7, "the packaged provider for old algorithms, switched on")
            .step(Step::Append(
                "/etc/ssl/openssl.cnf".into(),
                "\n[provider_sect]\nlegacy = legacy_sect\n[legacy_sect]\nactivate = 1\n[system_default_sect]\nMinProtocol = TLSv1.2\n".into(),
            )),
        Plant::new(10, "a proxy for a database, with its library path").file(
            "/etc/systemd/system/pooler.service",
            format!("[Service]\nUser=nobody\nEnvironment=LD_LIBRARY_PATH=/opt/shop/lib\nEnvironment=POOL={}\nExecStart=/opt/shop/bin/control --pool\n", nowhere(&mut Random::new(1, 1))),
            0o644,
        ),
    ]
}
