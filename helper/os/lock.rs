//! One writer at a time: a flock(2) lock on the directory itself, which leaves no file behind and ends with its process.

use std::fs::{File, TryLockError};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::directory::Directory;
use super::holder;
use crate::answer::{Error, Skipped};

/// How long one waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// A directory on a file system that has no locks.
static UNLOCKED: OnceLock<PathBuf> = OnceLock::new();

/// The right to write to a directory; given back when dropped, also by the kernel when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Nothing where the file system has no locks.
    dir: Option<File>,
}

impl Lock {
    /// Keeps other helpers from writing to this directory until the lock is dropped.
    ///
    /// # Errors
    /// `busy` when another helper holds it for more than ten seconds; `io` when the directory cannot be opened or locked.
    pub(crate) fn take(directory: &Directory) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::io("lock", directory.root(), error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = directory.folder("")?.ok_or_else(|| failed(Errno::NOENT.into()))?;
        let dir = openat(&folder, ".", flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        let dir = File::from(dir);
        let give_up = Instant::now() + PATIENCE;
        loop {
            match dir.try_lock() {
                Ok(()) => return Ok(Self { dir: Some(dir) }),
                Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Busy {
                        dir: directory.root().to_path_buf(),
                        holder: holder::of_flock(&dir).map(|holder| holder.to_string()),
                    });
                }
                Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                    // Two helpers at once are rarer than such a home directory.
                    UNLOCKED.get_or_init(|| directory.root().to_path_buf());
                    return Ok(Self { dir: None });
                }
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// A descriptor of the same lock that children inherit: the lock is held until the last of them has ended.
    pub(crate) fn inheritable(&self) -> Option<OwnedFd> {
        // Unlike `File::try_clone`, dup(2) does not set close-on-exec.
        self.dir.as_ref().and_then(|dir| rustix::io::dup(dir).ok())
    }
}

fn has_no_locks(error: &std::io::Error) -> bool {
    let known = [Errno::NOLCK, Errno::NOSYS, Errno::NOTSUP, Errno::INVAL];
    error.raw_os_error().is_some_and(|number| known.iter().any(|errno| errno.raw_os_error() == number))
}

/// What was not held against other helpers, for the answer.
pub(crate) fn unlocked() -> Option<Skipped> {
    let dir = UNLOCKED.get()?;
    let why = format!("the file system of `{}` has no locks: run one command at a time", dir.display());
    Some(Skipped::new("lock", why))
}
