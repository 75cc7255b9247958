//! A deployment as it is: its files (as `check` lints them), its containers (as `status` sees them), their logs, and
//! what only the two together tell.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use time::OffsetDateTime;

use super::saved::root;
use super::{DiagnoseData, DiagnoseRequest, Signals, bundle, moment};
use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::check::{Facts, Target, target};
use crate::config::settings::may_dial;
use crate::config::yaml;
use crate::deployment::route::Host;
use crate::deployment::{Deployment, Upstream, files, path};
use crate::logs::Logs;
use crate::logs::input::Extent;
use crate::rules;
use crate::stack::commands::{Stack, Strictness};
use crate::stack::container::Container;
use crate::stack::live::{Picture, RouteState};

/// Reading the log of one container may take this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a container that ended again and again: its last lives.
const LAST_LIVES: &str = "2000";
/// A container on this very host answers at once.
const AT_ONCE: Duration = Duration::from_millis(500);

/// What was gathered; each part may be missing.
struct Looked {
    findings: Vec<Finding>,
    skipped: Vec<Skipped>,
    signals: Signals,
    extent: Extent,
    picture: Option<Picture>,
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
    deployment.require()?;
    if let Some(target) = &request.bundle {
        bundle::refuse_existing(target, caller)?;
    }
    let snapshot = caller.clone();
    let facts = Facts::gather(deployment, &snapshot)?;
    let verdict = facts.judge();
    let opened = Stack::open(deployment, caller, Strictness::Look)?;
    let (looked, stack) = match opened {
        Err(refusal) => {
            let why = root(&refusal.findings).map_or("the stack cannot be looked at", |f| f.title.as_str()).to_owned();
            let mut skipped = verdict.skipped;
            skipped.push(Skipped::new("containers", why.clone()));
            skipped.push(Skipped::new("logs", why));
            let findings = merged([verdict.findings, refusal.findings]);
            let (signals, extent) = (Signals::default(), Extent::default());
            (Looked { findings, skipped, signals, extent, picture: None }, None)
        }
        Ok(stack) => {
            let mut looked = look(deployment, &stack, since, caller)?;
            let files = verdict.skipped.into_iter().filter(|s| !s.id.starts_with("upstream:"));
            looked.skipped = files.chain(looked.skipped).collect();
            looked.findings = merged([verdict.findings, looked.findings]);
            (looked, Some(stack))
        }
    };
    let mut report = report(looked, caller);
    if let Some(target) = &request.bundle {
        report.data.bundle = Some(bundle::write(target, deployment, stack.as_ref(), &report, caller)?);
    }
    Ok(report)
}

fn look(
    deployment: &Deployment,
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
        if !read(stack, container, since, &mut logs, &mut extent)? {
            skipped.push(Skipped::new(format!("logs:{}", container.service()), "docker cannot read its log"));
        }
    }
    // The proxy takes a new certificate up by itself: what callers said of the old one is over.
    let renewed = files::metadata(deployment, path::TLS_CRT).ok().flatten().and_then(|meta| meta.modified().ok());
    if let Some(renewed) = renewed {
        logs.make_up("tls-", OffsetDateTime::from(renewed).unix_timestamp());
    }
    let verdict = logs.verdict();
    let mut findings = std::mem::take(&mut picture.findings);
    let read_here = verdict.findings.iter().cloned().map(|finding| {
        // What was seen live outweighs what a log makes of it.
        let settled =
            picture.ready && finding.layer == crate::answer::Layer::Edge && finding.severity == Severity::Error;
        if settled { finding.weighing(Severity::Note) } else { finding }
    });
    findings.extend(read_here);
    findings.extend(starved(&containers));
    findings.extend(left_over(&picture));
    findings.extend(images(stack, &containers)?);
    let proxy = containers.iter().find(|c| c.service() == stack.services.proxy);
    for route in &picture.routes {
        findings.extend(proxy.and_then(|proxy| reach(stack, route, proxy, &containers)));
    }
    if picture.ready && verdict.last_call.is_none() && findings.iter().all(|f| f.severity == Severity::Note) {
        findings.push(rules::finding("proxy-reaches-nothing"));
    }
    let mut signals = Signals::of(&verdict);
    signals.registered = picture.connections.or(signals.registered);
    signals.wanted = picture.wanted;
    Ok(Looked { findings: merged([findings]), skipped, signals, extent, picture: Some(picture) })
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
    let settled = container.is_running() && container.restart_count == 0;
    let args: Vec<&str> = match (&asked, container.log_since()) {
        (Some(since), _) => vec!["--since", since],
        (None, Some(life)) if settled => vec!["--since", life],
        (None, _) if settled => Vec::new(),
        (None, _) => vec!["--tail", LAST_LIVES],
    };
    let name = container.service();
    stack.docker.logs_in_order(&args, &container.id, PATIENCE, |stamp, text| {
        extent.lines += 1;
        extent.bytes += text.len() as u64 + 1;
        logs.line(extent.lines, format!("{name}-1  | {stamp} {text}").as_bytes());
    })
}

fn starved(containers: &[Container]) -> Option<Finding> {
    let starved: Vec<&str> = containers.iter().filter(|c| c.ran_out_of_memory()).map(Container::service).collect();
    (!starved.is_empty()).then(|| rules::finding("out-of-memory").with(format!("service {}", starved.join(", "))))
}

fn left_over(picture: &Picture) -> Option<Finding> {
    let names: Vec<&str> = picture.leftovers.iter().map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| rules::finding("compose-orphans").with(format!("service {}", names.join(", "))))
}

