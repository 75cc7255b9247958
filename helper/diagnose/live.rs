//! A deployment as it is: its files (as `check` lints them), its containers (as `status` sees them), their logs, and
//! what only the two together tell.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::outcome::{self, report};
use super::{DiagnoseData, DiagnoseRequest, Signals, bundle, moment};
use crate::answer::{Error, Finding, Layer, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::config::yaml;
use crate::deployment::{Deployment, Upstream, path};
use crate::engine::container::Container;
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::logs::Logs;
use crate::logs::cloudflared::CONNECTIONS;
use crate::logs::input::Extent;
use crate::logs::line::stamped_at;
use crate::logs::matcher::Writer;
use crate::model::current::{Target, target};
use crate::os::files;
use crate::render::labels;
use crate::rules::{self, RuleId};
use crate::stack::commands::{Stack, Strictness};
use crate::stack::journal;
use crate::stack::live::{Picture, SETTLED};

/// Reading the log of one container may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a container that ended again and again: its last lives.
const LAST_LIVES: &str = "2000";
/// Lines of a container that has run for months: what counts is how it is now.
const LATEST: &str = "100000";

/// What docker itself shows of a container: here a log can only be late, or of another life.
const SEEN_LIVE: [RuleId; 8] = [
    RuleId::CrashLoop,
    RuleId::EdgeNotRegistered,
    RuleId::EdgePartial,
    RuleId::NetnsOwnerNotRunning,
    RuleId::PlatformMismatch,
    RuleId::ProxyNetnsOrphaned,
    RuleId::ServiceStopped,
    RuleId::UpstreamDown,
];

/// What was gathered; each part may be missing.
pub(super) struct Looked {
    /// What is wrong, each fault once.
    pub(super) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(super) skipped: Vec<Skipped>,
    /// Counts and the last state.
    pub(super) signals: Signals,
    /// How much log was read.
    pub(super) extent: Extent,
    /// The containers; `None` where docker could not be asked.
    pub(super) picture: Option<Picture>,
    /// Whether a server that is down was stopped, or never made: starting it is enough.
    pub(super) only_stopped: bool,
}

/// Diagnoses the deployment.
///
/// # Errors
/// `directory` when there is none, `io` and `tool` from docker, `request` for a `since` that makes no sense or a bundle
/// that cannot be written.
pub(crate) fn run(
    deployment: &Deployment,
    request: &DiagnoseRequest,
    caller: &mut Caller,
) -> Result<Report<DiagnoseData>, Error> {
    let since = request.since.as_deref().map(|text| moment(text, caller.now)).transpose()?;
    if request.max_seconds.is_some() {
        return Err(Error::request(
            "`max_seconds` is for a log on standard input",
            "leave it out, or add `\"logs\":\"-\"`",
        ));
    }
    deployment.require_begun()?;
    if let Some(target) = &request.bundle {
        bundle::refuse_unfit(target, caller)?;
    }
    let snapshot = caller.clone();
    let facts = Facts::gather(deployment, &snapshot)?;
    let verdict = checks::judge(&facts);
    let opened = Stack::open(deployment, caller, Strictness::Look)?;
    let (looked, stack) = match opened {
        Err(refusal) => {
            let first = outcome::root(&refusal.findings);
            let why = first.map_or("the stack cannot be looked at", |f| f.title.as_str()).to_owned();
            let mut skipped = verdict.skipped;
            skipped.push(Skipped::new("containers", why.clone()));
            skipped.push(Skipped::new("logs", why));
            let findings = merged([verdict.findings, refusal.findings]);
            let signals = Signals { wanted: CONNECTIONS, ..Signals::default() };
            let extent = Extent::default();
            (Looked { findings, skipped, signals, extent, picture: None, only_stopped: false }, None)
        }
        Ok(stack) => {
            let mut looked = look(deployment, &facts, &stack, since, caller)?;
            // The files say it in the same words.
            let said = verdict.findings.iter().any(|f| f.id == RuleId::UpstreamUndefined);
            looked.findings.retain(|f| !said || f.id != RuleId::UpstreamUndefined);
            let fatal = verdict.is_fatal();
            let files = verdict.skipped.into_iter().filter(|s| !s.id.starts_with("upstream:"));
            looked.skipped = files.chain(looked.skipped).collect();
            looked.findings = merged([verdict.findings, looked.findings]);
            if fatal {
                cannot_be_started(&mut looked.findings);
            }
            (looked, Some(stack))
        }
    };
    let mut report = report(looked, caller);
    if let Some(target) = &request.bundle {
        let packed = bundle::write(target, deployment, &facts, stack.as_ref(), &report, caller)?;
        report.data.bundle = Some(packed);
    }
    Ok(report)
}

fn look(
    deployment: &Deployment,
    facts: &Facts<'_>,
    stack: &Stack<'_>,
    since: Option<OffsetDateTime>,
    caller: &Caller,
) -> Result<Looked, Error> {
    let (mut picture, _) = stack.wait(Duration::ZERO, caller)?;
    let containers = stack.containers()?;
    let mut logs = Logs::new(since.map(OffsetDateTime::unix_timestamp))?;
    let mut skipped = std::mem::take(&mut picture.skipped);
    let mut extent = Extent::default();
    for container in &containers {
        logs.know(
            container.service(),
            match container.service() {
                name if name == stack.services.proxy => Writer::Proxy,
                name if name == stack.services.cloudflared => Writer::Agent,
                _ => Writer::Server,
            },
        );
    }
    read_all(stack, &containers, since, &mut logs, &mut extent, &mut skipped)?;
    // The proxy takes a new certificate up by itself: what callers said of the old one is over.
    let renewed = files::metadata(deployment, path::TLS_CRT).ok().flatten().and_then(|meta| meta.modified().ok());
    if let Some(renewed) = renewed {
        logs.make_up(Layer::Tls, OffsetDateTime::from(renewed).unix_timestamp());
    }
    let verdict = logs.verdict();
    let seen = std::mem::take(&mut picture.findings);
    let read: Vec<Finding> = verdict
        .findings
        .iter()
        .filter(|finding| containers.is_empty() || !SEEN_LIVE.contains(&finding.id))
        .cloned()
        .map(|finding| {
            // What was seen live outweighs what a log makes of it.
            let settled = picture.ready && finding.layer == Layer::Edge && finding.severity == Severity::Error;
            if settled { finding.with_severity(Severity::Note) } else { finding }
        })
        .collect();
    // Both quote the same lines; the log's count them.
    let told = |f: &Finding| !SEEN_LIVE.contains(&f.id) && read.iter().any(|r| r.id == f.id);
    let seen = seen.into_iter().map(|f| if told(&f) { Finding { evidence: Vec::new(), ..f } } else { f });
    let mut findings: Vec<Finding> = seen.chain(read.clone()).collect();
    let concerned = Concerned::of(stack, &picture);
    findings.extend(starved(&containers, &concerned, &picture));
    findings.extend(others(&containers, &concerned, &picture));
    if !findings.iter().any(|f| f.id == RuleId::CrashLoop) {
        findings.extend(between_two_ends(stack, &containers));
    }
    findings.extend(unhealthy(&containers, &concerned, &picture));
    findings.extend(left_over(&picture));
    findings.extend(images(stack, &containers, &concerned.needed)?);
    findings.extend(unapplied(deployment, facts, stack, &containers, &findings)?);
    for finding in findings.iter_mut().filter(|f| f.id == RuleId::UpstreamDown) {
        finding.fix = concerned.name_in(&finding.fix);
    }
    if picture.ready && verdict.last_call.is_none() && findings.iter().all(|f| f.severity == Severity::Note) {
        findings.push(rules::finding(RuleId::ProxyReachesNothing));
    }
    let mut signals = Signals::of(&verdict);
    signals.registered = picture.connections.or(signals.registered);
    signals.wanted = picture.wanted;
    // Who is there stands with the containers.
    signals.sources.clear();
    let only_stopped = !concerned.down.is_empty()
        && concerned.down.iter().all(|name| {
            let container = containers.iter().find(|c| c.service() == name);
            container.is_none_or(|c| !c.is_running() && c.restart_count == 0 && !c.failed() && !c.ran_out_of_memory())
        });
    Ok(Looked { findings: merged([findings]), skipped, signals, extent, picture: Some(picture), only_stopped })
}

/// Reads the logs of all containers. When docker hangs on one, the others are not tried: it would hang on each.
fn read_all(
    stack: &Stack<'_>,
    containers: &[Container],
    since: Option<OffsetDateTime>,
    logs: &mut Logs,
    extent: &mut Extent,
    skipped: &mut Vec<Skipped>,
) -> Result<(), Error> {
    let mut hangs = false;
    for container in containers {
        let id = format!("logs:{}", container.service());
        if hangs {
            skipped.push(Skipped::new(id, "docker did not end with the log before"));
            continue;
        }
        let began = Instant::now();
        if !read(stack, container, since, logs, extent)? {
            hangs = began.elapsed() >= PATIENCE;
            let why = if hangs { "docker did not end within 30 seconds" } else { "docker cannot read its log" };
            skipped.push(Skipped::new(id, why));
        }
    }
    Ok(())
}

/// Reads the log of one container as if it came from `docker compose logs`. Whether docker could.
fn read(
    stack: &Stack<'_>,
    container: &Container,
    since: Option<OffsetDateTime>,
    logs: &mut Logs,
    extent: &mut Extent,
) -> Result<bool, Error> {
    let asked = since.map(|since| since.unix_timestamp().to_string());
    // One that died before and lives again: what it died of is over.
    let now = OffsetDateTime::now_utc();
    let settled = container.is_running() && (container.restart_count == 0 || container.age(now) >= SETTLED);
    let args: Vec<&str> = match (&asked, container.log_since()) {
        (Some(since), _) => vec!["--since", since],
        (None, Some(life)) if settled => vec!["--since", life, "--tail", LATEST],
        (None, _) if settled => vec!["--tail", LATEST],
        (None, _) => vec!["--tail", LAST_LIVES],
    };
    let name = container.service();
    stack.docker.logs_in_order(&args, &container.id, PATIENCE, |stamp, text| {
        extent.lines += 1;
        extent.bytes += text.len() as u64 + 1;
        logs.entry(name, stamped_at(stamp), text);
    })
}

/// The services that the tunnel needs, and those among them whose server is down.
struct Concerned {
    needed: BTreeSet<String>,
    down: BTreeSet<String>,
    /// Containers of other projects that are down.
    foreign: BTreeSet<String>,
}

impl Concerned {
    fn of(stack: &Stack<'_>, picture: &Picture) -> Self {
        let mut concerned = Self {
            needed: [&stack.services.proxy, &stack.services.cloudflared].into_iter().cloned().collect(),
            down: BTreeSet::new(),
            foreign: BTreeSet::new(),
        };
        for route in &picture.routes {
            let upstream = Upstream::parse(&route.upstream).ok();
            match upstream.map(|upstream| target(&upstream, &stack.found, &stack.services.proxy)) {
                Some(Target::Service(service)) => {
                    concerned.needed.insert(service.clone());
                    if route.is_down() {
                        concerned.down.insert(service);
                    }
                }
                Some(Target::Joined(host)) if route.is_down() => {
                    concerned.foreign.insert(host);
                }
                Some(Target::Joined(_) | Target::Outside(_) | Target::Nobody | Target::Unknown(_)) | None => {}
            }
        }
        concerned
    }

    /// The table's advice with the names of the servers that are down.
    fn name_in(&self, fix: &str) -> String {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        match (self.down.is_empty(), self.foreign.first()) {
            (false, _) => fix.replace("SERVICE", &list(&self.down)),
            (true, Some(host)) => {
                fix.replace("`docker compose logs SERVICE` in {dir}", &format!("`docker logs {host}`"))
            }
            (true, None) => fix.to_owned(),
        }
    }
}

fn is_left_over(container: &Container, picture: &Picture) -> bool {
    picture.leftovers.iter().any(|(_, id)| *id == container.id)
}

fn starved(containers: &[Container], concerned: &Concerned, picture: &Picture) -> Option<Finding> {
    let starved: Vec<&Container> =
        containers.iter().filter(|c| c.ran_out_of_memory() && !is_left_over(c, picture)).collect();
    let hurts = starved.iter().any(|c| concerned.needed.contains(c.service()));
    let severity = if hurts { Severity::Error } else { Severity::Warning };
    let told = starved.iter().fold(rules::finding(RuleId::OutOfMemory).with_severity(severity), |finding, c| {
        finding.with(format!("service `{}`: {}, restarted {} times", c.service(), c.ending(), c.restart_count))
    });
    (!starved.is_empty()).then_some(told)
}

/// Services that no route leads to: the tunnel does without them, what is behind a route may not.
fn others(containers: &[Container], concerned: &Concerned, picture: &Picture) -> Vec<Finding> {
    let mut found = Vec::new();
    let now = OffsetDateTime::now_utc();
    for container in containers {
        let name = container.service();
        if concerned.needed.contains(name) || is_left_over(container, picture) || container.ran_out_of_memory() {
            continue;
        }
        let brief = container.is_running() && container.restart_count > 0 && container.age(now) < SETTLED;
        let (id, text) = if container.status() == "restarting" || brief {
            (
                RuleId::CrashLoop,
                format!("`{name}` was restarted {} times, {}", container.restart_count, container.ending()),
            )
        } else if container.failed() {
            (RuleId::ServiceStopped, format!("`{name}` is {}, {}", container.status(), container.ending()))
        } else {
            continue;
        };
        found.push(rules::finding(id).with_severity(Severity::Warning).with(text));
    }
    found
}

/// A program of ours that was looked at in one of the moments in which it runs. It may have been mended just now.
fn between_two_ends(stack: &Stack<'_>, containers: &[Container]) -> Option<Finding> {
    let now = OffsetDateTime::now_utc();
    let ours = [&stack.services.proxy, &stack.services.cloudflared];
    let brief = containers.iter().find(|c| {
        ours.iter().any(|name| *name == c.service()) && c.is_running() && c.restart_count > 1 && c.age(now) < SETTLED
    })?;
    let text =
        format!("`{}` was restarted {} times, and runs since a moment ago", brief.service(), brief.restart_count);
    Some(rules::finding(RuleId::CrashLoop).with_severity(Severity::Warning).with(text))
}

/// Containers that run and whose check fails. Behind a route that is a server that is down, and said.
fn unhealthy(containers: &[Container], concerned: &Concerned, picture: &Picture) -> Option<Finding> {
    let sick = |c: &&Container| {
        c.is_running()
            && c.health() == Some("unhealthy")
            && !concerned.down.contains(c.service())
            && !is_left_over(c, picture)
    };
    let sick: Vec<&Container> = containers.iter().filter(sick).collect();
    let told = sick.iter().fold(rules::finding(RuleId::ServiceUnhealthy), |finding, c| {
        finding.with(format!("service `{}`: {}", c.service(), c.last_check()))
    });
    (!sick.is_empty()).then_some(told)
}

fn left_over(picture: &Picture) -> Option<Finding> {
    let names: Vec<&str> = picture.leftovers.iter().map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| rules::finding(RuleId::ComposeOrphans).with(format!("service {}", names.join(", "))))
}

