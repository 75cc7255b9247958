//! The compose files of a directory, each read for itself: the names that Compose tries, and what a file pulls in.

use std::collections::VecDeque;

use super::{merge, paths};
use crate::answer::{Finding, Subject};
use crate::config::stamp::{Authorship, origin};
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, path};
use crate::os::files::{self, inside};
use crate::rules::{self, RuleId};

/// Names that Compose tries, in its order.
pub(crate) const MAIN_NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", path::COMPOSE];
/// Names of override files that Compose tries, in its order.
pub(crate) const OVERRIDE_NAMES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];
/// Files that others pull in are read up to this many.
pub(super) const MOST_FILES: usize = 32;

/// Why a compose file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It cannot be read: why.
    Unreadable(String),
    /// Another file names it, and it is not there.
    Missing,
    /// It is not YAML.
    Yaml(yaml::YamlFault),
}

#[derive(Clone, Debug)]
pub(crate) struct ComposeFile {
    /// Path inside the directory.
    pub(crate) name: String,
    /// Its text; empty where it cannot be read.
    pub(crate) text: String,
    /// Its content, or why it cannot be used.
    pub(crate) value: Result<Value, Unusable>,
}

impl ComposeFile {
    /// What it says, where it can be read.
    pub(crate) fn tree(&self) -> Option<&Value> {
        self.value.as_ref().ok()
    }

    /// The finding about a file that cannot be used.
    pub(crate) fn fault(&self) -> Option<Finding> {
        let (rule, why) = match self.value.as_ref().err()? {
            Unusable::Yaml(fault) => (RuleId::ComposeYamlInvalid, fault.0.as_str()),
            Unusable::Unreadable(why) => (RuleId::ComposeFileUnreadable, why.as_str()),
            Unusable::Missing => (RuleId::ComposeFileUnreadable, "it is not there"),
        };
        Some(rules::finding(rule).about(Subject::file(&self.name)).with(format!("`{}`: {why}", self.name)))
    }
}

/// The files that Compose is given.
pub(super) struct Chosen {
    pub(super) main: Option<ComposeFile>,
    pub(super) shadowed: Vec<&'static str>,
    pub(super) over: Option<ComposeFile>,
    pub(super) further: Vec<ComposeFile>,
    pub(super) is_elsewhere: bool,
}

impl Chosen {
    /// Those that COMPOSE_FILE in `.env` lists, otherwise those of Compose's own names.
    pub(super) fn of(deployment: &Deployment, env: Option<&EnvFile>) -> Self {
        let said = |name: &str| env.and_then(|env| env.get(name)).filter(|value| !value.is_empty());
        let listed = said("COMPOSE_FILE");
        if let Some(list) = &listed {
            let separator = said("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".into());
            let names: Option<Vec<String>> = list.split(&separator).map(inside).collect();
            let files: Option<Vec<ComposeFile>> =
                names.into_iter().flatten().take(MOST_FILES).map(|name| read(deployment, &name)).collect();
            let mut files = files.unwrap_or_default().into_iter();
            if let Some(main) = files.next() {
                let (over, further): (_, Vec<_>) = (files.next(), files.collect());
                let is_ours = |file: &ComposeFile| file.name == path::COMPOSE;
                let leaves_out = |text: String| origin(&text) != Authorship::Foreign;
                let is_elsewhere = !is_ours(&main)
                    && !over.iter().chain(&further).any(is_ours)
                    && files::read_text(deployment, path::COMPOSE).ok().flatten().is_some_and(leaves_out);
                return Self { main: Some(main), shadowed: Vec::new(), over, further, is_elsewhere };
            }
        }
        let mains: Vec<(&'static str, ComposeFile)> =
            MAIN_NAMES.iter().filter_map(|name| Some((*name, read(deployment, name)?))).collect();
        Self {
            shadowed: mains.iter().skip(1).map(|(name, _)| *name).collect(),
            main: mains.into_iter().next().map(|(_, file)| file),
            over: OVERRIDE_NAMES.iter().find_map(|name| read(deployment, name)),
            further: Vec::new(),
            is_elsewhere: listed.is_some(),
        }
    }
}

/// Reads one file; `None` where it does not exist.
pub(super) fn read(deployment: &Deployment, name: &str) -> Option<ComposeFile> {
    Some(match files::read_text(deployment, name) {
        Ok(None) => return None,
        Ok(Some(text)) => parsed(name, text),
        Err(error) => {
            let value = Err(Unusable::Unreadable(error.to_string()));
            ComposeFile { name: name.to_owned(), text: String::new(), value }
        }
    })
}

pub(super) fn parsed(name: &str, text: String) -> ComposeFile {
    // Compose merges the documents of one file.
    let value = yaml::documents(&text).and_then(|documents| {
        documents.into_iter().try_fold(Value::Null, |all, mut value| {
            value.apply_merge().map_err(|e| yaml::YamlFault(e.to_string()))?;
            Ok(if all.is_null() { value } else { merge::merge(all, value) })
        })
    });
    ComposeFile { name: name.to_owned(), text, value: value.map_err(Unusable::Yaml) }
}

/// A file that others include or extend.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    /// The file, its paths as they are from the directory.
    pub(super) file: ComposeFile,
    /// What it says, as it is written.
    pub(super) said: Value,
    pub(super) reference: Reference,
}

