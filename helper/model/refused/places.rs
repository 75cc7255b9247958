//! Files and folders that the services need before they can start, looked at.

use std::fs;
use std::path::Path;

use super::refusal::Refusal;
use crate::config::images;
use crate::config::yaml::{self, Value, at};
use crate::deployment::Deployment;
use crate::model::found::{Found, View};
use crate::model::runs::{self, Gone};
use crate::model::{merge, paths};
use crate::rules::{Refused, Severity};

pub(super) fn absent(found: &Found, deployment: &Deployment) -> Vec<Refusal> {
    // Paths start at the folder of the main file, which is the deployment's unless `COMPOSE_FILE` names another.
    if found.main.as_ref().is_none_or(|main| main.name.contains('/')) {
        return Vec::new();
    }
    let services = found.service_names().into_iter().filter(|name| found.is_started(name));
    services
        .flat_map(|service| {
            let mut all = env_files(found, deployment, &service);
            all.extend(image(found, &service));
            let build = build(found, deployment, &service);
            all.extend(if build.is_empty() { copied(found, deployment, &service) } else { build });
            all
        })
        .collect()
}

/// Whether a path is one of this host, written out.
fn is_plain(path: &str) -> bool {
    let is_elsewhere = paths::is_remote(path) || path.contains('$') || path.starts_with('~');
    !is_elsewhere && !path.is_empty() && !path.contains(':')
}

fn is_gone(place: &Path) -> bool {
    fs::metadata(place).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Compose reads them itself: where it takes the files they are there.
fn env_files(found: &Found, deployment: &Deployment, service: &str) -> Vec<Refusal> {
    let named = found.service(service, "env_file").filter(|_| found.view == View::Files).map(merge::listed);
    let needed = named.unwrap_or_default().into_iter().filter(|(path, is_needed)| *is_needed && is_plain(path));
    let missing = needed.filter(|(path, _)| is_gone(&deployment.path(path)));
    missing
        .map(|(path, _)| {
            let word = path.trim_start_matches("./").to_owned();
            let why = Refused::EnvFile { service: service.to_owned(), path };
            Refusal::at(found, &["services", service, "env_file"], &word, why)
        })
        .collect()
}

/// The reference of an image; one with a variable that nothing sets has its own finding.
fn image(found: &Found, service: &str) -> Option<Refusal> {
    let image = found.text(service, "image")?;
    let is_open = image.contains('$') || image.is_empty() || image.ends_with([':', '@']) || image.contains(":@");
    let why = images::fault(&image).filter(|_| !is_open)?;
    let why = Refused::Image { service: service.to_owned(), image, why };
    Some(Refusal::at(found, &["services", service, "image"], "", why))
}

/// What the Dockerfile copies from the folder of its build.
fn copied(found: &Found, deployment: &Deployment, service: &str) -> Vec<Refusal> {
    let has_image = found.service(service, "image").is_some();
    let severity = if has_image { Severity::Warning } else { Severity::Error };
    let one = |gone: Gone| {
        let Gone { file, line, source, folder, is_ignored } = gone;
        let why = Refused::Copy { service: service.to_owned(), source, folder, is_ignored };
        Refusal { file, line: Some(line), severity, why }
    };
    runs::not_there(deployment, found, service).into_iter().map(one).collect()
}

/// What an image is built from. With `image`, one that was built or pulled before is used.
fn build(found: &Found, deployment: &Deployment, service: &str) -> Vec<Refusal> {
    let Some(build) = found.service(service, "build") else { return Vec::new() };
    let text = |key: &str| yaml::text(build, &[key]);
    let severity = if found.service(service, "image").is_some() { Severity::Warning } else { Severity::Error };
    let refusal = |word: &str, why| {
        let word = word.trim_start_matches("./");
        Refusal { severity, ..Refusal::at(found, &["services", service, "build"], word, why) }
    };
    let owned = |path: &str| crate::model::mounts::within(path, found.roots());
    let folder = |path: &str| {
        let is_there = !is_gone(&deployment.path(path));
        let is_folder = deployment.path(path).is_dir();
        let path = owned(path);
        // One that may not be looked into is left to docker.
        let why = || Refused::Context { service: service.to_owned(), path: path.clone(), is_there };
        (!is_there || fs::metadata(deployment.path(&path)).is_ok_and(|_| !is_folder)).then(|| refusal(&path, why()))
    };
    let context = yaml::scalar(build).or_else(|| text("context")).unwrap_or_else(|| ".".into());
    let more = contexts(build).into_iter().filter(|path| is_plain(path));
    let mut all: Vec<Refusal> = more.filter_map(|path| folder(&path)).collect();
    if !is_plain(&context) {
        return all;
    }
    if let Some(absent) = folder(&context) {
        all.push(absent);
        return all;
    }
    let named = text("dockerfile");
    let file = named.clone().unwrap_or_else(|| "Dockerfile".into());
    let at_context = deployment.path(&context);
    let is_gone = |name: &str| is_gone(&at_context.join(name));
    // Without a name docker takes small letters, too.
    let has_small = named.is_none() && !is_gone("dockerfile");
    if at(build, &["dockerfile_inline"]).is_none() && is_plain(&file) && is_gone(&file) && !has_small {
        let folder = owned(&context);
        let within = |name: &str| paths::below(&folder, name);
        let path = if file.starts_with('/') { owned(&file) } else { within(file.trim_start_matches("./")) };
        let other = like_dockerfile(&at_context).map(|name| within(&name));
        let why = Refused::Dockerfile { service: service.to_owned(), path, other };
        all.push(refusal(named.as_deref().unwrap_or_default(), why));
    }
    all
}

/// Folders of `additional_contexts`; a service, an image or a stage is not a folder.
fn contexts(build: &Value) -> Vec<String> {
    let named = at(build, &["additional_contexts"]).map(yaml::assignments).unwrap_or_default();
    named.into_iter().filter_map(|(_, path)| path).collect()
}

/// So many files of a folder are looked at.
const MOST_LOOKED_AT: usize = 256;

/// A file that is called like a Dockerfile: `Dockerfile.prod`, `wiki.Dockerfile`.
fn like_dockerfile(folder: &Path) -> Option<String> {
    let names = fs::read_dir(folder)
        .ok()?
        .take(MOST_LOOKED_AT)
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let is_like = |name: &String| {
        let lower = name.to_ascii_lowercase();
        lower.ends_with("dockerfile") || lower.starts_with("dockerfile.") && !lower.ends_with("ignore")
    };
    names.filter(is_like).min()
}
