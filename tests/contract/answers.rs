//! Whole answers, one a command and stage: every sentence that a person or a model reads is in `tests/golden/answers/`.
//!
//! Other tests assert ids and fields. A better sentence then costs `UPDATE=1 cargo test answers::` and a look at the diff.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::edge::fake_docker;
use crate::support::golden::golden_answer;
use crate::support::{Call, DOMAIN, chmod, edit, folder, helper, script, token};

/// A machine with Docker 28, Git and OpenSSL, where nothing runs.
struct Machine {
    parent: tempfile::TempDir,
    bin: PathBuf,
    dir: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let parent = folder();
        let (bin, dir) = (parent.path().join("bin"), parent.path().join("mcp-tunnel"));
        std::fs::create_dir(&bin).unwrap();
        script(&bin, "docker", &fake_docker("\"compose down\"*) ;;"));
        script(
            &bin,
            "git",
            "#!/bin/sh\ncase $1 in --version) echo git version 2.47.3 ;; *) echo fatal: not a git repository >&2; exit 128 ;; esac\n",
        );
        script(&bin, "openssl", "#!/bin/sh\necho OpenSSL 3.0.19 27 Jan 2026\n");
        Self { parent, bin, dir }
    }

    /// The same with a deployment of the sample, its token put in.
    fn deployed() -> Self {
        let machine = Self::new();
        machine.call("init").json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
        machine.call("token set").stdin(token("healthy")).run().expect(0);
        machine
    }

    fn call(&self, words: &str) -> Call {
        let path = std::env::join_paths([&self.bin, Path::new("/nowhere")]).unwrap();
        helper(words.split(' ')).dir(&self.dir).env("PATH", path).env("HOME", self.parent.path())
    }

    /// Runs a command and compares its whole answer.
    fn says(&self, name: &str, call: Call, code: i32) {
        golden_answer(name, self.parent.path(), &call.run().expect(code));
    }

    fn file(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }
}

fn request(machine: &Machine, words: &str, request: Value) -> Call {
    machine.call(words).json(request)
}

#[test]
fn init() {
    let machine = Machine::new();
    machine.says("init-no-tunnel-yet", machine.call("init"), 0);
    machine.says("init-error-domain", request(&machine, "init", json!({"domain": "https://example.com/"})), 2);
    machine.says("init-first", request(&machine, "init", json!({"domain": DOMAIN, "sample": true})), 0);
    machine.says("init-again", machine.call("init"), 0);
    machine.says(
        "init-error-other-domain",
        request(&machine, "init", json!({"domain": "ffff0000.tunnel.anthropic.com"})),
        2,
    );
    let own = Machine::new();
    own.says("init-own-server-later", request(&own, "init", json!({"domain": DOMAIN})), 0);
}

#[test]
fn token_states() {
    let machine = Machine::new();
    machine.says("token-check-no-deployment", machine.call("token check"), 2);
    machine.call("init").json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    machine.says("token-check-placeholder", machine.call("token check"), 1);
    machine.says("token-set-refused", machine.call("token set").stdin("eyJhIjoi"), 1);
    machine.says("token-set", machine.call("token set").stdin(token("healthy")), 0);
    machine.says("token-check", machine.call("token check"), 0);
    machine.says("token-set-rotated", machine.call("token set").stdin(token("another")), 0);
    let line = std::fs::read_to_string(machine.file(".env")).unwrap();
    let line = line.lines().find(|line| line.starts_with("TUNNEL_TOKEN=")).unwrap();
    edit(&machine.file(".env"), line, "TUNNEL_TOKEN=eyJhIjoi");
    chmod(&machine.file(".env"), 0o644);
    machine.says("token-check-malformed", machine.call("token check"), 1);
}

#[test]
fn certs() {
    let machine = Machine::deployed();
    machine.says("certs-check", machine.call("certs check"), 0);
    machine.says("certs-issue-again", machine.call("certs issue"), 0);
    machine.says("certs-renew-not-due", request(&machine, "certs renew", json!({"verbose": true})), 0);
    machine.says("certs-renew-forced", request(&machine, "certs renew", json!({"force": true, "verbose": true})), 0);
    machine.says("certs-rotate-ca-begin", request(&machine, "certs rotate-ca", json!({"step": "begin"})), 0);
    machine.says("certs-rotate-ca-switch", request(&machine, "certs rotate-ca", json!({"step": "switch"})), 0);
    machine.says("certs-rotate-ca-back", request(&machine, "certs rotate-ca", json!({"step": "back"})), 0);
    let broken = Machine::deployed();
    std::fs::remove_file(broken.file("data/tls.crt")).unwrap();
    std::fs::write(broken.file("data/tls.key"), "not a key\n").unwrap();
    broken.says("certs-check-faulty", broken.call("certs check"), 1);
    broken.says("certs-renew-impossible", broken.call("certs renew"), 1);
}

