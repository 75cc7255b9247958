//! Files that are written whole: complete and on disk under a temporary name before they appear under their own.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchown, fstat, linkat, openat, renameat, unlinkat};
use rustix::io::Errno;
use time::OffsetDateTime;

use super::directory::Directory;
use super::files::{self, Meta};
use super::{litter, settle};
use crate::answer::Error;

/// Files that belong together: all of them are complete on disk before the first one appears under its name.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    directory: &'a Directory,
    prepared: Vec<Temporary>,
}

/// A file that waits under a temporary name, and is removed unless it gets its own.
#[derive(Debug)]
struct Temporary {
    directory: Directory,
    /// The path inside the directory that it is for.
    inside: String,
    /// Its name now, in the same folder.
    name: OsString,
    /// Locked, so that nothing takes it for what a killed helper left. Closed before the file is removed: where there
    /// are no more descriptors, its own is needed for that.
    file: Option<File>,
    replaces: bool,
    is_kept: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(directory: &'a Directory) -> Self {
        Self { directory, prepared: Vec::new() }
    }

    /// Adds a file that must not be there yet. What appears meanwhile is kept.
    ///
    /// # Errors
    /// `io` when it cannot be written.
    pub(crate) fn create(&mut self, inside: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        files::metadata(self.directory, inside)?;
        self.prepared.push(Temporary::new(self.directory, inside, false)?.filled(bytes, mode, None)?);
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
        let old = files::metadata(self.directory, inside)?;
        if old.is_some_and(|meta| !meta.is_file()) {
            let path = self.directory.path(inside);
            return Err(Error::Unexpected { act: "replace", path, what: "it is not a regular file".into() });
        }
        let mode = mode.unwrap_or_else(|| old.map_or(default_mode, |meta| meta.mode() & 0o777));
        self.prepared.push(Temporary::new(self.directory, inside, true)?.filled(bytes, mode, old)?);
        Ok(())
    }

    /// Lets the files appear, in the order in which they were added.
    ///
    /// # Errors
    /// `io` when one cannot be completed (then none appears) or renamed.
    pub(crate) fn commit(self) -> Result<(), Error> {
        // After all of them were written: a journal that commits the first takes the others along. With their modes.
        for file in &self.prepared {
            file.open()?.sync_all().map_err(|e| Error::io("write", &file.path(), e))?;
        }
        self.prepared.into_iter().try_for_each(Temporary::appear)
    }
}

