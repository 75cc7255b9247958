//! What only the containers, their logs and the files together tell: pure.

use std::collections::BTreeSet;

use super::data::Signals;
use super::stale;
use crate::answer::{Evidence, Finding, Layer, Severity, Skipped, Subject};
use crate::check::Verdict as Lint;
use crate::config::sample;
use crate::logs::input::Extent;
use crate::model::current::RouteTarget;
use crate::rules::{self, Remedy, RuleId};
use crate::stack::declared::Declared;
use crate::stack::judge::StackState;
use crate::stack::outcome;
use crate::stack::snapshot::{Container, Image, Snapshot};

/// What one container's end explains of the same container, and of no other.
const OF_ONE_CONTAINER: [RuleId; 2] = [RuleId::OutOfMemory, RuleId::PlatformMismatch];

/// Everything that is wrong, and what it was concluded from.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// What is wrong, each fault once.
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
    /// Counts and the last state.
    pub(crate) signals: Signals,
    /// How much log was read.
    pub(crate) extent: Extent,
    /// What runs; `None` where docker could not be asked.
    pub(crate) state: Option<StackState>,
}

/// The services that the tunnel needs, and those among them whose server is down.
struct Concerned {
    needed: BTreeSet<String>,
    down: BTreeSet<String>,
}

impl Concerned {
    fn of(declared: &Declared, state: &StackState) -> Self {
        let services = &declared.services;
        let needed = BTreeSet::from([services.proxy.clone(), services.cloudflared.clone()]);
        let mut concerned = Self { needed, down: BTreeSet::new() };
        for route in declared.routes() {
            let Some(RouteTarget::Service(service)) = &route.target else { continue };
            concerned.needed.insert(service.clone());
            if state.routes.iter().any(|seen| seen.name == route.name && seen.is_down()) {
                concerned.down.insert(service.clone());
            }
        }
        concerned
    }

    /// An error where the tunnel needs the service, otherwise a warning.
    fn severity(&self, service: &str) -> Severity {
        if self.needed.contains(service) { Severity::Error } else { Severity::Warning }
    }
}

fn about(id: RuleId, service: &str) -> Finding {
    rules::finding(id).about(Subject::service(service))
}

/// Judges a stack that could be looked at.
pub(crate) fn judge(declared: &Declared, snapshot: &Snapshot, mut state: StackState, lint: Lint) -> Diagnosis {
    let mut logs = snapshot.logs.clone();
    stale::drop_stale(declared, snapshot, &mut logs);
    let verdict = logs.verdict();
    let seen = std::mem::take(&mut state.findings);
    let mut findings = of_state_and_logs(snapshot, &state, seen, verdict.findings.clone());
    findings.extend(of_containers(declared, snapshot, &state, &findings));
    let is_quiet = findings.iter().all(|f| f.severity == Severity::Note);
    if state.ready && is_quiet && (verdict.last_call.is_none() || state.is_uncalled()) {
        findings.push(rules::finding(RuleId::ProxyReachesNothing));
    }
    let signals = Signals::of_stack(&verdict, &state);
    let unread = snapshot.unread.iter().map(|(service, why)| Skipped::new(format!("logs:{service}"), *why));
    let mut skipped = outcome::skipped(&lint.skipped, &state);
    skipped.extend(unread);
    let fatal = lint.is_fatal();
    // The files say it in the same words.
    if lint.findings.iter().any(|f| f.id == RuleId::UpstreamUndefined) {
        findings.retain(|f| f.id != RuleId::UpstreamUndefined);
    }
    let mut findings = merged([lint.findings, findings]);
    if fatal {
        cannot_be_started(&mut findings);
    }
    rules::date(findings.iter_mut().flat_map(|f| &mut f.evidence), snapshot.now);
    Diagnosis { findings, skipped, signals, extent: extent(snapshot), state: Some(state) }
}

/// What runs, and what the logs say that it does not show.
fn of_state_and_logs(
    snapshot: &Snapshot,
    state: &StackState,
    seen: Vec<Finding>,
    logged: Vec<Finding>,
) -> Vec<Finding> {
    let is_new = |f: &Finding| snapshot.all().is_empty() || !f.id.rule().is_seen_live;
    let logged: Vec<Finding> = logged
        .into_iter()
        .filter(is_new)
        .map(|finding| {
            // What was seen live outweighs what a log makes of it.
            let is_over = state.ready && finding.layer == Layer::Edge && finding.severity == Severity::Error;
            if is_over { finding.with_severity(Severity::Note) } else { finding }
        })
        .collect();
    // Both quote the same lines; the log's count them.
    let is_told = |f: &Finding| !f.id.rule().is_seen_live && logged.iter().any(|l| l.id == f.id);
    let seen = seen.into_iter().map(|f| if is_told(&f) { Finding { evidence: Vec::new(), ..f } } else { f });
    let seen: Vec<Finding> = seen.collect();
    seen.into_iter().chain(logged).collect()
}

