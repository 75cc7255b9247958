//! The deployment directory: its path, its layout with modes, its lock.

pub(crate) mod domain;
pub(crate) mod env_file;
pub(crate) mod kind;
pub(crate) mod modes;
mod origin;
pub(crate) mod outside;
mod owner;
pub(crate) mod replica;
pub(crate) mod route;
pub(crate) mod scaffold;
pub(crate) mod token;

use std::ffi::OsStr;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub(crate) use domain::Domain;
pub(crate) use kind::Maker;
pub(crate) use replica::Replica;
pub(crate) use route::{RouteName, Upstream};
pub(crate) use token::{Token, TokenState};

use crate::answer::Error;
use crate::caller::Caller;
use crate::os::directory::Directory;
use crate::os::litter;
use crate::os::lock::Lock;

/// Mode of the directory, where the helper creates it: other users of the host cannot reach the keys.
pub(crate) const DIR_MODE: u32 = 0o700;
/// `data/`, `config/` and `hello-mcp/`: the containers' user must be able to enter them.
pub(crate) const OPEN_DIR_MODE: u32 = 0o755;
/// What holds a secret that no container reads from the disk.
pub(crate) const SECRET_MODE: u32 = 0o600;
/// Everything that a container reads, the server key included: the directory around it is closed.
pub(crate) const OPEN_MODE: u32 = 0o644;

/// Paths inside the directory, spelled once.
pub(crate) mod path {
    /// Domain, token and the two lines that labels interpolate.
    pub(crate) const ENV: &str = ".env";
    /// Keeps `.env` and `data/` out of git.
    pub(crate) const GITIGNORE: &str = ".gitignore";
    /// Certificates and keys, mounted into the proxy.
    pub(crate) const DATA: &str = "data";
    /// The CA's certificate: the only one of the four that ever leaves the host.
    pub(crate) const CA_CRT: &str = "data/ca.crt";
    pub(crate) const CA_KEY: &str = "data/ca.key";
    /// The CA that waits to be registered, while the CA is being changed.
    pub(crate) const CA_NEXT_CRT: &str = "data/ca-next.crt";
    pub(crate) const CA_NEXT_KEY: &str = "data/ca-next.key";
    /// The CA that waits to be dropped.
    pub(crate) const CA_OLD_CRT: &str = "data/ca-old.crt";
    pub(crate) const CA_OLD_KEY: &str = "data/ca-old.key";
    /// The server certificate.
    pub(crate) const TLS_CRT: &str = "data/tls.crt";
    /// The server key.
    pub(crate) const TLS_KEY: &str = "data/tls.key";
    /// The tunnel's domain, as Anthropic's set-up program leaves it.
    pub(crate) const SETUP_DOMAIN: &str = "data/tunnel-domain";
    /// The tunnel's token, from the same.
    pub(crate) const SETUP_TOKEN: &str = "data/tunnel-token";
    /// Folder of the proxy's configuration.
    pub(crate) const CONFIG: &str = "config";
    /// The proxy's configuration.
    pub(crate) const GATEWAY: &str = "config/mcp-gateway.yaml";
    /// The stack.
    pub(crate) const COMPOSE: &str = "docker-compose.yaml";
    /// What a replica was made from.
    pub(crate) const REPLICA: &str = "replica.json";
    /// The sample server.
    pub(crate) const SAMPLE: &str = "hello-mcp";
}

/// A deployment directory, by its absolute path. It need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployment {
    directory: Directory,
    home: Option<PathBuf>,
}

impl Deref for Deployment {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Deployment {
    /// Finds the directory that `--dir` names, or `~/mcp-tunnel`.
    ///
    /// # Errors
    /// `directory` when the home directory is not known, or when Docker could not mount the path.
    pub(crate) fn locate(asked: Option<&Path>, caller: &Caller) -> Result<Self, Error> {
        let path = match asked {
            Some(path) => expand(path, caller)?,
            None => default_dir(caller)?,
        };
        if path.as_os_str().is_empty() {
            return Err(Error::directory("`--dir` is empty", "name the deployment directory, or leave `--dir` out"));
        }
        let root = std::path::absolute(&path).map_err(|e| Error::io("find", &path, e))?;
        // `absolute` keeps `..` and a trailing slash; Compose compares the path as a string.
        let root = without_dots(&root)?;
        if root.as_os_str().as_bytes().contains(&b':') {
            return Err(Error::directory(
                format!(
                    "the path `{}` contains a colon, which Docker reads as the end of a mount's source",
                    root.display()
                ),
                "choose a directory without a colon in its path",
            ));
        }
        if root.parent().is_none() {
            return Err(Error::directory(
                "`/` cannot be a deployment directory",
                "name a separate directory, such as `~/mcp-tunnel`",
            ));
        }
        Ok(Self { directory: Directory::new(root), home: home(caller).ok() })
    }

