//! Looks at the machine and the directory, each in its own thread.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::DirectoryFacts;
use crate::answer;
use crate::deployment::{Deployment, path};
use crate::os::git;
use crate::preflight::facts::HostFacts;
use crate::preflight::parallel::{Tasks, remaining};

/// Starts every question.
pub(in crate::preflight) fn start(
    tasks: &Tasks<HostFacts>,
    deployment: Deployment,
    home: Option<PathBuf>,
    ask_git: bool,
    deadline: Instant,
) {
    let for_git = deployment.clone();
    tasks.spawn(move |tasks| {
        let kernel = fs::read_to_string("/proc/version").unwrap_or_default().to_lowercase();
        let selinux = fs::read_to_string("/sys/fs/selinux/enforce").ok().map(|text| text.trim() == "1");
        let in_container = Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists();
        let is_wsl = kernel.contains("microsoft");
        tasks.send(move |HostFacts { host, .. }| {
            (host.is_wsl, host.in_container, host.selinux) = (is_wsl, in_container, selinux);
        });
    });
    tasks.spawn(move |tasks| {
        let place = look_at(deployment.root(), home.as_deref());
        tasks.send(move |facts| facts.host.place = Some(place));
    });
    if ask_git {
        tasks.spawn(move |tasks| {
            let state = git::state_within(&for_git, path::ENV, remaining(deadline));
            tasks.send(move |facts| facts.host.git = Some(state));
        });
    }
}

fn look_at(root: &Path, home: Option<&Path>) -> DirectoryFacts {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let real = there.canonicalize().unwrap_or_else(|_| there.to_path_buf());
    let whole = root.strip_prefix(there).map_or_else(|_| real.clone(), |rest| real.join(rest));
    let synced_by = synced_by(&whole, home);
    if !real.is_dir() {
        return DirectoryFacts { refusal: Some("it is not a directory".into()), real, keeps_modes: None, synced_by };
    }
    // A file without a name, or one whose name is gone at once: what the file system really does, and nothing stays.
    let (refusal, keeps_modes) = match tempfile::tempfile_in(&real) {
        Err(fault) => (Some(answer::reason(&fault)), None),
        Ok(file) => {
            let sticks = [0o600, 0o644].into_iter().all(|mode| {
                let set = file.set_permissions(fs::Permissions::from_mode(mode));
                set.and_then(|()| file.metadata()).is_ok_and(|meta| meta.permissions().mode() & 0o777 == mode)
            });
            (None, Some(sticks))
        }
    };
    DirectoryFacts { real, refusal, keeps_modes, synced_by }
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
    // A client's own settings are in the home directory, which it does not copy for that.
    let marked = || {
        path.ancestors()
            .filter(|folder| Some(*folder) != home && folder.parent().is_some())
            .find_map(|folder| MARKS.iter().find(|(mark, _)| folder.join(mark).exists()).map(|(_, service)| *service))
    };
    named.or_else(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

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
