//! From the states of all streams to findings: roots first, and what they explain marked as such.

use super::Logs;
use super::fault::Fault;
use super::lexicon::Writer;
use super::signs::Sense;
use super::stream::{Kind, MCP_PATH, Passed, Stream};
use crate::answer::{Evidence, Finding, Layer, Severity};
use crate::rules::{self, RuleId};

/// Starts in a row of which nothing came; fewer may be one, pasted twice.
const SILENT: u32 = 3;

/// What a log adds up to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What is wrong, unordered.
    pub(crate) findings: Vec<Finding>,
    /// Whether it was seen to work, and nothing later says otherwise.
    pub(crate) healthy: bool,
    /// Registered edge connections; `None` without a word from cloudflared.
    pub(crate) registered: Option<u32>,
    /// How many there should be.
    pub(crate) wanted: u32,
    /// `quic` or `http2`.
    pub(crate) protocol: Option<String>,
    /// Where cloudflared stands.
    pub(crate) edge: Option<&'static str>,
    /// Distinct routes that the proxy took up.
    pub(crate) routes: u32,
    /// Whether the last call passed; `None` without a call.
    pub(crate) last_call: Option<bool>,
    /// Names of the streams and whose they are.
    pub(crate) sources: Vec<(String, &'static str)>,
    /// Whether any line was one of the stack's programs'.
    pub(crate) recognized: bool,
    /// Lines that were read for want of a time, though older ones were not wanted.
    pub(crate) undated: u64,
}

/// A fault with the stream that it is in.
struct Found<'a> {
    stream: &'a Stream,
    fault: &'a Fault,
}

