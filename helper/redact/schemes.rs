//! Credentials behind the schemes of HTTP authentication, whatever the header in front of them is called: the name may have
//! been truncated, or one of its bytes broken.

use super::letters::{closing, is_name};
use super::text::REDACTED;

/// Schemes with one word behind them (RFC 6750, RFC 7617).
const WORD: [&str; 2] = ["bearer", "basic"];
/// Schemes with one long word behind them: shorter ones are prose (RFC 4559, RFC 9449, RFC 9635).
const LONG_WORD: [&str; 4] = ["negotiate", "ntlm", "dpop", "gnap"];
/// What no prose has as a word, in bytes.
const LONG: usize = 20;
/// Schemes with parameters behind them (RFC 7616, RFC 7486, RFC 7804, RFC 8292, RFC 9577, and those of AWS and Hawk).
const PARAMETERS: [&str; 8] =
    ["digest", "hoba", "scram-sha-1", "scram-sha-256", "vapid", "privatetoken", "aws4-hmac-sha256", "hawk"];

/// Byte ranges of the credentials, in no order.
pub(super) fn credentials(text: &str) -> Vec<(usize, usize)> {
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
    let word = |start: usize| {
        let length = text[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ']' | '}' | ')' | '\\'));
        length.map_or(text.len(), |length| start + length)
    };
    let is_keyword =
        |word: &str| matches!(word, "" | "bearer" | "basic" | "auth" | "token" | "authentication" | "[redacted");
    let is_credential =
        |start: usize, end: usize| !is_keyword(&lower[start..end]) && !text[start..].starts_with(REDACTED);
    each(&WORD, &|start| Some(word(start)).filter(|end| is_credential(start, *end)));
    each(&LONG_WORD, &|start| Some(word(start)).filter(|end| end - start >= LONG));
    each(&PARAMETERS, &|start| parameters(text, start));
    ranges
}

/// Whether a header's value, in small letters, is a scheme and nothing that is not redacted.
pub(super) fn is_all(value: &str) -> bool {
    let behind = WORD.iter().find_map(|scheme| value.strip_prefix(scheme)).map(str::trim_start);
    behind.is_some_and(|rest| rest.is_empty() || rest.starts_with(REDACTED))
}

/// Where what a scheme is followed by begins, however many blanks are between.
fn behind(text: &str, at: usize, scheme: &str) -> Option<usize> {
    let behind = &text[at + scheme.len()..];
    let blank = |c: char| c.is_whitespace() || c == '\u{a0}';
    let mut gap = behind.len() - behind.trim_start_matches(blank).len();
    for escaped in ["\\t", "%20", "+"] {
        if gap == 0 && behind.starts_with(escaped) {
            gap = escaped.len();
        }
    }
    let joined = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (gap > 0 && !joined && !behind[..gap].contains('\n')).then_some(at + scheme.len() + gap)
}

/// The end of `name="value", name=value`; `None` without one.
fn parameters(text: &str, start: usize) -> Option<usize> {
    let mut end = None;
    let mut at = start;
    loop {
        let name = text[at..].bytes().take_while(|byte| is_name(*byte)).count();
        let value = at + name + 1;
        if name == 0 || text.as_bytes().get(value - 1) != Some(&b'=') {
            return end;
        }
        let slashes = text[value..].bytes().take_while(|byte| *byte == b'\\').count();
        let is_quoted = text[value + slashes..].starts_with(['"', '\'']);
        let over = if is_quoted {
            let opening = &text[value..=value + slashes];
            let length = closing(&text[value + opening.len()..], opening);
            (value + 2 * opening.len() + length).min(text.len())
        } else {
            let length = text[value..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '\\'));
            length.map_or(text.len(), |length| value + length)
        };
        end = Some(over);
        let rest = text[over..].trim_start_matches([' ', '\t']);
        let Some(rest) = rest.strip_prefix(',') else { return end };
        at = text.len() - rest.trim_start_matches([' ', '\t']).len();
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
