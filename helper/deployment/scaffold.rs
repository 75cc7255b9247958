//! `.env` and `.gitignore`: made, merged, never cut.

use super::env_file::{self, EnvFile};
use super::token::PLACEHOLDER;
use super::{Deployment, Domain, OPEN_MODE, SECRET_MODE, path};
use crate::answer::Error;
use crate::os::files::{self, Action, FileEntry};

/// The `.env` file of a directory.
///
/// # Errors
/// As [`files::read_text`].
pub(crate) fn read_env(deployment: &Deployment) -> Result<Option<EnvFile>, Error> {
    Ok(files::read_text(deployment, path::ENV)?.map(EnvFile::new))
}

/// Writes `.env` (with a placeholder for the token) and `.gitignore`, or adds what they lack.
///
/// # Errors
/// Reading and writing errors.
pub(crate) fn ensure_env_and_gitignore(
    deployment: &Deployment,
    domain: Option<&Domain>,
) -> Result<Vec<FileEntry>, Error> {
    let mut entries = Vec::new();
    // `.gitignore` first: there is no moment in which git could pick the other one up.
    let old = files::read(deployment, path::GITIGNORE)?;
    let merged = merged_gitignore(old.as_deref());
    entries.push(match (&old, &merged) {
        (None, merged) => {
            files::create(deployment, path::GITIGNORE, merged.as_deref().unwrap_or_default(), OPEN_MODE)?;
            FileEntry::of(deployment, path::GITIGNORE, Action::Created)
        }
        (Some(_), Some(merged)) => {
            files::replace(deployment, path::GITIGNORE, merged, None, OPEN_MODE)?;
            FileEntry::of(deployment, path::GITIGNORE, Action::Updated)
        }
        (Some(_), None) => FileEntry::of(deployment, path::GITIGNORE, Action::Unchanged),
    });

    let old = read_env(deployment)?;
    entries.push(match old {
        None => {
            files::create(deployment, path::ENV, new_env(domain).as_bytes(), SECRET_MODE)?;
            FileEntry::of(deployment, path::ENV, Action::Created)
        }
        Some(mut env) => {
            let mut changed = false;
            if let Some(domain) = domain
                && env.get(env_file::DOMAIN).is_none_or(|value| value.is_empty())
            {
                changed |= env.set(env_file::DOMAIN, domain.as_str());
            }
            if env.get(env_file::TOKEN).is_none() {
                changed |= env.set(env_file::TOKEN, PLACEHOLDER);
            }
            if changed {
                files::replace(deployment, path::ENV, env.as_str().as_bytes(), None, SECRET_MODE)?;
            }
            FileEntry::of(deployment, path::ENV, if changed { Action::Updated } else { Action::Unchanged })
        }
    });
    Ok(entries)
}

fn new_env(domain: Option<&Domain>) -> String {
    let mut env =
        EnvFile::new("# Read by Docker Compose. Keep it out of git and chats: the token is a secret.\n".to_owned());
    if let Some(domain) = domain {
        env.set(env_file::DOMAIN, domain.as_str());
    }
    env.set(env_file::TOKEN, PLACEHOLDER);
    let mut text = env.as_str().to_owned();
    text.push_str(
        "# Kept by mcp-tunnels-helper: when they change, Compose re-creates the containers that they concern.\n",
    );
    let mut env = EnvFile::new(text);
    env.set(env_file::CONFIG_HASH, "");
    env.set(env_file::TOKEN_FINGERPRINT, "");
    env.as_str().to_owned()
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
