//! The machine: looks at what could break this stack, or give a secret away; `checks` judges it.

mod checks;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(super) use checks::CHECKS;
pub(crate) use checks::before_start;

use super::Facts;
use super::race::{Desk, remaining};
use crate::caller::Caller;
use crate::deployment::{Deployment, path};
use crate::os::git::{self, GitState};

/// Variables of the shell that change what Compose or docker does; the helper runs without the first kind, a person
/// does not.
const COMPOSE_VARIABLES: [&str; 5] =
    ["COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES", "TUNNEL_TOKEN"];
const DOCKER_VARIABLES: [&str; 2] = ["DOCKER_HOST", "DOCKER_CONTEXT"];
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// The machine in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct HostData {
    /// `linux`, `macos`.
    os: &'static str,
    /// CPU of this helper.
    arch: &'static str,
    /// `wsl`, `container`, `selinux`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kind: Vec<&'static str>,
    /// Free space for images, in MiB; `null` where the engine's disk is not this host's.
    disk_free_mib: Option<u64>,
    /// The engine's clock minus this host's, in seconds.
    engine_clock_offset_s: Option<i64>,
    /// A server's clock minus this host's, in seconds.
    server_clock_offset_s: Option<i64>,
    /// Which variables of the shell change what docker or Compose does. Never their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<&'static str>,
    /// The HTTP proxy that the shell names, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_proxy: Option<String>,
    /// The deployment directory, if it is known which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<DirectoryData>,
}

/// The deployment directory in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct DirectoryData {
    /// Where it is, or will be.
    path: String,
    /// Whether a deployment is in it.
    deployment: bool,
    /// Whether it can be written, or made.
    writable: Option<bool>,
    /// Whether its file system keeps POSIX modes.
    modes: Option<bool>,
}

/// What was gathered. `None` is what had not answered at the deadline.
#[derive(Debug, Default)]
pub(super) struct Host {
    is_wsl: bool,
    in_container: bool,
    /// Content of SELinux's switch: whether it enforces.
    selinux: Option<bool>,
    disk: Option<(PathBuf, u64)>,
    place: Option<Place>,
    git: Option<GitState>,
}

/// The directory, or what is there of the way to it.
#[derive(Debug)]
struct Place {
    /// The directory itself, or the nearest one above it that exists.
    real: PathBuf,
    /// Why nothing can be written there.
    refusal: Option<String>,
    /// Whether a mode that is set stays set; `None` where nothing can be written.
    keeps_modes: Option<bool>,
    /// The service that copies it to a cloud.
    synced_by: Option<&'static str>,
}

/// Starts looking.
pub(super) fn start(
    desk: &Desk<Facts>,
    deployment: Deployment,
    home: Option<PathBuf>,
    ask_git: bool,
    deadline: Instant,
) {
    let for_git = deployment.clone();
    desk.spawn(move |desk| {
        let kernel = fs::read_to_string("/proc/version").unwrap_or_default().to_lowercase();
        let selinux = fs::read_to_string("/sys/fs/selinux/enforce").ok().map(|text| text.trim() == "1");
        let in_container = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
        desk.put(move |facts| {
            let host = &mut facts.host;
            (host.is_wsl, host.selinux, host.in_container) = (kernel.contains("microsoft"), selinux, in_container);
        });
    });
    desk.spawn(move |desk| {
        let place = look_at(deployment.root(), home.as_deref());
        desk.put(move |facts| facts.host.place = Some(place));
    });
    if ask_git {
        desk.spawn(move |desk| {
            let state = git::state_within(&for_git, path::ENV, remaining(deadline));
            desk.put(move |facts| facts.host.git = Some(state));
        });
    }
}

/// The engine's disk, once it is known where that is: one that is not on this host cannot be seen.
pub(super) fn disk(info: &Value) -> Option<(PathBuf, u64)> {
    if info["OperatingSystem"].as_str() == Some("Docker Desktop") {
        return None;
    }
    free_space(Path::new(info["DockerRootDir"].as_str()?))
}

/// A folder and the bytes that are free there for a user without privileges.
fn free_space(folder: &Path) -> Option<(PathBuf, u64)> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some((folder.to_path_buf(), found.f_bavail.saturating_mul(found.f_frsize)))
}

fn look_at(root: &Path, home: Option<&Path>) -> Place {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let real = there.canonicalize().unwrap_or_else(|_| there.to_path_buf());
    let whole = root.strip_prefix(there).map_or_else(|_| real.clone(), |rest| real.join(rest));
    let synced_by = synced_by(&whole, home);
    if !real.is_dir() {
        return Place { refusal: Some("it is not a directory".into()), real, keeps_modes: None, synced_by };
    }
    // A file without a name, or one whose name is gone at once: what the file system really does, and nothing stays.
    let (refusal, keeps_modes) = match tempfile::tempfile_in(&real) {
        Err(fault) => (Some(fault.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()), None),
        Ok(file) => {
            let sticks = [0o600, 0o644].into_iter().all(|mode| {
                let set = file.set_permissions(fs::Permissions::from_mode(mode));
                set.and_then(|()| file.metadata()).is_ok_and(|meta| meta.permissions().mode() & 0o777 == mode)
            });
            (None, Some(sticks))
        }
    };
    Place { real, refusal, keeps_modes, synced_by }
}

