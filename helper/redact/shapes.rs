//! What a secret looks like: tunnel tokens and JWTs, private keys, long runs of random letters. No names and no knowledge of
//! the deployment.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::text::{REDACTED, continued};

/// Base64 of `{"`, how every tunnel token and every JWT begins.
const TOKEN_START: &str = "eyJ";
const KEY_BEGIN: &str = "-----BEGIN ";
const MARK_END: &str = "-----END ";
const KEY_END: &str = "PRIVATE KEY-----";
/// A run of base64 that is looked at as the DER of a key is at least so long: one of Ed25519 has 64.
const SHORTEST_KEY: usize = 40;

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=' | b'.')
}

/// The text without tokens, JWTs and private keys; `None` if it has none.
pub(super) fn without_keys_and_tokens(text: &str) -> Option<String> {
    let mut out = Cow::Borrowed(text);
    if out.contains(KEY_END) {
        out = Cow::Owned(without_keys(&out));
    }
    if out.contains(TOKEN_START) {
        out = Cow::Owned(without_tokens(&out));
    }
    if out.len() >= SHORTEST_KEY && out.contains('M') {
        out = without_bare_keys(out);
    }
    match out {
        Cow::Owned(clean) if clean != text => Some(clean),
        Cow::Owned(_) | Cow::Borrowed(_) => None,
    }
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
    decoded(run, 16).is_some_and(|bytes| bytes.iter().all(|b| matches!(b, b' '..=b'~')))
}

/// The first letters of a run of base64, decoded.
fn decoded(run: &str, letters: usize) -> Option<Vec<u8>> {
    let first = run.as_bytes().get(..letters)?;
    STANDARD_NO_PAD.decode(first).or_else(|_| URL_SAFE_NO_PAD.decode(first)).ok()
}

/// Whether it has the three parts of a JWT, however short they are.
fn is_jwt(run: &str) -> bool {
    // Bounded: a line may be megabytes of base64.
    let mut parts = run[..run.len().min(8192)].split('.').map(str::len);
    parts.next().is_some_and(|n| n > 6) && parts.next().is_some_and(|n| n > 1) && parts.next().is_some()
}

/// Replaces PEM private keys, also those of which only one end is there.
fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(label) = rest.find(KEY_END) {
        let begin = rest[..label].rfind(KEY_BEGIN);
        let end = rest[..label].rfind(MARK_END);
        let behind = &rest[label + KEY_END.len()..];
        match (begin, end) {
            // An END: what is in front of it is the key.
            (None, Some(end)) => {
                out.push_str(&rest[..body_in_front(&rest[..end])]);
                out.push_str(REDACTED);
                rest = behind;
            }
            (Some(begin), Some(end)) if begin < end => {
                out.push_str(&rest[..begin]);
                out.push_str(REDACTED);
                rest = behind;
            }
            (begin, _) => {
                out.push_str(&rest[..begin.unwrap_or(label)]);
                out.push_str(REDACTED);
                rest = behind.find(KEY_END).map_or("", |end| &behind[end + KEY_END.len()..]);
            }
        }
    }
    out.push_str(rest);
    out
}

/// Where the base64 begins that ends with a text: whole lines of one word, real or escaped line breaks between them, and
/// the last word, or the last words that are too long for prose.
fn body_in_front(text: &str) -> usize {
    let mut begin = text.len();
    loop {
        let mut before = text[..begin].trim_end();
        while let Some(cut) = ["\\n", "\\r", "\\t"].iter().find_map(|escape| before.strip_suffix(escape)) {
            before = cut.trim_end();
        }
        let ends_line = text[before.len()..begin].contains(['\n', '\r', '\\']);
        let word = before.bytes().rev().take_while(|b| is_base64(*b)).count();
        let start = before.len() - word;
        // The letter of an escaped line break belongs to no word.
        let start = start + usize::from(word > 0 && before[..start].ends_with('\\'));
        let front = continued(&before[..start]);
        let begins_line = front.is_empty() || front.ends_with(['\n', '\r', '"', '\'', '|']);
        if start == before.len() || !(begin == text.len() || begins_line && ends_line || before.len() - start >= 16) {
            return begin;
        }
        begin = start;
    }
}

