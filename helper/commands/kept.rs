//! Certificates and token of a deployment in short, for answers about more than them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::certs::CertificateInfo;
use crate::certs::file::{CertificateFile, File};
use crate::deployment::Deployment;
use crate::deployment::token::TokenStateName;
use crate::lint::facts::certificate_files;
use crate::model::current::Current;
use crate::model::found::Found;
use crate::model::pair;
use crate::model::token::{TokenOrigin, token_of};

/// A certificate in short; `certs check` has all of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct CertificateShort {
    /// Lower-case hex of the SHA-256 of the DER, as the Console's API shows it. Only of the CA, which is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint_sha256: Option<String>,
    /// End of its validity, RFC 3339.
    not_after: String,
    /// Whole days until its end; negative when it is over.
    days_left: i64,
}

impl CertificateShort {
    pub(in crate::commands) fn of(info: CertificateInfo, registered: bool) -> Self {
        let CertificateInfo { fingerprint_sha256, not_after, days_left, .. } = info;
        Self { fingerprint_sha256: registered.then_some(fingerprint_sha256), not_after, days_left }
    }
}

/// What a deployment keeps that ends or is replaced.
pub(super) struct Kept {
    pub(super) ca: Option<CertificateShort>,
    pub(super) server: Option<CertificateShort>,
    pub(super) token: TokenStateName,
}

impl Kept {
    /// Reads them from where the stack has them. What cannot be seen is left out.
    pub(super) fn of(current: &Current, deployment: &Deployment, caller: &Caller) -> Self {
        let roles = current.found.roles();
        let pair = pair::places(deployment, &current.found, roles.proxy.as_deref(), current.gateway.good());
        let files = certificate_files(deployment, &pair);
        let short = |file: &File<CertificateFile>| {
            let details = &file.good()?.first;
            Some(CertificateShort::of(CertificateInfo::of(details, caller.now), false))
        };
        Self {
            ca: files.as_ref().and_then(|files| short(&files.ca)),
            server: files.as_ref().and_then(|files| short(&files.server)),
            token: token_name(&current.found, deployment, caller),
        }
    }
}

/// The state of the token that cloudflared gets, from any source.
pub(super) fn token_name(found: &Found, deployment: &Deployment, caller: &Caller) -> TokenStateName {
    let token = token_of(found, deployment, caller, found.roles().agent.as_deref());
    let is_unseen = found.env_fault.is_some() || matches!(token.origin, TokenOrigin::Unseen(_));
    if is_unseen { TokenStateName::Unknown } else { token.state.name() }
}
