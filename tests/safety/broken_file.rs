//! One broken file: every command that looks still answers, with a finding about that file and about the rest.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::support::{DOMAIN, chmod, deployment, edit, folder, helper, is_root};

/// Puts something else in a file's place.
type Break = fn(&Path);

/// Commands that look; without Docker, `status` and `down` get as far as its absence.
const COMMANDS: [&[&str]; 5] = [&["check"], &["init"], &["status"], &["down"], &["diagnose"]];

fn answers(dir: &Path, id: &str, name: &str) {
    for words in COMMANDS {
        let answer = helper(words.iter().copied()).dir(dir).changes_nothing().run();
        assert_ne!(answer.code, 2, "{name}, {words:?}: {:#}", answer.json);
    }
    for words in [&["check"][..], &["init"]] {
        let answer = helper(words.iter().copied()).dir(dir).changes_nothing().run();
        assert!(answer.findings().contains(&id), "{name}, {words:?}: {:#}", answer.json);
    }
}

#[test]
fn a_mistyped_domain_is_a_finding() {
    let parent = folder();
    let dir = deployment(parent.path());
    for wrong in ["https://x", "a_b.example", "abcd1234", "10.0.0.1"] {
        edit(&dir.join(".env"), &format!("TUNNEL_DOMAIN={DOMAIN}"), &format!("TUNNEL_DOMAIN={wrong}"));
        answers(&dir, "domain-malformed", wrong);
        let answer = helper(["init"]).dir(&dir).changes_nothing().run().expect(1);
        assert_eq!((&answer.data()["token"], &answer.data()["made_by"]), (&json!("set"), &json!("helper")));
        edit(&dir.join(".env"), &format!("TUNNEL_DOMAIN={wrong}"), &format!("TUNNEL_DOMAIN={DOMAIN}"));
    }
}

#[test]
fn a_compose_file_in_any_state_is_a_finding_and_the_rest_is_looked_at() {
    let states: [(&str, Break); 6] = [
        ("latin-1", |file| std::fs::write(file, b"# caf\xe9\nservices: {}\n").unwrap()),
        ("utf-16", |file| std::fs::write(file, b"\xff\xfes\0e\0").unwrap()),
        ("directory", |file| std::fs::create_dir(file).unwrap()),
        ("dangling", |file| symlink("nowhere.yaml", file).unwrap()),
        ("outside", |file| symlink("/etc/hostname", file).unwrap()),
        ("yaml", |file| std::fs::write(file, "services: [\n").unwrap()),
    ];
    for (name, make) in states {
        let parent = folder();
        let dir = deployment(parent.path());
        let file = dir.join("docker-compose.yaml");
        std::fs::remove_file(&file).unwrap();
        make(&file);
        chmod(&dir, 0o755);
        if name != "dangling" {
            answers(&dir, if name == "yaml" { "compose-yaml-invalid" } else { "compose-file-unreadable" }, name);
        }
        // One broken file never removes a finding about another.
        let check = helper(["check"]).dir(&dir).changes_nothing().run().expect(1);
        assert!(check.findings().contains(&"directory-open"), "{name}: {:?}", check.findings());
        let again = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run();
        assert_ne!(again.code, 0, "{name}");
    }
}

#[test]
fn a_link_that_stays_inside_is_read_and_never_written() {
    let parent = folder();
    let dir = deployment(parent.path());
    for name in ["docker-compose.yaml", ".env", "config/mcp-gateway.yaml"] {
        let kept = dir.join("files").join(name.replace('/', "-"));
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        std::fs::rename(dir.join(name), &kept).unwrap();
        symlink(&kept, dir.join(name)).unwrap();
    }
    let check = helper(["check"]).dir(&dir).changes_nothing().run();
    for id in
        ["compose-yaml-invalid", "compose-file-unreadable", "env-unreadable", "env-missing", "proxy-config-denied"]
    {
        assert!(!check.findings().contains(&id), "{:#}", check.json);
    }
    assert_eq!(check.data()["routes"], json!({"echo": "http://hello-mcp:9000"}));
    let set = helper(["token", "set"]).dir(&dir).stdin(crate::support::token("new")).changes_nothing().run().expect(2);
    assert_eq!(set.json["error"]["code"], "unexpected-file");
}

#[test]
fn an_env_file_that_cannot_be_read_is_a_finding() {
    let states: [(&str, Break); 4] = [
        ("directory", |file| std::fs::create_dir(file).unwrap()),
        ("outside", |file| symlink("/etc/hostname", file).unwrap()),
        ("utf-16", |file| {
            let text = format!("\u{feff}TUNNEL_DOMAIN={DOMAIN}\r\n");
            std::fs::write(file, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        }),
        ("mode", |file| {
            std::fs::write(file, "TUNNEL_TOKEN=\n").unwrap();
            chmod(file, 0);
        }),
    ];
    for (name, make) in states {
        if name == "mode" && is_root() {
            continue;
        }
        let parent = folder();
        let dir = deployment(parent.path());
        let file = dir.join(".env");
        std::fs::remove_file(&file).unwrap();
        make(&file);
        answers(&dir, if name == "utf-16" { "compose-env-invalid" } else { "env-unreadable" }, name);
        if name == "utf-16" {
            continue;
        }
        // The token is not called missing: it was not looked at.
        let token = helper(["token", "check"]).dir(&dir).changes_nothing().run().expect(1);
        assert_eq!((token.findings(), &token.data()["state"]), (vec!["env-unreadable"], &json!("unknown")), "{name}");
        let init = helper(["init"]).dir(&dir).changes_nothing().run().expect(1);
        assert_eq!(init.data()["token"], "unknown", "{name}");
        for request in [json!({}), json!({"routes": {"wiki": "http://wiki:80"}})] {
            let render = helper(["render"]).dir(&dir).json(request).changes_nothing().run().expect(1);
            assert_eq!(render.findings(), ["env-unreadable"], "{name}");
            assert_eq!(render.data()["routes"], json!({"echo": "http://hello-mcp:9000"}), "{name}");
        }
        // The proxy's configuration names the domain, too.
        for words in [["connect"].as_slice(), &["certs", "check"], &["certs", "renew"]] {
            let answer = helper(words.iter().copied()).dir(&dir).run();
            assert_ne!(answer.code, 2, "{name}, {words:?}: {:#}", answer.json);
        }
    }
}

#[test]
fn a_stack_made_by_hand_with_a_faulty_configuration_is_not_nothing() {
    for fault in ["routes: [a]\n", "routes: { a: http://b:1 }\ntls: 5\n", "routes:\n\t- a\n"] {
        let parent = folder();
        let dir = deployment(parent.path());
        let env = std::fs::read_to_string(dir.join(".env")).unwrap();
        std::fs::write(dir.join(".env"), env.replace(&format!("TUNNEL_DOMAIN={DOMAIN}\n"), "")).unwrap();
        std::fs::write(dir.join("config/mcp-gateway.yaml"), format!("tunnel_domain: {DOMAIN}\n{fault}")).unwrap();
        let answer = helper(["init"]).dir(&dir).changes_nothing().run().expect(1);
        assert_eq!(answer.data()["domain"], DOMAIN, "{fault}");
        assert_eq!(answer.data()["token"], "set");
        assert!(answer.data()["ca"].is_object() && answer.data()["server"].is_object());
        assert!(answer.findings().iter().any(|id| id.starts_with("proxy-config-")), "{:?}", answer.findings());
    }
}
