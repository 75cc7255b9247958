//! What Compose refuses in the files, or cannot start from them: why, and what to write in its place.

use super::absence::path;
use super::table::RuleId;
use crate::redact::names::shown;

/// One reason. Names and paths are as the files have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A service names what the files do not declare.
    Undeclared {
        service: String,
        /// The top-level key that would declare it.
        kind: &'static str,
        /// The key of the service that names it.
        key: &'static str,
        name: String,
        /// A declared name that is alike.
        near: Option<String>,
    },
    /// A service needs one that only starts with a profile.
    Inactive { service: String, key: &'static str, name: String },
    /// A service extends one that its file does not have.
    Extends { service: String, name: String, near: Option<String> },
    /// Services that depend on each other, or extend each other, in a circle.
    Circle { key: &'static str, services: Vec<String> },
    /// A key that Compose does not know; the place is its path, with dots.
    Key { place: String, key: String, near: Option<&'static str> },
    /// A value of the wrong type.
    Type { place: String, is: &'static str, takes: &'static str },
    /// A service with nothing to run.
    NoImage { service: String },
    /// A service whose image has no valid reference: what is wrong with it.
    Image { service: String, image: String, why: String },
    /// What a Dockerfile copies is not in the folder of its build, or is kept out of it by `.dockerignore`.
    Copy { service: String, source: String, folder: String, is_ignored: bool },
    /// A service with a network mode and networks.
    TwoNetworks { service: String },
    /// A variable that the files require and that nothing sets.
    Required { place: String, name: String },
    /// A variable that nothing sets, where its value is the name of something.
    Empty { place: String, name: String },
    /// A `$` that begins no variable.
    Template { place: String },
    /// A file of variables that is not there.
    EnvFile { service: String, path: String },
    /// A folder that an image is built from is not there, or is not a folder.
    Context { service: String, path: String, is_there: bool },
    /// A folder that an image is built from has no Dockerfile of this name; another one is there.
    Dockerfile { service: String, path: String, other: Option<String> },
}

/// A path of keys as it may be shown.
fn keys(place: &str) -> String {
    place.split('.').map(shown).collect::<Vec<_>>().join(".")
}

fn listed(services: &[String]) -> String {
    services.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(" → ")
}

/// One of what a top-level key declares.
fn one(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

impl Refused {
    pub(crate) fn rule(&self) -> RuleId {
        match self {
            Self::Undeclared { kind: "services", .. } => RuleId::ComposeServiceUndefined,
            Self::Inactive { .. } => RuleId::ComposeProfileInactive,
            Self::Required { .. } | Self::Empty { .. } => RuleId::ComposeVariableMissing,
            Self::EnvFile { .. } => RuleId::EnvFileMissing,
            Self::Context { .. } | Self::Dockerfile { .. } | Self::Copy { .. } => RuleId::BuildFailed,
            Self::Image { .. } => RuleId::ImageRefInvalid,
            _ => RuleId::ComposeConfigInvalid,
        }
    }

    /// The service that it is about, where the rule's texts have a place for one.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::Context { service, .. }
            | Self::Dockerfile { service, .. }
            | Self::Copy { service, .. }
            | Self::Image { service, .. } => Some(service),
            Self::Inactive { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What the files say.
    pub(crate) fn said(&self) -> String {
        let alike = |near: &Option<String>| {
            near.as_ref().map(|near| format!("; `{}` is there", shown(near))).unwrap_or_default()
        };
        match self {
            Self::Undeclared { service, kind, key, name, near } => {
                let (name, one, near) = (path(name), one(kind), alike(near));
                format!("`{key}` of `{service}` names the {one} `{name}`, which the compose files do not declare{near}")
            }
            Self::Inactive { service, key, name } => format!(
                "`{key}` of `{service}`, which a plain `up` starts, names `{}`, which only starts with a profile",
                shown(name)
            ),
            Self::Extends { service, name, near } => {
                let (service, name, near) = (shown(service), shown(name), alike(near));
                format!("`{service}` extends the service `{name}`, which is not in that file{near}")
            }
            Self::Circle { key: "extends", services } => format!("{}: each extends the next", listed(services)),
            Self::Circle { services, .. } => format!("{}: each waits for the next", listed(services)),
            Self::Key { place, key, .. } => {
                let within = if place.is_empty() { "the top level".into() } else { format!("`{}`", keys(place)) };
                format!("{within} has the key `{}`, which Compose does not know", shown(key))
            }
            Self::Type { place, is, takes } => format!("`{}` is {is}; Compose takes {takes}", keys(place)),
            Self::NoImage { service } => format!("`{service}` has neither `image` nor `build`"),
            Self::Image { service, image, why } => format!("`image: {image}` of `{service}` {why}"),
            Self::Copy { service, source, folder, is_ignored } => {
                let (source, folder) = (path(source), path(folder));
                let why = match is_ignored {
                    true => format!("`.dockerignore` of `{folder}` keeps it out of the build"),
                    false => format!("`{folder}` does not have it"),
                };
                format!("the build of `{service}` copies `{source}`, and {why}")
            }
            Self::TwoNetworks { service } => format!("`{service}` has both `network_mode` and `networks`"),
            Self::Required { place, name } | Self::Empty { place, name } => {
                format!("`{}` uses the variable `{name}`, which neither `.env` nor this shell sets", keys(place))
            }
            Self::Template { place } => format!("`{}` has a `${{` that does not begin a variable", keys(place)),
            Self::EnvFile { service, path: file } => {
                format!("`{}`, which `env_file` of `{service}` names, is not there", path(file))
            }
            Self::Context { service, path: folder, is_there } => {
                let what = if *is_there { "is not a folder" } else { "is not there" };
                format!("`{}`, which `build` of `{service}` names, {what}", path(folder))
            }
            Self::Dockerfile { service, path: file, other } => {
                let other = other.as_ref().map(|other| format!("; `{}` is there", path(other))).unwrap_or_default();
                format!("`{}`, which `build` of `{service}` needs, is not there{other}", path(file))
            }
        }
    }

    /// Why it is so.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Undeclared { kind: "services", .. } => {
                "a service that another one names has to be defined in these files, with the same name"
            }
            Self::Undeclared { .. } => "what a service names has to be declared at the top level of the compose files",
            Self::Inactive { .. } => "Compose starts nothing while a service needs one whose profile is not active",
            Self::Extends { .. } => {
                "`extends` takes a service from the file that it names, otherwise from its own file"
            }
            Self::Circle { .. } => "Compose finds no order in which these services can be started",
            Self::Key { .. } => "Compose accepts the keys of its specification, and those that start with `x-`",
            Self::Type { .. } => "Compose accepts only the types of its specification",
            Self::NoImage { .. } => "Compose needs an image for each service, or a folder to build one from",
            Self::Image { .. } => "Docker refuses it as `invalid reference format`, and starts nothing of the stack",
            Self::Copy { .. } => "a build copies files of its own folder only, and fails where one of them is missing",
            Self::TwoNetworks { .. } => {
                "a service in another's network, or in that of the host, joins no network of its own"
            }
            Self::Required { .. } => "the file requires a value for it (`${NAME:?…}`)",
            Self::Empty { .. } => "Compose puts an empty text in its place, so that a name or a path is missing there",
            Self::Template { .. } => {
                "Compose reads `$` as the beginning of a variable; a `$` of the text is written `$$`"
            }
            Self::EnvFile { .. } => "Compose starts nothing while a file that `env_file` names is missing",
            Self::Context { .. } => {
                "an image is built from a folder, and paths start at the folder of the compose file"
            }
            Self::Dockerfile { .. } => "without `dockerfile:` Compose takes the file `Dockerfile` of the build folder",
        }
    }

    /// What to write, and where.
    pub(super) fn fix(&self, file: &str, line: Option<usize>) -> String {
        let place = match line {
            Some(line) => format!("`{}`, line {line}", path(file)),
            None => format!("`{}`", path(file)),
        };
        let (act, then) = (self.act(&place, path(file)), "then `{helper} up --dir {dir}`");
        format!("{act}; {then}")
    }

    fn act(&self, place: &str, file: &str) -> String {
        match self {
            Self::NoImage { service } => {
                format!("write `image: NAME`, or `build: ./FOLDER`, for `{service}` in {place}")
            }
            Self::Image { service, .. } => format!(
                "correct `image:` of `{service}` in {place}: `NAME:TAG`, or `NAME:TAG@sha256:` and all 64 hex digits, which \
                 `docker buildx imagetools inspect NAME:TAG` shows"
            ),
            Self::Copy { source, is_ignored: true, .. } => {
                format!("remove what keeps `{0}` out from `.dockerignore` (or add `!{0}` at its end)", path(source))
            }
            Self::Copy { source, folder, .. } => {
                format!("put `{}` into `{}`, or correct the line in {place}", path(source), path(folder))
            }
            Self::TwoNetworks { service } => {
                format!("remove `networks` from `{service}` in {place}, or its `network_mode`")
            }
            Self::Required { name, .. } => format!("write `{name}=VALUE` into `.env`"),
            Self::Empty { name, .. } => {
                format!("write `{name}=VALUE` into `.env`, or a default into {place}: `${{{name}:-VALUE}}`")
            }
            Self::Template { .. } => {
                format!("write `$$` for a `$` of the text, or `${{NAME}}` for a variable, in {place}")
            }
            Self::EnvFile { path: named, .. } => format!(
                "make the file `{}`, or remove it from `env_file` in {place} (with `required: false` it may be missing)",
                path(named)
            ),
            Self::Context { path: folder, .. } => {
                format!("correct `{}` in {place}, or put the folder with the Dockerfile there", path(folder))
            }
            Self::Dockerfile { path: named, other: Some(other), .. } => {
                let other = other.rsplit('/').next().unwrap_or_default();
                format!(
                    "name the file by `dockerfile: {}` in `build` in {place}, or rename it to `{}`",
                    path(other),
                    path(named)
                )
            }
            Self::Dockerfile { path: named, .. } => {
                format!("put the Dockerfile into `{}`, or name its file by `dockerfile:` in {place}", path(named))
            }
            _ => self.rename(place, file),
        }
    }

    /// What to do about a name, a key or a type that is wrong.
    fn rename(&self, place: &str, file: &str) -> String {
        let write = |near: &str, name: &str| format!("write `{}` in place of `{}` in {place}", shown(near), path(name));
        match self {
            Self::Undeclared { kind: "volumes", name, .. } if name.contains('/') => format!(
                "write `./{}` in {place}: a path starts with `./`, and any other word is the name of a volume",
                path(name)
            ),
            Self::Undeclared { service, kind, key, name, near } => {
                let name = path(name);
                let other = near.as_ref().map(|near| format!("{}; or ", write(near, name))).unwrap_or_default();
                let declare = match *kind {
                    "services" => format!("define the service `{name}` in `{file}`"),
                    kind => format!("write {} under the top-level `{kind}:` of `{file}`", declaration(kind, name)),
                };
                format!("{other}{declare}, or remove it from `{key}` of `{service}`")
            }
            Self::Inactive { service, key, name } => format!(
                "remove `profiles:` from `{0}`, give `{service}` the same one, or name it in `.env` \
                 (`COMPOSE_PROFILES=NAME`); a `{key}` entry with `required: false` may stay",
                shown(name)
            ),
            Self::Extends { name, near: Some(near), .. } => write(near, name),
            Self::Extends { service, name, .. } => format!(
                "correct the name `{}` in `extends` of `{}` in {place}, add `file:` if the service is in another file, or \
                 remove `extends`",
                shown(name),
                shown(service)
            ),
            Self::Circle { key, services } => format!(
                "remove one link of the circle: `{key}` of `{}` in {place}",
                shown(services.first().map(String::as_str).unwrap_or_default())
            ),
            Self::Key { key, near: Some(near), .. } => write(near, shown(key)),
            Self::Key { key, .. } => {
                format!("remove `{0}` from {place}; for a note of your own write `x-{0}`", shown(key))
            }
            Self::Type { place: keys_of, takes, .. } => format!("write {takes} for `{}` in {place}", keys(keys_of)),
            _ => String::new(),
        }
    }
}

/// What declares a name under a top-level key.
fn declaration(kind: &str, name: &str) -> String {
    match kind {
        "secrets" if name == "tunnel_token" => format!("`{name}: {{ environment: TUNNEL_TOKEN }}`"),
        "secrets" | "configs" => format!("`{name}: {{ file: ./FILE }}`"),
        _ => format!("`{name}: {{}}` (with `external: true` if it exists already)"),
    }
}
