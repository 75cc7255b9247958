//! A directory by its absolute path, and the way to what lies in it. It is opened once, and every folder below is opened
//! from there, one name at a time, following no link: a folder that is exchanged meanwhile leads nowhere else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, statat};
use rustix::io::Errno;

use crate::answer::Error;

/// Opens a folder that need not be readable, where the system can.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ENTER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENTER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Absolute, without `..`. It need not exist yet.
///
/// A file of it is read once, so that all that a command says is of one state of the directory. What this process writes
/// is read back; what others write is seen after [`Directory::look_again`].
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Once it was needed and existed.
    opened: Arc<OnceLock<OwnedFd>>,
    /// Files that were read, by path inside.
    read: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Directory {}

impl Directory {
    /// The directory at an absolute path.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, opened: Arc::default(), read: Arc::default() }
    }

    /// Absolute path of the directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Absolute path of something inside it; the directory itself for an empty name. For people and other programs:
    /// what the helper itself opens goes through [`Directory::folder`].
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        if inside.is_empty() { self.root.clone() } else { self.root.join(inside) }
    }

    /// Forgets what was read. Under the lock, because another helper may have written until then, and before each new
    /// look of a command that waits.
    pub(crate) fn look_again(&self) {
        self.read().clear();
    }

    /// The content of a file as it was read before.
    pub(super) fn known(&self, inside: &str) -> Option<Vec<u8>> {
        self.read().get(inside).cloned()
    }

    /// Keeps the content of a file.
    pub(super) fn learn(&self, inside: &str, bytes: &[u8]) {
        self.read().insert(inside.to_owned(), bytes.to_vec());
    }

    /// Forgets one file, which is written or gone.
    pub(super) fn forget(&self, inside: &str) {
        self.read().remove(inside);
    }

    fn read(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory itself, opened for what lies in it; links on the way to it are the person's.
    fn opened(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.as_fd());
        }
        let opened = open(&self.root, ENTER, Mode::empty())?;
        Ok(self.opened.get_or_init(|| opened).as_fd())
    }

    /// A folder inside the directory, opened for what lies in it; `None` if it is not there. Empty for the directory.
    ///
    /// # Errors
    /// `unexpected-file` when it, or a folder on the way, is a link or no folder, or is outside of the directory; `io`
    /// when it cannot be entered.
    pub(crate) fn folder(&self, inside: &str) -> Result<Option<OwnedFd>, Error> {
        self.walk(&parts(self, inside)?)
    }

    /// The folder in which something lies, opened, and its name there; `None` if there is no such folder, or no name.
    ///
    /// # Errors
    /// As [`Directory::folder`].
    pub(crate) fn place<'a>(&self, inside: &'a str) -> Result<Option<(OwnedFd, &'a OsStr)>, Error> {
        let mut parts = parts(self, inside)?;
        let Some(name) = parts.pop() else { return Ok(None) };
        Ok(self.walk(&parts)?.map(|folder| (folder, name)))
    }

    fn walk(&self, parts: &[&OsStr]) -> Result<Option<OwnedFd>, Error> {
        let failed = |path: &Path, error: Errno| Error::io("look at", path, error.into());
        let root = match self.opened() {
            Ok(root) => root,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(failed(&self.root, error)),
        };
        let mut path = self.root.clone();
        let mut at: Option<OwnedFd> = None;
        for part in parts {
            path.push(part);
            let above = at.as_ref().map_or(root, OwnedFd::as_fd);
            let below = match openat(above, *part, ENTER | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(below) => below,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(no_folder(above, part, path)),
                Err(error) => return Err(failed(&path, error)),
            };
            at = Some(below);
        }
        match at {
            Some(folder) => Ok(Some(folder)),
            None => root.try_clone_to_owned().map(Some).map_err(|error| Error::io("look at", &self.root, error)),
        }
    }
}

/// The names on the way to something inside a directory.
fn parts<'a>(directory: &Directory, inside: &'a str) -> Result<Vec<&'a OsStr>, Error> {
    let mut parts = Vec::new();
    for part in Path::new(inside).components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let what = "it is outside of the deployment directory".into();
                return Err(Error::Unexpected { act: "look at", path: directory.root.join(inside), what });
            }
        }
    }
    Ok(parts)
}

fn no_folder(above: BorrowedFd<'_>, name: &OsStr, path: PathBuf) -> Error {
    let found = statat(above, name, AtFlags::SYMLINK_NOFOLLOW);
    match found.map(|found| FileType::from_raw_mode(found.st_mode)) {
        Ok(FileType::Symlink) => Error::Unexpected { act: "follow", path, what: "it is a symbolic link".into() },
        Ok(_) | Err(_) => Error::Unexpected { act: "look into", path, what: "it is not a directory".into() },
    }
}
