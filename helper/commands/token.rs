//! `token set` and `token check`: the secret goes from the person's terminal into `.env`, and nowhere else.

use std::io::{IsTerminal, Read, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Finding, Next, Report, Skipped};
use crate::caller::Caller;
use crate::deployment::env_file;
use crate::deployment::modes::Places;
use crate::deployment::scaffold;
use crate::deployment::token::{Malformed, TokenStateName};
use crate::deployment::{DIR_MODE, Deployment, SECRET_MODE, Token, TokenState, path};
use crate::lint::secrets;
use crate::model::current::Current;
use crate::os::git::{self, GitState};
use crate::os::{batch, files, prompt};
use crate::rules::RuleId;
use crate::steps;

/// The request of `token set` and `token check`: there is nothing to ask.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TokenRequest {}

/// What `token set` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SetData {
    /// What was given, `missing` for empty input; where it is not `set`, `.env` was not changed.
    state: TokenStateName,
    /// First twelve hex digits of the token's SHA-256.
    fingerprint: Option<String>,
    /// The tunnel that it belongs to.
    tunnel_id: Option<String>,
    /// Whether `.env` has another token now than before.
    changed: bool,
}

/// Longest input that is read, in bytes; a token has about two hundred.
const LIMIT: u64 = 64 << 10;

fn given() -> Result<String, Error> {
    let stdin = std::io::stdin();
    let mut bytes = Vec::new();
    if stdin.is_terminal() {
        bytes = prompt::hidden_line("Tunnel token (hidden; paste it and press Enter): ")
            .map_err(|e| Error::io("read the token from", std::path::Path::new("the terminal"), e))?;
    } else {
        let name = std::path::Path::new("standard input");
        stdin.lock().take(LIMIT).read_to_end(&mut bytes).map_err(|e| Error::io("read", name, e))?;
    }
    // Bytes that are not text are not a token; the replacement characters are refused below.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The command `token set`.
///
/// # Errors
/// `request` when standard input is asked for twice, reading and writing errors.
pub(crate) fn set(deployment: &Deployment, caller: &Caller) -> Result<Report<SetData>, Error> {
    if !deployment.exists()? && std::io::stdin().is_terminal() {
        // A closed terminal is not an error.
        let _ = writeln!(std::io::stderr(), "{} does not exist yet and will be made.", deployment.root().display());
    }
    deployment.require_room(false)?;
    deployment.require_own(caller)?;
    let token = match Token::parse(&given()?) {
        Ok(token) => token,
        Err(fault) => return Ok(refused(fault)),
    };
    files::make_dir(deployment, "", DIR_MODE)?;
    let _lock = deployment.lock()?;
    // Tried first: where the file cannot take the token, nothing around it is written either.
    if let Some(mut env) = scaffold::read_env(deployment)? {
        scaffold::set(deployment, &mut env, env_file::TOKEN, token.expose())?;
    }
    scaffold::ensure_env_and_gitignore(deployment, None)?;
    let mut env = scaffold::read_env(deployment)?
        .ok_or_else(|| Error::Internal("`.env` vanished while the directory was locked".into()))?;
    let before = TokenState::of(env.get(env_file::TOKEN).as_deref());
    let changed = before != TokenState::Set(token.clone());
    scaffold::set(deployment, &mut env, env_file::TOKEN, token.expose())?;
    scaffold::set(deployment, &mut env, env_file::TOKEN_FINGERPRINT, &token.fingerprint())?;
    batch::replace(deployment, path::ENV, env.as_bytes(), Some(SECRET_MODE), SECRET_MODE)?;

    let rotated = changed && matches!(before, TokenState::Set(_));
    let summary = match (changed, rotated) {
        (false, _) => format!(".env already contains this token (fingerprint {})", token.fingerprint()),
        (true, true) => {
            format!("the token in .env was replaced (fingerprint {}); run `restart` to apply it", token.fingerprint())
        }
        (true, false) => format!("the token was written to .env (fingerprint {})", token.fingerprint()),
    };
    let data = SetData {
        state: TokenStateName::Set,
        fingerprint: Some(token.fingerprint()),
        tunnel_id: Some(token.tunnel_id().to_owned()),
        changed,
    };
    let findings = Vec::from_iter(secrets::shadow(&token, caller));
    let current = Current::read(deployment);
    let next = match rotated && steps::before_start(&current, deployment, caller).is_none() {
        true => vec![Next::helper("restart the stack to apply the new token", caller.command(&["restart"]))],
        false => steps::of_files(&current, deployment, caller),
    };
    Ok(Report { findings, next, ..Report::new(summary, data) })
}

fn refused(fault: Malformed) -> Report<SetData> {
    let state = TokenState::from(fault).name();
    let data = SetData { state, fingerprint: None, tunnel_id: None, changed: false };
    let report = Report::new(format!("nothing was written: {fault}; {}", Malformed::fix()), data);
    // The row's words are about the token in `.env`, which is as it was.
    let mut finding = secrets::finding_for(&fault);
    finding.title = "the input is not a tunnel token, so `.env` was not changed".to_owned();
    finding.cause = fault.to_string();
    finding.evidence.clear();
    Report { findings: vec![finding], ..report }
}

/// What `token check` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckData {
    /// The token in `.env`.
    state: TokenStateName,
    /// First twelve hex digits of the token's SHA-256.
    fingerprint: Option<String>,
    /// The tunnel that it belongs to.
    tunnel_id: Option<String>,
    /// Whether the shell exports another `TUNNEL_TOKEN`, which wins when Compose is run by hand.
    shadowed: bool,
    /// Mode of `.env`.
    mode: Option<String>,
    /// What git says of `.env`.
    git: GitState,
}

