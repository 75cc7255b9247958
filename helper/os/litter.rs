//! Files under temporary names that a killed helper left: they may hold a key, and no program reads them again.

use std::path::Path;

use super::directory::Directory;
use super::files;

/// Removes them from one folder of the directory. Only while the directory is locked: then no other helper writes one.
pub(crate) fn sweep(directory: &Directory, folder: &str, is_ours: impl Fn(&str) -> bool) {
    // A link in the folder's place is not followed.
    if !folder.is_empty() && !files::metadata(directory, folder).is_ok_and(|meta| meta.is_some_and(|m| m.is_dir())) {
        return;
    }
    for entry in std::fs::read_dir(directory.path(folder)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().and_then(of).is_some_and(&is_ours);
        if is_temporary && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // One that cannot be removed is tried again by the next run.
            let _ = std::fs::remove_file(entry.path());
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
