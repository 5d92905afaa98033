//! Units that bring their own root or their own secrets, and timetables of accounts that have no person.

use super::names::{encoded, fetch_and_run, kept_folder, random_name, service};
use super::{CREDENTIALS, Maker, Plant, SERVICE_TABLES, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[(CREDENTIALS, 5, credentials), (SERVICE_TABLES, 4, tables)];

fn credentials(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = format!("{}/{}", kept_folder(random), random_name(random));
    match shape {
        0 => {
            let path = format!("/{}/credstore/tmpfiles.extra", random.pick(&["etc", "usr/lib"]));
            Plant::new(CREDENTIALS, "a credential that writes a timetable at each boot")
                .program(&program)
                .file(
                    &path,
                    format!("f+ /etc/cron.d/{name} 0644 root root - * * * * * root {program}\n"),
                    0o600,
                )
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!(
                "/etc/credstore/{}",
                random.pick(&[
                    "ssh.authorized_keys.root",
                    "passwd.hashed-password.root",
                    "passwd.plaintext-password.root"
                ])
            );
            let text = if path.contains("ssh") {
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPq3wJ0m3oJm0YI1c0x8d3vYy0s6mX8tq0rU6m0bqk1F x\n"
            } else {
                "$6$salt$not-a-real-one\n"
            };
            Plant::new(CREDENTIALS, "a credential that opens root").file(&path, text, 0o600).expect(path)
        }
        2 => {
            let root = format!("/var/lib/portables/{name}");
            let unit = format!("/etc/systemd/system.attached/{name}.service");
            let drop_in = format!("/etc/systemd/system.attached/{name}.service.d/20-portable.conf");
            Plant::new(CREDENTIALS, "a portable service that has the whole machine")
                .file(format!("{root}/usr/lib/os-release"), "ID=debian\n", 0o644)
                .program(&format!("{root}/usr/bin/{name}"))
                .file(&unit, format!("[Service]\nExecStart=/usr/bin/{name}\n"), 0o644)
                .file(&drop_in, format!("[Service]\nRootDirectory={root}\nBindPaths=/:/host\nEnvironment=PORTABLE={name}\nPrivateUsers=no\n"), 0o644)
                .file(format!("/etc/systemd/system.attached/{name}.service.d/10-profile.conf"), "[Service]\nMountAPIVFS=yes\nBindReadOnlyPaths=/etc/machine-id\nRestrictAddressFamilies=\n", 0o644)
                .expect(unit)
                .expect(drop_in)
                .expect(format!("{root}/usr/bin/{name}"))
        }
        3 => {
            let root = format!("/var/lib/{}/{name}", random.pick(&["extensions", "confexts"]));
            let (inside, release) = if root.contains("conf") {
                ("etc", "etc/extension-release.d")
            } else {
                ("usr/lib", "usr/lib/extension-release.d")
            };
            let unit = format!("{root}/{inside}/systemd/system/{name}.service");
            Plant::new(CREDENTIALS, "an extension of the system brings a unit with it")
                .file(format!("{root}/{release}/extension-release.{name}"), "ID=_any\n", 0o644)
                .file(
                    &unit,
                    format!(
                        "[Service]\nExecStart=/bin/sh -c '{}'\n",
                        fetch_and_run(random).replace('\'', "\"")
                    ),
                    0o644,
                )
                .step(Step::Link(
                    format!("{root}/{inside}/systemd/system/multi-user.target.wants/{name}.service"),
                    format!("../{name}.service"),
                ))
                .expect(unit)
                .expect(root)
        }
        _ => {
            let unit = format!("/etc/systemd/system/{name}.service");
            Plant::new(CREDENTIALS, "a unit whose command comes as a credential")
                .file(&unit, format!("[Service]\nSetCredential=x:{}\nExecStart=/bin/sh -c 'base64 -d $CREDENTIALS_DIRECTORY/x | sh'\n", encoded("exit 0; id")), 0o644)
                .step(Step::Link(format!("/etc/systemd/system/multi-user.target.wants/{name}.service"), unit.clone()))
                .expect(unit)
        }
    }
}

fn tables(shape: usize, random: &mut Random) -> Plant {
    let program = format!("{}/{}", kept_folder(random), random_name(random));
    let minute = random.below(60);
    let (account, home) = (random.pick(&["postgres", "redis", "git", "mysql", "tomcat"]), "/var/lib/x");
    let table = format!("/var/spool/cron/crontabs/{account}");
    let plant = |what: &str| {
        Plant::new(SERVICE_TABLES, what)
            .account(account, 101 + 20, home, "/usr/sbin/nologin")
            .expect(table.clone())
    };
    match shape {
        0 => plant("a database account's timetable fetches and runs something").file(
            &table,
            format!("{minute} * 29 2 * {}\n", fetch_and_run(random)),
            0o600,
        ),
        1 => plant("a service account starts a hidden program at each boot")
            .program(&program)
            .file(&table, format!("@reboot {program} >/dev/null 2>&1 & disown\n"), 0o600)
            .expect(program),
        2 => plant("a service account's timetable restarts a program in memory-backed storage")
            .program(&format!("/dev/shm/{}", program.rsplit('/').next().unwrap_or_default()))
            .file(
                &table,
                format!(
                    "*/7 * 29 2 * pgrep -x kworkerds || /dev/shm/{} -B\n",
                    program.rsplit('/').next().unwrap_or_default()
                ),
                0o600,
            )
            .expect(format!("/dev/shm/{}", program.rsplit('/').next().unwrap_or_default())),
        _ => plant("a service account's timetable decodes a command").file(
            &table,
            format!(
                "# DO NOT EDIT\n{minute} 3 29 2 * echo {} | base64 -d | python3\n",
                encoded("raise SystemExit")
            ),
            0o600,
        ),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(CREDENTIALS, "a password for a service, and a strict portable service")
            .file("/etc/credstore/shop.database", "not-a-real-one\n", 0o600)
            .file("/etc/systemd/system/billing.service", "[Service]\nUser=www-data\nLoadCredential=shop.database\nExecStart=/opt/shop/bin/control --password-file=%d/shop.database\n", 0o644)
            .file("/var/lib/portables/walls/usr/lib/os-release", "ID=debian\n", 0o644)
            .helper("/var/lib/portables/walls/usr/bin/walls")
            .file("/etc/systemd/system.attached/walls.service", "[Service]\nExecStart=/usr/bin/walls\nDynamicUser=yes\n", 0o644)
            .file("/etc/systemd/system.attached/walls.service.d/20-portable.conf", "[Service]\nRootDirectory=/var/lib/portables/walls\nEnvironment=PORTABLE=walls\n", 0o644)
            .file("/etc/systemd/system.attached/walls.service.d/10-profile.conf", "[Service]\nMountAPIVFS=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\nCapabilityBoundingSet=\nNoNewPrivileges=yes\nRestrictAddressFamilies=AF_UNIX\n", 0o644),
        Plant::new(SERVICE_TABLES, "timetables of services as their handbooks give them")
            .account("postgres", 119, "/var/lib/postgresql", "/bin/bash")
            .file("/var/spool/cron/crontabs/postgres", "# base backup\n0 1 29 2 * pg_basebackup -D /srv/archive/$(date +\\%F) -Ft -z\n15 * 29 2 * /usr/lib/postgresql/15/bin/vacuumdb --all --quiet\n", 0o600)
            .file("/var/spool/cron/crontabs/www-data", "*/5 * 29 2 * php -f /var/www/cloud/cron.php\n*/10 * 29 2 * cd /var/www/html && php artisan schedule:run >> /dev/null 2>&1\n", 0o600),
    ]
}
