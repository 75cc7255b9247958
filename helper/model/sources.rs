//! The compose files of a directory, each read for itself: the names that Compose tries, and what a file pulls in.

use super::merge;
use crate::answer::{Finding, Subject};
use crate::config::stamp::{Origin, origin};
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

/// Why a compose file says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It cannot be read: why.
    Unreadable(String),
    /// It is not YAML.
    Yaml(yaml::Fault),
}

/// One compose file.
#[derive(Clone, Debug)]
pub(crate) struct ComposeFile {
    /// Path inside the directory.
    pub(crate) name: String,
    /// Its text; empty where it cannot be read.
    pub(crate) text: String,
    /// What it says, or why it says nothing.
    pub(crate) value: Result<Value, Unusable>,
}

impl ComposeFile {
    /// The finding about a file that says nothing.
    pub(crate) fn fault(&self) -> Option<Finding> {
        let (rule, why) = match self.value.as_ref().err()? {
            Unusable::Yaml(fault) => (RuleId::ComposeYamlInvalid, fault.0.as_str()),
            Unusable::Unreadable(why) => (RuleId::ComposeFileUnreadable, why.as_str()),
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
                let leaves_out = |text: String| origin(&text) != Origin::Foreign;
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

/// Reads one file; `None` where there is none.
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
            value.apply_merge().map_err(|e| yaml::Fault(e.to_string()))?;
            Ok(if all.is_null() { value } else { merge::merge(all, value) })
        })
    });
    ComposeFile { name: name.to_owned(), text, value: value.map_err(Unusable::Yaml) }
}

/// The files that others include or extend, directly or through others, and those of them that lie elsewhere.
pub(super) fn pulled_in<'a>(
    deployment: &Deployment,
    files: impl Iterator<Item = &'a ComposeFile>,
) -> (Vec<ComposeFile>, Vec<String>) {
    let (mut read_in, mut outside) = (Vec::<ComposeFile>::new(), Vec::new());
    let mut open: Vec<String> = files.filter_map(|file| file.value.as_ref().ok()).flat_map(named).collect();
    while let Some(path) = open.pop() {
        let Some(name) = inside(&path) else {
            outside.push(path);
            continue;
        };
        if read_in.len() >= MOST_FILES || read_in.iter().any(|file| file.name == name) {
            continue;
        }
        let missing = || Unusable::Unreadable(format!("`{name}` is not there"));
        let file = read(deployment, &name).unwrap_or_else(|| ComposeFile {
            value: Err(missing()),
            text: String::new(),
            name: name.clone(),
        });
        open.extend(file.value.as_ref().ok().into_iter().flat_map(named));
        read_in.push(file);
    }
    outside.sort();
    outside.dedup();
    (read_in, outside)
}

/// Paths of one entry of `include:`.
pub(super) fn included(include: &Value) -> Vec<String> {
    let listed = at(include, &["path"]);
    let single = yaml::scalar(include).into_iter().chain(listed.and_then(yaml::scalar));
    single.chain(listed.map(yaml::texts).unwrap_or_default()).collect()
}

/// Paths that a file includes or extends.
fn named(value: &Value) -> Vec<String> {
    let includes = at(value, &["include"]).and_then(Value::as_sequence).into_iter().flatten();
    let mut paths: Vec<String> = includes.flat_map(included).collect();
    let services = at(value, &["services"]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.values());
    paths.extend(services.filter_map(|service| yaml::scalar(at(service, &["extends", "file"])?)));
    paths
}
