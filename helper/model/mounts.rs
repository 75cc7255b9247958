//! Volumes of a service, in both of Compose's spellings.

use std::path::Path;

use crate::config::yaml::{self, Value};
use crate::os::files::inside;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mounted {
    /// A path of the host: inside the directory relative to it, otherwise as it is written.
    Bind(String),
    /// A named volume.
    Volume(String),
    /// An anonymous volume, a tmpfs, an image: nothing of the host.
    Other,
}

/// What Docker makes a folder of, without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MountSource {
    /// Nothing is there.
    Missing,
    /// A folder without a file, as Docker makes it in place of a missing source.
    EmptyFolder,
}

impl MountSource {
    /// Looks at a path of this host; `None` for what can be mounted.
    pub(crate) fn look(place: &Path) -> Option<Self> {
        match std::fs::metadata(place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Self::Missing),
            Ok(meta) if meta.is_dir() => {
                let is_empty = std::fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
                is_empty.then_some(Self::EmptyFolder)
            }
            Ok(_) | Err(_) => None,
        }
    }
}

/// One entry of `volumes:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) source: Mounted,
    /// Absolute path in the container.
    pub(crate) target: String,
    /// Whether SELinux hosts give it a label.
    pub(crate) is_labelled: bool,
    /// Whether Docker makes a folder in place of a source that is missing, for what the container writes.
    pub(crate) is_made: bool,
}

impl Mount {
    /// Reads an entry; `None` for what is not a mount.
    pub(crate) fn read(entry: &Value, roots: &[String]) -> Option<Self> {
        let mut mount = match entry {
            Value::String(text) => short(text)?,
            map => long(map)?,
        };
        if let Mounted::Bind(path) = &mut mount.source {
            *path = within(path, roots);
        }
        Some(mount)
    }

    /// The path on the host, for a bind mount.
    pub(crate) fn bind(&self) -> Option<&str> {
        match &self.source {
            Mounted::Bind(path) => Some(path),
            Mounted::Volume(_) | Mounted::Other => None,
        }
    }
}

/// The spellings of a directory's path: as it was named, and without symbolic links, as Compose prints it.
pub(super) fn spellings(directory: &Path) -> Vec<String> {
    let mut spelled = vec![directory.to_string_lossy().into_owned()];
    spelled.extend(directory.canonicalize().ok().map(|real| real.to_string_lossy().into_owned()));
    spelled.dedup();
    spelled
}

/// A path inside the directory relative to it; any other as it is.
pub(crate) fn within(path: &str, roots: &[String]) -> String {
    let under = |root: &String| match path.strip_prefix(root.as_str())? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    };
    let relative = roots.iter().find_map(under).unwrap_or(path);
    inside(relative).unwrap_or_else(|| path.to_owned())
}

/// `SOURCE:TARGET[:OPTIONS]`.
pub(super) fn short(text: &str) -> Option<Mount> {
    // A colon inside of `${NAME:-default}` separates nothing.
    let mut depth = 0_i32;
    let mut parts = text.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ':' && depth == 0
    });
    let first = parts.next()?.to_owned();
    let Some(target) = parts.next() else {
        return Some(Mount { source: Mounted::Other, target: first, is_labelled: false, is_made: false });
    };
    let options = parts.next().unwrap_or_default();
    let is_labelled = options.split(',').any(|option| matches!(option, "z" | "Z"));
    let is_made = !options.split(',').any(|option| option == "ro");
    // A bare word is a named volume.
    let is_path = first.starts_with(['.', '/', '~', '$']);
    let source = if is_path { Mounted::Bind(first) } else { Mounted::Volume(first) };
    Some(Mount { source, target: target.trim_end_matches('/').to_owned(), is_labelled, is_made })
}

fn long(map: &Value) -> Option<Mount> {
    let said = |key: &str| yaml::text(map, &[key]);
    let target = said("target")?.trim_end_matches('/').to_owned();
    let source = match (said("type").as_deref(), said("source")) {
        (Some("bind"), Some(path)) => Mounted::Bind(path),
        (Some("volume"), Some(name)) => Mounted::Volume(name),
        _ => Mounted::Other,
    };
    let is_labelled = yaml::text(map, &["bind", "selinux"]).is_some();
    // Compose itself writes a short entry as a long one with this.
    let makes = yaml::text(map, &["bind", "create_host_path"]).is_some_and(|text| text == "true");
    let is_made = makes && said("read_only").is_none_or(|text| text != "true");
    Some(Mount { source, target, is_labelled, is_made })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_read_in_both_spellings() {
        let bind = |path: &str| Mounted::Bind(path.into());
        for (text, source, target, is_labelled, is_made) in [
            ("./data:/data:ro", bind("data"), "/data", false, false),
            ("/d/conf:/etc/x/:ro,z", bind("conf"), "/etc/x", true, false),
            ("/link/data:/data", bind("data"), "/data", false, true),
            ("/linked:/x", bind("/linked"), "/x", false, true),
            ("/elsewhere:/x:z", bind("/elsewhere"), "/x", true, true),
            ("../up:/x", bind("../up"), "/x", false, true),
            ("${D:-./data}:/data", bind("${D:-./data}"), "/data", false, true),
            ("named:/data", Mounted::Volume("named".into()), "/data", false, true),
            ("/only", Mounted::Other, "/only", false, false),
            ("{type: bind, source: /d/a, target: /a, bind: {selinux: z}}", bind("a"), "/a", true, false),
            ("{type: bind, source: /d/a, target: /a, bind: {create_host_path: true}}", bind("a"), "/a", false, true),
            ("{type: volume, source: v, target: /a}", Mounted::Volume("v".into()), "/a", false, false),
            ("{type: tmpfs, target: /a}", Mounted::Other, "/a", false, false),
        ] {
            let value: Value = yaml::from_text(text).unwrap();
            assert_eq!(
                Mount::read(&value, &["/link".into(), "/d".into()]),
                Some(Mount { source, target: target.into(), is_labelled, is_made }),
                "{text}"
            );
        }
    }
    #[test]
    fn a_directory_behind_a_link_has_two_spellings() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().canonicalize().unwrap();
        let (real, link) = (parent.join("real"), parent.join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        assert_eq!(spellings(&link), [shown(&link), shown(&real)]);
        assert_eq!(spellings(&real), [shown(&real)]);
        assert_eq!(within(&shown(&real.join("data")), &spellings(&link)), "data");
    }
}
