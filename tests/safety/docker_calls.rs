//! How docker is called: which program, with which words, in which environment.

use std::path::Path;

use serde_json::{Value, json};

use super::docker_faults::{HEALTHY, Rig};
use crate::support::{helper, script, token};

/// Every call of docker: its arguments, folder and environment.
pub(super) fn calls(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.split("--- ")
        .skip(1)
        .map(|call| {
            let mut lines = call.lines();
            let (args, folder) = (lines.next().unwrap(), lines.next().unwrap());
            let env: serde_json::Map<String, Value> =
                lines.filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), json!(v))).collect();
            json!({"args": args, "folder": folder, "env": env})
        })
        .collect()
}

#[test]
fn docker_is_called_with_fixed_words_in_a_clean_environment() {
    let rig = Rig::new();
    let log = rig.parent.path().join("log");
    // In one write, because two are asked at once.
    let note = format!("text=$(echo \"--- $*\"; pwd; /usr/bin/env)\nprintf '%s\\n' \"$text\" >>{}\n", log.display());
    let rig = rig.docker(&format!("{note}{HEALTHY}\"compose \"*) ;;\nesac\n"));
    let stale = token("stale");
    let dropped = [
        ("TUNNEL_TOKEN", stale.as_str()),
        ("TUNNEL_DOMAIN", "wrong.example.org"),
        ("MCP_TUNNEL_CONFIG_SHA256", "wrong"),
        ("MCP_TUNNEL_TOKEN_FINGERPRINT", "wrong"),
        ("COMPOSE_FILE", "/wrong.yaml"),
        ("COMPOSE_PATH_SEPARATOR", ";"),
        ("COMPOSE_ENV_FILES", "/wrong.env"),
        ("COMPOSE_PROJECT_NAME", "wrong"),
        ("COMPOSE_PROFILES", "wrong"),
        ("COMPOSE_DISABLE_ENV_FILE", "1"),
        ("COMPOSE_REMOVE_ORPHANS", "1"),
        ("COMPOSE_IGNORE_ORPHANS", "1"),
        ("COMPOSE_PARALLEL_LIMIT", "1"),
        ("ANTHROPIC_API_KEY", "wrong"),
        ("ODD", "x"),
        ("LD_PRELOAD", ""),
    ];
    let kept = [
        ("DOCKER_HOST", "unix:///run/user/1000/docker.sock"),
        ("DOCKER_CONFIG", "/home/x/.docker"),
        ("HTTPS_PROXY", "http://proxy:3128"),
        ("no_proxy", "localhost"),
    ];
    let mut words = Vec::new();
    for command in ["up", "status", "restart", "down"] {
        let call = rig.call(command).secret(&stale).cwd("/");
        let call = dropped.iter().chain(&kept).fold(call, |call, (name, value)| call.env(name, value));
        let call = if command == "down" { call } else { call.json(json!({"wait_seconds": 0})) };
        call.run();
        let all = calls(&log);
        std::fs::remove_file(&log).unwrap();
        for call in &all {
            assert_eq!(call["folder"], rig.dir.to_str().unwrap(), "{}", call["args"]);
            let env = &call["env"];
            for (name, _) in dropped {
                assert_eq!(env[name], Value::Null, "{name} reaches docker");
            }
            for (name, value) in kept {
                assert_eq!(env[name], value, "{name} does not reach docker");
            }
            let path = env["PATH"].as_str().unwrap();
            assert!(path.split(':').all(|entry| entry.starts_with('/')), "{path}");
            assert_eq!(env["LC_ALL"], "C");
        }
        let args = all.iter().map(|call| call["args"].as_str().unwrap().to_owned());
        words.push((command, args.filter(|args| args.starts_with("compose ")).collect::<Vec<_>>()));
    }
    let version = "compose version --short";
    // Only what starts something asks Compose what it makes of the files.
    let model = "compose --profile * config --format json";
    assert_eq!(
        words,
        [
            ("up", vec![model.to_owned(), version.to_owned(), "compose up --detach".into()]),
            ("status", vec![version.to_owned()]),
            ("restart", vec![model.to_owned(), version.to_owned(), "compose up --detach".into()]),
            ("down", vec![version.to_owned(), "compose down --remove-orphans".into()]),
        ]
    );
}

/// Files of a person's own take from the shell what they name, and nothing else.
#[test]
fn a_file_of_the_persons_own_gets_the_variables_that_it_names() {
    let rig = Rig::new();
    let main = rig.dir.join("docker-compose.yaml");
    let text = std::fs::read_to_string(&main).unwrap();
    // Without the stamp of the first line, and with a service that takes its settings from the shell.
    let (_, text) = text.split_once('\n').unwrap();
    std::fs::write(&main, text).unwrap();
    let over =
        "services: {own: {image: 'x:${TAG:-1}', environment: [BARE, SET=1, COMPOSE_FILE], build: {args: {ARG: }}}}\n";
    std::fs::write(rig.dir.join("docker-compose.override.yaml"), over).unwrap();
    let log = rig.parent.path().join("log");
    let note = format!("text=$(echo \"--- $*\"; pwd; /usr/bin/env)\nprintf '%s\\n' \"$text\" >>{}\n", log.display());
    let rig = rig.docker(&format!("{note}{HEALTHY}\"compose \"*) ;;\nesac\n"));
    let stale = token("stale");
    let shell = [("TAG", "2"), ("BARE", "b"), ("ARG", "a"), ("SET", "s"), ("OTHER", "o"), ("COMPOSE_FILE", "/wrong")];
    let call = rig.call("status").secret(&stale).env("TUNNEL_TOKEN", &stale);
    let answer = shell.iter().fold(call, |call, (name, value)| call.env(name, value)).run();
    for call in calls(&log) {
        let env = &call["env"];
        for (name, value) in [("TAG", json!("2")), ("BARE", json!("b")), ("ARG", json!("a"))] {
            assert_eq!(env[name], value, "{name}");
        }
        // What `.env` sets is taken from there; a variable of Compose itself never comes from the shell.
        for name in ["SET", "OTHER", "COMPOSE_FILE", "TUNNEL_TOKEN"] {
            assert_eq!(env[name], Value::Null, "{name}");
        }
    }
    let finding = answer.finding("variable-of-shell");
    assert_eq!(finding["severity"], "warning");
    let evidence = finding["evidence"].to_string();
    for name in ["TAG", "BARE", "ARG"] {
        assert!(evidence.contains(name), "{evidence}");
    }
}

/// A relative or empty entry of PATH would run programs of the folder that the helper was called in.
#[test]
fn programs_of_the_current_folder_are_not_run() {
    let rig = Rig::new().docker(&format!("{HEALTHY}\"compose \"*) ;;\nesac\n"));
    let trap = rig.parent.path().join("trap");
    std::fs::create_dir(&trap).unwrap();
    let sprung = rig.parent.path().join("sprung");
    for program in ["docker", "git", "openssl"] {
        script(&trap, program, &format!("#!/bin/sh\n: >{}\n", sprung.display()));
    }
    for path in [format!(".:{}", rig.bin.display()), format!(":{}:", rig.bin.display()), "../trap:.".to_owned()] {
        for word in ["status", "check", "preflight"] {
            let call = helper([word]).dir(&rig.dir).cwd(&trap).env("PATH", &path);
            let call = if word == "preflight" { call.json(json!({"offline": true})) } else { call };
            call.run();
            assert!(!sprung.exists(), "{word} with PATH={path}");
        }
    }
}