/// What only the containers show.
fn of_containers(declared: &Declared, snapshot: &Snapshot, state: &StackState, known: &[Finding]) -> Vec<Finding> {
    let concerned = Concerned::of(declared, state);
    let ours: Vec<&Container> = snapshot.all().iter().filter(|c| declared.has(&c.service)).collect();
    let mut found: Vec<Finding> = ours.iter().filter_map(|c| out_of_memory(c, &concerned)).collect();
    let images = images(declared, snapshot, &concerned);
    let is_told = |c: &Container| {
        let subject = Subject::service(&c.service);
        images.iter().any(|f| f.id == RuleId::PlatformMismatch && f.subject.as_ref() == Some(&subject))
    };
    found.extend(ours.iter().filter(|c| !is_told(c)).filter_map(|c| unrouted(c, snapshot, &concerned)));
    if !known.iter().chain(&found).any(|f| f.id == RuleId::CrashLoop) {
        found.extend(ours.iter().filter_map(|c| revived(c, snapshot, declared)).next());
    }
    found.extend(ours.iter().filter_map(|c| unhealthy(c, &concerned)));
    let left: Vec<&str> = state.leftovers.iter().map(|(name, _)| name.as_str()).collect();
    if !left.is_empty() {
        found.push(rules::finding(RuleId::ComposeOrphans).with(format!("service {}", left.join(", "))));
    }
    found.extend(images);
    found
}

fn out_of_memory(c: &Container, concerned: &Concerned) -> Option<Finding> {
    let finding = about(RuleId::OutOfMemory, &c.service).with_severity(concerned.severity(&c.service));
    let text = format!("service `{}`: {}, {}", c.service, c.ending(), c.times());
    c.out_of_memory.then(|| finding.with(text))
}

/// A service that no route leads to: the tunnel does without it, what is behind a route may not.
fn unrouted(c: &Container, snapshot: &Snapshot, concerned: &Concerned) -> Option<Finding> {
    let name = &c.service;
    if concerned.needed.contains(name) || c.out_of_memory {
        return None;
    }
    let (id, text) = if c.is_looping(snapshot.now) {
        (RuleId::CrashLoop, format!("`{name}` was {}, {}", c.times(), c.ending()))
    } else if c.failed() {
        (RuleId::ServiceStopped, format!("`{name}` is {}, {}", c.status, c.ending()))
    } else {
        return None;
    };
    Some(about(id, name).with_severity(Severity::Warning).with(text))
}

/// A program of ours that was looked at in one of the moments in which it runs. It may have been fixed just now.
fn revived(c: &Container, snapshot: &Snapshot, declared: &Declared) -> Option<Finding> {
    let name = &c.service;
    let is_ours = *name == declared.services.proxy || *name == declared.services.cloudflared;
    let is_brief = c.is_running() && c.restarts > 1 && !c.is_settled(snapshot.now);
    let text = format!("`{name}` was {}, the last time {} s ago", c.times(), c.age(snapshot.now).as_secs());
    (is_ours && is_brief).then(|| about(RuleId::CrashLoop, name).with_severity(Severity::Warning).with(text))
}

/// A container that runs and whose health check fails. Behind a route that is a server that is down, and said.
fn unhealthy(c: &Container, concerned: &Concerned) -> Option<Finding> {
    let is_sick = c.is_running() && c.health.as_deref() == Some("unhealthy") && !concerned.down.contains(&c.service);
    let text = format!("service `{}`: {}", c.service, c.last_check);
    is_sick.then(|| about(RuleId::ServiceUnhealthy, &c.service).with(text))
}

/// Images that are missing, or made for another processor, among those of services that do not run.
fn images(declared: &Declared, snapshot: &Snapshot, concerned: &Concerned) -> Vec<Finding> {
    let built_in = [&declared.services.proxy, &declared.services.cloudflared];
    let mut found = Vec::new();
    for (service, seen) in &snapshot.images {
        let platform = match seen {
            Image::Absent(image) => {
                found.push(about(RuleId::ImageAbsent, service).with(format!("service `{service}`: {image}")));
                continue;
            }
            Image::For(platform) => platform,
        };
        let mut finding = about(RuleId::PlatformMismatch, service).with_severity(Severity::Warning);
        if !built_in.contains(&service) && service != sample::SERVICE {
            finding = finding.with_remedy(Remedy::OTHER_PLATFORM);
        }
        if let Some(engine) = snapshot.engine_platform.as_ref().filter(|engine| *engine != platform) {
            let text = format!("service `{service}`: the image is for {platform}, the engine is {engine}");
            finding = finding.with(text);
        }
        // Emulation may run an image for another processor; and an image may say that it is for this one, and not be.
        let lines = snapshot.last_lines.get(service).into_iter().flatten();
        if let Some(line) = lines.rev().find(|line| line.text.contains("exec format error")) {
            finding = finding.with_severity(concerned.severity(service)).with(line.quoted(service));
        }
        if !finding.evidence.is_empty() {
            found.push(finding);
        }
    }
    found
}

