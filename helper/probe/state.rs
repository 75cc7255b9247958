//! The state of a route, and what is behind it.

use schemars::JsonSchema;
use serde::Serialize;

use super::wire::Listener;

/// Whether Claude can call a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Callability {
    /// An MCP server answered a real MCP request.
    Callable,
    /// A server answered and wants a credential.
    NeedsCredential,
    /// The running proxy has not read this route.
    NotApplied,
    /// A server answered, and not as an MCP server for this host name and path.
    Refused,
    /// No server answered.
    Unreachable,
    /// It could not be tried.
    #[default]
    NotChecked,
}

impl Callability {
    /// Whether Claude's call would be answered.
    pub(crate) fn is_callable(self) -> bool {
        matches!(self, Self::Callable | Self::NeedsCredential)
    }
}

/// What is behind a route, as far as the helper can see it from outside.
#[derive(Clone, Debug, Default)]
pub(crate) enum Behind {
    /// A container: the name of its service, and the listening sockets of its network namespace.
    Container {
        /// Name of the service, or of the container.
        name: String,
        /// Its listening sockets, if they were looked at.
        listening: Option<Vec<Listener>>,
    },
    /// The machine that the engine runs on.
    Host {
        /// Its listening sockets, if they can be read.
        listening: Option<Vec<Listener>>,
    },
    /// Something else.
    #[default]
    Unknown,
}

impl Behind {
    pub(super) fn listening(&self) -> Option<&[Listener]> {
        match self {
            Self::Container { listening, .. } | Self::Host { listening } => listening.as_deref(),
            Self::Unknown => None,
        }
    }
}
