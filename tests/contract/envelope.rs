//! The envelope: one JSON object whatever happens, described by `schema`, and never a secret in it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, NOWHERE, deployment, folder, helper, plain, posix, skip, token, which};

/// Every command, as `schema` lists them.
pub(super) fn commands() -> Vec<Vec<String>> {
    let schema = helper(["schema"]).run().expect(0);
    let names = schema.data()["commands"].as_object().unwrap();
    names.keys().map(|name| name.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn these_are_the_commands_and_no_others() {
    let names: Vec<String> = commands().iter().map(|words| words.join(" ")).collect();
    assert_eq!(
        names,
        [
            "allow",
            "certs check",
            "certs issue",
            "certs renew",
            "certs rotate-ca",
            "check",
            "connect",
            "diagnose",
            "down",
            "export",
            "init",
            "logs",
            "preflight",
            "probe",
            "render",
            "restart",
            "rules",
            "schema",
            "status",
            "token check",
            "token set",
            "up",
        ]
    );
    // A command that does not exist is a usage error, with or without words behind it.
    for absent in [&["completions", "bash"][..], &["completions"], &["install"]] {
        let refused = helper(absent.iter().copied()).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "usage", "{absent:?}");
    }
}

#[test]
fn every_command_answers_one_object_with_no_arguments_and_with_an_empty_request() {
    let empty = folder();
    for words in commands() {
        let name = words.join(" ");
        for dir in [empty.path().join("missing"), empty.path().to_path_buf()] {
            let bare = helper(words.clone()).dir(&dir).changes_nothing().run();
            assert_eq!(bare.json["command"], name);
            let asked = helper(words.clone()).dir(&dir).json(json!({})).changes_nothing().run();
            assert_eq!(asked.code, bare.code, "{name}");
            assert!(!empty.path().join("missing").exists(), "{name}");
        }
        // The keys of the envelope, in the order in which they are read.
        let answer = helper(words.clone()).run();
        let keys: Vec<&str> = answer.json.as_object().unwrap().keys().map(String::as_str).collect();
        if answer.code == 2 {
            assert_eq!(keys, ["schema", "command", "status", "error"], "{name}");
        } else {
            let all = ["schema", "command", "status", "summary", "data", "findings", "skipped", "next"];
            assert_eq!(keys, all, "{name}");
        }
    }
}

#[test]
fn pretty_is_the_same_answer_indented() {
    let parent = folder();
    let dir = deployment(parent.path());
    let run = |args: &[&str]| {
        let out = plain(parent.path()).args(args).arg("--dir").arg(&dir).output().unwrap();
        assert!(out.stderr.is_empty());
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    for args in [&["connect"][..], &["rules"], &["init", "--nonsense"], &["render", "--json", "{\"x\":1}"]] {
        let (code, short) = run(args);
        let (same, long) = run(&[args, &["--pretty"]].concat());
        assert_eq!(code, same);
        let value: Value = serde_json::from_str(&short).unwrap();
        assert_eq!(short, format!("{value}\n"));
        assert_eq!(long, format!("{}\n", serde_json::to_string_pretty(&value).unwrap()));
    }
}

#[test]
fn the_schema_of_one_command() {
    let one = helper(["schema"]).json(json!({"command": "certs check"})).run().expect(0);
    assert_eq!(one.data()["commands"].as_object().unwrap().keys().collect::<Vec<_>>(), ["certs check"]);
    let refused = helper(["schema", "--command", "certs"]).run().expect(2);
    assert_eq!(refused.json["error"]["code"], "request");
}

/// An answer whose reader has gone, or cannot take it.
fn printed_to(args: &[&str], dir: &Path, out: Stdio) -> Output {
    let mut command = plain(dir);
    command.args(args).stdout(out).stderr(Stdio::piped()).output().unwrap()
}

#[test]
fn a_closed_pipe_is_no_panic_and_says_nothing() {
    let home = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = printed_to(&["schema"], home.path(), writer.into());
    assert_eq!((out.status.code(), String::from_utf8(out.stderr).unwrap()), (Some(2), String::new()));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = printed_to(&["--help"], home.path(), writer.into());
    assert_eq!((out.status.code(), String::from_utf8(out.stderr).unwrap()), (Some(2), String::new()));
}

#[test]
fn a_full_device_is_an_error_in_one_line() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return skip("a_full_device_is_an_error_in_one_line", "no /dev/full");
    };
    let home = folder();
    let out = printed_to(&["rules"], home.path(), full.into());
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(said.lines().count() == 1 && said.contains("standard output") && !said.contains("panic"), "{said}");
}

