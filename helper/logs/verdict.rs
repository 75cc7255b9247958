//! From the states of all streams to findings: causes first, and what they explain marked as such.

use super::asides::ASIDE;
use super::cloudflared::{CONNECTIONS, LogFacts};
use super::ends;
use super::fault::Fault;
use super::kind::{WriterKind, writer_of};
use super::life::is_stop;
use super::matcher::Writer;
use super::patterns::{Effect, Tell};
use super::programs::{self, StreamFault, Working};
use super::quote::{SILENT, quote, same_service};
use super::stream::Stream;
use super::table::Row;
use super::{JOURNAL, Logs, ports};
use crate::answer::{Evidence, Finding, Layer, Severity, Subject, count};
use crate::rules::{self, RuleId};

/// What a log adds up to.
#[derive(Debug, Default)]
pub(crate) struct LogVerdict {
    /// What is wrong, unordered.
    pub(crate) findings: Vec<Finding>,
    /// Whether a call was answered, or a tunnel is registered without one error line that nothing explains; and nothing
    /// later says otherwise.
    pub(crate) healthy: bool,
    /// Whether cloudflared is registered, or, in a log without it, the last call passed.
    pub(crate) works: bool,
    /// Registered edge connections; `None` without a word from cloudflared.
    pub(crate) registered: Option<u32>,
    /// How many there should be.
    pub(crate) wanted: u32,
    /// `quic` or `http2`.
    pub(crate) protocol: Option<String>,
    pub(crate) edge: Option<&'static str>,
    /// Distinct routes that the proxy took up.
    pub(crate) routes: u32,
    /// Whether the last call passed; `None` without a call.
    pub(crate) last_call: Option<bool>,
    /// Names of the streams and whose they are.
    pub(crate) sources: Vec<(String, &'static str)>,
    /// Whether any line was one of the stack's programs'.
    pub(crate) recognized: bool,
    /// Moment of the last line with a time, in seconds since 1970.
    pub(crate) last: Option<i64>,
    /// Lines that were read because they have no time stamp, although older ones were not wanted.
    pub(crate) undated: u64,
    /// Programs of the host's journal whose lines were left out: nothing tells whether they are the stack's.
    pub(crate) left_out: Vec<String>,
}

/// Whether the daemon may say this of another project's images: it matters where the stack does not run.
fn is_of_others(fault: &Fault) -> bool {
    let rules = [RuleId::ImageNotFound, RuleId::RegistryUnreachable, RuleId::DockerFailed];
    fault.subject == JOURNAL && fault.rule.is_some_and(|rule| rules.contains(&rule))
}

impl Logs {
    /// What the log adds up to.
    pub(crate) fn verdict(&self) -> LogVerdict {
        let mut whole = self.clone();
        whole.last = self.last_moment();
        whole.streams.iter_mut().for_each(Stream::settle);
        whole.compare_calls();
        whole.judged()
    }

    fn judged(&self) -> LogVerdict {
        let mut verdict = LogVerdict {
            undated: self.undated,
            last: self.last,
            left_out: self.units.left_out.iter().cloned().collect(),
            ..LogVerdict::default()
        };
        let named_proxy = self.streams.iter().any(|s| s.kind == WriterKind::Of(Writer::Proxy) && !s.name.is_empty());
        let mut findings = Vec::new();
        self.judge_engine(&mut findings);
        self.judge_agents(&mut findings, &mut verdict);
        let answered = self.last_call() == Some(true);
        let calls: Vec<StreamFault<'_>> = self
            .streams
            .iter()
            .map(|stream| (stream, answered && self.is_beside(stream)))
            .flat_map(|(stream, beside)| stream.faults.open().map(move |fault| StreamFault { stream, fault, beside }))
            .filter(|found| matches!(found.fault.writer, Writer::Proxy | Writer::Server))
            // What several programs could have said counts as the proxy's only if the proxy is not elsewhere.
            .filter(|found| found.fault.sure || found.fault.is_anyones() || found.stream.has_proxy || !named_proxy)
            // Bare lines around an error of docker's are its own: the traceback of Compose 1.
            .filter(|found| {
                let bare = found.stream.kind == WriterKind::Bare && !found.stream.is_recognized();
                !(bare && self.engine.open().next().is_some() && found.fault.rule == Some(RuleId::UnexplainedError))
            })
            .collect();
        let seen = Working {
            passed: self.streams.iter().any(|s| s.calls.passed),
            registered: verdict.registered.is_some_and(|registered| registered > 0),
        };
        programs::judge(&calls, seen, &mut findings);
        findings.extend(self.streams.iter().filter_map(|stream| programs::lost_sessions(stream, seen)));
        let without_proxy = programs::without_proxy(&self.streams, self.agents());
        // Whose tunnel it is says less than what it leads to.
        findings.extend(without_proxy.or_else(|| programs::foreign_tunnel(self.agents())));
        self.judge_silence(&mut findings);
        ends::judge_stops(self, &mut findings);
        self.judge_rows(&mut findings);
        ends::judge(self, &calls, &mut findings);
        self.note_healed(&mut findings);
        ports::judge(&self.streams, &mut findings);
        self.blame_servers(&mut findings);
        rules::explain(&mut findings);
        self.describe(&mut verdict);
        let recognized = self.streams.iter().any(Stream::is_recognized);
        verdict.recognized = recognized || !findings.is_empty() || !self.rows.is_empty();
        let wrong = findings.iter().any(|f| f.severity == Severity::Error);
        let connected = verdict.registered.map(|registered| registered > 0);
        let is_answered = verdict.last_call == Some(true);
        verdict.works = connected.unwrap_or(is_answered) && verdict.last_call != Some(false);
        let works =
            connected != Some(false) && is_answered || connected == Some(true) && !self.has_unexplained_errors();
        if connected == Some(true) && !works && findings.iter().all(|f| f.severity == Severity::Note) {
            findings.extend(self.unexplained_before());
        }
        verdict.healthy = !wrong && works && !findings.iter().any(programs::denies_health);
        verdict.findings = findings;
        verdict
    }

