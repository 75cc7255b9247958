//! `render`: the command around `config::render`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Error, Finding, Next, Report, count};
use crate::caller::{Caller, quote};
use crate::deployment::{Deployment, path};
use crate::lint::routes;
use crate::model::current::Current;
use crate::os::files::{Action, FileEntry};
use crate::render;
use crate::render::plan::{Diff, Mode};
use crate::render::takeover::Replaced;
use crate::steps;

crate::config::settings::request_with_settings! {
    /// The request of `render`.
    RenderRequest {
        /// Write nothing, show diffs.
        dry_run: bool,
        /// Replace files that were edited by hand; the old ones are kept as `NAME.bak-TIME`.
        overwrite: bool,
        /// Whole diffs.
        verbose: bool,
    }
}

/// What `render` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct RenderData {
    /// Every file of the stack.
    files: Vec<FileEntry>,
    /// The routes that are, or in a dry run would be, configured.
    routes: BTreeMap<String, String>,
    /// Stored paths of MCP endpoints, by route; the others are at `/mcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    paths: BTreeMap<String, String>,
    /// The existing Docker networks that the proxy also joins: what a list in a request replaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
    /// The stack, written by hand, that this one replaces; in a refusal and a dry run, that it would replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<Replaced>,
    /// Unified diffs of files that were kept, and in a dry run of all that would change.
    diffs: Vec<Diff>,
    /// Whether nothing was written because that was asked for.
    dry_run: bool,
}

/// The command.
///
/// # Errors
/// `directory` when the directory does not know its domain, `request` for settings that cannot be, reading and
/// writing errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: &RenderRequest,
    caller: &Caller,
) -> Result<Report<RenderData>, Error> {
    deployment.require()?;
    let _lock = deployment.lock()?;
    let (current, writes) = (Current::read(deployment), deployment.writes());
    if let Some(fault) = &current.found.env_fault {
        return Ok(without_env(&current, request, fault.clone()));
    }
    let domain = current.require_domain(deployment)?;
    let mode = Mode { dry_run: request.dry_run, overwrite: request.overwrite, verbose: request.verbose };
    let rendered = render::render(deployment, current.found.clone(), &domain, &request.settings(), mode, caller.now)?;
    let changed: Vec<&str> = rendered
        .files
        .iter()
        .filter(|file| matches!(file.action, Action::Created | Action::Updated))
        .filter_map(|file| file.path.rsplit('/').next())
        .collect();
    let routes = count(rendered.routes.len(), "route");
    let summary = if rendered.blocked {
        "nothing was written: files were edited by hand, or were not written by the helper".to_owned()
    } else if changed.is_empty() {
        format!("nothing to change: all files are up to date ({routes})")
    } else if request.dry_run {
        format!("would write {} ({routes}); nothing was written", changed.join(", "))
    } else {
        format!("wrote {} ({routes}); run `up` to apply it", changed.join(", "))
    };
    // The files as they are now.
    let current = if deployment.writes() == writes { current } else { Current::read(deployment) };
    let current = (!rendered.blocked && !request.dry_run).then_some(current);
    let written = current.as_ref().filter(|_| !changed.is_empty());
    let applied = written.map(|current| apply(current, deployment, &rendered.files, caller)).unwrap_or_default();
    let stop = rendered.replaces.as_ref().filter(|old| old.must_be_stopped && request.overwrite).map(|old| {
        let command = match old.project() {
            Some(project) => format!("docker compose -p {} down --remove-orphans", quote(project.as_ref())),
            None => caller.command(&["down"]),
        };
        Next::person("stop the old stack first: two connectors with one token would share the calls").running(command)
    });
    let data = RenderData {
        files: rendered.files,
        routes: rendered.routes,
        paths: rendered.paths,
        networks: rendered.networks,
        replaces: rendered.replaces,
        diffs: rendered.diffs,
        dry_run: request.dry_run,
    };
    let mut findings = rendered.findings;
    findings.extend(current.iter().flat_map(routes::not_defined_yet));
    let next = stop.into_iter().chain(applied).collect();
    Ok(Report { findings, next, ..Report::new(summary, data).whole(request.verbose) })
}

/// How what was written takes effect: a first stack has the steps before its start, another is started again.
fn apply(current: &Current, deployment: &Deployment, files: &[FileEntry], caller: &Caller) -> Vec<Next> {
    let is_stack = |file: &FileEntry| file.action == Action::Created && file.path.ends_with(path::COMPOSE);
    if files.iter().any(is_stack) {
        return steps::of_files(current, deployment, caller);
    }
    let up = || Next::helper("start the stack, or apply the change to the running one", caller.command(&["up"]));
    vec![steps::before_start(current, deployment, caller).unwrap_or_else(up)]
}

/// Without the domain and the labels in `.env` nothing is written.
fn without_env(current: &Current, request: &RenderRequest, finding: Finding) -> Report<RenderData> {
    let data = RenderData { routes: current.routes(), dry_run: request.dry_run, ..RenderData::default() };
    let report = Report::new(format!("nothing was written: {}", finding.title), data);
    Report { findings: vec![finding], ..report }
}
