//! JSON (RFC 8259) as programs written in Go read it: bytes that are no UTF-8 are replaced, and the case of names does not
//! matter.

use calma_record::Text;
use serde_json::Value;

/// No list is read further than this.
const MOST: usize = 1024;

/// The value, if the text is JSON and not nested deeper than serde_json goes (128).
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::from_str(&String::from_utf8_lossy(bytes)).ok()
}

/// What stands behind a path of names; [`Value::Null`] if nothing does.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| {
        let exact = value.get(name).filter(|value| !value.is_null());
        let other = || value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        exact.or_else(|| other().map(|(_, value)| value)).unwrap_or(&Value::Null)
    })
}

/// A text; empty if it is none.
pub(crate) fn text(value: &Value, path: &[&str]) -> Text {
    at(value, path).as_str().unwrap_or_default().into()
}

/// A switch; off if it is none.
pub(crate) fn flag(value: &Value, path: &[&str]) -> bool {
    at(value, path).as_bool().unwrap_or_default()
}

/// The members of a list.
pub(crate) fn list<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    at(value, path).as_array().into_iter().flatten().take(MOST)
}

/// The members of an object, whatever their names.
pub(crate) fn members<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    at(value, path).as_object().into_iter().flatten().take(MOST)
}

/// The texts of a list; a text alone counts as a list of one.
pub(crate) fn texts(value: &Value, path: &[&str]) -> Vec<Text> {
    let alone = at(value, path).as_str().map(Text::from);
    alone.into_iter().chain(list(value, path).filter_map(Value::as_str).map(Text::from)).collect()
}
