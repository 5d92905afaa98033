//! What sessions, shutdown, log rotation and network changes start.

use super::names::{encoded, fetch_and_run, kept_folder, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] =
    &[(41, 4, user_unit), (45, 5, sleep_hook), (48, 4, rotation), (49, 5, network_hook), (56, 3, autostart)];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

/// A script that would do nothing: it ends at its first line.
fn script(body: &str) -> String {
    format!("#!/bin/sh\nexit 0\n{body}\n")
}

fn user_unit(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    let text = |start: &str| {
        format!(
            "[Unit]\nDescription={name}\n[Service]\nExecStart={start}\nRestart=always\n[Install]\nWantedBy=default.target\n"
        )
    };
    match shape {
        0 => {
            let folder = "/root/.config/systemd/user";
            let path = format!("{folder}/{name}.service");
            Plant::new(41, "root's own service manager starts a hidden program")
                .program(&program)
                .file(&path, text(&program), 0o644)
                .step(Step::Link(format!("{folder}/default.target.wants/{name}.service"), path.clone()))
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!("/var/www/.config/systemd/user/{name}.service");
            Plant::new(41, "the web server's account has services that start at boot")
                .file(
                    &path,
                    text(&format!("/bin/sh -c '{}'", fetch_and_run(random).replace('\'', "\""))),
                    0o644,
                )
                .step(Step::Own(path.clone(), 33, 33, 0o644))
                .step(Step::Link(
                    format!("/var/www/.config/systemd/user/default.target.wants/{name}.service"),
                    path.clone(),
                ))
                .file("/var/lib/systemd/linger/www-data", "", 0o644)
                .expect(path)
        }
        2 => {
            let path =
                format!("{}/{name}.service", random.pick(&["/etc/systemd/user", "/usr/lib/systemd/user"]));
            Plant::new(41, "every account's service manager starts a hidden program")
                .program(&program)
                .file(&path, text(&program), 0o644)
                .step(Step::Link(
                    format!("/etc/systemd/user/default.target.wants/{name}.service"),
                    path.clone(),
                ))
                .expect(path)
                .expect(program)
        }
        _ => {
            let account = format!("{}{}", random.pick(&["dev", "ops", "web"]), random.letters(2));
            let home = format!("/home/{account}");
            let path = format!("{home}/.local/share/systemd/user/{name}.timer");
            let unit = format!("{home}/.local/share/systemd/user/{name}.service");
            Plant::new(41, "an account's timer runs an encoded command")
                .account(&account, 1500 + random.below(90) as u32, &home, "/bin/bash")
                .file(
                    &path,
                    "[Timer]\nOnCalendar=*-02-29\nPersistent=true\n[Install]\nWantedBy=timers.target\n",
                    0o644,
                )
                .file(
                    &unit,
                    text(&format!("/bin/bash -c 'echo {} | base64 -d | bash'", encoded("exit 0; id"))),
                    0o644,
                )
                .step(Step::Link(
                    format!("{home}/.config/systemd/user/timers.target.wants/{name}.timer"),
                    path.clone(),
                ))
                .expect(path)
                .expect(unit)
        }
    }
}

fn sleep_hook(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    match shape {
        0 => {
            let path = format!("/usr/lib/systemd/system-{}/{name}", random.pick(&["shutdown", "sleep"]));
            Plant::new(45, "a script of no package at shutdown or sleep")
                .file(&path, script(&fetch_and_run(random)), 0o755)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/tmpfiles.d/{name}.conf");
            let to = format!("/etc/cron.d/{}", service(random));
            Plant::new(45, "temporary files' rules write a timetable at each boot")
                .file(&path, format!("f+ {to} 0644 root root - * * * * * root {program}\\n\n"), 0o644)
                .program(&program)
                .expect(path)
                .expect(program)
        }
        2 => {
            let path = format!("/usr/lib/tmpfiles.d/{name}.conf");
            Plant::new(45, "temporary files' rules give everybody root at each boot")
                .file(
                    &path,
                    format!(
                        "{}\n",
                        random.pick(&[
                            "z /usr/bin/bash 4755 root root -",
                            "m /usr/bin/dash 6755 - - -",
                            "z /etc/shadow 0666 root root -"
                        ])
                    ),
                    0o644,
                )
                .expect(path)
        }
        3 => {
            let folder = kept_folder(random);
            let path = format!("/etc/environment.d/{:02}-{name}.conf", random.below(99));
            Plant::new(45, "sessions look for their programs in a hidden folder first")
                .file(&path, format!("PATH={folder}:/usr/local/bin:/usr/bin:/bin\n"), 0o644)
                .program(&format!("{folder}/sudo"))
                .expect(path)
                .expect(format!("{folder}/sudo"))
        }
        _ => {
            let path = format!("/etc/tmpfiles.d/{name}.conf");
            let from = format!("{}/keys", kept_folder(random));
            Plant::new(45, "temporary files' rules put a key for root back")
                .file(
                    &from,
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPq3wJ0m3oJm0YI1c0x8d3vYy0s6mX8tq0rU6m0bqk1F x\n",
                    0o600,
                )
                .file(&path, format!("C+ /root/.ssh/authorized_keys 0600 root root - {from}\n"), 0o644)
                .expect(path)
                .expect(from)
        }
    }
}

