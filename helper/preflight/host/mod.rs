//! The machine: what could break this stack on it, or reveal a secret. `ask` looks, `checks` judges.

pub(super) mod ask;
pub(super) mod checks;
pub(super) mod data;

use std::path::PathBuf;

use crate::os::git::GitState;

/// What was gathered. `None` is what had not answered at the deadline.
#[derive(Debug, Default)]
pub(super) struct HostState {
    is_wsl: bool,
    in_container: bool,
    /// Content of SELinux's switch: whether it enforces.
    selinux: Option<bool>,
    place: Option<DirectoryFacts>,
    git: Option<GitState>,
}

/// The directory, or the part of its path that exists.
#[derive(Debug)]
pub(super) struct DirectoryFacts {
    /// The directory itself, or the nearest one above it that exists.
    real: PathBuf,
    /// Why nothing can be written there.
    refusal: Option<String>,
    /// Whether a mode that is set stays set; `None` where nothing can be written.
    keeps_modes: Option<bool>,
    /// The service that copies it to a cloud.
    synced_by: Option<&'static str>,
}
