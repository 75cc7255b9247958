//! The only user of serde_yaml, which its author no longer maintains: a successor would go in here.

mod count;
mod lines;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use lines::{below, line_of};
pub(crate) use serde_yaml::{Mapping, Value};

use crate::answer::Error;
use crate::redact::names;

/// Why a YAML text cannot be used: the reader's words, with line and column where it knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlFault(pub(crate) String);

/// A value as YAML text, in the order of its fields.
///
/// # Errors
/// `internal`: our own types can always be written.
pub(crate) fn to_text<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_yaml::to_string(value).map_err(|e| Error::Internal(format!("failed to write YAML: {e}")))
}

/// A value as a tree.
///
/// # Errors
/// `internal`, as [`to_text`].
pub(crate) fn value_of<T: Serialize>(value: &T) -> Result<Value, Error> {
    serde_yaml::to_value(value).map_err(|e| Error::Internal(format!("failed to write YAML: {e}")))
}

/// Reads a YAML text of several documents.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, YamlFault> {
    require_readable(text)?;
    let read = |document| {
        Value::deserialize(document).map_err(|e: serde_yaml::Error| YamlFault(without_scalars(&e.to_string())))
    };
    parts(text).map(read).collect()
}

fn parts(text: &str) -> impl Iterator<Item = serde_yaml::Deserializer<'_>> {
    serde_yaml::Deserializer::from_str(text.trim_start_matches('\u{feff}')).take(MOST_DOCUMENTS)
}

/// Reads a YAML text.
///
/// # Errors
/// Where the reader fails.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, YamlFault> {
    require_readable(text)?;
    // Go's reader skips a byte order mark, which Windows editors write.
    serde_yaml::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| YamlFault(without_scalars(&e.to_string())))
}

fn require_readable(text: &str) -> Result<(), YamlFault> {
    if text.len() > LARGEST {
        return Err(YamlFault(format!(
            "it has {} KiB; more than {} KiB are not read",
            text.len() >> 10,
            LARGEST >> 10
        )));
    }
    if is_too_deep(text) {
        return Err(YamlFault(format!("it is nested more than {DEEPEST} levels deep")));
    }
    if text.contains('*') && text.contains('&') && count::is_more_than(parts(text), MOST_VALUES) {
        return Err(YamlFault(format!("its aliases repeat so much that it has more than {MOST_VALUES} values")));
    }
    Ok(())
}

/// Documents of one text that are read.
const MOST_DOCUMENTS: usize = 64;
/// Largest text that is read, in bytes: the reader's time grows faster than the text.
const LARGEST: usize = 512 << 10;
/// Values that a text with aliases may have, what an alias repeats counted each time.
const MOST_VALUES: usize = 100_000;
/// Deepest nesting of lists and maps in brackets, or behind dashes of one line.
const DEEPEST: usize = 64;

/// Whether lists and maps are nested as in no file of a person: reading them takes quadratic time.
fn is_too_deep(text: &str) -> bool {
    // `- - - x` opens a list a dash.
    let dashes = |line: &str| {
        let mut rest = line.trim_start();
        let mut depth = 0_usize;
        while let Some(inner) = rest.strip_prefix(['-', '?']).filter(|inner| inner.starts_with([' ', '\t'])) {
            rest = inner.trim_start();
            depth += 1;
        }
        depth
    };
    if text.split(['\n', '\r']).any(|line| dashes(line) > DEEPEST) {
        return true;
    }
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            // Brackets in plain text of one line open nothing on the next.
            b'\n' if depth < DEEPEST / 2 => depth = 0,
            _ => {}
        }
        depth > DEEPEST
    })
}

