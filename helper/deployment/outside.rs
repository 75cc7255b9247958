//! Files about a directory that are kept outside of it, one a kind, named by its real path: a copy of the directory brings
//! none along.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Deployment;
use crate::answer::Error;
use crate::caller::Caller;
use crate::hash::sha256_hex;

/// The file of a kind, below `$XDG_STATE_HOME/mcp-tunnels`; `None` where that is not outside of the directory, or unknown.
///
/// # Errors
/// `io` where the directory cannot be found.
pub(crate) fn place(deployment: &Deployment, caller: &Caller, kind: &str) -> Result<Option<PathBuf>, Error> {
    let absolute = |name: &str| caller.var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let real = deployment.root().canonicalize().map_err(|e| Error::io("find", deployment.root(), e))?;
    let Some(folder) = state.map(|state| state.join("mcp-tunnels").join(kind)) else { return Ok(None) };
    let existing = folder.ancestors().find_map(|above| above.canonicalize().ok());
    let is_outside = existing.is_some_and(|existing| !existing.starts_with(&real)) && !folder.starts_with(&real);
    Ok(is_outside.then(|| folder.join(sha256_hex(real.as_os_str().as_bytes()))))
}

/// The text of such a file, if only this user can have written it.
pub(crate) fn read(path: &Path) -> Option<String> {
    let is_own = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|meta| {
            !meta.is_symlink() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o022 == 0
        })
    };
    let is_ours = path.parent().is_some_and(is_own) && is_own(path);
    is_ours.then(|| fs::read_to_string(path).ok()).flatten()
}

/// Writes one, whole or not at all.
///
/// # Errors
/// `io`.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let io = |error| Error::io("write", path, error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
