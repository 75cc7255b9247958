//! Servers for the network probes: real ones (`tests/python/edge.py`), each test with addresses of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use super::{folder, skip};

/// The names that the helper asks for.
pub(crate) const SRV: &str = "_v2-origintunneld._tcp.argotunnel.com";
pub(crate) const REGIONS: [&str; 2] = ["region1.v2.argotunnel.com", "region2.v2.argotunnel.com"];
pub(crate) const SERVERS: [&str; 3] = ["api.anthropic.com", "us-docker.pkg.dev", "registry-1.docker.io"];
const DNS_PORT: u16 = 10053;
const EDGE_PORT: u16 = 17844;
const TLS_PORT: u16 = 10443;

/// The Python with the servers' packages; says so where it is missing.
pub(crate) fn python(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os("MCP_TUNNELS_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        skip(test, "MCP_TUNNELS_TEST_PYTHON names no Python with tests/python/requirements.txt");
    }
    python
}

/// What the servers do. Everything answers, until a test says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct World {
    folder: std::sync::Arc<tempfile::TempDir>,
    net: String,
    /// What dnslib says, by name and type.
    pub(crate) records: Value,
    /// How it misbehaves, by name or `*`.
    pub(crate) modes: Value,
    /// What is behind UDP 7844 of each region: `quic`, `echo`, `garbage`, `silent`, or nothing.
    pub(crate) udp: [Option<&'static str>; 2],
    /// Whether something listens on TCP 7844 of each region.
    pub(crate) tcp: [bool; 2],
    /// Who issued the certificate that it shows; an empty name listens and says nothing.
    pub(crate) edge_issuer: &'static str,
    /// Names in each server's certificate, who issues it, and how it behaves.
    pub(crate) tls: [Tls; 3],
    /// At most TLS 1.2.
    pub(crate) tls12: bool,
}

/// A server on port 443.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) host: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) behaviour: &'static str,
    pub(crate) expired: bool,
}

/// Whom the tests trust in place of the public CAs.
pub(crate) const PUBLIC: &str = "Public Test Root";

