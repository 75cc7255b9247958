//! The live judge on snapshots that are made here: every state without Docker.
//!
//! A state is expected as `ready` or not, the next step, and the ids of its findings, each with the one that explains it
//! (`crash-loop < proxy-key-denied`). What is only a note is left out.

mod edge;
mod namespace;
mod programs;
mod routes;

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use super::{StackState, judge};
use crate::answer::{Finding, Severity, Who};
use crate::caller::Caller;
use crate::engine::container::Endpoint;
use crate::logs::Logs;
use crate::logs::matcher::Writer;
use crate::model::current::Current;
use crate::model::found::Found;
use crate::stack::declared::Declared;
use crate::stack::outcome::{self, Command};
use crate::stack::snapshot::{Container, Files, LastLine, Printed, Snapshot};

/// The engine's time.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-22 21:00 UTC);
/// When everything was started.
const STARTED: OffsetDateTime = datetime!(2026-11-22 20:50 UTC);

const COMPOSE: &str = "
name: mcp-tunnel-abcd1234
services:
  mcp-gateway:
    image: x/mcp-proxy
    volumes: ['./config/mcp-gateway.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']
  cloudflared:
    image: cloudflare/cloudflared
    network_mode: 'service:mcp-gateway'
  own: { image: y }
";

const GATEWAY: &str = "
listen_addr: ':8080'
tunnel_domain: abcd1234.tunnel.anthropic.com
tls: { cert_file: /data/tls.crt, key_file: /data/tls.key }
routes: { own: 'http://own:9000' }
";

#[derive(Clone)]
pub(crate) struct Fixture {
    compose: String,
    gateway: String,
    pub(crate) snapshot: Snapshot,
    texts: BTreeMap<String, Vec<(OffsetDateTime, String)>>,
}

fn container(service: &str, id: &str) -> Container {
    Container {
        id: id.repeat(32),
        name: format!("mcp-tunnel-abcd1234-{service}-1"),
        service: service.to_owned(),
        status: "running".to_owned(),
        started: Some(STARTED),
        is_revived: true,
        ..Container::default()
    }
}

fn endpoint(network: &str, address: &str) -> Endpoint {
    Endpoint {
        network: network.to_owned(),
        address: address.parse().ok(),
        gateway: "172.18.0.1".parse().ok(),
        aliases: Vec::new(),
    }
}

pub(crate) fn registered(index: u8) -> String {
    format!(
        "INF Registered tunnel connection connIndex={index} connection=c{index} event=0 ip=198.41.200.1 location=sjc08 protocol=quic"
    )
}

/// What cloudflared prints as it starts.
pub(crate) const AGENT_START: [&str; 2] = [
    "INF Starting tunnel tunnelID=a8dfb6b4-68cf-4a03-88e7-08ee60111e8c",
    "INF Settings: map[no-autoupdate:true url:http://localhost:8080]",
];

impl Fixture {
    /// Everything runs, four connections, one route; the proxy was started a moment before cloudflared.
    pub(crate) fn live() -> Self {
        let files = Files { config_written: Some(STARTED - Duration::from_secs(60)), ..Files::default() };
        let snapshot = Snapshot::empty(NOW, Logs::new(None).unwrap(), files);
        let live = Self { compose: COMPOSE.into(), gateway: GATEWAY.into(), snapshot, texts: BTreeMap::new() };
        let connections: Vec<String> = (0..4).map(registered).collect();
        live.with(container("mcp-gateway", "aa"))
            .with(container("own", "cc"))
            .with(Container {
                network_of: Some("aa".repeat(32)),
                started: Some(STARTED + Duration::from_secs(1)),
                ..container("cloudflared", "bb")
            })
            .change("mcp-gateway", |c| c.endpoints = vec![endpoint("default", "172.18.0.2")])
            .change("own", |c| c.endpoints = vec![endpoint("default", "172.18.0.3")])
            .prints("mcp-gateway", &["level=INFO msg=\"route configured\" subdomain=own upstream=http://own:9000"])
            .prints("cloudflared", &AGENT_START)
            .prints("cloudflared", &connections)
    }

    /// With another container, or a changed one.
    pub(crate) fn with(mut self, container: Container) -> Self {
        self = self.without(&container.service.clone());
        self.all().push(container);
        self
    }

    /// Without the container of a service.
    pub(crate) fn without(mut self, service: &str) -> Self {
        self.all().retain(|c| c.service != service);
        self
    }

    fn all(&mut self) -> &mut Vec<Container> {
        self.snapshot.containers.as_mut().unwrap()
    }

    pub(crate) fn change(mut self, service: &str, change: impl FnOnce(&mut Container)) -> Self {
        change(self.all().iter_mut().find(|c| c.service == service).unwrap());
        self
    }

    /// With a text of the compose file or the proxy's configuration replaced.
    pub(crate) fn files(mut self, old: &str, new: &str) -> Self {
        let (compose, gateway) = (self.compose.replace(old, new), self.gateway.replace(old, new));
        assert!(compose != self.compose || gateway != self.gateway, "`{old}` is not there");
        (self.compose, self.gateway) = (compose, gateway);
        self
    }

    /// With another route.
    pub(crate) fn leads_to(self, upstream: &str) -> Self {
        self.files("http://own:9000", upstream)
    }

