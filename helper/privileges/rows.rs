//! What counts as dangerous: one row a key of Compose's model.

use std::collections::BTreeSet;
use std::path::Path;

use super::outside::{is_harmless, is_outside};
use super::privilege::Privilege;
use crate::config::yaml::{self, Value, at};
use crate::list::list;
use crate::model::paths::is_remote;

/// Whether a single value is dangerous, with the service that has it.
type Judge = fn(&str, &Value) -> bool;

/// Paths of keys of a service whose scalar, or each entry of whose list, is judged by itself.
const SERVICE: &[(&str, Judge)] = &[
    ("privileged", |value, _| is_on(value)),
    ("pid", |value, _| is_host(value)),
    ("ipc", |value, _| is_host(value)),
    ("uts", |value, _| is_host(value)),
    ("cgroup", |value, _| is_host(value)),
    ("userns_mode", |value, _| is_host(value)),
    ("network_mode", |value, service| is_host_network(value, service)),
    ("cap_add", |value, _| !is_default_capability(value)),
    ("security_opt", |value, _| is_unconfined(value)),
    ("devices", |_, _| true),
    ("gpus", |_, _| true),
    ("deploy.resources.reservations.devices", |_, _| true),
    ("device_cgroup_rules", |_, _| true),
    ("volumes_from", |value, _| value.starts_with("container:") || value.contains('$')),
    ("use_api_socket", |value, _| is_on(value)),
    ("cgroup_parent", |_, _| true),
    ("runtime", |value, _| !is_confining_runtime(value)),
    ("oom_kill_disable", |value, _| is_on(value)),
    ("oom_score_adj", |value, _| value.starts_with(['-', '$'])),
];

/// The same of `build:`.
const BUILD: &[(&str, Judge)] = &[
    ("privileged", |value, _| is_on(value)),
    ("network", |value, _| is_host(value)),
    ("entitlements", |_, _| true),
    ("ssh", |_, _| true),
];

/// Capabilities that the engine gives every container.
const DEFAULT_CAPABILITIES: [&str; 14] = list(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID \
     SYS_CHROOT",
);

/// Types of file system that the engine's own volume driver mounts without anything of this host in them: memory, and shares
/// of other machines.
const FOREIGN_VOLUMES: [&str; 5] = ["tmpfs", "nfs", "nfs4", "cifs", "smb3"];

/// Anything but a clear no: what depends on a variable may be a yes.
fn is_on(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "n" | "")
}

/// The host's own namespace, that of a container outside this stack, or one that depends on a variable.
fn is_host(value: &str) -> bool {
    value == "host" || value.starts_with("container:") || value.contains('$')
}

/// cloudflared itself may use the host's network, or that of a container from elsewhere: it has a port to dial there, and its
/// image has no other program.
fn is_host_network(value: &str, service: &Value) -> bool {
    if !is_host(value) {
        return false;
    }
    let image = at(service, &["image"]).and_then(yaml::scalar).unwrap_or_default();
    let image = image.strip_prefix("docker.io/").unwrap_or(&image);
    let repository = image.split(['@', ':']).next().unwrap_or_default();
    let own = ["build", "entrypoint", "volumes"].iter().any(|key| at(service, &[key]).is_some_and(|v| !is_empty(v)));
    repository != "cloudflare/cloudflared" || own
}

/// A runtime that confines at least as much as the usual one; others may hand out devices, or be any program.
fn is_confining_runtime(value: &str) -> bool {
    matches!(value, "" | "crun" | "runc" | "runsc" | "io.containerd.runc.v2" | "io.containerd.runsc.v1")
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_sequence().is_some_and(Vec::is_empty)
}

fn is_default_capability(value: &str) -> bool {
    let name = value.to_ascii_uppercase();
    DEFAULT_CAPABILITIES.contains(&name.strip_prefix("CAP_").unwrap_or(&name))
}

/// Confinement removed, or replaced by a profile of the directory's own.
fn is_unconfined(value: &str) -> bool {
    let value = value.to_ascii_lowercase().replace('=', ":");
    let (kind, rest) = value.split_once(':').unwrap_or((value.as_str(), ""));
    match kind {
        "seccomp" => rest != "builtin",
        "apparmor" => rest == "unconfined" || rest.contains('$'),
        "label" => !rest.starts_with("level:"),
        "systempaths" => rest != "default",
        "no-new-privileges" => false,
        _ => true,
    }
}

