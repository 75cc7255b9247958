//! What the proxy and the servers complain of.

use super::asides::ASIDE;
use super::cloudflared::is_foreign_call;
use super::fault::Fault;
use super::kind::{WriterKind, kind_of};
use super::last_words;
use super::level;
use super::life::Kept;
use super::matcher::Writer;
use super::patterns::Effect;
use super::quote::{about_service, quote, quote_line};
use super::stream::Stream;
use crate::answer::{Evidence, Finding, Layer, Severity, Subject};
use crate::rules::{self, Remedy, RuleId};

#[derive(Clone, Copy)]
pub(super) struct StreamFault<'a> {
    pub(super) stream: &'a Stream,
    pub(super) fault: &'a Fault,
    /// The container is no part of the tunnel, which answers calls.
    pub(super) beside: bool,
}

/// What the whole log shows to work.
#[derive(Clone, Copy)]
pub(super) struct Working {
    pub(super) passed: bool,
    pub(super) registered: bool,
}

/// The row of a fault, with the advice of its wording.
pub(super) fn finding(fault: &Fault) -> Option<Finding> {
    let finding = rules::finding(fault.rule?);
    Some(match fault.fix {
        Some(fix) => Finding { fix: fix.to_owned(), ..finding },
        None => finding,
    })
}

/// Whether no call may be said to work while this is found, though it is a warning only.
pub(super) fn denies_health(finding: &Finding) -> bool {
    // A server that was stopped does not answer, whatever stopped it.
    let stopped = finding.id == RuleId::ServiceStopped;
    stopped
        || finding.severity == Severity::Warning
            && matches!(
                finding.id,
                RuleId::UnexplainedError
                    | RuleId::UpstreamNotHttp
                    | RuleId::UpstreamFailed
                    | RuleId::UpstreamTraceback
                    | RuleId::UpstreamForbidden
                    | RuleId::UpstreamNeedsCredential
                    | RuleId::UpstreamBadRequest
                    | RuleId::UpstreamSessionLost
                    | RuleId::UpstreamNotAcceptable
                    | RuleId::UpstreamSlash307
                    | RuleId::UpstreamWorkersDie
                    | RuleId::ServiceUnhealthy
                    | RuleId::CrashLoop
                    | RuleId::PodNotRunning
            )
}

/// Whether a fault that a later call made up for is how things go: a redirect that was followed, a probe, a session that
/// the server no longer had.
pub(super) fn is_usual(stream: &Stream, fault: &Fault) -> bool {
    match fault.rule {
        Some(
            RuleId::UpstreamSlash307
            | RuleId::UpstreamNotHttp
            | RuleId::UpstreamBindLoopback
            | RuleId::PipNoIndex
            | RuleId::UpstreamNotAcceptable
            | RuleId::UpstreamNeedsCredential
            | RuleId::UpstreamBadRequest
            | RuleId::UpstreamStdio,
        ) => true,
        // The proxy itself crashed, which is no server's error of one call.
        Some(RuleId::UnexplainedError) => fault.writer != Writer::Proxy || !last_words::is_message(&fault.text),
        // The path answers: this was a session, or the older transport that was tried first.
        Some(RuleId::UpstreamPath404) => {
            fault.subject == "/sse" || fault.writer == Writer::Proxy || stream.calls.serves(&fault.subject)
        }
        _ => false,
    }
}

/// Where to look for a program's error.
fn layer_of(writer: Writer) -> Layer {
    match writer {
        Writer::Engine | Writer::Container => Layer::Host,
        Writer::Agent => Layer::Edge,
        Writer::Proxy => Layer::Routing,
        Writer::Server => Layer::Upstream,
    }
}

