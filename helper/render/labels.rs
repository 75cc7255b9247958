//! The two lines of `.env` that labels interpolate.

use crate::answer::Error;
use crate::deployment::env_file;
use crate::deployment::scaffold;
use crate::deployment::token;
use crate::deployment::{Deployment, SECRET_MODE, TokenState, path};
use crate::hash::sha256_hex;
use crate::model::found::Found;
use crate::os::{batch, files};

/// Brings the two lines of `.env` that labels interpolate up to date with what is on disk, so that the next
/// `docker compose up -d`, typed by whomever, re-creates what a change concerns. Says whether `.env` changed.
pub(crate) fn refresh_labels(deployment: &Deployment, found: &Found) -> Result<bool, Error> {
    let Some(mut env) = scaffold::read_env(deployment)? else { return Ok(false) };
    // Compose refuses it as a whole, which is a finding; no label is interpolated from it.
    if !env.faults().is_empty() {
        return Ok(false);
    }
    // Without the labels in the file the lines would do nothing: a stack made by hand keeps its `.env` as it is.
    if !found.main.as_ref().is_some_and(|main| main.text.contains(env_file::CONFIG_HASH)) {
        return Ok(false);
    }
    let mut changed = false;
    if let Some(config) = files::read(deployment, path::GATEWAY)? {
        changed |= scaffold::set(deployment, &mut env, env_file::CONFIG_HASH, &sha256_hex(&config))?;
    }
    if let TokenState::Set(token) = TokenState::of(env.get(env_file::TOKEN).as_deref()) {
        changed |= scaffold::set(deployment, &mut env, env_file::TOKEN_FINGERPRINT, &token.fingerprint())?;
    }
    if changed {
        batch::replace(deployment, path::ENV, env.as_bytes(), None, SECRET_MODE)?;
    }
    Ok(changed)
}

/// The values that the labels of containers made now would have: hash of the configuration, fingerprint of the token.
pub(crate) fn label_values(deployment: &Deployment) -> Result<(Option<String>, Option<String>), Error> {
    let hash = files::read(deployment, path::GATEWAY).ok().flatten().map(|config| sha256_hex(&config));
    Ok((hash, token_fingerprint(deployment)?))
}

/// Fingerprint of the token in `.env`, if there is one.
pub(crate) fn token_fingerprint(deployment: &Deployment) -> Result<Option<String>, Error> {
    // One that cannot be read has its own finding.
    let env = scaffold::read_env(deployment).ok().flatten();
    let text = env.and_then(|env| env.get(env_file::TOKEN)).filter(|text| !text.is_empty());
    Ok(text.map(|text| token::fingerprint(text.trim())))
}
