//! From what was seen of a stack to its state: pure, so that every state can be a test without Docker.

mod edge;
mod namespace;
mod programs;
mod routes;
#[cfg(test)]
pub(crate) mod tests;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use namespace::{Orphan, orphan};

use super::declared::Declared;
use super::snapshot::{Container, Snapshot};
use crate::answer::{Finding, Severity, Skipped, Subject, count};
use crate::logs::cloudflared::CONNECTIONS;
use crate::logs::patterns;
use crate::probe::judge::State;
use crate::probe::row::ServerRow;
use crate::probe::wire::Metrics;
use crate::rules::{self, RuleId};

/// A container in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ContainerState {
    /// Name of its service.
    pub(crate) service: String,
    /// `running`, `restarting`, `exited`, `created`, …, or `missing`.
    pub(crate) state: String,
    /// `healthy`, `unhealthy`, `starting`; absent without a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<String>,
    /// Seconds since its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_seconds: Option<u64>,
    /// How often it was restarted because it ended.
    pub(crate) restarts: u32,
    /// Whether it was only stopped, so that starting it is enough.
    #[serde(skip)]
    pub(crate) is_stopped: bool,
}

/// A route in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RouteState {
    /// Its name.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) upstream: String,
    /// Whether the proxy said that it read it; `null` where its log cannot tell.
    pub(crate) configured: Option<bool>,
    /// Whether the server behind it runs; `null` while it is starting, and where it cannot be seen from here.
    pub(crate) upstream_up: Option<bool>,
    /// What Claude calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Whether Claude can call it.
    pub(crate) state: State,
    /// The MCP server that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerRow>,
}

impl RouteState {
    /// Whether the server behind it was seen not to run.
    pub(crate) fn is_down(&self) -> bool {
        self.upstream_up == Some(false)
    }
}

/// The state of a stack at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StackState {
    /// Live: at least one edge connection, and every route as far as it can be seen.
    pub(crate) ready: bool,
    /// The containers, a missing one of the two programs included.
    pub(crate) containers: Vec<ContainerState>,
    /// Registered edge connections; `None` where the log cannot tell.
    pub(crate) connections: Option<u32>,
    /// How many there should be.
    pub(crate) wanted: u32,
    /// `quic` or `http2`.
    pub(crate) protocol: Option<String>,
    /// The routes.
    pub(crate) routes: Vec<RouteState>,
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
    /// Waiting longer is in vain.
    pub(crate) gave_up: bool,
    /// A container that ended before has run for too short a time to tell whether it stays.
    pub(crate) recently_restarted: bool,
    /// What is on its way, in words, and needs nothing but time.
    pub(crate) pending: Vec<String>,
    /// Which routes Claude can call and which not, in one sentence, where they were asked.
    pub(crate) calls: Option<String>,
    /// cloudflared's own numbers, where it gave them.
    #[serde(skip)]
    pub(crate) metrics: Option<Metrics>,
    /// Containers whose service the files no longer have: service, id.
    pub(crate) leftovers: Vec<(String, String)>,
}

impl StackState {
    /// A word of progress for a terminal.
    pub(crate) fn progress(&self) -> String {
        let running = self.containers.iter().filter(|c| c.state == "running").count();
        let routes = self.routes.iter().filter(|r| r.configured != Some(false)).count();
        let connections = self.connections.map_or_else(|| "?".to_owned(), |n| n.to_string());
        format!(
            "containers {running}/{}, edge connections {connections}/{}, routes {routes}/{}",
            self.containers.len(),
            self.wanted,
            self.routes.len()
        )
    }

    /// Whether there are routes, and Claude could call each of them once there is a tunnel.
    pub(crate) fn is_callable(&self) -> bool {
        !self.routes.is_empty() && self.routes.iter().all(|route| route.state.is_callable())
    }

    /// Whether everything that makes the tunnel ready was tried, and is so; `None` where something was not tried.
    pub(crate) fn is_ready(&self) -> Option<bool> {
        let unchecked = self.routes.iter().any(|route| route.state == State::NotChecked);
        if self.ready && unchecked { None } else { Some(self.ready) }
    }

    /// Whether a rule was found.
    pub(crate) fn has(&self, id: RuleId) -> bool {
        self.findings.iter().any(|f| f.id == id)
    }

    /// The first error that nothing else explains.
    fn cause(&self) -> Option<RuleId> {
        let causes = self.findings.iter().filter(|f| f.consequence_of.is_none());
        causes.filter(|f| f.severity == Severity::Error).map(|f| f.id).next()
    }
}

