//! Golden files under `tests/golden/`: whole outputs, compared byte for byte. `UPDATE=1` rewrites them.

use std::path::Path;

use serde_json::{Value, json};

use super::Answer;

/// Compares a text with its golden file.
pub(crate) fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}; UPDATE=1 writes it"));
    assert!(
        expected == actual,
        "{name} (UPDATE=1 rewrites it):\n{}",
        similar::TextDiff::from_lines(expected.as_str(), actual).unified_diff()
    );
}

/// Compares an answer with `tests/golden/answers/NAME.json`. What differs from run to run or from machine to machine is
/// replaced by its name: the deployment's parent by `/home/ada`, times, digests, certificates, measured numbers.
pub(crate) fn golden_answer(name: &str, parent: &Path, answer: &Answer) {
    let mut value = answer.json.clone();
    normalize(&mut value, parent);
    golden(&format!("answers/{name}.json"), &format!("{value:#}\n"));
}

/// Fields whose values belong to the machine or to the moment.
const MEASURED: &[&str] =
    &["days_left", "elapsed_ms", "disk_free_mib", "engine_clock_offset_s", "server_clock_offset_s", "os", "arch"];

fn normalize(value: &mut Value, parent: &Path) {
    match value {
        Value::String(text) => *text = normalized(text, parent),
        Value::Array(items) => items.iter_mut().for_each(|item| normalize(item, parent)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if MEASURED.contains(&key.as_str()) && !value.is_null() {
                    *value = json!(format!("<{key}>"));
                } else if key == "kind" && value.to_string().contains("container") {
                    *value = json!([]);
                } else {
                    normalize(value, parent);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn normalized(text: &str, parent: &Path) -> String {
    if text.starts_with("-----BEGIN CERTIFICATE-----") {
        return "<certificate>".into();
    }
    let text = text
        .replace(&*parent.to_string_lossy(), "/home/ada")
        .replace(env!("CARGO_BIN_EXE_mcp-tunnels-helper"), "mcp-tunnels-helper")
        .replace(env!("CARGO_MANIFEST_DIR"), "<repository>");
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '-'))) {
        let end = word.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-')).len();
        let (word, end) = if end == 0 { (word, "") } else { word.split_at(word.len() - last_char(word)) };
        if word == "days"
            && let Some(number) = words.last_mut().filter(|word| word.trim_end().bytes().all(|b| b.is_ascii_digit()))
        {
            *number = "<n> ".into();
        }
        words.push(format!("{}{end}", moment_or_digest(word).unwrap_or(word)));
    }
    words.concat()
}

/// Length in bytes of the last character.
fn last_char(text: &str) -> usize {
    text.chars().next_back().map_or(0, char::len_utf8)
}

fn moment_or_digest(word: &str) -> Option<&'static str> {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
    match shape.as_str() {
        "dddd-dd-ddTdd:dd:ddZ" => Some("<time>"),
        "dddd-dd-dd" => Some("<date>"),
        _ => (word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())).then_some("<sha256>"),
    }
}
