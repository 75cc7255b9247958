//! The current step of a directory that is made by the helper, by hand, or broken, and what each command says of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::edge::fake_docker;
use crate::support::{Answer, Call, DOMAIN, chmod, deployment, edit, folder, helper, is_root, script, token};

/// The order that `init` and the prompts have.
pub(crate) const STEPS: [&str; 9] =
    ["preflight", "create-tunnel", "directory", "token", "register-ca", "upstream", "configure", "start", "call"];

/// A host with a docker on which nothing runs.
struct Host {
    parent: tempfile::TempDir,
    bin: PathBuf,
    dir: PathBuf,
}

impl Host {
    fn new() -> Self {
        let parent = folder();
        let (bin, dir) = (parent.path().join("bin"), parent.path().join("mcp-tunnel"));
        fs::create_dir(&bin).unwrap();
        script(&bin, "docker", &fake_docker("\"compose down\"*) ;;"));
        Self { parent, bin, dir }
    }

    fn call(&self, words: &[&str]) -> Call {
        helper(words.iter().copied()).dir(&self.dir).path(&[&self.bin])
    }

    /// The steps as `init` reports them, which changes nothing.
    fn look(&self, code: i32) -> Answer {
        let answer = self.call(&["init"]).changes_nothing().run().expect(code);
        let ids: Vec<&str> = steps(&answer).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids, STEPS);
        answer
    }
}

fn steps(answer: &Answer) -> Vec<(&str, &str, &str)> {
    let steps = answer.data()["steps"].as_array().unwrap().iter();
    steps.map(|step| ["id", "state", "who"].map(|key| step[key].as_str().unwrap())).map(|[a, b, c]| (a, b, c)).collect()
}

fn done(answer: &Answer) -> Vec<&str> {
    steps(answer).into_iter().filter(|(_, state, _)| *state == "done").map(|(id, ..)| id).collect()
}

/// Who does each thing of `next`, and the words of its command behind the program.
fn next(answer: &Answer) -> Vec<String> {
    let next = answer.json["next"].as_array().unwrap().iter();
    next.map(|step| {
        let words = shlex::split(step["command"].as_str().unwrap_or_default()).unwrap();
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).take_while(|w| *w != "--dir").collect();
        format!("{}: {}", step["who"].as_str().unwrap(), words.join(" ")).trim_end().to_owned()
    })
    .collect()
}

#[test]
fn a_deployment_is_led_from_nothing_to_its_start() {
    let host = Host::new();
    let nothing = host.look(0);
    assert_eq!((nothing.data()["step"].as_str(), done(&nothing)), (Some("preflight"), vec![]));
    assert_eq!(next(&nothing), ["helper: preflight"]);
    assert!(!host.dir.exists(), "looking made a directory");

    let init = json!({"domain": DOMAIN});
    let made = host.call(&["init"]).json(init).run().expect(0);
    assert_eq!(made.data()["step"], "token");
    assert_eq!(next(&made), ["person: token set"]);
    let now = host.look(0);
    assert_eq!((now.data()["step"].as_str(), done(&now)), (Some("token"), vec!["create-tunnel", "directory"]));
    // What has to wait is not named by any command.
    for words in [&["check"][..], &["status"], &["up"], &["diagnose"], &["token", "check"]] {
        let answer = host.call(words).run();
        assert_eq!(next(&answer), ["person: token set"], "{words:?}: {:#}", answer.json);
    }

    let set = host.call(&["token", "set"]).stdin(token("healthy")).run().expect(0);
    assert_eq!(next(&set), ["person:", "person:"], "{:#}", set.json);
    let now = host.look(0);
    assert_eq!(now.data()["step"], "register-ca");
    assert_eq!(done(&now), ["create-tunnel", "directory", "token"]);
    for words in [&["check"][..], &["up"]] {
        assert_eq!(next(&host.call(words).run()), ["person:"], "{words:?}: nothing is chosen for the person");
    }

    let written = host.call(&["render"]).json(json!({"sample": true})).run().expect(0);
    assert_eq!(next(&written), ["person:", "helper: up"]);
    let now = host.look(0);
    assert_eq!(now.data()["step"], "register-ca");
    assert_eq!(done(&now), ["create-tunnel", "directory", "token", "upstream", "configure"]);
    assert_eq!(steps(&now)[7], ("start", "todo", "helper"));
    assert_eq!(next(&now), ["person:", "helper: up"]);
    // How long certificates and token hold is told with the state of the stack.
    let status = host.call(&["status"]).run();
    assert_eq!(status.data()["token"], "set");
    for (which, days) in [("ca", 3649..=3650), ("server", 89..=90)] {
        let left = status.data()[which]["days_left"].as_i64().unwrap();
        assert!(days.contains(&left), "{which}: {left}");
    }
    // What each step is, is told to those who ask.
    let verbose = host.call(&["init"]).json(json!({"verbose": true})).run().expect(0);
    assert!(verbose.data()["steps"].as_array().unwrap().iter().all(|step| step["what"].is_string()));
    // A change of what is there already is only to be applied.
    let changed = host.call(&["render"]).json(json!({"log_level": "debug"})).run().expect(0);
    assert_eq!(next(&changed), ["helper: up"]);
    for words in [&["status"][..], &["check"], &["diagnose"], &["connect"], &["down"]] {
        assert_eq!(next(&host.call(words).run()), ["helper: up"], "{words:?}");
    }
}

