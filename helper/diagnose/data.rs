//! Request and answer of `diagnose`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::call::CallData;
use crate::answer::Error;
use crate::logs::verdict::LogVerdict;
use crate::probe::state::Callability;
use crate::redact;
use crate::stack::judge::{ContainerState, RouteState, StackState};

/// The request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DiagnoseRequest {
    /// A saved log: the path of a file as it is written, or `-` for standard input. Neither Docker nor a directory is
    /// needed then. Left out: the deployment itself.
    pub(crate) logs: Option<String>,
    /// Leave out what was printed before: a moment (`2026-11-22T20:45:00Z`) or an age (`90s`, `15m`, `2h`, `1d`).
    pub(crate) since: Option<String>,
    /// Also write a support bundle to this path, a `.tar.gz` or `.tgz` that must not exist: versions, digests, redacted
    /// files and logs of the deployment, never a key or a token.
    pub(crate) bundle: Option<String>,
    /// Wait at most so many seconds (1 to 3600) while you call the tunnel from Claude, and say how far the call
    /// came.
    pub(crate) wait_for_call_seconds: Option<u32>,
    /// Stop reading standard input after so many seconds (60), in case it never ends.
    pub(crate) max_seconds: Option<u32>,
}

/// What `diagnose` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DiagnoseData {
    /// Whether it was seen to work, and nothing later says otherwise. Nothing wrong seen is not healthy.
    pub(super) healthy: bool,
    /// Counts and the last state.
    pub(super) signals: Signals,
    /// Lines that were read.
    pub(super) lines: u64,
    /// Bytes that were read.
    pub(super) bytes: u64,
    /// The deployment's containers; left out where a call was answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) containers: Vec<ContainerState>,
    /// The call that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<CallData>,
    /// The support bundle, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bundle: Option<Bundle>,
}

/// What was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Bundle {
    /// Where it is, mode 0600.
    pub(super) path: String,
    /// How large it is.
    pub(super) bytes: u64,
    /// What is in it.
    pub(super) entries: Vec<String>,
}

/// What the lines add up to.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Signals {
    /// Whether at least one edge connection is registered; `null` where nothing tells.
    pub(super) connected: Option<bool>,
    /// Whether the running proxy read its routes; `null` where nothing tells.
    pub(super) applied: Option<bool>,
    /// Whether an MCP server answered, or, in a log, whether the last call was answered; `null` where nothing tells.
    pub(super) callable: Option<bool>,
    /// All three; `null` where one of them is not known.
    pub(super) ready: Option<bool>,
    /// Edge connections that are registered now (before a stop on purpose, those until then); `null` where nothing of
    /// cloudflared was read.
    pub(super) registered: Option<u32>,
    /// How many there should be.
    pub(super) wanted: u32,
    /// How they are made, `quic` or `http2`.
    pub(super) protocol: Option<String>,
    /// The state of cloudflared: `starting`, `retrying`, `registered`, `lost`, `ended`, `stopped`.
    pub(super) edge: Option<&'static str>,
    /// Routes that the proxy logged as loaded.
    pub(super) routes: u32,
    /// Whether the last call went well; `null` where none was seen.
    pub(super) last_call: Option<bool>,
    /// Who printed: name and role (`proxy`, `cloudflared`, `server`, `unknown`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<LogSource>,
}

/// One program in a log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogSource {
    /// Its service, as far as the prefix tells.
    name: String,
    /// Its role.
    role: &'static str,
}

impl Signals {
    /// What was seen of a stack outweighs what its logs say.
    pub(super) fn of_stack(verdict: &LogVerdict, state: &StackState) -> Self {
        let is_callable = |route: &RouteState| match route.state {
            Callability::NotChecked => None,
            state => Some(state.is_callable()),
        };
        let is_applied =
            |route: &RouteState| if route.state == Callability::NotApplied { Some(false) } else { route.configured };
        let connected = state.connections.map(|n| n > 0).or(state.ready.then_some(true));
        Self {
            connected,
            applied: all_of(state.routes.iter().map(is_applied)),
            callable: all_of(state.routes.iter().map(is_callable)),
            ready: state.is_ready(),
            registered: state.connections.or(verdict.registered),
            wanted: state.wanted,
            last_call: verdict.last_call.filter(|answered| !(*answered && state.is_uncalled())),
            // The containers are listed in the answer, each with its service.
            sources: Vec::new(),
            ..Self::of(verdict)
        }
    }

    pub(super) fn of(verdict: &LogVerdict) -> Self {
        let sources = verdict.sources.iter().take(12);
        let connected = verdict.registered.map(|registered| registered > 0);
        let callable = verdict.last_call;
        // A call that was answered went through a route.
        let applied = (verdict.routes > 0 || callable == Some(true)).then_some(true);
        Self {
            connected,
            applied,
            callable,
            ready: all_of([connected, applied, callable]),
            registered: verdict.registered,
            wanted: verdict.wanted,
            protocol: verdict.protocol.clone(),
            edge: verdict.edge,
            routes: verdict.routes,
            last_call: verdict.last_call,
            sources: sources.map(|(name, role)| LogSource { name: redact::cut(name, 80), role }).collect(),
        }
    }
}

/// Whether all of them are so: one that is not decides, otherwise one that is not known; `None` for none at all.
fn all_of(facts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let facts: Vec<Option<bool>> = facts.into_iter().collect();
    if facts.contains(&Some(false)) {
        return Some(false);
    }
    (!facts.is_empty() && !facts.contains(&None)).then_some(true)
}

/// A moment, as RFC 3339 or as an age.
pub(crate) fn moment(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    let wrong = || {
        Error::request(
            format!("`since` is `{text}`, which is neither a moment nor an age"),
            "write `2026-11-22T20:45:00Z`, or an age such as `90s`, `15m`, `2h`, `1d`",
        )
    };
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(moment);
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let age: u32 = number.parse().map_err(|_| wrong())?;
    let age = time::Duration::seconds(i64::from(age) * seconds);
    now.checked_sub(age).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn moments_and_ages() {
        let now = datetime!(2026-11-22 20:45 UTC);
        assert_eq!(moment("2026-11-22T20:00:00Z", now).unwrap(), datetime!(2026-11-22 20:00 UTC));
        assert_eq!(moment("15m", now).unwrap(), datetime!(2026-11-22 20:30 UTC));
        assert_eq!(moment("1d", now).unwrap(), datetime!(2026-11-21 20:45 UTC));
        for wrong in ["", "m", "-5m", "5", "yesterday", "5\u{e4}", "99999999999s"] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
        assert!(moment("4294967295d", now).is_err());
    }
}
