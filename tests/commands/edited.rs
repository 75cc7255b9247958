//! `render`: what a person wrote or edited is kept, and shown as a diff.

use serde_json::json;

use super::render::{COMPOSE, GATEWAY, backups, compose, read, render, routes};
use crate::support::{deployment, edit, folder, helper, without_routes};

#[test]
fn a_route_and_an_unknown_key_added_by_hand_survive() {
    let parent = folder();
    let dir = deployment(parent.path());
    edit(&dir.join(GATEWAY), "routes:\n", "future_key:\n  deep: [1, two]\nroutes:\n  mine: http://10.0.0.9:99\n");
    let text = read(&dir, GATEWAY).replace("tls:\n", "tls:\n  min_version: '1.3'\n");
    std::fs::write(dir.join(GATEWAY), text).unwrap();
    let edited = read(&dir, GATEWAY);
    // It stays as it is, and is told.
    let kept = render(&dir, json!({})).expect(0);
    assert_eq!(kept.findings(), ["edit-kept"]);
    assert_eq!(kept.data()["routes"], json!({"echo": "http://hello-mcp:9000", "mine": "http://10.0.0.9:99"}));
    assert_eq!(read(&dir, GATEWAY), edited);
    // A change that does not concern the file is made.
    render(&dir, json!({"profile": "hardened"})).expect(0);
    assert_eq!(read(&dir, GATEWAY), edited);
    assert_eq!(compose(&dir)["services"]["mcp-gateway"]["read_only"], true);
    // One that does is not, with a diff.
    let request = json!({"routes": {"new": "http://10.0.0.1:1"}});
    let blocked = helper(["render"]).dir(&dir).json(request.clone()).changes_nothing().run().expect(1);
    assert!(blocked.findings().contains(&"edit-blocks-change"), "{:?}", blocked.findings());
    let diff = blocked.data()["diffs"][0].clone();
    assert_eq!(diff["path"], dir.join(GATEWAY).to_str().unwrap());
    let diff = diff["diff"].as_str().unwrap();
    assert!(diff.starts_with(&format!("--- a/{GATEWAY}\n+++ b/{GATEWAY}\n@@ ")), "{diff}");
    assert!(diff.contains("\n+  mine: http://10.0.0.9:99\n+  new: http://10.0.0.1:1\n"), "{diff}");
    assert!(blocked.data()["files"].as_array().unwrap().iter().all(|file| file["action"] == "kept"));
    // With `overwrite` it is, and nothing is lost.
    let mut overwrite = request;
    overwrite["overwrite"] = json!(true);
    render(&dir, overwrite).expect(0);
    assert_eq!(
        routes(&dir),
        json!({"echo": "http://hello-mcp:9000", "mine": "http://10.0.0.9:99", "new": "http://10.0.0.1:1"})
    );
    let value: serde_yaml::Value = serde_yaml::from_str(&read(&dir, GATEWAY)).unwrap();
    assert_eq!(serde_json::to_value(&value["future_key"]).unwrap(), json!({"deep": [1, "two"]}));
    assert_eq!(value["tls"]["min_version"], serde_yaml::Value::from("1.3"));
    assert_eq!(backups(&dir.join("config")), [("mcp-gateway.yaml".to_owned(), edited)]);
    helper(["render"]).dir(&dir).changes_nothing().run().expect(0);
}

#[test]
fn an_edited_compose_file_is_kept_with_a_diff_unless_it_may_be_overwritten() {
    let parent = folder();
    let dir = deployment(parent.path());
    edit(&dir.join(COMPOSE), "max-size: 10m", "max-size: 99m");
    let edited = read(&dir, COMPOSE);
    let request = json!({"protocol": "http2"});
    let blocked = helper(["render"]).dir(&dir).json(request).changes_nothing().run().expect(1);
    assert_eq!(blocked.findings(), ["edit-blocks-change"]);
    assert!(blocked.data()["diffs"][0]["diff"].as_str().unwrap().contains("-        max-size: 99m\n"));
    let answer = render(&dir, json!({"protocol": "http2", "overwrite": true})).expect(0);
    let updated = answer.data()["files"].as_array().unwrap().iter().filter(|f| f["action"] == "updated").count();
    assert_eq!(updated, 1);
    assert!(read(&dir, COMPOSE).contains("- http2") && !read(&dir, COMPOSE).contains("99m"));
    assert_eq!(backups(&dir), [(COMPOSE.to_owned(), edited)]);
    // Files without an edit are replaced without a backup.
    render(&dir, json!({"protocol": null, "overwrite": true})).expect(0);
    assert_eq!(backups(&dir).len(), 1);
}