/// Running servers; gone when dropped.
pub(crate) struct Running {
    child: Child,
    /// For `MCP_TUNNELS_TEST_DESTINATIONS`.
    pub(crate) destinations: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    /// Everything answers as it should.
    pub(crate) fn healthy() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let net = format!("127.{}.{}", 20 + std::process::id() % 200, NEXT.fetch_add(1, Ordering::Relaxed));
        Self::at(&net)
    }

    fn at(net: &str) -> Self {
        let mut records = json!({format!("{SRV} SRV"): REGIONS});
        for (at, region) in REGIONS.iter().enumerate() {
            records[format!("{region} A")] = json!([format!("{net}.{}", at + 1)]);
        }
        for (at, server) in SERVERS.iter().enumerate() {
            records[format!("{server} A")] = json!([format!("{net}.{}", at + 11)]);
        }
        Self {
            folder: std::sync::Arc::new(folder()),
            net: net.to_owned(),
            records,
            modes: json!({}),
            udp: [Some("quic"); 2],
            tcp: [true; 2],
            edge_issuer: "CloudFlare, Inc.",
            tls: SERVERS.map(|host| Tls { host, issuer: PUBLIC, behaviour: "0", expired: false }),
            tls12: false,
        }
    }

    /// A region's address, or with 10 more a server's.
    pub(crate) fn address(&self, last: usize) -> String {
        format!("{}.{last}", self.net)
    }

    /// The configuration of `edge.py`, with certificates made for it.
    pub(crate) fn config(&self, dns: u16, edge: u16, tls: u16) -> Value {
        let dir = self.folder.path();
        let (cert, key) =
            certificate(dir, "edge", &Tls { host: "edge", issuer: PUBLIC, behaviour: "", expired: false });
        let udp: Vec<Value> = self
            .udp
            .iter()
            .enumerate()
            .filter_map(|(at, mode)| Some(json!([self.address(at + 1), edge, (*mode)?])))
            .collect();
        let open = (1..=2).filter(|at| self.tcp[at - 1]).map(|at| self.address(at));
        let (tcp, shown): (Vec<Value>, Vec<Value>) = if self.edge_issuer.is_empty() {
            (open.map(|address| json!([address, edge])).collect(), Vec::new())
        } else {
            let edge_tls = Tls { host: "h2.cftunnel.com", issuer: self.edge_issuer, behaviour: "hold", expired: false };
            let (cert, key) = certificate(dir, "h2", &edge_tls);
            (Vec::new(), open.map(|address| json!([address, edge, cert, key, edge_tls.behaviour])).collect())
        };
        let mut servers: Vec<Value> = self
            .tls
            .iter()
            .enumerate()
            .map(|(at, server)| {
                let (cert, key) = certificate(dir, &at.to_string(), server);
                json!([self.address(at + 11), tls, cert, key, server.behaviour])
            })
            .collect();
        servers.extend(shown);
        json!({
            "dns": {"listen": [self.address(53), dns], "records": self.records, "modes": self.modes},
            "udp": udp, "tcp": tcp, "tls": servers, "tls12": self.tls12, "cert": cert, "key": key,
        })
    }

    /// Starts the servers on loopback.
    pub(crate) fn start(&self, python: &Path) -> Running {
        let config = self.config(DNS_PORT, EDGE_PORT, TLS_PORT);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/edge.py");
        let mut command = Command::new(python);
        command.arg(script).arg(config.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the servers do not start");
        Running { child, destinations: self.destinations() }
    }

    /// Where the helper is to look.
    pub(crate) fn destinations(&self) -> Value {
        json!({
            "resolvers": [format!("{}:{DNS_PORT}", self.address(53))],
            "edge_port": EDGE_PORT, "tls_port": TLS_PORT, "roots": self.folder.path().join(format!("{PUBLIC}.pem")),
        })
    }

    /// The same with the addresses and ports of the real edge, for a namespace of its own.
    pub(crate) fn real() -> Self {
        let mut world = Self::at("198.41.192");
        world.records[format!("{} A", REGIONS[1])] = json!(["198.41.192.2"]);
        world
    }
}

/// Makes a certificate and its key; returns their paths.
fn certificate(dir: &Path, name: &str, server: &Tls) -> (PathBuf, PathBuf) {
    let root = dir.join(format!("{}.pem", server.issuer));
    let root_key = dir.join(format!("{}.key", server.issuer));
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, server.issuer);
    ca.distinguished_name.push(DnType::OrganizationName, "Test Ltd");
    if !root.exists() {
        let key = KeyPair::generate().unwrap();
        std::fs::write(&root, ca.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&root_key, key.serialize_pem()).unwrap();
    }
    let ca_key = KeyPair::from_pem(&std::fs::read_to_string(root_key).unwrap()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let mut params = CertificateParams::new([server.host.to_owned()]).unwrap();
    if server.expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap();
    let paths = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    std::fs::write(&paths.0, cert.pem()).unwrap();
    std::fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}

/// A `docker` that answers as a healthy one, with the rest of a shell `case` in front for what is to differ.
pub(crate) fn fake_docker(special: &str) -> String {
    format!(
        r#"#!/bin/sh
case "$*" in
{special}
"version --format {{{{.Server.Version}}}}") echo 28.2.2 ;;
version*) echo '{{"Client":{{"Version":"28.2.2","Context":"default"}},"Server":{{"Version":"28.2.2","Components":[{{"Name":"Engine"}}]}}}}' ;;
info*) echo '{{"ServerVersion":"28.2.2","OperatingSystem":"Debian","Architecture":"x86_64","SecurityOptions":["name=seccomp,profile=builtin"],"DockerRootDir":"/","HttpProxy":"","HttpsProxy":""}}' ;;
"compose version"*) echo 2.40.3 ;;
"context inspect"*) echo unix:///var/run/docker.sock ;;
"image inspect"*) echo '[]'; exit 1 ;;
network\ ls*|ps*) ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"#
    )
}
