//! The envelope: one JSON object whatever happens, described by `schema`, and never a secret in it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, NOWHERE, deployment, folder, helper, plain, posix, skip, token, which};

/// Every command, as `schema` lists them.
fn commands() -> Vec<Vec<String>> {
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
fn what_is_no_command_is_a_usage_error_in_json() {
    for args in [
        &["nonsense"][..],
        &["token"],
        &["certs"],
        &["token", "nonsense"],
        &["init", "more"],
        &["init", "--nonsense"],
        &["init", "-x"],
        &["init", "--dir"],
        &["init", "--json", "{}", "--json", "{}"],
        &["--json", "{}"],
        &["init", "--pretty=x"],
        &["INIT"],
        &[""],
        &["\u{1b}[31m", "\n"],
    ] {
        let refused = helper(args.iter().copied()).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "usage", "{args:?}: {:#}", refused.json);
        let message = refused.message();
        assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message:?}");
    }
}

#[test]
fn a_usage_error_names_the_help_of_its_command_and_the_flag_for_a_word() {
    for (args, help, message) in [
        (&["init", "--domian", "x"][..], "init", "--domain"),
        (&["init", "--route", "wiki"], "init", "NAME=VALUE"),
        (&["certs"], "certs", "`renew`"),
        (&["certs", "renew", "--nonsense"], "certs renew", ""),
        (&["schema", "connect"], "schema", "`--command connect`"),
        (&["schema", "connect", "--output", "json"], "schema", "`--command connect`"),
        (&["schema", "certs", "check"], "schema", "`--command 'certs check'`"),
        (&["rules", "no-route"], "rules", "`--id token-placeholder`"),
    ] {
        let refused = helper(args.iter().copied()).run().expect(2);
        let hint = refused.json["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("`mcp-tunnels-helper {help} --help`")), "{args:?}: {hint}");
        assert!(refused.message().contains(message), "{args:?}: {}", refused.message());
    }
    let unknown = helper(["nonsense"]).run().expect(2);
    assert!(unknown.json["error"]["hint"].as_str().unwrap().contains("`mcp-tunnels-helper --help`"));
    let field = helper(["render"]).json(json!({"allowed_ip": []})).run().expect(2);
    assert!(field.json["error"]["hint"].as_str().unwrap().contains("did you mean `allowed_ips`?"), "{:#}", field.json);
}

#[test]
fn help_says_defaults_and_what_repeats_and_keeps_its_indent() {
    let home = folder();
    let help = |words: &[&str]| {
        let run = plain(home.path()).args(words).arg("--help").output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [&["init"][..], &["render"]] {
        let text = line(&help(words));
        for flag in ["`auto`", "`shared`", "`info`", "`30s`", "`default`"] {
            assert!(text.contains(&format!("; {flag} unless set.")), "{words:?} {flag}: {text}");
        }
        assert!(text.contains("an empty VALUE removes the route. Repeat it"), "{text}");
        assert_eq!(text.matches("the list replaces the earlier one. Repeat it").count(), 2, "{text}");
    }
    assert!(!help(&["probe"]).contains("removes the route"));
    for words in commands() {
        let text = help(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let answer = text.split_once("Answer, in `data`:\n").unwrap().1.split_once("\n\n").unwrap().0;
        let is_name = |line: &str| {
            let (name, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim(), " "));
            rest.starts_with(' ') && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '0'..='9'))
        };
        assert!(answer.lines().all(|line| line.starts_with("     ") || is_name(line)), "{words:?}: {text}");
    }
}

#[test]
fn an_unknown_field_is_named_with_the_known_ones() {
    let parent = folder();
    let dir = deployment(parent.path());
    for words in commands() {
        let request = json!({"rotes": {}});
        let refused = helper(words.clone()).dir(&dir).json(request).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{words:?}");
        assert!(refused.message().contains("unknown field `rotes`"), "{}", refused.message());
    }
    let refused = helper(["render"]).dir(&dir).json(json!({"rotes": {}})).run().expect(2);
    for field in ["routes", "sample", "allowed_ips", "upstream", "networks", "protocol", "log_level", "dry_run"] {
        assert!(refused.message().contains(&format!("`{field}`")), "{}", refused.message());
    }
    // Also below the top.
    for request in [
        json!({"upstream": {"tsl": {}}}),
        json!({"upstream": {"tls": {"cafile": "/data/x"}}}),
        json!({"images": {"poxy": "x"}}),
    ] {
        let refused = helper(["render"]).dir(&dir).json(request.clone()).changes_nothing().run().expect(2);
        assert!(refused.message().contains("unknown field"), "{request}: {}", refused.message());
    }
}

