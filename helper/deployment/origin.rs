//! Who made one of the files of a directory: this helper, a person for a tunnel, or another program.

use super::env_file::{self, EnvFile};
use super::scaffold::ENV_HEADER;
use super::{Deployment, path};
use crate::os::files;

/// Words that every compose file of a tunnel contains: images, the domain, the proxy's mount.
const TUNNEL_WORDS: [&str; 5] = ["cloudflared", "mcp-gateway", "mcp-proxy", "tunnel.anthropic.com", "TUNNEL_TOKEN"];

/// Who made a file of a directory, as far as its content shows; the strongest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// It is not there, or says nothing.
    None,
    /// It belongs to another program.
    Foreign,
    /// It cannot be read, so it may be anything.
    Unknown,
    Tunnel,
    /// The helper wrote it.
    Ours,
}

/// Who made `.env`.
pub(super) fn of_env(deployment: &Deployment) -> Origin {
    let env = match files::read(deployment, path::ENV) {
        Ok(None) => return Origin::None,
        Ok(Some(bytes)) => EnvFile::new(bytes),
        Err(_) => return Origin::Unknown,
    };
    let keys = env.keys();
    let has = |names: &[&str]| keys.iter().any(|key| names.contains(&key.as_str()));
    if has(&[env_file::CONFIG_HASH, env_file::TOKEN_FINGERPRINT]) {
        Origin::Ours
    } else if has(&[env_file::DOMAIN, env_file::TOKEN]) {
        Origin::Tunnel
    } else if keys.is_empty() {
        // Comments, or nothing: one that was begun.
        Origin::Unknown
    } else {
        Origin::Foreign
    }
}

/// Whether `.env` begins with the header that the helper writes.
pub(super) fn is_our_env(deployment: &Deployment) -> bool {
    files::read(deployment, path::ENV).ok().flatten().is_some_and(|bytes| bytes.starts_with(ENV_HEADER.as_bytes()))
}

/// Who made a compose file.
pub(super) fn of_compose(deployment: &Deployment, name: &str) -> Origin {
    // What it takes from elsewhere may be the tunnel.
    match of_text(deployment, name, &["include:", "extends:"]) {
        Origin::Foreign if name.contains(".override.") => Origin::None,
        sign => sign,
    }
}

/// Who made a file, by the words in it; `unknown` are words after which it may be anything.
pub(super) fn of_text(deployment: &Deployment, name: &str, unknown: &[&str]) -> Origin {
    let bytes = match files::read(deployment, name) {
        Ok(None) => return Origin::None,
        Ok(Some(bytes)) => bytes,
        Err(_) => return Origin::Unknown,
    };
    // UTF-16 of ASCII, too.
    let text = String::from_utf8_lossy(&bytes).replace('\0', "");
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["mcp-tunnels-helper"]) {
        Origin::Ours
    } else if has(&TUNNEL_WORDS) {
        Origin::Tunnel
    } else if has(unknown) {
        Origin::Unknown
    } else if text.trim().is_empty() {
        Origin::None
    } else {
        Origin::Foreign
    }
}
