//! The tunnel's numbers in the answers of `up`, `status` and `restart`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::logs::cloudflared::CONNECTIONS;
use crate::stack::judge::StackState;

/// Connections of cloudflared to the tunnel edge.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct Connections {
    /// Distinct ones that are registered; `null` where neither cloudflared nor its log can tell (then the health check
    /// decides).
    registered: Option<u32>,
    /// How many there should be.
    wanted: u32,
}

impl Default for Connections {
    fn default() -> Self {
        Self { registered: None, wanted: CONNECTIONS }
    }
}

impl Connections {
    pub(super) fn of(state: &StackState) -> Self {
        Self { registered: state.connections, wanted: state.wanted }
    }
}

/// Calls that came through the tunnel.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct Calls {
    /// How many.
    total: u64,
    /// How many of them cloudflared could not forward.
    errors: u64,
    /// Since when they are counted.
    since_seconds: u64,
}

impl Calls {
    /// Those that cloudflared counted since its start, if it was asked.
    pub(super) fn of(state: &StackState, agent: &str) -> Option<Self> {
        let metrics = state.metrics.as_ref()?;
        let container = state.containers.iter().find(|c| c.service == agent);
        let since_seconds = container.and_then(|c| c.up_seconds).unwrap_or_default();
        Some(Self { total: metrics.requests?, errors: metrics.errors.unwrap_or_default(), since_seconds })
    }
}
