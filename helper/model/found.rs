//! The compose files as they are found, generated or written by hand: which ones Compose takes, and what they say together.

pub(super) mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::Path;

use super::mounts::spellings;
use super::roles::Roles;
use super::secrets;
use super::sources::{self, Chosen, ComposeFile, MOST_FILES, Pulled};
use super::stack::{ComposeStack, FileIn};
use super::{merge, paths};
use crate::answer::Finding;
use crate::caller::Services;
use crate::config::compose::{CLOUDFLARED_SERVICE, CONFIG_TARGET, PROXY_SERVICE};
use crate::config::stamp::{Authorship, origin};
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::{self, EnvFile, Room};
use crate::deployment::{Deployment, path, scaffold};
use crate::os::files::{self, inside};
use crate::redact::names;

/// Where the facts about the services come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The files, merged here.
    Files,
    Compose,
}

/// All that Compose would read in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) main: Option<ComposeFile>,
    /// Files that would count if the first were not there.
    pub(crate) shadowed: Vec<&'static str>,
    /// The person's own services and changes.
    pub(crate) over: Option<ComposeFile>,
    /// More of them, where COMPOSE_FILE in `.env` lists the files.
    pub(crate) further: Vec<ComposeFile>,
    /// COMPOSE_FILE in `.env` names files that are not in the directory, or leaves out the one that `render` writes.
    pub(crate) is_elsewhere: bool,
    /// What these include or extend, inside the directory.
    pulled: Vec<Pulled>,
    /// What they include or extend elsewhere, as it is written.
    pub(crate) outside: Vec<String>,
    /// `.env`, where it can be read.
    env: Option<EnvFile>,
    /// Why it cannot be read.
    pub(crate) env_fault: Option<Finding>,
    /// What each file says, with its variables filled in and its paths as they are from the directory.
    parts: Vec<Value>,
    /// Files that services and included files take variables from, by path inside the directory; `None` is one that is
    /// not there.
    env_files: BTreeMap<String, Option<EnvFile>>,
    /// Absolute path of the directory, in its spellings.
    roots: Vec<String>,
    /// Variables that the shell hands on.
    shell: BTreeMap<String, String>,
    stack: ComposeStack,
    /// Whose words the services are.
    pub(crate) view: View,
}

impl Deref for Found {
    type Target = ComposeStack;

    fn deref(&self) -> &ComposeStack {
        &self.stack
    }
}

impl Found {
    /// Reads the files that Compose would. One that cannot be read says why.
    pub(crate) fn read(deployment: &Deployment) -> Self {
        let (env, env_fault) = match scaffold::read_env(deployment) {
            Ok(env) => (env, None),
            Err(error) => (None, Some(scaffold::unreadable_env(&error))),
        };
        let Chosen { main, shadowed, over, further, is_elsewhere } = Chosen::of(deployment, env.as_ref());
        let (pulled, outside) = sources::pulled_in(deployment, main.iter().chain(&over).chain(&further));
        let nothing = Self::nothing(spellings(deployment.root()));
        let mut found =
            Self { main, shadowed, over, further, is_elsewhere, pulled, outside, env, env_fault, ..nothing };
        found.env_files = found.read_env_files(deployment);
        found.merge(BTreeMap::new());
        found.read_ingress(deployment);
        let read = found.files().map(|file| (file.text.as_str(), file.value.as_ref().ok()));
        // First of all: from here on, no quotation of these files shows a secret of theirs.
        secrets::learn(deployment, read, &found.service_names());
        found
    }