#[test]
fn the_token_may_come_first_and_the_sample_at_once() {
    let host = Host::new();
    host.call(&["token", "set"]).stdin(token("healthy")).run().expect(0);
    let now = host.look(0);
    assert_eq!((now.data()["step"].as_str(), done(&now)), (Some("directory"), vec!["create-tunnel", "token"]));
    assert_eq!(next(&now), ["person:"]);
    let made = host.call(&["init"]).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    assert_eq!(
        (made.data()["step"].as_str(), next(&made)),
        (Some("register-ca"), vec!["person:".into(), "helper: up".into()])
    );
}

#[test]
fn what_docker_does_not_tell_is_not_known() {
    let host = Host::new();
    deployment(host.parent.path());
    for special in ["*) echo Cannot connect to the Docker daemon >&2; exit 1 ;;", "version*) exit 1 ;;"] {
        script(&host.bin, "docker", &fake_docker(special));
        let now = host.look(0);
        assert_eq!(steps(&now)[7].1, "unknown");
        assert_eq!(now.json["skipped"][0]["id"], "containers", "{:#}", now.json);
    }
    fs::remove_file(host.bin.join("docker")).unwrap();
    assert_eq!(steps(&host.look(0))[7].1, "unknown");
}

/// Anthropic's quickstart, typed by a person.
fn by_hand(dir: &Path) {
    fs::remove_file(dir.join("docker-compose.yaml")).unwrap();
    fs::rename(dir.join("config/mcp-gateway.yaml"), dir.join("config/mcp-proxy.yaml")).unwrap();
    let compose = "services:\n  mcp-proxy:\n    image: us-docker.pkg.dev/x/mcp-proxy:1\n    volumes: ['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']\n  cloudflared:\n    image: cloudflare/cloudflared:2026.3.0\n    network_mode: service:mcp-proxy\n    command: tunnel --no-autoupdate run --url http://localhost:8080\n    environment: [TUNNEL_TOKEN]\n";
    fs::write(dir.join("docker-compose.yaml"), compose).unwrap();
}

