//! `check`: one broken thing a case, and nothing to say of a sound deployment.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, chmod, deployment, edit, folder, helper, skip, token, which};

pub(super) const COMPOSE: &str = "docker-compose.yaml";

pub(super) const GATEWAY: &str = "config/mcp-gateway.yaml";

pub(super) const OVER: &str = "docker-compose.override.yaml";

pub(super) fn check(dir: &Path) -> Answer {
    helper(["check"]).dir(dir).changes_nothing().run()
}

/// What only git can say is skipped without git.
fn without_git() -> Value {
    match which("git") {
        Some(_) => json!([]),
        None => json!([{"id": "git-not-ignored", "reason": "git is not installed"}]),
    }
}

#[test]
fn a_sound_deployment_has_no_findings() {
    let parent = folder();
    let dir = deployment(parent.path());
    let answer = check(&dir).expect(0);
    assert_eq!(answer.json["findings"], json!([]));
    assert_eq!(answer.json["skipped"], without_git());
    let mut data = answer.data().clone();
    let numbers = [data["checks"].take(), data["requirements_met"].take()].map(|n| n.as_u64().unwrap());
    assert!(numbers.iter().all(|n| *n >= 10), "{numbers:?}");
    assert_eq!(
        data,
        json!({
            "domain": DOMAIN,
            "compose_file": COMPOSE,
            "project": "mcp-tunnel-abcd1234",
            "routes": {"echo": "http://hello-mcp:9000"},
            "checks": null,
            "requirements_met": null,
        })
    );
}

#[test]
fn every_profile_and_setting_that_we_render_is_sound() {
    for request in [
        json!({"namespace": "separate", "profile": "hardened", "networks": ["backend"], "routes": {"a": "http://other:80"}}),
        json!({"namespace": "separate", "profile": "hardened", "protocol": "http2", "log_level": "debug", "shutdown_timeout": "1m"}),
        json!({"allowed_ips": ["10.0.0.0/8", "172.16.0.0/12"], "routes": {"a": "http://10.1.1.1:80"}}),
        json!({"upstream": {"tls": {"include_system_cas": true}}, "routes": {"a": "https://example.com:443"}}),
        json!({"networks": ["backend"], "routes": {"a": "http://other:80"}}),
        json!({"routes": {"a": "http://host.docker.internal:80"}}),
    ] {
        let parent = folder();
        let dir = deployment(parent.path());
        helper(["render"]).dir(&dir).json(request.clone()).run().expect(0);
        assert_eq!(check(&dir).expect(0).json["findings"], json!([]), "{request}");
    }
}

pub(super) fn write(file: &'static str, text: &str) -> Box<dyn Fn(&Path)> {
    let text = text.to_owned();
    Box::new(move |dir| std::fs::write(dir.join(file), &text).unwrap())
}

pub(super) fn change(file: &'static str, old: &'static str, new: &'static str) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| edit(&dir.join(file), old, new))
}

fn bits(file: &'static str, mode: u32) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| chmod(&dir.join(file), mode))
}

pub(super) fn remove(file: &'static str) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| std::fs::remove_file(dir.join(file)).unwrap())
}

pub(super) fn routes(text: &str) -> Box<dyn Fn(&Path)> {
    write(
        GATEWAY,
        &format!(
            "listen_addr: \":8080\"\ntunnel_domain: {DOMAIN}\ntls: {{cert_file: /data/tls.crt, key_file: /data/tls.key}}\n{text}\n"
        ),
    )
}

