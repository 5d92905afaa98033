//! Who may do what by polkit: its rules (a subset of JavaScript), the older local authority, and actions.

mod script;

use crate::init_jobs::Command;
use crate::{Format, unit, xml};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "polkit",
    doc: "Rights that polkit gives without asking for a password.",
    manual: "polkit(8), pklocalauthority(8)",
    samples: &[
        b"// c\npolkit.addRule(function(action, subject) {\n  if (action.id == \"org.x.y\" && subject.isInGroup(\"g\")) {\n    return polkit.Result.YES;\n  }\n});\n",
        b"polkit.addRule(function(a, s) { return polkit.Result.YES; });\npolkit.addAdminRule(function(action, subject) { return [\"unix-user:x\"]; });",
        b"polkit.addRule(function(action, subject) { if (!subject.isInGroup('g')) { return polkit.Result.NOT_HANDLED; }\n if (/^org\\.a/.test(action.id)) return subject.active ? 'yes' : null;\n polkit.spawn([\"/bin/x\", 'a b']); });",
        b"[All]\nIdentity=unix-user:*\nAction=org.x.*;org.y\nResultAny=yes\n\n[One]\nIdentity=unix-group:g;unix-user:u\nAction=*\nResultActive=yes\n",
        b"<policyconfig><action id=\"org.x\"><defaults><allow_any>yes</allow_any><allow_active>auth_admin</allow_active></defaults><annotate key=\"org.freedesktop.policykit.exec.path\">/x</annotate></action></policyconfig>",
    ],
    feed: |bytes| {
        drop(rules(bytes));
        drop(commands(bytes));
        drop(local_authority(bytes));
        drop(actions(bytes));
    },
};

/// A right given without a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Its line, from 1.
    pub line: u32,
    /// Whom it is given to: `*`, `user:NAME`, `group:NAME`, `?` where the rule computes it.
    pub whom: Vec<Text>,
    /// The actions it names; none for all.
    pub actions: Vec<Text>,
    /// Whether it holds only for somebody who sits at the computer.
    pub seat: bool,
    /// Whether it makes an administrator rather than allowing an action.
    pub administrator: bool,
}

/// The rights that a file of rules gives.
pub fn rules(bytes: &[u8]) -> Vec<Grant> {
    script::grants(bytes)
}

/// The programs that a file of rules runs (`polkit.spawn`).
pub fn commands(bytes: &[u8]) -> Vec<Command> {
    script::spawned(bytes)
}

/// The rights that a file of the local authority gives, `AdminIdentities` too.
pub fn local_authority(bytes: &[u8]) -> Vec<Grant> {
    let settings = unit::parse(bytes);
    let mut all = Vec::new();
    for section in settings.chunk_by(|a, b| a.section == b.section) {
        let value = |name: &str| section.iter().find(|s| s.name == name).map(|s| s.value.as_bytes());
        let line = section.first().map_or(0, |setting| setting.line);
        if let Some(identities) = value("AdminIdentities") {
            all.push(Grant { line, whom: whom(identities), administrator: true, ..Grant::default() });
        }
        let Some(identities) = value("Identity") else { continue };
        let yes = |name| value(name).is_some_and(|value| value.eq_ignore_ascii_case(b"yes"));
        if yes("ResultAny") || yes("ResultInactive") || yes("ResultActive") {
            let actions = value("Action").unwrap_or_default().split(|b| *b == b';');
            all.push(Grant {
                line,
                whom: whom(identities),
                actions: actions
                    .filter(|action| !action.is_empty() && *action != b"*")
                    .map(Text::from)
                    .collect(),
                seat: !yes("ResultAny"),
                administrator: false,
            });
        }
    }
    all
}

/// `unix-user:a;unix-group:b` in the form of [`Grant::whom`].
fn whom(identities: &[u8]) -> Vec<Text> {
    identities
        .split(|b| *b == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|one| !one.is_empty())
        .map(identity)
        .collect()
}