#[test]
fn a_directory_made_by_hand_stands_where_it_does() {
    let host = Host::new();
    deployment(host.parent.path());
    by_hand(&host.dir);
    let all = ["create-tunnel", "directory", "token", "upstream", "configure"];
    let now = host.look(0);
    assert_eq!((now.data()["step"].as_str(), done(&now)), (Some("register-ca"), all.to_vec()));
    // A configuration that names no certificate.
    let config = host.dir.join("config/mcp-proxy.yaml");
    let written = fs::read_to_string(&config).unwrap();
    let bare: String = written
        .lines()
        .filter(|line| !line.contains("tls") && !line.contains("_file:"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&config, bare).unwrap();
    let now = host.look(0);
    assert_eq!(
        (steps(&now)[6], now.json["next"][1]["what"].as_str()),
        (("configure", "todo", "helper"), Some("find what the configuration lacks")),
        "{:#}",
        now.json
    );
    assert!(!now.json["summary"].as_str().unwrap().contains("set up"), "{}", now.json["summary"]);
    fs::write(&config, written).unwrap();
    // The token in a file of its own.
    let text = fs::read_to_string(host.dir.join(".env")).unwrap().replace(&token("healthy"), "");
    fs::write(host.dir.join(".env"), text).unwrap();
    assert_eq!(host.look(0).data()["step"], "token");
    fs::write(host.dir.join("data/tunnel.txt"), token("healthy")).unwrap();
    edit(
        &host.dir.join("docker-compose.yaml"),
        "    environment: [TUNNEL_TOKEN]\n",
        "    environment: [TUNNEL_TOKEN_FILE=/data/tunnel.txt]\n    volumes: ['./data:/data:ro']\n",
    );
    let now = host.look(0);
    assert_eq!((&now.data()["step"], &now.data()["token"]), (&json!("register-ca"), &json!("set")));
    // In a volume it cannot be seen, and is not called missing.
    edit(
        &host.dir.join("docker-compose.yaml"),
        "    volumes: ['./data:/data:ro']\n",
        "    volumes: ['secrets:/data:ro']\n",
    );
    let now = host.look(0);
    assert_eq!((steps(&now)[3], now.data()["step"].as_str()), (("token", "unknown", "person"), Some("register-ca")));
    assert_eq!(now.data()["token"], "unknown");
}

#[test]
fn what_is_broken_is_made_before_anything_later() {
    type Break = fn(&Path);
    let cases: [(&str, Break, i32); 7] = [
        ("token", |dir| edit(&dir.join(".env"), &token("healthy"), "eyJhIjoi"), 0),
        ("directory", |dir| fs::remove_file(dir.join("data/tls.crt")).unwrap(), 1),
        ("directory", |dir| fs::write(dir.join("data/tls.crt"), "nonsense\n").unwrap(), 1),
        ("directory", |dir| edit(&dir.join(".env"), DOMAIN, "https://x/"), 1),
        ("directory", |dir| edit(&dir.join("config/mcp-gateway.yaml"), "routes:", "routes: ["), 1),
        ("directory", |dir| edit(&dir.join("docker-compose.yaml"), "services:", "services: ["), 1),
        ("directory", |dir| chmod(&dir.join(".env"), 0o000), 1),
    ];
    for (step, breaks, code) in cases {
        let host = Host::new();
        deployment(host.parent.path());
        breaks(&host.dir);
        // To root every file is readable.
        if is_root() && fs::metadata(host.dir.join(".env")).unwrap().permissions().readonly() {
            continue;
        }
        let now = host.look(code);
        assert_eq!(now.data()["step"], step, "{:#}", now.json);
        assert!(!next(&now).iter().any(|step| step.contains(" up")), "{:#}", now.json);
    }
    // Lost files: what is missing is written again, by the command that `next` gives.
    let host = Host::new();
    deployment(host.parent.path());
    fs::remove_file(host.dir.join("docker-compose.yaml")).unwrap();
    let now = host.look(0);
    assert_eq!(steps(&now)[6], ("configure", "todo", "helper"));
    assert_eq!(next(&now), ["person:", "helper: render"]);
    host.call(&["render"]).run().expect(0);
    assert_eq!(steps(&host.look(0))[6].1, "done");
}

#[test]
fn an_expired_certificate_is_no_start() {
    let host = Host::new();
    deployment(host.parent.path());
    fs::remove_file(host.dir.join("data/ca.crt")).unwrap();
    fs::remove_file(host.dir.join("data/ca.key")).unwrap();
    let now = host.call(&["init"]).changes_nothing().run();
    assert_eq!(now.data()["step"], "directory");
    assert!(next(&now).iter().all(|step| !step.contains("up")), "{:#}", now.json);
    assert_ne!(now.data()["steps"], Value::Null);
}
