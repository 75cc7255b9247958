//! The gate that no token and no key passes, and the form in which foreign text may be quoted.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// Longest excerpt, in characters.
const EVIDENCE: usize = 300;

/// Secrets that this process has seen. Process-wide on purpose: the gate must know a secret even where the code that
/// read it failed before it could hand it on.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Makes the gate replace `secret` wherever it turns up, whatever its shape.
///
/// Values shorter than eight bytes are left out: they would blot innocent text and no token is that short.
pub(crate) fn guard(secret: &str) {
    if secret.len() < 8 {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.iter().any(|s| s == secret) {
        seen.push(secret.to_owned());
        // The longest first, so that a secret that contains another goes as a whole.
        seen.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }
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
            out = Cow::Owned(out.replace(secret.as_str(), REDACTED));
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
    while let Some(at) = rest.find(TOKEN_START) {
        let run = rest[at..].bytes().take_while(|b| is_base64(*b)).count();
        // In the middle of other base64 it is chance: one certificate in four hundred has it.
        let begins = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
        out.push_str(&rest[..at]);
        out.push_str(if begins && run >= 20 { REDACTED } else { &rest[at..at + run] });
        rest = &rest[at + run..];
    }
    out.push_str(rest);
    out
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
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let domain = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let top = after[..domain].trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
        let is_address = local > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
        let user = before.rfind("://").map(|at| at + 3).filter(|from| !before[*from..].contains(['/', ' ', '"', '?']));
        match user {
            Some(from) if from < before.len() => {
                out.push_str(&before[..from]);
                out.push_str(REDACTED);
                out.push('@');
                rest = after;
            }
            _ if is_address => {
                out.push_str(&before[..before.len() - local]);
                out.push_str(REDACTED);
                rest = &after[domain..];
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A person's settings: besides tokens and keys, the values of variables that are called like secrets.
pub(crate) fn settings(text: &str) -> String {
    const ENDINGS: [&str; 9] =
        ["PASSWORD", "PASSWD", "PASS", "PW", "SECRET", "TOKEN", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"];
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let secret = line.find([':', '=']).filter(|at| {
            let name = line[..*at].trim_matches(['+', '-', ' ', '"', '\'']).replace('-', "_").to_ascii_uppercase();
            let value = line[at + 1..].trim();
            !value.is_empty()
                && !value.starts_with(['$', '{', '[', '#'])
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                && ENDINGS.iter().any(|ending| name.ends_with(ending))
        });
        match secret {
            Some(at) => out.push_str(&format!("{} {REDACTED}\n", &line[..=at])),
            None => out.push_str(line),
        }
    }
    without_header_secrets(&redact(&out))
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

/// Replaces the value behind `Bearer`, `Basic`, `Cookie:` and the like, up to the next blank or quote.
fn without_header_secrets(text: &str) -> String {
    let mut out = text.to_owned();
    for word in
        ["bearer ", "basic ", "cookie: ", "api-key: ", "authorization: ", "sk-ant-", "ghp_", "github_pat_", "glpat-"]
    {
        let mut from = 0;
        while let Some(at) = out.to_ascii_lowercase().get(from..).and_then(|rest| rest.find(word)) {
            let start = from + at + word.len();
            let value = out[start..].find([' ', '"', '\'', ',', ';']).map_or(out.len(), |end| start + end);
            let keyword = matches!(out[start..value].to_ascii_lowercase().as_str(), "bearer" | "basic" | "auth");
            if value > start && !keyword && &out[start..value] != REDACTED {
                out.replace_range(start..value, REDACTED);
            }
            from = start;
        }
    }
    without_assigned_secrets(out)
}

/// Replaces the value of `password=…`, `"cookie":"…"`, `"x-api-key": "…"` and the like, also where the quotes of JSON
/// inside of JSON have backslashes.
fn without_assigned_secrets(mut out: String) -> String {
    const NAMES: [&str; 8] =
        ["cookie", "authorization", "api-key", "api_key", "apikey", "password", "passwd", "secret"];
    for name in NAMES.into_iter().chain(["token"]) {
        let mut from = 0;
        while let Some(at) = out.to_ascii_lowercase().get(from..).and_then(|rest| rest.find(name)) {
            let end = from + at + name.len();
            from = end;
            let rest = &out[end..];
            let quoted = rest.trim_start_matches(['\\', '"', '\'']);
            let Some(value) = quoted.strip_prefix(['=', ':']) else { continue };
            // In words a colon ends a name as well: `tunnel_token: permission denied`.
            let assigned = quoted.starts_with('=') || quoted.len() < rest.len();
            if !assigned && !["cookie", "authorization", "api-key", "password", "passwd"].contains(&name) {
                continue;
            }
            let opened = |text: &'_ str| text.trim_start_matches([' ', '\\', '"', '\'']).len();
            // A list of one, as headers are logged: `"cookie":["…"]`.
            let list = value.trim_start().strip_prefix('[').filter(|list| opened(list) < list.len());
            let value = list.unwrap_or(value).trim_start_matches([' ', '\\', '"', '\'']);
            let start = out.len() - value.len();
            let length = value.find([' ', '"', '\'', ',', ';', '&', '\\', ')', '}', '\n', '\r']).unwrap_or(value.len());
            let word = value[..length].to_ascii_lowercase();
            let harmless = word.starts_with('*') || ["", "bearer", "basic", REDACTED].contains(&word.as_str());
            if !harmless {
                out.replace_range(start..start + length, REDACTED);
                from = start;
            }
        }
    }
    out
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
            let dirty: Vec<String> = map.keys().filter(|k| matches!(redact(k), Cow::Owned(_))).cloned().collect();
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
            (r#"{"cookie":"session=abc; x=1","n":1}"#, r#"{"cookie":"[redacted]; x=1","n":1}"#),
            (r#"{\"x-api-key\": \"abc\"}"#, r#"{\"x-api-key\": \"[redacted]\"}"#),
            (r#"{"cookie":["a=b"],"n":1}"#, r#"{"cookie":["[redacted]"],"n":1}"#),
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
