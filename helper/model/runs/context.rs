//! The folder of a build: which of its files there are, and which are kept out.

use super::ignored::{globs, is_ignored};
use crate::config::yaml;
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::model::mounts::within;
use crate::model::paths::below;
use crate::os::files::{self, inside};

/// Longest file that is read, in bytes: what people write is shorter, what tools make is not.
const LONGEST: usize = 256 << 10;
/// Files of one folder that a pattern is compared with.
const MOST: usize = 512;

/// The folder of a build, with what is kept out of it.
pub(crate) struct Context<'a> {
    deployment: &'a Deployment,
    pub(super) folder: String,
    ignored: String,
}

impl<'a> Context<'a> {
    /// That of a service that is built in the directory, and from nothing else.
    pub(crate) fn of(deployment: &'a Deployment, found: &Found, service: &str) -> Option<Self> {
        let folder = context(found, service)?;
        let build = found.service(service, "build")?;
        let name = yaml::text(build, &["dockerfile"]).unwrap_or_else(|| "Dockerfile".into());
        // One next to the Dockerfile goes first: https://docs.docker.com/build/concepts/context/#filename-and-location.
        let names = [format!("{name}.dockerignore"), ".dockerignore".to_owned()];
        let rules = names.iter().find_map(|name| text(deployment, &inside(&below(&folder, name))?));
        let ignored = rules.unwrap_or_default();
        Some(Self { deployment, folder, ignored })
    }

    /// Path inside the directory of one of its files.
    pub(crate) fn place(&self, source: &str) -> Option<String> {
        inside(&below(&self.folder, &rooted(source)))
    }

    /// Whether a file or a folder is there; what cannot be looked at is.
    pub(super) fn has(&self, source: &str) -> bool {
        let Some(place) = self.place(source) else { return true };
        let look = std::fs::symlink_metadata(self.deployment.path(&place));
        !look.is_err_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        })
    }

    pub(crate) fn ignores(&self, source: &str) -> bool {
        is_ignored(&self.ignored, source)
    }

    /// Whether anything may be let in again below a path that is kept out.
    pub(super) fn has_exceptions(&self) -> bool {
        self.ignored.lines().any(|rule| rule.trim_start().starts_with('!'))
    }

    /// The names of its files in one of its folders.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let place = self.place(folder).unwrap_or_default();
        files::names(self.deployment, &place, MOST).unwrap_or_default()
    }

    /// The files that a pattern of COPY fits; a path without one is itself.
    pub(super) fn fits(&self, source: &str) -> Vec<String> {
        if !source.contains(['*', '?']) {
            return vec![source.to_owned()];
        }
        let (folder, last) = source.rsplit_once('/').unwrap_or(("", source));
        self.names(folder).iter().filter(|name| globs(last, name)).map(|name| below(folder, name)).collect()
    }
}

/// A path that does not leave the folder of its build: a build takes `..` at its top for the folder itself.
fn rooted(source: &str) -> String {
    let mut parts = Vec::new();
    for part in source.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The folder that a service is built from, inside the directory.
pub(crate) fn context(found: &Found, service: &str) -> Option<String> {
    let build = found.service(service, "build")?;
    let said = yaml::scalar(build).or_else(|| yaml::text(build, &["context"]))?;
    inside(&within(&said, found.roots()))
}

pub(super) fn text(deployment: &Deployment, place: &str) -> Option<String> {
    files::read_text(deployment, place).ok().flatten().filter(|text| text.len() <= LONGEST)
}

/// The folder of a build as a person knows it.
pub(super) fn shown(folder: &str) -> String {
    if folder.is_empty() { ".".to_owned() } else { folder.to_owned() }
}
