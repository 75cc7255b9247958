//! What passes: the one gate of all answers, and the forms in which foreign text may be quoted.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::escapes::Plain;
use super::letters::is_invisible;
use super::text::{Range, cut, head, merged, replaced};
use super::{addresses, following, known, names, service_keys, shapes};

/// Longest excerpt, in characters.
const EVIDENCE: usize = 300;
/// Foreign text that is read for one excerpt, in bytes: what is truncated in the end need not be read.
const READ: usize = 16 << 10;
/// No token and no key is shorter, in bytes.
const SHORTEST_TOKEN: usize = 20;

/// Replaces tokens, JWTs, private keys and every known secret, whole or in pieces.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    replaced(text, &merged(secrets(text)))
}

/// What is a secret in any place.
fn secrets(text: &str) -> Vec<Range> {
    [known::ranges, shapes::keys_and_tokens].iter().flat_map(|ranges| ranges(text)).collect()
}

/// Whether a part of a text has the form of a secret, known or not.
pub(crate) fn has_secret_form(text: &str) -> bool {
    [shapes::keys_and_tokens, service_keys::ranges, shapes::runs].iter().any(|ranges| !ranges(text).is_empty())
}

/// Foreign text as evidence: a [`foreign`] text of at most 300 characters.
pub(crate) fn evidence(text: &str) -> String {
    cut(&foreign(whole_words(text.trim(), READ)), EVIDENCE)
}

/// Foreign text as evidence, whose important part may be far from its beginning: redacted as a whole, then cut.
pub(crate) fn excerpt(text: &str, around: &str) -> String {
    let clean = foreign(text);
    let before = clean.find(around).map_or(0, |at| clean[..at].chars().count());
    if clean.chars().count() <= EVIDENCE || before <= EVIDENCE / 2 {
        return cut(&clean, EVIDENCE);
    }
    // Whole words only: half a word is not evidence, and might be half a secret whose name is missing.
    let is_gap = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '{');
    let begin = clean.char_indices().nth(EVIDENCE / 4).map_or(clean.len(), |(end, _)| end);
    let begin = clean[..begin].rfind(is_gap).unwrap_or_default();
    let at = clean.find(around).unwrap_or_default();
    let from = clean[..at].char_indices().rev().nth(EVIDENCE / 4).map_or(0, |(from, _)| from);
    let word = clean[from..at].find(is_gap).map_or(at, |gap| from + gap + 1);
    // The line's beginning has its time and level.
    cut(&format!("{}… {}", &clean[..begin], clean[word..].trim_start()), EVIDENCE)
}

/// A line of another program: without tokens, keys, header secrets, passwords in URLs and e-mail addresses, and
/// with everything escaped that would not show, or would show in another place.
pub(crate) fn foreign(text: &str) -> String {
    foreign_without(text, Vec::new())
}

/// The same, where parts of the text are known to be secret.
pub(super) fn foreign_without(text: &str, secret: Vec<Range>) -> String {
    escaped(&cleaned(text, secret), |_| false).into_owned()
}

/// All that is known of secrets, applied to foreign text. Each is looked for in the text as it is: what one of them takes
/// may be the name, the quote or the scheme by which another is found.
fn cleaned(text: &str, secret: Vec<Range>) -> Cow<'_, str> {
    let named = |text: &str| {
        let all = [names::ranges, addresses::ranges, service_keys::ranges];
        all.into_iter().flat_map(|ranges| ranges(text)).collect::<Vec<_>>()
    };
    let mut ranges = secret;
    ranges.extend(secrets(text));
    ranges.extend(following::ranges(text));
    ranges.extend(named(text));
    if let Some(plain) = Plain::of(text) {
        ranges.extend(named(&plain.text).into_iter().map(|range| plain.place(range)));
    }
    let mut ranges = merged(ranges);
    // Between them only: where a run is a name with its value, the name stays.
    let mut from = 0;
    for (start, end) in ranges.clone().into_iter().chain([(text.len(), text.len())]) {
        ranges.extend(shapes::runs(&text[from..start]).into_iter().map(|(a, b)| (from + a, from + b)));
        from = end;
    }
    replaced(text, &merged(ranges))
}

