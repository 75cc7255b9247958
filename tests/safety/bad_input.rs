//! Whatever comes in: a clear error or correct work, never a panic, a hang, or a file of the person's lost.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::odd_files::all_commands_beside;

#[path = "../../helper/properties/nasty.rs"]
mod nasty;

use self::nasty::nasty;
use crate::support::{
    Call, DOMAIN, chmod, deployment, folder, helper, is_root, plain, posix, skip, snapshot, token, which,
};

/// One call of every command that touches the directory and needs no engine.
pub(super) fn calls(dir: &Path) -> Vec<(&'static str, Call)> {
    let call = |words: &[&str], request: Value| helper(words.iter().copied()).dir(dir).json(request).bounded();
    vec![
        ("init, report", call(&["init"], json!({}))),
        ("check", call(&["check"], json!({}))),
        ("connect", call(&["connect"], json!({}))),
        ("token check", call(&["token", "check"], json!({}))),
        ("render", call(&["render"], json!({"log_level": "warn"}))),
        ("init", call(&["init"], json!({"domain": DOMAIN, "sample": true}))),
        ("certs issue", call(&["certs", "issue"], json!({}))),
        ("render, overwrite", call(&["render"], json!({"overwrite": true, "profile": "hardened"}))),
        ("token set", call(&["token", "set"], json!({})).stdin(token("new"))),
    ]
}

pub(super) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = snapshot(dir).into_iter().filter(|(path, ..)| path.symlink_metadata().unwrap().is_file());
    all.map(|(path, _, content)| (path, content)).collect()
}

#[test]
fn an_alias_bomb_does_not_explode() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        let of = format!("*a{}", i - 1);
        text.push_str(&format!("a{i}: &a{i} [{}]\n", [of.as_str(); 10].join(", ")));
    }
    for inside in ["docker-compose.yaml", "config/mcp-gateway.yaml"] {
        all_commands_beside(inside, &|at| std::fs::write(at, &text).unwrap(), false);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for inside in ["docker-compose.yaml", "config/mcp-gateway.yaml"] {
        all_commands_beside(inside, &|at| std::fs::write(at, &deep).unwrap(), false);
    }
}

#[test]
fn ten_megabytes_of_json_are_refused() {
    let parent = folder();
    let dir = deployment(parent.path());
    let huge = format!(r#"{{"domain":"{}"}}"#, "x".repeat(10 << 20));
    let file = parent.path().join("huge.json");
    std::fs::write(&file, &huge).unwrap();
    let from_stdin = helper(["init", "--json", "-"]).dir(&dir).stdin(huge).bounded().changes_nothing().run().expect(2);
    let from_file = helper(["init", "--json", &format!("@{}", file.display())]).dir(&dir).bounded().run().expect(2);
    for refused in [from_stdin, from_file] {
        assert_eq!(refused.json["error"]["code"], "request");
        assert!(refused.message().contains("1 MiB"), "{}", refused.message());
        assert!(refused.length < 4096);
    }
    let endless = helper(["init", "--json", "@/dev/zero"]).dir(&dir).bounded().run().expect(2);
    assert_eq!(endless.json["error"]["code"], "request");
    let pipe = parent.path().join("pipe");
    assert!(std::process::Command::new(posix("mkfifo")).arg(&pipe).status().unwrap().success());
    let silent = helper(["init", "--json", &format!("@{}", pipe.display())]).dir(&dir).bounded().run().expect(2);
    assert!(silent.message().contains("did not end within 5 s"), "{}", silent.message());
    // The longest that is read, and an error that would quote it.
    let name = "x".repeat(900_000);
    let refused =
        helper(["init", "--json", "-"]).dir(&dir).stdin(json!({name: 1}).to_string()).bounded().run().expect(2);
    assert!(refused.length < 8192, "{} bytes of answer", refused.length);
}

#[test]
fn what_is_no_json_object_is_refused() {
    let parent = folder();
    let dir = deployment(parent.path());
    let deep = |open: &str, close: &str| format!("{{\"routes\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
    let inputs: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"  ".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"[{}]".to_vec(),
        b"\"{}\"".to_vec(),
        b"{".to_vec(),
        b"{}{}".to_vec(),
        b"{} x".to_vec(),
        b"{'domain':'x'}".to_vec(),
        b"{domain:1}".to_vec(),
        b"{\"domain\":\"a.b\",}".to_vec(),
        b"{\"domain\":\"a.b\",\"domain\":\"a.b\"}".to_vec(),
        b"\0".to_vec(),
        b"{\"domain\":\"a\0.b\"}".to_vec(),
        b"{\"domain\":\"\xff\xfe\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"domain\":\"\\ud800\"}".to_vec(),
        b"{\"domain\":1e999}".to_vec(),
        b"{\"domain\":NaN}".to_vec(),
        deep("[", "]").into(),
        deep("{\"a\":", "}").into(),
        "[".repeat(200_000).into(),
    ];
    for input in inputs {
        let shown = String::from_utf8_lossy(&input[..input.len().min(60)]).into_owned();
        let refused =
            helper(["init", "--json", "-"]).dir(&dir).stdin(input).bounded().changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{shown}");
        assert!(refused.length < 4096, "{shown}");
    }
}

#[test]
fn arguments_that_are_no_utf8_are_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff{}");
    for args in [vec!["init".as_ref(), "--json".as_ref(), odd], vec![odd], vec!["token".as_ref(), odd]] {
        let refused = helper(args).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "usage");
    }
}

