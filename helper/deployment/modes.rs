//! Who on this host, and in the containers, may read or write the files of a deployment.

use super::{Deployment, kind, path};
use crate::answer::{Error, Finding, Subject};
use crate::os::files::{self, Meta};
use crate::rules::{self, Remedy, RuleId};

/// Findings about the mode of `.env`.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn env_mode(deployment: &Deployment) -> Result<Vec<Finding>, Error> {
    let Some(meta) = files::metadata(deployment, path::ENV)? else { return Ok(Vec::new()) };
    Ok(exposure(deployment, meta, path::ENV, RuleId::EnvReadable, RuleId::EnvWritable).into_iter().collect())
}

fn exposure(deployment: &Deployment, meta: Meta, path: &str, readable: RuleId, writable: RuleId) -> Option<Finding> {
    let rule = match meta.mode() {
        mode if mode & 0o022 != 0 => writable,
        mode if mode & 0o044 != 0 => readable,
        _ => return None,
    };
    let text = format!("`{path}` has mode {:04o}", meta.mode() & 0o7777);
    Some(feasible(deployment, path, rules::finding(rule).about(Subject::file(path)).with(text), "600"))
}

/// Why this process's user cannot change the mode of a file.
#[derive(Debug, PartialEq, Eq)]
enum Hindrance {
    /// The file system is mounted read-only.
    ReadOnly,
    /// The file belongs to this user, another one.
    Owner(u32),
}

impl Hindrance {
    /// Judges a file's owner for the user `me`. chmod(2): only the owner and root may change a mode.
    fn of(read_only: bool, owner: u32, me: u32) -> Option<Self> {
        match (read_only, owner) {
            (true, _) => Some(Self::ReadOnly),
            (false, owner) if me != 0 && owner != me => Some(Self::Owner(owner)),
            (false, _) => None,
        }
    }
}

/// The finding about a mode with a fix that this user can carry out. `change` is chmod's first argument.
fn feasible(deployment: &Deployment, inside: &str, finding: Finding, change: &str) -> Finding {
    let path = deployment.root().join(inside);
    let meta = if inside.is_empty() {
        files::directory_itself(deployment)
    } else {
        files::metadata(deployment, inside).ok().flatten()
    };
    let Some(meta) = meta else { return finding };
    let read_only =
        rustix::fs::statvfs(&path).is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    match Hindrance::of(read_only, meta.uid(), rustix::process::geteuid().as_raw()) {
        None => finding,
        Some(Hindrance::ReadOnly) => finding.with_remedy(Remedy::ReadOnly),
        Some(Hindrance::Owner(owner)) => finding.with_remedy(Remedy::OtherOwner { change, owner }),
    }
}

/// The finding about a directory that others on this host can enter. A mode is only advised for one that the helper made.
pub(crate) fn open_directory(deployment: &Deployment) -> Option<Finding> {
    let mode = files::directory_itself(deployment)?.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return None;
    }
    let finding = rules::finding(RuleId::DirectoryOpen).with(format!("mode {mode:04o}"));
    Some(match kind::look(deployment).is_ok_and(|look| look.is_ours_alone()) {
        true => feasible(deployment, "", finding, "700"),
        false => finding.with_remedy(Remedy::SharedDirectory),
    })
}

/// The finding about files in `data` that are not certificates or keys.
pub(crate) fn foreign_data(deployment: &Deployment, pair: &[&str]) -> Option<Finding> {
    let names = kind::foreign_data(deployment, pair);
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
            found.extend(exposure(deployment, meta, key, RuleId::KeyReadable, RuleId::KeyWritable));
        }
    }
    if let Ok(Some(meta)) = files::metadata(deployment, path::TLS_KEY)
        && meta.mode() & 0o022 != 0
    {
        let text = format!("`data/tls.key` has mode {:04o}", meta.mode() & 0o7777);
        // The proxy, another user, reads this one.
        let finding =
            rules::finding(RuleId::KeyWritable).about(Subject::file(path::TLS_KEY)).with_remedy(Remedy::KeyOfProxy);
        let finding = finding.with(text);
        found.push(feasible(deployment, path::TLS_KEY, finding, "go-w"));
    }
    found
}

/// The finding about certificates that the proxy's user may not read.
pub(crate) fn unreadable_certificates(deployment: &Deployment, user: (u32, u32)) -> Option<Finding> {
    [(path::DATA, 1), (path::TLS_KEY, 4), (path::TLS_CRT, 4)].into_iter().find_map(|(inside, bit)| {
        let text = denied(deployment, user, inside, bit)?;
        Some(unreadable(deployment, RuleId::ProxyKeyDenied, inside, text))
    })
}

/// The finding `rule` about a file that the proxy's user may not read, or a folder that it may not enter.
pub(crate) fn unreadable(deployment: &Deployment, rule: RuleId, inside: &str, evidence: String) -> Finding {
    let finding = rules::finding(rule).about(Subject::file(inside)).with(evidence);
    feasible(deployment, inside, finding, "a+rX")
}

/// Says that the proxy's user may not do what `bit` says (4 read, 1 enter).
pub(crate) fn denied(deployment: &Deployment, user: (u32, u32), inside: &str, bit: u32) -> Option<String> {
    let meta = files::metadata(deployment, inside).ok().flatten()?;
    (!allows(meta, user, bit))
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
pub(crate) fn allows(meta: Meta, user: (u32, u32), bit: u32) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_can_be_changed_by_the_owner_and_root_on_a_writable_file_system() {
        for (read_only, owner, me, expected) in [
            (false, 1000, 1000, None),
            (false, 1000, 0, None),
            (false, 0, 1000, Some(Hindrance::Owner(0))),
            (false, 65532, 1000, Some(Hindrance::Owner(65532))),
            (true, 1000, 1000, Some(Hindrance::ReadOnly)),
            (true, 0, 0, Some(Hindrance::ReadOnly)),
        ] {
            assert_eq!(Hindrance::of(read_only, owner, me), expected, "{read_only} {owner} {me}");
        }
    }
}