/// Escapes control characters, but those that are kept, and what cannot be seen.
fn escaped(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    let hides = |c: char| (c.is_control() || is_invisible(c)) && !keep(c);
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hides(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// At most so many bytes from the beginning, without a word that would be cut in two: half a secret has no name.
fn whole_words(text: &str, most: usize) -> &str {
    let start = head(text, most);
    if start.len() == text.len() {
        return text;
    }
    start.rfind(char::is_whitespace).map_or("", |at| &start[..at])
}

/// Text without line breaks and other control characters, for summaries and messages.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text.trim(), |_| false).into_owned()
}

/// Whether a text is exactly one certificate: public, to be pasted into the Console, and base64 by nature.
fn is_certificate(text: &str) -> bool {
    let body = text.strip_prefix("-----BEGIN CERTIFICATE-----\n");
    let body = body.and_then(|rest| rest.trim_end_matches('\n').strip_suffix("\n-----END CERTIFICATE-----"));
    let Some(der) = body.and_then(|body| STANDARD.decode(body.split('\n').collect::<String>()).ok()) else {
        return false;
    };
    // A sequence that ends where the text does and begins with another one (RFC 5280, 4.1): no key, no token.
    let inner = |der: &[u8]| -> Option<(usize, usize)> {
        let [0x30, length, rest @ ..] = der else { return None };
        let count = usize::from(length.checked_sub(0x80).unwrap_or_default());
        if *length < 0x80 {
            return Some((2, usize::from(*length)));
        }
        let length = rest.get(..count).filter(|bytes| bytes.len() <= 4)?;
        Some((2 + count, length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))))
    };
    inner(&der).is_some_and(|(header, length)| header + length == der.len() && inner(&der[header..]).is_some())
}

/// Redacts every string of a value, keys of maps included, and escapes what cannot be seen.
pub(crate) fn gate(value: &mut Value) {
    pass(value, false);
}

