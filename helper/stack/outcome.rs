//! From the state of a stack and what is wrong with it to one line, the root cause and the next step: the same for
//! `up`, `status`, `restart` and `diagnose`.

use super::declared::route_id;
use super::judge::StackState;
use crate::answer::{Finding, Next, Severity, Skipped, Subject, count};
use crate::caller::Caller;
use crate::probe::row::Tunnel;
use crate::rules::{Cure, RuleId, root, weight};
use crate::steps::{self, restart_step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `up`.
    Up,
    /// `status`.
    Status,
    /// `restart`.
    Restart,
    /// `diagnose`.
    Diagnose,
}

impl Command {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Status => "status",
            Self::Restart => "restart",
            Self::Diagnose => "diagnose",
        }
    }

    /// What a summary adds.
    fn when(self) -> &'static str {
        if self == Self::Restart { " after the restart" } else { "" }
    }
}

/// Whether a finding is a mere risk to a stack that works.
fn is_risk(finding: &Finding) -> bool {
    !finding.id.rule().blocks
}

/// The finding that a summary names; risks count only while the stack works.
fn cause(ready: bool, findings: &[Finding]) -> Option<&Finding> {
    let severe = |f: &&Finding| weight(f, findings) < Severity::Note;
    let first = root(findings).filter(severe);
    let first = first.filter(|f| ready || !is_risk(f) || weight(f, findings) == Severity::Error);
    // A token that others can read does not say why nothing runs.
    let stopped = findings.iter().find(|f| f.id == RuleId::StackStopped && f.consequence_of.is_none());
    if first.is_some_and(is_risk) { stopped.or(first) } else { first }
}

/// One sentence for a person.
pub(crate) fn summary(command: Command, state: Option<&StackState>, findings: &[Finding]) -> String {
    let Some(state) = state else {
        return match root(findings).filter(|f| weight(f, findings) == Severity::Error) {
            Some(f) => f.title.clone(),
            None => "no fault was found in the files; the containers were not checked".to_owned(),
        };
    };
    let when = command.when();
    // That time is up says less than what is missing.
    let cause = cause(state.ready, findings).filter(|f| f.id != RuleId::NotLive);
    if state.ready {
        return live(state, when, cause, findings);
    }
    let is_only_routes = state.connections.is_some_and(|n| n > 0) && cause.is_some_and(is_of_route);
    if let (Some(calls), true) = (state.calls(Tunnel::There), is_only_routes) {
        return format!("the tunnel is connected{when}: {calls}");
    }
    match cause {
        Some(f) => {
            let is_other = |other: &&Finding| {
                other.severity == Severity::Error && other.consequence_of.is_none() && other.id != f.id
            };
            let others = findings.iter().filter(is_other).filter(|other| other.id != RuleId::NotLive).count();
            let others = if others > 0 { format!(" (and {})", count(others, "more fault")) } else { String::new() };
            format!("the tunnel is not ready{when}: {}{others}", f.title)
        }
        None if !state.pending.is_empty() => format!("the tunnel is not ready yet{when}: {}", state.pending.join(", ")),
        None => format!("the tunnel is not ready yet{when}: {}", state.progress()),
    }
}

/// Whether a finding is about what is behind one route.
fn is_of_route(finding: &Finding) -> bool {
    matches!(finding.subject, Some(Subject::Route { .. }))
}

fn live(state: &StackState, when: &str, cause: Option<&Finding>, findings: &[Finding]) -> String {
    let is_failed_change = |f: &Finding| f.severity == Severity::Error && !is_risk(f);
    if let Some(f) = cause.filter(|f| is_failed_change(f)) {
        return format!("the change was not applied ({}); the previous stack is still running", f.title);
    }
    let connections = match state.connections {
        Some(n) => format!("{n} of {}", count(state.wanted, "edge connection")),
        None => "connected to the edge".to_owned(),
    };
    let but = match cause {
        Some(f) if weight(f, findings) < Severity::Note => format!("; but {}", f.title),
        _ => String::new(),
    };
    // What was not checked is never called ready.
    let word = if state.is_ready() == Some(true) { "ready" } else { "connected" };
    let calls = state.calls(Tunnel::There).unwrap_or_else(|| {
        let routes: Vec<String> = state.routes.iter().map(|route| format!("`{}`", route.name)).collect();
        format!("whether Claude can call {} was not checked", routes.join(", "))
    });
    format!("the tunnel is {word}{when} ({connections}): {calls}{but}")
}

