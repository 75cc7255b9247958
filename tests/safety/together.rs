//! Many helpers at once on one directory, and locks that are held, left, or not to be had.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{DOMAIN, deployment, folder, helper, plain, skip, snapshot, token, which};

/// Starts all of these at the same time, and gives back what each answered.
fn at_once(home: &Path, dir: &Path, calls: &[(&str, Value)]) -> Vec<Value> {
    let start = |(words, request): &(&str, Value)| {
        let mut command = plain(home);
        command.env("PATH", "/nonexistent").args(words.split(' ')).arg("--dir").arg(dir).stdin(Stdio::piped());
        if *words != "token set" {
            command.arg("--json").arg(request.to_string());
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        if *words == "token set" {
            stdin.write_all(request.as_str().unwrap().as_bytes()).unwrap();
        }
        child
    };
    let children: Vec<_> = calls.iter().map(start).collect();
    let answers = children.into_iter().map(|child| {
        let out = child.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
        assert_ne!(answer["error"]["code"], "internal", "{answer}");
        // Who has waited for ten seconds is told for whom.
        if answer["status"] == "error" {
            assert_eq!(answer["error"]["code"], "busy", "{answer}");
        }
        answer
    });
    answers.collect()
}

/// Whole, and settled: a plain run has nothing to do.
fn is_coherent(dir: &Path) {
    for (path, _, content) in snapshot(dir) {
        assert!(!path.to_string_lossy().ends_with(".tmp"), "{} is left over", path.display());
        assert!(path.is_dir() || !content.is_empty(), "{} is empty", path.display());
    }
    helper(["certs", "check"]).dir(dir).run().expect(0);
    for words in ["init", "render"] {
        let request = if words == "init" { json!({"domain": DOMAIN}) } else { json!({}) };
        helper([words]).dir(dir).json(request).changes_nothing().run().expect(0);
    }
}

#[test]
fn fifty_first_runs_make_one_deployment() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let calls = vec![("init", json!({"domain": DOMAIN, "sample": true})); 50];
    let answers = at_once(parent.path(), &dir, &calls);
    let authorities: BTreeSet<String> = answers
        .iter()
        .filter(|a| a["status"] == "ok")
        .map(|a| a["data"]["ca"]["fingerprint_sha256"].to_string())
        .collect();
    assert_eq!(authorities.len(), 1, "{authorities:?}");
    assert!(!authorities.contains("null"));
    let files = answers.iter().flat_map(|a| a["data"]["files"].as_array().into_iter().flatten());
    let is_key = |file: &&Value| file["path"].as_str().unwrap().ends_with("data/ca.key") && file["action"] == "created";
    assert_eq!(files.filter(is_key).count(), 1);
    is_coherent(&dir);
}

#[test]
fn fifty_commands_leave_one_coherent_state() {
    let parent = folder();
    let dir = deployment(parent.path());
    let ca = std::fs::read(dir.join("data/ca.key")).unwrap();
    let (one, other) = (token("healthy"), token("another"));
    let kinds = [
        ("init", json!({"domain": DOMAIN, "sample": true})),
        ("certs renew", json!({"force": true})),
        ("token set", json!(one)),
        ("render", json!({"routes": {"wiki": "http://wiki:8000"}, "profile": "hardened"})),
        ("up", json!({"wait_seconds": 1})),
        ("render", json!({"routes": {"wiki": null}, "profile": "default"})),
        ("token set", json!(other)),
        ("certs issue", json!({})),
        ("down", json!({})),
        ("check", json!({})),
    ];
    let calls: Vec<_> = kinds.iter().cycle().take(50).cloned().collect();
    at_once(parent.path(), &dir, &calls);
    assert_eq!(std::fs::read(dir.join("data/ca.key")).unwrap(), ca, "the CA was replaced");
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    let set: Vec<&str> = env.lines().filter_map(|line| line.strip_prefix("TUNNEL_TOKEN=")).collect();
    assert!(set == [one.as_str()] || set == [other.as_str()], "{} tokens", set.len());
    is_coherent(&dir);
}

/// The helper's answer where flock(2) fails in this way.
fn without_locks(error: &str, home: &Path, dir: &Path, words: &[&str]) -> Value {
    let env = plain(home);
    let mut command = Command::new(which("strace").unwrap());
    command.env_clear().envs(env.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", &format!("inject=flock:error={error}")]);
    command.arg(env.get_program()).args(words).arg("--dir").arg(dir).stdin(Stdio::null());
    let out = command.output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"))
}

#[test]
fn a_file_system_without_locks_is_said_so() {
    if which("strace").is_none() {
        return skip("a_file_system_without_locks_is_said_so", "strace is not installed");
    }
    let parent = folder();
    let dir = deployment(parent.path());
    for error in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let answer = without_locks(error, parent.path(), &dir, &["certs", "renew", "--force"]);
        assert_eq!(answer["status"], "ok", "{error}: {answer}");
        let skipped = answer["skipped"].as_array().unwrap();
        assert!(skipped.iter().any(|skipped| skipped["id"] == "lock"), "{error}: {answer}");
    }
    let answer = without_locks("EIO", parent.path(), &dir, &["certs", "renew", "--force"]);
    assert_eq!(answer["error"]["code"], "io", "{answer}");
    // What only looks takes no lock.
    let answer = without_locks("ENOLCK", parent.path(), &dir, &["certs", "check"]);
    assert_eq!(answer["skipped"], json!([]), "{answer}");
}