/// Images that are missing, or made for another processor, among those of services that do not run.
fn images(stack: &Stack<'_>, containers: &[Container]) -> Result<Vec<Finding>, Error> {
    let running: BTreeSet<&str> = containers.iter().filter(|c| c.is_running()).map(Container::service).collect();
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
                found.push(rules::finding("image-absent").with(format!("service `{service}`: {image}")));
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
        if !engine.is_empty() && platform != *engine {
            let text = format!("service `{service}`: the image is for {platform}, the engine is {engine}");
            found.push(rules::finding("platform-mismatch").weighing(Severity::Warning).with(text));
        }
    }
    Ok(found)
}

/// Whether the proxy may dial a container of this project, and whether anybody listens there.
fn reach(stack: &Stack<'_>, route: &RouteState, proxy: &Container, containers: &[Container]) -> Option<Finding> {
    let upstream = Upstream::parse(&route.upstream).ok()?;
    let Target::Service(service) = target(&upstream, &stack.found, &stack.services.proxy) else { return None };
    let container = containers.iter().find(|c| c.service() == service && c.is_running())?;
    let shared = container.addresses_shared_with(proxy);
    let name = &route.name;
    if shared.is_empty() {
        if container.id == proxy.id || container.shares_network_of() == Some(proxy.id.as_str()) {
            return None;
        }
        let text = format!("route `{name}`: service `{service}` and the proxy are on no network together");
        return Some(rules::finding("upstream-dns").with(text));
    }
    let allowed = stack.gateway.as_ref().map(|g| (g.dials_anything(), g.allowed_ips()));
    for (address, gateway) in shared {
        if let (IpAddr::V4(v4), Some((false, ranges))) = (address, allowed)
            && !may_dial(v4, ranges)
            && !matches!(upstream.host(), Host::Address(_))
        {
            let text = format!("route `{name}`: service `{service}` has the address {address}");
            return Some(rules::finding("upstream-ip-rejected").with(text));
        }
        if is_refused(SocketAddr::new(address, upstream.port()), gateway) {
            let text =
                format!("route `{name}`: nobody listens on {address} port {} (service `{service}`)", upstream.port());
            return Some(rules::finding("upstream-refused").with(text));
        }
    }
    None
}

/// Whether a container of this host refuses a connection. Only where the way to it leads over Docker's own bridge: with
/// Docker Desktop and rootless engines the address may be a stranger's in the local network.
fn is_refused(address: SocketAddr, gateway: Option<IpAddr>) -> bool {
    let Some(gateway) = gateway else { return false };
    // Connecting a UDP socket sends nothing; it asks the routing table.
    let local = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    local.is_ok_and(|local| local.ip() == gateway)
        && TcpStream::connect_timeout(&address, AT_ONCE).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
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
    // A crash of a program is one thing, whether its log or its container says so; so is a server that is down.
    rules::explain(&mut all);
    all
}

fn report(looked: Looked, caller: &Caller) -> Report<DiagnoseData> {
    let errors = looked.findings.iter().filter(|f| f.severity == Severity::Error).count();
    let ready = looked.picture.as_ref().is_some_and(|p| p.ready);
    let healthy = ready && errors == 0;
    let first = root(&looked.findings).cloned();
    let summary = match &first {
        Some(f) if f.severity == Severity::Error => {
            let also = if errors > 1 {
                format!(" ({errors} findings in all, the first explains most)")
            } else {
                String::new()
            };
            format!("{}{also}", f.title)
        }
        _ if !ready => match &looked.picture {
            Some(picture) => format!("nothing wrong was found, and the tunnel is not live yet: {}", picture.progress()),
            None => "nothing wrong was found in the files; the containers could not be looked at".to_owned(),
        },
        Some(f) if f.severity == Severity::Warning => format!("the tunnel is live, but {}", f.title),
        _ => "healthy: the tunnel is live and nothing is wrong".to_owned(),
    };
    let data = DiagnoseData {
        healthy,
        signals: looked.signals,
        lines: looked.extent.lines,
        bytes: looked.extent.bytes,
        containers: looked.picture.as_ref().map(|p| p.containers.clone()).unwrap_or_default(),
        bundle: None,
    };
    let mut report = Report::new(summary, data);
    report.next.push(next(first.as_ref(), ready, caller));
    report.findings = looked.findings;
    report.skipped = looked.skipped;
    report
}

/// The one thing to do now.
fn next(first: Option<&Finding>, ready: bool, caller: &Caller) -> Next {
    let restart = ["proxy-netns-orphaned", "netns-owner-not-running", "config-not-applied", "token-not-applied"];
    match first {
        Some(f) if f.id == "stack-stopped" => Next::helper("start it", caller.command(&["up"])),
        Some(f) if restart.contains(&f.id) => {
            Next::helper("restart the stack, cloudflared included", caller.command(&["restart"]))
        }
        Some(f)
            if f.severity == Severity::Error
                && ["token-missing", "token-placeholder", "token-malformed"].contains(&f.id) =>
        {
            Next::person("in a terminal of your own, never in a chat: put the token in")
                .running(caller.command(&["token", "set"]))
        }
        Some(f) if f.severity < Severity::Note => Next::person(caller.fill(&f.fix)),
        _ if ready => Next::helper("see how to call it from Claude", caller.command(&["connect"])),
        _ => Next::helper("look again", caller.command(&["status", "--json", "{\"wait_seconds\":60}"])),
    }
}
