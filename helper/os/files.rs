//! Reading, listing and renaming inside the directory: no symbolic link is followed by what writes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::directory::Directory;
use super::settle;
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
        let meta =
            if inside.is_empty() { directory_itself(directory) } else { metadata(directory, inside).ok().flatten() };
        Self::planned(directory, inside, action, meta.map_or(0, |meta| meta.mode() & 0o7777))
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

/// What the system says of a file or a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta(Stat);

impl Meta {
    pub(crate) fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.kind() == FileType::Directory
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.0.st_mode)
    }

    /// Permission bits, and those above them.
    #[allow(clippy::unnecessary_cast, reason = "16 bits on a Mac")]
    pub(crate) fn mode(&self) -> u32 {
        Mode::from_raw_mode(self.0.st_mode).bits() as u32
    }

    /// Number of the user to whom it belongs.
    pub(crate) fn uid(&self) -> u32 {
        self.0.st_uid
    }

    /// Number of the group.
    pub(crate) fn gid(&self) -> u32 {
        self.0.st_gid
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.0.st_size).unwrap_or_default()
    }

    /// When its content was written.
    pub(crate) fn modified(&self) -> Option<OffsetDateTime> {
        let nanoseconds = time::Duration::nanoseconds(self.0.st_mtime_nsec as i64);
        OffsetDateTime::from_unix_timestamp(self.0.st_mtime).ok()?.checked_add(nanoseconds)
    }
}

/// Metadata of the directory itself, `None` if it is not there.
pub(crate) fn directory_itself(directory: &Directory) -> Option<Meta> {
    fstat(directory.folder("").ok()??).ok().map(Meta)
}

/// Metadata of something inside the directory, `None` if it is not there.
///
/// # Errors
/// `unexpected-file` when it, or a folder on the way to it, is a symbolic link, or such a folder is not a folder; `io` when it
/// cannot be looked at.
pub(crate) fn metadata(directory: &Directory, inside: &str) -> Result<Option<Meta>, Error> {
    let Some((folder, name)) = directory.place(inside)? else { return Ok(None) };
    meta_at(directory, inside, &folder, name)
}

