//! Why a stack has no connection to the edge: what this host itself reaches.

use std::time::Duration;

use super::judge::StackState;
use crate::answer::{Evidence, Severity};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::preflight;
use crate::rules::{self, RuleId};

/// Who waited for a connection that did not come has a few seconds more for the reason.
const PROBES: Duration = Duration::from_secs(3);

/// A stack without a connection to the edge gets the answer whether this host can reach it: "no connection" alone is not help.
pub(crate) fn explain(deployment: &Deployment, state: &mut StackState, caller: &Caller) {
    const SILENCE: [RuleId; 4] =
        [RuleId::EdgeNotRegistered, RuleId::EdgeQuicBlocked, RuleId::EdgeTcpBlocked, RuleId::NotLive];
    const REACHED: [RuleId; 5] = [
        RuleId::TokenMalformed,
        RuleId::TokenMissing,
        RuleId::TokenNotApplied,
        RuleId::TokenPlaceholder,
        RuleId::TokenRejected,
    ];
    let is_silent = state.has(RuleId::EdgeNotRegistered)
        || state.has(RuleId::EdgeDnsFailed)
        || state.has(RuleId::NotLive) && state.connections == Some(0);
    // The edge that refuses a token was reached.
    if state.ready || !is_silent || REACHED.iter().any(|id| state.has(*id)) {
        return;
    }
    let edge = preflight::of_the_edge(deployment, caller, PROBES);
    state.skipped.extend(edge.skipped);
    let cause = edge.findings.iter().find(|f| f.severity == Severity::Error).map(|f| f.id);
    for finding in &mut state.findings {
        if let (Some(way), RuleId::EdgeNotRegistered) = (edge.reached_over, finding.id) {
            finding.evidence.insert(0, Evidence::from(format!("this host itself reaches the edge over {way}")));
            finding.evidence.truncate(rules::MOST_EVIDENCE);
        }
        if let Some(cause) = cause.filter(|cause| SILENCE.contains(&finding.id) && finding.id != *cause) {
            finding.consequence_of = Some(cause);
        }
    }
    for finding in edge.findings {
        match state.findings.iter_mut().find(|known| known.id == finding.id) {
            Some(known) => {
                known.evidence.extend(finding.evidence);
                known.evidence.truncate(rules::MOST_EVIDENCE);
            }
            None => state.findings.push(finding),
        }
    }
}
