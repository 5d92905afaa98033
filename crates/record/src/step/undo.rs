//! What taking a step back needs: a value that only its action reads.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

/// All an action needs to take its step back, or to finish it, as the text in which the journal holds it: whoever carries the step
/// out, the journal and its history hold the same one, and only the action takes it apart.
#[derive(Clone, Debug, Default)]
pub struct Undo(Option<Arc<RawValue>>);

impl Undo {
    /// What an action keeps.
    ///
    /// # Errors
    /// When it has no form in JSON.
    pub fn of(state: &impl Serialize) -> serde_json::Result<Self> {
        to_raw_value(state).map(|text| Self(Some(text.into())))
    }

    /// The same as the action knows it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.text())
    }

    /// The same for whoever knows nothing of the action.
    pub fn value(&self) -> Value {
        // What cannot be read was not made by either way there is to make one.
        self.read().unwrap_or_default()
    }

    /// JSON.
    pub fn text(&self) -> &str {
        self.0.as_ref().map_or("null", |text| text.get())
    }
}

impl PartialEq for Undo {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || self.value() == other.value()
    }
}

impl Serialize for Undo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_deref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Undo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: text as it stood is not to be had inside a line whose kind is not known before it is read.
        Self::of(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
