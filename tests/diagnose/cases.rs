//! Logs from public reports (`tests/cases`): each must come out as what it was.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::each;
use crate::support::helper;

#[test]
fn reports_from_the_field_come_out_as_what_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let cases: Value = serde_json::from_slice(&fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let cases: Vec<(&String, &Value)> = cases.as_object().unwrap().iter().collect();
    let logs =
        fs::read_dir(&folder).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "log"));
    assert_eq!(logs.count(), cases.len(), "a log is not in cases.json");
    each(&cases, |(name, case)| {
        assert!(case["source"].as_str().is_some_and(|source| source.starts_with("https://")), "{name}");
        let answer = helper(["diagnose"]).json(json!({"logs": folder.join(format!("{name}.log"))})).run();
        let severe = || answer.json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
        let ids: Vec<&Value> = severe().map(|f| &f["id"]).collect();
        let expected: Vec<&Value> = case["expected"].as_array().unwrap().iter().collect();
        assert_eq!(ids.first(), expected.first(), "{name}: {:#}", answer.json);
        assert!(expected.iter().all(|id| ids.contains(id)), "{name}: {:#}", answer.json);
        let word = |f: &Value| format!("{}:{}", &f["severity"].as_str().unwrap()[..1], f["id"].as_str().unwrap());
        let words: Vec<String> = severe().map(word).collect();
        let after =
            if words.is_empty() { answer.json["summary"].as_str().unwrap().to_owned() } else { words.join(", ") };
        assert_eq!(case["after"], after, "{name}");
    });
}