fn rotation(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    let body = |command: &str, when: &str| {
        format!(
            "/var/log/{name}.log {{\n  weekly\n  missingok\n  notifempty\n  {when}\n    {command}\n  endscript\n}}\n"
        )
    };
    match shape {
        0 => {
            let path = format!("/etc/logrotate.d/{name}");
            Plant::new(48, "log rotation fetches and runs something")
                .file(&path, body(&fetch_and_run(random), "postrotate"), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/logrotate.d/{name}");
            Plant::new(48, "log rotation starts a hidden program first")
                .program(&program)
                .file(&path, body(&format!("{program} >/dev/null 2>&1 &"), "firstaction"), 0o644)
                .expect(path)
                .expect(program)
        }
        2 => {
            let place = format!("/var/tmp/.{}", random.hex(5));
            Plant::new(48, "log rotation takes rules from a hidden folder")
                .file(format!("{place}/x.conf"), body(&fetch_and_run(random), "prerotate"), 0o644)
                .step(Step::Append("/etc/logrotate.conf".into(), format!("include {place}\n")))
                .expect("/etc/logrotate.conf")
                .expect(format!("{place}/x.conf"))
        }
        _ => Plant::new(48, "a command added to a packaged rule")
            .step(Step::Append(
                "/etc/logrotate.d/nginx".into(),
                body(&format!("echo {}|base64 -d|bash", encoded("exit 0; id")), "lastaction"),
            ))
            .expect("/etc/logrotate.d/nginx"),
    }
}

fn network_hook(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    match shape {
        0 => {
            let path =
                format!("/etc/network/{}/{name}", random.pick(&["if-up.d", "if-post-down.d", "if-pre-up.d"]));
            Plant::new(49, "a network that comes up fetches and runs something")
                .file(&path, script(&fetch_and_run(random)), 0o755)
                .expect(path)
        }
        1 => {
            let path = format!("/etc/NetworkManager/dispatcher.d/{:02}-{name}", random.below(99));
            Plant::new(49, "the network manager starts a hidden program")
                .program(&program)
                .file(&path, script(&format!("[ \"$2\" = up ] && {program} &")), 0o755)
                .expect(path)
                .expect(program)
        }
        2 => {
            let path = format!(
                "/etc/dhcp/{}/{name}",
                random.pick(&["dhclient-exit-hooks.d", "dhclient-enter-hooks.d"])
            );
            Plant::new(49, "a new address runs an encoded command")
                .file(&path, format!("return 0\neval \"$(echo {} | base64 -d)\"\n", encoded("id")), 0o644)
                .expect(path)
        }
        3 => Plant::new(49, "a line among the interfaces starts a hidden program")
            .program(&program)
            .step(Step::Append(
                "/etc/network/interfaces".into(),
                format!("auto lo\niface lo inet loopback\n  post-up {program} &\n"),
            ))
            .expect("/etc/network/interfaces")
            .expect(program),
        _ => {
            let path = format!("/etc/networkd-dispatcher/routable.d/{:02}-{name}", random.below(99));
            Plant::new(49, "a network with a way out fetches and runs something")
                .file(&path, script(&fetch_and_run(random)), 0o755)
                .expect(path)
        }
    }
}

fn autostart(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    let entry = |exec: &str| {
        format!(
            "[Desktop Entry]\nType=Application\nName={name}\nExec={exec}\nNoDisplay=true\nX-GNOME-Autostart-enabled=true\n"
        )
    };
    match shape {
        0 => {
            let path = format!("/etc/xdg/autostart/{name}.desktop");
            Plant::new(56, "every desktop session starts a hidden program")
                .program(&program)
                .file(&path, entry(&program), 0o644)
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!("/root/.config/autostart/{name}.desktop");
            Plant::new(56, "root's desktop session fetches and runs something")
                .file(&path, entry(&format!("sh -c \"{}\"", fetch_and_run(random).replace('"', "'"))), 0o644)
                .expect(path)
        }
        _ => {
            let account = format!("{}{}", random.pick(&["stu", "lab", "web"]), random.letters(2));
            let path = format!("/home/{account}/.config/autostart/{name}.desktop");
            let program = format!("/home/{account}/.cache/.{}/{}", random.letters(3), random_name(random));
            Plant::new(56, "an account's desktop session starts a hidden program")
                .account(&account, 1300 + random.below(90) as u32, &format!("/home/{account}"), "/bin/bash")
                .program(&program)
                .file(&path, entry(&program), 0o644)
                .expect(path)
                .expect(program)
        }
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(41, "an administrator's own unit, which runs when nobody is logged in")
            .account("maria", 1000, "/home/maria", "/bin/bash")
            .file("/home/maria/.config/systemd/user/terminal.service", "[Service]\nType=forking\nExecStart=/usr/bin/tmux new-session -d\n[Install]\nWantedBy=default.target\n", 0o644)
            .file("/home/maria/.config/systemd/user/sync.service", "[Service]\nExecStart=%h/bin/sync --folder %h/Documents\n", 0o644)
            .file("/home/maria/bin/sync", "#!/bin/sh\nexec rsync -a \"$2\" vault:\n", 0o755)
            .step(Step::Link("/home/maria/.config/systemd/user/default.target.wants/terminal.service".into(), "/home/maria/.config/systemd/user/terminal.service".into()))
            .file("/var/lib/systemd/linger/maria", "", 0o644),
        Plant::new(45, "an application's folders, an editor, and a clock after sleep")
            .file("/etc/tmpfiles.d/shop.conf", "d /run/shop 0755 www-data www-data -\nD /var/tmp/shop 0700 www-data www-data 7d\nL+ /run/shop/conf - - - - /opt/shop/etc\nz /var/log/shop 0750 www-data adm -\n", 0o644)
            .file("/etc/environment.d/50-site.conf", "EDITOR=vim\nPATH=$PATH:/opt/shop/bin\n", 0o644)
            .file("/usr/lib/systemd/system-sleep/clock", "#!/bin/sh\n[ \"$1\" = post ] && systemctl restart chrony\nexit 0\n", 0o755),
        Plant::new(48, "an application's logs")
            .file("/etc/logrotate.d/shop", "/var/log/shop/*.log {\n  daily\n  rotate 14\n  compress\n  sharedscripts\n  postrotate\n    [ ! -f /run/shop.pid ] || kill -USR1 $(cat /run/shop.pid)\n    systemctl reload nginx >/dev/null 2>&1 || true\n  endscript\n}\n", 0o644),
        Plant::new(49, "firewall and routes of an administrator")
            .file("/etc/network/if-pre-up.d/firewall", "#!/bin/sh\n/sbin/iptables-restore </etc/iptables/rules.v4\n", 0o755)
            .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\nauto eth1\niface eth1 inet static\n  address 10.1.0.2/24\n  post-up ip route add 10.2.0.0/16 via 10.1.0.1 || true\n  up ethtool -K $IFACE gro off\n", 0o644)
            .file("/etc/dhcp/dhclient-exit-hooks.d/hosts", "if [ \"$reason\" = BOUND ]; then\n  logger \"new address $new_ip_address\"\nfi\n", 0o644),
        Plant::new(56, "a packaged program in desktop sessions")
            .file("/etc/xdg/autostart/keys.desktop", "[Desktop Entry]\nType=Application\nName=Keys\nExec=/usr/bin/ssh-agent -s\n", 0o644),
    ]
}
