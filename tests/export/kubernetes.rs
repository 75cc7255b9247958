//! `apply.sh` and `renew.sh` with the real helm and kubectl, against a server that plays Kubernetes and a chart that
//! fails on every value which Anthropic's pages do not name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::export;
use crate::support::{deployment, edit, folder, helper, skip, token, which};

/// A cluster, and the programs that talk to it.
struct Cluster {
    folder: tempfile::TempDir,
    server: Child,
    path: std::ffi::OsString,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/chart")
}

/// The cluster; without the programs, says aloud that the test did not run.
fn cluster(test: &str) -> Option<Cluster> {
    let program = |variable: &str, name: &str| std::env::var_os(variable).map(PathBuf::from).or_else(|| which(name));
    let (helm, kubectl) = (program("MCP_TUNNELS_TEST_HELM", "helm"), program("MCP_TUNNELS_TEST_KUBECTL", "kubectl"));
    let python = std::env::var_os("MCP_TUNNELS_TEST_PYTHON").map(PathBuf::from).or_else(|| which("python3"));
    let (Some(helm), Some(kubectl), Some(python)) = (helm, kubectl, python) else {
        skip(test, "helm, kubectl or Python is not installed");
        return None;
    };
    let folder = folder();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/kubernetes.py");
    let server = Command::new(python).arg(script).arg(folder.path()).stdin(Stdio::piped()).spawn().unwrap();
    let port = folder.path().join("port");
    let limit = Instant::now() + Duration::from_secs(30);
    while !port.exists() {
        assert!(Instant::now() < limit, "the server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let port = std::fs::read_to_string(port).unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "standin",
        "clusters": [{"name": "standin", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "standin", "user": {}}],
        "contexts": [{"name": "standin", "context": {"cluster": "standin", "user": "standin"}}],
    });
    std::fs::write(folder.path().join("kubeconfig"), config.to_string()).unwrap();
    let own = std::env::var_os("PATH").unwrap();
    let folders = [helm, kubectl].map(|program| program.parent().unwrap().to_path_buf());
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&own))).unwrap();
    Some(Cluster { folder, server, path })
}

impl Cluster {
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", &self.path).env("KUBECONFIG", self.folder.path().join("kubeconfig"));
        command.env("HOME", self.folder.path()).env("MCP_TUNNEL_CHART", chart()).stdin(Stdio::null());
        command
    }

    fn run(&self, script: &Path) -> Output {
        self.command(script).output().unwrap()
    }

    fn works(&self, script: &Path) -> String {
        let out = self.run(script);
        let all = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}: {all}", script.display());
        all
    }

    /// An object as the server keeps it.
    fn object(&self, kind: &str, name: &str) -> Value {
        let place = self.folder.path().join(format!("objects/{kind}-mcp-tunnel-{name}.json"));
        serde_json::from_slice(&std::fs::read(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()))).unwrap()
    }

    /// The bytes of a Secret, by key.
    fn secret(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let data = self.object("Secret", name)["data"].clone();
        let entries = data.as_object().unwrap().iter();
        entries.map(|(key, value)| (key.clone(), STANDARD.decode(value.as_str().unwrap()).unwrap())).collect()
    }

    fn has_pair_of(&self, dir: &Path) {
        let file = |name: &str| std::fs::read(dir.join("data").join(name)).unwrap();
        let pair = [("tls.crt", file("tls.crt")), ("tls.key", file("tls.key"))];
        assert!(self.secret("mcp-tunnel-cert") == pair.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    fn has_token(&self, secret: &str) {
        assert!(self.secret("mcp-tunnel-token") == [("tunnel-token".to_owned(), token(secret).into_bytes())]);
    }
}

/// Everything that other processes of this machine can see of one while a closure runs: arguments and environments.
fn watched<T>(act: impl FnOnce() -> T) -> (T, BTreeSet<Vec<u8>>) {
    let (ended, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let watcher = {
        let (ended, seen) = (Arc::clone(&ended), Arc::clone(&seen));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                    for name in ["cmdline", "environ"] {
                        let Ok(bytes) = std::fs::read(process.path().join(name)) else { continue };
                        let mut seen = seen.lock().unwrap();
                        seen.extend(bytes.split(|b| *b == 0).filter(|part| part.len() > 3).map(<[u8]>::to_vec));
                    }
                }
            }
        })
    };
    let result = act();
    ended.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let seen = seen.lock().unwrap().clone();
    (result, seen)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_cluster_gets_the_bytes_of_the_files_and_nothing_else_shows_them() {
    let Some(cluster) = cluster("apply.sh in a cluster") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    helper(["render"])
        .dir(&dir)
        .json(json!({"routes": {"no": "http://10.1.2.3:80", "1e3": "http://10.1.2.3:81"}}))
        .run()
        .expect(0);
    let out = parent.path().join("helm");
    export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    let (said, seen) = watched(|| cluster.works(&out.join("apply.sh")));
    cluster.has_token("healthy");
    cluster.has_pair_of(&dir);
    let key = std::fs::read_to_string(dir.join("data/tls.key")).unwrap();
    let secrets = [token("healthy"), STANDARD.encode(token("healthy")), key.lines().nth(1).unwrap().to_owned()];
    assert!(seen.iter().any(|part| contains(part, b"tunnel-token=/dev/stdin")), "kubectl was not seen");
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "a secret is in the output");
        assert!(!seen.iter().any(|part| contains(part, secret.as_bytes())), "a secret is in an argument or a variable");
    }
    // What the chart made of the values: names that YAML 1.1 would take for something else stay names.
    let config = cluster.object("ConfigMap", "mcp-tunnel")["data"]["config.yaml"].clone();
    let config: Value = serde_json::from_str(config.as_str().unwrap()).unwrap();
    assert_eq!(config["routes"]["no"], "http://10.1.2.3:80");
    assert_eq!(config["routes"]["1e3"], "http://10.1.2.3:81");
    assert_eq!(config["routes"]["echo"], "http://hello-mcp:9000");
    // The sample, and both logs.
    assert_eq!(cluster.object("Service", "hello-mcp")["spec"]["ports"][0]["port"], 9000);
    let server = std::fs::read_to_string(dir.join("hello-mcp/server.py")).unwrap();
    assert_eq!(cluster.object("ConfigMap", "hello-mcp")["data"]["server.py"], server);
    assert!(said.contains("a line of mcp-proxy") && said.contains("a line of cloudflared"), "{said}");
    let asked = std::fs::read_to_string(cluster.folder.path().join("unknown")).unwrap_or_default();
    assert!(!asked.lines().any(|line| !line.contains("/openapi/v2")), "{asked}");
}

