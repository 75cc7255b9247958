//! What a service starts: its own words or those of its image, with the environment and the folder.

use std::collections::BTreeMap;

use super::image::{self, Image};
use super::programs;
use super::runner;
use super::shell::{self, By, Invocation};
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::rules::At;

/// How a service starts.
pub(super) struct Start {
    /// The image that it is built as, where that is read.
    pub(super) image: Option<Image>,
    /// Name of the image that it has, or that its own begins with.
    pub(super) name: String,
    pub(super) is_built: bool,
    pub(super) words: Vec<String>,
    pub(super) base: Invocation,
    /// The line of the Dockerfile that has the words, where they are of one.
    pub(super) at: Option<At>,
}

impl Start {
    pub(super) fn of(deployment: &Deployment, found: &Found, service: &str) -> Self {
        let mut env = environment(found, service);
        let own = Image::of(deployment, found, service);
        let is_built = found.service(service, "build").is_some();
        let named = found.text(service, "image").unwrap_or_default();
        let base = own.as_ref().map_or(named.as_str(), |image| image.base.as_str());
        let mut folder = found.text(service, "working_dir");
        let mut words = found.command(service);
        let mut at = None;
        let keeps_entry = found.service(service, "entrypoint").is_none();
        let mut by = By::Other;
        if let Some(image) = &own {
            folder = folder.or_else(|| image.folder.clone());
            for (name, value) in &image.env {
                env.entry(name.clone()).or_insert_with(|| value.clone());
            }
            if keeps_entry {
                let keeps_command = found.service(service, "command").is_none();
                let rest = if keeps_command { image.command.words.clone() } else { words };
                let said = if keeps_command && !rest.is_empty() { &image.command } else { &image.entrypoint };
                let is_of_image = keeps_command || !image.entrypoint.words.is_empty();
                at = is_of_image.then(|| (image.file.clone(), Some(said.line)));
                words = image.entrypoint.words.iter().cloned().chain(rest).collect();
            }
        } else if let Some(packed) =
            runner::packed(image::name_of(&named), words.clone()).filter(|_| keeps_entry && !is_built)
        {
            (words, by) = (packed, By::Image);
        }
        let name = image::name_of(base).rsplit('/').next().unwrap_or_default().to_owned();
        let is_env_known = by == By::Image || image::is_plain(base) && (own.is_some() || !is_built);
        let base = Invocation { env, is_env_known, folder, by, ..Invocation::default() };
        Self { image: own, name, is_built, words, base, at }
    }

    /// The program that is left running; several may be one of them.
    pub(super) fn program(&self) -> Option<Invocation> {
        shell::started(&self.words, &self.base)
    }
}

/// The variables of a service. What only the shell has, or a file that was not read, is not known.
fn environment(found: &Found, service: &str) -> BTreeMap<String, String> {
    let unknown = |name: &String| format!("${{{name}}}");
    let given = found.environment(service).into_iter();
    let mut env: BTreeMap<String, String> =
        given.map(|(name, value)| (name.clone(), value.unwrap_or_else(|| unknown(&name)))).collect();
    if !found.knows_variables(service) {
        let names = programs::KNOWN.programs.iter().flat_map(|program| [&program.host_var, &program.port_var]);
        for name in names.filter(|name| !name.is_empty()) {
            env.entry(name.clone()).or_insert_with(|| unknown(name));
        }
    }
    env
}
