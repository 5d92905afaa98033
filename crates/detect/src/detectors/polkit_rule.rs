//! Detector: polkit gives rights without a question to everybody, to a service, or for everything.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Row, Tables, entry};
use calma_record::{Severity, Text, kinds::Account, kinds::SystemSetting};
use std::collections::BTreeMap;

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "polkit-rule",
        doc: "A rule or action of polkit gives root's rights without a question to everybody, to a service account, or for everything; or it runs something odd.",
        mechanisms: &[54],
        attack: &["T1548", "T1098"],
        why: "Whoever it names becomes root, or acts as root, without a password and without sudo.",
        innocent: "you gave this right on purpose, for a desktop or a management tool",
        next: "read the rule; if nobody made it, keep it as evidence and remove it once the server is cut off",
    },
    judge,
};

/// Beginnings of actions with which one becomes root: programs run, units, packages, accounts, disks, machines.
const POWERFUL: &[&str] = &[
    "org.freedesktop.policykit.exec",
    "org.freedesktop.systemd1.",
    "org.freedesktop.packagekit.",
    "org.freedesktop.accounts.",
    "org.freedesktop.udisks2.",
    "org.freedesktop.machine1.",
    "org.freedesktop.portable1.",
    "org.freedesktop.sysext",
    "org.freedesktop.login1.set-",
    "org.freedesktop.hostname1.",
    "org.libvirt.",
    "org.debian.apt.",
    "com.ubuntu.",
    "org.opensuse.",
    "org.fedoraproject.FirewallD1",
    "org.freedesktop.Flatpak.",
    "io.snapcraft.snapd.",
    "com.redhat.",
];
/// Groups that are as good as root already, or meant to be.
const TRUSTED: &[&str] = &["root", "wheel", "sudo", "admin", "lpadmin", "netdev", "libvirt", "polkitd"];

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    let accounts: BTreeMap<&[u8], Row<'_, Account>> =
        tables.of::<Account>().map(|row| (row.fact.name.as_bytes(), row)).collect();
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "polkit rule") {
        let weight = rule(&row, &accounts).and(standing(&files, &row));
        let given = format!("{} for {}", row.value, row.name);
        let title = format!("polkit gives rights without a question to {}", spoken(&row.whom));
        push(weight, title, &given.into(), &row, drafts);
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "polkit action" && row.package.is_none())
    {
        let mut weight = Weight::default();
        if row.packages_known && row.value == "yes" {
            let reason = "anybody may do this as root without a password, and no package owns the file";
            weight = weight.and(Weight::of(Severity::Medium, reason));
        } else if row.packages_known && !row.whom.is_empty() {
            let reason = "whoever sits at the computer may run this as root; no package owns the file";
            weight = weight.and(Weight::of(Severity::Low, reason));
        }
        if !row.whom.is_empty() {
            weight = weight.and(weigh::file(&files, &row.whom, true));
        }
        let title = format!("An action of polkit gives rights to everybody: {}", entry::short(&row.name));
        push(weight, title, &row.name, &row, drafts);
    }
    weigh::startup_commands(tables, &["polkit rule"], "A rule of polkit", drafts);
}

fn push(
    weight: Weight,
    title: String,
    written: &Text,
    row: &Row<'_, SystemSetting>,
    drafts: &mut Vec<Draft>,
) {
    let identity = [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.whom.as_bytes()].concat();
    drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, written, row));
}

fn spoken(whom: &Text) -> String {
    match whom.as_str().and_then(|whom| whom.split_once(':')) {
        Some(("user", name)) => format!("the account \"{}\"", Text::from(name)),
        Some((_, name)) => format!("the group \"{}\"", Text::from(name)),
        _ => "everybody".to_owned(),
    }
}

/// What a rule gives to whom.
fn rule(row: &SystemSetting, accounts: &BTreeMap<&[u8], Row<'_, Account>>) -> Weight {
    let everything = row.name == "*";
    let names = row.name.as_str().unwrap_or_default();
    // A pattern (`/^org\.a/`) is read as what it begins with.
    let plain: String = names.chars().filter(|c| !matches!(c, '\\' | '^' | '/')).collect();
    let powerful = row.value == "administrator"
        || everything
        || plain.split(' ').any(|name| {
            let stem = name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            POWERFUL
                .iter()
                .any(|known| name.starts_with(known) || (stem.len() > 2 && known.starts_with(stem)))
        });
    let seat = row.value == "yes at this computer";
    let what = if everything { "everything".to_owned() } else { entry::short(&row.name) };
    let (user, group) =
        (row.whom.as_bytes().strip_prefix(b"user:"), row.whom.as_bytes().strip_prefix(b"group:"));
    let everybody = row.whom == "*" || group.is_some_and(|g| matches!(g, b"users" | b"nogroup" | b"nobody"));
    let service = user
        .or(group)
        .and_then(|name| accounts.get(name))
        .filter(|account| account.system && account.uid != 0);
    if everybody && row.value == "administrator" {
        return Weight::of(Severity::High, "it makes everybody an administrator");
    }
    let (severity, reason) = match () {
        () if everybody && powerful => (
            if seat { Severity::Medium } else { Severity::High },
            format!("everybody may do {what} without a password"),
        ),
        () if everybody => (
            if seat { Severity::Info } else { Severity::Low },
            format!("everybody may do {what} without a password"),
        ),
        // Packages give their own service what it needs.
        () if service.is_some() && row.package.is_some() => return Weight::default(),
        () if service.is_some() && powerful => {
            (Severity::High, format!("a service's account may do {what} without a password"))
        }
        () if service.is_some() => {
            (Severity::Low, format!("a service's account may do {what} without a password"))
        }
        () if row.package.is_some() => return Weight::default(),
        () if group.is_some_and(|name| TRUSTED.iter().any(|known| name == known.as_bytes())) => {
            return Weight::default();
        }
        () if everything && !seat && row.value != "administrator" => {
            (Severity::Medium, format!("{} may do everything without a password", spoken(&row.whom)))
        }
        () if powerful => (Severity::Info, format!("{} may do {what}", spoken(&row.whom))),
        () => return Weight::default(),
    };
    Weight::of(severity, reason)
}

