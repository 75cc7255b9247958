//! From what was seen of a stack to its state: pure, so that every state can be a test without Docker.

mod edge;
mod namespace;
mod programs;
mod routes;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use namespace::{Orphan, orphan};
pub(crate) use state::{ContainerState, RouteState, StackState};

use self::state::View;

use super::declared::Declared;
use super::snapshot::{Container, Snapshot};
use crate::answer::{Finding, Severity};
use crate::logs::cloudflared::CONNECTIONS;
use crate::logs::patterns;
use crate::rules::{self, RuleId};

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

    state.metrics = snapshot.metrics.clone();

    let proxy_up = programs::judge(&view, &services.proxy, view.proxy, patterns::PROXY, &mut state);
    let reaches = namespace::judge(&view, &mut state);
    let agent_up = match view.cloudflared {
        // Said already: it waits for the proxy.
        Some(c) if c.network_of.is_some() && namespace::waits_for_proxy(c) => false,
        other => programs::judge(&view, &services.cloudflared, other, patterns::CLOUDFLARED, &mut state),
    };
    let before = state.findings.len();
    let connected = match view.cloudflared {
        Some(c) if agent_up && reaches => edge::judge(&view, c, &mut state),
        _ => false,
    };
    // Without the proxy its namespace is dead, and so are the connections in it.
    let lives_with_proxy = view.cloudflared.is_some_and(|c| c.network_of.is_some());
    if let (false, true, Some(cause)) = (proxy_up, lives_with_proxy, state.cause()) {
        for finding in state.findings[before..].iter_mut().filter(|f| f.id != cause) {
            finding.consequence_of = Some(cause);
        }
    }
    let routed = routes::judge(&view, proxy_up, &mut state);
    programs::judge_applied(&view, &mut state);
    state.ready = proxy_up && agent_up && reaches && connected && routed;
    rules::date(state.findings.iter_mut().flat_map(|f| &mut f.evidence), snapshot.now);
    state
}

fn stopped(declared: &Declared, snapshot: &Snapshot, known: &[&Container]) -> Finding {
    let finding = rules::finding(RuleId::StackStopped);
    // Not started yet, or taken down: a state, no fault.
    let finding = if known.is_empty() { finding.with_severity(Severity::Warning) } else { finding };
    let last = known.iter().filter_map(|c| c.finished).max();
    let project = &declared.project;
    finding.with(match (known.len(), last) {
        (0, _) => format!("project {project} has no containers: not started yet, or removed by `down`"),
        (n, Some(last)) => {
            format!(
                "{} of project {project} stopped, the last one {} ago",
                many(n),
                rules::ago((snapshot.now - last).whole_seconds())
            )
        }
        (n, None) => format!("{} of project {project} stopped", many(n)),
    })
}

fn many(containers: usize) -> String {
    if containers == 1 { "the container".to_owned() } else { format!("all {containers} containers") }
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
            next_start_seconds: c.next_start(snapshot.now).map(|wait| wait.as_secs_f64().ceil() as u64),
            is_stopped: !c.is_running() && c.restarts == 0 && !c.failed() && !c.out_of_memory,
        })
        .collect();
    for name in [&declared.services.proxy, &declared.services.cloudflared] {
        if !states.iter().any(|state| state.service == *name) {
            let (service, state) = (name.clone(), "missing".to_owned());
            states.push(ContainerState { service, state, is_stopped: true, ..ContainerState::default() });
        }
    }
    states.sort_by(|a, b| a.service.cmp(&b.service));
    states
}