type Case = (&'static str, Box<dyn Fn(&Path)>, &'static [&'static str]);

/// Breaks a sound deployment in each way, and compares everything that is found above a note.
pub(super) fn require(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (name, breaks, expected) in cases {
        let parent = folder();
        let dir = deployment(parent.path());
        breaks(&dir);
        let answer = check(&dir);
        let mut found: Vec<&str> = answer.findings();
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{name}: found {found:?}, expected {expected:?}: {}", answer.json["findings"]));
        }
        for finding in answer.json["findings"].as_array().unwrap() {
            let (docs, id) = (finding["docs"].as_str().unwrap(), finding["id"].as_str().unwrap());
            let anchor = format!(" and docs/troubleshooting.md#{id}");
            assert!(docs.starts_with("https://") && docs.ends_with(&anchor), "{finding}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_with_the_directory_and_env_is_found() {
    require(vec![
        ("open directory", bits("", 0o750), &["directory-open"]),
        ("no .env", remove(".env"), &["env-missing"]),
        (
            "an open quote at the end",
            change(".env", "MCP_TUNNEL_TOKEN_FINGERPRINT=", "X=\"open\nF="),
            &["compose-env-invalid"],
        ),
        ("no assignment", change(".env", "TUNNEL_DOMAIN=", "what is this\nTUNNEL_DOMAIN="), &["compose-env-invalid"]),
        ("readable .env", bits(".env", 0o644), &["env-readable"]),
        ("writable .env", bits(".env", 0o666), &["env-writable"]),
        ("no token", write(".env", &format!("TUNNEL_DOMAIN={DOMAIN}\n")), &["token-missing"]),
        ("readable ca.key", bits("data/ca.key", 0o640), &["key-readable"]),
        ("writable ca.key", bits("data/ca.key", 0o620), &["key-writable"]),
        ("writable tls.key", bits("data/tls.key", 0o666), &["key-writable"]),
        ("closed tls.key", bits("data/tls.key", 0o600), &["proxy-key-denied"]),
        ("closed tls.crt", bits("data/tls.crt", 0o600), &["proxy-key-denied"]),
        ("closed data", bits("data", 0o700), &["proxy-key-denied"]),
        ("closed configuration", bits(GATEWAY, 0o600), &["proxy-config-denied"]),
        ("closed config folder, of which only the file is mounted", bits("config", 0o700), &[]),
    ]);
}

#[test]
fn the_state_of_the_token_is_found() {
    let parent = folder();
    let dir = deployment(parent.path());
    let good = token("healthy");
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    for (value, expected) in
        [("", "token-missing"), ("PASTE_TUNNEL_TOKEN_HERE", "token-placeholder"), (&good[..50], "token-malformed")]
    {
        std::fs::write(dir.join(".env"), env.replace(&good, value)).unwrap();
        assert_eq!(check(&dir).expect(1).findings(), [expected]);
    }
    std::fs::write(dir.join(".env"), &env).unwrap();
    let answer =
        helper(["check"]).dir(&dir).env("TUNNEL_TOKEN", token("stale")).secret(&token("stale")).run().expect(0);
    assert_eq!(answer.findings(), ["token-shadowed"]);
}

#[test]
fn what_git_would_commit_is_found() {
    let Some(git) = which("git") else { return skip("what_git_would_commit_is_found", "no git") };
    let parent = folder();
    let dir = deployment(parent.path());
    let run = |args: &[&str]| {
        let out = Command::new(&git).args(args).current_dir(&dir).env("HOME", parent.path()).output().unwrap();
        assert!(out.status.success(), "{args:?}");
    };
    run(&["init", "-q"]);
    assert_eq!(check(&dir).expect(0).findings(), Vec::<&str>::new());
    let ignore = std::fs::read(dir.join(".gitignore")).unwrap();
    std::fs::remove_file(dir.join(".gitignore")).unwrap();
    let answer = check(&dir).expect(0);
    assert_eq!(answer.findings(), ["git-not-ignored", "git-not-ignored"]);
    std::fs::write(dir.join(".gitignore"), ignore).unwrap();
    run(&["add", "-f", ".env", "data/ca.key"]);
    let answer = check(&dir).expect(1);
    let said: Vec<String> =
        answer.json["findings"].as_array().unwrap().iter().map(|f| f["evidence"][0].to_string()).collect();
    assert_eq!(answer.findings(), ["git-tracked", "git-tracked"]);
    assert!(said[0].contains(".env") && said[1].contains("data/ca.key"), "{said:?}");
}

#[test]
fn what_is_wrong_with_the_compose_files_is_found() {
    require(vec![
        ("none", remove(COMPOSE), &["compose-file-missing"]),
        (
            "another hides it",
            Box::new(|dir| {
                std::fs::copy(dir.join(COMPOSE), dir.join("compose.yaml")).unwrap();
            }),
            &["compose-file-shadowed"],
        ),
        ("a tab", change(COMPOSE, "services:\n", "services:\n\tx: 1\n"), &["compose-yaml-invalid"]),
        ("a tab in the override", write(OVER, "services:\n\tx: 1\n"), &["compose-yaml-invalid"]),
        (
            "a key twice",
            change(COMPOSE, "  cloudflared:\n", "  mcp-gateway:\n    image: x\n  cloudflared:\n"),
            &["compose-yaml-invalid"],
        ),
        (
            "a renamed proxy",
            change(COMPOSE, "service:mcp-gateway", "service:mcp-proxy"),
            &["compose-service-undefined"],
        ),
        (
            "no shared network",
            change(COMPOSE, "    network_mode: service:mcp-gateway\n", ""),
            &["network-mode-missing"],
        ),
        ("host network", change(COMPOSE, "service:mcp-gateway", "host"), &["network-mode-missing"]),
        (
            "a network of its own",
            write(OVER, "services: {cloudflared: {networks: [default]}}\n"),
            &["compose-netmode-conflict"],
        ),
        (
            "ports of its own",
            write(OVER, "services: {cloudflared: {ports: ['20241:20241']}}\n"),
            &["compose-netmode-conflict"],
        ),
        ("a plain depends_on", change(COMPOSE, "        restart: true\n", ""), &["depends-on-plain"]),
        (
            "a listed depends_on",
            write(OVER, "services: {cloudflared: {depends_on: [mcp-gateway]}}\n"),
            &["depends-on-plain"],
        ),
        ("no --url", change(COMPOSE, "    - --url\n    - http://localhost:8080\n", ""), &["no-ingress-url"]),
        ("another port", change(COMPOSE, "http://localhost:8080", "http://localhost:9090"), &["listen-mismatch"]),
        (
            "https to the proxy",
            change(COMPOSE, "http://localhost:8080", "https://localhost:8080"),
            &["listen-mismatch"],
        ),
        ("another listen_addr", change(GATEWAY, ":8080", ":9090"), &["listen-mismatch"]),
        (
            "the token in the environment",
            write(OVER, "services: {cloudflared: {environment: {TUNNEL_TOKEN: '${TUNNEL_TOKEN}'}}}\n"),
            &["token-in-clear"],
        ),
        (
            "the token in the list of the environment",
            write(OVER, "services: {cloudflared: {environment: [TUNNEL_TOKEN]}}\n"),
            &["token-in-clear"],
        ),
        (
            "the token in the command",
            write(
                OVER,
                "services: {cloudflared: {command: 'tunnel run --url http://localhost:8080 --token ${TUNNEL_TOKEN}'}}\n",
            ),
            &["token-in-clear"],
        ),
        (
            "the token itself in a file",
            write(OVER, &format!("# {}\nservices: {{}}\n", token("in-a-file"))),
            &["token-in-file"],
        ),
        (
            "published ports of the proxy",
            write(OVER, "services: {mcp-gateway: {ports: ['8080:8080']}}\n"),
            &["ports-published"],
        ),
        (
            "published ports of the sample",
            write(OVER, "services: {hello-mcp: {ports: ['9000:9000']}}\n"),
            &["ports-published"],
        ),
        (
            "an image without a digest",
            write(OVER, "services: {mcp-gateway: {image: 'x/mcp-proxy:1'}}\n"),
            &["image-unpinned"],
        ),
    ]);
}

/// Other secrets are not a tunnel token, also where the gate knows them.
#[test]
fn passwords_and_other_tokens_in_a_file_are_not_taken_for_the_tunnels() {
    let parent = folder();
    let dir = deployment(parent.path());
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let over =
        format!("services: {{db: {{image: 'x:1', environment: {{DB_PASSWORD: hunter2-hunter2, JWT: {jwt}}}}}}}\n");
    std::fs::write(dir.join(OVER), over).unwrap();
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for word in ["check", "diagnose", "up"] {
        let answer = helper([word]).dir(&dir).path(&[&bin]).secret("hunter2-hunter2").run();
        assert!(!answer.findings().contains(&"token-in-file"), "{word}: {:#}", answer.json);
    }
}

#[test]
fn a_stack_made_by_hand_is_checked_by_its_own_names() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::remove_file(dir.join(COMPOSE)).unwrap();
    std::fs::rename(dir.join(GATEWAY), dir.join("config/mcp-proxy.yaml")).unwrap();
    std::fs::write(
        dir.join("compose.yml"),
        "services:
  mcp-proxy:
    image: us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013
    volumes: ['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']
  tunnel:
    image: cloudflare/cloudflared:2026.3.0
    network_mode: service:mcp-proxy
    command: tunnel --no-autoupdate run --url http://localhost:8080
    environment: [TUNNEL_TOKEN]
  hello: {image: 'h@sha256:abababababababababababababababababababababababababababababababab', container_name: hello-mcp}
",
    )
    .unwrap();
    let answer = check(&dir).expect(0);
    assert_eq!(answer.findings(), ["token-in-clear", "image-unpinned"]);
    assert_eq!(answer.data()["compose_file"], "compose.yml");
    assert_eq!(answer.data()["project"], "mcp-tunnel");
    assert_eq!(answer.data()["routes"], json!({"echo": "http://hello-mcp:9000"}));
    assert!(answer.finding("image-unpinned")["evidence"][0].as_str().unwrap().starts_with("tunnel: "));
}

#[test]
fn errors_stand_before_warnings_and_layers_in_their_order() {
    let parent = folder();
    let dir = deployment(parent.path());
    chmod(&dir, 0o755);
    chmod(&dir.join(".env"), 0o644);
    routes("routes: {echo: 'http://nobody:9000', A: 'http://hello-mcp:9000'}")(&dir);
    std::fs::remove_file(dir.join("data/tls.crt")).unwrap();
    let answer = check(&dir).expect(1);
    let order: Vec<(usize, usize)> = answer.json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f: &Value| {
            let rank = |all: &[&str], key: &str| all.iter().position(|x| f[key] == *x).unwrap();
            (
                rank(&["error", "warning", "note"], "severity"),
                rank(&["host", "files", "edge", "tls", "routing", "upstream"], "layer"),
            )
        })
        .collect();
    assert!(order.is_sorted() && order.len() >= 5, "{order:?}");
    let next = answer.json["next"].to_string();
    assert!(next.contains(" certs issue ") && !next.contains(" up "), "what ends a fault, and no start: {next}");
}

#[test]
fn without_a_directory_there_is_nothing_to_check() {
    let parent = folder();
    let refused = helper(["check"]).dir(parent.path().join("no")).run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    std::fs::write(parent.path().join("file"), "").unwrap();
    let refused = helper(["check"]).dir(parent.path().join("file")).run().expect(2);
    assert!(refused.message().contains("is not a directory"), "{}", refused.message());
    // An empty one is looked at.
    let empty = folder();
    let answer = check(empty.path()).expect(1);
    assert!(answer.findings().contains(&"compose-file-missing") && answer.findings().contains(&"env-missing"));
}
