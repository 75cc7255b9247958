//! Folders that are made once and laid out for each test: what a test changes is its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::json;

use super::{DOMAIN, chmod, folder, helper, snapshot, token};

/// What a folder holds: path, content (nothing for a folder), mode; a folder stands before what is in it.
#[derive(Clone)]
pub(crate) struct Laid(pub(crate) Vec<(PathBuf, Option<Vec<u8>>, u32)>);

impl Laid {
    /// Reads it from a folder without links.
    pub(crate) fn of(home: &Path) -> Self {
        let relative = |path: &Path| path.strip_prefix(home).unwrap().to_path_buf();
        let one = |(path, mode, content): (PathBuf, u32, Vec<u8>)| {
            (relative(&path), path.is_file().then_some(content), mode & 0o7777)
        };
        Self(snapshot(home).into_iter().map(one).collect())
    }

    /// Makes it in a folder that has none of it and need not exist; gives back the first of what is there.
    pub(crate) fn lay_out(&self, home: &Path) -> PathBuf {
        std::fs::create_dir_all(home).unwrap();
        for (path, content, mode) in &self.0 {
            match content {
                None => std::fs::create_dir(home.join(path)).unwrap(),
                Some(content) => {
                    std::fs::write(home.join(path), content).unwrap();
                    chmod(&home.join(path), *mode);
                }
            }
        }
        // What is in a folder is made before it is closed.
        for (path, _, mode) in self.0.iter().rev().filter(|(_, content, _)| content.is_none()) {
            chmod(&home.join(path), *mode);
        }
        self.0.first().map_or_else(|| home.to_path_buf(), |(path, ..)| home.join(path))
    }
}

/// Lays out what `make` makes in an empty folder; under one name it is made once in a run of the tests. Gives back the
/// first of what is there.
pub(crate) fn laid_out(name: &'static str, home: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    static READY: Mutex<BTreeMap<&str, Laid>> = Mutex::new(BTreeMap::new());
    let ready = READY.lock().unwrap().get(name).cloned();
    let ready = ready.unwrap_or_else(|| {
        let first = folder();
        make(first.path());
        let made = Laid::of(first.path());
        READY.lock().unwrap().entry(name).or_insert(made).clone()
    });
    ready.lay_out(home)
}

/// A deployment made by `init` with the sample, and a token that the stand-in's edge accepts. All have the same CA.
pub(crate) fn deployment(parent: &Path) -> PathBuf {
    laid_out("deployment", parent, |parent| {
        let dir = parent.join("mcp-tunnel");
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
        helper(["token", "set"]).dir(&dir).stdin(token("healthy")).run().expect(0);
    })
}

/// What `init` makes of the domain alone: certificates and `.env`, and no stack yet.
pub(crate) fn without_routes(parent: &Path) -> PathBuf {
    laid_out("without routes", parent, init)
}

/// The same with another CA.
pub(crate) fn of_another_ca(parent: &Path) -> PathBuf {
    laid_out("of another CA", parent, init)
}

fn init(parent: &Path) {
    helper(["init"]).dir(parent.join("mcp-tunnel")).json(json!({"domain": DOMAIN})).run().expect(0);
}
