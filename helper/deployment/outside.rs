//! Files about a directory that are kept outside of it, one per kind, named by its real path: a copy of the directory
//! does not get them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{DIR_MODE, Deployment, SECRET_MODE};
use crate::answer::Error;
use crate::caller::Caller;
use crate::hash::sha256_hex;
use crate::os::directory::Directory;
use crate::os::{batch, litter};

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
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let made = fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(folder);
    made.map_err(|error| Error::io("create", folder, error))?;
    let directory = Directory::new(folder.to_path_buf());
    litter::sweep(&directory, "", |_| true);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    batch::replace(&directory, &name, text.as_bytes(), Some(SECRET_MODE), SECRET_MODE)
}
