//! STIX 2.1 bundles (OASIS STIX Version 2.1): indicators with simple patterns, and observables by themselves.

use super::place::Lines;
use super::{Found, Sign, of_type, pattern, short};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(borrow, default)]
    objects: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    #[serde(rename = "type")]
    sort: String,
    name: String,
    description: String,
    pattern: String,
    pattern_type: String,
    revoked: bool,
    value: String,
    hashes: BTreeMap<String, String>,
    confidence: Option<u32>,
}

/// Reads a bundle, a list of objects or one object.
pub(super) fn read(text: &str, each: &mut dyn FnMut(Found)) {
    let mut lines = Lines::new(text);
    let objects = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(text)
    } else {
        serde_json::from_str::<Bundle<'_>>(text).map(|bundle| bundle.objects)
    };
    let objects = match objects {
        Ok(objects) => objects,
        Err(error) => return each((error.line().max(1), Err(format!("it is no STIX bundle: {error}")))),
    };
    if objects.is_empty() {
        return each((
            1,
            Err("it is JSON, but neither a STIX bundle with objects nor a MISP event".to_owned()),
        ));
    }
    for part in objects {
        let Ok(object) = serde_json::from_str::<Object>(part.get()) else {
            each((lines.of(part), Err("it is no object of STIX".to_owned())));
            continue;
        };
        let (mut found, fault) = signs(&object);
        let line = lines.of(part);
        let note = if object.name.is_empty() { &object.description } else { &object.name };
        // A confidence is no severity, but one near zero says that the sign is no sign.
        let severity = if object.confidence.is_some_and(|sure| sure < 20) { "low" } else { "" };
        for sign in found.drain(..) {
            each((line, Ok(Sign { note: short(note, 200), severity: severity.to_owned(), ..sign })));
        }
        if let Some(what) = fault {
            each((line, Err(what)));
        }
    }
}

fn signs(object: &Object) -> (Vec<Sign>, Option<String>) {
    if object.revoked {
        return (Vec::new(), None);
    }
    match object.sort.as_str() {
        "indicator" if object.pattern_type.is_empty() || object.pattern_type == "stix" => {
            match pattern::read(&object.pattern) {
                Ok(signs) => (signs, None),
                Err(what) => (Vec::new(), Some(what)),
            }
        }
        "indicator" => {
            let sort = short(&object.pattern_type, 40);
            (Vec::new(), Some(format!("patterns of type {sort} are not understood here")))
        }
        "ipv4-addr" | "ipv6-addr" | "domain-name" | "url" => {
            (of_type(&object.sort, &object.value).into_iter().collect(), None)
        }
        "file" => {
            let hashes: Vec<Sign> =
                object.hashes.iter().filter_map(|(sort, value)| of_type(sort, value)).collect();
            let name = of_type("filename", &object.name).filter(|_| hashes.is_empty());
            (hashes.into_iter().chain(name).collect(), None)
        }
        _ => (Vec::new(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sort, tests::all};

    #[test]
    fn indicators_and_observables_are_read_and_others_named_with_their_line() {
        let text = "{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":[\n\
            {\"type\":\"identity\",\"name\":\"us\"},\n\
            {\"type\":\"indicator\",\"name\":\"c2\",\"pattern_type\":\"stix\",\"pattern\":\"[ipv4-addr:value = '192.0.2.7' OR domain-name:value = 'c2.example']\"},\n\
            {\"type\":\"indicator\",\"pattern_type\":\"sigma\",\"pattern\":\"title: x\"},\n\
            {\"type\":\"indicator\",\"pattern_type\":\"stix\",\"pattern\":\"[network-traffic:dst_port > 5] REPEATS 5 TIMES\"},\n\
            {\"type\":\"file\",\"name\":\"x.sh\",\"hashes\":{\"MD5\":\"d41d8cd98f00b204e9800998ecf8427e\"}}]}";
        let (signs, faults) = all(text);
        assert_eq!(
            signs.iter().map(|sign| sign.sort).collect::<Vec<_>>(),
            [Sort::Address, Sort::Domain, Sort::Md5]
        );
        assert_eq!(signs[0].note, "c2");
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 5], "{faults:?}");
    }
}
