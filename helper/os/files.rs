//! Reading and writing inside the directory: no symbolic link is followed, a file appears whole or not at all.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::directory::Directory;
use crate::answer::Error;

/// Largest file that the helper takes for one of its kind, in bytes.
const LIMIT: u64 = 4 << 20;

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// It was not there.
    Created,
    /// It was there and has new content.
    Updated,
    /// It already was as it should be.
    Unchanged,
    /// It is not as the helper would write it, and was left alone.
    Kept,
}

/// One file of an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FileEntry {
    /// Absolute path.
    pub(crate) path: String,
    /// What happened to it.
    pub(crate) action: Action,
    /// Its mode now, four octal digits.
    pub(crate) mode: String,
}

impl FileEntry {
    /// An entry for something inside the directory, with the mode that it has on disk now.
    pub(crate) fn of(directory: &Directory, inside: &str, action: Action) -> Self {
        let path = directory.path(inside);
        let mode = fs::symlink_metadata(&path).map_or(0, |meta| meta.mode() & 0o7777);
        Self { path: path.to_string_lossy().into_owned(), action, mode: format!("{mode:04o}") }
    }

    /// An entry for a file that a dry run would write with `mode`.
    pub(crate) fn planned(directory: &Directory, inside: &str, action: Action, mode: u32) -> Self {
        Self { path: directory.path(inside).to_string_lossy().into_owned(), action, mode: format!("{mode:04o}") }
    }
}

/// A path of a compose file as a path inside the directory; `None` for one that leaves it anywhere, or depends on a
/// variable.
pub(crate) fn inside(source: &str) -> Option<String> {
    let mut path = PathBuf::new();
    for part in Path::new(source).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => path.push(part),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!source.contains('$') && !source.starts_with('~')).then(|| path.to_string_lossy().into_owned())
}

/// Metadata of something inside the directory, `None` if it is not there.
///
/// # Errors
/// `unexpected-file` when it, or a folder on the way to it, is a symbolic link; `io` when it cannot be looked at.
pub(crate) fn metadata(directory: &Directory, inside: &str) -> Result<Option<Metadata>, Error> {
    let mut at = directory.root().to_path_buf();
    let mut found = None;
    for part in Path::new(inside).components() {
        // The one place through which every reader and every writer comes.
        if !matches!(part, Component::Normal(_) | Component::CurDir) {
            let what = "it is outside of the deployment directory".into();
            return Err(Error::Unexpected { act: "look at", path: directory.root().join(inside), what });
        }
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_symlink() => {
                return Err(Error::Unexpected { act: "follow", path: at, what: "it is a symbolic link".into() });
            }
            Ok(meta) => found = Some(meta),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(Error::io("look at", &at, e)),
        }
    }
    Ok(found)
}

/// Where a link inside the directory leads, if that is inside the directory, too. Only readers follow it: what is
/// written by rename would take the place of the link.
fn followed(directory: &Directory, inside: &str) -> Option<PathBuf> {
    if !Path::new(inside).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let root = directory.root().canonicalize().ok()?;
    directory.path(inside).canonicalize().ok().filter(|real| real.starts_with(&root))
}

