//! How the helper is called, and what it says of a call that it does not understand.

use std::path::Path;

use serde_json::{Value, json};

use super::envelope::commands;
use crate::support::{Answer, DOMAIN, deployment, folder, helper, plain};

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
    let script = r#"printf '{"path":"other"}' | "$0" "$@""#;
    let piped = helper(["connect", "--json", "@/dev/stdin"]).dir(&dir).under(&["sh", "-c", script]).run();
    assert_eq!(urls(piped), expected);
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
