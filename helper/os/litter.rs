//! Files under temporary names that a killed helper left: they may hold a key, and no program reads them again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use super::directory::Directory;
use super::{files, settle};

/// Names in a folder that are looked at.
const MOST: usize = 10_000;

/// A temporary name for a file, in the same folder.
pub(super) fn name_for(own: &OsStr, random: &str) -> OsString {
    let mut name = OsString::from(".");
    name.push(own);
    name.push(format!(".{random}.tmp"));
    name
}

pub(crate) fn is_temporary(name: &str) -> bool {
    of(name).is_some()
}

/// Removes them from one folder of the directory, but for those that another helper is writing: it has them locked.
pub(crate) fn sweep(directory: &Directory, folder: &str, is_ours: impl Fn(&str) -> bool) {
    let Ok(Some(at)) = directory.folder(folder) else { return };
    for name in files::names(directory, folder, MOST).unwrap_or_default() {
        let inside = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_own = || {
            let meta = files::metadata(directory, &inside).ok().flatten();
            meta.is_some_and(|meta| meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw())
        };
        if !of(&name).is_some_and(&is_ours) || !is_own() {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(&at, &name, flags, Mode::empty()).map(File::from) else { continue };
        if file.try_lock().is_ok() {
            // One that cannot be removed is tried again by the next run.
            let _ = unlinkat(&at, &name, AtFlags::empty());
            settle::changed(directory, folder);
        }
    }
}

/// The name of the file that a temporary one, `.NAME.XXXXXX.tmp`, was to become.
fn of(temporary: &str) -> Option<&str> {
    let (name, random) = temporary.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let is_random = random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric());
    // A copy that was kept aside is named after the file that it is of.
    (is_random && Path::new(name).file_name().is_some_and(|last| last == name))
        .then(|| name.split(".bak-").next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_form_are_temporary() {
        for (name, expected) in [
            (".ca.key.aB3dE9.tmp", Some("ca.key")),
            ("..env.aB3dE9.tmp", Some(".env")),
            (".docker-compose.yaml.bak-20261126T070000Z.aB3dE9.tmp", Some("docker-compose.yaml")),
            ("ca.key.aB3dE9.tmp", None),
            (".ca.key.tmp", None),
            (".ca.key.aB3dE.tmp", None),
            (".ca.key.aB3dE9", None),
            (".ca.key.aB3d-9.tmp", None),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }

    #[test]
    fn nothing_else_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().to_path_buf());
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("data")).unwrap();
        std::fs::create_dir(path("data/.tls.key.aaaaaa.tmp")).unwrap();
        for name in ["data/.ca.key.aB3dE9.tmp", "data/.mine.aB3dE9.tmp", "data/ca.key", ".ca.key.aB3dE9.tmp"] {
            std::fs::write(path(name), "x").unwrap();
        }
        std::fs::write(elsewhere.path().join(".ca.key.aB3dE9.tmp"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), path("config")).unwrap();
        let ours = |name: &str| ["ca.key", "tls.key"].contains(&name);
        sweep(&directory, "data", ours);
        sweep(&directory, "config", ours);
        sweep(&directory, "missing", ours);
        assert!(!path("data/.ca.key.aB3dE9.tmp").exists());
        for name in ["data/.tls.key.aaaaaa.tmp", "data/.mine.aB3dE9.tmp", "data/ca.key", ".ca.key.aB3dE9.tmp"] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(elsewhere.path().join(".ca.key.aB3dE9.tmp").exists());
    }
}