#[test]
fn both_outputs_closed_is_no_panic() {
    if which("sh").is_none() {
        return skip("both_outputs_closed_is_no_panic", "no sh");
    }
    let home = folder();
    let shell = format!("{} rules >&- 2>&- <&-", env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    let out = plain(home.path());
    drop(out);
    let status =
        std::process::Command::new(posix("sh")).args(["-c", &shell]).current_dir(home.path()).status().unwrap();
    assert!(matches!(status.code(), Some(0 | 2)), "{status:?}");
}

#[test]
fn no_command_waits_for_standard_input_unless_told_to() {
    let parent = folder();
    let dir = deployment(parent.path());
    for words in commands().into_iter().filter(|words| words.join(" ") != "token set") {
        // A pipe that stays open, as a terminal would.
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
        command.args(&words).arg("--dir");
        // Nothing but the files: no engine is asked.
        let empty = folder();
        command.arg(&dir).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", empty.path());
        command.env("DOCKER_HOST", "unix:///nonexistent.sock").stdin(reader);
        command.env("MCP_TUNNELS_TEST_DESTINATIONS", NOWHERE);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > limit {
                child.kill().unwrap();
                panic!("{words:?} waits");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(writer);
    }
}

struct Schemas(BTreeMap<String, (jsonschema::Validator, jsonschema::Validator)>, jsonschema::Validator);

impl Schemas {
    fn load() -> Self {
        let schema = helper(["schema"]).run().expect(0);
        let compile = |value: &Value| jsonschema::validator_for(value).unwrap();
        let commands = schema.data()["commands"].as_object().unwrap();
        let all =
            commands.iter().map(|(name, both)| (name.clone(), (compile(&both["request"]), compile(&both["answer"]))));
        Self(all.collect(), compile(&schema.data()["failure"]))
    }

    fn require(&self, answer: &Answer) {
        let name = answer.json["command"].as_str().unwrap();
        let validator = if answer.code == 2 { &self.1 } else { &self.0[name].1 };
        let faults: Vec<String> =
            validator.iter_errors(&answer.json).map(|e| format!("{}: {e}", e.instance_path)).collect();
        assert_eq!(faults, Vec::<String>::new(), "{:#}", answer.json);
    }
}

#[test]
fn every_answer_is_as_the_schema_says() {
    let schemas = Schemas::load();
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let run = |words: &[&str], request: Value| {
        let answer = helper(words.iter().copied()).dir(&dir).json(request).run();
        schemas.require(&answer);
        answer
    };
    run(&["init"], json!({}));
    run(&["init"], json!({"domain": "x"}));
    run(&["check"], json!({}));
    run(&["init"], json!({"domain": DOMAIN})).expect(0);
    run(&["check"], json!({})).expect(1);
    run(&["connect"], json!({})).expect(2);
    run(&["render"], json!({"sample": true, "dry_run": true})).expect(0);
    run(&["init"], json!({"domain": DOMAIN, "sample": true})).expect(0);
    run(&["init"], json!({"domain": "other.example.com"})).expect(2);
    run(&["token", "check"], json!({})).expect(1);
    let refused = helper(["token", "set"]).dir(&dir).stdin("nonsense").run().expect(1);
    schemas.require(&refused);
    let set = helper(["token", "set"]).dir(&dir).stdin(token("x")).run().expect(0);
    schemas.require(&set);
    run(&["token", "check"], json!({})).expect(0);
    run(&["certs", "issue"], json!({})).expect(0);
    run(&["render"], json!({"images": {"proxy": "a"}, "networks": ["n"], "routes": {"b": "http://10.0.0.1:1"}}))
        .expect(0);
    run(&["check"], json!({})).expect(0);
    run(&["connect"], json!({})).expect(0);
    std::fs::write(dir.join("docker-compose.yaml"), "services: {}\n").unwrap();
    run(&["render"], json!({"log_level": "warn"})).expect(1);
    run(&["check"], json!({})).expect(1);
    std::fs::remove_file(dir.join("data/tls.key")).unwrap();
    run(&["certs", "issue"], json!({})).expect(1);
    run(&["init"], json!({"domain": DOMAIN})).expect(1);
    run(&["rules"], json!({})).expect(0);
    run(&["rules"], json!({"id": "token-missing"})).expect(0);
    run(&["rules"], json!({"id": "no-such-rule"})).expect(2);
    run(&["schema"], json!({})).expect(0);
    run(&["preflight"], json!({"timeout_ms": 300}));
    run(&["preflight"], json!({"offline": true}));
    let empty = folder();
    for command in ["up", "status", "restart", "down"] {
        // No engine: neither is one asked nor another's container stopped.
        schemas.require(&helper([command]).dir(&dir).env("DOCKER_HOST", "unix:///nonexistent.sock").run());
        schemas.require(&helper([command]).dir(&dir).path(&[empty.path()]).run());
    }
    for args in [&["nonsense"][..], &["init", "--x"]] {
        schemas.require(&helper(args.iter().copied()).run());
    }
}

#[test]
fn the_schema_takes_the_requests_that_the_helper_takes() {
    let schemas = Schemas::load();
    for (name, request, good) in [
        ("init", json!({"domain": DOMAIN, "sample": true}), true),
        ("init", json!({"domain": DOMAIN, "overwrite": true}), false),
        (
            "render",
            json!({"routes": {"a": "http://a:1", "b": null}, "upstream": {"tls": {"include_system_cas": true}}}),
            true,
        ),
        ("render", json!({"allowed_ips": null, "networks": null, "protocol": null, "images": {"proxy": null}}), true),
        ("render", json!({"rotes": {}}), false),
        ("render", json!({"protocol": "tcp"}), false),
        ("certs issue", json!({"server_days": 30}), true),
        ("certs issue", json!({"server_days": "30"}), false),
        ("connect", json!({"path": "x", "model": "y"}), true),
        ("up", json!({"wait_seconds": 5}), true),
        ("preflight", json!({"offline": true, "timeout_ms": 100, "verbose": true}), true),
        ("preflight", json!({"timeout": 100}), false),
        ("check", json!({"x": 1}), false),
        ("token set", json!({}), true),
        ("token set", json!({"token": "x"}), false),
    ] {
        assert_eq!(schemas.0[name].0.is_valid(&request), good, "{name} {request}");
    }
}

#[test]
fn rules_are_one_table_and_one_row_of_it() {
    let all = helper(["rules"]).run().expect(0);
    let rows = all.data()["rules"].as_array().unwrap();
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    for row in rows {
        for key in ["title", "symptom", "cause", "fix"] {
            let text = row[key].as_str().unwrap();
            assert!((!text.is_empty() || key == "cause") && !text.contains("{helper}"), "{row}");
        }
        assert!(row["docs"].as_str().unwrap().starts_with("https://"), "{row}");
        assert!(matches!(row["severity"].as_str(), Some("error" | "warning" | "note")), "{row}");
    }
    let one = helper(["rules"]).json(json!({"id": "token-shadowed"})).run().expect(0);
    assert_eq!(one.data()["rules"].as_array().unwrap().len(), 1);
    assert_eq!(&one.data()["rules"][0], rows.iter().find(|row| row["id"] == "token-shadowed").unwrap());
    let none = helper(["rules"]).json(json!({"id": "token-shadow"})).run().expect(2);
    assert!(none.message().contains("token-shadow"), "{}", none.message());
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id occurs twice");
    assert!(ids.iter().all(|id| id.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))));
}

#[test]
fn an_ordinary_answer_is_short() {
    let parent = folder();
    let dir = deployment(parent.path());
    for words in commands() {
        let name = words.join(" ");
        if !["schema", "rules", "connect", "up", "restart", "down", "token set"].contains(&name.as_str()) {
            let answer = helper(words).dir(&dir).run();
            assert!(answer.length < 4096, "{name}: {} bytes", answer.length);
        }
    }
}
