//! The gate that no token and no key passes, and the form in which foreign text may be quoted.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;

use super::named::without_header_secrets;
pub(crate) use super::named::{is_secret, settings};

/// No token and no key is shorter, in bytes.
const SHORTEST_TOKEN: usize = 20;

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Longest excerpt, in characters.
const EVIDENCE: usize = 300;

/// Shorter values are no secrets worth hiding, whoever calls them so.
pub(crate) const SHORTEST: usize = 4;
/// From this length on a value cannot stand in innocent text by chance.
const LONG: usize = 8;

/// Secrets that this process has seen. Process-wide on purpose: the gate must know a secret even where the code that
/// read it failed before it could hand it on.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Makes the gate replace `secret` wherever it turns up, whatever its shape.
///
/// Values shorter than eight bytes are left out: they would blot innocent text and no token is that short.
pub(crate) fn guard(secret: &str) {
    if secret.len() >= LONG {
        remember(secret);
    }
}

/// Like [`guard`], for what a person calls a secret: from four bytes on, below eight where it is a word of its own.
pub(crate) fn guard_named(secret: &str) {
    if secret.len() >= SHORTEST {
        remember(secret);
    }
}

fn remember(secret: &str) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.iter().any(|s| s == secret) {
        seen.push(secret.to_owned());
        // The longest first, so that a secret that contains another goes as a whole.
        seen.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }
}

/// Replaces a short secret where it is a word of its own: `test` goes, `latest` and `test-mcp` stay.
fn without_word(text: &str, word: &str) -> String {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let (opens, closes) = (word.starts_with(joins), word.ends_with(joins));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let end = at + word.len();
        if opens && continued(&text[..at]).ends_with(joins) || closes && text[end..].starts_with(joins) {
            continue;
        }
        out.push_str(&text[from..at]);
        out.push_str(REDACTED);
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// What a word may continue: nothing behind an escaped line break or tab, whose letter belongs to no word.
fn continued(before: &str) -> &str {
    if ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape)) { "" } else { before }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=' | b'.')
}

/// Base64 of `{"`, how every tunnel token and every JWT begins.
const TOKEN_START: &str = "eyJ";
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "PRIVATE KEY-----";

/// Replaces tokens, JWTs, private keys and every guarded secret.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    for secret in SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if out.contains(secret.as_str()) {
            let clean =
                if secret.len() < LONG { without_word(&out, secret) } else { out.replace(secret.as_str(), REDACTED) };
            if clean != *out {
                out = Cow::Owned(clean);
            }
        }
    }
    if out.contains(TOKEN_START) {
        out = Cow::Owned(without_tokens(&out));
    }
    if out.contains(KEY_END) {
        out = Cow::Owned(without_keys(&out));
    }
    out
}

/// Replaces every run of base64 that begins like a token and is too long to be a word.
fn without_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Where the base64 ends, counted from the end of the text: found once for all that begins within it.
    let mut left = text.len();
    while let Some(at) = rest.find(TOKEN_START) {
        if rest.len() - at <= left {
            left = rest.len() - at - rest[at..].bytes().take_while(|b| is_base64(*b)).count();
        }
        let run = rest.len() - at - left;
        // In the middle of other base64 it is chance: one certificate in four hundred has it. A dot it never has, and
        // never words behind it.
        let before = continued(&rest[..at]);
        let begins = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
        let is_token = run >= 20 && (begins || is_json(&rest[at..at + run])) || is_jwt(&rest[at..at + run]);
        out.push_str(&rest[..at]);
        if !is_token {
            // Another may begin within it.
            out.push_str(TOKEN_START);
            rest = &rest[at + TOKEN_START.len()..];
            continue;
        }
        out.push_str(REDACTED);
        rest = &rest[at + run..];
    }
    out.push_str(rest);
    out
}

/// Whether the first bytes are text when decoded: those of JSON are, those of a certificate are not.
fn is_json(run: &str) -> bool {
    let first =
        run.as_bytes().get(..16).and_then(|first| STANDARD.decode(first).or_else(|_| URL_SAFE.decode(first)).ok());
    first.is_some_and(|bytes| bytes.iter().all(|b| matches!(b, b' '..=b'~')))
}

