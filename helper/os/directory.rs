//! A directory by its absolute path, and the way to what is in it. It is opened once, and every folder below is opened
//! from there, one name at a time, following no link: replacing a folder meanwhile does not redirect the helper.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, openat, statat};
use rustix::io::Errno;
use time::{Duration, OffsetDateTime};

use crate::answer::Error;

/// A file system notes the time of a change at best this exactly: two changes within it may look like one. Linux counts
/// in ticks of up to 10 ms; one that shows no fractions counts in seconds, FAT in two of them.
const TICK: Duration = Duration::milliseconds(20);
const COARSE_TICK: Duration = Duration::seconds(2);

/// Opens a folder that need not be readable, where the system can.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ENTER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENTER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Absolute, without `..`. It need not exist yet.
///
/// A file of it is read once, so that all that a command says is of one state of the directory. What this process writes
/// is read back; what others write is seen after [`Directory::look_again`] and [`Directory::keep_unchanged`].
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Once it was needed and existed.
    opened: Arc<OnceLock<OwnedFd>>,
    /// Files that were read, by path inside.
    read: Arc<Mutex<BTreeMap<String, Known>>>,
    /// How often this process wrote or removed a file of it.
    writes: Arc<AtomicUsize>,
}

/// A file that was read.
#[derive(Clone, Debug)]
struct Known {
    bytes: Vec<u8>,
    version: Version,
    /// This host's clock before it was read.
    at: OffsetDateTime,
}

/// What tells one content of a name from the next: a file that takes its place has another number, one that is written
/// into another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    number: u64,
    size: i64,
    /// Of the content, and of the file.
    changed: [(i64, i64); 2],
}

impl Version {
    #[allow(clippy::unnecessary_cast, clippy::cast_possible_wrap, reason = "the fields differ by system")]
    fn of(stat: &Stat) -> Self {
        let changed = [(stat.st_mtime, stat.st_mtime_nsec), (stat.st_ctime, stat.st_ctime_nsec)];
        Self {
            device: stat.st_dev as u64,
            number: stat.st_ino as u64,
            size: stat.st_size as i64,
            changed: changed.map(|(seconds, nanoseconds)| (seconds as i64, nanoseconds as i64)),
        }
    }

    /// Whether another change after `at` would have had the same time.
    fn is_fresh(&self, at: OffsetDateTime) -> bool {
        self.changed.iter().any(|(seconds, nanoseconds)| {
            let tick = if *nanoseconds == 0 { COARSE_TICK } else { TICK };
            let changed = OffsetDateTime::from_unix_timestamp(*seconds).ok();
            changed.is_none_or(|changed| at - tick < changed + Duration::nanoseconds(*nanoseconds))
        })
    }
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Directory {}

impl Directory {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, opened: Arc::default(), read: Arc::default(), writes: Arc::default() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Absolute path of something inside it; the directory itself for an empty name. For people and other programs:
    /// what the helper itself opens goes through [`Directory::folder`].
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        if inside.is_empty() { self.root.clone() } else { self.root.join(inside) }
    }

    /// Forgets what was read, before each new look of a command that waits.
    pub(crate) fn look_again(&self) {
        self.read().clear();
    }

    /// Forgets the files that are not as they were read, or may not be. Under the lock, because another helper may have
    /// written until then.
    pub(crate) fn keep_unchanged(&self) {
        let is_same = |inside: &str, known: &Known| {
            let Ok(Some((folder, name))) = self.place(inside) else { return false };
            let now = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
            now.is_ok_and(|stat| Version::of(&stat) == known.version) && !known.version.is_fresh(known.at)
        };
        self.read().retain(|inside, known| is_same(inside, known));
    }

    /// The content of a file as it was read before.
    pub(super) fn known(&self, inside: &str) -> Option<Vec<u8>> {
        self.read().get(inside).map(|known| known.bytes.clone())
    }

    /// Keeps the content of a file that was opened at `at`, when it was as `stat` says.
    pub(super) fn learn(&self, inside: &str, bytes: &[u8], stat: &Stat, at: OffsetDateTime) {
        let known = Known { bytes: bytes.to_vec(), version: Version::of(stat), at };
        self.read().insert(inside.to_owned(), known);
    }

    /// Forgets one file, which is written or gone.
    pub(super) fn forget(&self, inside: &str) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.read().remove(inside);
    }

    /// How often this process wrote or removed a file: what was made of the files is as good as before while it is the
    /// same and the lock is held.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    fn read(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory itself, opened for what is in it; links on the way to it are the person's.
    fn opened(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.as_fd());
        }
        let opened = open(&self.root, ENTER, Mode::empty())?;
        Ok(self.opened.get_or_init(|| opened).as_fd())
    }

    /// A folder inside the directory, opened for what is in it; `None` if it is not there. Empty for the directory.
    ///
    /// # Errors
    /// `unexpected-file` when it, or a folder on the way, is a link or no folder, or is outside of the directory; `io`
    /// when it cannot be entered.
    pub(crate) fn folder(&self, inside: &str) -> Result<Option<OwnedFd>, Error> {
        self.walk(&parts(self, inside)?)
    }

    /// The folder of something, opened, and its name there; `None` if there is no such folder, or no name.
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::os::files;

    #[test]
    fn what_was_read_is_kept_only_while_the_file_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
        let exchange = |path: &Path| {
            write(&path.with_extension("new"), "two");
            fs::rename(path.with_extension("new"), path).unwrap();
        };
        let changes: [(&str, &dyn Fn(), bool); 5] = [
            ("nothing", &|| {}, true),
            ("other bytes", &|| write(&path, "two"), false),
            ("the same bytes", &|| write(&path, "one"), false),
            ("another file", &|| exchange(&path), false),
            ("no file", &|| fs::remove_file(&path).unwrap(), false),
        ];
        for (what, change, is_kept) in changes {
            write(&path, "one");
            std::thread::sleep(std::time::Duration::from_millis(50));
            let directory = Directory::new(folder.path().to_path_buf());
            assert_eq!(files::read(&directory, "a").unwrap().unwrap(), b"one");
            change();
            directory.keep_unchanged();
            assert_eq!(directory.known("a").is_some(), is_kept, "{what}");
        }
    }

    #[test]
    fn a_change_within_the_tick_of_the_clock_may_be_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let meta = fs::metadata(&path).unwrap();
        let version = Version::of(&rustix::fs::stat(&path).unwrap());
        let changed =
            OffsetDateTime::from_unix_timestamp(meta.ctime()).unwrap() + Duration::nanoseconds(meta.ctime_nsec());
        assert!(version.is_fresh(changed + Duration::milliseconds(19)));
        assert!(!version.is_fresh(changed + Duration::milliseconds(21)));
        // A clock that was set back, or is another host's.
        assert!(version.is_fresh(changed - Duration::HOUR));
        let coarse = Version { changed: [(meta.ctime(), 0); 2], ..version };
        let whole = OffsetDateTime::from_unix_timestamp(meta.ctime()).unwrap();
        assert!(coarse.is_fresh(whole + Duration::milliseconds(1900)));
        assert!(!coarse.is_fresh(whole + Duration::milliseconds(2100)));
    }
}
