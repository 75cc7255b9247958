//! The checks over facts that are made here: no directory, no Compose.

use std::collections::BTreeMap;

use super::checks::judge;
use super::facts::Facts;
use crate::deployment::modes::{self, Places};
use crate::deployment::{TokenState, path};
use crate::model::mounts::MountSource;
use crate::model::packages::Unbounded;
use crate::model::pair::PairFile;
use crate::model::runs::{Certainty, Cure, Listening, Place};
use crate::model::token::{AgentToken, TokenOrigin};
use crate::os::git::GitState;
use crate::rules::Absence;

const COMPOSE: &str = "
name: mcp-tunnel-abcd1234
services:
  mcp-gateway:
    image: us-docker.pkg.dev/x/mcp-proxy@sha256:0
    volumes: ['./config/mcp-gateway.yaml:/etc/mcp-gateway/config.yaml:ro', './certs:/data:ro']
  cloudflared:
    image: cloudflare/cloudflared@sha256:0
    network_mode: 'service:mcp-gateway'
  wiki: { image: 'python:3.13', volumes: ['./server.py:/server.py:ro'] }
";

const GATEWAY: &str = "
listen_addr: ':8080'
tunnel_domain: abcd1234.tunnel.anthropic.com
tls: { cert_file: /data/tls.crt, key_file: /data/tls.key }
upstream: { tls: { ca_file: /data/own-ca.pem } }
routes: { wiki: 'http://wiki:8000' }
";

fn facts() -> Facts {
    let inside = |path: &str| PairFile::Inside(path.into());
    let pair = (inside("certs/tls.crt"), inside("certs/tls.key"));
    Facts { pair, ..Facts::of_texts(COMPOSE, GATEWAY) }
}

fn with_mode(inside: &str, mode: u32) -> Places {
    let place = modes::Place { is_file: true, is_dir: false, mode, uid: 1000, gid: 1000, is_read_only: false };
    Places::made(&[(inside, place)], 1000)
}

/// The findings that `facts` have and plain facts have not: rule, and what it is about.
fn further(facts: &Facts) -> Vec<String> {
    let ids = |facts: &Facts| -> Vec<String> {
        let subject = |finding: &crate::answer::Finding| serde_json::to_value(&finding.subject).unwrap();
        let shown = |finding: &crate::answer::Finding| {
            let of = subject(finding);
            format!("{} {}", finding.id.as_str(), of["name"].as_str().or(of["path"].as_str()).unwrap_or_default())
        };
        judge(facts).findings.iter().map(shown).collect()
    };
    let usual = ids(&self::facts());
    ids(facts).into_iter().filter(|id| !usual.contains(id)).collect()
}

#[test]
fn what_a_server_listens_on_is_a_fact() {
    let place = |certainty| Place { file: None, words: "`--host`".into(), certainty, cure: Cure::Unknown };
    let known = |listening: Listening| {
        let servers = BTreeMap::from([(("wiki".to_owned(), 8000), listening)]);
        further(&Facts { servers, ..facts() })
    };
    let loopback = |certainty| Listening { loopback: Some(place(certainty)), ..Listening::default() };
    assert_eq!(known(loopback(Certainty::Sure)), ["upstream-bind-loopback wiki"]);
    assert_eq!(known(loopback(Certainty::Likely)), ["upstream-bind-loopback wiki"]);
    assert_eq!(known(loopback(Certainty::Guess)), ["upstream-unverified wiki"]);
    let port = |port| Listening { port: Some((port, place(Certainty::Sure))), ..Listening::default() };
    assert_eq!(known(port(9000)), ["upstream-wrong-port wiki"]);
    assert_eq!(known(port(8000)), [""; 0]);
}

#[test]
fn a_package_without_a_bound_is_a_fact() {
    let unbounded = Unbounded {
        service: "wiki".into(),
        installed_by: "wiki/requirements.txt".into(),
        asked: None,
        script: "server.py".into(),
    };
    assert_eq!(further(&Facts { unbounded: vec![unbounded], ..facts() }), ["mcp-sdk-v2 wiki"]);
}

#[test]
fn an_absent_certificate_is_a_fact() {
    let nothing = || Some(Absence::Nothing { other: Some("certs/tls.crt".into()) });
    let found = further(&Facts { absent_pair: [nothing(), nothing()], ..facts() });
    assert_eq!(found, [format!("proxy-cert-missing {}", path::GATEWAY)]);
    let dead_links = vec![("certs/tls.crt".to_owned(), "../live/tls.crt".to_owned())];
    assert_eq!(further(&Facts { dead_links, ..facts() }), ["proxy-cert-missing certs/tls.crt"]);
}

#[test]
fn modes_are_facts() {
    assert_eq!(further(&Facts { places: with_mode(path::ENV, 0o644), ..facts() }), ["env-readable .env"]);
    assert_eq!(further(&Facts { places: with_mode(path::CA_KEY, 0o660), ..facts() }), ["key-writable data/ca.key"]);
    let gateway = further(&Facts { places: with_mode(path::GATEWAY, 0o600), ..facts() });
    assert_eq!(gateway, [format!("proxy-config-denied {}", path::GATEWAY)]);
    // The file is there, so it is not missing any more.
    let has_ca = |facts: &Facts| judge(facts).findings.iter().all(|f| f.id.as_str() != "upstream-ca-missing");
    assert!(!has_ca(&facts()));
    assert!(has_ca(&Facts { places: with_mode("certs/own-ca.pem", 0o644), ..facts() }));
    assert!(!has_ca(&Facts { places: with_mode("certs/own-ca.pem", 0o600), ..facts() }));
}

#[test]
fn what_is_mounted_and_what_git_has_are_facts() {
    let mounted = BTreeMap::from([("server.py".to_owned(), MountSource::Missing)]);
    assert_eq!(further(&Facts { mounted, ..facts() }), ["mount-missing wiki"]);
    let found = further(&Facts { git_key: Some(GitState::Tracked), ..facts() });
    assert_eq!(found, ["git-tracked data/ca.key"]);
    let foreign_data = vec!["dump.sql".to_owned()];
    assert_eq!(further(&Facts { foreign_data, ..facts() }), ["data-shared data"]);
}

#[test]
fn a_token_in_a_closed_file_is_a_fact() {
    let token = || AgentToken { origin: TokenOrigin::File("token.txt".into()), state: TokenState::Missing };
    let places = with_mode("token.txt", 0o600);
    assert!(further(&Facts { token: token(), places, ..facts() }).contains(&"token-file-unreadable token.txt".into()));
    let open = further(&Facts { token: token(), places: with_mode("token.txt", 0o644), ..facts() });
    assert!(!open.iter().any(|id| id.starts_with("token-file-unreadable")), "{open:?}");
}
