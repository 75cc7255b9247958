//! `probe`: whether Claude could call the MCP server behind each route.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::request::UniqueMap;
use crate::answer::{Error, Next, Report, Skipped, count};
use crate::caller::Caller;
use crate::config::gateway::Gateway;
use crate::config::settings::McpPath;
use crate::deployment::{Deployment, Upstream};
use crate::engine::container::Container;
use crate::engine::version;
use crate::model::current::Current;
use crate::probe::container::{Place, sweep};
use crate::probe::observe::{Observed, observe};
use crate::probe::row::{RouteRow, Tunnel, in_one_sentence, rows};
use crate::probe::state::Callability;
use crate::probe::target::{self, NAME, Planned, USUAL_PATHS, plan};
use crate::probe::wire::{Allowed, ProbeTarget, Trust};
use crate::rules::{self, Finding, RuleId, Severity, Subject};
use crate::stack::Stack;

/// Time for one route, in milliseconds, unless the request says otherwise.
const LIMIT: u64 = 5_000;
/// Limits that a request may name, in milliseconds.
const LIMITS: std::ops::RangeInclusive<u64> = 100..=120_000;

/// The request of `probe`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProbeRequest {
    /// Only these routes.
    routes: Option<Vec<String>>,
    /// An upstream that is not a route yet, such as `http://host.docker.internal:8000`; it may have a path.
    url: Option<String>,
    /// Paths of MCP endpoints to try instead of the stored ones: route → path; `null` tries the usual ones.
    paths: UniqueMap<Option<McpPath>>,
    /// Time for one route, in milliseconds (5000).
    timeout_ms: Option<u64>,
    /// Whether every attempt is listed.
    verbose: bool,
}

/// What `probe` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct ProbeData {
    /// One row a route.
    routes: Vec<RouteRow>,
    /// Notes on all routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
}

/// The command.
///
/// # Errors
/// `request` for routes that are not there, `directory`, `io` and `tool`.
pub(crate) fn run(
    deployment: &Deployment,
    request: &ProbeRequest,
    caller: &mut Caller,
) -> Result<Report<ProbeData>, Error> {
    let limit = request.timeout_ms.unwrap_or(LIMIT);
    if !LIMITS.contains(&limit) {
        return Err(Error::request(
            format!("`timeout_ms` is {limit}; it must be between {} and {}", LIMITS.start(), LIMITS.end()),
            format!("leave it out for {LIMIT}"),
        ));
    }
    match &request.url {
        Some(url) => probe_url(deployment, request, url, limit, caller),
        None => probe_routes(deployment, request, limit, caller),
    }
}

fn probe_routes(
    deployment: &Deployment,
    request: &ProbeRequest,
    limit: u64,
    caller: &mut Caller,
) -> Result<Report<ProbeData>, Error> {
    deployment.require_begun()?;
    let stack = match Stack::open(deployment, caller)? {
        Ok(stack) => stack,
        Err(refusal) => {
            let report = Report::new("nothing was checked: the stack cannot be looked at", ProbeData::default());
            return Ok(Report { findings: refusal.findings, ..report });
        }
    };
    let domain = stack.declared.require_domain(deployment)?;
    let Some(gateway) = stack.declared.gateway.good() else {
        return Err(Error::Directory {
            message: format!("`{}` has no proxy configuration that can be read", deployment.root().display()),
            hint: "run `mcp-tunnels-helper check` to see what is wrong with it".into(),
        });
    };
    let mut paths = stack.declared.found.paths();
    for (name, path) in &request.paths.0 {
        match path {
            Some(path) => paths.insert(name.clone(), path.as_str().to_owned()),
            None => paths.remove(name),
        };
    }
    let planned = chosen(plan(deployment, gateway, domain.as_str(), &paths, limit), request)?;
    let containers = stack.first_look().map_or_else(|| stack.containers(), Ok)?;
    let proxy = containers.iter().find(|c| c.service == stack.declared.services.proxy);
    let (observed, state) = match proxy.filter(|proxy| proxy.is_running()) {
        Some(proxy) => {
            let targets: Vec<ProbeTarget> = planned.iter().filter_map(|route| route.target.clone().ok()).collect();
            let observed = match targets.is_empty() {
                true => Ok(Observed::default()),
                false => stack.ask_from(proxy, &containers, &targets, &[])?,
            };
            (observed, None)
        }
        None => {
            let finding = not_running(&stack.declared.services.proxy, proxy);
            (Err(format!("`{}` is not running", stack.declared.services.proxy)), Some(finding))
        }
    };
    let observed = observed.as_ref().map_err(String::as_str);
    let (rows, findings) = apart(rows(&planned, observed, request.verbose));
    let (findings, next) = (state.into_iter().chain(findings).collect(), next(&rows, caller));
    Ok(report(rows, Tunnel::There, Vec::new(), findings, next, request))
}