/// Facts of a model, or of one file read as one.
pub(super) fn of_model(model: &Value, root: &Path, into: &mut BTreeSet<Privilege>) {
    for (name, service) in entries(model, "services") {
        let mut facts = Facts { service: Some(name), root, into: &mut *into };
        facts.judged("", SERVICE, service);
        facts.mounts(service);
        facts.host_networks(service, model);
        if let Some(build) = at(service, &["build"]) {
            facts.build(build);
        }
        for key in ["post_start", "pre_stop"] {
            for hook in at(service, &[key]).and_then(Value::as_sequence).into_iter().flatten() {
                if at(hook, &["privileged"]).and_then(yaml::scalar).is_some_and(|value| is_on(&value)) {
                    facts.add(&format!("{key}.privileged"), "true");
                }
            }
        }
        if let Some(provider) = at(service, &["provider"]).filter(|provider| !provider.is_null()) {
            let kind = at(provider, &["type"]).and_then(yaml::scalar).unwrap_or_default();
            facts.add("provider.type", &kind);
        }
        facts.path("credential_spec.file", at(service, &["credential_spec", "file"]));
    }
    let mut facts = Facts { service: None, root, into };
    for kind in ["secrets", "configs"] {
        for (name, entry) in entries(model, kind) {
            facts.path(&format!("{kind}.{name}.file"), at(entry, &["file"]));
        }
    }
    for (name, volume) in entries(model, "volumes") {
        facts.volume(&name, volume);
    }
}

/// Facts that Compose's model does not show any more: where its parts came from.
pub(super) fn of_source(value: &Value, root: &Path, into: &mut BTreeSet<Privilege>) {
    let mut facts = Facts { service: None, root, into };
    for include in at(value, &["include"]).and_then(Value::as_sequence).into_iter().flatten() {
        facts.paths("include", Some(include));
        for key in ["path", "project_directory", "env_file"] {
            facts.paths(&format!("include.{key}"), at(include, &[key]));
        }
    }
    for (name, volume) in entries(value, "volumes") {
        // Compose names each of its own after the project; another name may be another project's.
        if let Some(said) = at(volume, &["name"]).and_then(yaml::scalar) {
            facts.add(&format!("volumes.{name}.name"), &said);
        }
    }
    for (name, service) in entries(value, "services") {
        let mut facts = Facts { service: Some(name), root, into: &mut *facts.into };
        facts.path("extends.file", at(service, &["extends", "file"]));
        for key in ["env_file", "label_file"] {
            facts.paths(key, at(service, &[key]));
        }
    }
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (String, &'a Value)> {
    let map = at(value, &[key]).and_then(Value::as_mapping);
    map.into_iter().flatten().map(|(key, value)| (yaml::scalar(key).unwrap_or_default(), untagged(value)))
}

/// `!override` and `!reset` change what a file is merged to, not what it asks for.
fn untagged(value: &Value) -> &Value {
    match value {
        Value::Tagged(tagged) => &tagged.value,
        value => value,
    }
}

/// A scalar, the entries of a list, or what the maps in it name as their source.
fn values(value: &Value) -> Vec<String> {
    let one = |value: &Value| {
        let named = || ["source", "path", "target", "driver"].iter().find_map(|key| yaml::scalar(at(value, &[key])?));
        yaml::scalar(value).or_else(named)
    };
    match untagged(value) {
        Value::Null => Vec::new(),
        Value::Sequence(list) => list.iter().map(|item| one(item).unwrap_or_default()).collect(),
        value => one(value).into_iter().collect(),
    }
}

pub(super) fn dockerfile(build: &Value) -> Option<String> {
    let context = yaml::scalar(build).or_else(|| at(build, &["context"]).and_then(yaml::scalar))?;
    let file = at(build, &["dockerfile"]).and_then(yaml::scalar).unwrap_or_else(|| "Dockerfile".into());
    Some(if file.starts_with('/') { file } else { format!("{}/{file}", context.trim_end_matches('/')) })
}

struct Facts<'a> {
    service: Option<String>,
    root: &'a Path,
    into: &'a mut BTreeSet<Privilege>,
}