impl Temporary {
    /// An empty file that only its owner can read.
    fn new(directory: &Directory, inside: &str, replaces: bool) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::io("create", &directory.path(inside), e);
        let place = directory.place(inside)?;
        let (folder, own) = place.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..100 {
            let name = litter::name_for(own, &random().map_err(failed)?);
            let file = match openat(&folder, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(failed(error.into())),
            };
            let _ = file.try_lock();
            let directory = directory.clone();
            // Unless another helper swept it away before it was locked.
            let is_there = fstat(&file).is_ok_and(|found| found.st_nlink > 0);
            let inside = inside.to_owned();
            let made = Self { directory, inside, name, file: Some(file), replaces, is_kept: false };
            if is_there {
                return Ok(made);
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    fn open(&self) -> Result<&File, Error> {
        let closed = || Error::io("write", &self.path(), io::ErrorKind::NotFound.into());
        self.file.as_ref().ok_or_else(closed)
    }

    fn filled(self, bytes: &[u8], mode: u32, old: Option<Meta>) -> Result<Self, Error> {
        let path = self.path();
        let mut file = self.open()?;
        file.write_all(bytes).map_err(|e| Error::io("write", &path, e))?;
        if let Some(old) = old {
            let uid = (old.uid() != rustix::process::geteuid().as_raw()).then(|| Uid::from_raw(old.uid()));
            let gid = (old.gid() != rustix::process::getegid().as_raw()).then(|| Gid::from_raw(old.gid()));
            if uid.is_some() || gid.is_some() {
                // Only root may give a file away; for anyone else the new one is theirs.
                let _ = fchown(file, uid, gid);
            }
        }
        if mode != 0o600 {
            let set = file.set_permissions(Permissions::from_mode(mode));
            set.map_err(|e| Error::io("open up", &path, e))?;
        }
        begin_writing(file);
        Ok(self)
    }

    fn path(&self) -> PathBuf {
        self.directory.path(&self.inside)
    }

    fn appear(mut self) -> Result<(), Error> {
        self.directory.forget(&self.inside);
        let act = if self.replaces { "replace" } else { "create" };
        let failed = |path: &Path, e: io::Error| Error::io(act, path, e);
        let path = self.path();
        let Some((folder, own)) = self.directory.place(&self.inside)? else {
            return Err(failed(&path, io::ErrorKind::NotFound.into()));
        };
        let renamed = if self.replaces {
            renameat(&folder, &self.name, &folder, own)
        } else {
            rename_to_new(&folder, &self.name, own)
        };
        renamed.map_err(|error| failed(&path, error.into()))?;
        settle::changed_above(&self.directory, &self.inside);
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(self.file.take());
        if !self.is_kept
            && let Ok(Some((folder, _))) = self.directory.place(&self.inside)
        {
            // One that stays is swept away by the next run.
            let _ = unlinkat(&folder, &self.name, AtFlags::empty());
        }
    }
}

/// Starts what the sync in [`Batch::commit`] waits for. ext4 gives a file its blocks as late as it can: then every sync
/// of a batch finds blocks of its own to note, and its journal commits once a file. Given out before, they are all in the
/// first commit (7 commits for the files of `init`, 3 with this; Linux 6.18).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn begin_writing(file: &File) {
    // "Not needed" writes out what is dirty, without waiting; a file system that cannot waits in the sync.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn begin_writing(_: &File) {}

/// Six letters and digits.
fn random() -> io::Result<String> {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut bytes = [0; 6];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect())
}

/// A rename that replaces nothing.
fn rename_to_new(folder: &OwnedFd, from: &OsString, to: &std::ffi::OsStr) -> Result<(), Errno> {
    #[cfg(any(target_vendor = "apple", target_os = "linux", target_os = "android"))]
    match rustix::fs::renameat_with(folder, from, folder, to, rustix::fs::RenameFlags::NOREPLACE) {
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        done => return done,
    }
    linkat(folder, from, folder, to, AtFlags::empty())?;
    unlinkat(folder, from, AtFlags::empty())
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

/// Copies a file to `NAME.bak-TIME` in the same folder, and returns that name.
///
/// # Errors
/// `io` when that cannot be written; the file itself is untouched then.
pub(crate) fn keep_aside(directory: &Directory, inside: &str, now: OffsetDateTime) -> Result<String, Error> {
    let stamp = now
        .format(time::macros::format_description!("[year][month][day]T[hour][minute][second]Z"))
        .map_err(|e| Error::Internal(e.to_string()))?;
    let path = directory.path(inside);
    let Some((folder, own)) = directory.place(inside)? else {
        return Err(Error::io("keep aside", &path, io::ErrorKind::NotFound.into()));
    };
    for attempt in 0..100 {
        let tail = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let end = format!(".bak-{stamp}{tail}");
        let name = format!("{inside}{end}");
        let mut copy = own.to_owned();
        copy.push(end);
        // A second name for the same file: the first is then replaced by rename, so no moment has neither.
        match linkat(&folder, own, &folder, &copy, AtFlags::empty()) {
            Ok(()) => {
                settle::changed_above(directory, inside);
                return Ok(name);
            }
            Err(Errno::EXIST) => {}
            // A file system without links.
            Err(_) => {
                let bytes = files::read(directory, inside)?.unwrap_or_default();
                let mode = files::metadata(directory, inside)?.map_or(0o600, |meta| meta.mode() & 0o777);
                create(directory, &name, &bytes, mode)?;
                return Ok(name);
            }
        }
    }
    Err(Error::Internal(format!("a hundred backups of `{}` in one second", path.display())))
}
