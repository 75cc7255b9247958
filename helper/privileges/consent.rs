//! What a person allowed, kept outside of the directory: a copy of a directory brings no consent along.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::answer::Error;
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::hash::sha256_hex;

/// Whether a person allowed the facts with this digest for this directory.
pub(crate) fn is_given(deployment: &Deployment, digest: &str, caller: &Caller) -> bool {
    let Ok(path) = record(deployment, caller) else { return false };
    let is_own = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|meta| {
            !meta.is_symlink() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0
        })
    };
    path.parent().is_some_and(is_own)
        && is_own(&path)
        && fs::read_to_string(&path).is_ok_and(|kept| kept.lines().next() == Some(digest))
}

/// Records it.
///
/// # Errors
/// `directory` where the record would lie inside the directory, `io` where it cannot be written.
pub(crate) fn give(deployment: &Deployment, digest: &str, caller: &Caller) -> Result<PathBuf, Error> {
    let path = record(deployment, caller)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let io = |error| Error::io("write", &path, error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    writeln!(file, "{digest}").map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(&path).map_err(|error| io(error.error))?;
    Ok(path)
}

/// The file for a directory, named by its real path.
fn record(deployment: &Deployment, caller: &Caller) -> Result<PathBuf, Error> {
    let absolute = |name: &str| caller.var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let real = deployment.root().canonicalize().map_err(|e| Error::io("find", deployment.root(), e))?;
    let state = state.map(|state| state.join("mcp-tunnels").join("allowed"));
    let existing = state.as_deref().map(|state| state.ancestors().find_map(|above| above.canonicalize().ok()));
    match (state, existing.flatten()) {
        (Some(state), Some(existing)) if !existing.starts_with(&real) && !state.starts_with(&real) => {
            Ok(state.join(sha256_hex(real.as_os_str().as_bytes())))
        }
        _ => Err(Error::Directory {
            message: "there is no place outside of the deployment directory to keep what a person allowed".into(),
            hint: "set HOME, or XDG_STATE_HOME, to an absolute path outside of the deployment directory".into(),
        }),
    }
}
