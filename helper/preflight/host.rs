//! The machine: what about it would break this stack, or give a secret away. Looks first, then judges.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::race::{Desk, remaining};
use super::{Check, Facts, Verdict};
use crate::answer::{Finding, Severity};
use crate::caller::Caller;
use crate::deployment::git::{self, GitState};
use crate::deployment::{Deployment, TokenState, path};
use crate::{rules, token};

/// What the images and the sample's build take, unpacked, with room to spare.
const DISK_WANTED: u64 = 1 << 30;
/// With less than this nothing can be pulled.
const DISK_NEEDED: u64 = 256 << 20;
/// A certificate made on this host, and a TLS handshake, must not look made in the future; NTP keeps to milliseconds.
const CLOCK_TOLERANCE: i64 = 60;
/// Off by more than this, certificates are not in date.
const CLOCK_BROKEN: i64 = 24 * 3600;

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

/// Name of a group, from the account database's file.
pub(super) fn group(id: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    })
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

/// The checks of the machine.
pub(super) const CHECKS: &[Check] = &[
    Check { id: "directory", test: directory_is_fit },
    Check { id: "git-not-ignored", test: git_leaves_it_out },
    Check { id: "engine-facts", test: engine_is_known },
    Check { id: "selinux-labels", test: mounts_have_labels },
    Check { id: "user-namespace", test: users_are_whose_they_seem },
    Check { id: "shell-variables", test: shell_is_plain },
    Check { id: "proxy-not-used", test: no_proxy_is_counted_on },
    Check { id: "network-overlap", test: ranges_are_apart },
    Check { id: "platform-mismatch", test: images_are_for_this_cpu },
    Check { id: "disk-low", test: images_have_room },
    Check { id: "clock-wrong", test: clock_is_right },
    Check { id: "project-conflict", test: project_is_ours },
];

fn directory_is_fit(facts: &Facts, verdict: &mut Verdict) {
    let Some(root) = &facts.deployed.root else { return };
    let Some(place) = &facts.host.place else {
        return verdict.skip("directory", "the file system did not answer in time");
    };
    let at = place.real.display();
    if let Some(why) = &place.refusal {
        verdict.found(rules::finding("directory-not-writable").with(format!("{at}: {why}")));
    }
    if place.keeps_modes == Some(false) {
        verdict
            .found(rules::finding("directory-without-modes").with(format!("{at}: a mode that is set does not stay")));
    }
    if let Some(service) = place.synced_by {
        let root = root.display();
        verdict.found(rules::finding("directory-synced").with(format!("{root} looks like a folder of {service}")));
    }
}

fn git_leaves_it_out(facts: &Facts, verdict: &mut Verdict) {
    if !facts.deployed.has_env {
        return;
    }
    match &facts.host.git {
        None => verdict.skip("git-not-ignored", "git did not answer in time"),
        Some(GitState::NotIgnored) => verdict.found(rules::finding("git-not-ignored").with("`.env`")),
        Some(GitState::Tracked) => verdict.found(rules::finding("git-tracked").with("`.env`")),
        Some(GitState::Unknown(why)) => verdict.skip("git-not-ignored", why),
        Some(GitState::Ignored | GitState::NoRepository) => {}
    }
}

/// One row for all the checks below that hang on what the engine says about itself.
fn engine_is_known(facts: &Facts, verdict: &mut Verdict) {
    if facts.tools.engine_info().is_none() {
        verdict.skip(
            "engine-facts",
            "without an answer to `docker info`, SELinux, user namespaces, CPU, disk, clock, Docker networks and other stacks of this name were not looked at",
        );
    }
}

fn mounts_have_labels(facts: &Facts, verdict: &mut Verdict) {
    // The engine labels containers only when it was started with SELinux support; without, nothing is denied.
    if facts.tools.has_option("selinux") && facts.host.selinux != Some(false) {
        let bare = &facts.deployed.unlabelled;
        let finding = bare.iter().fold(rules::finding("selinux-labels"), |finding, mount| finding.with(mount));
        verdict.findings.extend((!bare.is_empty()).then_some(finding));
    }
}

fn users_are_whose_they_seem(facts: &Facts, verdict: &mut Verdict) {
    for (word, text) in [("rootless", "the engine is rootless"), ("userns", "the engine remaps user namespaces")] {
        if facts.tools.has_option(word) {
            verdict.found(rules::finding("user-namespace").with(text));
        }
    }
}

fn shell_is_plain(facts: &Facts, verdict: &mut Verdict) {
    let mut names = set(&facts.caller, &COMPOSE_VARIABLES);
    // With a token to compare it with, the finding about it says more.
    if let Some(TokenState::Set(token)) = &facts.deployed.token {
        names.retain(|name| *name != "TUNNEL_TOKEN");
        verdict.findings.extend(token::shadow(token, &facts.caller));
    }
    if !names.is_empty() {
        verdict.found(rules::finding("shell-variables").with(format!("{} is set", names.join(", "))));
    }
}

fn no_proxy_is_counted_on(facts: &Facts, verdict: &mut Verdict) {
    if let Some(proxy) = http_proxy(&facts.caller) {
        let names = set(&facts.caller, &PROXY_VARIABLES);
        verdict.found(rules::finding("proxy-not-used").with(format!("{}: {proxy}", names.join(", "))));
    }
}

