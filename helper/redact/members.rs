//! Members of objects that are secret because of what the object is: the private ones of a JWK, all of a Secret of
//! Kubernetes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::letters::{QUOTES, closed, in_quotes, is_letter, opening};
use super::text::{REDACTED, Range};

/// Private members of a key (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The values.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    if text.contains("kty") {
        ranges.extend(text.match_indices(':').filter_map(|(at, _)| {
            let named = text[..at].trim_end().trim_end_matches(QUOTES);
            let name = PRIVATE.iter().find(|name| named.ends_with(**name))?;
            let is_whole = named.len() < at && !named[..named.len() - name.len()].ends_with(is_letter);
            is_whole.then(|| quoted(text, at + 1)).flatten()
        }));
    }
    let mut secret = None;
    let is_secret = || {
        text.match_indices("kind").any(|(at, _)| {
            let value =
                text[at + 4..].trim_start_matches(|c: char| QUOTES.contains(&c) || c.is_whitespace() || c == ':');
            value.strip_prefix("Secret").is_some_and(|rest| !rest.starts_with(is_letter))
        })
    };
    for (at, name) in text.match_indices("stringData").chain(text.match_indices("\"data")) {
        let behind = text[at + name.len()..].trim_start_matches(QUOTES).trim_start().strip_prefix(':');
        if let Some(inside) = behind.and_then(|behind| behind.trim_start().strip_prefix('{')) {
            let values = values(text, text.len() - inside.len());
            let all = name == "stringData" || !values.is_empty() && *secret.get_or_insert_with(is_secret);
            ranges.extend(values.into_iter().filter(|(start, end)| all || is_encoded(&text[*start..*end])));
        }
    }
    ranges
}

/// Whether a value is base64 of words, as those of Secrets are.
pub(super) fn is_encoded(value: &str) -> bool {
    let words = STANDARD.decode(value).ok().filter(|bytes| bytes.len() >= 6);
    words.is_some_and(|bytes| bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t')))
}

/// The values of an object of texts whose members begin at a place.
fn values(text: &str, mut at: usize) -> Vec<Range> {
    let mut ranges = Vec::new();
    let is_between = |c: char| c.is_whitespace() || c == ',';
    loop {
        let member = text[at..].trim_start_matches(is_between);
        let (quote, rest) = member.split_at(opening(member).len());
        let name = closed(rest, quote);
        let Some(behind) = rest[name..].strip_prefix(quote).and_then(|rest| rest.trim_start().strip_prefix(':')) else {
            return ranges;
        };
        let Some((start, end)) = quoted(text, text.len() - behind.len()).filter(|_| !quote.is_empty()) else {
            return ranges;
        };
        ranges.push((start, end));
        at = end + opening(&text[end..]).len();
    }
}

/// The value in quotes behind a sign that is not redacted yet.
fn quoted(text: &str, at: usize) -> Option<Range> {
    let (value, length) = in_quotes(text[at..].trim_start())?;
    let start = text.len() - value.len();
    (&value[..length] != REDACTED).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;
    use crate::redact::expect::keeps;

    #[test]
    fn members_go_because_of_their_object() {
        for (said, shown) in [
            (
                r#"{"kty":"EC","crv":"P-256","x":"aa","y":"bb","d":"s3cr3t"}"#,
                r#"{"kty":"EC","crv":"P-256","x":"aa","y":"bb","d":"[redacted]"}"#,
            ),
            (r#"{"k":"s3cr3t","kty":"oct","kid":"1"}"#, r#"{"k":"[redacted]","kty":"oct","kid":"1"}"#),
            (
                r#"{"kind":"Secret","data":{"a":"s3cr3t","b.c":"s3cr3t"},"type":"Opaque"}"#,
                r#"{"kind":"Secret","data":{"a":"[redacted]","b.c":"[redacted]"},"type":"Opaque"}"#,
            ),
            (r#"{\"stringData\": {\"a\": \"s3cr3t\"}}"#, r#"{\"stringData\": {\"a\": \"[redacted]\"}}"#),
        ] {
            assert_eq!(evidence(said), shown);
            assert_eq!(evidence(shown), shown);
        }
        keeps(&[
            r#"{"kind":"ConfigMap","data":{"a":"b"}}"#,
            r#"{"kind":"SecretStore","data":{"a":"b"}}"#,
            r#"{"x":1,"k":"v","d":"2d"}"#,
        ]);
    }
}
