//! Facts laid out by their shape alone: for commands without their own layout.

use serde_json::{Map, Value};

use super::layout::Page;

/// A text of the answer; empty where it is absent or `null`.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list of the answer; empty where it is absent or `null`.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".into()),
        Value::Bool(true) => Some("yes".into()),
        Value::Bool(false) => Some("no".into()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.contains('\n') => Some(text.clone()),
        Value::Array(items) => {
            let one = |item: &Value| if item.is_array() { None } else { scalar(item) };
            items.iter().map(one).collect::<Option<Vec<String>>>().map(|items| items.join(", "))
        }
        Value::String(_) | Value::Object(_) => None,
    }
}

pub(super) fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// Names and values; lists of objects as tables; texts of several lines as they are.
pub(super) fn by_shape(page: &mut Page, indent: usize, data: &Value) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let fields = data.as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value));
    let (lines, parts): (Vec<_>, Vec<_>) = fields.partition(|(_, value)| scalar(value).is_some());
    let rows: Vec<Vec<String>> =
        lines.iter().filter_map(|(name, value)| Some(vec![title(name), scalar(value)?])).collect();
    if !rows.is_empty() {
        if indent == 0 {
            page.gap();
        }
        page.table(&[], rows);
    }
    for (name, value) in parts {
        page.heading(&format!("{}:", title(name)));
        match value {
            Value::String(text) => page.verbatim(2, text),
            Value::Array(items) => items_by_shape(page, items),
            value => by_shape(page, indent + 2, value),
        }
    }
}

fn items_by_shape(page: &mut Page, items: &[Value]) {
    let objects: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    let mut names: Vec<&String> = Vec::new();
    for name in objects.iter().flat_map(|object| object.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let cell = |object: &Map<String, Value>, name: &String| object.get(name).map_or(Some("-".into()), scalar);
    let rows: Option<Vec<Vec<String>>> =
        objects.iter().map(|object| names.iter().map(|name| cell(object, name)).collect()).collect();
    match rows.filter(|_| objects.len() == items.len()) {
        Some(rows) => {
            let headings: Vec<String> = names.iter().map(|name| title(name)).collect();
            page.table(&headings.iter().map(String::as_str).collect::<Vec<_>>(), rows);
        }
        None => items.iter().for_each(|item| by_shape(page, 2, item)),
    }
}
