//! What a directory is: a deployment, the helper's or a person's; empty; or something else, which no command touches.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::origin::{self, Origin};
use super::{Deployment, Domain, path};
use crate::answer::Error;
use crate::list::{first, list};
use crate::os::files;

/// Who made a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Maker {
    /// This helper.
    Helper,
    /// A person, complete or begun.
    Hand,
    /// The `setup` service of Anthropic's programmatic set-up.
    Setup,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryKind {
    /// It does not exist, or nothing in it says what it is for.
    Empty,
    /// A deployment, complete or begun.
    Deployment(Maker),
    /// A few files that say nothing about what the directory is for: no deployment, but there is room for one.
    Stray(String),
    /// Another project, a plugin, a checkout; what it was recognised by.
    Other(String),
    /// A system directory or a home directory. Never a deployment.
    System,
}

/// A directory as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) kind: DirectoryKind,
    /// Files in it that are not a deployment's.
    pub(crate) foreign: Vec<String>,
    /// Whether the helper made `.env`, which it does first.
    env_is_ours: bool,
}

impl Look {
    /// Who made the deployment, if there is one.
    pub(crate) fn maker(&self) -> Option<Maker> {
        match self.kind {
            DirectoryKind::Deployment(maker) => Some(maker),
            DirectoryKind::Empty | DirectoryKind::Stray(_) | DirectoryKind::Other(_) | DirectoryKind::System => None,
        }
    }

    /// Whether the helper made the directory itself, so that its mode is the helper's to judge.
    pub(crate) fn is_ours_alone(&self) -> bool {
        self.kind == DirectoryKind::Deployment(Maker::Helper) && self.foreign.is_empty() && self.env_is_ours
    }
}

/// Names under which Compose finds a file; the override last.
const COMPOSE_FILES: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    path::COMPOSE,
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Names that say nothing about what a directory is for.
const SAYS_NOTHING: [&str; 9] = [
    path::GITIGNORE,
    ".git",
    ".DS_Store",
    ".directory",
    ".dockerignore",
    ".env.example",
    "lost+found",
    path::SAMPLE,
    "docker-compose.override.yaml.example",
];

/// Directories that are not a place for a deployment; what is below them may be.
const SYSTEM: [&str; 35] = list(
    "/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr \
     /usr/local /usr/share /var /var/lib /var/log /var/run /var/tmp /Applications /Library /Users /Volumes /private \
     /private/etc /private/tmp /private/var /private/var/tmp",
);

/// Directories below which nothing may be a deployment either.
const SYSTEM_BELOW: [&str; 12] =
    list("/bin /boot /lib /lib64 /proc /sbin /sys /usr/bin /usr/lib /usr/lib64 /usr/sbin /System");

/// Standard folders of a home directory, such as `Documents`.
const OF_A_HOME: &[&str] = &["", ".claude", ".config", ".ssh", "Desktop", "Documents", "Downloads", "Library"];

/// Files that a project has at its root.
const PROJECT_FILES: [&str; 19] = list(
    "AGENTS.md CLAUDE.md CMakeLists.txt Cargo.toml Dockerfile Gemfile Makefile README.md build.gradle composer.json \
     deno.json go.mod mix.exs package.json pom.xml pyproject.toml requirements.txt setup.py tsconfig.json",
);

/// More files than this are not there by accident.
const MOST_STRAY: usize = 10;

impl Deployment {
    /// For commands that work on a deployment. Elsewhere their advice would do harm: `chmod 700 /etc`.
    ///
    /// # Errors
    /// `directory` when it is not there, or holds no deployment.
    pub(crate) fn require(&self) -> Result<Look, Error> {
        if !self.exists()? {
            return Err(Error::directory(
                format!("there is no deployment directory `{}`", self.root().display()),
                "create one with `init`, or name another with `--dir`",
            ));
        }
        let look = look(self)?;
        match &look.kind {
            // For an empty directory the advice does no harm.
            DirectoryKind::Deployment(_) | DirectoryKind::Empty => Ok(look),
            DirectoryKind::Stray(what) | DirectoryKind::Other(what) => Err(Error::directory(
                format!("`{}` is not a deployment directory; it holds {what}", self.root().display()),
                "name the deployment directory with `--dir`",
            )),
            DirectoryKind::System => Err(self.system()),
        }
    }

    /// A directory is that of one tunnel.
    ///
    /// # Errors
    /// `other-domain` where it is known to be another's.
    pub(crate) fn require_tunnel(&self, known: Option<Domain>, asked: &Domain) -> Result<(), Error> {
        let Some(known) = known.filter(|known| known != asked) else { return Ok(()) };
        let (dir, existing, asked) = (self.root().to_path_buf(), known.to_string(), asked.to_string());
        Err(Error::OtherDomain { dir, existing, asked })
    }

