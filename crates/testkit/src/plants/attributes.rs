//! What only a look at every file shows: odd rights, marks, times, hidden places.

use super::names::{kept_folder, random_name, service};
use super::{HIDDEN_FOLDERS, Maker, Plant, Step, TIMES, WORLD_WRITABLE};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[
    (68, 5, access_list),
    (HIDDEN_FOLDERS, 5, hidden_folder),
    (WORLD_WRITABLE, 5, world_writable),
    (TIMES, 4, times),
];

/// `system.posix_acl_access` (linux/posix_acl_xattr.h): owner, one account, group, mask, others.
fn acl(uid: u32, rights: u16, owner: u16, group: u16, others: u16) -> Vec<u8> {
    let none = u32::MAX;
    let entries = [
        (1, owner, none),
        (2, rights, uid),
        (4, group, none),
        (0x10, rights | group, none),
        (0x20, others, none),
    ];
    let mut value = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        value.extend(u16::to_le_bytes(tag));
        value.extend(rights.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

const ACL: &str = "system.posix_acl_access";

fn access_list(shape: usize, random: &mut Random) -> Plant {
    let uid = [33, 65534, 5, 38][random.below(4)];
    match shape {
        0 => Plant::new(68, "a service account may write the list of passwords")
            .step(Step::Attribute("/etc/shadow".into(), ACL, acl(uid, 6, 6, 4, 0)))
            .expect("/etc/shadow"),
        1 => {
            let path = random.pick(&["/etc/sudoers", "/etc/passwd", "/etc/crontab"]);
            Plant::new(68, "a service account may write what decides about root")
                .step(Step::Attribute(path.into(), ACL, acl(uid, 6, 6, 4, 4)))
                .expect(path)
        }
        2 => {
            let path = format!("{}/{}", kept_folder(random), random_name(random));
            Plant::new(68, "a hidden program that can not be removed")
                .program(&path)
                .step(Step::Immutable(path.clone()))
                .expect(path)
        }
        3 => {
            let path = format!("/etc/cron.d/{}", service(random));
            let program = format!("/usr/sbin/{}", service(random));
            Plant::new(68, "a timetable and its program that can not be changed")
                .program(&program)
                .file(&path, format!("17 3 29 2 * root {program}\n"), 0o644)
                .step(Step::Immutable(path.clone()))
                .step(Step::Immutable(program.clone()))
                .expect(path)
                .expect(program)
        }
        _ => {
            let path = random.pick(&["/etc/cron.d", "/usr/sbin", "/etc/systemd/system"]);
            Plant::new(68, "a service account may put things where root runs them")
                .step(Step::Attribute(path.into(), ACL, acl(uid, 7, 7, 5, 5)))
                .expect(path)
        }
    }
}

fn hidden_folder(shape: usize, random: &mut Random) -> Plant {
    let folder = match shape {
        0 => format!("/usr/{}/.{}", random.pick(&["lib", "share", "include", "games"]), random.letters(4)),
        1 => format!("/{}/...", random.pick(&["var/tmp", "tmp", "var/spool", "etc", "usr/bin"])),
        2 => format!("/{}/. ", random.pick(&["var/lib", "opt", "var/tmp"])),
        3 => format!("/dev/shm/.{}", random.hex(6)),
        _ => format!("/{}/.{}", random.pick(&["etc", "boot", "var/log", "lib"]), service(random)),
    };
    let program = format!("{folder}/{}", random_name(random));
    Plant::new(HIDDEN_FOLDERS, "programs in a hidden folder")
        .program(&program)
        .file(format!("{folder}/{}.conf", random.letters(4)), "pool = 127.0.0.1:9\n", 0o644)
        .expect(program)
        .expect(folder)
}

fn world_writable(shape: usize, random: &mut Random) -> Plant {
    let plant = Plant::new(WORLD_WRITABLE, "everybody may write what root runs or reads");
    match shape {
        0 => {
            let path = random.pick(&["/usr/local/sbin", "/usr/local/bin", "/usr/sbin"]);
            plant.step(Step::Own(path.into(), 0, 0, 0o777)).expect(path)
        }
        1 => {
            let path = format!("/etc/cron.d/{}", service(random));
            plant.file(&path, "17 3 29 2 * root /usr/bin/true\n", 0o666).expect(path)
        }
        2 => {
            let path = random.pick(&[
                "/etc/init.d/cron",
                "/etc/profile",
                "/usr/lib/systemd/system/cron.service",
                "/etc/passwd",
            ]);
            plant
                .step(Step::Own(path.into(), 0, 0, 0o666 | (u32::from(path.contains("init.d")) * 0o111)))
                .expect(path)
        }
        3 => {
            let path =
                random.pick(&["/etc/systemd/system", "/etc/cron.d", "/etc/profile.d", "/etc/sudoers.d"]);
            plant.step(Step::Own(path.into(), 0, 0, 0o777)).expect(path)
        }
        _ => {
            let path = random.pick(&["/usr/bin/ssh", "/usr/sbin/sshd", "/usr/bin/sudo", "/usr/bin/passwd"]);
            plant.step(Step::Own(path.into(), 0, 0, 0o777)).expect(path)
        }
    }
}

fn times(shape: usize, random: &mut Random) -> Plant {
    let path = match random.below(3) {
        0 => format!("/usr/sbin/{}", service(random)),
        1 => format!("/usr/bin/{}", service(random)),
        _ => format!("/usr/lib/{}", service(random)),
    };
    let plant = Plant::new(TIMES, "a program that claims another age").program(&path).expect(path.clone());
    match shape {
        // As `touch -r` leaves it: the same instant as a neighbour, before the file was made.
        0 => plant
            .step(Step::TimeOf(path, random.pick(&["/usr/bin/ls", "/usr/bin/cat", "/usr/bin/cp"]).into())),
        // After the clock.
        1 => plant.step(Step::Time(path, 2_100_000_000 + random.below(9_000_000) as i64, 0)),
        // As `touch -d 2019-…` leaves it: years before the file was made, to the second.
        2 => plant.step(Step::Time(path, 1_546_300_800 + random.below(30_000_000) as i64, 0)),
        // The start of all clocks.
        _ => plant.step(Step::Time(path, random.below(3) as i64 * 86_400, 0)),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(68, "a shared folder with an access list, and a resolver's settings that shall stay")
            .file("/srv/shared/plan.txt", "plan\n", 0o660)
            .step(Step::Attribute("/srv/shared/plan.txt".into(), ACL, acl(33, 6, 6, 6, 0)))
            .step(Step::Attribute("/srv/shared".into(), ACL, acl(1000, 7, 7, 5, 5)))
            .file("/etc/resolv.conf", "nameserver 10.0.0.1\n", 0o644)
            .step(Step::Immutable("/etc/resolv.conf".into())),
        Plant::new(HIDDEN_FOLDERS, "hidden folders of accounts and applications")
            .file("/home/maria/.cache/pip/x", "x", 0o644)
            .file("/home/maria/.local/bin/note", "#!/bin/sh\necho note\n", 0o755)
            .file("/home/maria/.nvm/versions/node/v20/bin/tool", "#!/usr/bin/env node\n", 0o755)
            .file("/opt/shop/.git/HEAD", "ref: refs/heads/main\n", 0o644)
            .file("/srv/.snapshots/1/info.xml", "<snapshot/>\n", 0o644)
            .file("/var/www/html/.well-known/acme-challenge/x", "x.y\n", 0o644),
        Plant::new(WORLD_WRITABLE, "drop folders with a sticky bit, and data that everybody writes")
            .step(Step::Folder("/srv/drop".into(), 0o1777))
            .step(Step::Folder("/opt/shop/spool".into(), 0o1777))
            .step(Step::Folder("/srv/files".into(), 0o777))
            .file("/srv/files/x.txt", "x\n", 0o666),
        Plant::new(TIMES, "programs that were unpacked with their times")
            .helper("/opt/tool/bin/tool")
            .step(Step::Time("/opt/tool/bin/tool".into(), 1_640_000_000, 0))
            .file("/opt/tool/lib/tool.py", "print('tool')\n", 0o644)
            .step(Step::Time("/opt/tool/lib/tool.py".into(), 1_640_000_000, 0))
            .file("/usr/local/bin/tool", "#!/bin/sh\nexec /opt/tool/bin/tool \"$@\"\n", 0o755)
            .step(Step::Time("/usr/local/bin/tool".into(), 1_640_000_000, 0)),
    ]
}
