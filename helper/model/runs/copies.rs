//! What a Dockerfile copies from the folder of its build and that folder does not have.

use super::build::build;
use super::context::{Context, shown};
use super::image::copied;
use crate::deployment::Deployment;
use crate::model::found::Found;

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
    let copies = build.steps.iter().filter(|step| step.is_copy());
    let named = copies.flat_map(|step| {
        let sources = copied(&step.rest, None).map(|(sources, _)| sources).unwrap_or_default();
        sources.into_iter().map(|source| (source, step.line))
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