/// How a file is pulled in. Paths are as they are from the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    path: String,
    /// Where its relative paths start.
    pub(super) folder: String,
    /// Whether its services are those of the stack: not those of a file that services only extend.
    pub(super) is_part: bool,
    /// Its variable files, in addition to `.env`.
    pub(super) env_files: Vec<String>,
}

/// The files that others include or extend, directly or through others, and those of them in other folders.
pub(super) fn pulled_in<'a>(
    deployment: &Deployment,
    files: impl Iterator<Item = &'a ComposeFile>,
) -> (Vec<Pulled>, Vec<String>) {
    let (mut pulled, mut outside) = (Vec::<Pulled>::new(), Vec::new());
    let mut open: VecDeque<Reference> =
        files.filter_map(|file| file.value.as_ref().ok()).flat_map(|value| references(value, &[])).collect();
    while let Some(reference) = open.pop_front() {
        let Some(name) = inside(&reference.path) else {
            outside.push(reference.path);
            continue;
        };
        if pulled.len() >= MOST_FILES || pulled.iter().any(|known| known.reference == reference) {
            continue;
        }
        let mut file = read(deployment, &name).unwrap_or_else(|| ComposeFile {
            value: Err(Unusable::Missing),
            text: String::new(),
            name: name.clone(),
        });
        let said = file.value.clone().unwrap_or_default();
        file.value = file.value.map(|value| paths::moved(value, &reference.folder));
        open.extend(file.value.as_ref().ok().into_iter().flat_map(|value| references(value, &reference.env_files)));
        pulled.push(Pulled { file, said, reference });
    }
    outside.sort();
    outside.dedup();
    (pulled, outside)
}

/// Paths of one entry of `include:`.
fn included(include: &Value) -> Vec<String> {
    let listed = at(include, &["path"]);
    let single = yaml::scalar(include).into_iter().chain(listed.and_then(yaml::scalar));
    single.chain(listed.map(yaml::texts).unwrap_or_default()).collect()
}

/// What a file includes or extends. `env_files` are those of the file itself.
fn references(value: &Value, env_files: &[String]) -> Vec<Reference> {
    let mut found = Vec::new();
    for include in at(value, &["include"]).and_then(Value::as_sequence).into_iter().flatten() {
        let paths = included(include);
        let folder = paths::start_of(include, &paths);
        let own =
            at(include, &["env_file"]).map(|own| yaml::scalar(own).map_or_else(|| yaml::texts(own), |one| vec![one]));
        let own = own.unwrap_or_else(|| vec![paths::joined(&folder, path::ENV)]);
        let env_files = [env_files, &own].concat();
        found.extend(paths.into_iter().map(|path| Reference {
            path,
            folder: folder.clone(),
            is_part: true,
            env_files: env_files.clone(),
        }));
    }
    let services = at(value, &["services"]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.values());
    let extended = services.filter_map(|service| yaml::text(service, &["extends", "file"]));
    found.extend(extended.map(|path| Reference {
        folder: paths::folder_of(&path),
        path,
        is_part: false,
        env_files: env_files.to_vec(),
    }));
    found
}
