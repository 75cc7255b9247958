//! cloudflared's connections to the tunnel's edge.

use std::time::Duration;

use time::OffsetDateTime;

use super::super::snapshot::{Container, Printed};
use super::state::{StackState, View};
use crate::answer::{Finding, Layer, Severity, Skipped};
use crate::logs::cloudflared::LogFacts;
use crate::logs::fault::Fault;
use crate::logs::{self, stream::Stream};
use crate::rules::{self, RuleId};

/// A cloudflared without a complaint may take this long until its first connection.
const FIRST_CONTACT: Duration = Duration::from_secs(15);
/// cloudflared makes its connections one after the other; this long after its start, fewer than wanted are a finding.
const STILL_CONNECTING: Duration = Duration::from_secs(15);
/// A log that holds less may have lost its first lines within the first second, in bytes.
const SMALL_LOG: u64 = 256 << 10;

/// Whether a line that is missing was really not printed: the log can be read, reaches back to the start of this life,
/// and nothing was rotated away.
pub(super) fn is_whole(printed: Option<&Printed>, stream: Option<&Stream>, c: &Container, now: OffsetDateTime) -> bool {
    let Some(printed) = printed.filter(|printed| printed.readable) else { return false };
    if stream.is_some_and(|stream| stream.agent.starts > 0) {
        return true;
    }
    if c.log_capacity.is_some_and(|bytes| bytes < SMALL_LOG) {
        return false;
    }
    match (printed.first, c.started) {
        (Some(first), Some(started)) => first <= started + Duration::from_secs(2),
        // Nothing printed yet proves something only while it is still early.
        (None, Some(_)) => c.age(now) < Duration::from_secs(60),
        (_, None) => false,
    }
}

/// Whether at least one connection is registered.
pub(super) fn judge(view: &View<'_>, cloudflared: &Container, state: &mut StackState) -> bool {
    let now = view.snapshot.now;
    let service = &cloudflared.service;
    let Some(stream) = view.snapshot.logs.of(service) else {
        return judge_health(cloudflared, "its log is empty", state);
    };
    state.wanted = stream.agent.wanted_of(cloudflared.asked_connections);
    state.protocol = stream.agent.protocol.clone();
    let prints = cloudflared.log_level.as_deref().is_none_or(|level| matches!(level, "info" | "debug"));
    if !prints {
        return judge_health(cloudflared, "its log level does not print them", state);
    }
    if !is_whole(view.snapshot.printed.get(service), Some(stream), cloudflared, now) {
        return judge_health(cloudflared, "its log does not reach back to its start", state);
    }
    let registered = stream.agent.up();
    let registered = state.metrics.as_ref().and_then(|metrics| metrics.connections).unwrap_or(registered);
    state.connections = Some(registered);
    if let Some(fault @ Fault { rule: Some(rule), .. }) = stream.proof() {
        let finding = rules::finding(*rule).with(logs::quote("", fault));
        // The connections that are there go on without it.
        let works = registered > 0;
        state.findings.push(if works { finding.with_severity(Severity::Warning) } else { finding });
        state.gave_up |= !works;
        return works;
    }
    match registered {
        0 => judge_none(stream, cloudflared.age(now), state),
        n if n < state.wanted => judge_fewer(stream, cloudflared.age(now), n, state),
        _ => {}
    }
    registered > 0
}

/// Where the log cannot tell, cloudflared's own numbers do, otherwise its health check.
fn judge_health(cloudflared: &Container, why: &str, state: &mut StackState) -> bool {
    if let Some(connections) = state.metrics.as_ref().and_then(|metrics| metrics.connections) {
        state.connections = Some(connections);
        if connections == 0 {
            let text = format!("`{}` says that it has no connection; {why}", cloudflared.service);
            state.findings.push(rules::finding(RuleId::EdgeNotRegistered).with(text));
        }
        return connections > 0;
    }
    match cloudflared.health.as_deref() {
        Some("healthy") => true,
        Some("unhealthy") => {
            let text = format!("the health check of `{}` fails; {why}", cloudflared.service);
            state.findings.push(rules::finding(RuleId::EdgeNotRegistered).with(text));
            false
        }
        Some(_) => {
            state.pending.push(format!("`{}` is starting", cloudflared.service));
            false
        }
        None => {
            state.skipped.push(Skipped::new("connections", format!("{why}, and it has no health check")));
            state.only_cloudflared_knows = true;
            false
        }
    }
}

fn judge_fewer(stream: &Stream, age: Duration, registered: u32, state: &mut StackState) {
    let complaint = stream.agent.complaint.clone();
    if age < STILL_CONNECTING {
        state.pending.push(format!("{registered} of {} edge connections", state.wanted));
        if complaint.is_none() {
            return;
        }
    }
    let text = format!("{registered} of {} are registered", state.wanted);
    let finding = rules::finding(RuleId::EdgePartial).with(text);
    state.findings.push(finding.with_all(complaint));
}

fn judge_none(stream: &Stream, age: Duration, state: &mut StackState) {
    let is_cause =
        |f: &Finding| f.layer == Layer::Edge && f.severity != Severity::Note && f.id != RuleId::EdgeNotRegistered;
    let case = LogFacts { faults: &stream.faults, last: stream.last, with_proxy: true, whose: "" };
    let judged = stream.agent.judge(&case);
    let causes: Vec<Finding> = judged.into_iter().filter(is_cause).collect();
    if causes.is_empty() && stream.agent.complaint.is_none() && age < FIRST_CONTACT {
        state.pending.push(format!("0 of {} edge connections", state.wanted));
        return;
    }
    let mut finding = rules::finding(RuleId::EdgeNotRegistered);
    finding.consequence_of = causes.iter().find(|f| f.consequence_of.is_none()).map(|f| f.id);
    state.findings.extend(causes);
    state.findings.push(finding.with_all(stream.agent.complaint.clone()));
}
