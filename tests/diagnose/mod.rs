//! `diagnose` on saved logs: what each of `tests/logs` adds up to, in every format that viewers print.

mod cases;
mod engine_wordings;
mod formats;
mod hostile;
mod input;
mod lines;
pub(crate) mod wordings;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Answer, helper};

/// One finding as it is compared: id, severity, what it follows from.
type Said = (String, String, Option<String>);

/// One log and what it is to add up to.
struct Case {
    name: String,
    text: String,
    expected: Vec<Said>,
    healthy: bool,
}

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs")
}

/// Severity of every row of the table.
fn severities() -> &'static BTreeMap<String, String> {
    static ALL: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ALL.get_or_init(|| {
        let answer = helper(["rules"]).run().expect(0);
        let rows = answer.data()["rules"].as_array().unwrap().clone();
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(row, "id"), text(row, "severity"))).collect()
    })
}

/// `id`, `id (severity)`, `id < cause`; see `tests/logs/README.md`.
fn said(text: &str) -> Said {
    let (head, cause) = text.split_once(" < ").map_or((text, None), |(head, cause)| (head, Some(cause.to_owned())));
    let (id, severity) = match head.split_once(" (") {
        Some((id, severity)) => (id, severity.trim_end_matches(')').to_owned()),
        None => (head, severities().get(head).unwrap_or_else(|| panic!("no rule `{head}`")).clone()),
    };
    (id.to_owned(), severity, cause)
}

/// All logs of `tests/logs`.
fn corpus() -> &'static [Case] {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    ALL.get_or_init(|| {
        let labels: Value = serde_json::from_slice(&fs::read(logs().join("labels.json")).unwrap()).unwrap();
        let case = |(name, label): (&String, &Value)| {
            assert!(label["source"].as_str().is_some_and(|s| !s.is_empty()), "{name} does not say where it is from");
            let path = logs().join(format!("{name}.log"));
            Case {
                name: name.clone(),
                text: fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}")),
                expected: label["expected"].as_array().unwrap().iter().map(|s| said(s.as_str().unwrap())).collect(),
                healthy: label["healthy"].as_bool().unwrap(),
            }
        };
        let cases: Vec<Case> = labels.as_object().unwrap().iter().map(case).collect();
        let files = fs::read_dir(logs()).unwrap().map(|e| e.unwrap().path());
        assert_eq!(
            files.filter(|p| p.extension().is_some_and(|e| e == "log")).count(),
            cases.len(),
            "a log has no label"
        );
        cases
    })
}

fn case(name: &str) -> &'static Case {
    corpus().iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no log `{name}`"))
}

/// What `diagnose` says of a text.
fn diagnose(text: impl Into<Vec<u8>>) -> Answer {
    let answer = helper(["diagnose"]).json(json!({"logs": "-"})).stdin(text).run();
    nothing_unescaped(&answer.json);
    answer
}

fn findings(answer: &Answer) -> Vec<Said> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of = |f: &Value| (text(&f["id"]).unwrap(), text(&f["severity"]).unwrap(), text(&f["consequence_of"]));
    answer.json["findings"].as_array().unwrap_or_else(|| panic!("{}", answer.json)).iter().map(of).collect()
}

/// No text of an answer holds anything that a terminal would act on.
fn nothing_unescaped(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.chars().any(char::is_control), "{text:?}"),
        Value::Array(all) => all.iter().for_each(nothing_unescaped),
        Value::Object(all) => all.values().for_each(nothing_unescaped),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Does something for each of many on all cores: a run of the helper is mostly waiting for it.
pub(crate) fn each<T: Sync>(all: &[T], act: impl Fn(&T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    act(one);
                }
            });
        }
    });
}

#[test]
fn every_log_adds_up_to_what_its_label_says() {
    each(corpus(), |case| {
        let path = logs().join(format!("{}.log", case.name));
        let answer = helper(["diagnose"]).json(json!({"logs": path})).changes_nothing().run();
        let summary = &answer.json["summary"];
        assert_eq!(findings(&answer), case.expected, "{}: {:#}", case.name, answer.json["findings"]);
        assert_eq!(answer.data()["healthy"], case.healthy, "{}: {summary}", case.name);
        // What was stopped on purpose is no fault, and nothing that runs now.
        let is_past = answer.data()["signals"]["edge"] == "stopped" && case.healthy && case.expected.is_empty();
        assert_eq!(summary.as_str().unwrap().starts_with("healthy until"), is_past, "{}: {summary}", case.name);
        assert_eq!(answer.data()["bytes"], case.text.len(), "{}", case.name);
        assert!(answer.length < 4096, "{}: {} bytes", case.name, answer.length);
        nothing_unescaped(&answer.json);
        // One thing to do now, and none where nothing is wrong and it was seen to work.
        let next = answer.json["next"].as_array().unwrap().len();
        let wrong = case.expected.iter().any(|(_, severity, _)| severity != "note");
        assert_eq!(next, usize::from(wrong || !case.healthy), "{}", case.name);
        // A cause precedes what follows from it, and is among the findings.
        let ids: Vec<&str> = case.expected.iter().map(|(id, ..)| id.as_str()).collect();
        for (at, (id, _, cause)) in case.expected.iter().enumerate() {
            if let Some(cause) = cause {
                assert!(ids[..at].contains(&cause.as_str()), "{}: {id} is in front of {cause}", case.name);
            }
        }
    });
}