impl Facts<'_> {
    fn add(&mut self, key: &str, value: &str) {
        self.into.insert(Privilege { service: self.service.clone(), key: key.into(), value: value.into() });
    }

    fn judged(&mut self, above: &str, rows: &[(&str, Judge)], owner: &Value) {
        for (key, is_dangerous) in rows {
            let path: Vec<&str> = key.split('.').collect();
            let Some(value) = at(owner, &path) else { continue };
            for value in values(value) {
                if is_dangerous(&value, owner) {
                    self.add(&format!("{above}{key}"), &value);
                }
            }
        }
    }

    fn path(&mut self, key: &str, value: Option<&Value>) {
        if let Some(path) = value.and_then(yaml::scalar).filter(|path| is_outside(path, self.root)) {
            self.add(key, &path);
        }
    }

    fn paths(&mut self, key: &str, value: Option<&Value>) {
        for path in value.map(values).unwrap_or_default() {
            if is_outside(&path, self.root) {
                self.add(key, &path);
            }
        }
    }

    fn mounts(&mut self, service: &Value) {
        let volumes = at(service, &["volumes"]).map(untagged).and_then(Value::as_sequence);
        for entry in volumes.into_iter().flatten() {
            let Some((source, is_closed)) = bind(entry) else { continue };
            if is_outside(&source, self.root) && !(is_closed && is_harmless(&source)) {
                self.add("volumes", &source);
            }
        }
    }

    /// A volume from elsewhere, or one that the engine mounts from this host.
    fn volume(&mut self, name: &str, volume: &Value) {
        if at(volume, &["external"]).is_some_and(|said| !said.is_null() && *said != Value::Bool(false)) {
            self.add(&format!("volumes.{name}.external"), "true");
        }
        let said = |key: &str| at(volume, &["driver_opts", key]).and_then(yaml::scalar).unwrap_or_default();
        let kind = said("type");
        let is_foreign = FOREIGN_VOLUMES.contains(&kind.as_str());
        if !is_foreign && !matches!(kind.as_str(), "" | "none" | "bind") {
            self.add(&format!("volumes.{name}.driver_opts.type"), &kind);
        }
        for (option, value) in at(volume, &["driver_opts"]).and_then(Value::as_mapping).into_iter().flatten() {
            let (Some(option), Some(value)) = (yaml::scalar(option), yaml::scalar(value)) else { continue };
            let leads_out = |part: &str| part.starts_with(['/', '.', '~']) && is_outside(part, self.root);
            let is_danger = match option.as_str() {
                "device" if is_foreign => false,
                // Compose makes it whole for `bind` alone; else it is a path of the engine.
                "device" => is_outside(&value, self.root) || said("o").contains("rbind"),
                _ => value.split([',', '=']).any(leads_out),
            };
            if is_danger {
                self.add(&format!("volumes.{name}.driver_opts.{option}"), &value);
            }
        }
    }

    /// The host's network has a second name: an external network called `host`.
    fn host_networks(&mut self, service: &Value, model: &Value) {
        let joined = match at(service, &["networks"]).map(untagged) {
            Some(Value::Mapping(map)) => map.keys().filter_map(yaml::scalar).collect(),
            Some(list) => yaml::texts(list),
            None if at(service, &["network_mode"]).is_some() => Vec::new(),
            None => vec!["default".into()],
        };
        for key in joined {
            let said = |name: &str| at(model, &["networks", &key, name]).and_then(yaml::scalar);
            let is_external = at(model, &["networks", &key, "external"]).is_some_and(|v| *v != Value::Bool(false));
            let old = at(model, &["networks", &key, "external", "name"]).and_then(yaml::scalar);
            let name = said("name").or(old).unwrap_or_else(|| key.clone());
            if is_external && name == "host" || said("driver").as_deref() == Some("host") {
                self.add("networks", &key);
            }
        }
    }

    fn build(&mut self, build: &Value) {
        let context = yaml::scalar(build).or_else(|| at(build, &["context"]).and_then(yaml::scalar));
        let context = context.unwrap_or_else(|| ".".into());
        if is_outside(&context, self.root) {
            self.add("build.context", &context);
        } else if let Some(file) = dockerfile(build).filter(|file| is_outside(file, self.root)) {
            self.add("build.dockerfile", &file);
        }
        self.judged("build.", BUILD, build);
        for key in ["cache_from", "cache_to"] {
            for cache in at(build, &[key]).map(values).unwrap_or_default() {
                let folders =
                    cache.split(',').filter_map(|part| part.strip_prefix("src=").or(part.strip_prefix("dest=")));
                if folders.into_iter().any(|folder| is_outside(folder, self.root)) {
                    self.add(&format!("build.{key}"), &cache);
                }
            }
        }
        let more = at(build, &["additional_contexts"]).map(untagged);
        let more: Vec<String> = match more {
            Some(Value::Mapping(map)) => map.values().filter_map(yaml::scalar).collect(),
            Some(list) => yaml::texts(list).iter().filter_map(|e| Some(e.split_once('=')?.1.to_owned())).collect(),
            None => Vec::new(),
        };
        for context in more {
            let is_image = ["docker-image://", "service:", "target:"].iter().any(|start| context.starts_with(start));
            if !is_image && (is_remote(&context) || is_outside(&context, self.root)) {
                self.add("build.additional_contexts", &context);
            }
        }
    }
}

/// Source of a bind mount, and whether it is read-only; `None` for a named volume.
fn bind(entry: &Value) -> Option<(String, bool)> {
    let Some(text) = yaml::scalar(entry) else {
        let said = |key: &str| at(entry, &[key]).and_then(yaml::scalar);
        let kind = said("type").unwrap_or_default();
        let is_bind = matches!(kind.as_str(), "bind" | "npipe") || kind.contains('$');
        return is_bind.then(|| (said("source").unwrap_or_default(), said("read_only").as_deref() == Some("true")));
    };
    let mut depth = 0_i32;
    let mut parts = text.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ':' && depth == 0
    });
    let source = parts.next()?;
    parts.next()?;
    let is_closed = parts.next().is_some_and(|options| options.split(',').any(|option| option == "ro"));
    source.starts_with(['.', '/', '~', '$']).then(|| (source.to_owned(), is_closed))
}

#[cfg(test)]
mod tests;