    /// Whether any error line was left unexplained, also one after which the server listened.
    fn has_unexplained_errors(&self) -> bool {
        let faults = self.streams.iter().flat_map(|stream| stream.faults.open().chain(stream.faults.healed()));
        faults.into_iter().any(|fault| fault.rule == Some(RuleId::UnexplainedError) && fault.subject != ASIDE)
    }

    /// The error lines after which the server listened: whether it works all the same, no line tells.
    fn unexplained_before(&self) -> Option<Finding> {
        let healed = self.streams.iter().flat_map(|stream| stream.faults.healed().map(move |fault| (stream, fault)));
        let mut unexplained = healed.filter(|(_, fault)| fault.rule == Some(RuleId::UnexplainedError)).peekable();
        unexplained.peek()?;
        let finding = rules::finding(RuleId::UnexplainedError).with_severity(Severity::Note);
        let finding = unexplained.fold(finding, |finding, (stream, fault)| finding.with(quote(&stream.name, fault)));
        Some(finding.with("the server listened after it"))
    }

    fn judge_engine(&self, findings: &mut Vec<Finding>) {
        // A later start that went well makes up for what an earlier one said.
        if self.failed_start < self.starts {
            return;
        }
        let mut open: Vec<&Fault> = self.engine.open().collect();
        if open.iter().any(|f| !f.tells(Tell::Weak) && f.effect == Effect::Fatal) {
            open.retain(|f| !f.tells(Tell::Weak));
        } else if open.iter().any(|f| f.rule != Some(RuleId::DockerFailed)) {
            open.retain(|f| f.rule != Some(RuleId::DockerFailed));
        }
        // Without the index no package is found.
        if open.iter().any(|f| matches!(f.rule, Some(RuleId::BuildDns | RuleId::BuildTls))) {
            open.retain(|f| f.rule != Some(RuleId::BuildPackages));
        }
        // Compose 1 says first that the file is invalid, and on the next line why.
        let reasons = [RuleId::ComposeNetmodeConflict, RuleId::ComposeEnvInvalid, RuleId::ComposeServiceUndefined];
        if open.iter().any(|f| f.rule.is_some_and(|rule| reasons.contains(&rule))) {
            open.retain(|f| f.rule != Some(RuleId::ComposeYamlInvalid));
        }
        let is_up = self.agents().any(|stream| stream.agent.registered() > 0);
        for fault in open {
            let Some(finding) = programs::finding(fault) else { continue };
            let finding = finding.with(quote("", fault));
            // What Compose only warns of: it went on.
            let warned = fault.effect == Effect::Attempt && finding.severity == Severity::Error;
            findings.push(match warned {
                _ if is_up && is_of_others(fault) => finding.with_severity(Severity::Note),
                true => finding.with_severity(Severity::Warning),
                false => finding,
            });
        }
    }