/// What is wrong now.
pub(super) fn judge(calls: &[StreamFault<'_>], seen: Working, findings: &mut Vec<Finding>) {
    for found @ StreamFault { stream, fault, .. } in calls {
        let Some(rule) = fault.rule.filter(|_| !is_explained(found, calls, seen)) else { continue };
        let evidence = quote(&stream.name, fault);
        if let Some(known) = findings.iter_mut().find(|f| f.id == rule) {
            *known = known.clone().with(evidence);
            if known.subject != subject(found) {
                known.subject = None;
                known.title = rules::filled(rule.rule().title, None);
            }
            if rule == RuleId::UnexplainedError {
                known.severity = known.severity.min(severity(found).unwrap_or(known.severity));
            }
            if fault.effect == Effect::Fatal && rule != RuleId::UpstreamTraceback {
                known.severity = rule.rule().severity;
            }
            if rule == RuleId::UpstreamNotHttp && fault.writer == Writer::Proxy || ended_with(found) {
                known.severity = Severity::Error;
            }
            continue;
        }
        let Some(severity) = severity(found) else { continue };
        let Some(finding) = finding(fault) else { continue };
        let own_image = rule == RuleId::PlatformMismatch && kind_of(&stream.name) == WriterKind::Unknown;
        let other = own_image && fault.fix.is_none();
        let finding = if other { finding.with_remedy(Remedy::OTHER_PLATFORM) } else { finding };
        let mut finding = about(finding, subject(found)).with(evidence).with_severity(severity);
        if rule == RuleId::UnexplainedError {
            finding.layer = layer_of(fault.writer);
        }
        findings.push(finding);
        let local = fault.text.contains("host.docker.internal");
        if local && matches!(rule, RuleId::UpstreamRefused | RuleId::UpstreamTimeout) {
            findings.push(rules::finding(RuleId::RootlessHostInternal).with(quote(&stream.name, fault)));
        }
    }
    let mixed = findings.iter_mut().find(|f| f.id == RuleId::UnexplainedError && f.subject.is_none());
    if let Some((finding, source)) = mixed.zip(source(calls)) {
        let decisive = quote(&source.stream.name, source.fault);
        finding.evidence.sort_by_key(|evidence| *evidence != decisive);
        *finding = about_service(finding.clone(), &source.stream.name);
    }
}

/// Whether an error hands on another program's words: `FATAL: …` of a database, in its client's message.
fn quotes(text: &str, source: &str) -> bool {
    let said = source.split_once("FATAL: ").filter(|(front, said)| !front.contains(':') && said.trim().len() > 12);
    said.is_some_and(|(_, said)| text.contains(said.trim()) && !text.trim().starts_with(source.trim()))
}

/// Whether an error is of a connection to a container, by its host name.
fn dials(text: &str, service: &str) -> bool {
    let fronts = ["host name \"", "lookup ", "ENOTFOUND ", "EAI_AGAIN "];
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
    fronts.iter().any(|front| {
        let rest = text.split_once(front).and_then(|(_, rest)| rest.strip_prefix(service));
        rest.is_some_and(ends)
    })
}

/// Of several programs' errors that no row explains, the one that another one is about.
fn source<'a, 'b>(calls: &'b [StreamFault<'a>]) -> Option<&'b StreamFault<'a>> {
    let unexplained =
        |c: &&StreamFault<'_>| c.fault.rule == Some(RuleId::UnexplainedError) && !c.stream.name.is_empty();
    let open = || calls.iter().filter(unexplained);
    let others = |it: &'b StreamFault<'a>| open().filter(|other| other.stream.name != it.stream.name);
    let quoted = open().find(|it| others(it).any(|other| quotes(&other.fault.text, &it.fault.text)));
    quoted.or_else(|| open().find(|it| others(it).any(|other| dials(&other.fault.text, &it.stream.name))))
}

fn service(stream: &Stream) -> Option<Subject> {
    (!stream.name.is_empty()).then(|| Subject::service(&stream.name))
}

fn about(finding: Finding, subject: Option<Subject>) -> Finding {
    match subject {
        Some(subject) => finding.about(subject),
        None => finding,
    }
}

/// What a fault is about: the service that printed it; where the proxy speaks of what is behind it, the route.
fn subject(StreamFault { stream, fault, .. }: &StreamFault<'_>) -> Option<Subject> {
    let behind = fault.rule.is_some_and(|rule| rule.rule().layer == Layer::Upstream);
    if fault.writer == Writer::Proxy && behind {
        let (route, _) = fault.subject.split_once('.').filter(|_| !fault.subject.contains("://"))?;
        return Some(Subject::route(route));
    }
    service(stream)
}

/// Whether a call failed because its server speaks TLS and got plain HTTP, as that one says.
fn is_of_scheme(failed: &StreamFault<'_>, told: &StreamFault<'_>) -> bool {
    let by_status = matches!(failed.fault.rule, Some(RuleId::UpstreamBadRequest | RuleId::UpstreamFailed));
    let behind = || match failed.fault.writer {
        Writer::Proxy => failed.stream.forwarded.leads(&failed.fault.subject, &told.stream.name),
        _ => failed.stream.name == told.stream.name,
    };
    let says = told.fault.rule == Some(RuleId::UpstreamWrongScheme) && told.fault.writer == Writer::Server;
    by_status && says && behind()
}

