//! `probe` before real MCP servers of several makers, asked from the network namespace of the proxy on a real engine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::probe::{assert_found, assert_nothing_left, finding, free_port, proxy_alone, row};
use crate::support::edge::python;
use crate::support::engine::{Stack, bridge, engine};
use crate::support::{folder, skip};

/// Processes that end with the test, also after a panic: they read their standard input to its end.
struct Servers(Vec<Child>);

impl Servers {
    /// Starts a program that prints a line once it listens.
    fn start(&mut self, mut command: Command) {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        self.0.push(child);
        let (done, first) = mpsc::channel();
        std::thread::spawn(move || done.send(said.lines().next()));
        let line =
            first.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{command:?} is not listening"));
        assert_eq!(line.unwrap().unwrap(), "listening");
    }

    /// Python servers on one address: kind and port, with certificate and key where it is to speak TLS.
    fn python(&mut self, python: &Path, address: &str, kinds: &[String]) {
        let mut command = Command::new(python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mcp_servers.py"));
        command.arg(address).args(kinds);
        self.start(command);
    }

    /// nginx with one site a kind.
    fn nginx(&mut self, nginx: &Path, scratch: &Path, address: &str, kinds: &[String]) {
        let at = scratch.display();
        fs::create_dir(scratch.join("html")).unwrap();
        fs::write(scratch.join("html/index.html"), "<title>Welcome</title>\n").unwrap();
        let site = |entry: &String| {
            let (kind, port) = entry.split_once(':').unwrap();
            let files = if kind == "page" { "location / { try_files $uri /index.html; }" } else { "" };
            format!("server {{ listen {address}:{port}; root {at}/html; {files} }}\n")
        };
        let scratches = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|use_of| format!("{use_of}_temp_path {at}/{use_of};\n"));
        let config = format!(
            "pid {at}/pid;\nerror_log {at}/log;\nevents {{}}\nhttp {{ default_type text/html; access_log off;\n{}{}}}\n",
            scratches.concat(),
            kinds.iter().map(site).collect::<String>()
        );
        fs::write(scratch.join("nginx.conf"), config).unwrap();
        let mut command = Command::new("sh");
        // It listens before it writes its number.
        command.args([
            "-c",
            "\"$0\" -c \"$1/nginx.conf\" -g 'daemon off;' & \
             until [ -s \"$1/pid\" ]; do kill -0 $! || exit; sleep 0.05; done; \
             echo listening; cat >/dev/null; kill $!; wait",
        ]);
        command.arg(nginx).arg(scratch);
        self.start(command);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// Kinds of `tests/python/mcp_servers.py` that run under mcp 1, and what is made of them.
const ONE: [(&str, &str, Option<&str>); 25] = [
    ("stateless", "callable", None),
    ("sessions", "callable", None),
    ("json", "callable", None),
    ("no-delete", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("sse", "callable", Some("upstream-path-other")),
    ("slash", "callable", Some("upstream-slash-307")),
    ("root", "callable", Some("upstream-path-other")),
    ("workers", "refused", Some("upstream-session-lost")),
    ("trusted-host", "refused", Some("upstream-host-rejected")),
    ("token", "needs-credential", Some("upstream-needs-credential")),
    ("forbidden", "refused", Some("upstream-forbidden")),
    ("gone", "refused", Some("upstream-path-404")),
    ("method", "refused", Some("upstream-method-405")),
    ("accept", "refused", Some("upstream-not-acceptable")),
    ("bad", "refused", Some("upstream-bad-request")),
    ("broken", "refused", Some("upstream-failed")),
    ("page", "refused", Some("upstream-web-page")),
    ("to-https", "refused", Some("upstream-wrong-scheme")),
    ("rust", "refused", Some("upstream-host-rejected")),
    ("go", "refused", Some("upstream-host-rejected")),
    ("vite", "refused", Some("upstream-host-rejected")),
    ("spring", "refused", Some("upstream-host-rejected")),
    ("vhost", "refused", Some("upstream-host-rejected")),
    ("hangs", "unreachable", Some("upstream-timeout")),
];

/// The same under mcp 2.
const TWO: [(&str, &str, Option<&str>); 7] = [
    ("stateless", "callable", None),
    ("sessions", "callable", None),
    // Its clients need no sessions: nothing is lost between workers.
    ("workers", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("slash", "callable", Some("upstream-slash-307")),
    ("fastmcp", "callable", None),
    ("django", "refused", Some("upstream-host-rejected")),
];

/// Kinds of `tests/python/mcp_server.mjs`.
const NODE: [(&str, &str, Option<&str>); 3] = [
    ("open", "callable", None),
    ("local", "refused", Some("upstream-host-rejected")),
    ("sse", "callable", Some("upstream-path-other")),
];

/// Kinds of `tests/rust-server`.
const RUST: [(&str, &str, Option<&str>); 3] =
    [("open", "callable", None), ("stateless", "callable", None), ("local", "refused", Some("upstream-host-rejected"))];

/// Sites of nginx: one page for every path, as the front of an application has it; files and nothing else.
const NGINX: [(&str, &str, Option<&str>); 2] =
    [("page", "refused", Some("upstream-web-page")), ("files", "refused", Some("upstream-path-404"))];

fn variable(test: &str, name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).map(PathBuf::from);
    if value.is_none() {
        skip(test, &format!("{name} is not set"));
    }
    value
}

#[test]
fn engine_probe_tells_real_servers_apart() {
    let Some(engine) = engine("real MCP servers") else { return };
    let Some(python) = python("real MCP servers") else { return };
    let bridge = bridge();
    let (mut servers, mut routes, mut expected) = (Servers(Vec::new()), json!({}), Vec::new());
    let mut add = |prefix: &str, kinds: &[(&'static str, &'static str, Option<&'static str>)]| {
        let mut list = Vec::new();
        for (kind, state, id) in kinds {
            let (name, port) = (format!("{prefix}-{kind}"), free_port());
            routes[&name] = json!(format!("http://host.docker.internal:{port}"));
            list.push(format!("{kind}:{port}"));
            expected.push((name, *state, *id));
        }
        list
    };
    servers.python(&python, &bridge, &add("one", &ONE));
    if let Some(two) = variable("servers of mcp 2", "MCP_TUNNELS_TEST_PYTHON2") {
        servers.python(&two, &bridge, &add("two", &TWO));
    }
    if let Some(modules) = variable("servers of the TypeScript SDK", "MCP_TUNNELS_TEST_NODE_MODULES") {
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mcp_server.mjs"));
        command.arg(&bridge).args(add("node", &NODE)).env("NODE_PATH", modules);
        servers.start(command);
    }
    if let Some(rust) = variable("servers of the Rust SDK", "MCP_TUNNELS_TEST_RUST_SERVER") {
        let mut command = Command::new(rust);
        // As a server that listens on all addresses of this host.
        command.arg("0.0.0.0").args(add("rust", &RUST));
        servers.start(command);
    }
    let scratch = folder();
    if let Some(nginx) = variable("nginx", "MCP_TUNNELS_TEST_NGINX") {
        servers.nginx(&nginx, scratch.path(), &bridge, &add("nginx", &NGINX));
    }
    let stack = proxy_alone(engine, "probe", &routes, "");
    // Enough for a busy machine that runs all of them; one after the other they would take minutes.
    let patient = json!({"verbose": true, "timeout_ms": 15_000});
    let answer = stack.call(["probe"]).json(patient).bounded().run().expect(1);
    for (name, state, id) in &expected {
        assert_found(&answer, name, state, *id);
    }
    let server = |name: &str| row(&answer, name)["server"].clone();
    assert_eq!(
        server("one-sessions"),
        json!({"name": "hello", "version": "1.30.0", "protocol": "2025-11-25", "transport": "initialize", "tools": 1,
               "session": "ended"})
    );
    assert_eq!(server("one-no-delete")["session"], "not-endable");
    assert_eq!(server("one-stateless")["session"], Value::Null);
    assert_eq!(server("one-sse")["transport"], "sse");
    assert!(row(&answer, "one-slash")["url"].as_str().unwrap().ends_with("/mcp/"));
    let tried = row(&answer, "one-vhost")["tried"].as_array().unwrap();
    assert!(tried.iter().any(|entry| entry["host"].is_string() && entry["got"] == "ok"), "{tried:?}");
    if let Some(name) = expected.iter().find(|(name, ..)| name == "two-stateless").map(|(name, ..)| name) {
        assert_eq!(
            server(name),
            json!({"name": "hello", "version": "2.0", "protocol": "2026-07-28", "transport": "discover", "tools": 1})
        );
    }
    if expected.iter().any(|(name, ..)| name == "rust-open") {
        assert_eq!((&server("rust-open")["name"], &server("rust-open")["tools"]), (&json!("hello-rust"), &json!(1)));
    }
    if expected.iter().any(|(name, ..)| name == "nginx-files") {
        let evidence = finding(&answer, "nginx-files").unwrap()["evidence"].to_string();
        assert!(evidence.contains("nginx/") && evidence.contains("GET /"), "{evidence}");
    }
    // A path that a person keeps must be the right one.
    let kept = json!({"paths": {"one-sse": "/sse", "one-root": "/mcp"}, "routes": ["one-sse", "one-root"]});
    let kept = stack.call(["probe"]).json(kept).run().expect(1);
    assert_found(&kept, "one-sse", "callable", None);
    assert_found(&kept, "one-root", "refused", Some("upstream-path-other"));
    assert_nothing_left(&[]);
}

/// A CA, and certificates that it signs.
struct Authority(rcgen::CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(rcgen::CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key of a server, as files; valid for so many days from yesterday.
    fn server(&self, scratch: &Path, name: &str, host: &str, days: i64) -> [PathBuf; 2] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = OffsetDateTime::now_utc() - time::Duration::days(1);
        params.not_after = params.not_before + time::Duration::days(days);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let files = ["crt", "key"].map(|end| scratch.join(format!("{name}.{end}")));
        let texts = [params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem()];
        files.iter().zip(texts).for_each(|(file, text)| fs::write(file, text).unwrap());
        files
    }
}

#[test]
fn engine_probe_trusts_an_upstream_as_the_proxy_does() {
    const HOST: &str = "host.docker.internal";
    let Some(engine) = engine("servers that speak TLS") else { return };
    let Some(python) = python("servers that speak TLS") else { return };
    let (bridge, scratch) = (bridge(), folder());
    let (own, other) = (Authority::new("the private CA"), Authority::new("another CA"));
    let (mut list, mut routes) = (Vec::new(), json!({}));
    for (name, issuer, host, days) in [
        ("private", &own, HOST, 30),
        ("foreign", &other, HOST, 30),
        ("named", &own, "wiki.internal", 30),
        ("over", &own, HOST, 0),
    ] {
        let [crt, key] = issuer.server(scratch.path(), name, host, days);
        let port = free_port();
        routes[name] = json!(format!("https://{HOST}:{port}"));
        if name == "private" {
            routes["plain"] = json!(format!("http://{HOST}:{port}"));
        }
        list.push(format!("sessions:{port}:{}:{}", crt.display(), key.display()));
    }
    let mut servers = Servers(Vec::new());
    servers.python(&python, &bridge, &list);
    // With Mozilla's list alone the private CA is a stranger.
    let stack = Stack::new(
        engine,
        "tls",
        json!({"routes": routes, "upstream": {"tls": {"include_system_cas": true}}}),
        "healthy",
    );
    stack.compose_ok(&["up", "--detach", "--scale", "cloudflared=0"]);
    let answer = stack.call(["probe"]).run().expect(1);
    assert_found(&answer, "private", "unreachable", Some("upstream-tls-failed"));
    assert_found(&answer, "plain", "unreachable", Some("upstream-wrong-scheme"));
    fs::write(stack.dir.join("data/upstream-ca.pem"), own.0.pem()).unwrap();
    stack.call(["render"]).json(json!({"upstream": {"tls": {"ca_file": "/data/upstream-ca.pem"}}})).run().expect(0);
    stack.compose_ok(&["restart", "mcp-gateway"]);
    let answer = stack.call(["probe"]).run().expect(1);
    assert_found(&answer, "private", "callable", None);
    assert_eq!(row(&answer, "private")["server"]["name"], "hello");
    for (name, words) in [("foreign", "no CA"), ("named", "wiki.internal"), ("over", "expired")] {
        assert_found(&answer, name, "unreachable", Some("upstream-tls-failed"));
        let title = finding(&answer, name).unwrap()["title"].as_str().unwrap().to_owned();
        assert!(title.contains(words), "{title}");
    }
    assert_found(&answer, "plain", "unreachable", Some("upstream-wrong-scheme"));
}
