//! `up`, `status` and `restart`.

mod tunnel;

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::tunnel::{Calls, Connections};
use super::kept::{CertificateShort, Kept};
use super::watch;
use crate::answer::{self, Error, Finding, Next, Report, Severity};
use crate::caller::Caller;
use crate::deployment::token::TokenStateName;
use crate::deployment::{Deployment, Replica};
use crate::model::current::Current;
use crate::os::process;
use crate::probe::row::Tunnel;
use crate::render::labels;
use crate::rules::{self, Layer, RuleId};
use crate::stack::act::{Acted, Acts};
use crate::stack::ended::Ended;
use crate::stack::judge::{ContainerState, RouteState, StackState};
use crate::stack::observe::{Ask, Depth};
use crate::stack::outcome::{self, Command};
use crate::stack::wait::{Waited, limit};
use crate::stack::{self, Refusal, Stack, silence};
use crate::steps;

/// The request of `up`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UpRequest {
    /// How long to wait until it is ready, in seconds (240; a rehearsal 30).
    wait_seconds: Option<u32>,
    /// Start everything but cloudflared, without needing a token, and ask whether this side is ready.
    rehearse: bool,
}

/// The request of `status`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StatusRequest {
    /// How long to wait until it is ready, in seconds (0).
    wait_seconds: Option<u32>,
    /// Whether the servers behind the routes are asked (true).
    probe: Option<bool>,
    /// Show the state again and again, as text at a terminal; the servers are asked at most once a minute.
    watch: bool,
}

/// The request of `restart`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RestartRequest {
    /// Only these services; left out: all of them, those of the override file too.
    services: Option<BTreeSet<String>>,
    /// How long to wait until it is ready, in seconds (240).
    wait_seconds: Option<u32>,
}

/// What `up`, `status` and `restart` answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct StackData {
    /// At least one edge connection, and every route applied and callable; `null` where something was not tried.
    ready: Option<bool>,
    /// Name of the Compose project.
    pub(super) project: Option<String>,
    /// The stack's containers.
    containers: Vec<ContainerState>,
    /// Connections to the tunnel edge.
    connections: Connections,
    /// How they are made, `quic` or `http2`.
    protocol: Option<String>,
    /// Calls through the tunnel since the start of cloudflared; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Calls>,
    /// The routes.
    routes: Vec<RouteState>,
    /// The deployment that this one is a replica of.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica_of: Option<String>,
    /// The CA certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<CertificateShort>,
    /// The server certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<CertificateShort>,
    /// The token that cloudflared gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenStateName>,
    /// What was done to which service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<String>,
    /// How restarted containers had ended before: their exit codes and logs are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ended: Vec<Ended>,
    /// Milliseconds from the start of the containers (for `status`, of the command) to this answer.
    elapsed_ms: u64,
}

/// The answer of a command that did nothing.
pub(super) fn refused(
    refusal: Refusal,
    what: &str,
    command: Command,
    deployment: &Deployment,
    caller: &Caller,
) -> Report<StackData> {
    let data = StackData { ready: Some(false), project: refusal.project, ..StackData::default() };
    let why = rules::root(&refusal.findings).map_or("see the findings", |f| f.title.as_str());
    let report = Report::new(format!("{what}: {why}"), data);
    let before_start = || steps::before_start(&Current::read(deployment), deployment, caller);
    let next = vec![outcome::next(command, None, &refusal.findings, caller, before_start)];
    Report { findings: refusal.findings, skipped: refusal.skipped, next, ..report }
}

/// The command `up`.
///
/// # Errors
/// `directory` when there is no deployment directory; `io` and `tool` from docker.
pub(crate) fn up(deployment: &Deployment, request: UpRequest, caller: &mut Caller) -> Result<Report<StackData>, Error> {
    if request.rehearse {
        return rehearse(deployment, limit(request.wait_seconds, 30)?, caller);
    }
    let limit = limit(request.wait_seconds, 240)?;
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let stack = match Stack::open_checked(deployment, caller)? {
        Ok(stack) => stack,
        Err(refusal) => return Ok(refused(refusal, "nothing was started", Command::Up, deployment, caller)),
    };
    labels::refresh_labels(deployment, &stack.declared.found)?;
    let mut acts = Acts::new(&stack, lock);
    acts.revive()?;
    acts.bring_up()?;
    acts.bring_cloudflared_back()?;
    finish(&stack, acts, limit, Command::Up, caller)
}