fn ranges_are_apart(facts: &Facts, verdict: &mut Verdict) {
    let upstreams = &facts.deployed.upstreams;
    if upstreams.is_empty() || facts.tools.docker.is_none() {
        return;
    }
    let Some(networks) = &facts.tools.networks else {
        return verdict.skip("network-overlap", "the engine's networks are not known");
    };
    let own = facts.deployed.project.as_deref().unwrap_or_default();
    let mut finding = rules::finding("network-overlap");
    for (words, upstream) in upstreams {
        // A container of the stack itself, or on a network that the proxy joins, is meant to be there.
        let foreign = networks.iter().find(|(name, project, range)| {
            overlaps(range, upstream) && project != own && !facts.deployed.joined.contains(name)
        });
        if let Some((name, _, range)) = foreign {
            finding = finding.with(format!("{words}, and the Docker network `{name}` has {range}"));
        }
    }
    verdict.findings.extend((!finding.evidence.is_empty()).then_some(finding));
}

fn overlaps(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    let inside = |net: &Ipv4Net, address: Ipv4Addr| net.contains(&address);
    inside(one, other.network()) || inside(other, one.network())
}

fn images_are_for_this_cpu(facts: &Facts, verdict: &mut Verdict) {
    let Some(info) = facts.tools.engine_info() else { return };
    let engine = match info["Architecture"].as_str().unwrap_or_default() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if engine.is_empty() {
        return;
    }
    let present = facts.tools.images.as_deref().unwrap_or_default();
    let wrong: Vec<String> = present
        .iter()
        .filter(|(_, architecture)| architecture != engine)
        .map(|(reference, architecture)| format!("{reference} is for {architecture}, the engine is {engine}"))
        .collect();
    if !wrong.is_empty() {
        verdict.found(wrong.iter().fold(rules::finding("platform-mismatch"), |finding, text| finding.with(text)));
    } else if !matches!(engine, "amd64" | "arm64") && present.len() < facts.deployed.images.len() {
        // cloudflared is published for these two; of the proxy nothing else is known.
        let finding = rules::finding("platform-mismatch").weighing(Severity::Warning);
        verdict.found(finding.with(format!("the engine is {engine}; the images are known for amd64 and arm64")));
    }
}

fn images_have_room(facts: &Facts, verdict: &mut Verdict) {
    if facts.tools.engine_info().is_none() {
        return;
    }
    match &facts.host.disk {
        None => verdict.skip("disk-low", "the engine's disk is not on this host, or cannot be seen by this user"),
        Some((folder, free)) => verdict.findings.extend(room(folder, *free, facts.has_images())),
    }
}

/// The finding about a disk with so many bytes left. Images that are there already take no more room.
fn room(folder: &Path, free: u64, has_images: bool) -> Option<Finding> {
    let severity = match free {
        ..DISK_NEEDED if !has_images => Severity::Error,
        ..DISK_WANTED => Severity::Warning,
        _ => return None,
    };
    let text = format!("{} MiB are free in {}", free >> 20, folder.display());
    Some(rules::finding("disk-low").with(text).weighing(severity))
}

fn clock_is_right(facts: &Facts, verdict: &mut Verdict) {
    let offsets = [facts.tools.clock_offset.map(|offset| ("the engine", offset)), facts.network.clock_offset()];
    let off: Vec<(&str, i64)> =
        offsets.into_iter().flatten().filter(|(_, offset)| offset.abs() > CLOCK_TOLERANCE).collect();
    if off.is_empty() {
        return;
    }
    let mut finding = rules::finding("clock-wrong");
    for (whose, offset) in &off {
        let way = if *offset > 0 { "behind" } else { "ahead of" };
        finding = finding.with(format!("this host's clock is {} s {way} that of {whose}", offset.abs()));
    }
    if off.iter().any(|(_, offset)| offset.abs() > CLOCK_BROKEN) {
        finding = finding.weighing(Severity::Error);
    }
    verdict.found(finding);
}

fn project_is_ours(facts: &Facts, verdict: &mut Verdict) {
    let Some(project) = &facts.deployed.project else { return };
    let Some(containers) = &facts.tools.containers else {
        if facts.tools.engine_info().is_some() {
            verdict.skip("project-conflict", "docker did not list the project's containers");
        }
        return;
    };
    let foreign = containers.first();
    verdict.findings.extend(foreign.map(|(name, folder)| {
        rules::finding("project-conflict")
            .with(format!("project {project}"))
            .with(format!("container {name} belongs to {}", folder.display()))
    }));
}

/// What `up` looks at before it starts anything: only what costs no child process and what Compose would say late or
/// not at all.
pub(crate) fn before_start() -> Option<Finding> {
    // Where every Linux package puts it; another place is seen by `preflight`, which asks the engine.
    let (folder, free) = free_space(Path::new("/var/lib/docker"))?;
    room(&folder, free, true)
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

    #[test]
    fn little_room_is_a_warning_and_none_an_error_unless_the_images_are_there() {
        let severity = |free, has| room(Path::new("/x"), free, has).map(|finding| finding.severity);
        assert_eq!(severity(DISK_WANTED, false), None);
        assert_eq!(severity(DISK_WANTED - 1, false), Some(Severity::Warning));
        assert_eq!(severity(DISK_NEEDED - 1, false), Some(Severity::Error));
        assert_eq!(severity(0, true), Some(Severity::Warning));
    }

    #[test]
    fn ranges_overlap_in_both_directions() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        assert!(overlaps(&net("172.18.0.0/16"), &net("172.18.3.4/32")));
        assert!(overlaps(&net("172.18.0.0/16"), &net("172.16.0.0/12")));
        assert!(!overlaps(&net("172.18.0.0/16"), &net("10.0.0.0/8")));
    }
}