impl Logs {
    /// What the log adds up to.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict { undated: self.undated, ..Verdict::default() };
        let named_proxy = self.streams.iter().any(|s| s.kind == Kind::Of(Writer::Proxy) && !s.name.is_empty());
        let mut findings = Vec::new();
        self.judge_engine(&mut findings);
        self.judge_agents(&mut findings, &mut verdict);
        let calls: Vec<Found<'_>> = self
            .streams
            .iter()
            .flat_map(|stream| stream.faults.open().map(move |fault| Found { stream, fault }))
            .filter(|found| matches!(found.fault.writer, Writer::Proxy | Writer::Server))
            // What several programs could have said counts as the proxy's only if the proxy is not elsewhere.
            .filter(|found| {
                let anyones = found.fault.rule == Some(RuleId::PlatformMismatch);
                found.fault.sure || anyones || found.stream.has_proxy || !named_proxy
            })
            .collect();
        judge_programs(&calls, &mut findings);
        self.judge_silence(&mut findings);
        self.judge_rows(&mut findings);
        self.judge_loops(&calls, &mut findings);
        self.note_healed(&mut findings);
        rules::explain(&mut findings);
        self.describe(&mut verdict);
        let known = |s: &Stream| s.agent.is_seen() || s.has_proxy || s.has_server || matches!(s.kind, Kind::Of(_));
        verdict.recognized = self.streams.iter().any(known) || !findings.is_empty() || !self.rows.is_empty();
        let wrong = findings.iter().any(|f| f.severity == Severity::Error);
        let works = match verdict.registered {
            Some(registered) => registered > 0,
            None => verdict.last_call == Some(true),
        };
        // No error of the tunnel's, and yet no call was answered.
        let unanswered = findings.iter().any(|f| f.severity == Severity::Warning && f.id == RuleId::UpstreamNotHttp)
            || calls.iter().any(|found| found.fault.rule == Some(RuleId::UpstreamFailed));
        verdict.healthy = !wrong && works && !unanswered;
        verdict.findings = findings;
        verdict
    }

    fn judge_engine(&self, findings: &mut Vec<Finding>) {
        // A later start that went well makes up for what an earlier one said.
        if self.failed_start < self.starts {
            return;
        }
        let mut open: Vec<&Fault> = self.engine.open().collect();
        if open.iter().any(|f| f.rule != Some(RuleId::DockerFailed)) {
            open.retain(|f| f.rule != Some(RuleId::DockerFailed));
        }
        // Compose 1 says first that the file is invalid, and on the next line why.
        let reasons = [RuleId::ComposeNetmodeConflict, RuleId::ComposeEnvInvalid, RuleId::ComposeServiceUndefined];
        if open.iter().any(|f| f.rule.is_some_and(|rule| reasons.contains(&rule))) {
            open.retain(|f| f.rule != Some(RuleId::ComposeYamlInvalid));
        }
        for fault in open {
            let Some(rule) = fault.rule else { continue };
            let finding = rules::finding(rule).with(quote("", fault));
            // What Compose only warns of: it went on.
            let warned = fault.sense == Sense::Attempt && finding.severity == Severity::Error;
            findings.push(if warned { finding.with_severity(Severity::Warning) } else { finding });
        }
    }

    /// The streams in which cloudflared prints. Where one is called so, others that print its words are not it.
    fn agents(&self) -> impl Iterator<Item = &Stream> {
        let named = self.streams.iter().any(|s| s.agent.is_seen() && !s.name.is_empty() && s.may_be_agent());
        self.streams.iter().filter(move |s| s.agent.is_seen() && (!named || s.may_be_agent()))
    }

    fn judge_agents(&self, findings: &mut Vec<Finding>, verdict: &mut Verdict) {
        verdict.wanted = super::agent::CONNECTIONS;
        for stream in self.agents() {
            let said = |fault: &Fault| quote(&stream.name, fault);
            let with_proxy = self.streams.iter().any(|s| s.has_proxy);
            let mut found = stream.agent.judge(&stream.faults, self.last, with_proxy, &said);
            // A call that came to the proxy later than it was out of reach: it is back.
            let called = self.streams.iter().filter_map(|s| s.called).filter_map(|Passed { at }| at).max();
            let back = |id: RuleId| {
                let fault = stream.faults.find(Some(id));
                fault.and_then(|f| f.at).zip(called).is_some_and(|(lost, called)| called > lost)
            };
            for finding in &mut found {
                if [RuleId::ProxyUnreachable, RuleId::ProxyNoAnswer].contains(&finding.id) && back(finding.id) {
                    finding.severity = Severity::Note;
                }
            }
            findings.extend(found);
            verdict.registered = Some(verdict.registered.unwrap_or(0).max(stream.agent.registered()));
            verdict.wanted = stream.agent.wanted();
            verdict.protocol = stream.agent.protocol().map(str::to_owned).or(verdict.protocol.take());
            verdict.edge = Some(stream.agent.state());
        }
    }

    /// The documented sample without a transport: it reads its standard input, finds the end, and ends well.
    fn judge_silence(&self, findings: &mut Vec<Finding>) {
        for stream in self.streams.iter().filter(|s| s.silent_starts >= SILENT) {
            let text = format!("{}: {} starts, and not a line but pip's", stream.name, stream.silent_starts);
            findings.push(rules::finding(RuleId::UpstreamStdio).with(text));
        }
        for row in self.rows.iter().filter(|row| row.exit_code() == Some(0) && writer_of(&row.service).is_none()) {
            let spoke = self.streams.iter().any(|s| same_service(&s.name, &row.service) && s.spoke);
            if !spoke && !findings.iter().any(|f| f.id == RuleId::UpstreamStdio) && row.is_restarting() {
                let text = format!("{}: {}, and it printed nothing", row.service, row.status);
                findings.push(rules::finding(RuleId::UpstreamStdio).with(text));
            }
        }
    }

    fn judge_rows(&self, findings: &mut Vec<Finding>) {
        let failed_to_start = self.engine.open().next().is_some() && self.failed_start == self.starts;
        for row in &self.rows {
            let agent = writer_of(&row.service) == Some(Writer::Agent);
            if agent && row.is_created() && !findings.iter().any(|f| f.id == RuleId::NetnsOwnerNotRunning) {
                let known = failed_to_start && findings.iter().any(|f| f.layer == Layer::Host);
                if !known {
                    let text = format!("{}: {}", row.service, row.status);
                    findings.push(rules::finding(RuleId::NetnsOwnerNotRunning).with(text));
                }
            }
            let ended = row.exit_code().is_some_and(|code| !matches!(code, 0 | 137 | 143)) && !row.is_restarting();
            if ended && !findings.iter().any(|f| f.severity == Severity::Error) {
                findings.push(rules::finding(RuleId::ServiceStopped).with(format!("{}: {}", row.service, row.status)));
            }
        }
    }

    /// What is started over and over, by the table of containers or by its own log.
    fn judge_loops(&self, calls: &[Found<'_>], findings: &mut Vec<Finding>) {
        let mut looping: Vec<(String, Option<RuleId>)> = Vec::new();
        let fatal_agents =
            self.agents().flat_map(|s| s.faults.open().filter(|f| f.writer == Writer::Agent).map(move |f| (s, f)));
        let fatal = calls.iter().map(|found| (found.stream, found.fault)).chain(fatal_agents);
        let again = |stream: &Stream, f: &Fault| f.ends >= 2 || f.writer == Writer::Agent && stream.agent.is_revived();
        for (stream, fault) in fatal.filter(|(stream, f)| f.sense == Sense::Fatal && again(stream, f)) {
            let name = if stream.name.is_empty() { "a container" } else { &stream.name };
            looping.push((format!("{name} ended of it and was started again"), fault.rule));
        }
        for stream in self.streams.iter().filter(|s| s.silent_starts >= SILENT) {
            looping
                .push((format!("{} started {} times", stream.name, stream.silent_starts), Some(RuleId::UpstreamStdio)));
        }
        for (name, times) in self.exits.iter().filter(|(_, times)| *times >= 2) {
            let told = self.streams.iter().find(|s| same_service(&s.name, name) && !s.name.is_empty());
            let cause = told.and_then(|s| s.faults.open().find(|f| f.sense == Sense::Fatal)).and_then(|f| f.rule);
            if !looping.iter().any(|(text, _)| text.starts_with(&format!("{} ", told.map_or("", |s| &s.name)))) {
                looping.push((format!("{name} ended {times} times"), cause));
            }
        }
        for row in self.rows.iter().filter(|row| row.is_restarting()) {
            let told = self.streams.iter().find(|s| same_service(&s.name, &row.service) && !s.name.is_empty());
            let cause = told.and_then(|s| s.faults.open().find(|f| f.sense == Sense::Fatal)).and_then(|f| f.rule);
            let cause = cause.or_else(|| findings.iter().find(|f| f.id == RuleId::UpstreamStdio).map(|f| f.id));
            looping.retain(|(text, _)| !text.starts_with(&format!("{} ", told.map_or("", |s| &s.name))));
            looping.push((format!("{}: {}", row.service, row.status), cause));
        }
        if looping.is_empty() {
            return;
        }
        let mut finding =
            looping.iter().fold(rules::finding(RuleId::CrashLoop), |finding, (text, _)| finding.with(text));
        // Where several are started over and over: the one that is to be mended first.
        let layer = |id: RuleId| findings.iter().find(|f| f.id == id).map(|f| f.layer);
        let causes = looping.iter().filter_map(|(_, cause)| *cause).filter_map(|id| Some((layer(id)?, id)));
        finding.consequence_of = causes.min_by_key(|(layer, _)| *layer).map(|(_, id)| id);
        findings.push(finding);
    }

    /// What was wrong and was made up for by a later call is a note.
    fn note_healed(&self, findings: &mut Vec<Finding>) {
        for stream in &self.streams {
            for fault in stream.faults.healed().filter(|f| f.sense == Sense::Call && f.writer != Writer::Agent) {
                let Some(rule) = fault.rule else { continue };
                // A redirect that was followed, or a probe, is how it works.
                let usual = [
                    RuleId::UpstreamSlash307,
                    RuleId::UpstreamNotHttp,
                    RuleId::UpstreamBindLoopback,
                    RuleId::PipNoIndex,
                ]
                .contains(&rule);
                // A session that the server no longer had, and the caller began another.
                let usual = usual || fault.rule == Some(RuleId::UpstreamPath404) && fault.subject == MCP_PATH;
                if !usual && (fault.sure || stream.has_proxy) && !findings.iter().any(|f| f.id == rule) {
                    let finding = rules::finding(rule).with_severity(Severity::Note).with(quote(&stream.name, fault));
                    findings.push(finding.with("a later call passed"));
                }
            }
        }
    }

    fn describe(&self, verdict: &mut Verdict) {
        let routes: usize = self.streams.iter().map(|s| s.routes.len()).sum();
        verdict.routes = u32::try_from(routes).unwrap_or(u32::MAX);
        let failing = |s: &Stream| s.faults.open().any(|f| f.sense == Sense::Call && f.writer != Writer::Agent);
        let passed = self.streams.iter().any(|s| s.passed.is_some());
        let failing = self.streams.iter().any(failing);
        verdict.last_call = (passed || failing).then_some(!failing);
        verdict.sources = self
            .streams
            .iter()
            .filter(|s| !s.name.is_empty())
            .map(|s| {
                let role = match s.kind {
                    Kind::Of(Writer::Agent) => "cloudflared",
                    Kind::Of(Writer::Proxy) => "proxy",
                    Kind::Of(Writer::Server) => "server",
                    Kind::Of(Writer::Engine) | Kind::Unknown | Kind::Bare => "unknown",
                };
                (s.name.clone(), role)
            })
            .collect();
    }

    /// The names under which the proxy and cloudflared print, where the log tells.
    pub(crate) fn services(&self) -> (Option<&str>, Option<&str>) {
        let name = |writer| {
            let stream = self.streams.iter().find(|s| s.kind == Kind::Of(writer) && !s.name.is_empty());
            stream.map(|s| s.name.as_str())
        };
        (name(Writer::Proxy), name(Writer::Agent))
    }
}

