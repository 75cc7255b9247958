//! What a command changed is on disk before its answer says so: folders whose names changed are synced once, at its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{Mode, OFlags, fsync, openat};
use rustix::io::Errno;

use super::directory::Directory;
use crate::answer::Error;

/// Folders whose names changed since the last [`settle`].
static CHANGED: Mutex<Vec<(Directory, String)>> = Mutex::new(Vec::new());

/// Notes that a folder has new names; empty for the directory itself.
pub(super) fn changed(directory: &Directory, folder: &str) {
    let mut all = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
    if !all.iter().any(|(known, inside)| known == directory && inside == folder) {
        all.push((directory.clone(), folder.to_owned()));
    }
}

/// Notes that the folder of something has new names.
pub(super) fn changed_above(directory: &Directory, inside: &str) {
    changed(directory, inside.rsplit_once('/').map_or("", |(folder, _)| folder));
}

/// Syncs the folders that changed.
///
/// # Errors
/// `io` for one that the disk did not take.
pub(crate) fn settle() -> Result<(), Error> {
    let all = std::mem::take(&mut *CHANGED.lock().unwrap_or_else(PoisonError::into_inner));
    let mut result = Ok(());
    for (directory, inside) in all {
        let Ok(Some(folder)) = directory.folder(&inside) else { continue };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A folder that cannot be read cannot be synced.
        let Ok(folder) = openat(&folder, ".", flags, Mode::empty()) else { continue };
        match fsync(&folder) {
            // A file system that cannot sync folders keeps its own promises.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => {}
            Err(error) => result = result.and(Err(Error::io("write", &directory.path(&inside), error.into()))),
        }
    }
    result
}

/// The umask that the person set, once the process has one of its own.
static UMASK: OnceLock<Mode> = OnceLock::new();

/// Gives the process a private umask in place of the person's.
pub(crate) fn take_umask() {
    UMASK.get_or_init(|| rustix::process::umask(Mode::RWXG | Mode::RWXO));
}

/// Makes a folder above a directory, and those above it, as `mkdir -p` would: they are the person's.
pub(super) fn make_above(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> = folder.ancestors().take_while(|at| !at.exists()).map(Path::to_path_buf).collect();
    // Keys will be below: under any umask, no other user can replace them.
    let closed = Mode::WGRP | Mode::WOTH;
    let own = UMASK.get().map(|theirs| rustix::process::umask(*theirs | closed));
    let made = std::fs::create_dir_all(folder);
    own.map(rustix::process::umask);
    made?;
    for made in missing {
        made.parent().into_iter().for_each(|above| changed(&Directory::new(above.to_path_buf()), ""));
    }
    Ok(())
}
