//! Writes a bundle into a directory: nothing that a person wrote or changed there is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::unpack::Bundle;
use crate::answer::{Error, Finding, Subject};
use crate::certs::Judged;
use crate::certs::file::{CertificateFile, File};
use crate::deployment::env_file::EnvFile;
use crate::deployment::replica::{Manifest, Replica, Scope};
use crate::deployment::{Deployment, OPEN_DIR_MODE, OPEN_MODE, SECRET_MODE, path, scaffold};
use crate::hash::sha256_hex;
use crate::model::found::Found;
use crate::os::archive::Entry;
use crate::os::batch::{self, Batch};
use crate::os::files::{self, Action, FileEntry};
use crate::os::litter;
use crate::os::settle::settle;
use crate::render::labels;
use crate::rules::{self, RuleId};

#[derive(Default)]
pub(crate) struct Written {
    pub(crate) files: Vec<FileEntry>,
    /// What was kept, and what is gone there.
    pub(crate) findings: Vec<Finding>,
}

/// Writes the files of a bundle that was judged. The caller holds the lock.
///
/// # Errors
/// `directory` where the bundle does not fit the directory; reading and writing errors. What was begun is completed by
/// running it again.
pub(crate) fn write(bundle: &Bundle, judged: &Judged, deployment: &Deployment) -> Result<Written, Error> {
    let before = Replica::of(deployment).and_then(|replica| replica.manifest);
    let is_older = is_older(bundle, judged, deployment);
    let mut written = Written::default();
    if is_older {
        written.findings.push(rules::finding(RuleId::ReplicaUpdateOlder));
    }
    let mut plan: Vec<(&Entry, Action)> = Vec::new();
    for entry in &bundle.entries {
        plan.push((entry, action(entry, bundle, before.as_ref(), deployment, is_older)?));
    }
    sweep(bundle, deployment);
    // First what says that this is a deployment: a killed run is then known again by the next.
    let (first, rest): (Vec<_>, Vec<_>) = plan.iter().partition(|(entry, _)| is_merged(&entry.name));
    write_files(&first, deployment)?;
    make_folders(rest.iter().filter(|(_, action)| *action == Action::Created).map(|(entry, _)| *entry), deployment)?;
    write_files(&rest, deployment)?;
    if bundle.manifest.scope == Scope::Deployment {
        complete_env(bundle, deployment)?;
        written.findings.extend(gone(bundle, before.as_ref(), deployment));
    }
    // What it lists is on the disk before it is: otherwise a power cut leaves files that look like a person's.
    settle()?;
    let manifest = merged(bundle, before, is_older);
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
    batch::replace(deployment, path::REPLICA, &manifest, None, OPEN_MODE)?;
    labels::refresh_labels(deployment, &Found::read(deployment))?;
    for (entry, action) in plan {
        let is_edited =
            action == Action::Kept && !is_merged(&entry.name) && !(is_older && is_pair(bundle, &entry.name));
        if is_edited {
            written.findings.push(rules::finding(RuleId::EditNotReplaced).about(Subject::file(&entry.name)));
        }
        written.files.push(FileEntry::of(deployment, &entry.name, action));
    }
    Ok(written)
}

/// The certificates alone are for a replica that reads its pair at the same place.
///
/// # Errors
/// `directory` where it is not a deployment.
pub(crate) fn require_replica(bundle: &Bundle, deployment: &Deployment) -> Result<(), Error> {
    let before = Replica::of(deployment).and_then(|replica| replica.manifest);
    let is_one = before.is_some_and(|before| before.pair == bundle.manifest.pair);
    if is_one || bundle.manifest.scope == Scope::Deployment {
        return Ok(());
    }
    Err(Error::directory(
        "this bundle has certificates only, and the directory is not a replica that they are for; nothing was written",
        "apply a whole bundle first: `mcp-tunnels-helper export --to replica --out FILE.tar.gz` makes it",
    ))
}

/// Whether the directory has a certificate of the same CA that ends later.
fn is_older(bundle: &Bundle, judged: &Judged, deployment: &Deployment) -> bool {
    let read = |name: &str| File::<CertificateFile>::read(deployment, name);
    let (ca, server) = (read(path::CA_CRT), read(&bundle.manifest.pair.certificate));
    let (Some(ca), Some(server)) = (ca.good(), server.good()) else { return false };
    let (Some(new_ca), Some(new)) = (judged.facts.ca(), judged.facts.server()) else { return false };
    ca.first.der == new_ca.der
        && server.first.not_after > new.not_after
        && server.first.signed_by(&new_ca.spki_der) == new.signed_by(&new_ca.spki_der)
}

fn is_pair(bundle: &Bundle, name: &str) -> bool {
    let pair = &bundle.manifest.pair;
    [path::CA_CRT, &pair.certificate, &pair.key].contains(&name)
}

/// Files that are completed and not replaced.
fn is_merged(name: &str) -> bool {
    matches!(name, path::ENV | path::GITIGNORE)
}