    /// With lines of a service, one a second after what it printed before.
    pub(crate) fn prints<S: AsRef<str>>(mut self, service: &str, lines: &[S]) -> Self {
        let started = self.snapshot.container(service).and_then(|c| c.started).unwrap_or(STARTED);
        let texts = self.texts.entry(service.to_owned()).or_default();
        for line in lines {
            let at = texts.last().map_or(started, |(at, _)| *at + Duration::from_secs(1));
            texts.push((at, line.as_ref().to_owned()));
        }
        self
    }

    /// With nothing else printed by a service.
    pub(crate) fn only_prints<S: AsRef<str>>(mut self, service: &str, lines: &[S]) -> Self {
        self.texts.remove(service);
        self.prints(service, lines)
    }

    /// With a program that ended with these last lines, again and again or for good.
    pub(crate) fn ended(mut self, service: &str, status: &str, restarts: u32, last: &[&str]) -> Self {
        self.texts.remove(service);
        let at = Some(NOW - Duration::from_secs(3));
        let last = last.iter().map(|line| LastLine { at, text: (*line).to_owned() }).collect();
        self.snapshot.last_lines.insert(service.to_owned(), last);
        self.change(service, |c| {
            (c.status, c.restarts, c.exit_code) = (status.to_owned(), restarts, 1);
            c.finished = Some(NOW - Duration::from_secs(2));
        })
    }

    /// What the files say.
    pub(crate) fn declared(&self) -> Declared {
        let found = Found::of_text(&self.compose);
        Declared { project: "mcp-tunnel-abcd1234".into(), current: Current::of_texts(found, &self.gateway) }
    }

    /// What is seen, with the logs read.
    pub(crate) fn seen(&self) -> (Declared, Snapshot) {
        let declared = self.declared();
        let mut snapshot = self.snapshot.clone();
        for container in snapshot.containers.clone().unwrap_or_default() {
            let service = &container.service;
            let texts = self.texts.get(service).map(Vec::as_slice).unwrap_or_default();
            let writer = match service {
                name if *name == declared.services.proxy => Writer::Proxy,
                name if *name == declared.services.cloudflared => Writer::Agent,
                _ => Writer::Server,
            };
            snapshot.logs.know(service, writer);
            for (at, text) in texts {
                snapshot.logs.entry(service, Some(at.unix_timestamp()), text);
            }
            let lines = texts.len() as u64;
            let first = texts.first().map(|(at, _)| *at);
            let printed = Printed { readable: true, first, lines, bytes: 40 * lines };
            snapshot.printed.entry(service.clone()).or_insert(printed);
        }
        (declared, snapshot)
    }

    /// As `status` judges it.
    pub(crate) fn judge(&self) -> StackState {
        let (declared, snapshot) = self.seen();
        judge(&declared, &snapshot)
    }
}

/// The findings that are more than notes, each with what explains it, in the order of an answer.
pub(crate) fn ids(findings: &[Finding]) -> Vec<String> {
    let ordered = crate::rules::order(findings.to_vec());
    let mut ids: Vec<String> = Vec::new();
    for finding in ordered.iter().filter(|f| f.severity < Severity::Note) {
        let id = match finding.consequence_of {
            Some(cause) => format!("{} < {cause}", finding.id),
            None => finding.id.to_string(),
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// One word for the next step.
fn step(command: Command, state: &StackState, findings: &[Finding]) -> String {
    let caller = Caller::from_process();
    let next = outcome::next(command, Some(state), findings, &caller, || None);
    if next.who == Who::Person && !next.command.as_ref().is_some_and(|command| command.ends_with("token set")) {
        return "by hand".to_owned();
    }
    let words = ["token set", "restart", "connect", "up", "status", "diagnose"];
    let command = next.command.unwrap_or_default();
    let word = words.into_iter().find(|word| command.split_once(' ').is_some_and(|(_, c)| c.starts_with(word)));
    word.unwrap_or("by hand").to_owned()
}

/// Judges a state as `status` does. The summary must name the root cause, and the state must be plain data.
pub(crate) fn expect(fixture: &Fixture, ready: bool, next: &str, expected: &[&str]) {
    let state = fixture.judge();
    assert_eq!(ids(&state.findings), expected, "{state:#?}");
    assert_eq!(state.ready, ready, "{state:#?}");
    assert_eq!(step(Command::Status, &state, &state.findings), next, "{state:#?}");
    let summary = outcome::summary(Command::Status, Some(&state), &state.findings);
    let root = crate::rules::root(&state.findings).filter(|f| f.severity == Severity::Error);
    if let Some(root) = root.filter(|_| !ready) {
        assert!(summary.contains(&root.title), "{summary}");
    }
    assert_eq!(summary.contains("not ready"), !ready, "{summary}");
    let (_, snapshot) = fixture.seen();
    assert!(serde_json::to_string(&snapshot).is_ok() && serde_json::to_string(&state).is_ok());
}

/// One test a state: name, fixture, ready, next step, findings.
macro_rules! states {
    ($($name:ident: $fixture:expr => $ready:literal, $next:literal, $expected:expr;)*) => {
        $(#[test] fn $name() { $crate::stack::judge::tests::expect(&$fixture, $ready, $next, &$expected); })*
    };
}
pub(crate) use states;