/// The whole of a file inside the directory, `None` if it is not there. A link that stays inside is followed.
///
/// # Errors
/// `unexpected-file` for a symbolic link, a directory, a device, a pipe or a file beyond 4 MiB; `io` otherwise.
pub(crate) fn read(directory: &Directory, inside: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = match metadata(directory, inside) {
        Ok(Some(_)) => directory.path(inside),
        Ok(None) => return Ok(None),
        Err(error) => followed(directory, inside).ok_or(error)?,
    };
    // Non-blocking, so that a pipe planted in the directory cannot hang the helper.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(&path);
    let file = match file {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", &path, e)),
    };
    let meta = file.metadata().map_err(|e| Error::io("read", &path, e))?;
    let unexpected = |what: &str| Error::Unexpected { act: "read", path: path.clone(), what: what.into() };
    if meta.is_dir() {
        return Err(unexpected("it is a directory; Docker makes one when a mounted file is missing at the start"));
    }
    if !meta.is_file() {
        return Err(unexpected("it is not a regular file"));
    }
    if meta.len() > LIMIT {
        return Err(unexpected("it is larger than 4 MiB, so it cannot be what its name says"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.take(LIMIT).read_to_end(&mut bytes).map_err(|e| Error::io("read", &path, e))?;
    Ok(Some(bytes))
}

/// Like [`read`], as text; invalid UTF-8 is an error that names the file.
///
/// # Errors
/// As [`read`], and `unexpected-file` for what is not UTF-8.
pub(crate) fn read_text(directory: &Directory, inside: &str) -> Result<Option<String>, Error> {
    let Some(bytes) = read(directory, inside)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|e| Error::Unexpected {
        act: "read",
        path: directory.path(inside),
        what: format!("it is not UTF-8 text (byte {})", e.utf8_error().valid_up_to()),
    })
}

/// Makes a folder, and its parents with the same mode; one that is there keeps its own.
///
/// # Errors
/// `unexpected-file` when the path is not a folder, `io` when it cannot be created.
pub(crate) fn make_dir(directory: &Directory, inside: &str, mode: u32) -> Result<Action, Error> {
    let path = directory.path(inside);
    let existing = if inside.is_empty() { fs::metadata(&path).ok() } else { metadata(directory, inside)? };
    match existing {
        Some(meta) if meta.is_dir() => {
            let ours = meta.uid() == rustix::process::geteuid().as_raw();
            if inside.is_empty() && ours && meta.mode() & 0o077 & !mode != 0 && is_empty(&path) {
                // Made for this, with the umask's mode: the keys will lie in it.
                fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|e| Error::io("close", &path, e))?;
            }
            if !inside.is_empty() && ours && meta.mode() & 0o777 == 0o700 && mode != 0o700 && is_empty(&path) {
                // A run that was killed between the two calls below.
                fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|e| Error::io("open up", &path, e))?;
            }
            return Ok(Action::Unchanged);
        }
        Some(_) => {
            return Err(Error::Unexpected { act: "write into", path, what: "it is not a directory".into() });
        }
        None => {}
    }
    if inside.is_empty()
        && let Some(parent) = path.parent()
    {
        // Folders above the directory are the person's: made as `mkdir -p` would.
        fs::create_dir_all(parent).map_err(|e| Error::io("create", parent, e))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(Action::Unchanged),
        Err(e) => return Err(Error::io("create", &path, e)),
    }
    if mode != 0o700 {
        // The umask must not take from the containers what they have to enter.
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|e| Error::io("open up", &path, e))?;
    }
    Ok(Action::Created)
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// A file that is complete under a temporary name, with its final mode.
fn prepare(path: &Path, bytes: &[u8], mode: u32, owner: Option<&Metadata>) -> Result<tempfile::NamedTempFile, Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut temporary = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(|e| Error::io("create", path, e.error_without_path()))?;
    temporary.write_all(bytes).map_err(|e| Error::io("write", path, e))?;
    let file = temporary.as_file();
    if let Some(old) = owner {
        let uid = (old.uid() != rustix::process::geteuid().as_raw()).then(|| rustix::fs::Uid::from_raw(old.uid()));
        let gid = (old.gid() != rustix::process::getegid().as_raw()).then(|| rustix::fs::Gid::from_raw(old.gid()));
        if uid.is_some() || gid.is_some() {
            // Only root may give a file away; for anyone else the new one is theirs.
            let _ = rustix::fs::fchown(file, uid, gid);
        }
    }
    if mode != 0o600 {
        file.set_permissions(Permissions::from_mode(mode)).map_err(|e| Error::io("open up", path, e))?;
    }
    Ok(temporary)
}

trait WithoutPath {
    /// tempfile wraps errors with the temporary name, which means nothing to a person.
    fn error_without_path(self) -> io::Error;
}

impl WithoutPath for io::Error {
    fn error_without_path(self) -> io::Error {
        let inner = self.get_ref().and_then(|wrapper| wrapper.source()?.downcast_ref::<io::Error>()?.raw_os_error());
        inner.map_or_else(|| io::Error::from(self.kind()), io::Error::from_raw_os_error)
    }
}