#[test]
fn evidence_says_where_whose_and_what() {
    let answer = diagnose(case("run-upstream-stdio").text.as_str());
    let refused = answer.finding("upstream-refused")["evidence"][0].as_str().unwrap().to_owned();
    assert!(
        refused.starts_with("mcp-proxy, line 10, 2026-11-22 21:22:23Z (at the log's end): ")
            && refused.contains("connection refused"),
        "{refused}"
    );
    let answer = diagnose(case("token-rejected-fallback").text.as_str());
    let words = answer.finding("token-rejected")["evidence"][0].as_str().unwrap().to_owned();
    assert!(words.contains("Unauthorized: Invalid tunnel secret") && words.contains(" times"), "{words}");
    // The reason is hidden: it says that it is a conclusion, and how to be sure.
    let answer = diagnose(case("token-rejected-2026.8.2").text.as_str());
    let evidence = answer.finding("token-rejected")["evidence"].to_string();
    assert!(evidence.contains("most likely it is the token") && evidence.contains("http2"), "{evidence}");
    // The fix speaks of this log's services.
    let answer = diagnose(case("no-network-mode").text.as_str());
    assert!(answer.finding("proxy-unreachable")["fix"].as_str().unwrap().contains("service:mcp-proxy"));
}

/// What a log says in the words of `status`: connected, applied, callable, ready; and whether it is healthy.
fn words(text: &str) -> ([Option<bool>; 4], bool) {
    let answer = diagnose(text);
    let signals = &answer.data()["signals"];
    let words = ["connected", "applied", "callable", "ready"].map(|word| signals[word].as_bool());
    (words, answer.data()["healthy"].as_bool().unwrap())
}

#[test]
fn the_words_of_status_are_said_of_a_log() {
    let (yes, no) = (Some(true), Some(false));
    let start =
        "cloudflared-1  | 2026-11-22T20:45:18Z INF Starting tunnel tunnelID=a8dfb6b4-68cf-4a03-88e7-08ee60111e8c\n";
    let registered: String = (0..4)
        .map(|n| {
            format!(
                "cloudflared-1  | 2026-11-22T20:45:19Z INF Registered tunnel connection connIndex={n} protocol=quic\n"
            )
        })
        .collect();
    let connected = format!("{start}{registered}");
    let route = "mcp-proxy-1  | level=INFO msg=\"route configured\" subdomain=echo\n";
    let listens =
        "echo-1  | 2026-11-22T20:45:30Z INFO:     Uvicorn running on http://0.0.0.0:9000 (Press CTRL+C to quit)\n";
    let access = |status: &str| {
        format!("echo-1  | 2026-11-22T20:45:40Z INFO:     172.18.0.2:40102 - \"POST /mcp HTTP/1.1\" {status}\n")
    };
    let (answered, refused) = (access("200 OK"), access("421 Misdirected Request"));
    let odd = "echo-1  | 2026-11-22T20:45:25Z ERROR: the flux capacitor is empty\n";
    for (log, expected, healthy) in [
        (connected.clone(), [yes, None, None, None], true),
        (format!("{connected}{route}"), [yes, yes, None, None], true),
        (format!("{connected}{route}{answered}"), [yes, yes, yes, yes], true),
        (format!("{connected}{route}{refused}"), [yes, yes, no, no], false),
        (answered.clone(), [None, yes, yes, None], true),
        (format!("{start}{route}"), [no, yes, None, no], false),
        // A registered tunnel is healthy without one error line that nothing explains, also where the server began
        // again since; a call that was answered later shows more.
        (format!("{connected}{route}{odd}"), [yes, yes, None, None], false),
        (format!("{connected}{route}{odd}{listens}"), [yes, yes, None, None], false),
        (format!("{connected}{route}{odd}{listens}{answered}"), [yes, yes, yes, yes], true),
    ] {
        assert_eq!(words(&log), (expected, healthy), "{log}");
    }
}