fn not_running(service: &str, proxy: Option<&Container>) -> Finding {
    let about = |rule, text: String| rules::finding(rule).about(Subject::service(service)).with(text);
    match proxy {
        // Not started yet is a state.
        None => about(RuleId::StackStopped, format!("`{service}` has no container")).with_severity(Severity::Note),
        Some(proxy) if proxy.status == "restarting" => {
            let times = count(proxy.restarts, "time");
            about(RuleId::CrashLoop, format!("`{service}` was restarted {times}, exit code {}", proxy.exit_code))
        }
        Some(proxy) => {
            let ending = if proxy.has_exited() { format!(", exit code {}", proxy.exit_code) } else { String::new() };
            about(RuleId::ServiceStopped, format!("`{service}` is {}{ending}", proxy.status))
        }
    }
}

/// The routes that were asked for.
fn chosen(planned: Vec<Planned>, request: &ProbeRequest) -> Result<Vec<Planned>, Error> {
    let names = request.routes.iter().flatten().chain(request.paths.0.keys());
    if let Some(unknown) = names.clone().find(|name| !planned.iter().any(|route| route.name == **name)) {
        let known: Vec<&str> = planned.iter().map(|route| route.name.as_str()).collect();
        return Err(Error::request(
            format!("there is no route `{unknown}`"),
            match known.as_slice() {
                [] => "there are no routes yet; `url` tests a server before it becomes one".to_owned(),
                known => format!("the routes are {}", known.join(", ")),
            },
        ));
    }
    let wanted = |route: &Planned| request.routes.as_ref().is_none_or(|names| names.contains(&route.name));
    Ok(planned.into_iter().filter(wanted).collect())
}

fn apart(rows: Vec<(RouteRow, Option<Finding>)>) -> (Vec<RouteRow>, Vec<Finding>) {
    let (rows, findings): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    (rows, findings.into_iter().flatten().collect())
}

fn report(
    routes: Vec<RouteRow>,
    tunnel: Tunnel,
    notes: Vec<&'static str>,
    findings: Vec<Finding>,
    next: Vec<Next>,
    request: &ProbeRequest,
) -> Report<ProbeData> {
    let of = |row: &RouteRow| Skipped::new(format!("probe:{}", row.name), row.reason.clone().unwrap_or_default());
    let skipped = routes.iter().filter(|row| row.state == Callability::NotChecked).map(of).collect();
    let summary = in_one_sentence(&routes, tunnel);
    Report { findings, skipped, next, ..Report::new(summary, ProbeData { routes, notes }).whole(request.verbose) }
}

fn next(rows: &[RouteRow], caller: &Caller) -> Vec<Next> {
    if rows.iter().any(|row| !row.state.is_callable()) || rows.is_empty() {
        return Vec::new();
    }
    vec![Next::helper("show how to call them from Claude", caller.command(&["connect"]))]
}