    /// A compose file alone, without a directory around it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_text(text: &str) -> Self {
        let main = sources::parsed(path::COMPOSE, text.to_owned());
        let mut found = Self { main: Some(main), ..Self::nothing(vec!["/nowhere".to_owned()]) };
        found.merge(BTreeMap::new());
        found
    }

    /// No file in a directory with these absolute paths.
    fn nothing(roots: Vec<String>) -> Self {
        Self {
            main: None,
            shadowed: Vec::new(),
            over: None,
            further: Vec::new(),
            is_elsewhere: false,
            pulled: Vec::new(),
            outside: Vec::new(),
            env: None,
            env_fault: None,
            parts: Vec::new(),
            env_files: BTreeMap::new(),
            shell: BTreeMap::new(),
            stack: ComposeStack::new(Value::Null, roots.clone()),
            roots,
            view: View::Files,
        }
    }

    /// The findings about files that cannot be read.
    pub(crate) fn faults(&self) -> Vec<Finding> {
        self.files().filter_map(ComposeFile::fault).collect()
    }

    /// All files, the main one first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &ComposeFile> {
        self.named().chain(self.pulled.iter().map(|pulled| &pulled.file))
    }

    /// File and line of a word that is in exactly one line.
    pub(crate) fn line_of(&self, word: &str) -> Option<(String, usize)> {
        let lines = self.files().flat_map(|file| file.text.lines().enumerate().map(move |line| (file, line)));
        let is_code = |line: &str| !line.trim_start().starts_with('#');
        let mut having = lines.filter(|(_, (_, line))| is_code(line) && line.contains(word));
        let (file, (at, _)) = having.next()?;
        having.next().is_none().then(|| (file.name.clone(), at + 1))
    }

    /// Name of the file that has the last word on a service, by the first of these keys that any file has for it.
    pub(crate) fn file_of(&self, service: &str, keys: &[&str]) -> &str {
        let files: Vec<&ComposeFile> = self.pulled.iter().map(|pulled| &pulled.file).chain(self.named()).collect();
        let last = |path: &[&str]| {
            files.iter().rev().find(|file| file.value.as_ref().is_ok_and(|value| at(value, path).is_some()))
        };
        let of_key = keys.iter().find_map(|key| last(&["services", service, key]));
        let file = of_key.or_else(|| last(&["services", service])).copied().or(self.main.as_ref());
        file.map_or(path::COMPOSE, |file| file.name.as_str())
    }

    /// The files that Compose is given, in the order in which it merges them.
    fn named(&self) -> impl Iterator<Item = &ComposeFile> {
        self.main.iter().chain(&self.over).chain(&self.further)
    }

    /// Reads where cloudflared's own configuration files send calls.
    pub(super) fn read_ingress(&mut self, deployment: &Deployment) {
        let ingress = super::ingress::read(&self.stack, deployment);
        self.stack.set_ingress(ingress);
    }

    fn stack_of(&self, tree: Value) -> ComposeStack {
        let active = self.env.as_ref().and_then(|env| env.get("COMPOSE_PROFILES")).unwrap_or_default();
        ComposeStack::new(tree, self.roots.clone()).with_profiles(&active)
    }

    /// What each file says, for itself.
    pub(crate) fn parts(&self) -> &[Value] {
        &self.parts
    }

    /// The files with variables that services and included files name.
    pub(super) fn env_files(&self) -> impl Iterator<Item = &EnvFile> {
        self.env_files.values().flatten()
    }

    /// Puts the files together, with `shell` for the variables that `.env` does not set.
    pub(super) fn merge(&mut self, shell: BTreeMap<String, String>) {
        let env = self.env.as_ref().map(EnvFile::values).unwrap_or_default();
        let lookup = |name: &str| env.get(name).map(ToString::to_string).or_else(|| shell.get(name).cloned());
        let room = Room::default();
        let filled = |value: &Value, lookup: &dyn Fn(&str) -> Option<String>| {
            merge::interpolate(value.clone(), &|text| env_file::interpolated(text, lookup, &room))
        };
        let pulled: Vec<Value> = self
            .pulled
            .iter()
            .map(|pulled| {
                let more =
                    pulled.reference.env_files.iter().filter_map(|path| self.env_file(path)).map(EnvFile::values);
                let more: Vec<_> = more.collect();
                let lookup = |name: &str| {
                    lookup(name).or_else(|| more.iter().find_map(|values| values.get(name).map(ToString::to_string)))
                };
                let said = paths::moved(filled(&pulled.said, &lookup), &pulled.reference.folder);
                merge::named_variables(said, &lookup, &room)
            })
            .collect();
        let named: Vec<Value> =
            self.named().filter_map(|file| file.value.as_ref().ok()).map(|value| filled(value, &lookup)).collect();
        let parts = self.pulled.iter().zip(&pulled).filter(|(file, _)| file.reference.is_part).map(|(_, value)| value);
        let tree = parts.chain(&named).fold(Value::Null, |tree, value| merge::merge(tree, value.clone()));
        let mut tree = tree;
        merge::extend(&mut tree, &|path| {
            let path = inside(path)?;
            let at = self.pulled.iter().position(|file| file.file.name == path && !file.reference.is_part)?;
            Some(pulled[at].clone())
        });
        let mut tree = merge::named_variables(tree, &lookup, &room);
        let raw: Vec<String> = merge::raw_files(&tree).iter().filter_map(|path| inside(path)).collect();
        let read = self.env_files.iter().filter_map(|(path, file)| Some((path, file.as_ref()?)));
        let files = read.map(|(path, file)| {
            (path.clone(), if raw.contains(path) { file.raw_values() } else { file.values_with(&env) })
        });
        merge::add_variables(&mut tree, &files.collect(), &room);
        self.stack = self.stack_of(tree);
        self.parts = pulled.into_iter().chain(named).collect();
        self.view = View::Files;
        self.shell = shell;
    }

    /// A file with variables that was read.
    fn env_file(&self, path: &str) -> Option<&EnvFile> {
        self.env_files.get(&inside(path)?)?.as_ref()
    }

    fn read_env_files(&self, deployment: &Deployment) -> BTreeMap<String, Option<EnvFile>> {
        let values = self.files().filter_map(|file| file.value.as_ref().ok());
        let of_services = values.flat_map(merge::env_files).map(|(path, _)| path);
        let of_files = self.pulled.iter().flat_map(|pulled| pulled.reference.env_files.iter().cloned());
        let paths = of_services.chain(of_files).filter_map(|path| inside(&path));
        let read = |path: &String| files::read(deployment, path).ok().flatten().map(EnvFile::new);
        paths.take(MOST_FILES).map(|path| (path.clone(), read(&path))).collect()
    }

    /// Takes what Compose says.
    pub(super) fn resolved(&mut self, tree: Value) {
        self.stack = self.stack_of(tree);
        self.view = View::Compose;
    }

    /// `.env`.
    pub(crate) fn env(&self) -> Option<&EnvFile> {
        self.env.as_ref()
    }

    /// Whether the main file is one that `render` writes, edited or not.
    pub(crate) fn is_ours(&self) -> bool {
        self.main.as_ref().is_some_and(|file| file.name == path::COMPOSE && origin(&file.text) != Authorship::Foreign)
    }

    /// What the files say each for itself, the override first.
    pub(crate) fn readable(&self) -> impl Iterator<Item = &Value> {
        [&self.over, &self.main].into_iter().flatten().filter_map(|file| file.value.as_ref().ok())
    }

    /// Where a path in a container is on this host; `None` where it is not a file of this host.
    pub(crate) fn source_of(&self, service: &str, container: &str) -> Option<String> {
        match self.file_in(service, container) {
            FileIn::Host(place) => Some(place),
            FileIn::Text(_) | FileIn::Variable(_) | FileIn::Volume(_) | FileIn::Image => None,
        }
    }

    /// Whether the files can be read, so that what is missing in them is really missing.
    pub(crate) fn is_known(&self) -> bool {
        self.view == View::Compose
            || self.main.as_ref().is_some_and(|main| main.value.is_ok())
                && self.over.as_ref().is_none_or(|over| over.value.is_ok())
    }

    /// Keys of `services` that are not names, each with its file: they go into no command and no text.
    pub(crate) fn invalid_names(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for file in self.files() {
            let Ok(value) = &file.value else { continue };
            let keys = at(value, &["services"]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.keys());
            let names = keys.map(|key| yaml::scalar(key).unwrap_or_default());
            found.extend(names.filter(|name| !names::is_valid(name)).map(|name| (file.name.clone(), name)));
        }
        found
    }

    pub(crate) fn main_service_names(&self) -> BTreeSet<String> {
        let value = self.main.as_ref().and_then(|file| file.value.as_ref().ok());
        let names = value.map(super::stack::names).unwrap_or_default();
        names.into_iter().filter(|name| names::is_valid(name)).collect()
    }

    /// Paths of MCP endpoints that the files keep, by route; those of the override first.
    pub(crate) fn paths(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for value in [&self.over, &self.main].into_iter().flatten().filter_map(|file| file.value.as_ref().ok()) {
            for (name, path) in crate::config::compose::paths(value) {
                all.entry(name).or_insert(path);
            }
        }
        all
    }

    /// Whether files are pulled in whose services cannot be seen here.
    pub(crate) fn includes_others(&self) -> bool {
        self.view == View::Files
            && (!self.outside.is_empty() || self.pulled.iter().any(|pulled| pulled.file.value.is_err()))
    }

    /// The roles of the services; where a stack has no such service, its name in the helper's own files.
    pub(crate) fn services(&self) -> Services {
        let Roles { proxy, agent } = self.roles();
        let cloudflared = agent.unwrap_or_else(|| CLOUDFLARED_SERVICE.into());
        let proxy = proxy.or_else(|| self.lives_in(&cloudflared)).unwrap_or_else(|| PROXY_SERVICE.into());
        Services { proxy, cloudflared }
    }

    /// Where in the proxy's container its configuration is.
    pub(crate) fn gateway_target(&self, proxy: &str) -> String {
        self.flag(proxy, "config").unwrap_or_else(|| CONFIG_TARGET.into())
    }

    /// Name of the Compose project, as Compose finds it with a clean shell. `None` when it depends on a variable.
    pub(crate) fn project(&self, deployment: &Deployment) -> Option<String> {
        self.project_in(deployment.root())
    }

    /// The service that a host name means to another one: by its names, or by the name of its container.
    pub(crate) fn service_dialled(&self, by: &str, host: &str) -> Option<String> {
        let named = || self.service_of_container(&self.project_in(Path::new(self.roots.first()?))?, host);
        self.service_seen_by(by, host).or_else(named)
    }

    fn project_in(&self, root: &Path) -> Option<String> {
        let set = self.env().and_then(|env| env.get("COMPOSE_PROJECT_NAME")).filter(|name| !name.is_empty());
        if let Some(name) = set.or_else(|| self.name()) {
            return names::is_valid(&name).then_some(name);
        }
        let folder = root.file_name()?.to_string_lossy().to_lowercase();
        let plain: String = folder.chars().filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')).collect();
        let plain = plain.trim_start_matches(['-', '_']).to_owned();
        (!plain.is_empty()).then_some(plain)
    }
}

/// Docker networks from outside the project that a service joins, by the names that Docker has for them.
pub(crate) fn external_networks(files: &[&Value], service: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for file in files {
        let joined = match at(file, &["services", service, "networks"]) {
            Some(Value::Mapping(map)) => map.keys().filter_map(yaml::scalar).collect(),
            Some(list) => yaml::texts(list),
            None => Vec::new(),
        };
        for key in joined {
            let says = |path: &[&str]| files.iter().find_map(|f| at(f, &[&["networks", key.as_str()], path].concat()));
            if says(&["external"]).is_none_or(|external| *external == Value::Bool(false) || external.is_null()) {
                continue;
            }
            // `external: {name: …}` is the older spelling.
            let name = says(&["name"]).or_else(|| says(&["external", "name"])).and_then(yaml::scalar).unwrap_or(key);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