/// Whether it has the three parts of a JWT, however short they are.
fn is_jwt(run: &str) -> bool {
    // Bounded: a line may be megabytes of base64.
    let mut parts = run[..run.len().min(8192)].split('.').map(str::len);
    parts.next().is_some_and(|n| n > 6) && parts.next().is_some_and(|n| n > 1) && parts.next().is_some()
}

/// Replaces PEM private keys, also one whose end is missing.
fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(label) = rest.find(KEY_END) {
        let begin = rest[..label].rfind(KEY_BEGIN).unwrap_or(label);
        out.push_str(&rest[..begin]);
        out.push_str(REDACTED);
        let body = &rest[label + KEY_END.len()..];
        rest = body.find(KEY_END).map_or("", |end| &body[end + KEY_END.len()..]);
    }
    out.push_str(rest);
    out
}

/// Also replaces what merely looks like a secret: long runs that mix capitals, small letters and digits.
///
/// For text that quotes a caller's own words (usage errors, request errors), where a token may have been pasted
/// without its beginning. Hex digests and paths stay readable.
pub(crate) fn strict(text: &str) -> String {
    let text = redact(text);
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_alphanumeric() || matches!(c, '+' | '=') {
            run.push(c);
            continue;
        }
        let has = |f: fn(&char) -> bool| run.chars().any(|c| f(&c));
        let looks_secret = run.len() >= 32
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_digit);
        out.push_str(if looks_secret { REDACTED } else { &run });
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// Foreign text as evidence: a [`foreign`] text of at most 300 characters.
pub(crate) fn evidence(text: &str) -> String {
    // Megabytes in one line: what is cut off in the end need not be read.
    let text = text.trim();
    let text = head(text, 16 << 10);
    cut(&foreign(text), EVIDENCE)
}

