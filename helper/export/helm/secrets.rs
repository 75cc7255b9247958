//! Where the scripts find the token and the server's pair; and, only if that was asked for, both as a manifest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::values::{CERT_SECRET, NAMESPACE, TOKEN_SECRET};
use crate::answer::Error;
use crate::config::stamp::stamp;
use crate::config::yaml;
use crate::deployment::replica::Pair;
use crate::deployment::{TokenState, env_file, path};
use crate::export::parts::unseen;
use crate::lint::facts::Facts;
use crate::model::token::{AgentToken, TokenOrigin};
use crate::os::files;

/// Where a script takes the token from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// This variable of `.env`.
    Variable(String),
    /// A file of the deployment with nothing else in it.
    File(String),
    /// The script's own standard input: no file of this host has it alone.
    Input,
}

impl TokenSource {
    /// From where cloudflared gets it here.
    pub(super) fn of(token: &AgentToken) -> Self {
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match &token.origin {
            TokenOrigin::Env(name) | TokenOrigin::Unset(name) if is_name(name) => Self::Variable(name.clone()),
            TokenOrigin::Nowhere => Self::Variable(env_file::TOKEN.into()),
            TokenOrigin::SetUp => Self::File(path::SETUP_TOKEN.into()),
            TokenOrigin::File(inside) => Self::File(inside.clone()),
            TokenOrigin::Env(_)
            | TokenOrigin::Unset(_)
            | TokenOrigin::Shell(_)
            | TokenOrigin::Written
            | TokenOrigin::Command
            | TokenOrigin::NotThere { .. }
            | TokenOrigin::Unseen(_) => Self::Input,
        }
    }
}

/// `secrets.yaml`: both Secrets, with the token in them.
///
/// # Errors
/// `request` when there is no token; reading errors.
pub(super) fn manifest(facts: &Facts, pair: &Pair) -> Result<String, Error> {
    let TokenState::Set(token) = &facts.token.state else {
        return Err(Error::request(
            "`include_token` asks for the token, and this deployment has none yet",
            "set it with `token set` first, or leave `include_token` out: then the token never enters a file",
        ));
    };
    let file = |inside: &str| {
        files::read(&facts.deployment, inside)?.ok_or_else(|| unseen(&format!("`{inside}` is not there")))
    };
    let data = |bytes: &[u8]| STANDARD.encode(bytes);
    let secret = |name: &str, data| {
        yaml::to_text(&json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "type": "Opaque",
            "data": data,
        }))
    };
    let token = secret(TOKEN_SECRET, json!({ "tunnel-token": data(token.expose().as_bytes()) }))?;
    let pair = json!({ "tls.crt": data(&file(&pair.certificate)?), "tls.key": data(&file(&pair.key)?) });
    let about = "The tunnel's token and the server's key in plain text: show it to no one, apply it, delete it.";
    Ok(stamp(about, &format!("{token}---\n{}", secret(CERT_SECRET, pair)?)))
}