/// An upstream that is not a route yet, from a network of the probe's own.
fn probe_url(
    deployment: &Deployment,
    request: &ProbeRequest,
    url: &str,
    limit: u64,
    caller: &Caller,
) -> Result<Report<ProbeData>, Error> {
    if request.routes.is_some() || !request.paths.0.is_empty() {
        return Err(Error::request(
            "`url` tests a server that is not a route; `routes` and `paths` apply to routes only",
            "leave `routes` and `paths` out; a path goes into the URL itself",
        ));
    }
    let (upstream, path) = split(url)?;
    let current = Current::read(deployment);
    let domain = current.known_domain().ok().flatten();
    let domain = domain.map_or_else(|| "abcd1234.tunnel.anthropic.com".to_owned(), |domain| domain.to_string());
    let planned = unnamed_route(deployment, current.gateway.good(), &upstream, path.as_ref(), &domain, limit);
    let (observed, engine) = from_own_network(deployment, &planned, caller)?;
    let observed = observed.as_ref().map_err(String::as_str);
    let (rows, findings) = apart(rows(&[planned], observed, request.verbose));
    let mut next = Vec::new();
    if rows.iter().all(|row| row.state.is_callable()) {
        let routes = serde_json::json!({"routes": {NAME: upstream.to_string()}}).to_string();
        let what = "make it a route; replace NAME with a name of your choice";
        next.push(Next::helper(what, caller.command(&["render", "--json", &routes])));
    }
    let note = "tried from the probe's own network; a firewall may treat the network of the deployment differently";
    let findings = engine.into_iter().chain(findings).collect();
    Ok(report(rows, Tunnel::Missing, vec![note], findings, next, request))
}

/// An upstream as a route whose name is its URL.
fn unnamed_route(
    deployment: &Deployment,
    gateway: Option<&Gateway>,
    upstream: &Upstream,
    path: Option<&McpPath>,
    domain: &str,
    limit: u64,
) -> Planned {
    let allowed = gateway.map_or(Allowed::Private, target::allowed);
    let trust = match gateway {
        Some(gateway) => target::trust(deployment, gateway).unwrap_or_default(),
        None => Trust { ca_pem: None, public: true },
    };
    let chosen = path.map_or(USUAL_PATHS[0], McpPath::as_str);
    let target = target::target(None, upstream, format!("new-route.{domain}"), chosen, allowed, trust, limit);
    Planned {
        name: upstream.to_string(),
        host: format!("{NAME}.{domain}"),
        upstream: upstream.to_string(),
        is_kept: path.is_some(),
        target: Ok(target),
    }
}

/// Tries a route without a proxy. Returns also what is wrong with the engine.
fn from_own_network(
    deployment: &Deployment,
    planned: &Planned,
    caller: &Caller,
) -> Result<(Result<Observed, String>, Vec<Finding>), Error> {
    let folder = if deployment.root().is_dir() { deployment.root() } else { Path::new("/") };
    let (docker, engine) = version::find(folder, Vec::new(), caller.var("DOCKER_HOST"), caller.progress)?;
    let Some(docker) = docker else { return Ok((Err("the Docker engine cannot be used".to_owned()), engine)) };
    sweep(&docker)?;
    let targets: Vec<ProbeTarget> = planned.target.clone().into_iter().collect();
    Ok((observe(&docker, Place::OwnNetwork, &targets, &[], &[])?, engine))
}

/// `scheme://host:port`, and a path behind it.
fn split(url: &str) -> Result<(Upstream, Option<McpPath>), Error> {
    let hint = "write it as `http://HOST:PORT` or `http://HOST:PORT/PATH`; for a process on this machine HOST is host.docker.internal";
    let start = url.find("://").map_or(0, |at| at + 3);
    let (base, path) = match url[start..].find('/') {
        Some(at) => url.split_at(start + at),
        None => (url, ""),
    };
    let upstream = Upstream::parse(base).map_err(|why| Error::request(why, hint))?;
    let path = match path {
        "" | "/" => None,
        path => Some(McpPath::parse(path).map_err(|why| Error::request(why, hint))?),
    };
    Ok((upstream, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_upstream_with_or_without_a_path() {
        let read = |url: &str| split(url).map(|(u, p)| (u.to_string(), p.map(|p| p.as_str().to_owned())));
        assert_eq!(read("http://a:1").unwrap(), ("http://a:1".into(), None));
        assert_eq!(read("http://a:1/").unwrap(), ("http://a:1".into(), None));
        assert_eq!(read("https://a:1/x/sse").unwrap(), ("https://a:1".into(), Some("/x/sse".into())));
        for url in ["a:1", "http://a", "http://a:1/x y", "http://a:1/x?y=1", "ftp://a:1", "", "/", "http://u:p@a:1/x"] {
            assert_eq!(read(url).unwrap_err().code(), "request", "{url}");
        }
    }
}
