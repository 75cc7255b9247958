//! Logs and deployments as people have them, and a test for every rule of the table.

mod elsewhere;
mod follow;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::elsewhere::{ELSEWHERE, Elsewhere};
use crate::diagnose::{each, wordings};
use crate::support::{DOMAIN, chmod, deployment, folder, helper, rule_ids, token};

fn field(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The findings above a note, a warning marked as one.
fn severe(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
    let id = |f: &Value| f["id"].as_str().unwrap().to_owned();
    findings.map(|f| if f["severity"] == "error" { id(f) } else { format!("{} (warning)", id(f)) }).collect()
}

/// What follows from what, above a note.
fn links(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    findings.filter_map(|f| Some(format!("{} < {}", text(&f["id"])?, text(&f["consequence_of"])?))).collect()
}

#[test]
fn logs_of_the_field_add_up_to_what_is_true_of_them() {
    let logs = field("logs.json");
    let cases: Vec<(&String, &Value)> = logs.as_object().unwrap().iter().collect();
    let folder = folder();
    each(&cases, |(name, case)| {
        let text = texts(&case["log"]).iter().map(|line| format!("{line}\n")).collect::<String>();
        let bytes = match case["encoding"].as_str() {
            Some("utf-16") => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            _ => text.into_bytes(),
        };
        let path = folder.path().join(format!("{name}.log"));
        fs::write(&path, bytes).unwrap();
        let answer = helper(["diagnose"]).json(json!({"logs": path})).run();
        assert_eq!(severe(&answer.json), texts(&case["expected"]), "{name} ({}): {:#}", case["what"], answer.json);
        assert_eq!(answer.data()["healthy"], case["healthy"], "{name} ({}): {:#}", case["what"], answer.json);
        if case["links"].is_array() {
            assert_eq!(links(&answer.json), texts(&case["links"]), "{name} ({}): {:#}", case["what"], answer.json);
        }
        for key in ["fix", "evidence"] {
            let said = answer.json["findings"].as_array().unwrap().iter().map(|f| f[key].to_string());
            let said = said.collect::<Vec<_>>().join("\n");
            for words in case[key].as_array().into_iter().flatten() {
                assert!(said.contains(words.as_str().unwrap()), "{name}: {words} is not in\n{said}");
            }
        }
    });
}

/// A deployment made by hand: the files of the base and of the case in place of those of `init`.
fn made(parent: &Path, base: &Value, case: &Value) -> PathBuf {
    let dir = deployment(parent);
    for ours in ["docker-compose.yaml", "config/mcp-gateway.yaml", ".env"] {
        fs::remove_file(dir.join(ours)).unwrap();
    }
    fs::remove_dir_all(dir.join("hello-mcp")).unwrap();
    let mut files: BTreeMap<&String, &Value> = base.as_object().unwrap().iter().collect();
    files.extend(case["files"].as_object().unwrap());
    for (name, text) in files {
        let Some(text) = text.as_str() else { continue };
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("{TOKEN}", &token("field")).replace("{DOMAIN}", DOMAIN)).unwrap();
        chmod(&path, if name == ".env" { 0o600 } else { 0o644 });
    }
    let named = |key: &str| case[key].as_object().into_iter().flatten().map(|(name, to)| (name, to.as_str().unwrap()));
    for (from, to) in named("moved") {
        fs::create_dir_all(dir.join(to).parent().unwrap()).unwrap();
        fs::rename(dir.join(from), dir.join(to)).unwrap();
    }
    for (link, target) in named("links") {
        // One that leads elsewhere stands in place of the file.
        let _ = fs::remove_file(dir.join(link));
        std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
    }
    for (name, mode) in case["modes"].as_object().into_iter().flatten() {
        chmod(&dir.join(name), u32::from_str_radix(mode.as_str().unwrap(), 8).unwrap());
    }
    dir
}

#[test]
fn deployments_of_the_field_are_judged_as_what_they_are() {
    let all = field("deployments.json");
    let cases: Vec<(&String, &Value)> = all["cases"].as_object().unwrap().iter().collect();
    each(&cases, |(name, case)| {
        let parent = folder();
        let dir = made(parent.path(), &all["base"], case);
        let env = case["env"].as_object().into_iter().flatten();
        let call = env.fold(helper(["check"]), |call, (name, value)| {
            call.env(name, value.as_str().unwrap().replace("{TOKEN}", &token("field")))
        });
        let answer = call.dir(&dir).changes_nothing().run();
        let mut found = severe(&answer.json);
        found.retain(|id| id != "token-in-clear (warning)");
        found.sort();
        assert_eq!(found, texts(&case["expected"]), "{name} ({}): {:#}", case["what"], answer.json["findings"]);
        let fixes = answer.json["findings"].as_array().unwrap().iter().map(|f| f["fix"].as_str().unwrap());
        let fixes = fixes.collect::<Vec<_>>().join("\n");
        for words in case["fix"].as_array().into_iter().flatten() {
            assert!(fixes.contains(words.as_str().unwrap()), "{name}: {words} is not in\n{fixes}");
        }
    });
}