    /// Like [`Self::require`], for commands that need more than an empty directory.
    ///
    /// # Errors
    /// `directory` when it is not there, or holds no deployment.
    pub(crate) fn require_begun(&self) -> Result<Look, Error> {
        let look = self.require()?;
        if look.kind == DirectoryKind::Empty {
            return Err(Error::directory(
                format!("`{}` is not a deployment directory: it is empty", self.root().display()),
                "create a deployment there with `init`, or name another directory with `--dir`",
            ));
        }
        Ok(look)
    }

    /// For commands that may make a deployment: one, or a directory for one.
    ///
    /// # Errors
    /// `directory` for a system directory, and, unless `into` is given, for one that holds something else.
    pub(crate) fn require_room(&self, into_other: bool) -> Result<Look, Error> {
        self.exists()?;
        let look = look(self)?;
        match &look.kind {
            DirectoryKind::Empty | DirectoryKind::Stray(_) | DirectoryKind::Deployment(_) => Ok(look),
            DirectoryKind::Other(_) if into_other => Ok(look),
            DirectoryKind::Other(what) => Err(Error::directory(
                format!("`{}` holds {what}; nothing was written", self.root().display()),
                "use a separate directory with `--dir`, or leave `--dir` out for `~/mcp-tunnel`; `init` with {\"into_other_project\":true} creates the deployment there anyway",
            )),
            DirectoryKind::System => Err(self.system()),
        }
    }

    fn system(&self) -> Error {
        Error::directory(
            format!("`{}` is a system directory or a home directory, not a deployment", self.root().display()),
            "name the deployment directory with `--dir`: a separate directory, such as `~/mcp-tunnel`",
        )
    }
}

/// Looks at a directory.
///
/// # Errors
/// `io` when it cannot be listed.
pub(crate) fn look(deployment: &Deployment) -> Result<Look, Error> {
    if is_system(deployment.root(), deployment.home.as_deref()) {
        return Ok(Look { kind: DirectoryKind::System, foreign: Vec::new(), env_is_ours: false });
    }
    let names = names(deployment, "")?;
    let mut foreign: Vec<String> = names.iter().filter(|name| !is_known(name)).cloned().collect();
    let is_project = |name: &String| PROJECT_FILES.contains(&name.as_str()) || deployment.path(name).is_dir();
    let has_project = foreign.len() > MOST_STRAY || foreign.iter().any(is_project);
    let stray = foreign.len();
    let data = names_or_none(deployment, path::DATA);
    let config = names_or_none(deployment, path::CONFIG);
    let is_setup = data.iter().any(|name| matches!(name.as_str(), "tunnel-token" | "tunnel-id" | "tunnel-domain"));

    let env = origin::of_env(deployment);
    let compose: Vec<(&str, Origin)> =
        COMPOSE_FILES.into_iter().map(|name| (name, origin::of_compose(deployment, name))).collect();
    let gateway = match config.iter().any(|name| path::GATEWAY.ends_with(name.as_str())) {
        true => origin::of_text(deployment, path::GATEWAY, &[]).max(Origin::Tunnel),
        false => Origin::None,
    };
    let keys = if data.iter().any(|name| is_tunnel_data(name)) { Origin::Tunnel } else { Origin::None };

    if env == Origin::Foreign {
        foreign.push("`.env` of another program".into());
    }
    foreign.extend(compose.iter().filter(|(_, origin)| *origin == Origin::Foreign).map(|(name, _)| (*name).to_owned()));
    foreign.extend(data.iter().filter(|name| !is_data(name)).map(|name| format!("data/{name}")));
    let is_config = |name: &str| path::GATEWAY.ends_with(name) || is_kept_aside(name);
    foreign.extend(config.iter().filter(|name| !is_config(name)).map(|name| format!("config/{name}")));

    let best = compose.iter().map(|(_, origin)| *origin).chain([env, gateway]).max().unwrap_or(Origin::None);
    let is_stray = !has_project && foreign.len() == stray;
    // Certificates of these names, or a file that cannot be read, may as well be another project's.
    let weak = if foreign.is_empty() { keys.max(best) } else { Origin::None };
    let kind = match (best, weak) {
        _ if is_setup => DirectoryKind::Deployment(Maker::Setup),
        (Origin::Ours, _) => DirectoryKind::Deployment(Maker::Helper),
        (Origin::Tunnel, _) | (_, Origin::Tunnel | Origin::Unknown) => DirectoryKind::Deployment(Maker::Hand),
        _ if foreign.is_empty() => DirectoryKind::Empty,
        _ if is_stray => DirectoryKind::Stray(describe(&names, &foreign)),
        _ => DirectoryKind::Other(describe(&names, &foreign)),
    };
    Ok(Look { kind, foreign, env_is_ours: origin::is_our_env(deployment) })
}