    /// The streams in which cloudflared prints. Where one is called so, others that print its words are not it.
    pub(super) fn agents(&self) -> impl Iterator<Item = &Stream> {
        let named = self.streams.iter().any(|s| s.agent.seen && !s.name.is_empty() && s.may_be_agent());
        let seen = move |s: &&Stream| s.agent.seen && (!named || s.may_be_agent());
        // Another tunnel's cloudflared next to the one that is connected is another matter.
        let ours = self.streams.iter().filter(seen).any(|s| s.agent.foreign().is_none() && s.agent.registered() > 0);
        self.streams.iter().filter(seen).filter(move |s| !ours || s.agent.foreign().is_none())
    }

    fn judge_agents(&self, findings: &mut Vec<Finding>, verdict: &mut LogVerdict) {
        verdict.wanted = CONNECTIONS;
        for stream in self.agents() {
            let with_proxy = self.streams.iter().any(|s| s.has_proxy);
            let case = LogFacts { faults: &stream.faults, last: self.last, with_proxy, whose: &stream.name };
            let mut found = stream.agent.judge(&case);
            // A call that came to the proxy later than it was out of reach: it is back.
            let called = self.streams.iter().filter_map(|s| s.calls.called).max();
            let back = |id: RuleId| {
                let fault = stream.faults.find(Some(id));
                fault.and_then(|f| f.at).zip(called).is_some_and(|(lost, called)| called > lost)
            };
            for finding in &mut found {
                if [RuleId::ProxyUnreachable, RuleId::ProxyNoAnswer].contains(&finding.id) && back(finding.id) {
                    finding.severity = Severity::Note;
                }
            }
            let ended = |fault: &Fault| programs::ended_with(&StreamFault { stream, fault, beside: false });
            if stream.faults.open().any(ended) {
                let own = found.iter_mut().filter(|f| f.id == RuleId::UnexplainedError);
                own.for_each(|f| f.severity = Severity::Error);
            }
            findings.extend(found);
            verdict.registered = Some(verdict.registered.unwrap_or(0).max(stream.agent.registered()));
            verdict.wanted = stream.agent.wanted();
            verdict.protocol = stream.agent.protocol.clone().or(verdict.protocol.take());
            verdict.edge = Some(stream.agent.state());
        }
    }

    /// The documented sample without a transport: it reads its standard input, finds the end, and ends well.
    fn judge_silence(&self, findings: &mut Vec<Finding>) {
        for stream in self.streams.iter().filter(|s| s.silent_starts >= SILENT) {
            let text = format!("{}, and no line but pip's", count(stream.silent_starts, "start"));
            findings.push(rules::finding(RuleId::UpstreamStdio).with(Evidence::of(&stream.name, text)));
        }
        for row in self.rows.iter().filter(|row| row.exit_code() == Some(0) && writer_of(&row.service).is_none()) {
            let spoke = self.streams.iter().any(|s| same_service(&s.name, &row.service) && s.spoke);
            if !spoke && !findings.iter().any(|f| f.id == RuleId::UpstreamStdio) && row.is_restarting() {
                let text = format!("{}, and it printed nothing", row.status);
                findings.push(rules::finding(RuleId::UpstreamStdio).with(Evidence::of(&row.service, text)));
            }
        }
    }

    fn judge_rows(&self, findings: &mut Vec<Finding>) {
        let failed_to_start = self.engine.open().next().is_some() && self.failed_start == self.starts;
        for row in &self.rows {
            let status = || Evidence::of(&row.service, &row.status);
            let agent = writer_of(&row.service) == Some(Writer::Agent);
            if agent && row.is_created() && !findings.iter().any(|f| f.id == RuleId::NetnsOwnerNotRunning) {
                let known = failed_to_start && findings.iter().any(|f| f.layer == Layer::Host);
                if !known {
                    findings.push(rules::finding(RuleId::NetnsOwnerNotRunning).with(status()));
                }
            }
            if row.lacks_image() {
                findings.push(rules::finding(RuleId::ImageNotFound).with(status()));
            }
            let sick = row.is_unhealthy().then_some(RuleId::ServiceUnhealthy);
            for rule in row.lacks_something().then_some(RuleId::PodNotRunning).into_iter().chain(sick) {
                findings.push(rules::finding(rule).about(Subject::service(&row.service)).with(status()));
            }
            let Some(code) = row.exit_code().filter(|_| !row.is_restarting()) else { continue };
            let ended = if code == 0 || is_stop(code) { self.is_left(row, code) } else { true };
            if ended && !findings.iter().any(|f| f.severity == Severity::Error) {
                let finding = ends::stopped(&row.service, code).with(status());
                let stream = self.streams.iter().find(|s| same_service(&s.name, &row.service));
                findings.push(finding.with_all(stream.map(ends::last_words).unwrap_or_default()));
            }
        }
    }

