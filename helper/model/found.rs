//! The compose files as they are found, generated or written by hand: which ones Compose takes, and what they say together.

pub(crate) mod place;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// The files, merged here.
    #[default]
    Files,
    Compose,
}

/// All that Compose would read in a directory.
#[derive(Clone, Debug, Default)]
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
    /// Variables that the shell hands on.
    shell: BTreeMap<String, String>,
    stack: ComposeStack,
    /// Who wrote the services.
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
        let stack = ComposeStack::new(Value::Null, spellings(deployment.root()));
        let files = Self { main, shadowed, over, further, is_elsewhere, ..Self::default() };
        let mut found = Self { pulled, outside, env, env_fault, stack, ..files };
        found.env_files = found.read_env_files(deployment);
        found.merge(BTreeMap::new());
        found.read_ingress(deployment);
        let read = found.files().map(|file| (file.text.as_str(), file.tree()));
        // First of all: from here on, no quotation of these files shows a secret of theirs.
        secrets::learn(deployment, read, &found.service_names());
        found
    }

    /// A compose file alone, without a directory around it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_text(text: &str) -> Self {
        let main = sources::parsed(path::COMPOSE, text.to_owned());
        let stack = ComposeStack::new(Value::Null, vec!["/nowhere".to_owned()]);
        let mut found = Self { main: Some(main), stack, ..Self::default() };
        found.merge(BTreeMap::new());
        found
    }

    /// The findings about files that cannot be read.
    pub(crate) fn faults(&self) -> Vec<Finding> {
        self.files().filter_map(ComposeFile::fault).collect()
    }

    /// All files, the main one first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &ComposeFile> {
        self.named().chain(self.pulled.iter().map(|pulled| &pulled.file))
    }

    /// What they say, each for itself; those that cannot be read are left out.
    pub(crate) fn trees(&self) -> impl Iterator<Item = &Value> {
        self.files().filter_map(ComposeFile::tree)
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
        let last = |path: &[&str]| self.last(&|file| file.tree().is_some_and(|tree| at(tree, path).is_some()));
        let of_key = keys.iter().find_map(|key| last(&["services", service, key]));
        let file = of_key.or_else(|| last(&["services", service])).or(self.main.as_ref());
        file.map_or(path::COMPOSE, |file| file.name.as_str())
    }

    /// The files in the order in which Compose merges them.
    fn in_order(&self) -> impl DoubleEndedIterator<Item = &ComposeFile> {
        self.pulled.iter().map(|pulled| &pulled.file).chain(self.named())
    }

    /// The file that has the last word among those for which this holds.
    fn last(&self, test: &dyn Fn(&ComposeFile) -> bool) -> Option<&ComposeFile> {
        self.in_order().rev().find(|file| test(file))
    }

    /// The files that Compose is given, in the order in which it merges them.
    fn named(&self) -> impl DoubleEndedIterator<Item = &ComposeFile> {
        self.main.iter().chain(&self.over).chain(&self.further)
    }

    /// Reads where cloudflared's own configuration files send calls.
    pub(super) fn read_ingress(&mut self, deployment: &Deployment) {
        let ingress = super::ingress::read(&self.stack, deployment);
        self.stack.set_ingress(ingress);
    }

    fn stack_of(&self, tree: Value) -> ComposeStack {
        let active = self.env.as_ref().and_then(|env| env.get("COMPOSE_PROFILES")).unwrap_or_default();
        ComposeStack::new(tree, self.stack.roots().to_vec()).with_profiles(&active)
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
        self.shell = shell;
        let room = Room::default();
        let (mut pulled, mut named) = (Vec::new(), Vec::new());
        self.with_variables(&mut |file, by, lookup| {
            let filled =
                |value: &Value| merge::interpolate(value.clone(), &|text| env_file::interpolated(text, lookup, &room));
            match by {
                Some(by) => {
                    let said = paths::moved(filled(&by.said), &by.reference.folder);
                    pulled.push(merge::named_variables(said, lookup, &room));
                }
                None => named.extend(file.tree().map(filled)),
            }
        });
        let parts = self.pulled.iter().zip(&pulled).filter(|(file, _)| file.reference.is_part).map(|(_, value)| value);
        let mut tree = parts.chain(&named).fold(Value::Null, |tree, value| merge::merge(tree, value.clone()));
        merge::extend(&mut tree, &|path| {
            let path = inside(path)?;
            let at = self.pulled.iter().position(|file| file.file.name == path && !file.reference.is_part)?;
            Some(pulled[at].clone())
        });
        let env = self.env.as_ref().map(EnvFile::values).unwrap_or_default();
        let mut tree = merge::named_variables(tree, &|name| self.common(&env, name), &room);
        let raw: Vec<String> = merge::raw_files(&tree).iter().filter_map(|path| inside(path)).collect();
        let read = self.env_files.iter().filter_map(|(path, file)| Some((path, file.as_ref()?)));
        let files = read.map(|(path, file)| {
            (path.clone(), if raw.contains(path) { file.raw_values() } else { file.values_with(&env) })
        });
        merge::add_variables(&mut tree, &files.collect(), &room);
        self.stack = self.stack_of(tree);
        self.parts = pulled.into_iter().chain(named).collect();
        self.view = View::Files;
    }

    /// A file with variables that was read.
    fn env_file(&self, path: &str) -> Option<&EnvFile> {
        self.env_files.get(&inside(path)?)?.as_ref()
    }

    fn read_env_files(&self, deployment: &Deployment) -> BTreeMap<String, Option<EnvFile>> {
        let of_services = self.trees().flat_map(merge::env_files).map(|(path, _)| path);
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
        [&self.over, &self.main].into_iter().flatten().filter_map(ComposeFile::tree)
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
        let value = self.main.as_ref().and_then(ComposeFile::tree);
        let names = value.map(super::stack::names).unwrap_or_default();
        names.into_iter().filter(|name| names::is_valid(name)).collect()
    }

    /// Paths of MCP endpoints that the files keep, by route; those of the override first.
    pub(crate) fn paths(&self) -> BTreeMap<String, String> {
        let files: Vec<&Value> = self.readable().collect();
        files.into_iter().rev().flat_map(crate::config::compose::paths).collect()
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
        let named = || self.service_of_container(&self.project_in(Path::new(self.roots().first()?))?, host);
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

/// What these files say without any other and with the variables of `env`; the first one has the last word.
pub(crate) fn together<'a>(files: impl Iterator<Item = &'a Value>, env: &EnvFile) -> ComposeStack {
    let (values, room) = (env.values(), Room::default());
    let lookup = |name: &str| values.get(name).map(ToString::to_string);
    let tree = files.fold(Value::Null, |above, value| merge::merge(value.clone(), above));
    let tree = merge::interpolate(tree, &|text| env_file::interpolated(text, &lookup, &room));
    ComposeStack::new(merge::named_variables(tree, &lookup, &room), Vec::new())
}

#[cfg(test)]
mod tests;