fn mode(entry: &Entry) -> u32 {
    match entry.name.as_str() {
        path::ENV => SECRET_MODE,
        _ => super::plain_mode(entry.mode),
    }
}

/// What is to happen to a file.
fn action(
    entry: &Entry,
    bundle: &Bundle,
    before: Option<&Manifest>,
    deployment: &Deployment,
    is_older: bool,
) -> Result<Action, Error> {
    let Some(old) = files::read(deployment, &entry.name)? else { return Ok(Action::Created) };
    if old == entry.bytes {
        return Ok(Action::Unchanged);
    }
    if is_merged(&entry.name) || is_older && is_pair(bundle, &entry.name) {
        return Ok(Action::Kept);
    }
    let is_ours = before.is_some_and(|before| before.files.get(&entry.name) == Some(&sha256_hex(&old)));
    // A link would be replaced by the file: it is a person's.
    let is_link = files::metadata(deployment, &entry.name).is_err();
    match (is_ours && !is_link, is_pair(bundle, &entry.name)) {
        (true, _) => Ok(Action::Updated),
        // A pair is one thing: half of a person's own and half of the bundle fits nothing.
        (false, true) => Err(Error::directory(
            format!(
                "`{}` is there and was not written from a bundle; nothing was written",
                deployment.path(&entry.name).display()
            ),
            "name a new directory with `--dir`, or move that file aside if the tunnel works without it",
        )),
        (false, false) => Ok(Action::Kept),
    }
}

fn write_files(plan: &[&(&Entry, Action)], deployment: &Deployment) -> Result<(), Error> {
    let mut batch = Batch::new(deployment);
    for (entry, action) in plan {
        match action {
            Action::Created => batch.create(&entry.name, &entry.bytes, mode(entry))?,
            Action::Updated => batch.replace(&entry.name, &entry.bytes, None, mode(entry))?,
            Action::Unchanged | Action::Kept => {}
        }
    }
    batch.commit()
}

fn make_folders<'a>(entries: impl Iterator<Item = &'a Entry>, deployment: &Deployment) -> Result<(), Error> {
    let mut folders = BTreeSet::new();
    for entry in entries {
        let parents = Path::new(&entry.name).ancestors().skip(1);
        folders.extend(parents.filter(|p| !p.as_os_str().is_empty()).map(|p| p.to_string_lossy().into_owned()));
    }
    // Parents sort before what is in them.
    for folder in folders {
        files::make_dir(deployment, &folder, OPEN_DIR_MODE)?;
    }
    Ok(())
}

/// Removes what a killed run left of the bundle's files, in every folder.
fn sweep(bundle: &Bundle, deployment: &Deployment) {
    let split =
        |name: &str| name.rsplit_once('/').map_or((String::new(), name.to_owned()), |(f, n)| (f.into(), n.into()));
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (folder, name) in bundle.entries.iter().map(|entry| split(&entry.name)) {
        folders.entry(folder).or_default().insert(name);
    }
    for (folder, names) in folders {
        litter::sweep(deployment, &folder, |name| names.contains(name));
    }
}

/// Adds variables that `.env` lacks: those that are there are the person's, the token before all.
fn complete_env(bundle: &Bundle, deployment: &Deployment) -> Result<(), Error> {
    let given = bundle.entry(path::ENV).map(EnvFile::new);
    if let (Some(given), Some(mut env)) = (given, scaffold::read_env(deployment)?) {
        let mut changed = false;
        for (name, value) in given.values() {
            if env.get(&name).is_none() {
                changed |= scaffold::set(deployment, &mut env, &name, &value)?;
            }
        }
        if changed {
            batch::replace(deployment, path::ENV, env.as_bytes(), None, SECRET_MODE)?;
        }
    }
    scaffold::ensure_env_and_gitignore(deployment, Some(&bundle.domain)).map(drop)
}

/// Files that came with an earlier bundle and are in this one no more: they stay, and are named.
fn gone(bundle: &Bundle, before: Option<&Manifest>, deployment: &Deployment) -> Vec<Finding> {
    let old = before.iter().flat_map(|before| before.files.keys());
    let gone = old.filter(|name| bundle.entry(name).is_none());
    let gone = gone.filter(|name| matches!(files::metadata(deployment, name), Ok(Some(_))));
    gone.map(|name| rules::finding(RuleId::ReplicaFileGone).about(Subject::file(name))).take(20).collect()
}

/// What `replica.json` says from now on.
fn merged(bundle: &Bundle, before: Option<Manifest>, is_older: bool) -> Manifest {
    let mut manifest = Manifest { scope: Scope::Deployment, ..bundle.manifest.clone() };
    let Some(before) = before else { return manifest };
    for (name, digest) in before.files {
        let keeps = is_older && is_pair(bundle, &name);
        if keeps || bundle.manifest.scope == Scope::Certificate && bundle.entry(&name).is_none() {
            manifest.files.insert(name, digest);
        }
    }
    manifest
}
