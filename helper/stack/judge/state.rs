//! The state of a stack, and what it is judged from.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::probe::row::{RouteRow, ServerRow, Tunnel, in_one_sentence};
use crate::probe::state::Callability;
use crate::probe::wire::Metrics;
use crate::rules::{self, RuleId};
use crate::stack::declared::Declared;
use crate::stack::snapshot::{Container, Snapshot};

/// A container in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
    /// Seconds until the engine starts it again, at most; absent unless it is in that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_start_seconds: Option<u64>,
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
    pub(crate) state: Callability,
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
    pub(crate) routes: Vec<RouteState>,
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
    /// Waiting longer is in vain.
    pub(crate) gave_up: bool,
    /// The same of what is behind a route, if it is seen again: a server may have been caught in the middle of its start.
    pub(crate) gave_up_route: bool,
    /// Servers could not be asked, or one of them did not answer this once: asking again may tell otherwise.
    pub(crate) is_worth_asking_again: bool,
    /// Neither a log nor a health check tells whether cloudflared is connected, and it was not asked.
    #[serde(skip)]
    pub(crate) only_cloudflared_knows: bool,
    /// A container that ended before has run for too short a time to tell whether it stays.
    pub(crate) recently_restarted: bool,
    /// What is on its way, in words, and needs nothing but time.
    pub(crate) pending: Vec<String>,
    /// The routes with what their servers answered, where they were asked.
    pub(crate) asked: Vec<RouteRow>,
    /// cloudflared's own numbers, where it gave them.
    #[serde(skip)]
    pub(crate) metrics: Option<Metrics>,
    /// Containers whose service the files no longer have: service, id.
    pub(crate) leftovers: Vec<(String, String)>,
}

impl StackState {
    /// Whether cloudflared has counted no request since its start: what a server logged as a call was our own.
    pub(crate) fn is_uncalled(&self) -> bool {
        self.metrics.as_ref().is_some_and(|metrics| metrics.requests == Some(0))
    }

    /// Which routes Claude can call and which not, in one sentence; `None` where none was asked.
    pub(crate) fn calls(&self, tunnel: Tunnel) -> Option<String> {
        (!self.asked.is_empty()).then(|| in_one_sentence(&self.asked, tunnel))
    }

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
        let unchecked = self.routes.iter().any(|route| route.state == Callability::NotChecked);
        if self.ready && unchecked { None } else { Some(self.ready) }
    }

    pub(crate) fn has(&self, id: RuleId) -> bool {
        self.findings.iter().any(|f| f.id == id)
    }

    /// The first error that nothing else explains.
    pub(super) fn cause(&self) -> Option<RuleId> {
        let causes = self.findings.iter().filter(|f| f.consequence_of.is_none());
        causes.filter(|f| f.severity == Severity::Error).map(|f| f.id).next()
    }
}

/// What is judged, with the two programs looked up.
pub(super) struct View<'a> {
    pub(super) declared: &'a Declared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) proxy: Option<&'a Container>,
    pub(super) cloudflared: Option<&'a Container>,
}

impl View<'_> {
    pub(super) fn container(&self, service: &str) -> Option<&Container> {
        self.snapshot.container(service).filter(|_| self.declared.has(service))
    }
}

pub(super) fn about(id: RuleId, service: &str) -> Finding {
    rules::finding(id).about(Subject::service(service))
}