/// Replaces keys as base64 of their DER, without the two lines around it.
fn without_bare_keys(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut out = String::new();
    let mut from = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'M', &bytes[at..]) {
        let start = at + found;
        at = start + 1;
        if start > 0 && bytes[start - 1].is_ascii_alphanumeric() && !continued(&text[..start]).is_empty() {
            continue;
        }
        let run = bytes[start..].iter().take_while(|b| is_base64(**b)).count();
        if run >= SHORTEST_KEY && decoded(&text[start..start + run], 16).is_some_and(|der| is_key_der(&der)) {
            out.push_str(&text[from..start]);
            out.push_str(REDACTED);
            from = start + run;
        }
        at = at.max(start + run);
    }
    if from == 0 {
        return text;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Whether DER begins like a private key of any kind: a sequence whose first element is the version 0 or 1 (RFC 5958,
/// RFC 8017, RFC 5915). Certificates and public keys begin with another sequence.
fn is_key_der(der: &[u8]) -> bool {
    let length = match der {
        [0x30, length, ..] if *length < 0x80 => 1,
        [0x30, 0x81, ..] => 2,
        [0x30, 0x82, ..] => 3,
        _ => return false,
    };
    matches!(der.get(1 + length..), Some([0x02, 0x01, 0x00 | 0x01, ..]))
}

/// Also replaces what merely looks like a secret: long runs that mix capitals, small letters and digits, keys in hex.
///
/// For text that quotes a caller's own words (usage errors, request errors), where a token may have been pasted
/// without its beginning. Hex digests and paths stay readable.
pub(super) fn without_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().map(Some).chain([None]) {
        if let Some(c) = c.filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '=')) {
            run.push(c);
            continue;
        }
        let has = |f: fn(&char) -> bool| run.chars().any(|c| f(&c));
        let looks_secret = run.len() >= 32
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_digit);
        out.push_str(if looks_secret || is_key_hex(&run) { REDACTED } else { &run });
        run.clear();
        out.extend(c);
    }
    out
}

/// The DER of a private key in hex, without separators.
fn is_key_hex(run: &str) -> bool {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    run.len() >= 90
        && run.as_bytes()[..14].chunks(2).map(byte).collect::<Option<Vec<u8>>>().is_some_and(|der| is_key_der(&der))
}

#[cfg(test)]
mod tests {
    use super::super::gate::redact;
    use super::*;

    const TOKEN: &str = "eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoic2VjcmV0In0=";

    #[test]
    fn nothing_is_dropped_without_a_word() {
        // What is dropped here could have kept the two halves of a secret apart.
        assert_eq!(without_runs("a\0b\0"), "a\0b\0");
    }

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
    fn a_private_key_goes_with_either_end_or_none() {
        let body = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
        for (said, shown) in [
            ("a -----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- b".to_owned(), "a [redacted] b"),
            ("a -----BEGIN EC PRIVATE KEY-----\nMC4CAQ".to_owned(), "a [redacted]"),
            (format!("a line\n{body}\nYDK2Vw==\n-----END PRIVATE KEY-----\nb"), "a line\n[redacted]\nb"),
            (format!("said \"{body}\\nYDK2Vw==\\n-----END EC PRIVATE KEY-----\\n\" b"), "said \"[redacted]\\n\" b"),
            (format!("key {body} YDK2Vw== -----END PRIVATE KEY----- b"), "key [redacted] b"),
            (format!("key={body} b"), "key=[redacted] b"),
        ] {
            assert_eq!(redact(&said), shown, "{said}");
        }
        let request = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo";
        assert_eq!(redact(request), request, "a public key");
        let hex: String = STANDARD_NO_PAD.decode(body).unwrap().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(without_runs(&format!("key {hex} b")), "key [redacted] b");
    }
}
