//! Stacks that share an engine, a domain or a folder name.

use serde_json::json;

use crate::support::engine::{Stack, engine, ready, services};
use crate::support::{folder, helper};

#[test]
fn engine_folders_of_one_name_are_two_stacks() {
    let Some(engine) = engine("two folders of one name") else { return };
    // Both are called `mcp-tunnel`.
    let (one, other) = (Stack::small(engine, "twina", "healthy"), Stack::small(engine, "twinb", "healthy"));
    assert_eq!(one.dir.file_name(), other.dir.file_name());
    one.up_ready();
    let before = one.ids(["cloudflared", "mcp-gateway", "own"]);
    other.up_ready();
    assert_eq!(one.ids(["cloudflared", "mcp-gateway", "own"]), before);
    other.restart_ready();
    other.down().expect(0);
    assert_eq!(one.ids(["cloudflared", "mcp-gateway", "own"]), before);
    assert!(ready(one.status()).findings().is_empty());
    assert!(one.ask("own").0);
}

#[test]
fn engine_one_domain_in_two_folders_is_refused() {
    let Some(engine) = engine("one domain in two folders") else { return };
    let first = Stack::small(engine, "same", "healthy");
    first.up_ready();
    let second = Stack::small(engine, "same", "other");
    assert_eq!(first.project, second.project);
    let before = first.ids(["cloudflared", "mcp-gateway", "own"]);
    for words in ["up", "restart", "status", "down"] {
        let refused = second.call([words]).run().expect(1);
        let conflict = refused.finding("project-conflict");
        assert!(conflict["evidence"].to_string().contains(first.dir.to_str().unwrap()), "{words}: {conflict}");
    }
    assert_eq!(first.ids(["cloudflared", "mcp-gateway", "own"]), before);
    assert!(first.runs_with("healthy"));
    ready(first.status());

    // Reached over a symbolic link it is the same directory.
    let link = second.dir.with_file_name("link");
    std::os::unix::fs::symlink(&first.dir, &link).unwrap();
    ready(helper(["status"]).dir(&link).run());
    ready(helper(["up"]).dir(&link).json(json!({"wait_seconds": 60})).run());
    assert_eq!(first.ids(["cloudflared", "mcp-gateway", "own"]), before);
}

#[test]
fn engine_a_path_with_everything_in_it() {
    let Some(engine) = engine("odd path") else { return };
    let parent = folder();
    let dir = parent.path().join("a b'c\"d $HOME ${X} \\n\n#üé%41");
    let stack = Stack::at(engine, &dir, "oddpath", json!({"routes": {"own": "http://own:9000"}}), "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    stack.up_ready();
    assert!(stack.ask("own").0);
    // What it says to run next works as pasted.
    let status = ready(stack.status());
    let command = status.json["next"][0]["command"].as_str().unwrap();
    let out = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(out.status.success(), "{command}\n{}", String::from_utf8_lossy(&out.stdout));
    stack.restart_ready();
    stack.assert_no_token();
    stack.down().expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());

    // Docker cannot mount from behind a colon: refused before anything is written or started.
    let colon = parent.path().join("a:b");
    let refused = helper(["init"]).dir(&colon).json(json!({"domain": stack.domain})).run().expect(2);
    assert!(refused.message().contains("colon"), "{}", refused.message());
    assert!(!colon.exists());
}