/// The reader's words without what it quotes of the file: `invalid type: string "…", expected a map`.
fn without_scalars(said: &str) -> String {
    let mut out = said.to_owned();
    for kind in ["string ", "character ", "integer ", "floating point ", "boolean ", "unit variant "] {
        let Some(at) = out.find(kind).map(|at| at + kind.len()) else { continue };
        let Some(quote) = out[at..].chars().next().filter(|c| matches!(c, '"' | '`')) else { continue };
        // The quoted text may hold anything; what the reader expected follows it.
        let end = out.rfind(&format!("{quote}, expected")).filter(|end| *end > at).map_or(out.len(), |end| end + 1);
        out.replace_range(at - 1..end, "");
    }
    for what in ["unknown field `", "unknown variant `", "duplicate field `", "duplicate entry with key "] {
        let Some(at) = out.find(what).map(|at| at + what.len()) else { continue };
        let end =
            ["`, expected", "`, there are", "` at line", " at line"].iter().filter_map(|end| out[at..].find(end)).min();
        let end = end.map_or(out.trim_end_matches('`').len().max(at), |end| at + end);
        let name = names::shown(out[at..end].trim_matches(['"', '`'])).to_owned();
        out.replace_range(at..end, &name);
    }
    out
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

/// The scalar at a path of keys.
pub(crate) fn text(value: &Value, path: &[&str]) -> Option<String> {
    at(value, path).and_then(scalar)
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().filter_map(scalar).collect()
}

/// Names with their values, as a map or as a list of `NAME=value`; `None` is a name alone.
pub(crate) fn assignments(value: &Value) -> Vec<(String, Option<String>)> {
    let entry = |text: String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text, None),
    };
    match value {
        Value::Mapping(map) => map.iter().filter_map(|(name, value)| Some((scalar(name)?, scalar(value)))).collect(),
        list => texts(list).into_iter().map(entry).collect(),
    }
}

/// Hands on every text in a value, with the keys and the places in lists that lead to it.
pub(crate) fn each_text(value: &Value, take: &mut dyn FnMut(&[String], &str)) {
    fn walk(value: &Value, path: &mut Vec<String>, take: &mut dyn FnMut(&[String], &str)) {
        let mut below = |key: String, value: &Value| {
            path.push(key);
            walk(value, path, take);
            path.pop();
        };
        match value {
            Value::String(text) => take(path, text),
            Value::Sequence(list) => list.iter().enumerate().for_each(|(at, item)| below(format!("[{at}]"), item)),
            Value::Mapping(map) => map.iter().for_each(|(key, item)| below(scalar(key).unwrap_or_default(), item)),
            Value::Tagged(tagged) => walk(&tagged.value, path, take),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    walk(value, &mut Vec::new(), take);
}

/// A path of [`each_text`] in words, without the places in lists.
pub(crate) fn named(path: &[impl AsRef<str>]) -> String {
    path.iter().map(AsRef::as_ref).filter(|key| !is_place(key)).collect::<Vec<_>>().join(".")
}

/// Whether a key of such a path is a place in a list, `[0]`.
pub(crate) fn is_place(key: &str) -> bool {
    key.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|at| at.parse::<usize>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_a_number_is_said_and_a_place_in_a_list_is_not() {
        let mut said = Vec::new();
        let value = from_text("routes: { 1: a }\nnetworks: [b, { c: d }]").unwrap();
        each_text(&value, &mut |path, text| said.push(format!("{} {text}", named(path))));
        assert_eq!(said, ["routes.1 a", "networks b", "networks.c d"]);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_at_once() {
        for open in ["[", "{", "- ", "-\t", "? ", "- ? ", "[{"] {
            let deep = open.repeat(20_000);
            for text in [deep.clone(), format!("a:\n  {deep}"), format!("a: 1\r\n{deep}x\r\n")] {
                assert!(is_too_deep(&text), "{open}");
            }
        }
        for text in
            ["- - - a\n- - b\n", "a: [[1, 2], {b: [3]}]", "# - - - -\na: '- - - -'", "--- \n- a\n", "- -1\n- -a -b"]
        {
            assert!(from_text::<Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_fault_quotes_nothing_of_the_file() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Small {
            routes: std::collections::BTreeMap<String, String>,
            port: Option<u16>,
        }
        for text in [
            "hunter2\n",
            "\"hunter2\\\", expected hunter2\"\n",
            "routes: hunter2\n",
            "routes: {}\nport: hunter2\n",
            "routes: {}\nport: 87654321\n",
            "routes: {}\nport: 8765.4321\n",
            "routes: {}\n? hunter2 hunter2\n: x\n",
            "routes: {a: {hunter2: x}}\n",
        ] {
            let fault = from_text::<Small>(text).unwrap_err().0;
            assert!(!fault.contains("hunter2") && !fault.contains("4321"), "{text}: {fault}");
            assert!(fault.contains("expected"), "{text}: {fault}");
        }
    }
}
