//! The folder of a build: which of its files there are, and what a Dockerfile copies from it.

use super::build::build;
use super::ignored::{globs, is_ignored};
use super::image::{self, Image, copied, text};
use crate::config::yaml;
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::os::files::{self, inside};

/// Files of one folder that a pattern is compared with.
const MOST: usize = 512;

/// The folder of a build, with what is kept out of it.
pub(super) struct Context<'a> {
    deployment: &'a Deployment,
    pub(super) folder: String,
    ignored: String,
}

impl<'a> Context<'a> {
    /// That of a service that is built in the directory, and from nothing else.
    pub(super) fn of(deployment: &'a Deployment, found: &Found, service: &str) -> Option<Self> {
        let folder = image::context(found, service)?;
        let build = found.service(service, "build")?;
        let name = yaml::at(build, &["dockerfile"]).and_then(yaml::scalar).unwrap_or_else(|| "Dockerfile".into());
        // One next to the Dockerfile goes first: https://docs.docker.com/build/concepts/context/#filename-and-location.
        let places = [format!("{folder}/{name}.dockerignore"), format!("{folder}/.dockerignore")];
        let ignored = places.iter().find_map(|place| text(deployment, &inside(place)?)).unwrap_or_default();
        Some(Self { deployment, folder, ignored })
    }

    /// Path inside the directory of one of its files.
    pub(super) fn place(&self, source: &str) -> Option<String> {
        inside(&format!("{}/{}", self.folder, rooted(source)))
    }

    /// Whether a file or a folder is there; what cannot be looked at is.
    pub(super) fn has(&self, source: &str) -> bool {
        let Some(place) = self.place(source) else { return true };
        let look = std::fs::symlink_metadata(self.deployment.path(&place));
        !look.is_err_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        })
    }

    pub(super) fn ignores(&self, source: &str) -> bool {
        is_ignored(&self.ignored, source)
    }

    /// Whether anything may be let in again below a path that is kept out.
    fn has_exceptions(&self) -> bool {
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
        let beside = |name: &String| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        self.names(folder).iter().filter(|name| globs(last, name)).map(beside).collect()
    }

    /// The image with its patterns of file names replaced by the files of this folder.
    pub(super) fn expanded(&self, image: &Image) -> Image {
        image.expanded(&|source| self.fits(source))
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

/// What a Dockerfile copies and the folder of its build does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The Dockerfile and the line of the instruction.
    pub(crate) file: String,
    pub(crate) line: usize,
    /// As it is written, from the folder of the build.
    pub(crate) source: String,
    pub(crate) folder: String,
    pub(crate) is_ignored: bool,
}

/// All of them. A path with a variable or a pattern is not judged.
pub(crate) fn not_there(deployment: &Deployment, found: &Found, service: &str) -> Vec<Gone> {
    let (Some(build), Some(context)) = (build(deployment, found, service), Context::of(deployment, found, service))
    else {
        return Vec::new();
    };
    let is_copy = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        word.eq_ignore_ascii_case("COPY") || word.eq_ignore_ascii_case("ADD")
    };
    let copies = build.lines.iter().zip(&build.numbers).filter(|(line, _)| is_copy(line));
    let named = copies.flat_map(|(line, number)| {
        let rest = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
        let sources = copied(rest, None).map(|(sources, _)| sources).unwrap_or_default();
        sources.into_iter().map(move |source| (source, *number))
    });
    let is_plain = |source: &String| {
        !source.contains(['*', '?', '[', '$', '\\']) && !source.contains("://") && !source.starts_with("git@")
    };
    let judged = named.filter(|(source, _)| source != "." && is_plain(source)).filter_map(|(source, line)| {
        let is_ignored = context.has(&source) && context.ignores(&source) && !context.has_exceptions();
        let (file, folder) = (build.file.clone(), shown(&context.folder));
        (is_ignored || !context.has(&source)).then_some(Gone { file, line, source, folder, is_ignored })
    });
    judged.collect()
}

/// The folder of a build as a person knows it.
pub(super) fn shown(folder: &str) -> String {
    if folder.is_empty() { ".".to_owned() } else { folder.to_owned() }
}
