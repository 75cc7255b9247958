//! `connect`: how to call the tunnel from Claude, with exact values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::config;
use crate::deployment::{Deployment, RouteName, TokenState, env_file, scaffold};
use crate::engine::{client::Docker, container};
use crate::lint::secrets;
use crate::model::{current, found::Found};
use crate::rules::{self, RuleId, Subject};
use crate::steps;

/// The request of `connect`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConnectRequest {
    /// Path at which the MCP servers answer (the one that is kept of each route, else `mcp`).
    path: Option<String>,
    /// Model of the Messages API request.
    model: Option<String>,
}

/// The model that Anthropic's documentation of MCP tunnels uses.
const MODEL: &str = "claude-opus-5";
const ENDPOINT: &str = "https://api.anthropic.com/v1/messages";
const VERSION: &str = "2023-06-01";
const BETA: &str = "mcp-client-2025-11-20";

/// What `connect` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConnectData {
    /// One entry a route.
    routes: Vec<RouteCall>,
    /// Whether a container of the stack runs; `null` where docker could not be asked.
    running: Option<bool>,
    /// What holds for all of them.
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
    curl: String,
    /// The same with the Python SDK.
    python: String,
    /// The same with the TypeScript SDK.
    typescript: String,
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
    let asked = request.path.as_deref().map(checked_path).transpose()?;
    let model = checked_model(request.model.as_deref().unwrap_or(MODEL))?;
    let domain = current::require_domain(deployment)?;
    let routes = current::routes(deployment);
    if routes.is_empty() {
        return Err(Error::Directory {
            message: format!("`{}` has no routes", deployment.root().display()),
            hint: "add one with `render`, such as {\"sample\":true} or {\"routes\":{\"NAME\":\"http://HOST:PORT\"}}"
                .into(),
        });
    }
    let kept = Found::read(deployment).paths();
    let (calls, mut findings) = calls(routes, &kept, asked.as_deref(), domain.as_str(), model);
    if calls.is_empty() {
        findings = findings.into_iter().map(|finding| finding.with_severity(Severity::Error)).collect();
    }
    let env = match scaffold::read_env(deployment) {
        Ok(env) => env,
        Err(error) => {
            findings.push(scaffold::unreadable_env(&error));
            None
        }
    };
    let token = TokenState::of(env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref());
    if !findings.iter().any(|f| f.id == RuleId::EnvUnreadable) {
        findings.extend(secrets::state_finding(&token));
    }
    let (running, unknown) = match is_running(deployment) {
        Ok(running) => (Some(running), None),
        Err(why) => (None, Some(Skipped::new("containers", why))),
    };
    let summary = summary(&calls, &token, running);
    let data = ConnectData {
        routes: calls,
        running,
        notes: vec![
            "only Claude can call the tunnel's host names; curl and browsers get no answer, which is expected",
            "the API key must belong to the workspace of the tunnel",
            "the tunnel does not authenticate to the MCP server; if it requires a token, pass `authorization_token` in the server's entry",
        ],
    };
    let mut report = Report::new(summary, data);
    report.findings = findings;
    report.skipped.extend(unknown);
    if !matches!(token, TokenState::Set(_)) {
        report.next.push(steps::token_step(caller));
    }
    if running == Some(false) {
        report.next.push(Next::helper("start the stack", caller.command(&["up"])));
    }
    report.next.push(Next::person("in the Console, follow the steps in `console` (Managed Agents > Sessions > New session); or run the request in `curl`"));
    report.next.push(Next::helper("if a call fails, check whether the tunnel is live", caller.command(&["status"])));
    Ok(report)
}

fn checked_model(model: &str) -> Result<&str, Error> {
    let is_name =
        (1..=128).contains(&model.len()) && model.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@/".contains(c));
    if is_name {
        return Ok(model);
    }
    Err(Error::request(format!("`{model}` is not the name of a model"), format!("leave it out for {MODEL}")))
}

/// How to call each route at the path that was asked for, else at the one that is kept of it, and findings about routes
/// that cannot be called.
fn calls(
    routes: BTreeMap<String, String>,
    kept: &BTreeMap<String, String>,
    asked: Option<&str>,
    domain: &str,
    model: &str,
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
        let path = asked.or(kept).unwrap_or("mcp");
        let url = format!("https://{label}.{domain}/{path}");
        calls.push(call(&label, upstream, url, domain, path, model));
    }
    (calls, findings)
}