/// Adds what Compose could not do to what was seen afterwards.
pub(crate) fn add_failure(state: &mut StackState, failure: Finding, is_consequence: bool) {
    // That it came up after all makes up for a proxy that was slow, not for an image that could not be had.
    if is_consequence && state.ready || state.has(failure.id) {
        return;
    }
    if is_consequence {
        let cause = state.findings.iter().find(|f| f.severity == Severity::Error && f.consequence_of.is_none());
        let cause = cause.map(|f| f.id);
        state.findings.push(match cause {
            Some(id) => failure.caused_by(id),
            None => failure,
        });
        return;
    }
    for finding in &mut state.findings {
        if matches!(finding.id, RuleId::StackStopped | RuleId::ServiceStopped | RuleId::UpstreamDown) {
            finding.consequence_of = Some(failure.id);
        }
    }
    state.findings.insert(0, failure);
}

/// What was not checked, in the files and in the running stack, each route once.
pub(crate) fn skipped(of_files: &[Skipped], state: &StackState) -> Vec<Skipped> {
    let is_route = |skipped: &&Skipped| state.routes.iter().any(|route| skipped.id == route_id(&route.name));
    of_files.iter().filter(|skipped| !is_route(skipped)).chain(&state.skipped).cloned().collect()
}

/// The one thing to do now. `before_start` is the step without which the stack would not start.
pub(crate) fn next(
    command: Command,
    state: Option<&StackState>,
    findings: &[Finding],
    caller: &Caller,
    before_start: impl FnOnce() -> Option<Next>,
) -> Next {
    let ready = state.is_some_and(|state| state.ready);
    let cause = cause(ready, findings).filter(|f| f.id != RuleId::NotLive);
    if let Some(f) = cause {
        let step = cure(f, command, state, caller);
        let waits = match f.cure {
            Cure::Up | Cure::ByHandThen => step.is_some(),
            // What is not there yet is made in the order of the steps.
            cure => matches!(cure, Cure::Init | Cure::Look),
        };
        if let Some(step) = waits.then(before_start).flatten().or(step) {
            return step;
        }
        if command == Command::Diagnose {
            return Next::person(caller.fill(&f.fix));
        }
        if !ready || weight(f, findings) == Severity::Error {
            let what = "follow the `fix` of the first finding, then run this again";
            return Next::person(what).running(caller.command(&[command.word()]));
        }
    }
    let restart = findings.iter().filter(|f| f.consequence_of.is_none() && f.cure == Cure::Restart);
    match (ready, restart.count()) {
        (true, 1..) => restart_step(caller),
        (true, 0) => Next::helper("show how to call the tunnel from Claude", caller.command(&["connect"])),
        (false, _) => Next::helper("check again", caller.command(&["status", "--json", "{\"wait_seconds\":60}"])),
    }
}

/// The step that cures a fault, where one command does.
fn cure(finding: &Finding, command: Command, state: Option<&StackState>, caller: &Caller) -> Option<Next> {
    match finding.cure {
        // A second `up` would fail like the first.
        Cure::Up | Cure::ByHandThen if command == Command::Up => None,
        Cure::Up if finding.id == RuleId::ServiceStopped && !is_only_stopped(finding, state) => None,
        Cure::ByHandThen if finding.id != RuleId::UpstreamDown || !is_only_stopped(finding, state) => None,
        Cure::ByHandThen => Some(Next::helper("start the stack", caller.command(&["up"]))),
        Cure::Token | Cure::Allow if finding.severity != Severity::Error => None,
        Cure::Init | Cure::RotateCa | Cure::Render | Cure::Look | Cure::ByHand => None,
        Cure::Up | Cure::Restart | Cure::Token | Cure::Allow | Cure::Issue | Cure::Renew => {
            steps::cure(finding, None, caller)
        }
    }
}

/// Whether the service that a finding is about was stopped, or never created: starting it is enough.
fn is_only_stopped(finding: &Finding, state: Option<&StackState>) -> bool {
    let Some(Subject::Service { name }) = &finding.subject else { return false };
    let container = state.and_then(|state| state.containers.iter().find(|c| c.service == *name));
    container.is_none_or(|c| c.is_stopped)
}
