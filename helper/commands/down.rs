//! `down`: stops the stack, even if other parts are broken.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stack::refused;
use crate::answer::{Error, Finding, Next, Report, Severity, count};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::engine::client::{Docker, Output, Passed};
use crate::engine::{container, errors, version};
use crate::rules::RuleId;
use crate::stack::act::STOP;
use crate::stack::outcome::Command;
use crate::stack::{Refusal, Stack, conflict};

/// The request of `down`: it has no fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DownRequest {}

/// What `down` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DownData {
    /// Name of the Compose project.
    project: Option<String>,
    /// Services whose containers were removed.
    stopped: Vec<String>,
}

/// The command: stops the stack as long as its project name is known.
pub(crate) fn down(deployment: &Deployment, caller: &mut Caller) -> Result<Report<DownData>, Error> {
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let own = match Stack::open(deployment, caller)? {
        Ok(stack) => Stopping { docker: stack.docker, project: stack.declared.project, findings: stack.findings },
        Err(refusal) => match Stopping::without_files(deployment, &refusal, caller)? {
            Some(stopping) => stopping,
            None => {
                let refused = refused(refusal, "nothing was stopped", Command::Status, deployment, caller);
                let Report { summary, data, findings, skipped, next, is_whole } = refused;
                let data = DownData { project: data.project, stopped: Vec::new() };
                return Ok(Report { summary, data, findings, skipped, next, is_whole });
            }
        },
    };
    let listed = container::of_project(&own.docker, &own.project)?.unwrap_or_default();
    let services: BTreeSet<String> = listed.into_iter().map(|c| c.service).collect();
    let mut output = own.docker.compose(&["down", "--remove-orphans"], STOP, &lock)?;
    if !output.success {
        // A file that Compose cannot use keeps it from stopping what runs, unless it is asked by the project's name.
        let elsewhere = own.docker.elsewhere(Path::new("/"));
        let again = ["--project-name", &own.project, "down", "--remove-orphans"];
        let again = elsewhere.compose(&again, STOP, &lock)?;
        output = if again.success { again } else { output };
    }
    Ok(stopped(&output, own, services, caller))
}

/// What `down` stops.
struct Stopping {
    docker: Docker,
    project: String,
    findings: Vec<Finding>,
}

impl Stopping {
    /// Without a readable compose file the engine knows which project this directory's containers belong to.
    fn without_files(deployment: &Deployment, refusal: &Refusal, caller: &Caller) -> Result<Option<Self>, Error> {
        let of_files = [RuleId::ComposeFileMissing, RuleId::ComposeFileUnreadable, RuleId::ComposeYamlInvalid];
        let is_of_files = |f: &Finding| of_files.contains(&f.id);
        if !refusal.findings.iter().all(is_of_files) {
            return Ok(None);
        }
        let root = deployment.root();
        let host = caller.var("DOCKER_HOST");
        let (Some(docker), _) = version::find(root, Passed::new(), host, caller.progress)? else { return Ok(None) };
        let project = container::project_of_folder(&docker, root)?.or_else(|| refusal.project.clone());
        let Some(project) = project else { return Ok(None) };
        let containers = container::of_project(&docker, &project)?.unwrap_or_default();
        if containers.is_empty() || conflict(&project, root, &containers).is_some() {
            return Ok(None);
        }
        // It did not keep the stack from being stopped.
        let warning = |f: &Finding| f.clone().with_severity(Severity::Warning);
        Ok(Some(Self { docker, project, findings: refusal.findings.iter().map(warning).collect() }))
    }
}

fn stopped(output: &Output, own: Stopping, services: BTreeSet<String>, caller: &Caller) -> Report<DownData> {
    let Stopping { project, mut findings, .. } = own;
    if !output.success {
        findings.push(errors::finding(&output.text(), RuleId::ComposeFailed));
        let data = DownData { project: Some(project), stopped: Vec::new() };
        return Report { findings, ..Report::new("docker compose could not stop the stack", data) };
    }
    let summary = match services.len() {
        0 => "nothing was running".to_owned(),
        n => {
            let containers = count(n, "container");
            format!("the stack is stopped: {containers} removed; certificates, token and configuration are kept")
        }
    };
    let data = DownData { project: Some(project), stopped: services.into_iter().collect() };
    let next = vec![Next::helper("start the stack again when you need it", caller.command(&["up"]))];
    Report { findings, next, ..Report::new(summary, data) }
}