#[test]
fn a_renewed_certificate_and_a_new_token_arrive() {
    let Some(cluster) = cluster("renew.sh in a cluster") else { return };
    let parent = folder();
    // A path that would hurt an unquoted word.
    let odd = parent.path().join("it's $HOME @CRT@");
    std::fs::create_dir(&odd).unwrap();
    let dir = deployment(&odd);
    let out = parent.path().join("helm");
    export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    cluster.works(&out.join("apply.sh"));
    let before = std::fs::read(dir.join("data/tls.crt")).unwrap();
    helper(["certs", "renew"]).dir(&dir).json(json!({"force": true})).run().expect(0);
    assert!(std::fs::read(dir.join("data/tls.crt")).unwrap() != before);
    cluster.works(&out.join("renew.sh"));
    cluster.has_pair_of(&dir);
    cluster.has_token("healthy");
    helper(["token", "set"]).dir(&dir).stdin(token("rotated")).run().expect(0);
    cluster.works(&out.join("apply.sh"));
    cluster.has_token("rotated");
}

#[test]
fn the_token_is_found_however_it_is_written_and_a_placeholder_is_none() {
    let Some(cluster) = cluster("the token of apply.sh") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    let out = parent.path().join("helm");
    export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    let line = env.lines().find(|line| line.starts_with("TUNNEL_TOKEN=")).unwrap().to_owned();
    let token = token("healthy");
    for written in [
        format!("TUNNEL_TOKEN=\"{token}\""),
        format!("TUNNEL_TOKEN='{token}' # from the Console"),
        format!("  export TUNNEL_TOKEN = {token}\r"),
        format!(
            "TUNNEL_TOKEN=eyJvbGQiOiJvbmUgdGhhdCBpcyBnb25lIG5vdywgYW5kIGxvbmcifQ==\n#TUNNEL_TOKEN=x\nTUNNEL_TOKEN={token}"
        ),
    ] {
        std::fs::write(dir.join(".env"), env.replace(&line, &written)).unwrap();
        cluster.works(&out.join("apply.sh"));
        cluster.has_token("healthy");
    }
    for written in ["TUNNEL_TOKEN=PASTE_TUNNEL_TOKEN_HERE", "TUNNEL_TOKEN=", "OTHER=x"] {
        std::fs::write(dir.join(".env"), env.replace(&line, written)).unwrap();
        let run = cluster.run(&out.join("apply.sh"));
        assert_eq!(run.status.code(), Some(1), "{written}");
        assert!(String::from_utf8_lossy(&run.stderr).contains("token set"), "{run:?}");
    }
    cluster.has_token("healthy");
}

#[test]
fn an_included_token_arrives_without_the_deployment() {
    let Some(cluster) = cluster("secrets.yaml in a cluster") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    let out = parent.path().join("helm");
    export(&dir, json!({"to": "helm", "out": out, "include_token": true})).run().expect(0);
    let moved = parent.path().join("moved");
    std::fs::rename(&dir, &moved).unwrap();
    cluster.works(&out.join("apply.sh"));
    cluster.has_token("healthy");
    cluster.has_pair_of(&moved);
}

#[test]
fn the_chart_of_the_tests_refuses_what_no_page_names() {
    let Some(cluster) = cluster("values with helm lint") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    let out = parent.path().join("helm");
    export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    let helm = |words: &[&str]| {
        let mut command = cluster.command("helm");
        command.args(words).arg(chart()).arg("--values").arg(out.join("values.yaml")).output().unwrap()
    };
    for words in [&["lint", "--strict"][..], &["template", "mcp-tunnel"]] {
        let run = helm(words);
        assert!(run.status.success(), "{words:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    let good = std::fs::read_to_string(out.join("values.yaml")).unwrap();
    for more in
        ["replicaCount: 2\n", "image: {tag: x}\n", "networkPolicy: {egress: {enabled: true}}\n", "tunnel: {id: x}\n"]
    {
        std::fs::write(out.join("values.yaml"), format!("{good}{more}")).unwrap();
        assert!(!helm(&["template", "mcp-tunnel"]).status.success(), "{more}");
    }
    std::fs::write(out.join("values.yaml"), good).unwrap();
    edit(&out.join("values.yaml"), "    routes:", "    listen_addr: ':8080'\n    routes:");
    assert!(!helm(&["template", "mcp-tunnel"]).status.success());
}