/// `up` without the tunnel: whether Claude could call every route once there is one.
fn rehearse(deployment: &Deployment, limit: Duration, caller: &mut Caller) -> Result<Report<StackData>, Error> {
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let (stack, has_token) = match Stack::open_rehearsal(deployment, caller)? {
        Ok(opened) => opened,
        Err(refusal) => return Ok(refused(refusal, "nothing was started", Command::Up, deployment, caller)),
    };
    labels::refresh_labels(deployment, &stack.declared.found)?;
    let mut acts = Acts::new(&stack, lock);
    acts.revive()?;
    acts.bring_up_without_agent()?;
    // One that runs already keeps running, in the network of a proxy that may be a new one.
    acts.bring_cloudflared_back()?;
    let Acted { done, failed, ended } = acts.finish()?;
    let mut waited = stack.wait_for_calls(if failed.is_some() { Duration::ZERO } else { limit }, caller)?;
    let agent = &stack.declared.services.cloudflared;
    let is_of_agent = |f: &Finding| {
        f.layer == Layer::Edge || f.id == RuleId::NotLive || f.subject.as_ref().is_some_and(|s| s.is_service(agent))
    };
    let state = &mut waited.state;
    state.findings.retain(|f| !is_of_agent(f));
    state.findings.extend(failed);
    let is_ready = state.is_callable();
    // There is no tunnel that could be ready.
    state.ready = false;
    let calls = state.calls(Tunnel::Missing).unwrap_or_else(|| "no route could be asked".to_owned());
    let missing = if has_token { "cloudflared is not started" } else { "missing: token, registration of the CA" };
    let shaken = if stack.skipped.iter().any(|skipped| skipped.id.starts_with(stack::HANDSHAKE)) {
        "; the certificate's TLS handshake was not checked"
    } else {
        ", and the certificate passes a TLS handshake"
    };
    let summary = if is_ready { format!("this side is ready: {calls}{shaken}; {missing}") } else { calls };
    let mut report = report(&stack, waited, done, Command::Up, caller);
    report.data.ended = ended;
    report.summary = summary;
    if is_ready {
        report.next = vec![match has_token {
            true => Next::helper("start the tunnel", caller.command(&["up"])),
            false => steps::token_step(caller),
        }];
    }
    Ok(report)
}

/// The command `restart`: applies an edited configuration, a new token or an edited server, and brings cloudflared back
/// to the proxy.
///
/// # Errors
/// As [`up`]; `request` for a service that the files do not have.
pub(crate) fn restart(
    deployment: &Deployment,
    request: &RestartRequest,
    caller: &mut Caller,
) -> Result<Report<StackData>, Error> {
    let limit = limit(request.wait_seconds, 240)?;
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let stack = match Stack::open_checked(deployment, caller)? {
        Ok(stack) => stack,
        Err(refusal) => {
            let what = "nothing was restarted; what runs keeps running";
            return Ok(refused(refusal, what, Command::Restart, deployment, caller));
        }
    };
    stack.declared.require(request.services.iter().flatten())?;
    labels::refresh_labels(deployment, &stack.declared.found)?;
    let mut acts = Acts::new(&stack, lock);
    acts.restart(request.services.as_ref())?;
    finish(&stack, acts, limit, Command::Restart, caller)
}

/// The command `status`.
pub(crate) fn status(
    deployment: &Deployment,
    request: StatusRequest,
    caller: &mut Caller,
) -> Result<Report<StackData>, Error> {
    let limit = limit(request.wait_seconds, 0)?;
    let screen = request.watch.then_some(caller.screen).map(|screen| screen.ok_or_else(no_screen)).transpose()?;
    if screen.is_some() && request.wait_seconds.is_some() {
        return Err(Error::request(
            "`watch` does not end, so there is nothing to wait for",
            "leave out `wait_seconds`",
        ));
    }
    let stack = match Stack::open(deployment, caller)? {
        Ok(stack) => stack,
        Err(refusal) => {
            return Ok(refused(refusal, "the stack could not be checked", Command::Status, deployment, caller));
        }
    };
    let probing = request.probe.unwrap_or(true);
    if let Some(screen) = screen {
        let answer = |waited: Waited| {
            let report = report(&stack, waited, Vec::new(), Command::Status, caller);
            answer::finish("status", Ok(report), caller).0
        };
        let last = watch::watch(&stack, probing, screen, answer)?;
        return Ok(report(&stack, last, Vec::new(), Command::Status, caller));
    }
    let mut waited = stack.wait(Depth::Live, limit, if probing { Ask::OrReuse } else { Ask::No }, caller)?;
    require_live(&mut waited, limit);
    Ok(report(&stack, waited, Vec::new(), Command::Status, caller))
}

fn no_screen() -> Error {
    Error::Usage(
        "`watch` draws on a terminal, and the answer goes elsewhere, or is JSON: call `status` repeatedly".into(),
    )
}

/// After waiting in vain the exit code says so, too.
fn require_live(waited: &mut Waited, limit: Duration) {
    let late = not_live(&waited.state, waited.elapsed, limit);
    waited.state.findings.extend(late);
}

/// The finding about a stack that did not become ready within the limit and that no error explains. Without waiting, a
/// stack that was not started, or is on its way, is a state and not an error.
fn not_live(state: &StackState, elapsed: Duration, limit: Duration) -> Option<Finding> {
    let is_state = !state.pending.is_empty() || state.recently_restarted || state.has(RuleId::StackStopped);
    let on_its_way = limit.is_zero() && is_state;
    let is_explained = state.findings.iter().any(|f| f.severity == Severity::Error);
    let missing = format!("after {} s: {}", elapsed.as_secs(), state.progress());
    (!state.ready && !on_its_way && !is_explained).then(|| rules::finding(RuleId::NotLive).with(missing))
}