fn pass(value: &mut Value, is_command: bool) {
    match value {
        Value::String(text) if is_certificate(text) => {}
        Value::String(text) => {
            let clean = redact(text);
            // A command must work as pasted, and what is in it was typed by the caller.
            let shown = if is_command { Cow::Borrowed(&*clean) } else { escaped(&clean, |c| matches!(c, '\n' | '\t')) };
            if *shown != **text {
                *text = shown.into_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| pass(item, false)),
        Value::Object(map) => {
            // Our own keys and names of routes are short; a password that is a word must not rename them.
            let shown = |key: &str| {
                let clean = if key.len() >= SHORTEST_TOKEN { redact(key) } else { Cow::Borrowed(key) };
                escaped(&clean, |_| false).into_owned()
            };
            let dirty: Vec<String> = map.keys().filter(|key| shown(key) != **key).cloned().collect();
            for key in dirty {
                if let Some(value) = map.remove(&key) {
                    map.insert(shown(&key), value);
                }
            }
            map.iter_mut().for_each(|(key, value)| pass(value, key == "command"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoic2VjcmV0In0=";

    #[test]
    fn exactly_one_certificate_passes() {
        let der = [&[0x30, 0x81, 0x82, 0x30, 0x80][..], &[7; 128]].concat();
        let pem =
            |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
        assert!(is_certificate(&pem(&der)));
        // A key under a certificate's label, bytes behind the certificate, half of it.
        assert!(!is_certificate(&pem(&[&[0x30, 0x05, 0x02, 0x01, 0x00][..], &[0x04, 0x00]].concat())));
        assert!(!is_certificate(&pem(&[&der[..], &[1]].concat())));
        assert!(!is_certificate(&pem(&der[..der.len() - 1])));
        for around in ["{pem}{token}\n", "{pem}# {token}\n", "{token}\n{pem}", "{pem}{pem}{token}"] {
            let text = around.replace("{pem}", &pem(&der)).replace("{token}", TOKEN);
            let mut value = Value::from(text);
            gate(&mut value);
            assert!(!value.to_string().contains("eyJ"), "{value}");
        }
        let mut value = Value::from(pem(&der));
        gate(&mut value);
        assert_eq!(value, Value::from(pem(&der)));
    }

    #[test]
    fn a_line_is_redacted_before_it_is_cut() {
        let secret = "9f1c2b7de04a5f6388aa0c1d2e3f4051";
        for filler in 0..700 {
            for name in ["\"authorization\":\"Bearer ", "password=", "x-api-key: ", "https://u:"] {
                let line = format!("{} {name}{secret}@h\" dial tcp: connection refused, and more", "u".repeat(filler));
                let shown = excerpt(&line, "connection refused");
                assert!(shown.contains("connection refused") && shown.chars().count() <= EVIDENCE, "{shown}");
                assert!(!shown.contains(&secret[24..]), "{filler} {name}: {shown}");
            }
        }
    }

    #[test]
    fn evidence_is_short_plain_and_without_headers() {
        assert_eq!(evidence("Authorization: Bearer abc123 x"), "Authorization: Bearer [redacted] x");
        for (said, shown) in [
            (r#"{"cookie":"session=abc; x=1","n":1}"#, r#"{"cookie":"[redacted]","n":1}"#),
            (r#"{\"x-api-key\": \"abc\"}"#, r#"{\"x-api-key\": \"[redacted]\"}"#),
            (r#"{"cookie":["a=b"],"n":1}"#, r#"{"cookie":["[redacted]"],"n":1}"#),
            ("Cookie: a=1; sid=abc", "Cookie: [redacted]"),
            ("Cookie: a=\"1\"; sid=abc", "Cookie: [redacted]"),
            (r"curl -H 'Cookie: a=1; sid=abc' x", r"curl -H 'Cookie: [redacted]' x"),
            ("Cookie: sid=abc; Path=/ https://\u{fffd}:", "Cookie: [redacted]"),
            ("Cookie: --sid=abc \u{fffd}", "Cookie: [redacted]"),
            ("TUNNEL_TOKEN=' token: 'abc' x", "TUNNEL_TOKEN='[redacted]' x"),
            ("Digest x=\" Authorization: Digest username=\"u\", response=\"abc\" x", "Digest [redacted]"),
            ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: [redacted]; Path=/"),
            ("Set-Cookie: sid=\"a;bc\"; Path=/", "Set-Cookie: [redacted]; Path=/"),
            ("cookie=a=1; sid=abc status=200", "cookie=[redacted] status=200"),
            (r#"{"cookie":["a=b","c=d"],"n":1}"#, r#"{"cookie":["[redacted]"],"n":1}"#),
            ("DB_PASS=x ok", "DB_PASS=[redacted] ok"),
            ("pwd=x", "pwd=[redacted]"),
            ("PWD=/app", "PWD=/app"),
            ("dbPass=x", "dbPass=[redacted]"),
            ("X-Auth-Token: x", "X-Auth-Token: [redacted]"),
            ("token: x", "token: [redacted]"),
            ("invalid token: signature is wrong", "invalid token: signature is wrong"),
            ("password=ab,REST", "password=[redacted]"),
            ("password=ab,user=me", "password=[redacted],user=me"),
            ("Server=db;Password=a;Database=x", "Server=db;Password=[redacted];Database=x"),
            ("password=\"a b\" host=db", "password=\"[redacted]\" host=db"),
            ("Authorization: Digest username=\"u\", response=\"abc\"", "Authorization: [redacted]"),
            (
                r#"{"authorization":"Digest username=\"u\", response=\"abc\"","n":1}"#,
                r#"{"authorization":"[redacted]","n":1}"#,
            ),
            (
                "max_tokens=4096 bypass=localhost secrets: [tunnel_token]",
                "max_tokens=4096 bypass=localhost secrets: [tunnel_token]",
            ),
            ("dsn password=abc host=db", "dsn password=[redacted] host=db"),
            ("GET /x?token=abc&n=1", "GET /x?token=[redacted]&n=1"),
            ("open /run/secrets/tunnel_token: permission denied", "open /run/secrets/tunnel_token: permission denied"),
            (
                r#"error="Unauthorized: Invalid tunnel secret" connIndex=0"#,
                r#"error="Unauthorized: Invalid tunnel secret" connIndex=0"#,
            ),
            ("Settings: map[token:***** url:http://x]", "Settings: map[token:***** url:http://x]"),
        ] {
            assert_eq!(evidence(said), shown);
        }
        assert_eq!(evidence("a\u{1b}[31mred\nnext"), "a\\u{1b}[31mred\\nnext");
        assert_eq!(evidence(&"x".repeat(1000)).chars().count(), 300);
        assert_eq!(evidence(&"\u{1}".repeat(1000)).chars().count(), 300);
    }

    #[test]
    fn a_broken_byte_in_a_name_gives_no_secret_away() {
        for (said, name) in [
            ("Authorization: Bearer s3cr3t", "Authorization"),
            ("Authorization: Digest username=\"u\", response=\"s3cr3t\"", "Authorization"),
            ("Authorization: Custom s3cr3t", "Authorization"),
            ("Proxy-Authorization=Basic s3cr3t", "Authorization"),
            ("Cookie: a=1; sid=s3cr3t", "Cookie"),
            ("Set-Cookie: sid=s3cr3t; Path=/", "Cookie"),
            ("{\"cookie\":[\"s3cr3t\"]}", "cookie"),
            ("X-Api-Key: s3cr3t", "Key"),
            ("(b'x-api-key', b's3cr3t')", "key"),
            ("map[X-Api-Key:[s3cr3t] Accept:[*/*]]", "Key"),
            ("DB_PASSWORD=s3cr3t ok", "PASSWORD"),
            ("serve --password s3cr3t --port 80", "password"),
            ("token: s3cr3t", "token"),
            ("{\"password\": \"s3cr3t\"}", "password"),
        ] {
            let at = said.find(name).unwrap();
            for broken in ['\u{fffd}', '\0', '\u{7}', '\u{1b}', '\u{200b}', '\u{ad}'] {
                for place in at..at + name.len() {
                    let (front, behind) = said.split_at(place);
                    for text in [format!("{front}{broken}{behind}"), format!("{front}{broken}{}", &behind[1..])] {
                        assert!(!evidence(&text).contains("s3cr3t"), "{text:?}: {}", evidence(&text));
                    }
                }
            }
        }
        assert_eq!(evidence("Gr\u{fffd}\u{fffd}e=5 w\u{fffd}hrend: x"), "Gr\u{fffd}\u{fffd}e=5 w\u{fffd}hrend: x");
    }

    #[test]
    fn addresses_go_and_digests_stay() {
        assert_eq!(evidence("login of jane.doe+x@example.co.uk failed"), "login of [redacted] failed");
        assert_eq!(evidence("GET http://bob:hunter2@10.0.0.1:9000/x"), "GET http://[redacted]@10.0.0.1:9000/x");
        for (said, shown) in [
            ("postgres://u:pa/ss@h/x", "postgres://[redacted]@h/x"),
            ("postgres://u:12/3@h/x", "postgres://[redacted]@h/x"),
            ("http://u:hun@ter2@h:1/x y", "http://[redacted]@h:1/x y"),
            ("http://localhost:8080/@vite/client", "http://localhost:8080/@vite/client"),
            ("https://registry.npmjs.org/@scope/name", "https://registry.npmjs.org/@scope/name"),
        ] {
            assert_eq!(evidence(said), shown);
        }
        let image = "cloudflare/cloudflared:2026.3.0@sha256:6b599ca3e974 and a @ b, x@1.2.3.4";
        assert_eq!(evidence(image), image);
    }

    #[test]
    fn nothing_hides_in_evidence_or_changes_places() {
        assert_eq!(evidence("a\u{202e}b\u{200b}c\u{e0041}\u{2028}d"), "a\\u{202e}b\\u{200b}c\\u{e0041}\\u{2028}d");
        assert_eq!(evidence("größe ✓ 🙂"), "größe ✓ 🙂");
    }

    #[test]
    fn the_gate_reaches_keys_and_nested_values() {
        let mut value = serde_json::json!({ TOKEN: [{ "a": TOKEN }] });
        gate(&mut value);
        assert!(!value.to_string().contains("eyJ"), "{value}");
    }

    #[test]
    fn strict_spares_paths_and_digests() {
        let text = "failed to read `/home/Ann/Project9/mcp-tunnel/data/ca.crt` sha256:6b599ca3e974349ead3286d178da61d291961182ec3fe9c505e1dd02c8ac31b0";
        assert_eq!(evidence(text), text);
        assert_eq!(
            evidence("unexpected argument 'hIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzI9'"),
            "unexpected argument '[redacted]'"
        );
    }
}