/// What a stack without our labels runs with, and its files no longer say.
fn unapplied(
    deployment: &Deployment,
    facts: &Facts<'_>,
    stack: &Stack<'_>,
    containers: &[Container],
    known: &[Finding],
) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    let running = |name: &str| containers.iter().find(|c| c.service() == name && c.is_running());
    let inside = facts.gateway_path.as_str();
    let edited = files::metadata(deployment, inside).ok().flatten().and_then(|meta| meta.modified().ok());
    if let (Some(proxy), Some(edited)) = (running(&stack.services.proxy), edited.map(OffsetDateTime::from))
        && let Some(started) = proxy.started().filter(|started| edited > *started)
        && inside != path::GATEWAY
        && !known.iter().any(|f| f.id == RuleId::ConfigNotApplied)
    {
        let minutes = (edited - started).whole_minutes();
        let text = format!("`{inside}` was written {minutes} min after the start of `{}`", stack.services.proxy);
        found.push(rules::finding(RuleId::ConfigNotApplied).with(text));
    }
    let made_with = running(&stack.services.cloudflared).and_then(Container::token_fingerprint);
    let now = labels::token_fingerprint(deployment)?;
    if let (Some(made_with), Some(now)) = (made_with, now)
        && made_with != now
        && !known.iter().any(|f| f.id == RuleId::TokenNotApplied)
    {
        let text = format!("fingerprint of the running token {made_with}, of the one in .env {now}");
        found.push(rules::finding(RuleId::TokenNotApplied).with(text));
    }
    Ok(found)
}