/// The command `token check`.
///
/// # Errors
/// `directory` when there is no deployment directory, reading errors.
pub(crate) fn check(deployment: &Deployment, caller: &Caller) -> Result<Report<CheckData>, Error> {
    deployment.require()?;
    let (env, unreadable) = match scaffold::read_env(deployment) {
        Ok(env) => (env, None),
        Err(error) => (None, Some(scaffold::unreadable_env(&error))),
    };
    let state = TokenState::of(env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref());
    let is_known = unreadable.is_none();
    let mut findings: Vec<Finding> = unreadable.or_else(|| secrets::state_finding(&state)).into_iter().collect();
    let token = match &state {
        TokenState::Set(token) => Some(token),
        TokenState::Placeholder | TokenState::Missing | TokenState::Malformed(_) => None,
    };
    let shadow = token.map(|token| secrets::shadow(token, caller));
    let shadowed = shadow.as_ref().map_or_else(|| caller.var(env_file::TOKEN).is_some(), Option::is_some);
    findings.extend(shadow.flatten());
    findings.extend(env.as_ref().and_then(scaffold::env_fault));
    let mut skipped = Vec::new();
    if is_known {
        match Places::of_layout(deployment).env_mode() {
            Ok(finding) => findings.extend(finding),
            Err(why) => skipped.push(Skipped::new(RuleId::EnvReadable, why.to_owned())),
        }
    }
    let git = git::state(deployment, path::ENV);
    findings.extend(secrets::git_finding(&git, path::ENV));
    if let GitState::Unknown(why) = &git {
        skipped.push(Skipped::new(RuleId::GitNotIgnored, why.clone()));
    }
    let mode =
        files::metadata(deployment, path::ENV).ok().flatten().map(|meta| format!("{:04o}", meta.mode() & 0o7777));
    let summary = match &state {
        _ if !is_known => "the state of the token is unknown: .env cannot be read".to_owned(),
        TokenState::Set(token) => format!(".env contains a well-formed token (fingerprint {})", token.fingerprint()),
        TokenState::Placeholder => "the token is not set: .env contains the placeholder".to_owned(),
        TokenState::Missing => ".env contains no token".to_owned(),
        TokenState::Malformed(fault) => format!("the value in .env is not a token: {fault}"),
    };
    let data = CheckData {
        state: if is_known { state.name() } else { TokenStateName::Unknown },
        fingerprint: token.map(Token::fingerprint),
        tunnel_id: token.map(|token| token.tunnel_id().to_owned()),
        shadowed,
        mode,
        git,
    };
    // With a token the tunnel may have run for a long time: the remaining steps are not listed after every check.
    let next = Vec::from_iter((is_known && token.is_none()).then(|| steps::token_step(caller)));
    Ok(Report { findings, skipped, next, ..Report::new(summary, data) })
}