/// Files in `data` that are not a tunnel's: everything in there can be read by the proxy, which it is mounted into. Those
/// of `pair`, paths inside the directory, are what it is mounted for, whatever they are called.
pub(crate) fn foreign_data(deployment: &Deployment, pair: &[&str]) -> Vec<String> {
    let is_own = |name: &String| is_of_tunnel(deployment, &format!("{}/{name}", path::DATA), pair, 3);
    names_or_none(deployment, path::DATA).into_iter().filter(|name| !is_own(name)).collect()
}

/// A file that belongs in `data`, a folder of only such files, or a link to a file that is judged under its own name.
fn is_of_tunnel(deployment: &Deployment, inside: &str, pair: &[&str], left: u8) -> bool {
    if pair.contains(&inside) || is_data(inside.rsplit('/').next().unwrap_or_default()) {
        return true;
    }
    match deployment.path(inside).symlink_metadata() {
        Ok(meta) if meta.is_symlink() => {
            let data = deployment.path(path::DATA).canonicalize();
            let target = deployment.path(inside).canonicalize();
            data.is_ok_and(|data| target.is_ok_and(|target| target != data && target.starts_with(data)))
        }
        Ok(meta) if meta.is_dir() && left > 0 => names(deployment, inside).is_ok_and(|names| {
            names.iter().all(|name| is_of_tunnel(deployment, &format!("{inside}/{name}"), pair, left - 1))
        }),
        Ok(_) | Err(_) => false,
    }
}

fn is_system(root: &Path, home: Option<&Path>) -> bool {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_path_buf()));
    SYSTEM.iter().any(|place| real == Path::new(place) || root == Path::new(place))
        || SYSTEM_BELOW.iter().any(|place| real.starts_with(place))
        || home.is_some_and(|home| OF_A_HOME.iter().any(|inside| real == home.join(inside)))
}

/// Names in a folder, sorted; those of a folder that is not there: none.
fn names(deployment: &Deployment, inside: &str) -> Result<Vec<String>, Error> {
    // Bounded: a folder of a million files is not a deployment.
    let mut names = files::names(deployment, inside, 2000)?;
    names.sort();
    Ok(names)
}

/// Like [`names`]; a link is not followed, and what cannot be listed has no names.
fn names_or_none(deployment: &Deployment, inside: &str) -> Vec<String> {
    match files::metadata(deployment, inside) {
        Ok(Some(meta)) if meta.is_dir() => names(deployment, inside).unwrap_or_default(),
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn is_known(name: &str) -> bool {
    SAYS_NOTHING.contains(&name)
        || COMPOSE_FILES.contains(&name)
        || [path::ENV, path::DATA, path::CONFIG, path::REPLICA].contains(&name)
        || is_kept_aside(name)
}

/// `NAME.bak-TIME`, and what a killed helper left.
fn is_kept_aside(name: &str) -> bool {
    name.contains(".bak-") || (name.starts_with('.') && name.ends_with(".tmp"))
}

fn is_tunnel_data(name: &str) -> bool {
    let stem = name.strip_suffix(".crt").or_else(|| name.strip_suffix(".key"));
    stem.is_some_and(|stem| matches!(stem, "ca" | "ca-next" | "ca-old" | "tls" | "tls-next" | "tls-old"))
}

/// A file that belongs in `data`: a key, a certificate, or what the programmatic set-up puts there.
fn is_data(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    matches!(ending, "crt" | "key" | "pem" | "cer" | "csr" | "srl" | "cnf" | "ext")
        || name.starts_with("tunnel-")
        || name == ".gitkeep"
        || is_kept_aside(name)
}

/// What a directory without a deployment contains, for a person.
fn describe(names: &[String], foreign: &[String]) -> String {
    let has = |name: &str| names.iter().any(|n| n == name);
    let what = if has(".claude-plugin") {
        "a Claude plugin"
    } else if has(".git") {
        "a git checkout"
    } else {
        "something else"
    };
    let quote = |name: &String| if name.contains('`') { name.clone() } else { format!("`{name}`") };
    format!("{what}: {}", first(&foreign.iter().map(quote).collect::<Vec<_>>(), 4))
}