/// Whether two findings are about the same fault: a log names no service where a container does.
fn is_same(a: &Finding, b: &Finding) -> bool {
    let differ = |a: &Subject, b: &Subject| matches!((a, b), (Subject::Service { name: a }, Subject::Service { name: b }) if a != b);
    a.id == b.id && !a.subject.as_ref().zip(b.subject.as_ref()).is_some_and(|(a, b)| differ(a, b))
}

/// One list out of several: a fault that two of them saw is one finding with the evidence of both.
pub(super) fn merged<const N: usize>(lists: [Vec<Finding>; N]) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for finding in lists.into_iter().flatten() {
        let Some(known) = all.iter_mut().find(|f| is_same(f, &finding)) else {
            all.push(finding);
            continue;
        };
        known.severity = known.severity.min(finding.severity);
        known.consequence_of = known.consequence_of.or(finding.consequence_of);
        known.subject = known.subject.take().or(finding.subject);
        for fact in finding.evidence {
            // How long ago a line was printed depends on when it was read.
            let is_known = |e: &Evidence| (&e.whose, e.at, &e.text) == (&fact.whose, fact.at, &fact.text);
            if known.evidence.len() < rules::MOST_EVIDENCE && !known.evidence.iter().any(is_known) {
                known.evidence.push(fact);
            }
        }
    }
    // What the wrong namespace looks like from inside.
    if all.iter().any(|f| f.id == RuleId::NetworkModeMissing) {
        all.retain(|f| f.id != RuleId::ProxyNetnsOrphaned);
    }
    // A crash of a program is one thing, whether its log or its container says so; so is a server that is down.
    rules::explain(&mut all);
    apart(&mut all);
    // Of several services, first the one that no other finding explains.
    all.sort_by_key(|f| f.consequence_of.is_some());
    all
}

/// That one container was killed explains nothing of another that ended.
fn apart(findings: &mut [Finding]) {
    let causes: BTreeSet<(RuleId, Subject)> = findings
        .iter()
        .filter(|f| OF_ONE_CONTAINER.contains(&f.id))
        .filter_map(|f| Some((f.id, f.subject.clone()?)))
        .collect();
    for finding in findings.iter_mut().filter(|f| !OF_ONE_CONTAINER.contains(&f.id)) {
        let Some(subject @ Subject::Service { .. }) = &finding.subject else { continue };
        let own = OF_ONE_CONTAINER.into_iter().find(|id| causes.contains(&(*id, subject.clone())));
        let is_elsewhere = finding.consequence_of.is_some_and(|cause| OF_ONE_CONTAINER.contains(&cause));
        if is_elsewhere {
            finding.consequence_of = own;
        }
    }
}

/// A stack whose files are broken cannot be started: that it is down follows from them.
fn cannot_be_started(findings: &mut [Finding]) {
    let blocks = |f: &&Finding| f.id != RuleId::StackStopped && f.id.rule().blocks;
    let others: Vec<Finding> = findings.iter().filter(blocks).cloned().collect();
    let cause = rules::root(&others).filter(|f| f.severity == Severity::Error).map(|f| f.id);
    for finding in findings.iter_mut().filter(|f| f.id == RuleId::StackStopped) {
        finding.consequence_of = cause;
    }
}

/// Judges a stack that could not be looked at, from its files alone.
pub(crate) fn of_files(lint: Lint, refused: Vec<Finding>) -> Diagnosis {
    let why = rules::root(&refused).map_or("the stack cannot be looked at", |f| f.title.as_str()).to_owned();
    let mut skipped = lint.skipped;
    skipped.push(Skipped::new("containers", why.clone()));
    skipped.push(Skipped::new("logs", why));
    let signals = Signals { wanted: crate::logs::cloudflared::CONNECTIONS, ..Signals::default() };
    let findings = merged([lint.findings, refused]);
    Diagnosis { findings, skipped, signals, extent: Extent::default(), state: None }
}

fn extent(snapshot: &Snapshot) -> Extent {
    snapshot.printed.values().fold(Extent::default(), |all, printed| Extent {
        lines: all.lines + printed.lines,
        bytes: all.bytes + printed.bytes,
    })
}
