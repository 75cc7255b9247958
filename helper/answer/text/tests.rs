//! Whole answers as a person sees them, and what holds of every one.

use std::path::Path;

use serde_json::Value;

use super::render;
use crate::caller::Screen;

const GOLDEN: [&str; 5] = ["preflight", "status", "up-fault", "connect", "init-first"];

fn answer(name: &str) -> Value {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    // Of a stack that runs there are answers of an engine only; the others are those of the command's own test.
    let own = golden.join(format!("answers/{name}.json"));
    let path = if own.exists() { own } else { golden.join(format!("text/{name}.json")) };
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

#[test]
fn answers_are_shown_as_before() {
    for name in GOLDEN {
        let text = render(&answer(name), Screen { width: 80, colour: false });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/text/{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
            continue;
        }
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == before, "{name}.txt differs; UPDATE=1 rewrites it:\n{text}");
    }
}

#[test]
fn preflight_fits_one_screen() {
    let mut answer = answer("preflight");
    answer["findings"] = Value::Array(Vec::new());
    let text = render(&answer, Screen { width: 80, colour: false });
    assert!(text.lines().count() <= 30, "{text}");
    // Without what is not fine, a terminal of 24 lines holds it.
    let network = answer["data"]["network"].as_array_mut().unwrap();
    network.iter_mut().for_each(|row| row["outcome"] = "ok".into());
    let text = render(&answer, Screen { width: 80, colour: false });
    assert!(text.lines().count() <= 24, "{text}");
}

/// At every width: no command is broken, what can be pasted is there as it is, and nothing controls the terminal.
#[test]
fn what_can_be_copied_is_never_wrapped() {
    for name in GOLDEN {
        let answer = answer(name);
        for width in [40, 60, 80, 200] {
            let text = render(&answer, Screen { width, colour: false });
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{name}");
            for step in answer["next"].as_array().unwrap() {
                if let Some(command) = step["command"].as_str() {
                    assert!(text.lines().any(|line| line.trim() == command), "{name} at {width}: {command}\n{text}");
                }
            }
            for route in answer["data"]["routes"].as_array().into_iter().flatten() {
                if let Some(code) = route["curl"].as_str() {
                    assert!(text.contains(code), "{name} at {width}");
                }
            }
        }
    }
}

/// A line is longer than the terminal only if a single word or a command of the answer is.
#[test]
fn lines_follow_the_width() {
    for name in ["preflight", "status", "up-fault"] {
        let answer = answer(name);
        let mut texts = Vec::new();
        strings(&answer, &mut texts);
        for width in [60, 80, 120] {
            for line in
                render(&answer, Screen { width, colour: false }).lines().filter(|line| line.chars().count() > width)
            {
                let copied = line.trim();
                let is_whole = copied.split(' ').count() == 1
                    || copied.contains('`')
                    || texts.iter().any(|text| text == copied)
                    || line.trim_start().split_once(' ').is_some_and(|(_, rest)| !rest.trim().contains(' '));
                assert!(is_whole, "{name} at {width}: {line:?}");
            }
        }
    }
}

#[test]
fn colours_are_those_of_severities_and_say_nothing_more() {
    let answer = answer("up-fault");
    let coloured = render(&answer, Screen { width: 80, colour: true });
    assert!(coloured.contains("\u{1b}[31merror:\u{1b}[0m"), "{coloured}");
    let bare = coloured.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
    assert_eq!(bare, render(&answer, Screen { width: 80, colour: false }));
    assert!(!render(&self::answer("status"), Screen { width: 80, colour: true }).contains('\u{1b}'));
}

#[test]
fn an_error_is_its_message_and_hint() {
    let answer = serde_json::json!({"schema": 1, "command": "up", "status": "error",
        "error": {"code": "usage", "message": "a command is missing", "hint": "run `x --help`"}});
    assert_eq!(
        render(&answer, Screen { width: 80, colour: false }),
        "error: a command is missing\nfix: run `x --help`\n"
    );
}

/// Answers of commands that this module does not know, and of shapes that no command has, are laid out too.
#[test]
fn any_shape_is_laid_out() {
    for data in [
        serde_json::json!(null),
        serde_json::json!([1, {"a": []}]),
        serde_json::json!({"a_b": 1, "list": [{"x": 1}, {"y": [1, 2]}], "deep": {"er": {"text": "one\ntwo"}}}),
        serde_json::json!({"routes": {"a": 1}, "network": [{}], "tools": [null], "ca": {"days_left": "x"}, "files": [7]}),
    ] {
        for command in ["preflight", "init", "status", "connect", "render", "certs check", "rules", "schema", "new"] {
            let answer = serde_json::json!({"command": command, "summary": "s", "data": data, "findings": [{}], "skipped": [{}], "next": [{}]});
            assert!(render(&answer, Screen { width: 40, colour: false }).starts_with("s\n"), "{command} {data}");
        }
    }
    let new =
        serde_json::json!({"command": "new", "summary": "s", "data": {"days_left": 3, "rows": [{"x": 1, "ok": true}]}});
    let text = render(&new, Screen { width: 80, colour: false });
    assert_eq!(text, "s\n\n  days left  3\n\nrows:\n  x  ok\n  1  yes\n");
}
