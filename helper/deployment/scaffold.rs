//! `.env` and `.gitignore`: made, merged, never cut.

use super::env_file::{self, EnvFile};
use super::token::PLACEHOLDER;
use super::{Deployment, Domain, OPEN_MODE, SECRET_MODE, path};
use crate::answer::{Error, Finding, Subject};
use crate::os::batch::Batch;
use crate::os::files::{self, Action, FileEntry};
use crate::rules::{self, RuleId};

/// The `.env` file of a directory.
pub(crate) fn read_env(deployment: &Deployment) -> Result<Option<EnvFile>, Error> {
    Ok(files::read(deployment, path::ENV)?.map(EnvFile::new))
}

/// The finding about a `.env` that cannot be read at all.
pub(crate) fn unreadable_env(error: &Error) -> Finding {
    rules::finding(RuleId::EnvUnreadable).about(Subject::file(path::ENV)).with(error.to_string())
}

/// [`EnvFile::set`] for the file of this directory.
///
/// # Errors
/// `env-invalid` when Compose would not read the value back.
pub(crate) fn set(deployment: &Deployment, env: &mut EnvFile, key: &str, value: &str) -> Result<bool, Error> {
    env.set(key, value).map_err(|fault| Error::Env { path: deployment.path(path::ENV), why: fault.to_string() })
}

/// The finding about a `.env` that Compose refuses, or that is not UTF-8.
pub(crate) fn env_fault(env: &EnvFile) -> Option<Finding> {
    let subject = |line| Subject::File { name: path::ENV.into(), line };
    if let Some(fault) = env.faults().first() {
        return Some(rules::finding(RuleId::ComposeEnvInvalid).about(subject(fault.line())).with(fault.to_string()));
    }
    let line = env.not_utf8()?;
    Some(rules::finding(RuleId::EnvEncoding).about(subject(Some(line))).with(format!("line {line} is not UTF-8")))
}

/// First line of every `.env` that the helper made.
pub(crate) const ENV_HEADER: &str = "# Read by Docker Compose. Keep it out of git and chats: the token is a secret.";

/// Writes `.env` (with a placeholder for the token) and `.gitignore`, or adds what they lack.
pub(crate) fn ensure_env_and_gitignore(
    deployment: &Deployment,
    domain: Option<&Domain>,
) -> Result<Vec<FileEntry>, Error> {
    // Before anything is written: a file that Compose refuses stays as it is, and so does everything around it.
    let (env, env_action) = match read_env(deployment)? {
        None => (new_env(domain).into_bytes(), Action::Created),
        Some(mut env) => {
            let mut changed = false;
            if let Some(domain) = domain
                && env.get(env_file::DOMAIN).is_none_or(|value| value.is_empty())
            {
                changed |= set(deployment, &mut env, env_file::DOMAIN, domain.as_str())?;
            }
            if env.get(env_file::TOKEN).is_none() {
                changed |= set(deployment, &mut env, env_file::TOKEN, PLACEHOLDER)?;
            }
            (env.as_bytes().to_vec(), if changed { Action::Updated } else { Action::Unchanged })
        }
    };
    // `.gitignore` first, so that git never sees `.env` without it.
    let old = files::read(deployment, path::GITIGNORE)?;
    let merged = merged_gitignore(old.as_deref());
    let mut batch = Batch::new(deployment);
    let ignore_action = match (&old, &merged) {
        (None, merged) => {
            batch.create(path::GITIGNORE, merged.as_deref().unwrap_or_default(), OPEN_MODE)?;
            Action::Created
        }
        (Some(_), Some(merged)) => {
            batch.replace(path::GITIGNORE, merged, None, OPEN_MODE)?;
            Action::Updated
        }
        (Some(_), None) => Action::Unchanged,
    };
    match env_action {
        // A new one has no token yet.
        Action::Created => batch.create(path::ENV, &env, SECRET_MODE)?,
        Action::Updated => {
            batch.commit()?;
            batch = Batch::new(deployment);
            batch.replace(path::ENV, &env, None, SECRET_MODE)?;
        }
        Action::Unchanged | Action::Kept => {}
    }
    batch.commit()?;
    Ok(vec![
        FileEntry::of(deployment, path::GITIGNORE, ignore_action),
        FileEntry::of(deployment, path::ENV, env_action),
    ])
}

fn new_env(domain: Option<&Domain>) -> String {
    let domain = domain.map(|domain| format!("{}={domain}\n", env_file::DOMAIN)).unwrap_or_default();
    format!(
        "{ENV_HEADER}\n\
         {domain}{token}={PLACEHOLDER}\n\
         # Kept by mcp-tunnels-helper: when they change, Compose re-creates the containers that they concern.\n\
         {hash}=\n{fingerprint}=\n",
        token = env_file::TOKEN,
        hash = env_file::CONFIG_HASH,
        fingerprint = env_file::TOKEN_FINGERPRINT,
    )
}

/// What must be in `.gitignore`; `None` when it is there already.
fn merged_gitignore(old: Option<&[u8]>) -> Option<Vec<u8>> {
    // Also what may hold a token: files kept aside, and what a killed helper leaves half-written.
    let wanted: [(&[u8], &[&[u8]]); 4] = [
        (b".env", &[b".env", b"/.env"]),
        (b"data/", &[b"data/", b"/data/", b"data", b"/data"]),
        (b"*.bak-*", &[b"*.bak-*"]),
        (b".*.tmp", &[b".*.tmp"]),
    ];
    let old = old.unwrap_or(b"# The token and the keys of the tunnel.\n");
    let lines: Vec<&[u8]> = old.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).collect();
    let missing: Vec<&[u8]> = wanted
        .into_iter()
        .filter(|(_, spellings)| !lines.iter().any(|line| spellings.contains(line)))
        .map(|(line, _)| line)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let ending: &[u8] = if old.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
    let mut merged = old.to_vec();
    if !merged.is_empty() && !merged.ends_with(b"\n") {
        merged.extend_from_slice(ending);
    }
    for line in missing {
        merged.extend_from_slice(line);
        merged.extend_from_slice(ending);
    }
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(old: &str) -> String {
        String::from_utf8(merged_gitignore(Some(old.as_bytes())).unwrap_or_else(|| old.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn gitignore_is_merged_and_never_cut() {
        assert_eq!(merged("node_modules"), "node_modules\n.env\ndata/\n*.bak-*\n.*.tmp\n");
        assert_eq!(merged("a\r\n/.env\r\n"), "a\r\n/.env\r\ndata/\r\n*.bak-*\r\n.*.tmp\r\n");
        assert_eq!(merged(".env\ndata/\n*.bak-*\n.*.tmp\n"), ".env\ndata/\n*.bak-*\n.*.tmp\n");
        assert_eq!(merged("#.env\n/data\n"), "#.env\n/data\n.env\n*.bak-*\n.*.tmp\n");
    }
}