#[test]
fn wrong_types_are_refused() {
    let parent = folder();
    let dir = deployment(parent.path());
    for (words, request) in [
        (vec!["init"], json!({"domain": 7})),
        (vec!["init"], json!({"domain": ["a.b"]})),
        (vec!["init"], json!({"verbose": "yes"})),
        (vec!["render"], json!({"routes": ["a"]})),
        (vec!["render"], json!({"routes": "a"})),
        (vec!["render"], json!({"routes": {"a": 7}})),
        (vec!["render"], json!({"routes": {"a": {"url": "http://a:1"}}})),
        (vec!["render"], json!({"sample": "true"})),
        (vec!["render"], json!({"sample": 1})),
        (vec!["render"], json!({"allowed_ips": "10.0.0.0/8"})),
        (vec!["render"], json!({"allowed_ips": [10]})),
        (vec!["render"], json!({"networks": "x"})),
        (vec!["render"], json!({"protocol": "tcp"})),
        (vec!["render"], json!({"protocol": true})),
        (vec!["render"], json!({"log_level": "INFO"})),
        (vec!["render"], json!({"shutdown_timeout": 30})),
        (vec!["render"], json!({"profile": "tight"})),
        (vec!["render"], json!({"images": "x"})),
        (vec!["render"], json!({"dry_run": 1})),
        (vec!["render"], json!({"overwrite": "true"})),
        (vec!["connect"], json!({"path": 1})),
        (vec!["connect"], json!({"model": {}})),
        (vec!["rules"], json!({"id": 1})),
        (vec!["certs", "issue"], json!({"server_days": "90"})),
        (vec!["preflight"], json!({"offline": "yes"})),
        (vec!["preflight"], json!({"timeout_ms": "5"})),
        (vec!["preflight"], json!({"timeout_ms": 0})),
        (vec!["preflight"], json!({"timeout_ms": 60_001})),
        (vec!["status"], json!({"wait_seconds": -1})),
        (vec!["status"], json!({"wait_seconds": "1"})),
    ] {
        let refused = helper(words.clone()).dir(&dir).json(request.clone()).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{words:?} {request}");
    }
}

