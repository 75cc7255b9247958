//! Findings about the token and about secrets that git would take.

use crate::answer::{Finding, Subject};
use crate::caller::Caller;
use crate::deployment::env_file;
use crate::deployment::token::Malformed;
use crate::deployment::{Token, TokenState};
use crate::os::git::GitState;
use crate::rules::{self, RuleId};

/// The finding that goes with a text that is not a token.
pub(crate) fn finding_for(fault: &Malformed) -> Finding {
    let id = match TokenState::from(*fault) {
        TokenState::Missing => RuleId::TokenMissing,
        TokenState::Placeholder => RuleId::TokenPlaceholder,
        TokenState::Set(_) | TokenState::Malformed(_) => RuleId::TokenMalformed,
    };
    rules::finding(id).with(fault.to_string())
}

/// The finding about the text in `.env`, if it is not a token.
pub(crate) fn state_finding(state: &TokenState) -> Option<Finding> {
    match state {
        TokenState::Set(_) => None,
        TokenState::Placeholder => Some(rules::finding(RuleId::TokenPlaceholder)),
        TokenState::Missing => Some(rules::finding(RuleId::TokenMissing)),
        TokenState::Malformed(fault) => Some(finding_for(fault)),
    }
}

/// Whether the shell's `TUNNEL_TOKEN` would win over this one when Compose is run by hand. Prints neither.
pub(crate) fn shadow(token: &Token, caller: &Caller) -> Option<Finding> {
    let exported = caller.var(env_file::TOKEN)?.to_string_lossy().into_owned();
    crate::redact::guard(&exported);
    (exported.trim() != token.expose()).then(|| {
        rules::finding(RuleId::TokenShadowed).about(Subject::Variable { name: env_file::TOKEN.into() }).with(format!(
            "fingerprint of the shell's value {}, of .env {}",
            crate::deployment::token::fingerprint(exported.trim()),
            token.fingerprint()
        ))
    })
}

/// The finding that goes with what git says of a file with a secret.
pub(crate) fn git_finding(state: &GitState, inside: &str) -> Option<Finding> {
    let (rule, said) = match state {
        GitState::NoRepository | GitState::Ignored | GitState::Unknown(_) => return None,
        GitState::NotIgnored => (RuleId::GitNotIgnored, "is not ignored"),
        GitState::Tracked => (RuleId::GitTracked, "is in git's index"),
    };
    Some(rules::finding(rule).about(Subject::file(inside)).with(format!("`{inside}` {said}")))
}