fn meta_at(directory: &Directory, inside: &str, folder: &OwnedFd, name: &OsStr) -> Result<Option<Meta>, Error> {
    let path = || directory.path(inside);
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(Meta) {
        Ok(meta) if meta.kind() == FileType::Symlink => {
            Err(Error::Unexpected { act: "follow", path: path(), what: "it is a symbolic link".into() })
        }
        Ok(meta) => Ok(Some(meta)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(Error::io("look at", &path(), error.into())),
    }
}

/// Where a link inside the directory leads, if that is inside the directory, too. Only readers follow it: what is
/// written by rename would take the place of the link.
fn followed(directory: &Directory, inside: &str) -> Option<String> {
    if !Path::new(inside).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let root = directory.root().canonicalize().ok()?;
    let real = directory.path(inside).canonicalize().ok()?;
    real.strip_prefix(&root).ok()?.to_str().map(str::to_owned)
}

/// The whole of a file inside the directory, `None` if it is not there. A link that stays inside is followed.
///
/// # Errors
/// `unexpected-file` for a symbolic link, a directory, a device, a pipe or a file beyond 4 MiB; `io` otherwise.
pub(crate) fn read(directory: &Directory, inside: &str) -> Result<Option<Vec<u8>>, Error> {
    let error = match read_plain(directory, inside) {
        Err(error @ Error::Unexpected { act: "follow", .. }) => error,
        done => return done,
    };
    // From the directory again, one name at a time: what the link leads to may be exchanged for another link.
    let real = followed(directory, inside).ok_or(error)?;
    read_plain(directory, &real)
}

fn read_plain(directory: &Directory, inside: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = directory.path(inside);
    let Some((folder, name)) = directory.place(inside)? else { return Ok(None) };
    // Before it is opened: opening a device may do something.
    let Some(meta) = meta_at(directory, inside, &folder, name)? else { return Ok(None) };
    require_readable(meta, &path)?;
    if let Some(bytes) = directory.known(inside) {
        return Ok(Some(bytes));
    }
    let at = OffsetDateTime::now_utc();
    // Non-blocking, so that a pipe planted meanwhile cannot hang the helper.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(&folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(Error::io("read", &path, error.into())),
    };
    let failed = |e: io::Error| Error::io("read", &path, e);
    let meta = fstat(&file).map(Meta).map_err(|e| failed(e.into()))?;
    require_readable(meta, &path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    File::from(file).take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    directory.learn(inside, &bytes, &meta.0, at);
    Ok(Some(bytes))
}

fn require_readable(meta: Meta, path: &Path) -> Result<(), Error> {
    let what = match meta.kind() {
        FileType::RegularFile if meta.len() <= LIMIT => return Ok(()),
        FileType::RegularFile => "it is larger than 4 MiB, so it cannot be what its name says",
        FileType::Directory => "it is a directory; Docker makes one when a mounted file is missing at the start",
        _ => "it is not a regular file",
    };
    Err(Error::Unexpected { act: "read", path: path.to_path_buf(), what: what.into() })
}

/// So many names in a folder inside the directory, in no order; those of a folder that is not there: none.
///
/// # Errors
/// As [`Directory::folder`], and `io` when it cannot be listed.
pub(crate) fn names(directory: &Directory, inside: &str, most: usize) -> Result<Vec<String>, Error> {
    let failed = |error: Errno| Error::io("list", &directory.path(inside), error.into());
    let Some(folder) = directory.folder(inside)? else { return Ok(Vec::new()) };
    let entries = Dir::new(readable(&folder).map_err(failed)?).map_err(failed)?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if names.len() == most {
            break;
        }
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// A folder opened for its names and its mode.
fn readable(folder: &OwnedFd) -> Result<OwnedFd, Errno> {
    openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
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

/// Makes a folder in one that is there; one that is there keeps its mode.
///
/// # Errors
/// `unexpected-file` when the path is not a folder, `io` when it cannot be created.
pub(crate) fn make_dir(directory: &Directory, inside: &str, mode: u32) -> Result<Action, Error> {
    let path = directory.path(inside);
    let failed = |act, error: Errno| Error::io(act, &path, error.into());
    let existing = if inside.is_empty() { directory_itself(directory) } else { metadata(directory, inside)? };
    match existing {
        Some(meta) if meta.is_dir() => {
            let ours = meta.uid() == rustix::process::geteuid().as_raw();
            let is_begun = match inside {
                // Made for this, with the umask's mode: the keys will be in it.
                "" => meta.mode() & 0o077 & !mode != 0,
                // A run that was killed between the two calls below.
                _ => meta.mode() & 0o777 == 0o700 && mode != 0o700,
            };
            if ours && is_begun && names(directory, inside, 1).is_ok_and(|names| names.is_empty()) {
                set_mode(directory, inside, mode)?;
            }
            return Ok(Action::Unchanged);
        }
        Some(_) => return Err(Error::Unexpected { act: "write into", path, what: "it is not a directory".into() }),
        None => {}
    }
    let made = if inside.is_empty() {
        let above = path.parent().unwrap_or(Path::new("/"));
        settle::make_above(above).map_err(|e| Error::io("create", above, e))?;
        settle::changed(&Directory::new(above.to_path_buf()), "");
        rustix::fs::mkdir(&path, Mode::RWXU)
    } else {
        let Some((folder, name)) = directory.place(inside)? else { return Err(failed("create", Errno::NOENT)) };
        settle::changed_above(directory, inside);
        mkdirat(&folder, name, Mode::RWXU)
    };
    match made {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(Action::Unchanged),
        Err(error) => return Err(failed("create", error)),
    }
    if mode != 0o700 {
        // The umask must not take from the containers what they have to enter.
        set_mode(directory, inside, mode)?;
    }
    Ok(Action::Created)
}

/// Sets the mode of a folder.
fn set_mode(directory: &Directory, inside: &str, mode: u32) -> Result<(), Error> {
    let failed = |error: Errno| Error::io("set the mode of", &directory.path(inside), error.into());
    let Some(folder) = directory.folder(inside)? else { return Err(failed(Errno::NOENT)) };
    let folder = readable(&folder).map_err(failed)?;
    settle::changed(directory, inside);
    fchmod(&folder, Mode::from_raw_mode(mode as _)).map_err(failed)
}

/// Renames a file; what has the new name is replaced.
///
/// # Errors
/// `io` when it cannot be renamed.
pub(crate) fn rename(directory: &Directory, from: &str, to: &str) -> Result<(), Error> {
    let failed = |error: Errno| Error::io("rename", &directory.path(from), error.into());
    let (Some((old, from_name)), Some((new, to_name))) = (directory.place(from)?, directory.place(to)?) else {
        return Err(failed(Errno::NOENT));
    };
    directory.forget(from);
    directory.forget(to);
    renameat(&old, from_name, &new, to_name).map_err(failed)?;
    settle::changed_above(directory, from);
    settle::changed_above(directory, to);
    Ok(())
}

/// Removes a file.
///
/// # Errors
/// `io` when it cannot be removed.
pub(crate) fn remove(directory: &Directory, inside: &str) -> Result<(), Error> {
    let failed = |error: Errno| Error::io("remove", &directory.path(inside), error.into());
    let Some((folder, name)) = directory.place(inside)? else { return Err(failed(Errno::NOENT)) };
    directory.forget(inside);
    unlinkat(&folder, name, AtFlags::empty()).map_err(failed)?;
    settle::changed_above(directory, inside);
    Ok(())
}
