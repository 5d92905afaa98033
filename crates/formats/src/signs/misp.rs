//! MISP events: the JSON form of the MISP core format (draft-dulaunoy-misp-core-format), one event or a list of them.

use super::place::Lines;
use super::{Found, Sign, of_type, short};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "Event", borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    info: String,
    #[serde(default)]
    threat_level_id: serde_json::Value,
    #[serde(rename = "Attribute", borrow, default)]
    attributes: Vec<&'a RawValue>,
    #[serde(rename = "Object", borrow, default)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(rename = "Attribute", borrow, default)]
    attributes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    sort: String,
    value: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    to_ids: Option<bool>,
    #[serde(default)]
    deleted: bool,
}

/// Types that say nothing of a host: passed over without a word.
const ABOUT: &[&str] = &[
    "comment",
    "text",
    "other",
    "datetime",
    "size-in-bytes",
    "mime-type",
    "port",
    "link",
    "counter",
    "float",
    "vulnerability",
    "threat-actor",
    "campaign-name",
    "attachment",
    "entropy",
    "boolean",
    "email-src",
    "email-dst",
    "email-subject",
    "yara",
    "sigma",
    "snort",
    "pattern-in-file",
    "ssdeep",
    "tlsh",
    "sha512",
    "sha224",
    "sha384",
    "imphash",
    "AS",
    "user-agent",
];

/// Reads events.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Found)) {
    let mut lines = Lines::new(text);
    let trouble =
        |error: &serde_json::Error| (error.line().max(1), Err(format!("it is no MISP event: {error}")));
    let mut todo: Vec<&str> = vec![text];
    while let Some(part) = todo.pop() {
        if part.trim_start().starts_with('[') {
            match serde_json::from_str::<Vec<&RawValue>>(part) {
                Ok(parts) => todo.extend(parts.into_iter().rev().map(RawValue::get)),
                Err(error) => each(trouble(&error)),
            }
            continue;
        }
        let outer: Outer<'_> = match serde_json::from_str(part) {
            Ok(outer) => outer,
            Err(error) => {
                each(trouble(&error));
                continue;
            }
        };
        if let Some(list) = outer.response {
            todo.push(list.get());
            continue;
        }
        match serde_json::from_str(outer.event.map_or(part, RawValue::get)) {
            Ok(inner) => event(&inner, &mut lines, each),
            Err(error) => each(trouble(&error)),
        }
    }
}

fn event(event: &Event<'_>, lines: &mut Lines<'_>, each: &mut dyn FnMut(Found)) {
    // 1 high, 2 medium, 3 low, 4 undefined.
    let level = event
        .threat_level_id
        .as_str()
        .map(ToOwned::to_owned)
        .unwrap_or_else(|| event.threat_level_id.to_string());
    let severity = match level.as_str() {
        "1" => "high",
        "2" => "medium",
        "3" => "low",
        _ => "",
    };
    for part in &event.attributes {
        attribute(part, &event.info, severity, lines, each);
    }
    for part in &event.objects {
        match serde_json::from_str::<Object<'_>>(part.get()) {
            Ok(object) => {
                for part in object.attributes {
                    attribute(part, &event.info, severity, lines, each);
                }
            }
            Err(_) => each((lines.of(part), Err("it is no object of MISP".to_owned()))),
        }
    }
}

fn attribute(
    part: &RawValue,
    info: &str,
    severity: &str,
    lines: &mut Lines<'_>,
    each: &mut dyn FnMut(Found),
) {
    let Ok(one) = serde_json::from_str::<Attribute>(part.get()) else {
        return each((lines.of(part), Err("it is no attribute of MISP".to_owned())));
    };
    // Whoever made the event says with `to_ids` what is not to be searched for.
    if one.deleted || one.to_ids == Some(false) || ABOUT.contains(&one.sort.as_str()) {
        return;
    }
    let note = if one.comment.is_empty() { info } else { &one.comment };
    match of_type(&one.sort, &one.value) {
        Some(sign) => {
            each((lines.of(part), Ok(Sign { severity: severity.to_owned(), note: short(note, 200), ..sign })))
        }
        None => {
            let sort = short(&one.sort, 40);
            each((
                lines.of(part),
                Err(format!("attributes of type {sort} are not understood, or the value does not fit")),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sort, tests::all};

    #[test]
    fn attributes_are_read_also_in_objects_and_what_is_not_understood_is_named() {
        let text = "{\"response\":[{\"Event\":{\"info\":\"case 7\",\"threat_level_id\":\"2\",\"Attribute\":[\n\
            {\"type\":\"filename|sha256\",\"value\":\"x|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"to_ids\":true},\n\
            {\"type\":\"ip-dst\",\"value\":\"192.0.2.9\",\"to_ids\":false},\n\
            {\"type\":\"regkey\",\"value\":\"HKLM\"},\n\
            {\"type\":\"comment\",\"value\":\"hello\"}],\n\
            \"Object\":[{\"name\":\"file\",\"Attribute\":[{\"type\":\"filename\",\"value\":\"kinsing\",\"comment\":\"miner\"}]}]}}]}";
        let (signs, faults) = all(text);
        assert_eq!(signs.iter().map(|sign| sign.sort).collect::<Vec<_>>(), [Sort::Sha256, Sort::Name]);
        assert_eq!((signs[0].note.as_str(), signs[0].severity.as_str()), ("case 7", "medium"));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].0, 4);
    }

    #[test]
    fn a_broken_event_names_its_line() {
        let (_, faults) = all("{\"Event\":{\"Attribute\":[\n{\"type\":\"md5\",\n\"value\":}]}}");
        assert_eq!(faults[0].0, 3, "{faults:?}");
    }
}