/// Files that belong together: all of them are complete on disk before the first one appears under its name.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    directory: &'a Directory,
    prepared: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    path: PathBuf,
    temporary: tempfile::NamedTempFile,
    replaces: bool,
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub(crate) fn new(directory: &'a Directory) -> Self {
        Self { directory, prepared: Vec::new() }
    }

    /// Adds a file that must not be there yet. What appears meanwhile is kept.
    ///
    /// # Errors
    /// `io` when it cannot be written.
    pub(crate) fn create(&mut self, inside: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let path = self.directory.path(inside);
        metadata(self.directory, inside)?;
        let temporary = prepare(&path, bytes, mode, None)?;
        self.prepared.push(Prepared { path, temporary, replaces: false });
        Ok(())
    }

    /// Adds a file that replaces what is there by rename. Owner and group stay as they were, and the mode unless `mode`
    /// is given.
    ///
    /// # Errors
    /// `unexpected-file` for what is not a regular file, `io` when it cannot be written.
    pub(crate) fn replace(
        &mut self,
        inside: &str,
        bytes: &[u8],
        mode: Option<u32>,
        default_mode: u32,
    ) -> Result<(), Error> {
        let path = self.directory.path(inside);
        let old = metadata(self.directory, inside)?;
        if let Some(meta) = &old
            && !meta.is_file()
        {
            return Err(Error::Unexpected { act: "replace", path, what: "it is not a regular file".into() });
        }
        let kept = old.as_ref().map_or(default_mode, |meta| meta.mode() & 0o777);
        let temporary = prepare(&path, bytes, mode.unwrap_or(kept), old.as_ref())?;
        self.prepared.push(Prepared { path, temporary, replaces: true });
        Ok(())
    }

    /// Lets the files appear, in the order in which they were added.
    ///
    /// # Errors
    /// `io` when one cannot be completed (then none appears) or renamed.
    pub(crate) fn commit(self) -> Result<(), Error> {
        // After all of them were written: a journal that commits the first takes the others along.
        for file in &self.prepared {
            file.temporary.as_file().sync_data().map_err(|e| Error::io("write", &file.path, e))?;
        }
        for Prepared { path, temporary, replaces } in self.prepared {
            if replaces {
                temporary.persist(&path).map_err(|e| Error::io("replace", &path, e.error))?;
            } else {
                temporary.persist_noclobber(&path).map_err(|e| Error::io("create", &path, e.error))?;
            }
        }
        Ok(())
    }
}

/// A batch of one: [`Batch::create`].
///
/// # Errors
/// As [`Batch::create`] and [`Batch::commit`].
pub(crate) fn create(directory: &Directory, inside: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let mut batch = Batch::new(directory);
    batch.create(inside, bytes, mode)?;
    batch.commit()
}

/// A batch of one: [`Batch::replace`].
///
/// # Errors
/// As [`Batch::replace`] and [`Batch::commit`].
pub(crate) fn replace(
    directory: &Directory,
    inside: &str,
    bytes: &[u8],
    mode: Option<u32>,
    default_mode: u32,
) -> Result<(), Error> {
    let mut batch = Batch::new(directory);
    batch.replace(inside, bytes, mode, default_mode)?;
    batch.commit()
}

/// Keeps the present content of a file beside it as `NAME.bak-TIME`, and says under which name inside the directory.
///
/// # Errors
/// `io` when that cannot be written; the file itself is untouched then.
pub(crate) fn keep_aside(directory: &Directory, inside: &str, now: OffsetDateTime) -> Result<String, Error> {
    let stamp = now
        .format(time::macros::format_description!("[year][month][day]T[hour][minute][second]Z"))
        .map_err(|e| Error::Internal(e.to_string()))?;
    let path = directory.path(inside);
    for attempt in 0..100 {
        let tail = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let name = format!("{inside}.bak-{stamp}{tail}");
        // A second name for the same file: the first is then replaced by rename, so no moment has neither.
        match fs::hard_link(&path, directory.path(&name)) {
            Ok(()) => return Ok(name),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without links.
            Err(_) => {
                let bytes = read(directory, inside)?.unwrap_or_default();
                let mode = metadata(directory, inside)?.map_or(0o600, |meta| meta.mode() & 0o777);
                create(directory, &name, &bytes, mode)?;
                return Ok(name);
            }
        }
    }
    Err(Error::Internal(format!("a hundred backups of `{}` in one second", path.display())))
}

/// Makes sure that new names survive a power cut. Once a folder, after everything in it was written.
pub(crate) fn sync_dir(directory: &Directory, inside: &str) {
    // A file system that cannot sync folders keeps its own promises; the files are complete either way.
    let _ = File::open(directory.path(inside)).and_then(|dir| dir.sync_all());
}
