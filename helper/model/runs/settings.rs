//! The variables that a script has: those of its container, and those of a dotenv file that it loads.

use std::collections::BTreeMap;

use super::code::{arguments, literal};
use super::image::Files;
use super::listening::{Certainty, Cure, Place};
use super::runner::option;
use super::shell::Invocation;
use crate::deployment::env_file::EnvFile;
use crate::model::found::place::line_that_sets;

/// Variables and where they are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) env: BTreeMap<String, String>,
    /// Those that the compose files set for the service.
    of_service: Vec<String>,
    /// The dotenv file, and the line of each variable that counts from it.
    dotenv: Option<(String, BTreeMap<String, usize>)>,
}

/// What marks a script that loads a dotenv file: https://pypi.org/project/python-dotenv/,
/// https://www.npmjs.com/package/dotenv, https://nodejs.org/api/process.html#processloadenvfilepath,
/// https://docs.pydantic.dev/latest/concepts/pydantic_settings/#dotenv-env-support.
const LOADERS: [&str; 7] = [
    "load_dotenv(",
    "loadEnvFile(",
    "dotenv.config(",
    "dotenv/config",
    "from \"dotenv\"",
    "require(\"dotenv\")",
    "env_file=",
];

/// Reads them for a script: `text` is the script without its comments.
pub(super) fn read(files: &Files<'_>, invocation: &Invocation, text: &str) -> Settings {
    let mut env = invocation.env.clone();
    let set = |name: &&String| files.found.place_of_variable(files.service, name).is_some();
    let of_service = env.keys().filter(set).cloned().collect();
    let folder = invocation.folder.as_deref();
    let file = dotenv_name(invocation, text).and_then(|name| files.read(folder, &name));
    let dotenv = file.map(|(place, text)| {
        let mut lines = BTreeMap::new();
        // What the container has goes first.
        for (name, value) in EnvFile::new(text.as_bytes()).values() {
            if !env.contains_key(&*name) {
                lines.extend(line_that_sets(&text, &name).map(|line| (name.to_string(), line)));
                env.insert(name.into_owned(), value.into_owned());
            }
        }
        (place, lines)
    });
    Settings { env, of_service, dotenv }
}

/// The name of the dotenv file that is loaded, if one is.
fn dotenv_name(invocation: &Invocation, text: &str) -> Option<String> {
    if let Some((_, name)) = option(&invocation.args, &["--env-file", "--env-file-if-exists"]) {
        return Some(name.to_owned());
    }
    let quotes = text.replace('\'', "\"");
    let loads = LOADERS.iter().any(|loader| quotes.contains(loader))
        || invocation.args.iter().any(|arg| arg == "dotenv/config");
    // Bun loads it by itself: https://bun.sh/docs/runtime/env.
    if !loads && invocation.program != "bun" {
        return None;
    }
    let at = LOADERS
        .iter()
        .filter(|loader| loader.ends_with('('))
        .find_map(|loader| Some(quotes.find(loader)? + loader.len()));
    let named = at.and_then(|at| arguments(&quotes[at..])).and_then(|args| {
        let first = args.first()?.trim_matches(['{', '}', ' ']);
        literal(first.rsplit(['=', ':']).next()?)
    });
    Some(named.filter(|name| name.contains("env")).unwrap_or_else(|| ".env".into()))
}

impl Settings {
    /// Where a variable is set, if a person can write it there.
    pub(super) fn place(&self, name: &str) -> Option<Place> {
        let place = Place::new(format!("`{name}`"), Certainty::Likely).cured(Cure::Variable(name.to_owned()));
        if self.of_service.iter().any(|own| own == name) {
            return Some(place);
        }
        let (file, lines) = self.dotenv.as_ref()?;
        Some(place.in_line(file, Some(*lines.get(name)?)))
    }
}