#[test]
fn line_endings_alone_are_no_edit() {
    let parent = folder();
    let dir = deployment(parent.path());
    let crlf = read(&dir, GATEWAY).replace('\n', "\r\n");
    std::fs::write(dir.join(GATEWAY), crlf).unwrap();
    render(&dir, json!({"routes": {"b": "http://10.0.0.1:1"}})).expect(0);
    assert_eq!(routes(&dir), json!({"b": "http://10.0.0.1:1", "echo": "http://hello-mcp:9000"}));
}

#[test]
fn a_dry_run_writes_nothing_and_shows_what_would_be_written() {
    let parent = folder();
    let dir = deployment(parent.path());
    let request =
        |dry: bool| json!({"routes": {"b": "http://10.0.0.1:1"}, "protocol": "quic", "dry_run": dry, "verbose": true});
    let dry = helper(["render"]).dir(&dir).json(request(true)).changes_nothing().run().expect(0);
    assert_eq!(dry.data()["dry_run"], true);
    let diffs = dry.data()["diffs"].as_array().unwrap();
    let before: Vec<_> = [GATEWAY, COMPOSE].map(|file| read(&dir, file)).into();
    let said: Vec<_> = dry.data()["files"].as_array().unwrap().iter().map(|f| f["action"].clone()).collect();
    let wet = render(&dir, request(false)).expect(0);
    let done: Vec<_> = wet.data()["files"].as_array().unwrap().iter().map(|f| f["action"].clone()).collect();
    assert_eq!(said, done);
    assert_eq!(diffs.len(), 2);
    for ((file, old), diff) in [GATEWAY, COMPOSE].iter().zip(before).zip(diffs) {
        let expected = similar::TextDiff::from_lines(&old, &read(&dir, file))
            .unified_diff()
            .header(&format!("a/{file}"), &format!("b/{file}"))
            .to_string();
        assert_eq!(diff["diff"], expected);
        assert_eq!(diff["path"], dir.join(file).to_str().unwrap());
    }
    // An empty directory too, and a long diff is cut unless all of it is asked for.
    let parent = folder();
    let dir = without_routes(parent.path());
    let long =
        helper(["render"]).dir(&dir).json(json!({"sample": true, "dry_run": true})).changes_nothing().run().expect(0);
    assert!(long.length < 4096, "{}", long.length);
    assert!(long.data()["diffs"].to_string().contains("more lines"), "{:#}", long.json);
    let all = json!({"sample": true, "dry_run": true, "verbose": true});
    let all = helper(["render"]).dir(&dir).json(all).changes_nothing().run().expect(0);
    assert!(!all.data()["diffs"].to_string().contains("more lines"));
}

#[test]
fn the_override_file_is_never_written() {
    let parent = folder();
    let dir = deployment(parent.path());
    let own = "# mine\nservices:\n  own: {image: \"own:1\"}\n";
    let file = dir.join("docker-compose.override.yaml");
    std::fs::write(&file, own).unwrap();
    for request in [
        json!({"routes": {"own": "http://own:1"}}),
        json!({"overwrite": true, "profile": "hardened"}),
        json!({"sample": false}),
    ] {
        render(&dir, request).expect(0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), own);
    }
    // And it counts.
    let answer = helper(["check"]).dir(&dir).run().expect(0);
    assert_eq!(answer.findings(), ["namespace-shared"], "the profile is hardened, the namespace is not");
}

#[test]
fn a_configuration_that_cannot_be_read_is_kept_and_named() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::write(dir.join(GATEWAY), "routes:\n\t- x\n").unwrap();
    let request = json!({"routes": {"b": "http://10.0.0.1:1"}});
    let refused = helper(["render"]).dir(&dir).json(request).changes_nothing().run().expect(1);
    assert!(refused.findings().contains(&"proxy-config-yaml"), "{:?}", refused.findings());
    render(&dir, json!({"sample": true, "overwrite": true})).expect(0);
    assert_eq!(backups(&dir.join("config")).len(), 1);
    assert_eq!(routes(&dir), json!({"echo": "http://hello-mcp:9000"}));
}
