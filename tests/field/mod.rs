//! Logs and deployments as people have them, and a test for every rule of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::diagnose::{each, wordings};
use crate::support::{DOMAIN, chmod, deployment, folder, helper, rule_ids, token};

/// Rules that a state of the host, the engine, a certificate or a conversation raises, by the file with the test that
/// does. What is not raised there comes with a near miss in the same file: the sound state that it is made from.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("tests/engine/call.rs", &["call-not-received", "call-not-answered"]),
    ("tests/commands/namespace.rs", &["listen-loopback", "namespace-shared", "proxy-name-shared"]),
    ("tests/engine/heal.rs", &["namespace-not-applied"]),
    (
        "tests/export/replica.rs",
        &[
            "replica-left-out",
            "replica-has-token",
            "replica-file-gone",
            "replica-update-older",
            "replica-cannot-sign",
            "replica-upstream-apart",
        ],
    ),
    (
        "tests/export/helm.rs",
        &[
            "edit-not-replaced",
            "export-holds-token",
            "export-setting-left-out",
            "export-route-not-portable",
            "export-route-needs-service",
        ],
    ),
    ("helper/commands/stack.rs", &["not-live"]),
    ("helper/diagnose/states.rs", &["compose-orphans"]),
    ("helper/preflight/host/checks.rs", &["directory-without-modes"]),
    ("helper/probe/tests.rs", &["upstream-not-mcp", "upstream-tls-failed"]),
    ("tests/certs/authority_cases.rs", &["ca-missing", "ca-unusable", "ca-key-unusable", "ca-key-mismatch"]),
    ("tests/certs/check.rs", &["ca-key-missing"]),
    ("tests/certs/good_cases.rs", &["certs-not-verifiable"]),
    ("tests/certs/issue.rs", &["ca-extra-text", "ca-key-needed", "ca-ends-first"]),
    ("tests/certs/renewal.rs", &["proxy-pair-unknown"]),
    ("tests/certs/rollover.rs", &["certs-rotation-open"]),
    ("tests/certs/server_cases.rs", &["tls-handshake"]),
    (
        "tests/commands/check.rs",
        &["compose-file-shadowed", "token-shadowed", "image-unpinned", "depends-on-plain", "ports-published"],
    ),
    ("tests/commands/init.rs", &["domain-unusual", "edit-kept"]),
    (
        "tests/commands/probe.rs",
        &[
            "upstream-firewalled",
            "upstream-wrong-port",
            "upstream-wrong-scheme",
            "upstream-web-page",
            "upstream-path-other",
        ],
    ),
    ("tests/commands/render.rs", &["edit-blocks-change"]),
    ("tests/commands/sample.rs", &["sample-of-mcp-1"]),
    ("tests/commands/takeover.rs", &["foreign-replaced"]),
    ("tests/commands/token.rs", &["env-encoding"]),
    (
        "tests/contract/advice.rs",
        &[
            "stack-stopped",
            "image-absent",
            "git-tracked",
            "git-not-ignored",
            "directory-open",
            "env-readable",
            "env-writable",
            "key-readable",
            "key-writable",
            "config-not-applied",
            "token-not-applied",
            "proxy-cert-order",
            "ca-unfit",
            "ca-name-constraints",
            "ca-expired",
            "server-unfit",
            "token-placeholder",
            "ca-expires-soon",
            "tls-key-id",
            "tls-expires-soon",
            "route-not-configured",
        ],
    ),
    ("tests/contract/place.rs", &["data-shared"]),
    ("tests/engine/diagnose.rs", &["token-in-clear", "proxy-reaches-nothing", "upstream-down"]),
    ("tests/engine/start.rs", &["project-conflict"]),
    ("tests/plugin/conversation.rs", &["foreign-deployment"]),
    (
        "tests/preflight/host.rs",
        &[
            "podman-engine",
            "engine-remote",
            "disk-low",
            "git-missing",
            "openssl-missing",
            "directory-not-writable",
            "directory-synced",
            "selinux-labels",
            "user-namespace",
            "shell-variables",
            "proxy-not-used",
        ],
    ),
    (
        "tests/preflight/network.rs",
        &[
            "network-overlap",
            "clock-wrong",
            "network-down",
            "captive-portal",
            "tls-inspected",
            "registry-blocked",
            "api-unreachable",
            "edge-region-unreachable",
            "edge-no-ipv6",
        ],
    ),
    ("tests/safety/bad_input.rs", &["env-unreadable"]),
    ("tests/safety/broken_file.rs", &["compose-file-unreadable"]),
    ("tests/safety/canaries.rs", &["compose-name-invalid"]),
    ("tests/safety/docker_faults.rs", &["compose-too-old", "compose-old", "docker-host-nowhere", "compose-failed"]),
];

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
    });
}

/// Every rule is raised by a log, a deployment or a test, and a near miss does not raise it: a wording has its own, a log
/// and a deployment of a fixture have the healthy ones beside them.
#[test]
fn every_rule_of_the_table_has_a_test_that_raises_it() {
    let mut raised: BTreeSet<String> = wordings::LINES.iter().map(|(rule, ..)| (*rule).to_owned()).collect();
    let mut take = |cases: &Value| {
        for case in cases.as_object().unwrap().values() {
            raised.extend(texts(&case["expected"]).iter().map(|said| said.split(' ').next().unwrap().to_owned()));
        }
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |path: &str| -> Value { serde_json::from_slice(&fs::read(tests.join(path)).unwrap()).unwrap() };
    take(&read("logs/labels.json"));
    take(&read("cases/cases.json"));
    take(&read("field/logs.json"));
    take(&read("field/deployments.json")["cases"]);
    for (file, rules) in ELSEWHERE {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        let words: BTreeSet<&str> =
            text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')).collect();
        let names: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        for rule in *rules {
            let name: String = rule.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
            assert!(words.contains(rule) || names.contains(name.as_str()), "{file} does not raise `{rule}`");
            assert!(raised.insert((*rule).to_owned()), "`{rule}` has a fixture, and is in ELSEWHERE as well");
        }
    }
    let missing: Vec<&String> = rule_ids().iter().filter(|rule| !raised.contains(*rule)).collect();
    assert!(missing.is_empty(), "rules without a test that raises them: {missing:?}");
}