/// Images that are missing, or made for another processor, among those of services that do not run.
fn images(stack: &Stack<'_>, containers: &[Container], needed: &BTreeSet<String>) -> Result<Vec<Finding>, Error> {
    // One that is started again and again runs for a moment each time.
    let now = OffsetDateTime::now_utc();
    let runs = |c: &&Container| c.is_running() && (c.restart_count == 0 || c.age(now) >= SETTLED);
    let running: BTreeSet<&str> = containers.iter().filter(runs).map(Container::service).collect();
    let mut found = Vec::new();
    let mut engine = None;
    for service in stack.found.service_names().iter().filter(|name| !running.contains(name.as_str())) {
        let built = stack.found.service(service, "build").is_some();
        let Some(image) = stack.found.service(service, "image").and_then(yaml::scalar) else { continue };
        if image.contains('$') {
            continue;
        }
        let format = "{{.Os}}/{{.Architecture}}";
        let here = stack.docker.ask(&["image", "inspect", "--format", format, &image], PATIENCE)?;
        let platform = String::from_utf8_lossy(&here.stdout).trim().to_owned();
        if !here.success {
            let absent = here.text().to_ascii_lowercase().contains("no such image");
            if absent && !built {
                found.push(rules::finding(RuleId::ImageAbsent).with(format!("service `{service}`: {image}")));
            }
            continue;
        }
        let engine = match &engine {
            Some(engine) => engine,
            None => {
                let server = stack.docker.ask(&["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], PATIENCE)?;
                engine.insert(String::from_utf8_lossy(&server.stdout).trim().to_owned())
            }
        };
        let other = !engine.is_empty() && platform != *engine;
        let mut finding = rules::finding(RuleId::PlatformMismatch).with_severity(Severity::Warning);
        if other {
            let text = format!("service `{service}`: the image is for {platform}, the engine is {engine}");
            finding = finding.with(text);
        }
        // Emulation may run an image for another processor; and an image may say that it is for this one, and not be.
        let failed = containers.iter().find(|c| c.service() == service && (c.restart_count > 0 || c.failed()));
        let last = failed.map(|c| journal::last_lines(&stack.docker, c)).transpose()?.unwrap_or_default();
        let line = last.iter().rfind(|line| line.contains("exec format error"));
        if let Some(line) = line {
            let hurts = needed.contains(service);
            finding = finding.with_severity(if hurts { Severity::Error } else { Severity::Warning });
            finding = finding.with(format!("service `{service}`: {line}"));
        }
        if other || line.is_some() {
            found.push(finding);
        }
    }
    Ok(found)
}

/// One list out of several: a fault that two of them saw is one finding with the evidence of both.
fn merged<const N: usize>(lists: [Vec<Finding>; N]) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for finding in lists.into_iter().flatten() {
        let Some(known) = all.iter_mut().find(|f| f.id == finding.id) else {
            all.push(finding);
            continue;
        };
        known.severity = known.severity.min(finding.severity);
        known.consequence_of = known.consequence_of.or(finding.consequence_of);
        for text in finding.evidence {
            if known.evidence.len() < 3 && !known.evidence.contains(&text) {
                known.evidence.push(text);
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
    all
}

/// That one container was killed explains nothing of another that ended.
fn apart(findings: &mut [Finding]) {
    let named = |finding: &Finding| -> BTreeSet<String> {
        let texts = finding.evidence.iter().flat_map(|fact| fact.text.split('`').skip(1).step_by(2));
        texts.map(str::to_owned).collect()
    };
    let causes: Vec<(RuleId, BTreeSet<String>)> = findings
        .iter()
        .filter(|f| [RuleId::OutOfMemory, RuleId::PlatformMismatch].contains(&f.id))
        .map(|f| (f.id, named(f)))
        .collect();
    let ended = [RuleId::CrashLoop, RuleId::ServiceStopped, RuleId::UpstreamDown];
    for finding in findings.iter_mut().filter(|f| ended.contains(&f.id)) {
        let names = named(finding);
        let cause = causes.iter().find(|(id, _)| finding.consequence_of == Some(*id));
        if cause.is_some_and(|(_, of)| of.is_disjoint(&names)) {
            finding.consequence_of = causes.iter().find(|(_, of)| !of.is_disjoint(&names)).map(|(id, _)| *id);
        }
    }
}

/// Nobody can start a stack whose files are broken: that it is down follows from them.
fn cannot_be_started(findings: &mut [Finding]) {
    let others: Vec<Finding> =
        findings.iter().filter(|f| f.id != RuleId::StackStopped && !outcome::only_endangers(f)).cloned().collect();
    let cause = outcome::root(&others).filter(|f| f.severity == Severity::Error).map(|f| f.id);
    for finding in findings.iter_mut().filter(|f| f.id == RuleId::StackStopped) {
        finding.consequence_of = cause;
    }
}