#[test]
fn render() {
    let machine = Machine::deployed();
    machine.says("render-unchanged", machine.call("render"), 0);
    let routes = json!({"routes": {"wiki": "http://10.1.2.4:8000"}, "allowed_ips": ["10.1.2.4/32"], "sample": false});
    let mut dry = routes.clone();
    dry["dry_run"] = json!(true);
    machine.says("render-dry-run", request(&machine, "render", dry), 0);
    machine.says(
        "render-error-upstream",
        request(&machine, "render", json!({"routes": {"wiki": "wiki:8000/path"}})),
        2,
    );
    machine.says("render-changed", request(&machine, "render", routes.clone()), 0);
    edit(&machine.file("config/mcp-gateway.yaml"), "http://10.1.2.4:8000", "http://10.1.2.5:8000");
    machine.says("render-error-edited", request(&machine, "render", routes), 1);
}

#[test]
fn check() {
    let machine = Machine::deployed();
    machine.says("check-sound", machine.call("check"), 0);
    chmod(&machine.file(".env"), 0o644);
    edit(&machine.file("config/mcp-gateway.yaml"), "http://hello-mcp:9000", "http://localhost:9000");
    std::fs::remove_file(machine.file("data/tls.key")).unwrap();
    machine.says("check-faulty", machine.call("check"), 1);
    let nothing = Machine::new();
    nothing.says("check-no-deployment", nothing.call("check"), 2);
}

#[test]
fn connect() {
    let machine = Machine::deployed();
    machine.says("connect", machine.call("connect"), 0);
    let bare = Machine::new();
    bare.call("init").json(json!({"domain": DOMAIN})).run().expect(0);
    bare.says("connect-no-routes", bare.call("connect"), 2);
}

#[test]
fn stack() {
    let machine = Machine::deployed();
    machine.says("status-not-started", machine.call("status"), 0);
    machine.says("down-nothing-runs", machine.call("down"), 0);
    machine.says("restart-not-started", machine.call("restart"), 1);
    machine.says("diagnose-not-started", machine.call("diagnose"), 0);
    let bare = Machine::new();
    bare.call("init").json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    bare.says("up-refused", bare.call("up"), 1);
    script(
        &bare.bin,
        "docker",
        &fake_docker("\"compose version\"*) echo \"docker: 'compose' is not a docker command.\" >&2; exit 1 ;;"),
    );
    bare.says("status-no-compose", bare.call("status"), 1);
}

#[test]
fn preflight() {
    let machine = Machine::new();
    let offline = |machine: &Machine| request(machine, "preflight", json!({"offline": true}));
    machine.says("preflight-offline", offline(&machine), 0);
    std::fs::remove_file(machine.bin.join("docker")).unwrap();
    machine.says("preflight-no-docker", offline(&machine), 1);
}

#[test]
fn saved_logs() {
    let machine = Machine::new();
    for (name, code) in [
        ("healthy-http2", 0),
        ("token-rejected-fallback", 1),
        ("mix-fallback-and-421", 1),
        ("proxy-crash-mismatch", 1),
        ("netns-orphan", 1),
    ] {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/logs/{name}.log"));
        machine.says(&format!("diagnose-log-{name}"), request(&machine, "diagnose", json!({"logs": log})), code);
    }
    machine.says(
        "diagnose-log-error-missing",
        request(&machine, "diagnose", json!({"logs": "/nowhere/compose.log"})),
        2,
    );
}

#[test]
fn errors() {
    let machine = Machine::new();
    machine.says("error-unknown-field", request(&machine, "init", json!({"domian": DOMAIN})), 2);
    machine.says("error-wrong-type", request(&machine, "up", json!({"wait_s": "long"})), 2);
    machine.says("error-unknown-command", machine.call("initialize"), 2);
    machine.says("error-missing-subcommand", machine.call("certs"), 2);
    machine.says("error-not-json", machine.call("init --json {domain}"), 2);
}