/// How the file stands.
fn standing(files: &Files<'_>, row: &SystemSetting) -> Weight {
    let mut weight = Weight::default();
    let Some(file) = files.get(&row.path) else { return weight };
    if file.mode & 0o002 != 0 || (file.uid != 0 && file.package.is_none()) {
        weight = weight.and(Weight::of(Severity::Medium, "somebody other than root may change the file"));
    }
    if entry::is_hidden(row.path.as_bytes()) {
        weight = weight.and(Weight::of(Severity::Medium, "its name is made to be overlooked"));
    }
    let packaged = weigh::is_below(row.path.as_bytes(), b"/usr/share");
    if packaged && row.package.is_none() && row.packages_known {
        let reason = "it stands among the rules of packages, but no package owns it";
        weight = weight.and(Weight::of(Severity::Medium, reason));
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    fn host() -> Mem {
        Mem::new()
            .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nme:x:1000:1000::/home/me:/bin/bash\n")
            .file("/etc/login.defs", "UID_MIN 1000\n")
            .file("/var/lib/dpkg/info/p.list", "/usr/share/polkit-1/rules.d/50-default.rules\n/usr/share/polkit-1/actions/org.a.policy\n/usr/share/polkit-1/rules.d/systemd-networkd.rules\n")
            .file("/usr/share/polkit-1/rules.d/50-default.rules", "polkit.addAdminRule(function(action, subject) {\n    return [\"unix-group:sudo\", \"unix-group:admin\"];\n});\n")
    }

    #[test]
    fn rights_for_everybody_services_and_everything_are_found() {
        let rule = |body: &str| format!("polkit.addRule(function(action, subject) {{\n{body}\n}});\n");
        for (path, text) in [
            ("/etc/polkit-1/rules.d/49-x.rules", rule("return polkit.Result.YES;")),
            ("/etc/polkit-1/rules.d/10-n.rules", rule("if (action.id.indexOf(\"org.freedesktop.systemd1.\") == 0) { return polkit.Result.YES; }")),
            ("/usr/share/polkit-1/rules.d/a.rules", rule("if (action.id == 'org.freedesktop.policykit.exec' && subject.user == 'www-data') return 'yes';")),
            ("/etc/polkit-1/rules.d/z.rules", rule("if (subject.user == \"me\") { return polkit.Result.YES; }")),
            ("/etc/polkit-1/rules.d/z.rules", rule("if (subject.isInGroup('users')) { return polkit.Result.YES; }")),
            ("/etc/polkit-1/rules.d/z.rules", rule("polkit.spawn(['/dev/shm/x']);")),
            ("/run/polkit-1/rules.d/z.rules", "polkit.addAdminRule(function(action, subject) { return ['unix-group:*']; });".to_owned()),
            ("/etc/polkit-1/localauthority/50-local.d/a.pkla", "[x]\nIdentity=unix-user:*\nAction=*\nResultAny=yes\n".to_owned()),
            ("/var/lib/polkit-1/localauthority/10-vendor.d/a.pkla", "[x]\nIdentity=unix-user:www-data\nAction=org.freedesktop.systemd1.manage-units\nResultAny=yes\n".to_owned()),
            ("/usr/share/polkit-1/actions/org.x.policy", "<policyconfig><action id=\"org.x\"><defaults><allow_any>yes</allow_any></defaults><annotate key=\"org.freedesktop.policykit.exec.path\">/usr/bin/env</annotate></action></policyconfig>".to_owned()),
        ] {
            let seen = check(host().file(path, &text));
            let found = seen.alarms("polkit-rule");
            assert_eq!(found.len(), 1, "{path}: {text}: {:#?}", seen.by("polkit-rule"));
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
    }

    #[test]
    fn what_packages_and_administrators_give_is_quiet() {
        let seen = check(
            host()
                .file("/usr/share/polkit-1/rules.d/systemd-networkd.rules", "polkit.addRule(function(action, subject) { if (action.id == 'org.freedesktop.hostname1.set-hostname' && subject.user == 'www-data') { return polkit.Result.YES; } });")
                .file("/usr/share/polkit-1/actions/org.a.policy", "<policyconfig><action id=\"org.a\"><defaults><allow_any>yes</allow_any></defaults></action></policyconfig>")
                .file("/etc/polkit-1/rules.d/10-admin.rules", "polkit.addRule(function(action, subject) { if (subject.isInGroup('wheel')) { return polkit.Result.YES; } });\npolkit.addRule(function(action, subject) { if (action.id == 'org.freedesktop.login1.reboot' && subject.user == 'me') { return polkit.Result.YES; } });\npolkit.addRule(function(action, subject) { if (action.id == 'org.x') { return polkit.Result.AUTH_ADMIN; } });")
                .file("/etc/polkit-1/localauthority/50-local.d/color.pkla", "[c]\nIdentity=unix-user:*\nAction=org.freedesktop.color-manager.create-device\nResultAny=no\nResultInactive=no\nResultActive=yes\n"),
        );
        assert!(seen.alarms("polkit-rule").is_empty(), "{:#?}", seen.by("polkit-rule"));
    }
}