#[test]
fn help_and_version_are_plain_text() {
    let home = folder();
    let run = |args: &[&str]| plain(home.path()).args(args).output().unwrap();
    let version = run(&["--version"]);
    let json: Value = serde_json::from_slice(&run(&["--version", "--output", "json"]).stdout).unwrap();
    let target = json["data"]["target"].as_str().unwrap();
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
    assert!(json["data"]["images"]["proxy"].as_str().unwrap().contains("@sha256:"), "{json}");
    assert_eq!(
        (version.status.code(), String::from_utf8(version.stdout).unwrap(), version.stderr.len()),
        (Some(0), format!("mcp-tunnels-helper {} ({target})\n", env!("CARGO_PKG_VERSION")), 0)
    );
    for args in
        [&[][..], &["--help"], &["-h"], &["help"], &["init", "--help"], &["token", "set", "--help"], &["help", "certs"]]
    {
        let help = run(args);
        let text = String::from_utf8(help.stdout).unwrap();
        assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0), "{args:?}");
        assert!(text.contains("Usage: mcp-tunnels-helper") && text.contains("--json"), "{args:?}: {text}");
        assert!(!text.contains('\u{1b}') && text.ends_with('\n'), "{text:?}");
    }
    let all = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for words in commands() {
        assert!(all.contains(&format!("  {}", words[0])), "{words:?} is not in --help");
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
fn a_request_comes_as_text_from_a_file_or_from_standard_input() {
    let parent = folder();
    let dir = deployment(parent.path());
    let text = r#" {"path": "other"} "#;
    std::fs::write(parent.path().join("request.json"), format!("\u{feff}{text}\n")).unwrap();
    let urls = |answer: Answer| answer.data()["routes"][0]["url"].clone();
    let expected = format!("https://echo.{DOMAIN}/other");
    assert_eq!(urls(helper(["connect", "--json", text]).dir(&dir).run()), expected);
    assert_eq!(urls(helper(["connect", "--json", "-"]).dir(&dir).stdin(text).run()), expected);
    let relative = helper(["connect", "--json", "@request.json"]).cwd(parent.path()).dir(&dir).run();
    assert_eq!(urls(relative), expected);
    assert_eq!(urls(helper(["--json", text, "connect"]).dir(&dir).run()), expected, "before the command");
    for (source, code) in [("@/nonexistent", "io"), ("@", "io"), ("@/", "io"), ("", "request"), ("-x", "usage")] {
        let refused = helper(["connect", "--json", source]).dir(&dir).run().expect(2);
        assert_eq!(refused.json["error"]["code"], code, "{source}: {:#}", refused.json);
    }
    // Nothing on standard input is not a request.
    helper(["connect", "--json", "-"]).dir(&dir).run().expect(2);
}

#[test]
fn a_field_is_a_flag_too_and_not_both() {
    let parent = folder();
    let dir = deployment(parent.path());
    let by_json = helper(["render"]).json(json!({"routes": {"wiki": "http://wiki:8000"}, "dry_run": true})).dir(&dir);
    let by_flags = helper(["render", "--route", "wiki=http://wiki:8000", "--dry-run"]).dir(&dir);
    assert_eq!(by_json.changes_nothing().run().expect(0).data(), by_flags.changes_nothing().run().expect(0).data());
    let mixed = helper(["render", "--route", "wiki=http://wiki:8000"]).json(json!({"dry_run": true})).dir(&dir);
    assert!(mixed.changes_nothing().run().expect(0).data()["routes"]["wiki"].is_string());
    for (args, request, code) in [
        (&["render", "--dry-run"][..], json!({"dry_run": true}), "request"),
        (&["render", "--route", "a=http://a:1"], json!({"routes": {}}), "request"),
        (&["render", "--upstream-tls-ca-file", "/data/x"], json!({"upstream": null}), "request"),
        (&["render", "--route", "a=http://a:1", "--route", "a=http://a:2"], json!({}), "request"),
        (&["render", "--route", "a"], json!({}), "usage"),
        (&["render", "--protocol", "tcp"], json!({}), "usage"),
        (&["status", "--wait-seconds", "soon"], json!({}), "usage"),
    ] {
        let refused = helper(args.iter().copied()).json(request).dir(&dir).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], code, "{args:?}: {}", refused.message());
    }
    let removed =
        helper(["render", "--route", "echo=", "--sample=false", "--route", "b=http://b:1"]).dir(&dir).run().expect(0);
    assert!(removed.data()["routes"].get("echo").is_none());
}

#[test]
fn a_typo_gets_the_nearest_name_and_a_missing_verb_the_verbs() {
    for (args, nearest) in [
        (&["statsu"][..], "`status`"),
        (&["certs", "chek"], "`check`"),
        (&["render", "--rout", "a=b"], "`--route`"),
        (&["render", "--protocol", "htp2"], "`http2`"),
        (&["certs"], "`rotate-ca`"),
        (&["token"], "`set`"),
        (&["token", "frobnicate"], "`set`"),
    ] {
        let refused = helper(args.iter().copied()).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "usage");
        assert!(refused.message().contains(nearest), "{args:?}: {}", refused.message());
    }
}