/// One line: what Claude calls, or what keeps it from calling.
fn summary(calls: &[RouteCall], token: &TokenState, running: Option<bool>) -> String {
    let urls: Vec<&str> = calls.iter().map(|call| call.url.as_str()).collect();
    let urls = urls.join(", ");
    if urls.is_empty() {
        return "no route can be called: none has a name that can be a host name".into();
    }
    match (token, running) {
        (TokenState::Set(_), Some(true)) => format!("Claude calls {urls}"),
        (TokenState::Set(_), Some(false)) => format!("the stack is not running; once it is up, Claude calls {urls}"),
        (TokenState::Set(_), None) => format!("Claude calls {urls}; whether the stack is running was not checked"),
        (TokenState::Missing | TokenState::Placeholder, _) => {
            format!("the tunnel has no token yet; once it is set and the stack is up, Claude calls {urls}")
        }
        (TokenState::Malformed(_), _) => {
            format!("the token in .env is not a token; once it is replaced and the stack is up, Claude calls {urls}")
        }
    }
}

/// Whether a container of the stack runs, or why that is not known.
fn is_running(deployment: &Deployment) -> Result<bool, String> {
    let unread = |error: Error| error.to_string();
    let found = Found::read(deployment);
    let env = scaffold::read_env(deployment).map_err(unread)?;
    let project = found.project(deployment, env.as_ref()).ok_or("the name of the Compose project is not known")?;
    let docker = Docker::find(deployment.root(), Vec::new(), false).ok_or("docker is not installed")?;
    let containers = container::of_project(&docker, &project).map_err(unread)?.map_err(|finding| finding.title)?;
    Ok(containers.iter().any(|container| container.status() == "running"))
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

fn body(name: &str, url: &str, prompt: &str, model: &str) -> Value {
    json!({
        "model": model,
        "max_tokens": 1024,
        "messages": [{ "role": "user", "content": prompt }],
        "mcp_servers": [{ "type": "url", "url": url, "name": name }],
        "tools": [{ "type": "mcp_toolset", "mcp_server_name": name }],
    })
}

fn call(name: &str, upstream: String, url: String, domain: &str, path: &str, model: &str) -> RouteCall {
    let is_sample = upstream == config::sample::URL;
    let prompt = if is_sample {
        "Use the hello tool to greet tunnel."
    } else {
        "Which tools do you have? Try one that only reads."
    };
    let body = body(name, &url, prompt, model);
    let pretty = serde_json::to_string_pretty(&body).unwrap_or_default();
    let console = vec![
        "Managed Agents > Sessions > New session > Create new agent > + MCP Server".to_owned(),
        format!("pick the tunnel {domain} (it is in the list once its CA is registered)"),
        format!("Subdomain: {name}"),
        format!("Path: {path}"),
        format!("\"Resolves to\" must show {url}"),
        format!("ask: \"{prompt}\""),
    ];
    let curl = format!(
        "curl {ENDPOINT} \\\n  -H \"x-api-key: $ANTHROPIC_API_KEY\" \\\n  -H \"anthropic-version: {VERSION}\" \\\n  -H \"anthropic-beta: {BETA}\" \\\n  -H \"content-type: application/json\" \\\n  -d '{pretty}'\n"
    );
    // Every value is made of plain ASCII without quotes or backslashes, so JSON strings are Python's and TypeScript's too.
    let text = |value: &str| Value::from(value).to_string();
    let (model, url_text, name_text, prompt) = (text(model), text(&url), text(name), text(prompt));
    let python = format!(
        "import anthropic\n\nclient = anthropic.Anthropic()  # reads ANTHROPIC_API_KEY\n\nmessage = client.beta.messages.create(\n    model={model},\n    max_tokens=1024,\n    messages=[{{\"role\": \"user\", \"content\": {prompt}}}],\n    mcp_servers=[{{\"type\": \"url\", \"url\": {url_text}, \"name\": {name_text}}}],\n    tools=[{{\"type\": \"mcp_toolset\", \"mcp_server_name\": {name_text}}}],\n    betas=[\"{BETA}\"],\n)\nprint(message.content)\n"
    );
    let typescript = format!(
        "import Anthropic from \"@anthropic-ai/sdk\";\n\nconst client = new Anthropic(); // reads ANTHROPIC_API_KEY\n\nconst message = await client.beta.messages.create({{\n  model: {model},\n  max_tokens: 1024,\n  messages: [{{ role: \"user\", content: {prompt} }}],\n  mcp_servers: [{{ type: \"url\", url: {url_text}, name: {name_text} }}],\n  tools: [{{ type: \"mcp_toolset\", mcp_server_name: {name_text} }}],\n  betas: [\"{BETA}\"],\n}});\nconsole.log(message.content);\n"
    );
    RouteCall { name: name.to_owned(), upstream, url, console, curl, python, typescript }
}
