//! The answer of `preflight`: its rows, its summary and the next step.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::HostFacts;
use super::host::data::HostData;
use super::network::row::Row;
use super::tools::Tool;
use crate::answer::{Next, Report, Severity};
use crate::check::Verdict;
use crate::config::settings::Protocol;
use crate::rules::RuleId;

/// For a second try, where docker did not answer within the limit that was asked for.
const PATIENT: u64 = 10_000;

/// The request of `preflight`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PreflightRequest {
    /// Leaves the network out.
    pub(super) offline: bool,
    /// Time limit in milliseconds; a probe without an answer by then counts as not answered (5000).
    pub(super) timeout_ms: Option<u64>,
    /// All addresses of every name.
    verbose: bool,
}

/// What `preflight` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PreflightData {
    /// Programs, with their versions and the oldest supported ones.
    tools: Vec<Tool>,
    /// The machine and the deployment directory.
    host: HostData,
    /// One row a probe; the probes go out from this host, not from a container.
    network: Vec<Row>,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
    /// A test chose where the probes go.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test_destinations: bool,
}

pub(super) fn report(
    facts: &HostFacts,
    verdict: Verdict,
    request: PreflightRequest,
    started: Instant,
) -> Report<PreflightData> {
    let count =
        |severity| verdict.findings.iter().filter(|f| f.severity == severity && f.consequence_of.is_none()).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let worst = verdict.findings.iter().filter(|f| f.consequence_of.is_none()).min_by_key(|f| (f.severity, f.layer));
    let title = worst.map_or("", |finding| finding.title.as_str());
    let mut known: Vec<String> = facts.tools.in_words().into_iter().collect();
    if request.offline {
        known.push("the network was not checked".into());
    } else if let Some(words) = facts.network.in_words() {
        known.push(format!("the tunnel's edge answers over {words}"));
    }
    let known = known.join("; ");
    let more = |n: usize| if n > 1 { format!(" (and {} more)", n - 1) } else { String::new() };
    let unanswered = facts.tools.unanswered();
    let unknown = unanswered.map(|who| {
        let ms = facts.limit.as_millis();
        format!("could not tell whether this host can run the tunnel: {who} did not answer within {ms} ms")
    });
    let summary = match (errors, warnings, unknown) {
        (0, 0, Some(words)) => format!("{words}; {known}"),
        (0, n, Some(words)) => format!("{words}; a warning: {title}{}; {known}", more(n)),
        (0, 0, None) => format!("this host can run the tunnel: {known}"),
        (0, n, None) => format!("this host can run the tunnel, with a warning: {title}{}; {known}", more(n)),
        (n, ..) => format!("this host cannot run the tunnel yet: {title}{}", more(n)),
    };
    let data = PreflightData {
        tools: facts.tools.rows(facts.docker_host().as_deref()),
        host: HostData::of(facts),
        network: if request.offline { Vec::new() } else { facts.network.rows(request.verbose) },
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        test_destinations: facts.network.is_test,
    };
    let next = match unanswered {
        Some(who) if errors == 0 => vec![longer(facts, request, who)],
        _ => next(facts, &verdict, errors > 0),
    };
    let report = Report::new(summary.trim_end_matches([' ', ':', ';']), data).whole(request.verbose);
    Report { findings: verdict.findings, skipped: verdict.skipped, next, ..report }
}

/// The same command with the time that a slow machine needs.
fn longer(facts: &HostFacts, request: PreflightRequest, who: &str) -> Next {
    let offline = if request.offline { "\"offline\":true," } else { "" };
    let again = format!("{{{offline}\"timeout_ms\":{PATIENT}}}");
    let what = format!("give {who} more time to answer; if it still does not answer, start Docker");
    Next::helper(what, facts.caller.command(&["preflight", "--json", &again]))
}

fn next(facts: &HostFacts, verdict: &Verdict, has_errors: bool) -> Vec<Next> {
    let caller = &facts.caller;
    if has_errors {
        let again =
            Next::person("fix the findings in order, then run this again").running(caller.command(&["preflight"]));
        // What the Console asks for does not wait for this host.
        let meanwhile = facts.deployed.next.iter().filter(|_| !facts.deployed.is_deployment).cloned();
        return [again].into_iter().chain(meanwhile).collect();
    }
    let udp_blocked = verdict.findings.iter().any(|f| f.id == RuleId::EdgeQuicBlocked);
    let uses_http2 = facts.deployed.protocol == Some(Protocol::Http2);
    let mut next = Vec::new();
    if facts.deployed.is_deployment && udp_blocked && !uses_http2 {
        let render = caller.command(&["render", "--json", "{\"protocol\":\"http2\"}"]);
        let what = "configure cloudflared to use HTTP/2, so that it does not try UDP for two minutes first";
        next.push(Next::helper(what, render));
    }
    match facts.deployed.next.as_slice() {
        [] => next.push(Next::helper("list the remaining steps", caller.command(&["init"]))),
        steps => next.extend_from_slice(steps),
    }
    next
}
