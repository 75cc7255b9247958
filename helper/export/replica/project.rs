//! Whether the Compose project of a bundle already runs from another directory.

use std::path::Path;

use super::unpack::Bundle;
use crate::answer::{Error, Finding, Skipped};
use crate::config::yaml::{self, Value, at};
use crate::deployment::Deployment;
use crate::deployment::env_file::EnvFile;
use crate::engine::client::Docker;
use crate::engine::container;
use crate::model::found::Found;
use crate::model::sources::{ComposeFile, MAIN_NAMES, OVERRIDE_NAMES};
use crate::redact::names;
use crate::rules::RuleId;
use crate::stack;

/// What the engine says.
pub(crate) enum Elsewhere {
    /// No other directory runs it.
    No,
    Runs(Box<Finding>),
    /// The engine could not be asked.
    Unknown(Skipped),
}

/// Asks the engine.
pub(crate) fn elsewhere(bundle: &Bundle, deployment: &Deployment) -> Result<Elsewhere, Error> {
    let unknown = |why: &str| Ok(Elsewhere::Unknown(Skipped::new(RuleId::ProjectConflict, why)));
    let Some(project) = name(bundle, deployment) else {
        return unknown("the name of the Compose project depends on a variable");
    };
    // The directory may not be there yet.
    let folder = deployment.root().ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let Some(docker) = Docker::find(folder, Vec::new(), false) else { return unknown("docker is not installed") };
    Ok(match container::of_project(&docker, &project)? {
        Ok(containers) => match stack::conflict(&project, deployment.root(), &containers) {
            Some(finding) => Elsewhere::Runs(Box::new(finding)),
            None => Elsewhere::No,
        },
        Err(finding) => return unknown(&finding.title),
    })
}

/// The project's name once the bundle is unpacked: a person's own files in the directory come first.
fn name(bundle: &Bundle, deployment: &Deployment) -> Option<String> {
    let found = Found::read(deployment);
    let entry = |name: &str| bundle.entry(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let env = found.env().cloned().or_else(|| entry(".env").map(EnvFile::new));
    let set = env.and_then(|env| env.get("COMPOSE_PROJECT_NAME")).filter(|name| !name.is_empty());
    let said = |value: &Value| at(value, &["name"]).and_then(yaml::scalar);
    let of_entry = |name: &&str| said(&yaml::from_text::<Value>(&entry(name)?).ok()?);
    let of_file = |file: Option<&ComposeFile>| said(file?.value.as_ref().ok()?);
    let over = match &found.over {
        Some(over) => of_file(Some(over)),
        None => OVERRIDE_NAMES.iter().find_map(of_entry),
    };
    let named = set.or(over).or_else(|| of_file(found.main.as_ref())).or_else(|| MAIN_NAMES.iter().find_map(of_entry));
    match named {
        Some(name) => names::is_valid(&name).then_some(name),
        None => found.project(deployment),
    }
}