#[test]
fn the_directory_comes_from_the_flag_the_environment_or_home() {
    let parent = folder();
    let dir = deployment(parent.path());
    let other = parent.path().join("other");
    let by_variable = helper(["token", "check"]).env("MCP_TUNNEL_DIR", &dir).run();
    assert_eq!(by_variable.data()["state"], "set");
    // The flag has the last word, and an empty variable is not set.
    for call in [
        helper(["token", "check"]).env("MCP_TUNNEL_DIR", &dir).dir(&other),
        helper(["token", "check"]).env("MCP_TUNNEL_DIR", ""),
    ] {
        assert_eq!(call.run().expect(2).json["error"]["code"], "directory");
    }
    // Where the default does not exist and this folder is a deployment, the error says so; otherwise it does not.
    let hint = |cwd: &Path| {
        let refused = helper(["token", "check"]).cwd(cwd).run().expect(2);
        refused.json["error"]["hint"].as_str().unwrap().contains("`--dir .`")
    };
    assert!(hint(&dir));
    assert!(!hint(parent.path()));
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
fn a_token_in_the_wrong_place_is_in_no_answer() {
    let parent = folder();
    let dir = deployment(parent.path());
    // What a person pastes: whole, or without its beginning.
    let whole = token("a-rather-long-secret-0123456789");
    let tail = &whole[9..];
    for secret in [whole.as_str(), tail] {
        let lines: Vec<Vec<String>> = [
            vec!["token", "set", secret],
            vec!["token", secret],
            vec![secret],
            vec!["init", secret],
            vec!["token", "set", "--token", secret],
            vec!["up", &format!("--token={secret}")],
            vec![&format!("--{secret}")],
            vec!["init", "--json", secret],
            vec!["init", "--json", &format!("\"{secret}\"")],
            vec!["init", "--json", &format!("@{secret}")],
            vec!["init", "--json", &json!({"domain": secret}).to_string()],
            vec!["init", "--json", &json!({"token": secret}).to_string()],
            vec!["init", "--json", &json!({secret: 1}).to_string()],
            vec!["render", "--json", &json!({"routes": {secret: "http://a:1"}}).to_string()],
            vec!["render", "--json", &json!({"routes": {"a": secret}}).to_string()],
            vec!["render", "--json", &json!({"routes": {"a": format!("http://{secret}:80")}}).to_string()],
            vec!["render", "--json", &json!({"log_level": secret}).to_string()],
            vec!["render", "--json", &json!({"networks": [format!("/{secret}")]}).to_string()],
            vec!["render", "--json", &json!({"allowed_ips": [secret]}).to_string()],
            vec!["render", "--json", &json!({"shutdown_timeout": secret}).to_string()],
            vec!["render", "--json", &json!({"images": {"proxy": secret}}).to_string()],
            vec!["connect", "--json", &json!({"path": format!("{secret}?")}).to_string()],
            vec!["connect", "--json", &json!({"model": format!("{secret} ")}).to_string()],
            vec!["rules", "--json", &json!({"id": secret}).to_string()],
        ]
        .into_iter()
        .map(|line| line.into_iter().map(str::to_owned).collect())
        .collect();
        for line in lines {
            let refused = helper(line.clone()).dir(&dir).secret(secret).changes_nothing().run();
            assert_eq!(refused.code, 2, "{line:?}: {:#}", refused.json);
        }
    }
    let sent = helper(["init", "--json", "-"]).dir(&dir).stdin(whole.clone()).secret(&whole);
    sent.changes_nothing().run().expect(2);
}

#[test]
fn a_token_or_key_in_a_file_that_is_quoted_is_in_no_answer() {
    let secret = token("somewhere-it-does-not-belong");
    let key =
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    for (file, text) in [
        ("config/mcp-gateway.yaml", format!("routes: [{secret}]\n")),
        ("config/mcp-gateway.yaml", format!("routes:\n  {secret}: \"{secret}\"\n")),
        ("config/mcp-gateway.yaml", format!("routes: {{a: \"http://a:1\"}}\nlog_level: {{{secret}: x}}\n")),
        ("config/mcp-gateway.yaml", format!("{secret}\n")),
        ("config/mcp-gateway.yaml", key.to_owned()),
        ("docker-compose.yaml", format!("services:\n\t{secret}\n")),
        ("docker-compose.yaml", format!("name: {secret}\nservices: {{}}\n")),
        (
            "docker-compose.yaml",
            format!("services: {{cloudflared: {{image: cloudflared, command: tunnel run --token {secret}}}}}\n"),
        ),
        (
            "docker-compose.override.yaml",
            format!("services: {{cloudflared: {{environment: [TUNNEL_TOKEN={secret}]}}}}\n"),
        ),
        (".env", format!("TUNNEL_DOMAIN={secret}\nTUNNEL_TOKEN=x\n")),
        (".env", format!("A B {secret}\nTUNNEL_DOMAIN={DOMAIN}\nC=\"{secret}\n")),
        ("data/ca.crt", format!("{key}{secret}")),
    ] {
        let parent = folder();
        let dir = deployment(parent.path());
        let mut open = File::create(dir.join(file)).unwrap();
        open.write_all(text.as_bytes()).unwrap();
        let secrets = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", &secret];
        for (words, request) in [
            (&["check"][..], json!({})),
            (&["init"], json!({})),
            (&["init"], json!({"domain": DOMAIN, "verbose": true})),
            (&["render"], json!({"log_level": "warn", "verbose": true})),
            (&["render"], json!({"overwrite": true, "dry_run": true, "verbose": true})),
            (&["connect"], json!({})),
            (&["token", "check"], json!({})),
            (&["certs", "issue"], json!({})),
        ] {
            let call = helper(words.iter().copied()).dir(&dir).json(request);
            secrets.iter().fold(call, |call, secret| call.secret(secret)).run();
        }
    }
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
