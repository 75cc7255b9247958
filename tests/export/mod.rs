//! `export` and `init --from`: what goes to a cluster or to another host, and what never does.

mod helm;
mod hostile;
mod hosts;
mod kubernetes;
mod replica;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, Call, helper, mode};

/// `export` of a deployment.
fn export(dir: &Path, request: Value) -> Call {
    helper(["export"]).dir(dir).json(request)
}

/// A whole bundle of a deployment, made in this folder.
fn bundle(dir: &Path, parent: &Path, name: &str) -> PathBuf {
    let out = parent.join(name);
    export(dir, json!({"to": "replica", "out": out})).changes_nothing().run().expect(0);
    assert_eq!(mode(&out), 0o600);
    out
}

/// The certificates of a deployment as an update.
fn update(dir: &Path, parent: &Path, name: &str) -> PathBuf {
    let out = parent.join(name);
    export(dir, json!({"to": "replica", "only": "certificate", "out": out})).changes_nothing().run().expect(0);
    out
}

/// `init --from` into a directory.
fn init_from(dir: &Path, bundle: &Path) -> Call {
    helper(["init"]).dir(dir).json(json!({"from": bundle}))
}

/// Files of an archive with their modes.
fn listed(archive: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let file = flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap());
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (name, entry.header().mode().unwrap(), bytes)
    });
    entries.collect()
}

/// State of a route in the answer of an export.
fn state<'a>(answer: &'a Answer, route: &str) -> &'a str {
    let routes = answer.data()["routes"].as_array().unwrap();
    let found = routes.iter().find(|r| r["name"] == route).unwrap_or_else(|| panic!("no `{route}`: {:#}", answer.json));
    found["state"].as_str().unwrap()
}