fn identity(text: &[u8]) -> Text {
    let (kind, name) = match (text.strip_prefix(b"unix-user:"), text.strip_prefix(b"unix-group:")) {
        (Some(name), _) => (&b"user:"[..], name),
        (_, Some(name)) => (&b"group:"[..], name),
        _ => (&b"group:"[..], text.strip_prefix(b"unix-netgroup:").unwrap_or(text)),
    };
    if matches!(name, b"*" | b"default") { "*".into() } else { [kind, name].concat().into() }
}

/// What an action allows by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Its line, from 1.
    pub line: u32,
    /// Its name.
    pub id: Text,
    /// Whether anybody may do it, from anywhere, without a question.
    pub any: bool,
    /// Whether whoever sits at the computer may.
    pub active: bool,
    /// The program it is for (pkexec(1)).
    pub program: Text,
}

/// The actions of a file.
pub fn actions(bytes: &[u8]) -> Vec<Action> {
    let (mut all, mut open) = (Vec::new(), None::<Action>);
    let (mut element, mut key) = (Text::default(), Text::default());
    for event in xml::events(bytes) {
        match event {
            xml::Event::Open(line, name, attributes) => {
                if name == "action" {
                    let id = xml::attribute(&attributes, "id").cloned().unwrap_or_default();
                    open = Some(Action { line, id, ..Action::default() });
                }
                key = xml::attribute(&attributes, "key").cloned().unwrap_or_default();
                element = name;
            }
            xml::Event::Text(_, text) => {
                let Some(action) = &mut open else { continue };
                let yes = text.as_bytes().eq_ignore_ascii_case(b"yes");
                match element.as_str() {
                    Some("allow_any" | "allow_inactive") => action.any |= yes,
                    Some("allow_active") => action.active |= yes,
                    Some("annotate") if key == "org.freedesktop.policykit.exec.path" => action.program = text,
                    _ => {}
                }
            }
            xml::Event::Close(name) => {
                if name == "action" {
                    all.extend(open.take());
                }
                element = Text::default();
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(grant: &Grant) -> String {
        format!("{} {:?} {:?} {}", grant.line, grant.whom, grant.actions, grant.seat)
    }

    #[test]
    fn rules_say_who_may_do_what() {
        let all = rules(FORMAT.samples[0]);
        assert_eq!(all.iter().map(shown).collect::<Vec<_>>(), ["4 [\"group:g\"] [\"org.x.y\"] false"]);
        let all = rules(FORMAT.samples[1]);
        assert_eq!(all[0].whom, ["*"]);
        assert!(all[0].actions.is_empty() && all[1].administrator && all[1].whom == ["user:x"]);
        let all = rules(FORMAT.samples[2]);
        assert_eq!(all.iter().map(shown).collect::<Vec<_>>(), ["2 [\"group:g\"] [\"/^org\\\\.a/\"] true"]);
        assert_eq!(commands(FORMAT.samples[2])[0].command, "'/bin/x' 'a b'");
        for everybody in [
            "polkit.addRule(function(action, subject) { if (subject.user != 'root') return 'yes' });",
            "polkit.addRule(function(action, subject) { if (!subject.isInGroup('wheel')) { return polkit.Result.YES; } });",
            "polkit.addRule(function(action, subject) { if (action.id) { return polkit.Result.YES; } });",
        ] {
            assert_eq!(rules(everybody.as_bytes())[0].whom, ["*"], "{everybody}");
        }
        let switch = b"polkit.addRule(function(action, subject) { switch (action.id) { case 'a.b': if (subject.user === 'u') { return polkit.Result.YES; } } });";
        assert_eq!(rules(switch).iter().map(shown).collect::<Vec<_>>(), ["1 [\"user:u\"] [\"a.b\"] false"]);
    }

    #[test]
    fn the_older_forms_are_read_too() {
        let all = local_authority(FORMAT.samples[3]);
        assert_eq!(
            all.iter().map(shown).collect::<Vec<_>>(),
            ["2 [\"*\"] [\"org.x.*\", \"org.y\"] false", "7 [\"group:g\", \"user:u\"] [] true"]
        );
        let all = actions(FORMAT.samples[4]);
        assert!(all[0].any && !all[0].active && all[0].program == "/x");
    }
}