/// The service that copies a folder to a cloud, by the names and marks that its client gives to folders.
fn synced_by(path: &Path, home: Option<&Path>) -> Option<&'static str> {
    const NAMES: [(&str, &str); 9] = [
        ("Dropbox", "Dropbox"),
        ("OneDrive", "OneDrive"),
        ("Google Drive", "Google Drive"),
        ("GoogleDrive", "Google Drive"),
        ("My Drive", "Google Drive"),
        ("Nextcloud", "Nextcloud"),
        ("ownCloud", "ownCloud"),
        ("pCloudDrive", "pCloud"),
        ("iCloud Drive", "iCloud"),
    ];
    const MARKS: [(&str, &str); 4] = [
        (".dropbox", "Dropbox"),
        (".stfolder", "Syncthing"),
        (".sync", "Resilio Sync"),
        (".owncloudsync.log", "Nextcloud"),
    ];
    let text = path.to_string_lossy();
    if text.contains("/Library/Mobile Documents/") {
        return Some("iCloud");
    }
    if text.contains("/Library/CloudStorage/") {
        return Some("a cloud drive");
    }
    let named = path.components().find_map(|part| {
        let part = part.as_os_str().to_string_lossy();
        // `OneDrive - Company`, `Dropbox (Personal)`
        let is = |name: &str| {
            part.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-', '(']))
        };
        NAMES.iter().find(|(name, _)| is(name)).map(|(_, service)| *service)
    });
    // A client's own settings lie in the home directory, which it does not copy for that.
    let marked = || {
        path.ancestors()
            .filter(|folder| Some(*folder) != home && folder.parent().is_some())
            .find_map(|folder| MARKS.iter().find(|(mark, _)| folder.join(mark).exists()).map(|(_, service)| *service))
    };
    named.or_else(marked)
}

/// A URL without `user:password@`.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // Docker's ssh:// needs its user to make sense, and that is no secret.
    let host = if scheme == "ssh" && !authority.contains(':') { authority } else { host };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    // The path of a socket is the address; that of a proxy's URL says nothing.
    if host.is_empty() && !path.is_empty() { format!("{scheme}/{path}") } else { format!("{scheme}{host}") }
}

/// The HTTP proxy that the shell names, without credentials.
pub(super) fn http_proxy(caller: &Caller) -> Option<String> {
    let set = PROXY_VARIABLES.into_iter().find_map(|name| caller.var(name));
    set.map(|value| without_credentials(&value.to_string_lossy()))
}

fn set(caller: &Caller, names: &[&'static str]) -> Vec<&'static str> {
    names.iter().copied().filter(|name| caller.var(name).is_some()).collect()
}

impl Host {
    /// Notes the engine's disk.
    pub(super) fn note_disk(&mut self, disk: Option<(PathBuf, u64)>) {
        self.disk = disk;
    }

    /// The facts of the answer.
    pub(super) fn data(&self, facts: &Facts) -> HostData {
        let mut variables = set(&facts.caller, &DOCKER_VARIABLES);
        variables.extend(set(&facts.caller, &COMPOSE_VARIABLES));
        let kinds = [("wsl", self.is_wsl), ("container", self.in_container), ("selinux", self.selinux == Some(true))];
        HostData {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            kind: kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect(),
            disk_free_mib: self.disk.as_ref().map(|(_, bytes)| bytes >> 20),
            engine_clock_offset_s: facts.tools.clock_offset,
            server_clock_offset_s: facts.network.clock_offset().map(|(_, offset)| offset),
            variables,
            http_proxy: http_proxy(&facts.caller),
            directory: facts.deployed.root.as_ref().map(|root| DirectoryData {
                path: root.to_string_lossy().into_owned(),
                deployment: facts.deployed.is_deployment,
                writable: self.place.as_ref().map(|place| place.refusal.is_none()),
                modes: self.place.as_ref().and_then(|place| place.keeps_modes),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out_of_a_proxy_s_url() {
        for (url, expected) in [
            ("http://user:secret@proxy.example:3128/", "http://proxy.example:3128"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("user:pass@proxy:3128", "proxy:3128"),
            ("proxy:3128", "proxy:3128"),
            ("http://u:p@ss@proxy:1", "http://proxy:1"),
            ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock"),
            ("ssh://me@server", "ssh://me@server"),
            ("ssh://me:pw@server", "ssh://server"),
        ] {
            assert_eq!(without_credentials(url), expected, "{url}");
        }
    }

    #[test]
    fn folders_of_cloud_drives_are_known_by_name() {
        for (path, service) in [
            ("/home/a/Dropbox/x", Some("Dropbox")),
            ("/home/a/Dropbox (Work)/x", Some("Dropbox")),
            ("/mnt/c/Users/a/OneDrive - Company/x", Some("OneDrive")),
            ("/Users/a/Library/Mobile Documents/com~apple~CloudDocs/x", Some("iCloud")),
            ("/Users/a/Library/CloudStorage/Box-Box/x", Some("a cloud drive")),
            ("/home/a/Dropboxes/x", None),
            ("/home/a/onedriver/x", None),
            ("/home/a/mcp-tunnel", None),
        ] {
            assert_eq!(synced_by(Path::new(path), None), service, "{path}");
        }
    }
}
