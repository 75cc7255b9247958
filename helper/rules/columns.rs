//! What a row of the table says besides its words.

use schemars::JsonSchema;
use serde::Serialize;

/// Severity of a finding. Only an `error` makes the status `problems`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It does not work, or it leaks a secret.
    Error,
    /// It works, with a loss or a risk.
    Warning,
    /// Worth knowing.
    Note,
}

/// Where a finding sits, in the order in which to diagnose: a fault further up explains those further down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// Docker, Compose and the machine.
    Host,
    /// The deployment directory.
    Files,
    /// cloudflared, its token, and the way to the tunnel's edge.
    Edge,
    /// The inner TLS handshake.
    Tls,
    /// From the tunnel to the proxy, and from a host name to a route.
    Routing,
    /// The MCP server behind a route.
    Upstream,
}

/// What ends a fault: one act of the helper, or what a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cure {
    /// `up`: it starts what is missing.
    Up,
    /// `restart` of the stack, cloudflared included.
    Restart,
    /// `init` with the domain.
    Init,
    /// `token set`, which only a person can do.
    Token,
    /// `certs issue`.
    Issue,
    /// `certs renew`.
    Renew,
    /// `certs rotate-ca`: a new CA.
    RotateCa,
    /// `allow`, which only a person can do.
    Allow,
    /// `render` with the request that the `fix` says.
    Render,
    /// A person's act or decision; the helper command in the `fix` comes with it.
    ByHandThen,
    /// A helper command that tells which of several causes it is.
    Look,
    /// What the row's `fix` says, without the helper.
    ByHand,
}

impl Cure {
    /// Words of the helper command that ends the fault, where one does.
    #[cfg(test)]
    pub(crate) fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::Up => "up",
            Self::Restart => "restart",
            Self::Init => "init",
            Self::Token => "token set",
            Self::Issue => "certs issue",
            Self::Renew => "certs renew",
            Self::RotateCa => "certs rotate-ca",
            Self::Render => "render",
            Self::Allow => "allow",
            Self::ByHandThen | Self::Look | Self::ByHand => return None,
        })
    }
}
