//! Whether git would commit a file: git itself is asked.

use std::io;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::directory::Directory;
use super::process;

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
const GIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks git about a file of the directory.
pub(crate) fn state(directory: &Directory, inside: &str) -> GitState {
    state_within(directory, inside, GIT_TIMEOUT)
}

/// Like [`state`], with a limit in time for all that is asked.
pub(crate) fn state_within(directory: &Directory, inside: &str, limit: Duration) -> GitState {
    let asked = ask(directory, inside, limit);
    asked.unwrap_or_else(|e| GitState::Unknown(format!("git could not be run: {e}")))
}

fn ask(directory: &Directory, inside: &str, limit: Duration) -> io::Result<GitState> {
    let unknown = |why: &str| Ok(GitState::Unknown(why.to_owned()));
    let deadline = Instant::now() + limit;
    let Some(git) = process::find("git") else { return unknown("git is not installed") };
    let ask = |args: &[&str]| {
        // Neither the caller's GIT_DIR nor a hook configured in the repository has a say. The person's own ignore file
        // has one, and whose directory it is under sudo.
        let mut command = process::command(&git);
        command.envs(process::inherited(&["SUDO_UID", "XDG_CONFIG_HOME"]));
        command.arg("-C").arg(directory.root()).args(["-c", "core.fsmonitor=false"]).args(args);
        process::run(command, deadline.saturating_duration_since(Instant::now()), false)
    };
    let inside_tree = ask(&["rev-parse", "--is-inside-work-tree"])?;
    let complaint = inside_tree.stderr.trim();
    if inside_tree.timed_out {
        return unknown("git did not answer in time");
    }
    if !inside_tree.success && !complaint.contains("not a git repository") {
        return unknown(complaint.lines().next().unwrap_or("git refused"));
    }
    if !inside_tree.success || inside_tree.stdout.trim_ascii() != b"true" {
        return Ok(GitState::NoRepository);
    }
    if ask(&["ls-files", "--error-unmatch", "--", inside])?.success {
        return Ok(GitState::Tracked);
    }
    match ask(&["check-ignore", "--quiet", "--", inside])?.code {
        Some(0) => Ok(GitState::Ignored),
        Some(1) => Ok(GitState::NotIgnored),
        _ => unknown("git check-ignore failed"),
    }
}
