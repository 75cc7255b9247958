//! `token check`: the state of the token, of the shell, of the mode and of git.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::token::fingerprint;
use crate::support::{DOMAIN, chmod, deployment, folder, helper, skip, token, which};

pub(super) fn check(dir: &Path) -> Value {
    let answer = helper(["token", "check"]).dir(dir).changes_nothing().run();
    assert_eq!(answer.code, i32::from(answer.data()["state"] != "set"), "{:#}", answer.json);
    answer.json
}

#[test]
fn check_tells_set_placeholder_missing_and_malformed_apart() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    std::fs::create_dir(&dir).unwrap();
    let good = token("x");
    for (text, state) in [
        (format!("TUNNEL_TOKEN={good}\n"), "set"),
        (format!("export TUNNEL_TOKEN=\"{good}\" # why\r\n"), "set"),
        (format!("TUNNEL_TOKEN=old\nTUNNEL_TOKEN={good}"), "set"),
        ("TUNNEL_TOKEN=PASTE_TUNNEL_TOKEN_HERE\n".into(), "placeholder"),
        ("TUNNEL_TOKEN=\n".into(), "missing"),
        ("TUNNEL_TOKEN=\"\"\n".into(), "missing"),
        ("# nothing\n".into(), "missing"),
        (format!("#TUNNEL_TOKEN={good}\n"), "missing"),
        (String::new(), "missing"),
        (format!("TUNNEL_TOKEN={DOMAIN}\n"), "malformed"),
        (format!("TUNNEL_TOKEN={}\n", &good[..60]), "malformed"),
        (format!("TUNNEL_TOKEN={good}\nTUNNEL_TOKEN=old\n"), "malformed"),
    ] {
        std::fs::write(dir.join(".env"), &text).unwrap();
        chmod(&dir.join(".env"), 0o600);
        let answer = check(&dir);
        assert_eq!(answer["data"]["state"], state, "{text}");
        assert_eq!(answer["data"]["mode"], "0600");
        let git =
            if which("git").is_some() { json!("no-repository") } else { json!({"unknown": "git is not installed"}) };
        assert_eq!(answer["data"]["git"], git);
        let fingerprint = if state == "set" { json!(fingerprint(&good)) } else { Value::Null };
        assert_eq!(answer["data"]["fingerprint"], fingerprint, "{text}");
        let ids: Vec<_> = answer["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect();
        assert_eq!(ids, if state == "set" { vec![] } else { vec![format!("token-{state}")] }, "{text}");
        let set =
            answer["next"].as_array().unwrap().iter().any(|n| n["command"].as_str().unwrap().contains(" token set "));
        assert_eq!(set, state != "set");
    }
    std::fs::remove_file(dir.join(".env")).unwrap();
    let answer = check(&dir);
    assert_eq!((&answer["data"]["state"], &answer["data"]["mode"]), (&json!("missing"), &Value::Null));
    let refused = helper(["token", "check"]).dir(parent.path().join("no")).run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
}

#[test]
fn a_stale_token_in_the_shell_is_told_without_showing_either() {
    let parent = folder();
    let dir = deployment(parent.path());
    let (stored, stale) = (token("healthy"), token("stale"));
    let call =
        |value: &str| helper(["token", "check"]).dir(&dir).env("TUNNEL_TOKEN", value).secret(value).secret(&stored);
    let answer = call(&stale).changes_nothing().run().expect(0);
    assert_eq!(answer.data()["shadowed"], true);
    assert_eq!(answer.findings(), ["token-shadowed"]);
    assert_eq!(answer.finding("token-shadowed")["severity"], "warning");
    let evidence = answer.finding("token-shadowed")["evidence"].to_string();
    assert!(evidence.contains(&fingerprint(&stale)) && evidence.contains(&fingerprint(&stored)), "{evidence}");
    let same = call(&stored).run().expect(0);
    assert_eq!((same.data()["shadowed"].clone(), same.findings()), (json!(false), vec![]));
    let unset = helper(["token", "check"]).dir(&dir).env("TUNNEL_TOKEN", "").run().expect(0);
    assert_eq!(unset.data()["shadowed"], false);
    // Also told where a new one is set, and where the whole is checked.
    let set = helper(["token", "set"]).dir(&dir).env("TUNNEL_TOKEN", stale.clone()).stdin(token("n")).secret(&stale);
    assert_eq!(set.run().expect(0).findings(), ["token-shadowed"]);
    let whole = helper(["check"]).dir(&dir).env("TUNNEL_TOKEN", "not even a token").secret("not even a token");
    assert_eq!(whole.run().expect(0).findings(), ["token-shadowed"]);
}

#[test]
fn the_mode_of_the_env_file_is_judged() {
    let parent = folder();
    let dir = deployment(parent.path());
    for (bits, findings, code) in [
        (0o600, &[][..], 0),
        (0o400, &[], 0),
        (0o640, &["env-readable"], 0),
        (0o604, &["env-readable"], 0),
        (0o644, &["env-readable"], 0),
        (0o620, &["env-writable"], 1),
        (0o602, &["env-writable"], 1),
        (0o666, &["env-writable"], 1),
    ] {
        chmod(&dir.join(".env"), bits);
        let answer = helper(["token", "check"]).dir(&dir).changes_nothing().run().expect(code);
        assert_eq!(answer.findings(), findings, "{bits:o}");
        assert_eq!(answer.data()["mode"], format!("{bits:04o}"));
    }
}

#[test]
fn git_itself_says_whether_it_would_commit_the_token() {
    let Some(git) = which("git") else {
        return skip("git_itself_says_whether_it_would_commit_the_token", "no git");
    };
    let parent = folder();
    let dir = deployment(parent.path());
    let run = |args: &[&str]| {
        let mut command = Command::new(&git);
        command.args(args).current_dir(parent.path()).env("HOME", parent.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        let out = command.output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let look = |state: &str, findings: &[&str], code: i32| {
        let answer = helper(["token", "check"]).dir(&dir).changes_nothing().run().expect(code);
        assert_eq!(answer.data()["git"], state);
        assert_eq!(answer.findings(), findings, "{state}");
    };
    look("no-repository", &[], 0);
    run(&["init", "-q"]);
    look("ignored", &[], 0);
    // A directory of git's that the caller names has no say.
    let answer = helper(["token", "check"]).dir(&dir).env("GIT_DIR", "/nonexistent").run().expect(0);
    assert_eq!(answer.data()["git"], "ignored");
    let ignore = std::fs::read(dir.join(".gitignore")).unwrap();
    std::fs::write(dir.join(".gitignore"), [ignore.as_slice(), b"!.env\n"].concat()).unwrap();
    look("not-ignored", &["git-not-ignored"], 0);
    std::fs::write(dir.join(".gitignore"), ignore).unwrap();
    run(&["add", "-f", "mcp-tunnel/.env"]);
    look("tracked", &["git-tracked"], 1);
    // Without git nothing is claimed.
    let empty = folder();
    let answer = helper(["token", "check"]).dir(&dir).path(&[empty.path()]).changes_nothing().run().expect(0);
    assert_eq!(answer.data()["git"], json!({"unknown": "git is not installed"}));
    assert_eq!(answer.json["skipped"], json!([{"id": "git-not-ignored", "reason": "git is not installed"}]));
}
