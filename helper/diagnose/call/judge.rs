//! From counters and lines since the wait began to the course of the call: pure.

use std::net::IpAddr;
use std::time::Duration;

use time::OffsetDateTime;

use super::data::{CallData, Reached, Suspect};
use crate::answer::{Error, Evidence, Finding, Layer, Severity, count};
use crate::caller::Services;
use crate::logs::Logs;
use crate::logs::matcher::Writer;
use crate::logs::patterns::Effect;
use crate::logs::stream::Stream;
use crate::probe::wire::Metrics;
use crate::rules::{self, RuleId};

/// An MCP client asks several times in a row; so long after the last line the course of a call is known.
const SETTLED: Duration = Duration::from_millis(1500);
/// A call that came somewhere, and of which nothing more is seen for so long, comes no further.
const QUIET: Duration = Duration::from_secs(10);

/// A line of a container.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its service.
    pub(crate) service: String,
    /// When the engine received it.
    pub(crate) at: OffsetDateTime,
    /// The text.
    pub(crate) text: String,
}

/// What was seen since the wait began.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallFacts {
    /// Names of the two programs.
    pub(crate) services: Services,
    /// Addresses of the proxy, from which a server is called.
    pub(crate) proxy_addresses: Vec<IpAddr>,
    /// cloudflared's numbers at the beginning, and now.
    pub(crate) before: Option<Metrics>,
    pub(crate) now: Option<Metrics>,
    /// What the containers printed, oldest first.
    pub(crate) lines: Vec<Line>,
}

/// What that adds up to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// How far the call came, and what shows it.
    pub(crate) data: CallData,
    /// What is proven to be wrong.
    pub(crate) reasons: Vec<Finding>,
    /// Whether the proxy said that a call began.
    named_by_proxy: bool,
}

impl CallFacts {
    /// The numbers at the beginning; zero where cloudflared was restarted since.
    fn base(&self) -> Option<Metrics> {
        let (before, now) = (self.before.clone()?, self.now.as_ref()?);
        let is_new = now.requests < before.requests;
        let zero = Metrics { requests: Some(0), errors: Some(0), open: now.open.map(|_| 0), ..Metrics::default() };
        Some(if is_new { zero } else { before })
    }

    /// By how much a counter went on.
    fn counted(&self, of: impl Fn(&Metrics) -> Option<u64>) -> Option<u64> {
        let (before, now) = (of(&self.base()?)?, of(self.now.as_ref()?)?);
        Some(now.saturating_sub(before))
    }

    /// Requests that ended without an error: the proxy answered them. A request that is not over is not among them, and
    /// one whose connection became a WebSocket has no response code.
    fn ended_well(&self, requests: u64, errors: u64) -> bool {
        let codes = |metrics: &Metrics| Some(metrics.responses.iter().map(|(_, n)| n).sum());
        let open = self.counted(|metrics| metrics.open);
        let is_one_over = open.is_some_and(|open| requests > errors.saturating_add(open));
        is_one_over || self.counted(codes).is_some_and(|answers| answers > 0)
    }

    fn writer(&self, service: &str) -> Writer {
        match service {
            name if name == self.services.proxy => Writer::Proxy,
            name if name == self.services.cloudflared => Writer::Agent,
            _ => Writer::Server,
        }
    }

    /// The lines as a log that begins with the wait.
    fn logs(&self) -> Result<Logs, Error> {
        let mut logs = Logs::new(None)?;
        for line in &self.lines {
            let writer = self.writer(&line.service);
            if writer == Writer::Server && Logs::is_of_another_caller(&line.text, &self.proxy_addresses) {
                continue;
            }
            logs.know(&line.service, writer);
            logs.entry(&line.service, Some(line.at.unix_timestamp()), &line.text);
        }
        Ok(logs)
    }
}

/// A line about a call as evidence.
fn quoted(stream: &Stream) -> Option<Evidence> {
    let last = stream.calls.last.as_ref()?;
    let at = last.at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    Some(Evidence { at, ..Evidence::of(&stream.name, last.text.trim()) })
}

/// Whether a stream has a fault of a call that the program itself reports.
fn has_failed_call(stream: &Stream, writer: Writer) -> bool {
    stream.faults.open().any(|fault| fault.writer == writer && fault.effect == Effect::Call)
}

/// Whether it is a proven reason why a call failed.
fn is_reason(finding: &Finding) -> bool {
    let is_of_call = matches!(finding.layer, Layer::Tls | Layer::Routing | Layer::Upstream);
    is_of_call && finding.severity < Severity::Note && finding.id != RuleId::UnexplainedError
}