#[test]
fn a_directory_that_may_not_be_entered_or_written_is_an_error() {
    let wrapper: &[&str] = if !is_root() {
        &[]
    } else if which("setpriv").is_some() {
        &["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    } else {
        return skip("a_directory_that_may_not_be_entered_or_written_is_an_error", "no setpriv");
    };
    for (inside, mode) in [
        ("", 0o000),
        ("", 0o500),
        ("data", 0o000),
        ("data", 0o500),
        ("config", 0o000),
        ("config", 0o500),
        (".env", 0o000),
        ("data/ca.key", 0o000),
        ("docker-compose.yaml", 0o000),
        ("config/mcp-gateway.yaml", 0o000),
    ] {
        let parent = folder();
        let dir = deployment(parent.path());
        let before = files(&dir);
        let old = dir.join(inside).metadata().unwrap().permissions().mode() & 0o7777;
        for words in
            [&["init"][..], &["check"], &["render"], &["certs", "issue"], &["token", "check"], &["token", "set"]]
        {
            chmod(&dir.join(inside), mode);
            let request = match words[0] {
                "init" => json!({"domain": DOMAIN, "log_level": "warn"}),
                "render" => json!({"log_level": "debug"}),
                _ => json!({}),
            };
            let answer =
                helper(words.iter().copied()).dir(&dir).json(request).stdin(token("healthy")).under(wrapper).run();
            chmod(&dir.join(inside), old);
            if answer.code == 2 {
                let said = format!("{} {}", answer.message(), answer.json["error"]["hint"]);
                assert!(
                    said.contains("permission denied") && said.contains("mcp-tunnel"),
                    "{inside} {words:?}: {said}"
                );
            }
            let after = files(&dir);
            for path in before.keys() {
                assert!(after.contains_key(path), "{inside} {words:?}: {} is gone", path.display());
            }
            assert_eq!(after.len(), before.len(), "{inside} {words:?}: something was left behind");
        }
        if inside.is_empty() && mode == 0 {
            chmod(&dir, 0);
            let refused = helper(["check"]).dir(&dir).under(wrapper).run().expect(2);
            chmod(&dir, 0o700);
            assert_eq!(refused.json["error"]["code"], "io");
        }
    }
}

#[test]
fn a_file_that_cannot_be_quoted_breaks_no_line_of_the_answer() {
    let parent = folder();
    let dir = deployment(parent.path());
    let text = "routes: {\"\\u001b[31m\\n\": \"http://a\\r\\nb:1\", ok: 'http://10.0.0.1:1'}\n";
    std::fs::write(dir.join("config/mcp-gateway.yaml"), text).unwrap();
    let out = plain(parent.path()).args(["check", "--dir"]).arg(&dir).output().unwrap();
    assert!(!out.stdout.contains(&0x1b) && out.stdout.iter().filter(|b| **b == b'\n').count() == 1);
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    for finding in answer["findings"].as_array().unwrap() {
        for evidence in finding["evidence"].as_array().unwrap() {
            assert!(!evidence.as_str().unwrap().contains(char::is_control), "{evidence}");
        }
    }
}

/// Exit code and answer are checked on every run; more is said where it is said.
fn few() -> ProptestConfig {
    ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_domain_is_taken_or_refused(domain in nasty()) {
        let parent = folder();
        let dir = parent.path().join("d");
        let answer = helper(["init"]).dir(&dir).json(json!({"domain": domain})).run();
        if answer.code == 2 {
            prop_assert!(!dir.exists());
        } else {
            let said = answer.data()["domain"].as_str().unwrap().to_owned();
            prop_assert!(said.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.')), "{}", said);
            helper(["init"]).dir(&dir).json(json!({"domain": said})).changes_nothing().run().expect(0);
        }
    }

    #[test]
    fn any_domain_of_letters_and_dots_works_to_the_end(
        labels in prop::collection::vec("[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", 2..5),
    ) {
        let domain = labels.join(".");
        prop_assume!(!labels.iter().all(|label| label.bytes().all(|b| b.is_ascii_digit())));
        let parent = folder();
        let dir = parent.path().join("d");
        helper(["init"]).dir(&dir).json(json!({"domain": domain, "sample": true})).run().expect(0);
        let answer = helper(["connect"]).dir(&dir).run().expect(1);
        prop_assert_eq!(&answer.data()["routes"][0]["url"], &json!(format!("https://echo.{domain}/mcp")));
        helper(["init"]).dir(&dir).json(json!({"domain": domain})).changes_nothing().run().expect(0);
    }

    #[test]
    fn any_upstream_and_route_name_is_taken_or_refused(name in nasty(), upstream in nasty(), plain_name in "[a-z]{1,3}") {
        let parent = folder();
        let dir = parent.path().join("d");
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "routes": {"x": "http://10.0.0.1:1"}})).run().expect(0);
        for request in [
            json!({"routes": {name.clone(): "http://10.0.0.2:2"}}),
            json!({"routes": {plain_name: upstream}}),
            json!({"routes": {name: null}}),
        ] {
            let answer = helper(["render"]).dir(&dir).json(request).run();
            let text = std::fs::read_to_string(dir.join("config/mcp-gateway.yaml")).unwrap();
            let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
            if answer.code == 0 {
                prop_assert_eq!(&serde_json::to_value(&value["routes"]).unwrap(), &answer.data()["routes"]);
                helper(["render"]).dir(&dir).changes_nothing().run().expect(0);
            }
        }
    }

    #[test]
    fn any_token_is_taken_or_refused_and_never_shown(text in nasty(), cut in 0usize..150) {
        let parent = folder();
        let dir = parent.path().join("d");
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
        let good = token("a-secret-of-some-length");
        let cut = cut.min(good.len() - 1);
        for input in [text.clone(), format!("{}{text}{}", &good[..cut], &good[cut..]), good[..cut].to_owned()] {
            let answer = helper(["token", "set"]).dir(&dir).stdin(input.clone()).secret(&good).run();
            if answer.code == 0 {
                let look = helper(["token", "check"]).dir(&dir).run().expect(0);
                prop_assert_eq!(&look.data()["fingerprint"], &answer.data()["fingerprint"]);
            }
        }
    }

    #[test]
    fn any_env_file_keeps_every_other_line(lines in prop::collection::vec(nasty(), 0..5)) {
        let parent = folder();
        let dir = parent.path().join("d");
        std::fs::create_dir(&dir).unwrap();
        // Lines of the person's that say nothing of ours.
        let old = format!("TUNNEL_DOMAIN={DOMAIN}\n{}", lines.join("\n").replace("TUNNEL", "OTHER"));
        std::fs::write(dir.join(".env"), &old).unwrap();
        let secret = token("x");
        let set = helper(["token", "set"]).dir(&dir).stdin(secret.clone()).secret(&secret).run();
        if set.code != 0 {
            // Compose refuses the file for one of these lines, so nothing could be read back from it.
            prop_assert_eq!(&set.json["error"]["code"], "env-invalid");
            prop_assert_eq!(std::fs::read_to_string(dir.join(".env")).unwrap(), old.as_str());
            let look = helper(["token", "check"]).dir(&dir).changes_nothing().run();
            prop_assert!(look.findings().contains(&"compose-env-invalid"), "{:?}", old);
            return Ok(());
        }
        let new = std::fs::read_to_string(dir.join(".env")).unwrap();
        prop_assert!(new.starts_with(&old), "{:?} became {:?}", old, new);
        let look = helper(["token", "check"]).dir(&dir).run();
        prop_assert_eq!(&look.data()["fingerprint"], &set.data()["fingerprint"], "{:?}", new);
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
        prop_assert!(std::fs::read_to_string(dir.join(".env")).unwrap().starts_with(&old));
        helper(["check"]).dir(&dir).changes_nothing().run();
    }

    #[test]
    fn any_env_file_is_no_panic(bytes in prop::collection::vec(prop_oneof![
        4 => nasty().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ], 0..8)) {
        let parent = folder();
        let dir = parent.path().join("d");
        std::fs::create_dir(&dir).unwrap();
        let mut file = std::fs::File::create(dir.join(".env")).unwrap();
        file.write_all(&bytes.concat()).unwrap();
        drop(file);
        helper(["token", "check"]).dir(&dir).changes_nothing().run();
        helper(["check"]).dir(&dir).changes_nothing().run();
        helper(["init"]).dir(&dir).changes_nothing().run();
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run();
    }
}
