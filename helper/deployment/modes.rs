//! Who on this host, and in the containers, may read or write the files of a deployment.

use std::os::unix::fs::MetadataExt;

use super::{Deployment, kind, path};
use crate::answer::{Error, Finding, Subject};
use crate::os::files;
use crate::rules::{self, RuleId};

/// Findings about the mode of `.env`.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn env_mode(deployment: &Deployment) -> Result<Vec<Finding>, Error> {
    let Some(meta) = files::metadata(deployment, path::ENV)? else { return Ok(Vec::new()) };
    Ok(exposure(meta.mode(), path::ENV, RuleId::EnvReadable, RuleId::EnvWritable).into_iter().collect())
}

fn exposure(mode: u32, path: &str, readable: RuleId, writable: RuleId) -> Option<Finding> {
    let text = format!("`{path}` has mode {:04o}", mode & 0o7777);
    if mode & 0o022 != 0 {
        Some(rules::finding(writable).about(Subject::file(path)).with(text))
    } else if mode & 0o044 != 0 {
        Some(rules::finding(readable).about(Subject::file(path)).with(text))
    } else {
        None
    }
}

/// The finding about a directory that others on this host can enter. A mode is only advised for one that the helper made.
pub(crate) fn open_directory(deployment: &Deployment) -> Option<Finding> {
    let mode = std::fs::metadata(deployment.root()).ok()?.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return None;
    }
    let mut finding = rules::finding(RuleId::DirectoryOpen).with(format!("mode {mode:04o}"));
    if !kind::look(deployment).is_ok_and(|look| look.is_ours_alone()) {
        finding.fix =
            "move the deployment into a directory of its own that only you can enter; close this one only if \
                       nothing else needs it"
                .into();
    }
    Some(finding)
}

/// The finding about files in `data` that are no certificates or keys.
pub(crate) fn foreign_data(deployment: &Deployment) -> Option<Finding> {
    let names = kind::foreign_data(deployment);
    if names.is_empty() {
        return None;
    }
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`data/{name}`")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(
        rules::finding(RuleId::DataShared).about(Subject::file(path::DATA)).with(format!("{}{more}", shown.join(", "))),
    )
}

/// Findings about who on this host may read or write the keys.
pub(crate) fn key_modes(deployment: &Deployment) -> Vec<Finding> {
    let mut found = Vec::new();
    // The other two are there while the CA is being changed.
    for key in [path::CA_KEY, path::CA_NEXT_KEY, path::CA_OLD_KEY] {
        if let Ok(Some(meta)) = files::metadata(deployment, key) {
            found.extend(exposure(meta.mode(), key, RuleId::KeyReadable, RuleId::KeyWritable));
        }
    }
    if let Ok(Some(meta)) = files::metadata(deployment, path::TLS_KEY)
        && meta.mode() & 0o022 != 0
    {
        let text = format!("`data/tls.key` has mode {:04o}", meta.mode() & 0o7777);
        let mut finding = rules::finding(RuleId::KeyWritable).about(Subject::file(path::TLS_KEY)).with(text);
        // The proxy, another user, reads this one.
        finding.fix = "run `chmod go-w {dir}/data/tls.key`".into();
        found.push(finding);
    }
    found
}

/// The finding about certificates that the proxy's user may not read.
pub(crate) fn unreadable_certificates(deployment: &Deployment, user: (u32, u32)) -> Option<Finding> {
    [(path::DATA, 1), (path::TLS_KEY, 4), (path::TLS_CRT, 4)].into_iter().find_map(|(inside, bit)| {
        let text = denied(deployment, user, inside, bit)?;
        Some(rules::finding(RuleId::ProxyKeyDenied).about(Subject::file(inside)).with(text))
    })
}

/// Says that the proxy's user may not do what `bit` says (4 read, 1 enter).
pub(crate) fn denied(deployment: &Deployment, user: (u32, u32), inside: &str, bit: u32) -> Option<String> {
    let meta = files::metadata(deployment, inside).ok().flatten()?;
    (!allows(&meta, user, bit))
        .then(|| format!("`{inside}` has mode {:04o}, the proxy runs as user {}", meta.mode() & 0o7777, user.0))
}

/// The same of a file and the folders on the way to it, with the path that is closed.
pub(crate) fn denied_on_the_way<'a>(
    deployment: &Deployment,
    user: (u32, u32),
    inside: &'a str,
) -> Option<(&'a str, String)> {
    let folders = inside.match_indices('/').map(|(at, _)| &inside[..at]);
    folders
        .filter_map(|folder| Some((folder, denied(deployment, user, folder, 1)?)))
        .next()
        .or_else(|| Some((inside, denied(deployment, user, inside, 4)?)))
}

/// Whether the proxy's user may do what `bit` says (4 read, 1 enter), as the mode tells.
pub(crate) fn allows(meta: &std::fs::Metadata, user: (u32, u32), bit: u32) -> bool {
    let (uid, gid) = user;
    let shift = if meta.uid() == uid {
        6
    } else if meta.gid() == gid {
        3
    } else {
        0
    };
    uid == 0 || meta.mode() >> shift & bit != 0
}
