//! What docker, Compose, cloudflared, the proxy and servers print, and what it means: text → rule, one row
//! for the wordings of one meaning, `…` between the texts of one.
//!
//! Texts are literals, never anchored and without a level field: the proxy's format is not documented, cloudflared has
//! two. A wording that no row knows is still found, as an error line without a row (`level`).

pub(crate) mod answers;
mod cloudflared;
mod cluster;
mod compose;
mod container;
mod crashes;
mod engine;
mod engine_text;
mod pattern;
mod proxy;
mod refusals;
mod server;

pub(crate) use cloudflared::{CLOUDFLARED, HIDDEN_REJECTION};
pub(crate) use cluster::{CLUSTER, WARNED, is_warning};
pub(crate) use compose::COMPOSE;
pub(crate) use container::CONTAINER;
pub(crate) use crashes::CRASHES;
pub(crate) use engine::{ENGINE, engine_patterns};
pub(crate) use engine_text::{is_engine_error, is_engines_own};
pub(crate) use pattern::{Effect, Event, Pattern, Tell};
pub(crate) use proxy::PROXY;
pub(crate) use refusals::REFUSALS;
pub(crate) use server::SERVER;

use crate::rules::RuleId;

/// An error line that no row explains.
pub(crate) static UNEXPLAINED: Pattern = Pattern::new(Some(RuleId::UnexplainedError), Effect::Call, &["error"]);
/// An error of a tool, in a server's own words.
pub(crate) static TOOL: Pattern = Pattern::new(Some(RuleId::ToolFailed), Effect::Outgoing, &["tool"]);
/// An exception that ended a server, or one call.
pub(crate) static EXCEPTION: Pattern = Pattern::new(Some(RuleId::UpstreamTraceback), Effect::Fatal, &["Error"]);
/// A command line that a server answers with how to call it.
pub(crate) static USAGE: Pattern = Pattern::new(Some(RuleId::UpstreamUsage), Effect::Fatal, &["sage"]);
/// A QUIC connection on which nothing arrives.
pub(crate) static SWALLOWED: Pattern = Pattern::new(Some(RuleId::EdgeQuicBlocked), Effect::Attempt, &["timeout"]);
/// An error of docker or Compose that no row explains.
pub(crate) static ENGINE_FAILED: Pattern =
    Pattern::new(Some(RuleId::DockerFailed), Effect::Fatal, &["error"]).tells(&[Tell::Weak]).fix(OF_A_COMMAND);
/// An error line of the daemon's own log that no row explains.
pub(crate) static DAEMON_FAILED: Pattern =
    Pattern::new(Some(RuleId::DockerFailed), Effect::Attempt, &["error"]).tells(&[Tell::Weak]).fix(OF_THE_DAEMON);

/// Advice for a command that a person ran, and whose output is the log.
const OF_A_COMMAND: &str = "read the line in the evidence to its end, where docker names the cause, and fix that; if the words are unclear, search for them together with the version that `docker version` prints; then run the same command again";
/// Advice for the daemon's journal.
const OF_THE_DAEMON: &str = "read the lines around it in `sudo journalctl -u docker.service -u containerd.service`, and fix what they name; if the stack works all the same, the line is of no concern to it";

/// The rule of a line after which the program that printed it cannot continue, or continues in vain.
pub(crate) fn proof(line: &str, patterns: &[Pattern]) -> Option<RuleId> {
    let pattern = patterns.iter().find(|pattern| pattern.fits(line))?;
    (pattern.effect == Effect::Fatal || pattern.rule == Some(RuleId::TokenRejected)).then_some(pattern.rule).flatten()
}
