//! What docker, Compose, cloudflared, the proxy and servers print, and what it means: text → rule, one row a wording.
//!
//! Texts are literals, never anchored and without a level field: the proxy's format is not documented, cloudflared has
//! two. A wording that no row knows is still found, as an error line without a row (`level`).

pub(crate) mod answers;
mod cloudflared;
mod container;
mod engine;
mod engine_text;
mod pattern;
mod proxy;
mod server;

pub(crate) use cloudflared::{CLOUDFLARED, HIDDEN_REJECTION};
pub(crate) use container::{CONTAINER, is_container_pattern};
pub(crate) use engine::{ENGINE, engine_pattern};
pub(crate) use engine_text::{is_engine_error, is_engines_own};
pub(crate) use pattern::{Effect, Event, Pattern, Tell};
pub(crate) use proxy::PROXY;
pub(crate) use server::SERVER;

use crate::rules::RuleId;

/// An error line that no row explains.
pub(crate) static UNEXPLAINED: Pattern = Pattern::new(Some(RuleId::UnexplainedError), Effect::Call, &["error"]);
/// An exception that ended a server, or one call.
pub(crate) static EXCEPTION: Pattern = Pattern::new(Some(RuleId::UpstreamTraceback), Effect::Fatal, &["Error"]);
/// A QUIC connection on which nothing arrives.
pub(crate) static SWALLOWED: Pattern = Pattern::new(Some(RuleId::EdgeQuicBlocked), Effect::Attempt, &["timeout"]);
/// An error of docker or Compose that no row explains.
pub(crate) static ENGINE_FAILED: Pattern =
    Pattern::new(Some(RuleId::DockerFailed), Effect::Fatal, &["error"]).tells(&[Tell::Weak]);

/// All tables.
#[cfg(test)]
static TABLES: [&[Pattern]; 5] = [ENGINE, CLOUDFLARED, PROXY, SERVER, CONTAINER];

/// The rule of a line after which the program that printed it cannot continue, or continues in vain.
pub(crate) fn proof(line: &str, patterns: &[Pattern]) -> Option<RuleId> {
    let pattern = patterns.iter().find(|pattern| pattern.fits(line))?;
    (pattern.effect == Effect::Fatal || pattern.rule == Some(RuleId::TokenRejected)).then_some(pattern.rule).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_a_rule_unless_they_are_steps_or_noise() {
        for pattern in TABLES.into_iter().flatten() {
            let none = matches!(pattern.effect, Effect::Noise | Effect::Event(_));
            let hidden = pattern.parts.contains(&HIDDEN_REJECTION);
            assert!(pattern.rule.is_none() == none || hidden, "{pattern:?}");
            assert!(!pattern.parts.is_empty() && pattern.parts.iter().all(|part| part.len() >= 3), "{pattern:?}");
        }
    }
}
