//! Policies of the message bus: dbus-daemon(1).

use crate::{Format, xml};
use calma_record::Text;

/// Card of this format.
pub const FORMAT: Format = Format {
    name: "bus_policy",
    doc: "What the message bus lets whom do.",
    manual: "dbus-daemon(1), CONFIGURATION FILE",
    samples: &[
        br#"<busconfig><servicedir>/x</servicedir><policy user="root"><allow own="a.b"/></policy>
<policy context="default"><deny own="*"/><allow send_destination="a.b" send_interface="c"/><allow own_prefix="*" eavesdrop="true"/></policy></busconfig>"#,
    ],
    feed: |bytes| drop(parse(bytes)),
};

/// One rule that allows something, or one setting of the bus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its line, from 1.
    pub line: u32,
    /// Whom it is for: `*`, `user:NAME`, `group:NAME`; empty for a setting.
    pub whom: Text,
    /// `own`, `own_prefix`, `send_destination`, `eavesdrop`, or a setting: `servicedir`, `includedir`, `user`, `servicehelper`.
    pub name: Text,
    /// What for.
    pub value: Text,
    /// Whether other attributes narrow it.
    pub narrowed: bool,
}

/// The rules that allow something, and the settings that name files.
pub fn parse(bytes: &[u8]) -> Vec<Rule> {
    let mut all = Vec::new();
    let (mut whom, mut setting) = (Text::from("*"), Text::default());
    for event in xml::events(bytes) {
        match event {
            xml::Event::Open(line, name, attributes) => {
                let named = |prefix: &str, key: &str| {
                    xml::attribute(&attributes, key).map(|value| {
                        if value == "*" {
                            Text::from("*")
                        } else {
                            [prefix.as_bytes(), value.as_bytes()].concat().into()
                        }
                    })
                };
                if name == "policy" {
                    whom = named("user:", "user").or_else(|| named("group:", "group")).unwrap_or("*".into());
                } else if name == "allow" {
                    let subject = named("user:", "user").or_else(|| named("group:", "group"));
                    for key in ["own", "own_prefix", "send_destination", "send_interface", "eavesdrop"] {
                        if let Some(value) = xml::attribute(&attributes, key) {
                            all.push(Rule {
                                line,
                                whom: subject.clone().unwrap_or_else(|| whom.clone()),
                                name: key.into(),
                                value: value.clone(),
                                narrowed: attributes.len() > 1,
                            });
                        }
                    }
                }
                setting = name;
            }
            xml::Event::Text(line, value) => {
                if ["servicedir", "includedir", "include", "user", "servicehelper"]
                    .iter()
                    .any(|name| setting == *name)
                {
                    all.push(Rule { line, name: setting.clone(), value, ..Rule::default() });
                }
            }
            xml::Event::Close(name) => {
                if name == "policy" {
                    whom = "*".into();
                }
                setting = Text::default();
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_settings_are_found() {
        let all = parse(FORMAT.samples[0]);
        let shown: Vec<_> =
            all.iter().map(|r| format!("{} {} {} {}", r.line, r.whom, r.name, r.value)).collect();
        assert_eq!(
            shown,
            [
                "1  servicedir /x",
                "1 user:root own a.b",
                "2 * send_destination a.b",
                "2 * send_interface c",
                "2 * own_prefix *",
                "2 * eavesdrop true"
            ]
        );
    }
}