#[test]
fn a_log_that_is_near_a_rule_does_not_raise_it() {
    let near = field("near.json");
    let cases: Vec<(&String, &Value)> = near.as_object().unwrap().iter().collect();
    let folder = folder();
    each(&cases, |(rule, lines)| {
        let path = folder.path().join(format!("{rule}.log"));
        fs::write(&path, texts(lines).join("\n") + "\n").unwrap();
        let answer = helper(["diagnose"]).json(json!({"logs": path})).run();
        assert!(!answer.findings().contains(&rule.as_str()), "{rule}: {:#}", answer.json);
    });
}

/// The text of a function or a table of a file, from its name to its end: the closing line at its own depth.
fn body<'a>(file: &str, text: &'a str, name: &str) -> &'a str {
    let begin = ["fn ", "const "].iter().find_map(|kind| text.find(&format!("{kind}{name}")));
    let begin = begin.unwrap_or_else(|| panic!("{file} has no `{name}`"));
    let line = text[..begin].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[line..].chars().take_while(|c| *c == ' ').collect();
    let ends = [format!("\n{indent}}}"), format!("\n{indent}];")];
    let end = ends.iter().filter_map(|end| text[begin..].find(end.as_str())).min();
    &text[begin..end.map_or(text.len(), |end| begin + end)]
}

/// Whether a text names a rule, by its id or as the code does.
fn names(text: &str, rule: &str) -> bool {
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name: String = rule.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    text.split(|c: char| !is_id(c)).any(|word| word == rule)
        || text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
}

/// Every rule is raised by a log, a deployment or a test, and a near miss does not raise it: a wording and a rule of
/// `near.json` have their own lines, a deployment has the sound one that it is made from, a test names another one.
#[test]
fn every_rule_of_the_table_is_raised_and_has_a_near_miss() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &str| -> Value { serde_json::from_slice(&fs::read(root.join("tests").join(path)).unwrap()).unwrap() };
    let expected = |cases: &Value| -> BTreeSet<String> {
        let said = cases.as_object().unwrap().values().flat_map(|case| texts(&case["expected"]));
        said.map(|said| said.split(' ').next().unwrap().to_owned()).collect()
    };
    let worded: BTreeSet<String> = wordings::lines().map(|(rule, ..)| (*rule).to_owned()).collect();
    let deployments = read("field/deployments.json");
    assert_eq!(deployments["cases"]["base"]["expected"], json!([]), "what every deployment is made from is sound");
    let deployed = expected(&deployments["cases"]);
    let mut raised: BTreeSet<String> = &worded | &deployed;
    let mut spared = raised.clone();
    raised.extend(
        ["logs/labels.json", "cases/cases.json", "field/logs.json"].iter().flat_map(|path| expected(&read(path))),
    );
    for rule in read("field/near.json").as_object().unwrap().keys() {
        assert!(raised.contains(rule), "`{rule}` has a near miss and no log that raises it");
        spared.insert(rule.clone());
    }
    for Elsewhere { raised: (file, test), spared: near, rules } in ELSEWHERE {
        let text = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let whole = text(file);
        let own = body(file, &whole, test);
        let (near_file, near) = near.split_once("::").unwrap_or((file, if near.is_empty() { test } else { near }));
        body(near_file, &text(near_file), near);
        for rule in *rules {
            // A table of the file's cases, or what the test calls, may name it.
            let is_named = names(own, rule) || names(&without_tests(&whole), rule);
            assert!(is_named, "`{test}` of {file} does not raise `{rule}`");
            assert!(raised.insert((*rule).to_owned()), "`{rule}` has a fixture, and is in ELSEWHERE as well");
            spared.insert((*rule).to_owned());
        }
    }
    let missing = |known: &BTreeSet<String>| rule_ids().difference(known).cloned().collect::<Vec<_>>();
    assert_eq!(missing(&raised), Vec::<String>::new(), "rules without a test that raises them");
    assert_eq!(missing(&spared), Vec::<String>::new(), "rules without a near miss");
}

/// A file without its test functions: tables and what tests call.
fn without_tests(text: &str) -> String {
    let mut rest = String::new();
    for (at, part) in text.split("#[test]").enumerate() {
        let end = if at == 0 { 0 } else { part.find("\n}\n").map_or(part.len(), |end| end + 3) };
        rest.push_str(&part[end..]);
    }
    rest
}