    /// Whether a container that was stopped, or was done, is missed: others of its project run.
    fn is_left(&self, row: &Row, code: i32) -> bool {
        let is_ours = writer_of(&row.service).is_some();
        let served = || self.streams.iter().any(|s| same_service(&s.name, &row.service) && s.life.served);
        // Compose puts the project in front of each name.
        let named = |other: &Row| {
            let ends = ["cloudflared", "mcp-gateway", "mcp-proxy"];
            let front = ends.iter().find_map(|end| other.service.strip_suffix(end)).filter(|front| !front.is_empty());
            front.is_some_and(|front| row.service.starts_with(front))
        };
        let one = |other: &Row| row.of_project && other.of_project || named(other);
        let together = |other: &Row| other.is_up() && (one(other) || is_ours || served());
        self.rows.iter().any(together) && (code != 0 || is_ours || served())
    }

    /// What was wrong and was made up for by a later call is a note.
    fn note_healed(&self, findings: &mut Vec<Finding>) {
        for stream in &self.streams {
            for fault in stream.faults.healed().filter(|f| f.effect == Effect::Call && f.writer != Writer::Agent) {
                let Some(rule) = fault.rule.filter(|_| !programs::is_usual(stream, fault)) else { continue };
                if (fault.sure || stream.has_proxy) && !findings.iter().any(|f| f.id == rule) {
                    let finding = rules::finding(rule).with_severity(Severity::Note);
                    let since = if stream.calls.passed { "a later call passed" } else { "it was started again since" };
                    findings.push(finding.with(quote(&stream.name, fault)).with(since));
                }
            }
        }
    }

    /// Whether a container is no part of the tunnel: each route leads to another one of the log.
    fn is_beside(&self, stream: &Stream) -> bool {
        let mut hosts = self.streams.iter().flat_map(|s| s.routes.values()).peekable();
        let server = !stream.name.is_empty() && writer_of(&stream.name).is_none() && stream.calls.last.is_none();
        let leads = |host: &String, s: &Stream| writer_of(&s.name).is_none() && same_service(&s.name, host);
        server
            && hosts.peek().is_some()
            && hosts.all(|host| !host.is_empty() && !leads(host, stream) && self.streams.iter().any(|s| leads(host, s)))
    }

    /// Whether the last call passed; `None` without a call.
    pub(super) fn last_call(&self) -> Option<bool> {
        let of_a_call = |f: &Fault| {
            let of_process = [RuleId::UnexplainedError, RuleId::UpstreamWorkersDie];
            f.effect == Effect::Call
                && f.writer != Writer::Agent
                && !f.answered
                && !f.rule.is_some_and(|rule| of_process.contains(&rule))
        };
        let failing = |s: &Stream| s.faults.open().any(of_a_call);
        let passed = self.streams.iter().any(|s| s.calls.passed);
        let failing = self.streams.iter().any(failing);
        (passed || failing).then_some(!failing)
    }

    fn describe(&self, verdict: &mut LogVerdict) {
        let routes: usize = self.streams.iter().map(|s| s.routes.len()).sum();
        verdict.routes = u32::try_from(routes).unwrap_or(u32::MAX);
        verdict.last_call = self.last_call();
        verdict.sources = self
            .streams
            .iter()
            .filter(|s| !s.name.is_empty())
            .map(|s| {
                let role = match s.kind {
                    WriterKind::Of(Writer::Agent) => "cloudflared",
                    WriterKind::Of(Writer::Proxy) => "proxy",
                    WriterKind::Of(Writer::Server) => "server",
                    WriterKind::Of(Writer::Engine | Writer::Container) | WriterKind::Unknown | WriterKind::Bare => {
                        "unknown"
                    }
                };
                (s.name.clone(), role)
            })
            .collect();
    }

    /// The names under which the proxy and cloudflared print, where the log tells.
    pub(crate) fn services(&self) -> (Option<&str>, Option<&str>) {
        let name = |writer| {
            let stream = self.streams.iter().find(|s| s.kind == WriterKind::Of(writer) && !s.name.is_empty());
            stream.map(|s| s.name.as_str())
        };
        let dialled = || self.agents().find_map(|stream| stream.agent.proxy());
        (name(Writer::Proxy).or_else(dialled), name(Writer::Agent))
    }
}