/// Waits for the live state and puts together what `up` and `restart` answer.
fn finish(
    stack: &Stack<'_>,
    acts: Acts<'_>,
    limit: Duration,
    command: Command,
    caller: &Caller,
) -> Result<Report<StackData>, Error> {
    let Acted { mut done, failed, ended } = acts.finish()?;
    // A proxy that crashes makes Compose fail; what is wrong with it is in its log, not in Compose's words.
    let is_consequence = failed.as_ref().is_some_and(|f| f.id == RuleId::NetnsOwnerNotRunning);
    let patience = if failed.is_some() && !is_consequence { Duration::ZERO } else { limit };
    let wait = || stack.wait(Depth::Live, patience, Ask::Now, caller);
    let (removed, waited) = process::both(|| stack.remove_left_over_network(), wait);
    let mut waited = waited?;
    if lost_its_network(&waited.state) {
        bring_back(stack, &mut waited, &mut done, limit, caller)?;
    }
    done.extend(stack.remove_left_over_sample(&waited.state)?.into_iter().chain(removed?));
    if let Some(failure) = failed {
        outcome::add_failure(&mut waited.state, failure, is_consequence);
    }
    require_live(&mut waited, limit.max(Duration::from_secs(1)));
    silence::explain(stack.deployment, &mut waited.state, caller);
    let mut report = report(stack, waited, done, command, caller);
    report.data.ended = ended;
    Ok(report)
}

/// Whether cloudflared lost its network for no other reason than that the proxy was started after it.
fn lost_its_network(state: &StackState) -> bool {
    let is_cause = |f: &Finding| {
        matches!(f.id, RuleId::ProxyNetnsOrphaned | RuleId::NetnsOwnerNotRunning) && f.consequence_of.is_none()
    };
    state.gave_up && state.findings.iter().any(is_cause)
}

/// The proxy ended and was revived while the stack came up: cloudflared is brought back once more.
fn bring_back(
    stack: &Stack<'_>,
    waited: &mut Waited,
    done: &mut Vec<String>,
    limit: Duration,
    caller: &Caller,
) -> Result<(), Error> {
    let mut acts = Acts::new(stack, stack.deployment.lock()?);
    acts.bring_cloudflared_back()?;
    let again = acts.finish()?;
    if again.done.is_empty() || again.failed.is_some() {
        return Ok(());
    }
    done.extend(again.done);
    let before = waited.elapsed;
    *waited = stack.wait(Depth::Live, limit.saturating_sub(before), Ask::Now, caller)?;
    waited.elapsed += before;
    Ok(())
}

/// What `up`, `status` and `restart` answer.
fn report(
    stack: &Stack<'_>,
    waited: Waited,
    done: Vec<String>,
    command: Command,
    caller: &Caller,
) -> Report<StackData> {
    let Waited { state, elapsed, .. } = waited;
    let summary = outcome::summary(command, Some(&state), &state.findings);
    let before_start = || steps::before_start(&stack.declared, stack.deployment, caller);
    let next = outcome::next(command, Some(&state), &state.findings, caller, before_start);
    let skipped = outcome::skipped(&stack.skipped, &state);
    let kept = Kept::of(&stack.declared, stack.deployment, caller);
    let data = StackData {
        ready: state.is_ready(),
        project: Some(stack.declared.project.clone()),
        connections: Connections::of(&state),
        calls: Calls::of(&state, &stack.declared.services.cloudflared),
        containers: state.containers,
        protocol: state.protocol,
        routes: state.routes,
        ca: kept.ca,
        server: kept.server,
        token: Some(kept.token),
        replica_of: Replica::of(stack.deployment).map(|replica| replica.origin()),
        done,
        ended: Vec::new(),
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    };
    let findings = stack.findings.iter().cloned().chain(state.findings).collect();
    Report { summary, data, findings, skipped, next: vec![next], is_whole: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_is_late_is_an_error_and_one_on_its_way_is_not() {
        let starting = || StackState { pending: vec!["`wiki` is starting (9 s)".to_owned()], ..StackState::default() };
        let explained = || {
            let findings = vec![rules::finding(RuleId::CrashLoop)];
            StackState { findings, ..starting() }
        };
        let ids = |state: StackState, limit| {
            not_live(&state, Duration::from_secs(limit), Duration::from_secs(limit)).map(|finding| finding.id)
        };
        assert_eq!(ids(starting(), 60), Some(RuleId::NotLive));
        assert_eq!(ids(StackState::default(), 0), Some(RuleId::NotLive));
        assert_eq!(ids(starting(), 0), None);
        assert_eq!(ids(StackState { ready: true, ..StackState::default() }, 60), None);
        assert_eq!(ids(explained(), 60), None);
    }
}