/// Whether another fault of the same log says more of the same.
fn is_explained(found: &StreamFault<'_>, calls: &[StreamFault<'_>], seen: Working) -> bool {
    let has = |rule: RuleId| calls.iter().any(|other| other.fault.rule == Some(rule));
    match found.fault.rule {
        // The exception says what the status only tells; behind another program than Anthropic's proxy it tells nothing.
        Some(RuleId::UpstreamFailed) => {
            let told = [RuleId::UpstreamTraceback, RuleId::UpstreamLifespan, RuleId::UpstreamOriginRejected];
            told.into_iter().any(has) || replaces_proxy(found.stream) || calls.iter().any(|c| is_of_scheme(found, c))
        }
        Some(RuleId::UpstreamBadRequest) if calls.iter().any(|other| is_of_scheme(found, other)) => true,
        // A health check or a scan does it, too: it matters where the proxy's calls fail.
        Some(RuleId::UpstreamWrongScheme) if found.fault.writer == Writer::Server => {
            let fails = calls.iter().any(|other| is_of_scheme(other, found));
            !fails && (seen.passed || found.fault.count < 4)
        }
        // A guard against forged requests answers with a status of its framework's own.
        Some(RuleId::UpstreamBadRequest) if has(RuleId::UpstreamForbidden) => true,
        Some(RuleId::UpstreamForbidden | RuleId::UpstreamBadRequest) => {
            has(RuleId::UpstreamHostRejected) || has(RuleId::UpstreamOriginRejected)
        }
        // A browser or a monitor, while the tunnel works.
        Some(RuleId::UpstreamNotAcceptable) => {
            let once = seen.registered && found.fault.count == 1;
            (seen.passed || once) && found.fault.text.contains("GET ")
        }
        // The line that pip ends with says less than the reason.
        Some(RuleId::PipNoIndex) => has(RuleId::PackageTls),
        Some(RuleId::ToolFailed) => has(RuleId::UpstreamCallTls),
        // Go says the reason one line above.
        Some(RuleId::EngineSeccomp) => has(RuleId::ThreadLimit),
        Some(RuleId::UnexplainedError) => {
            // What has a level of its own is no further line of a tool's error.
            let leveled = level::of(&found.fault.text) == Some(true);
            let own = |other: &&StreamFault<'_>| {
                let of_tool = leveled && other.fault.rule == Some(RuleId::ToolFailed);
                let tells = matches!(other.fault.effect, Effect::Fatal | Effect::Outgoing) && !of_tool;
                other.stream.name == found.stream.name && tells && other.fault.rule != found.fault.rule
            };
            // The message of a line that ends with a colon is on the next ones: Spring's are in a box.
            let near = match found.fault.text.trim_end() {
                text if last_words::has_given_up(text) => u64::MAX,
                text if last_words::is_without_reason(text) => 12,
                text if text.ends_with(':') => 12,
                _ => 5,
            };
            calls.iter().find(own).is_some_and(|fatal| found.fault.latest.abs_diff(fatal.fault.latest) <= near)
        }
        _ => false,
    }
}

/// Whether the container, or the process in it, ended with this error.
pub(super) fn ended_with(StreamFault { stream, fault, .. }: &StreamFault<'_>) -> bool {
    if fault.rule != Some(RuleId::UnexplainedError) && fault.effect != Effect::Outgoing {
        return false;
    }
    let is_last = |kept: &Kept| match kept.number {
        0 => fault.text.contains(&kept.read().1),
        number => (fault.number..=fault.latest).contains(&number),
    };
    let failed = stream.life.code.is_some_and(|code| !matches!(code, 0 | 130 | 143));
    failed && stream.life.last_words().iter().any(is_last) || stream.life.is_over()
}

/// Whether a server was seen to work all the same: it answered a call after the error, or the error is of what it does
/// besides. Not so where it ended since, or the last call failed, or where it has no connection that it needs: it may
/// answer that it cannot.
fn is_outlived(StreamFault { stream, fault, .. }: &StreamFault<'_>) -> bool {
    let works = fault.answered && fault.subject.is_empty() || fault.subject == ASIDE && stream.life.served;
    let failing = |f: &Fault| f.effect == Effect::Call && f.rule != fault.rule && f.latest > fault.latest;
    fault.writer == Writer::Server && works && stream.life.code.is_none() && !stream.faults.open().any(failing)
}

