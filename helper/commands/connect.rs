//! `connect`: how to call the tunnel from Claude, with exact values.

mod request;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::request::Request;

use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::config;
use crate::deployment::{Deployment, RouteName, TokenState};
use crate::engine::{client::Docker, container};
use crate::lint::tokens;
use crate::model::current::Current;
use crate::model::token::{AgentToken, TokenOrigin, token_of};
use crate::rules::{self, RuleId, Subject};
use crate::steps;

/// The request of `connect`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConnectRequest {
    /// Path at which the MCP servers answer (each route's stored path, otherwise `mcp`).
    path: Option<String>,
    /// Model of the Messages API request.
    model: Option<String>,
    /// What the Messages API request is written in (`curl`).
    language: Option<Language>,
}

/// What a request of the Messages API is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    /// A shell command.
    #[default]
    Curl,
    /// The Python SDK.
    Python,
    /// The TypeScript SDK.
    Typescript,
    /// Each of them.
    All,
}

impl Language {
    /// Whether a request in `one` is asked for.
    fn wants(self, one: Self) -> bool {
        self == one || self == Self::All
    }
}

/// The model that Anthropic's documentation of MCP tunnels uses.
const MODEL: &str = "claude-opus-5";

/// What `connect` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConnectData {
    /// One entry a route.
    routes: Vec<RouteCall>,
    /// Whether a container of the stack runs; `null` where docker could not be asked.
    running: Option<bool>,
    /// Notes on all routes.
    notes: Vec<&'static str>,
}

/// How to call one route.
#[derive(Debug, Serialize, JsonSchema)]
struct RouteCall {
    /// Name of the route.
    name: String,
    /// Where it leads.
    upstream: String,
    /// What Claude calls.
    url: String,
    /// Clicks for a Managed Agent.
    console: Vec<String>,
    /// Messages API with curl; needs ANTHROPIC_API_KEY in the shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    curl: Option<String>,
    /// The same with the Python SDK.
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    /// The same with the TypeScript SDK.
    #[serde(skip_serializing_if = "Option::is_none")]
    typescript: Option<String>,
}

/// The command.
///
/// # Errors
/// `request` for a path or model that cannot be one, `directory` when there is no route to call, reading errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: &ConnectRequest,
    caller: &Caller,
) -> Result<Report<ConnectData>, Error> {
    deployment.require_begun()?;
    let wanted = Wanted {
        path: request.path.as_deref().map(checked_path).transpose()?,
        model: checked_model(request.model.as_deref().unwrap_or(MODEL))?,
        language: request.language.unwrap_or_default(),
    };
    let current = Current::read(deployment);
    let domain = current.require_domain(deployment)?;
    let routes = current.routes();
    if routes.is_empty() {
        return Err(Error::Directory {
            message: format!("`{}` has no routes", deployment.root().display()),
            hint: "add one with `render`, such as {\"sample\":true} or {\"routes\":{\"NAME\":\"http://HOST:PORT\"}}"
                .into(),
        });
    }
    let found = &current.found;
    let (calls, mut findings) = calls(routes, &found.paths(), &wanted, domain.as_str());
    if calls.is_empty() {
        findings = findings.into_iter().map(|finding| finding.with_severity(Severity::Error)).collect();
    }
    let token = token_of(found, deployment, caller, found.roles().agent.as_deref());
    findings.extend(found.env_fault.clone().or_else(|| match token.origin {
        // What is not seen is not missing.
        TokenOrigin::Unseen(_) => None,
        _ => tokens::finding(found, &token, found.roles().agent.as_deref()),
    }));
    let mut skipped = Vec::new();
    let running = is_running(deployment, &current).map_err(|why| skipped.push(Skipped::new("containers", why))).ok();
    let summary = summary(&calls, &token, running);
    let next = vec![next(&token, running, caller)];
    let data = ConnectData { routes: calls, running, notes: NOTES.to_vec() };
    Ok(Report { findings, skipped, next, ..Report::new(summary, data) })
}

/// What holds for every call.
const NOTES: [&str; 3] = [
    "only Claude can call the tunnel's host names; curl and browsers get no answer, which is expected",
    "the API key must belong to the tunnel's workspace; one that reaches several needs the header `anthropic-workspace-id: ID`",
    "if the MCP server requires a token, pass `authorization_token` in the server's entry; the tunnel adds none",
];

/// What the request asks for, checked.
struct Wanted<'a> {
    path: Option<String>,
    model: &'a str,
    language: Language,
}

/// What keeps a call from working, or what tells why it failed: the call itself is the person's, as `data` says.
fn next(token: &AgentToken, running: Option<bool>, caller: &Caller) -> Next {
    match running {
        _ if !has_token(token) => steps::token_step(caller),
        Some(false) => steps::start_step(caller),
        _ => Next::helper("if the call fails, find out why", caller.command(&["diagnose"])),
    }
}

