//! Credentials behind the schemes of HTTP authentication, whatever the header in front of them is called: the name may have
//! been truncated, or one of its bytes broken.

use super::letters::{closed, is_blank, name_length, opening};
use super::said::PARTICLES;
use super::text::{REDACTED, Range};
use crate::list::list;

/// Schemes with one word behind them (RFC 6750, RFC 7617).
const WORD: [&str; 2] = list("bearer basic");
/// Schemes with one long word behind them: shorter ones are prose (RFC 4559, RFC 9449, RFC 9635).
const LONG_WORD: [&str; 4] = list("negotiate ntlm dpop gnap");
/// Parameters of a challenge, and of an answer with a token (RFC 6749, RFC 6750, RFC 9728).
const CHALLENGE: [&str; 8] = list("realm resource_metadata error error_description error_uri scope charset expires_in");
/// What is said about schemes, and is no credential.
const KEYWORDS: [&str; 13] =
    list("bearer basic auth token tokens authentication scheme header credentials required or and is");
/// What may surround a credential.
const OPENING: [char; 5] = ['"', '\'', '<', '[', '('];
/// What no prose has as a word, in bytes.
const LONG: usize = 20;
/// Schemes with parameters behind them (RFC 7616, RFC 7486, RFC 7804, RFC 8292, RFC 9577, RFC 5849, and those of AWS and Hawk).
const PARAMETERS: [&str; 9] =
    list("digest hoba scram-sha-1 scram-sha-256 vapid privatetoken aws4-hmac-sha256 hawk oauth");

/// The credentials.
pub(super) fn credentials(text: &str) -> Vec<Range> {
    let lower = text.to_ascii_lowercase();
    let mut ranges = Vec::new();
    let mut each = |schemes: &[&str], end: &dyn Fn(usize) -> Option<usize>| {
        for scheme in schemes {
            for (at, _) in lower.match_indices(scheme) {
                let start = behind(text, at, scheme);
                ranges.extend(start.and_then(|start| Some((start, end(start)?))));
            }
        }
    };
    each(&WORD, &|start| {
        let end = word(text, start);
        let said = lower[start..end].trim_end_matches([':', '.', '!', '?']);
        let is_prose = text[..start].trim_end().to_ascii_lowercase().ends_with("basic")
            && text[start..end].trim_end_matches(['.', ':']).bytes().all(|b| b.is_ascii_lowercase());
        let is_keyword = is_prose || said.is_empty() || KEYWORDS.contains(&said) || PARTICLES.contains(&said);
        let is_parameter =
            CHALLENGE.iter().any(|name| lower[start..end].strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        (!is_keyword && !is_parameter && &text[start..end] != REDACTED).then_some(end)
    });
    each(&LONG_WORD, &|start| Some(word(text, start)).filter(|end| end - start >= LONG));
    each(&PARAMETERS, &|start| parameters(text, start));
    ranges
}

/// Whether a header's value that begins at `start` is a scheme, and what is behind it nothing, or among the credentials.
pub(super) fn is_all(value: &str, start: usize, credentials: &[Range]) -> bool {
    WORD.iter().any(|scheme| {
        let named = value.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme));
        let rest = if named { &value[scheme.len()..] } else { return false };
        let found =
            || behind(value, 0, scheme).is_some_and(|at| credentials.iter().any(|(from, _)| *from == start + at));
        let is_gone = || rest.trim_start().starts_with(REDACTED) && word(rest.trim_start(), 0) == REDACTED.len();
        rest.is_empty() || is_gone() || found()
    })
}

/// Where what a scheme is followed by begins, however many blanks are between, and a quote.
fn behind(text: &str, at: usize, scheme: &str) -> Option<usize> {
    let behind = &text[at + scheme.len()..];
    let mut gap = behind.len() - behind.trim_start_matches(is_blank).len();
    // `bearer, X` among the protocols of a WebSocket; `Bearer\ X`.
    for escaped in ["\\t", "\\ ", "%20", "+", ", "] {
        if gap == 0 && behind.starts_with(escaped) {
            gap = escaped.len();
        }
    }
    let joined = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let rest = &behind[gap..];
    let is_opening = |(at, c): &(usize, char)| OPENING.contains(c) && !rest[*at..].starts_with(REDACTED);
    let opened = rest.char_indices().take_while(is_opening).count();
    (gap > 0 && !joined).then_some(at + scheme.len() + gap + opened)
}

/// The end of a credential of one word.
fn word(text: &str, start: usize) -> usize {
    let redacted = if text[start..].starts_with(REDACTED) { REDACTED.len() } else { 0 };
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ']' | '}' | ')' | '\\' | '>');
    let rest = &text[start + redacted..];
    start + redacted + rest.find(ends).unwrap_or(rest.len())
}

/// The end of `name="value", name=value`; `None` without one.
fn parameters(text: &str, start: usize) -> Option<usize> {
    let blanks = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    let mut end = None;
    let mut at = start;
    loop {
        let name = name_length(&text[at..]);
        let sign = blanks(at + name);
        if name == 0 || !text[sign..].starts_with('=') {
            return end;
        }
        let value = blanks(sign + 1);
        let quote = opening(&text[value..]);
        let over = if quote.is_empty() {
            let length = text[value..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '\\'));
            length.map_or(text.len(), |length| value + length)
        } else {
            let end = value + quote.len() + closed(&text[value + quote.len()..], quote);
            end + opening(&text[end..]).len()
        };
        end = Some(over);
        let Some(rest) = text[over..].trim_start().strip_prefix(',') else { return end };
        at = text.len() - rest.trim_start().len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;

    #[test]
    fn credentials_go_whatever_is_in_front_of_them() {
        for (said, shown) in [
            ("Digest username=\"u\", response=\"abc\" x", "Digest [redacted] x"),
            (r#"{"h":"Digest username=\"u\", response=\"abc\"","n":1}"#, r#"{"h":"Digest [redacted]","n":1}"#),
            ("x: AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=h, Signature=f0", "x: AWS4-HMAC-SHA256 [redacted]"),
            (r#"Hawk a=\"b c"＝ x"#, "Hawk [redacted]＝ x"),
            ("got Negotiate YIIBhwYGKwYBBQUCoIIB y", "got Negotiate [redacted] y"),
            (
                "negotiate failed, digest sha256:abc does not match",
                "negotiate failed, digest sha256:abc does not match",
            ),
            ("Bearer  9f1c2b7de04a y", "Bearer  [redacted] y"),
        ] {
            assert_eq!(evidence(said), shown, "{said}");
        }
    }
}