/// How severe a fault is here; `None` where it is not a fault yet.
fn severity(found: &StreamFault<'_>) -> Option<Severity> {
    let fault = found.fault;
    let rule = fault.rule?;
    Some(match rule {
        // Calls of other hosts are answered.
        RuleId::NoRoute if fault.answered && fault.count == 1 => Severity::Note,
        RuleId::NoRoute if fault.answered => Severity::Warning,
        // Once is a probe; on every call it is the route's scheme.
        RuleId::UpstreamNotHttp if fault.writer == Writer::Proxy => Severity::Error,
        RuleId::UpstreamNotHttp if fault.count < 4 => return None,
        // pip tries five times, which takes it a minute.
        RuleId::PipNoIndex if fault.effect == Effect::Call => Severity::Warning,
        // It is no part of the tunnel, which answers.
        RuleId::UpstreamTraceback if found.beside && !found.stream.life.is_over() => Severity::Note,
        // An exception of one call looks like the one that ended the program.
        RuleId::UpstreamTraceback
            if fault.ends < 2
                && found.stream.life.failures == 0
                && !found.stream.life.is_over()
                && !found.stream.calls.only_fail() =>
        {
            Severity::Warning
        }
        // One worker is replaced; programs that only mention it know.
        RuleId::UpstreamWorkersDie if fault.count < 2 && !level::is_error(&fault.text) => return None,
        RuleId::UpstreamWorkersDie if fault.count < 2 => Severity::Warning,
        // The program says itself that it can do without.
        RuleId::DiskFull | RuleId::ContainerReadOnly if level::is_calm(&fault.text) => Severity::Warning,
        // What a tool or a call of the server's own met ends it only as it starts.
        RuleId::ToolFailed => Severity::Note,
        _ if ended_with(found) => Severity::Error,
        RuleId::UnexplainedError if found.beside || is_outlived(found) => Severity::Note,
        _ if fault.survived => Severity::Warning,
        _ => rule.rule().severity,
    })
}

/// Sessions that a server lost, again and again.
pub(super) fn lost_sessions(stream: &Stream, seen: Working) -> Option<Finding> {
    let (count, loss) = stream.calls.lost_sessions(seen.passed)?;
    // One client that comes back late, to a stack that works.
    if count == 1 && seen.registered {
        return None;
    }
    let times = (count > 1).then_some(count);
    let evidence = Evidence { times, ..quote_line(&stream.name, loss.number, loss.text.trim()) };
    Some(about_service(rules::finding(RuleId::UpstreamSessionLost), &stream.name).with(evidence))
}

/// A tunnel whose host names come from another account's dashboard: its configuration says so, or a call to one.
pub(super) fn foreign_tunnel<'a>(agents: impl Iterator<Item = &'a Stream>) -> Option<Finding> {
    let evidence = |stream: &Stream| match stream.agent.foreign() {
        Some(line) => Some(Evidence::of(&stream.name, line.trim())),
        None => stream.faults.open().find(|f| is_foreign_call(f)).map(|fault| quote(&stream.name, fault)),
    };
    agents.filter_map(evidence).next().map(|evidence| rules::finding(RuleId::ForeignTunnel).with(evidence))
}

/// Whether the service that is called like Anthropic's proxy is another program.
fn replaces_proxy(stream: &Stream) -> bool {
    stream.other_proxy.is_some() && stream.kind == WriterKind::Of(Writer::Proxy) && !stream.known
}

/// Another program in place of Anthropic's proxy, or a server that cloudflared dials itself. Where the proxy prints,
/// too, it is a server behind it.
pub(super) fn without_proxy<'a>(streams: &'a [Stream], agents: impl Iterator<Item = &'a Stream>) -> Option<Finding> {
    if streams.iter().any(|stream| stream.has_proxy) {
        return None;
    }
    let replaced = streams.iter().filter(|stream| replaces_proxy(stream)).find_map(|stream| {
        let (number, text) = stream.other_proxy.as_ref()?;
        Some((stream, quote_line(&stream.name, *number, text.trim())))
    });
    let is_behind = |stream: &Stream| stream.has_server || stream.listening || stream.other_proxy.is_some();
    let dialled = |agent: &'a Stream| {
        let behind = streams.iter().filter(|stream| is_behind(stream));
        behind.filter_map(|stream| {
            let line = agent.agent.dials(&stream.name)?;
            Some((stream, Evidence::of(&agent.name, line.trim())))
        })
    };
    let (stream, evidence) = replaced.or_else(|| agents.flat_map(dialled).next())?;
    Some(about_service(rules::finding(RuleId::ProxyMissing), &stream.name).with(evidence))
}
