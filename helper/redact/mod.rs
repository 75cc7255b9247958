//! The redactor: no token, no key and no password of the deployment leaves the process, and foreign text is quoted in a
//! form that can neither hide nor move anything.
//!
//! `known` are the secrets that this process has seen, `shapes` what a secret looks like, `names` what it is called;
//! `gate` applies them to answers, evidence, diffs and the lines of a log.

use std::borrow::Cow;

pub(crate) mod gate;
pub(crate) mod known;
pub(crate) mod names;
mod shapes;

pub(crate) use gate::{Lines, cut, evidence, foreign, gate, head, one_line, strict};
pub(crate) use known::{guard, guard_named};
pub(crate) use names::is_secret;

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Replaces tokens, JWTs, private keys and every known secret, whole or in pieces.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    // Whole secrets first; pieces last, or what is left between two of them would no longer look like a token.
    for step in [known::without_whole, shapes::without_keys_and_tokens, known::without_pieces] {
        if let Some(clean) = step(&out) {
            out = Cow::Owned(clean);
        }
    }
    // One secret that was found in two ways.
    let twice = REDACTED.repeat(2);
    while out.contains(&twice) {
        out = Cow::Owned(out.replace(&twice, REDACTED));
    }
    out
}
