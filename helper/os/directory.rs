//! A directory by its absolute path, and the paths inside it.

use std::path::{Path, PathBuf};

/// Absolute, without `..`. It need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at an absolute path.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Absolute path of the directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Absolute path of something inside it; the directory itself for an empty name.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        if inside.is_empty() { self.root.clone() } else { self.root.join(inside) }
    }
}