    /// The deployment in a directory whose place is known.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn at(root: &Path) -> Self {
        Self { directory: Directory::new(root.to_path_buf()), home: None }
    }

    /// Whether the directory is there.
    ///
    /// # Errors
    /// `directory` when it is not a directory, `io` when it cannot be examined.
    pub(crate) fn exists(&self) -> Result<bool, Error> {
        match std::fs::metadata(self.root()) {
            Ok(meta) if meta.is_dir() => Ok(true),
            Ok(_) => Err(Error::directory(
                format!("`{}` is not a directory", self.root().display()),
                "name another directory, or move that file away",
            )),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::io("look at", self.root(), e)),
        }
    }

    /// Keeps other helpers from writing to this directory until the lock is dropped, and removes what killed runs left.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let lock = Lock::take(self)?;
        // Another helper may have written until now.
        self.keep_unchanged();
        self.sweep();
        Ok(lock)
    }
}

/// Files that the helper writes, by their folders: a killed run may have left one of them under a temporary name.
const WRITTEN: [(&str, &[&str]); 4] = [
    ("", &[path::ENV, path::GITIGNORE, path::COMPOSE, path::REPLICA]),
    (path::DATA, &["ca", "tls"]),
    (path::CONFIG, &["mcp-gateway.yaml"]),
    (path::SAMPLE, &[".dockerignore", "Dockerfile", "requirements.txt", "server.py"]),
];

impl Deployment {
    /// Removes what killed runs left.
    fn sweep(&self) {
        for (folder, names) in WRITTEN {
            // While the CA is being changed there are several of each: `ca-next.key`, `tls-old.crt`, `ca-next.back`.
            let is_pair = |name: &str| {
                let stem = [".crt", ".key", ".back"].iter().find_map(|end| name.strip_suffix(end));
                stem.is_some_and(|stem| names.contains(&stem.split('-').next().unwrap_or(stem)))
            };
            let is_ours = |name: &str| if folder == path::DATA { is_pair(name) } else { names.contains(&name) };
            litter::sweep(self, folder, is_ours);
        }
    }
}

/// The same place without `..`: the folder in front of it is asked where it really is, because it may be a link.
fn without_dots(path: &Path) -> Result<PathBuf, Error> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part != Component::ParentDir {
            plain.push(part);
            continue;
        }
        let real = match plain.canonicalize() {
            Ok(real) => real,
            // A missing path is not a link.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => plain,
            Err(e) => return Err(Error::io("find", &plain, e)),
        };
        plain = real.parent().unwrap_or(&real).to_path_buf();
    }
    Ok(plain)
}

/// `~` and `~/…` against `HOME`. The shell does it for bare words only, not for `--dir=~/x` or in quotes.
fn expand(path: &Path, caller: &Caller) -> Result<PathBuf, Error> {
    match path.strip_prefix("~") {
        Ok(rest) => Ok(home(caller)?.join(rest)),
        Err(_) => Ok(path.to_path_buf()),
    }
}

fn home(caller: &Caller) -> Result<PathBuf, Error> {
    match caller.var("HOME").map(Path::new) {
        Some(home) if home.is_absolute() => Ok(home.to_path_buf()),
        Some(_) | None => Err(Error::directory(
            "the home directory is not known: HOME is not set to an absolute path",
            "name the deployment directory with an absolute `--dir`",
        )),
    }
}

/// `~/mcp-tunnel`, unless sudo makes it doubtful whose `~` is meant.
fn default_dir(caller: &Caller) -> Result<PathBuf, Error> {
    let own = home(caller)?.join("mcp-tunnel");
    let Some(user) = caller.var("SUDO_USER").filter(|user| *user != OsStr::new("root")) else { return Ok(own) };
    let theirs = home_of(user).unwrap_or_else(|| PathBuf::from(format!("~{}", user.display())));
    let theirs = theirs.join("mcp-tunnel");
    if theirs == own {
        return Ok(own);
    }
    Err(Error::directory(
        format!("run with sudo, so `~/mcp-tunnel` could be `{}` or `{}`", theirs.display(), own.display()),
        "say which one with `--dir`",
    ))
}

/// Home directory of a user, from the account database's file.
fn home_of(user: &OsStr) -> Option<PathBuf> {
    let accounts = std::fs::read(Path::new("/etc/passwd")).ok()?;
    accounts.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        (fields.next()? == user.as_bytes()).then(|| fields.nth(4))?.map(|home| PathBuf::from(OsStr::from_bytes(home)))
    })
}