/// How far a call came.
///
/// # Errors
/// `internal` when the patterns cannot be prepared.
pub(crate) fn judge(seen: &CallFacts) -> Result<Course, Error> {
    let logs = seen.logs()?;
    let (requests, errors) = (seen.counted(|m| m.requests), seen.counted(|m| m.errors));
    let mut course = Course { data: CallData { requests, errors, ..CallData::default() }, ..Course::default() };
    course.reasons = logs.verdict().findings.into_iter().filter(is_reason).collect();
    if let Some(n @ 1..) = requests {
        let failed = errors.filter(|n| *n > 0).map(|n| format!(", {n} with an error")).unwrap_or_default();
        let text = format!("cloudflared counted {} since the wait began{failed}", count(n, "request"));
        course.data.seen.push(Evidence::from(text));
    }
    let agent = logs.of(&seen.services.cloudflared);
    let proxy = logs.of(&seen.services.proxy);
    let servers: Vec<&Stream> = {
        let mut names: Vec<&str> = seen.lines.iter().map(|line| line.service.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter(|name| seen.writer(name) == Writer::Server).filter_map(|name| logs.of(name)).collect()
    };
    course.named_by_proxy = proxy.is_some_and(|proxy| proxy.calls.last.is_some());
    course.data.seen.extend(proxy.into_iter().chain(servers.iter().copied()).filter_map(quoted));
    course.data.seen.truncate(rules::MOST_EVIDENCE);
    let passed = |stream: &&Stream| stream.calls.passed;
    let answered = |stream: &&Stream| stream.calls.last.as_ref().is_some_and(|last| last.status.is_some());
    let ended_well = requests.is_some_and(|n| seen.ended_well(n, errors.unwrap_or_default()));
    course.data.reached = if servers.iter().any(passed) || proxy.as_ref().is_some_and(passed) {
        Some(Reached::Answered)
    } else if servers.iter().any(|s| answered(s) || has_failed_call(s, Writer::Server)) {
        Some(Reached::ToServer)
    } else if course.named_by_proxy || ended_well || proxy.is_some_and(|p| has_failed_call(p, Writer::Proxy)) {
        Some(Reached::ToProxy)
    } else if requests.is_some_and(|n| n > 0) || agent.is_some_and(|a| has_failed_call(a, Writer::Agent)) {
        Some(Reached::ToCloudflared)
    } else {
        requests.map(|_| Reached::NotToCloudflared)
    };
    Ok(course)
}

impl Course {
    /// Whether more time can change nothing: `quiet` is how long nothing was printed or counted.
    pub(crate) fn is_over(&self, quiet: Duration) -> bool {
        match self.data.reached {
            None | Some(Reached::NotToCloudflared) => false,
            Some(Reached::Answered) => quiet >= SETTLED,
            Some(_) if !self.reasons.is_empty() => quiet >= SETTLED,
            Some(_) => quiet >= QUIET,
        }
    }

    /// In one sentence. `waited` is for a call that did not come.
    pub(crate) fn sentence(&self, waited: Duration) -> String {
        let reason = rules::root(&self.reasons).map(|f| format!(": {}", f.title)).unwrap_or_default();
        match self.data.reached {
            None => "how far a call gets is unknown".to_owned(),
            Some(Reached::NotToCloudflared) => {
                format!("no call arrived at cloudflared within {} s{reason}", waited.as_secs())
            }
            Some(reached) => format!("the call {}{reason}", reached.in_words()),
        }
    }

    /// What may be the reason, where none is proven.
    pub(crate) fn suspects(&self) -> &'static [Suspect] {
        match self.data.reached {
            _ if !self.reasons.is_empty() => &[],
            Some(Reached::NotToCloudflared) => &Suspect::ALL[..4],
            Some(Reached::ToProxy) if self.named_by_proxy => &Suspect::ALL[6..],
            Some(Reached::ToCloudflared | Reached::ToProxy) => &Suspect::ALL[4..],
            Some(Reached::ToServer | Reached::Answered) => &[],
            None => &Suspect::ALL,
        }
    }

    /// What is wrong: the proven reasons, otherwise that the call did not arrive, or was not answered.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let rule = match self.data.reached {
            _ if !self.reasons.is_empty() => return self.reasons.clone(),
            None | Some(Reached::Answered) => return Vec::new(),
            Some(Reached::NotToCloudflared) => RuleId::CallNotReceived,
            Some(Reached::ToCloudflared | Reached::ToProxy | Reached::ToServer) => RuleId::CallNotAnswered,
        };
        vec![rules::finding(rule).with_all(self.data.seen.clone())]
    }
}
