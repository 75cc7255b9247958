//! What a person allowed, kept outside of the directory: a copy of a directory brings no consent along.

use std::path::PathBuf;

use crate::answer::Error;
use crate::caller::Caller;
use crate::deployment::{Deployment, outside};

/// Whether a person allowed the facts with this digest for this directory.
pub(crate) fn is_given(deployment: &Deployment, digest: &str, caller: &Caller) -> bool {
    let Ok(path) = record(deployment, caller) else { return false };
    outside::read(&path).is_some_and(|kept| kept.lines().next() == Some(digest))
}

/// Records it.
///
/// # Errors
/// `directory` where the record would be inside the directory, `io` where it cannot be written.
pub(crate) fn give(deployment: &Deployment, digest: &str, caller: &Caller) -> Result<PathBuf, Error> {
    let path = record(deployment, caller)?;
    outside::write(&path, &format!("{digest}\n"))?;
    Ok(path)
}

fn record(deployment: &Deployment, caller: &Caller) -> Result<PathBuf, Error> {
    outside::place(deployment, caller, "allowed")?.ok_or_else(|| {
        Error::directory(
            "there is no place outside of the deployment directory to keep what a person allowed",
            "set HOME, or XDG_STATE_HOME, to an absolute path outside of the deployment directory",
        )
    })
}