/// Whether cloudflared has a token, as far as it can be seen.
fn has_token(token: &AgentToken) -> bool {
    matches!(token.state, TokenState::Set(_)) || matches!(token.origin, TokenOrigin::Unseen(_))
}

fn checked_model(model: &str) -> Result<&str, Error> {
    let is_name =
        (1..=128).contains(&model.len()) && model.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@/".contains(c));
    if is_name {
        return Ok(model);
    }
    Err(Error::request(format!("`{model}` is not the name of a model"), format!("leave it out for {MODEL}")))
}

/// How to call each route at the requested path, otherwise at its stored one, and findings about routes
/// that cannot be called.
fn calls(
    routes: BTreeMap<String, String>,
    kept: &BTreeMap<String, String>,
    wanted: &Wanted<'_>,
    domain: &str,
) -> (Vec<RouteCall>, Vec<Finding>) {
    let suffix = format!(".{domain}");
    let (mut calls, mut findings) = (Vec::new(), Vec::new());
    for (name, upstream) in routes {
        let label = name.strip_suffix(&suffix).unwrap_or(&name).to_owned();
        if let Err(fault) = RouteName::parse(&label) {
            let finding = rules::finding(RuleId::RouteNameInvalid).about(Subject::Route { name });
            findings.push(finding.with(fault.to_string()));
            continue;
        }
        let kept = kept.get(&name).or_else(|| kept.get(&label)).map(|path| path.trim_start_matches('/'));
        let path = wanted.path.as_deref().or(kept).unwrap_or("mcp");
        calls.push(call(&label, upstream, domain, path, wanted));
    }
    (calls, findings)
}

/// One line: what Claude calls, or what keeps it from calling.
fn summary(calls: &[RouteCall], token: &AgentToken, running: Option<bool>) -> String {
    let urls: Vec<&str> = calls.iter().map(|call| call.url.as_str()).collect();
    let urls = urls.join(", ");
    if urls.is_empty() {
        return "no route can be called: none has a name that can be a host name".into();
    }
    match (&token.state, running) {
        (TokenState::Malformed(_), _) => {
            format!("the tunnel's token is not a token; once it is replaced and the stack is up, Claude calls {urls}")
        }
        (TokenState::Missing | TokenState::Placeholder, _) if !has_token(token) => {
            format!("the tunnel has no token yet; once it is set and the stack is up, Claude calls {urls}")
        }
        (_, Some(true)) => format!("Claude calls {urls}"),
        (_, Some(false)) => format!("the stack is not running; once it is up, Claude calls {urls}"),
        (_, None) => format!("Claude calls {urls}; whether the stack is running was not checked"),
    }
}

/// Whether a container of the stack runs, or why that is not known.
fn is_running(deployment: &Deployment, current: &Current) -> Result<bool, String> {
    let unread = |error: Error| error.to_string();
    if let Some(fault) = &current.found.env_fault {
        return Err(fault.evidence.first().map_or_else(|| fault.title.clone(), |evidence| evidence.text.clone()));
    }
    let project = current.found.project(deployment).ok_or("the name of the Compose project is not known")?;
    let docker = Docker::find(deployment.root(), Vec::new(), false).ok_or("docker is not installed")?;
    let containers = container::of_project(&docker, &project).map_err(unread)?.map_err(|finding| finding.title)?;
    Ok(containers.iter().any(|container| container.is_running()))
}

/// A path without slashes at its ends, of characters that need no escaping anywhere.
fn checked_path(path: &str) -> Result<String, Error> {
    let path = path.trim_matches('/');
    if path.len() > 512 || !path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c)) {
        return Err(Error::request(
            format!("the path `{path}` has characters that a URL path would escape"),
            "give the path at which the MCP server answers, such as `mcp`",
        ));
    }
    Ok(path.to_owned())
}

fn call(name: &str, upstream: String, domain: &str, path: &str, wanted: &Wanted<'_>) -> RouteCall {
    let is_sample = upstream == config::sample::URL;
    let prompt = if is_sample {
        "Use the hello tool to greet tunnel."
    } else {
        "Which tools do you have? Try one that only reads."
    };
    let url = format!("https://{name}.{domain}/{path}");
    let console = vec![
        "Managed Agents > Sessions > New session > Create new agent > + MCP Server".to_owned(),
        format!("pick the tunnel {domain} (it is in the list once its CA is registered)"),
        format!("Subdomain: {name}"),
        format!("Path: {path}"),
        format!("\"Resolves to\" must show {url}"),
        format!("ask: \"{prompt}\""),
    ];
    let request = Request { name, url: &url, prompt, model: wanted.model };
    let wants = |one| wanted.language.wants(one);
    let curl = wants(Language::Curl).then(|| request.curl());
    let python = wants(Language::Python).then(|| request.python());
    let typescript = wants(Language::Typescript).then(|| request.typescript());
    RouteCall { name: name.to_owned(), upstream, url, console, curl, python, typescript }
}