/// What is judged, with the two programs looked up.
struct View<'a> {
    declared: &'a Declared,
    snapshot: &'a Snapshot,
    proxy: Option<&'a Container>,
    cloudflared: Option<&'a Container>,
}

impl View<'_> {
    /// The container of a service that the files have.
    fn container(&self, service: &str) -> Option<&Container> {
        self.snapshot.container(service).filter(|_| self.declared.has(service))
    }
}

/// Judges what was seen.
pub(crate) fn judge(declared: &Declared, snapshot: &Snapshot) -> StackState {
    let mut state = StackState { wanted: CONNECTIONS, ..StackState::default() };
    if let Err(finding) = &snapshot.containers {
        state.findings.push(finding.as_ref().clone());
        state.gave_up = true;
        return state;
    }
    let (known, left): (Vec<&Container>, Vec<&Container>) =
        snapshot.all().iter().partition(|c| declared.has(&c.service));
    state.leftovers = left.iter().map(|c| (c.service.clone(), c.id.clone())).collect();
    state.containers = describe(declared, snapshot, &known);
    if known.iter().all(|c| c.has_exited()) {
        state.findings.push(stopped(declared, snapshot, &known));
        return state;
    }
    let of = |name: &str| known.iter().copied().find(|c| c.service == name);
    let services = &declared.services;
    let view = View { declared, snapshot, proxy: of(&services.proxy), cloudflared: of(&services.cloudflared) };

    let observed = snapshot.probed.as_ref().and_then(|probed| probed.observed.as_ref().ok());
    state.metrics = observed.and_then(|observed| observed.metrics.clone());

    let proxy_up = programs::judge(&view, &services.proxy, view.proxy, patterns::PROXY, &mut state);
    let shared = namespace::judge(&view, &mut state);
    let agent_up = match view.cloudflared {
        // Said already: it waits for the proxy.
        Some(c) if namespace::waits_for_proxy(c) => false,
        other => programs::judge(&view, &services.cloudflared, other, patterns::CLOUDFLARED, &mut state),
    };
    let before = state.findings.len();
    let connected = match view.cloudflared {
        Some(c) if agent_up && shared => edge::judge(&view, c, &mut state),
        _ => false,
    };
    // Without the proxy the namespace is dead, and so are the connections in it.
    if let (false, Some(cause)) = (proxy_up, state.cause()) {
        for finding in state.findings[before..].iter_mut().filter(|f| f.id != cause) {
            finding.consequence_of = Some(cause);
        }
    }
    let routed = routes::judge(&view, proxy_up, &mut state);
    programs::judge_applied(&view, &mut state);
    state.ready = proxy_up && agent_up && shared && connected && routed;
    state
}

fn stopped(declared: &Declared, snapshot: &Snapshot, known: &[&Container]) -> Finding {
    let finding = rules::finding(RuleId::StackStopped);
    let last = known.iter().filter_map(|c| c.finished).max();
    let project = &declared.project;
    finding.with(match (known.len(), last) {
        (0, _) => format!("project {project} has no containers: not started yet, or removed by `down`"),
        (n, Some(last)) => {
            format!(
                "{} of project {project} stopped, the last one {} ago",
                many(n),
                ago((snapshot.now - last).whole_seconds())
            )
        }
        (n, None) => format!("{} of project {project} stopped", many(n)),
    })
}

fn many(containers: usize) -> String {
    if containers == 1 { "the container".to_owned() } else { format!("all {containers} containers") }
}

/// A time span in its largest unit, `5 s`, `3 min`, `2 h`, `4 days`.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => count(s / 86_400, "day"),
    }
}

fn describe(declared: &Declared, snapshot: &Snapshot, containers: &[&Container]) -> Vec<ContainerState> {
    let mut states: Vec<ContainerState> = containers
        .iter()
        .map(|c| ContainerState {
            service: c.service.clone(),
            state: c.status.clone(),
            health: c.health.clone(),
            up_seconds: c.is_running().then(|| c.age(snapshot.now).as_secs()),
            restarts: c.restarts,
            is_stopped: !c.is_running() && c.restarts == 0 && !c.failed() && !c.out_of_memory,
        })
        .collect();
    for name in [&declared.services.proxy, &declared.services.cloudflared] {
        if !states.iter().any(|state| state.service == *name) {
            let (service, state) = (name.clone(), "missing".to_owned());
            states.push(ContainerState {
                service,
                state,
                health: None,
                up_seconds: None,
                restarts: 0,
                is_stopped: true,
            });
        }
    }
    states.sort_by(|a, b| a.service.cmp(&b.service));
    states
}

/// A finding about a service.
fn about(id: RuleId, service: &str) -> Finding {
    rules::finding(id).about(Subject::service(service))
}
