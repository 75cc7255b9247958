//! Whether git would commit a file: git itself is asked.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::directory::Directory;
use crate::child;

/// What git says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GitState {
    /// The directory is in no work tree.
    NoRepository,
    /// Ignored, and not tracked.
    Ignored,
    /// The next `git add .` takes it.
    NotIgnored,
    /// Already in the index.
    Tracked,
    /// git could not be asked.
    Unknown(String),
}

/// A git that takes longer waits for something: a dead network drive, a prompt.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks git about a file of the directory.
pub(crate) fn state(directory: &Directory, inside: &str) -> GitState {
    state_within(directory, inside, PATIENCE)
}

/// Like [`state`], with a limit in time for all that is asked.
pub(crate) fn state_within(directory: &Directory, inside: &str, limit: Duration) -> GitState {
    let deadline = Instant::now() + limit;
    let ask = |args: &[&str]| {
        // Neither the caller's GIT_DIR nor a hook configured in the repository has a say.
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command.arg("-C").arg(directory.root()).args(["-c", "core.fsmonitor=false"]).args(args);
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        child::run(command, deadline.saturating_duration_since(Instant::now()), false)
    };
    let inside_tree = match ask(&["rev-parse", "--is-inside-work-tree"]) {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return GitState::Unknown("git is not installed".into()),
        Err(e) => return GitState::Unknown(format!("git could not be run: {e}")),
    };
    let complaint = inside_tree.stderr.trim().to_owned();
    if inside_tree.timed_out {
        return GitState::Unknown("git did not answer in time".into());
    }
    if !inside_tree.success {
        return if complaint.contains("not a git repository") {
            GitState::NoRepository
        } else {
            GitState::Unknown(complaint.lines().next().unwrap_or("git refused").to_owned())
        };
    }
    if inside_tree.stdout.trim_ascii() != b"true" {
        return GitState::NoRepository;
    }
    match ask(&["ls-files", "--error-unmatch", "--", inside]) {
        Ok(output) if output.success => return GitState::Tracked,
        Ok(_) => {}
        Err(e) => return GitState::Unknown(format!("git could not be run: {e}")),
    }
    match ask(&["check-ignore", "--quiet", "--", inside]).map(|output| output.code) {
        Ok(Some(0)) => GitState::Ignored,
        Ok(Some(1)) => GitState::NotIgnored,
        Ok(_) => GitState::Unknown("git check-ignore failed".into()),
        Err(e) => GitState::Unknown(format!("git could not be run: {e}")),
    }
}