/// A line as evidence. A line of a running container has no number.
fn quote(stream: &str, fault: &Fault) -> Evidence {
    // The right side of the box that cloudflared draws around its checks.
    let text = fault.text.trim().trim_end_matches([' ', '|']);
    Evidence {
        line: (fault.number > 0).then_some(fault.number),
        times: (fault.count > 1).then_some(fault.count),
        ..Evidence::of(stream, text)
    }
}

/// What the proxy and the servers complain of.
fn judge_programs(calls: &[Found<'_>], findings: &mut Vec<Finding>) {
    for Found { stream, fault } in calls {
        let Some(rule) = fault.rule else { continue };
        let text = quote(&stream.name, fault);
        if let Some(known) = findings.iter_mut().find(|f| f.id == rule) {
            if known.evidence.len() < 3 {
                *known = known.clone().with(text);
            }
            if fault.sense == Sense::Fatal {
                known.severity = rule.rule().severity;
            }
            if fault.rule == Some(RuleId::UpstreamNotHttp) && fault.writer == Writer::Proxy {
                known.severity = Severity::Error;
            }
            continue;
        }
        let finding = rules::finding(rule).with(text);
        let finding = match rule {
            // Once is a probe; on every call it is the route's scheme.
            RuleId::UpstreamNotHttp if fault.writer == Writer::Proxy => finding.with_severity(Severity::Error),
            RuleId::UpstreamNotHttp if fault.count < 4 => continue,
            // pip tries five times, which takes it a minute.
            RuleId::PipNoIndex if fault.sense == Sense::Call => finding.with_severity(Severity::Warning),
            // An exception of one call looks like the one that ended the program.
            RuleId::UpstreamTraceback if fault.ends < 2 => finding.with_severity(Severity::Warning),
            _ => finding,
        };
        // The exception says what the status only tells.
        if fault.rule == Some(RuleId::UpstreamFailed)
            && calls.iter().any(|other| other.fault.rule == Some(RuleId::UpstreamTraceback))
        {
            continue;
        }
        findings.push(finding);
        let local = fault.text.contains("host.docker.internal");
        if local && matches!(fault.rule, Some(RuleId::UpstreamRefused | RuleId::UpstreamTimeout)) {
            findings.push(rules::finding(RuleId::RootlessHostInternal).with(quote(&stream.name, fault)));
        }
    }
}

fn writer_of(service: &str) -> Option<Writer> {
    match Stream::new(service).kind {
        Kind::Of(writer @ (Writer::Agent | Writer::Proxy)) => Some(writer),
        Kind::Of(Writer::Server | Writer::Engine) | Kind::Unknown | Kind::Bare => None,
    }
}

/// Whether a stream and a row of a table are the same service; one of both may have the project in front.
fn same_service(stream: &str, row: &str) -> bool {
    let row = super::line::service(row);
    !stream.is_empty() && (stream == row || stream.ends_with(row) || row.ends_with(stream))
}
