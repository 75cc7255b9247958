//! The only user of serde_yaml, which its author no longer maintains: a successor would go in here.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use serde_yaml::Value;

use crate::answer::Error;

/// Why a YAML text cannot be used: the reader's words, with line and column where it knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

/// A value as YAML text, in the order of its fields.
///
/// # Errors
/// `internal`: our own types can always be written.
pub(crate) fn to_text<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_yaml::to_string(value).map_err(|e| Error::Internal(format!("failed to write YAML: {e}")))
}

/// Reads a YAML text.
///
/// # Errors
/// What the reader stumbled over.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_yaml::from_str(text).map_err(|e| Fault(e.to_string()))
}

/// Looks a path of keys up in a value.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.as_mapping()?.get(*key))
}

/// A scalar as text, the way Compose and Go read one: numbers and booleans are taken as they are written.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

/// The texts of a list.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().filter_map(scalar).collect()
}