/// A line that somebody else wrote: without tokens, keys, header secrets, passwords in URLs and e-mail addresses, and
/// with everything escaped that would not show, or would show elsewhere than it stands.
pub(crate) fn foreign(text: &str) -> String {
    let text = without_addresses(&without_header_secrets(&strict(text)));
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Marks of direction, joiners, separators and tags: text can hide in them, or change places.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Replaces e-mail addresses, and names and passwords in front of a URL's host.
fn without_addresses(text: &str) -> String {
    let text = &without_logins(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let domain = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let top = after[..domain].trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
        if local > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic()) {
            out.push_str(&before[..before.len() - local]);
            out.push_str(REDACTED);
            rest = &after[domain..];
        } else {
            out.push_str(&rest[..=at]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Replaces what stands between a URL's `://` and the last `@` of the same word: a password may hold `/` and `@`.
fn without_logins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let web = ["http", "https"].iter().any(|scheme| {
            let tail = rest.as_bytes()[..at].rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
            tail.eq_ignore_ascii_case(scheme.as_bytes())
        });
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let word =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(after.len());
        let word = after[..word].find("://").unwrap_or(word);
        let login = after[..word].rfind('@').filter(|at| *at > 0 && !after[at + 1..].starts_with("sha256:"));
        rest = match login {
            Some(at) if is_login(&after[..at], web) => {
                out.push_str(REDACTED);
                &after[at..]
            }
            Some(_) | None => after,
        };
    }
    out.push_str(rest);
    out
}

/// Whether a text in front of an `@` is a name and a password, and not a host with a path: `host:8080/@scope`.
fn is_login(text: &str, web: bool) -> bool {
    let Some(end) = text.find(['/', '?', '#']) else { return true };
    text[..end].split_once(':').is_some_and(|(_, port)| !web || !port.bytes().all(|b| b.is_ascii_digit()))
}

/// At most so many bytes from the beginning, whole characters only.
pub(crate) fn head(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// At most so many characters: an error that quotes what was given must not grow with it.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

/// Text without line breaks and other control characters, for summaries and messages.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Public, to be pasted into the Console, and base64 by nature.
fn is_certificate(text: &str) -> bool {
    text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains(KEY_END) && text.matches(KEY_BEGIN).count() == 1
}

/// Redacts every string of a value, keys of maps included.
pub(crate) fn gate(value: &mut Value) {
    match value {
        Value::String(text) if is_certificate(text) => {}
        Value::String(text) => {
            if let Cow::Owned(clean) = redact(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(gate),
        Value::Object(map) => {
            // Our own keys and names of routes are short; a password that is a word must not rename them.
            let dirty = |k: &&String| k.len() >= SHORTEST_TOKEN && matches!(redact(k), Cow::Owned(_));
            let dirty: Vec<String> = map.keys().filter(dirty).cloned().collect();
            for key in dirty {
                if let Some(value) = map.remove(&key) {
                    map.insert(redact(&key).into_owned(), value);
                }
            }
            map.values_mut().for_each(gate);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoic2VjcmV0In0=";

    #[test]
    fn a_token_goes_wherever_it_stands() {
        assert_eq!(redact(&format!("line 3: unterminated \"{TOKEN}")), "line 3: unterminated \"[redacted]");
        assert_eq!(redact(&format!("{TOKEN}{TOKEN} end")), "[redacted] end");
        assert_eq!(redact("eyJ is how it begins"), "eyJ is how it begins");
        assert_eq!(redact(&format!("TUNNEL_TOKEN={TOKEN}")), "TUNNEL_TOKEN=[redacted]");
    }

    #[test]
    fn a_token_goes_whatever_stands_in_front() {
        for front in ["/", "\\n", "x"] {
            assert_eq!(redact(&format!("a{front}{TOKEN} b")), format!("a{front}[redacted] b"));
            assert_eq!(redact(&format!("a{front}eyJhIjox.eyJi.c2 b")), format!("a{front}[redacted] b"));
        }
        let chance = "MIIBeyJ/9mZzQx0Zs7Yq8f3vT1wW2xX3yY4zZ5==";
        assert_eq!(redact(chance), chance);
    }

    #[test]
    fn a_short_secret_goes_where_it_is_a_word_of_its_own() {
        guard_named("qzxw");
        guard_named("qz");
        assert_eq!(
            redact("qzxw a\\nqzxw, x=qzxw; qzxws qzxw-mcp qz"),
            "[redacted] a\\n[redacted], x=[redacted]; qzxws qzxw-mcp qz"
        );
    }

    #[test]
    fn a_certificate_stays_whole_whatever_its_base64_says() {
        let pem = format!("-----BEGIN CERTIFICATE-----\n{TOKEN}\nMIIB{TOKEN}\n-----END CERTIFICATE-----\n");
        let mut value = Value::from(pem.clone());
        gate(&mut value);
        assert_eq!(value, Value::from(pem));
    }

    #[test]
    fn a_private_key_goes_also_without_its_end() {
        let pem = "a -----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- b";
        assert_eq!(redact(pem), "a [redacted] b");
        assert_eq!(redact("a -----BEGIN EC PRIVATE KEY-----\nMC4CAQ"), "a [redacted]");
    }

    #[test]
    fn a_guarded_secret_goes_whatever_its_shape() {
        guard("hunter2-hunter2");
        assert_eq!(redact("password hunter2-hunter2!"), "password [redacted]!");
    }

    #[test]
    fn strict_spares_paths_and_digests() {
        let text = "failed to read `/home/Ann/Project9/mcp-tunnel/data/ca.crt` sha256:6b599ca3e974349ead3286d178da61d291961182ec3fe9c505e1dd02c8ac31b0";
        assert_eq!(strict(text), text);
        assert_eq!(
            strict("unexpected argument 'hIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzI9'"),
            "unexpected argument '[redacted]'"
        );
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
            ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: [redacted]; Path=/"),
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
    fn settings_lose_what_is_called_like_a_secret_and_nothing_else() {
        let text = "+  DB_PASSWORD: hunter2\n-    - API_TOKEN=abc\n   TOKEN: ${TOKEN}\n   environment: TUNNEL_TOKEN\n   TUNNEL_TOKEN_FILE: /run/x\n   key: ghp_abc\n";
        let clean = "+  DB_PASSWORD: [redacted]\n-    - API_TOKEN= [redacted]\n   TOKEN: ${TOKEN}\n   environment: TUNNEL_TOKEN\n   TUNNEL_TOKEN_FILE: /run/x\n   key: ghp_[redacted]";
        assert_eq!(settings(text).trim_end(), clean);
    }

    #[test]
    fn the_gate_reaches_keys_and_nested_values() {
        let mut value = serde_json::json!({ TOKEN: [{ "a": TOKEN }] });
        gate(&mut value);
        assert!(!value.to_string().contains("eyJ"), "{value}");
    }
}
