//! Whether a path of a compose file leaves the deployment directory.

use std::path::{Component, Path, PathBuf};

use crate::list::list;
use crate::model::paths::is_remote;

/// Places of every host that hold no secret and that containers are commonly shown.
const HARMLESS: [&str; 7] = list(
    "/etc/localtime /etc/pki/ca-trust /etc/ssl/certs /etc/timezone /usr/local/share/ca-certificates \
     /usr/share/ca-certificates /usr/share/zoneinfo",
);

/// Whether a path leads out of the directory, by its words or by a link on its way. One that depends on a variable does.
pub(super) fn is_outside(path: &str, root: &Path) -> bool {
    // The directory's own name may contain a dollar sign; Compose has put it in front of what its model shows.
    let said = path.strip_prefix(&*root.to_string_lossy()).unwrap_or(path);
    if path.starts_with('~') || said.contains('$') || is_remote(path) {
        return true;
    }
    let Ok(real_root) = root.canonicalize() else { return true };
    let mut at = root.join(path);
    let mut missing = Vec::new();
    loop {
        match at.canonicalize() {
            Ok(real) => return !within(&real, missing.iter().rev(), &real_root),
            // A link to a path that does not exist yet leads to that path.
            Err(_) if at.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) => return true,
            Err(_) => {}
        }
        match at.components().next_back() {
            Some(last @ (Component::Normal(_) | Component::ParentDir)) => missing.push(last.as_os_str().to_owned()),
            Some(_) | None => return true,
        }
        at.pop();
    }
}

fn within<'a>(real: &Path, rest: impl Iterator<Item = &'a std::ffi::OsString>, root: &Path) -> bool {
    let mut whole: PathBuf = real.to_path_buf();
    for part in rest {
        if part == ".." {
            whole.pop();
        } else {
            whole.push(part);
        }
    }
    whole.starts_with(root)
}

/// Whether a mount that cannot be written shows nothing but what every container may see.
pub(super) fn is_harmless(path: &str) -> bool {
    let parts = || Path::new(path).components();
    !parts().any(|part| part == Component::ParentDir) && HARMLESS.iter().any(|place| Path::new(path).starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leaves_the_directory_by_its_words_or_by_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("d of $HOME & co");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::os::unix::fs::symlink("/", root.join("way-out")).unwrap();
        std::os::unix::fs::symlink("../not-there", root.join("dangling")).unwrap();
        std::os::unix::fs::symlink("sub", root.join("inner")).unwrap();
        let absolute = root.join("sub").to_string_lossy().into_owned();
        for (path, expected) in [
            (".", false),
            ("./sub", false),
            ("sub/../sub/deep", false),
            ("./not/there/yet", false),
            ("inner/deep", false),
            (absolute.as_str(), false),
            ("..", true),
            ("sub/../..", true),
            ("not/../../there", true),
            ("way-out", true),
            ("way-out/etc/new", true),
            ("dangling", true),
            ("/", true),
            ("/var/run/docker.sock", true),
            ("~/.ssh", true),
            ("${HOME}/x", true),
            ("https://github.com/a/b.git", true),
            ("git@github.com:a/b", true),
            ("github.com/a/b", true),
        ] {
            assert_eq!(is_outside(path, &root), expected, "{path}");
        }
    }

    #[test]
    fn the_hosts_clock_and_trust_are_harmless() {
        assert!(is_harmless("/etc/localtime") && is_harmless("/etc/ssl/certs/ca.pem"));
        assert!(!is_harmless("/etc/ssl/certs/../private") && !is_harmless("/etc") && !is_harmless("/etc/ssl/certs2"));
    }
}
