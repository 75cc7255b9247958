//! The call in an answer, and how far one came.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Error, Evidence, Finding, Skipped};

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reached {
    /// None came through the tunnel.
    NotToCloudflared,
    /// cloudflared received it; nothing shows that the proxy did.
    ToCloudflared,
    /// The proxy received it; nothing shows that a server did.
    ToProxy,
    /// A server received it, and nothing shows that it answered as asked.
    ToServer,
    /// A server answered it.
    Answered,
}

impl Reached {
    /// In words, after "the call".
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::NotToCloudflared => "did not arrive at cloudflared",
            Self::ToCloudflared => "reached cloudflared, and was not seen at the proxy",
            Self::ToProxy => "reached the proxy, and was not seen at a server",
            Self::ToServer => "reached the server, and was not answered as asked",
            Self::Answered => "was answered",
        }
    }
}

/// What may keep a call from coming further, where nothing proves one of them; in the order in which to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Suspect {
    /// The tunnel is not Active in the Console.
    Console,
    /// The CA of this deployment is not the registered one.
    Ca,
    /// The call was made in another workspace or organisation.
    Workspace,
    /// The call names another host than a route's.
    Subdomain,
    /// The handshake inside the tunnel.
    Tls,
    /// The host name is that of no route.
    Route,
    /// The proxy cannot dial the server, or gets no answer.
    Address,
}

impl Suspect {
    pub(super) const ALL: [Self; 7] =
        [Self::Console, Self::Ca, Self::Workspace, Self::Subdomain, Self::Tls, Self::Route, Self::Address];

    /// What to look at. `{domain}` and `{helper}` are filled in.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Console => "the tunnel is not Active in the Console (Manage > MCP tunnels)",
            Self::Ca => {
                "the CA in the Console is not this deployment's: compare its fingerprint with `ca.fingerprint_sha256` \
                 of `{helper} certs check --dir {dir}`"
            }
            Self::Workspace => "the call was made in another workspace or organisation than the tunnel's",
            Self::Subdomain => "the call names another host than `ROUTE.{domain}`",
            Self::Tls => "the TLS handshake inside the tunnel fails: `{helper} certs check --dir {dir}` tries it",
            Self::Route => "no route of the proxy has the called name: `{helper} status --dir {dir}` lists them",
            Self::Address => "the proxy cannot reach the server: `{helper} probe --dir {dir}` tries it",
        }
    }
}

/// A possibility, not a finding.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Possibility {
    /// Which one.
    pub(super) id: Suspect,
    /// What to look at.
    pub(super) what: String,
}

/// The call in an answer.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct CallData {
    /// How far it came; `null` where that is unknown.
    pub(super) reached: Option<Reached>,
    /// How long was waited.
    pub(super) waited_ms: u64,
    /// Calls that cloudflared counted during the wait; `null` where it was not asked.
    pub(super) requests: Option<u64>,
    /// How many of them it could not forward, or whose caller hung up.
    pub(super) errors: Option<u64>,
    /// Lines and numbers that show how far it came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub(super) seen: Vec<Evidence>,
    /// What may be the reason where none is proven, in the order in which to check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) possible: Vec<Possibility>,
}

impl CallData {
    /// Whether a server answered the call.
    pub(in super::super) fn is_answered(&self) -> bool {
        self.reached == Some(Reached::Answered)
    }
}

/// What became of the wait.
#[derive(Default)]
pub(in super::super) struct Waited {
    /// For the answer.
    pub(in super::super) data: CallData,
    /// In words.
    pub(in super::super) sentence: String,
    /// What is proven by what was printed meanwhile, and that a call did not arrive.
    pub(in super::super) findings: Vec<Finding>,
    /// Why the course of a call is unknown.
    pub(in super::super) skipped: Vec<Skipped>,
}

/// Longest wait, in seconds.
const LONGEST: u32 = 3600;

/// The time that a request asks to wait.
///
/// # Errors
/// `request` out of bounds.
pub(in super::super) fn limit(seconds: u32) -> Result<std::time::Duration, Error> {
    if !(1..=LONGEST).contains(&seconds) {
        let text = format!("`wait_for_call_seconds` is {seconds}; it must be 1 to {LONGEST}");
        return Err(Error::request(text, "300 leaves time for a call from a new session"));
    }
    Ok(std::time::Duration::from_secs(seconds.into()))
}
