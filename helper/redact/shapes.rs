//! What a secret looks like: tunnel tokens and JWTs, private keys, long runs of random letters. No names and no knowledge of
//! the deployment.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::text::{Range, behind_last, continued, head, tail};
use crate::list::list;

/// Base64 of `{"`, how every tunnel token and every JWT begins.
const TOKEN_START: &str = "eyJ";
pub(super) const KEY_BEGIN: &str = "-----BEGIN ";
const MARK_END: &str = "-----END ";
const MARK: &str = "-----";
/// How the labels of secrets end (RFC 7468, RFC 9580; those of cloudflared and OpenVPN).
const LABELS: [&str; 4] = ["PRIVATE KEY", "PRIVATE KEY BLOCK", "TUNNEL TOKEN", "OpenVPN Static key V1"];
/// A run of base64 that is looked at as the DER of a key is at least so long: one of Ed25519 has 64.
const SHORTEST_KEY: usize = 40;

/// The letters of an account's number in base64, 17 to 20 digits, and those of what signs it.
const NUMBER: RangeInclusive<usize> = 22..=27;
const LEAST_SIGNED: usize = 27;
const MOST_SIGNED: usize = 100;

/// How hashes of passwords begin (crypt(5), RFC 2307), and what stands in front of their first sign elsewhere.
const HASHES: [&str; 19] = list(
    "$1$ $2a$ $2b$ $2y$ $5$ $6$ $7$ $y$ $gy$ $apr1$ $argon2 $scrypt$ $pbkdf2 {SSHA {SMD5} {CRYPT} {SHA} {PLAIN \
     {CLEARTEXT",
);
const NAMED_HASHES: [&str; 5] = list("pbkdf2 scrypt bcrypt argon2 SCRAM-SHA-");

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=' | b'.')
}

/// Tokens, JWTs and private keys.
pub(super) fn keys_and_tokens(text: &str) -> Vec<Range> {
    [keys, tokens, numbered_tokens, bare_keys, hashes].iter().flat_map(|ranges| ranges(text)).collect()
}

/// Passwords as hashes of `crypt` and of web frameworks, which can be guessed from: `$apr1$…`, `$2b$…`, `{SSHA}…`,
/// `pbkdf2_sha256$…`.
fn hashes(text: &str) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let is_part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'$' | b'.' | b'/' | b'+' | b'=' | b',' | b':' | b'-' | b'_');
    for (at, _) in text.match_indices(['$', '{']) {
        if ranges.last().is_some_and(|(_, end)| at < *end) {
            continue;
        }
        let rest = &text[at..];
        let scheme = HASHES.iter().find(|scheme| rest.starts_with(**scheme));
        let behind = scheme.map_or(at + 1, |scheme| at + scheme.len());
        // `{SSHA512}`.
        let behind =
            head(&text[behind..], 4).find('}').filter(|_| rest.starts_with('{')).map_or(behind, |end| behind + end + 1);
        let run = text.as_bytes()[behind..].iter().take_while(|b| is_part(**b)).count();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-:".contains(c);
        let front = behind_last(tail(&text[..at], 100), |c| !is_name(c));
        let named =
            scheme.is_some() || rest.starts_with('$') && NAMED_HASHES.iter().any(|kind| front.starts_with(kind));
        // What is no hash is a password itself.
        let least = if rest.starts_with("{PLAIN") || rest.starts_with("{CLEAR") { 6 } else { 20 };
        if named && run >= least {
            ranges.push((behind, behind + run));
        }
    }
    ranges
}

/// Every run of base64 that begins like a token and is too long to be a word.
fn tokens(text: &str) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    // Where the base64 ends: found once for all that begins within it.
    let mut end = 0;
    for (at, _) in text.match_indices(TOKEN_START) {
        if at >= end {
            end = at + text[at..].bytes().take_while(|b| is_base64(*b)).count();
        } else if ranges.last().is_some_and(|(_, last)| at < *last) {
            continue;
        }
        let run = &text[at..end];
        // In the middle of other base64 it is chance: one certificate in four hundred has it. A dot it never has, and
        // never words behind it.
        let begins = !continued(&text[..at]).ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
        if run.len() >= 20 && (begins || is_json(run)) || is_jwt(run) {
            ranges.push((at, end));
        }
    }
    ranges
}

/// Tokens of three parts with dots between them, the first of which is the number of an account in base64 (Discord's bots
/// have them): `MTA….GaBcDe.…`.
fn numbered_tokens(text: &str) -> Vec<Range> {
    let bytes = text.as_bytes();
    let belongs = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let run = |from: usize| bytes[from..].iter().take(MOST_SIGNED).take_while(|b| belongs(b)).count();
    let mut ranges: Vec<Range> = Vec::new();
    for (dot, _) in text.match_indices('.') {
        let front = bytes[..dot].iter().rev().take(NUMBER.end() + 1).take_while(|b| belongs(b)).count();
        if !NUMBER.contains(&front) || !is_number(&text[dot - front..dot]) {
            continue;
        }
        let second = dot + 1 + run(dot + 1);
        let signed = if bytes.get(second) == Some(&b'.') { run(second + 1) } else { 0 };
        if second > dot + 1 && signed >= LEAST_SIGNED {
            ranges.push((dot - front, second + 1 + signed));
        }
    }
    ranges
}

/// Whether base64 of digits alone.
fn is_number(base64: &str) -> bool {
    decoded(base64, base64.len()).is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit))
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

/// Where the next label of a secret stands, and where the mark behind it ends.
fn label(text: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices(MARK).find_map(|(at, _)| {
        let front = &text[from..from + at];
        let label = LABELS.iter().find(|label| front.ends_with(**label))?;
        Some((from + at - label.len(), from + at + MARK.len()))
    })
}

/// Whether the beginning of a secret in PEM, and whether its end, is in a line; `None` if neither is.
pub(super) fn ends_of_pem(line: &str) -> Option<(bool, bool)> {
    label(line, 0).map(|_| (line.contains(KEY_BEGIN), line.contains(MARK_END)))
}

/// PEM private keys, also those of which only one end is there.
fn keys(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some((label, behind)) = label(text, from) {
        let begin = text[from..label].rfind(KEY_BEGIN).map(|at| from + at);
        let end = text[from..label].rfind(MARK_END).map(|at| from + at);
        let range = match (begin, end) {
            // An END: what is in front of it is the key.
            (None, Some(end)) => (from + body_in_front(&text[from..end]), behind),
            (Some(begin), Some(end)) if begin < end => (begin, behind),
            (begin, _) => {
                let over = self::label(text, behind).map_or(text.len(), |(_, over)| over);
                (begin.unwrap_or(label), over)
            }
        };
        ranges.push(range);
        from = range.1;
    }
    ranges
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

/// Keys as base64 of their DER, without the two lines around it.
fn bare_keys(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
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
            ranges.push((start, start + run));
        }
        at = at.max(start + run);
    }
    ranges
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

/// What merely looks like a secret: long runs that mix capitals, small letters and digits, keys in hex. Hex digests and
/// paths stay readable.
///
/// For foreign text, where a token may have been pasted without its beginning.
pub(super) fn runs(text: &str) -> Vec<Range> {
    let belongs = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=');
    let mut ranges = Vec::new();
    let mut at = 0;
    for run in text.as_bytes().split(|b| !belongs(b)) {
        let has = |f: fn(&u8) -> bool| run.iter().any(f);
        let looks_secret =
            run.len() >= 32 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
        // Fingerprints of keys, digests of packages.
        let front = &text.as_bytes()[..at];
        // Slashes part the base64 of a digest.
        let near = &front[front.len().saturating_sub(100)..];
        let kind = &near[..near.iter().rposition(|b| !(belongs(b) || *b == b'/')).map_or(0, |last| last + 1)];
        let is_digest =
            ["SHA256:", "sha256-", "sha384-", "sha512-"].iter().any(|digest| kind.ends_with(digest.as_bytes()));
        let is_public = run.starts_with(b"AAAA") && front.ends_with(b" ") && is_public_key(front);
        if looks_secret && !is_digest && !is_public && !is_identifier(run) || is_key_hex(run) {
            ranges.push((at, at + run.len()));
        }
        at += run.len() + 1;
    }
    ranges
}

/// Whether the kind of a public key of SSH stands in front: `ssh-ed25519 AAAA…`.
fn is_public_key(front: &[u8]) -> bool {
    let kind = front.trim_ascii_end().rsplit(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
    [&b"ssh-"[..], b"ecdsa-", b"sk-ssh-", b"sk-ecdsa-"].iter().any(|start| kind.starts_with(start))
}

/// Whether a run is a name of many words, `AbstractAuthenticationFilter2Configurer`: what is drawn by chance changes between
/// capitals, small letters and digits all the time.
fn is_identifier(run: &[u8]) -> bool {
    let small = run.iter().filter(|b| b.is_ascii_lowercase()).count();
    let words = run.split(|b| !b.is_ascii_lowercase()).filter(|word| !word.is_empty()).count();
    small * 20 >= run.len() * 13 && small * 2 >= words * 7
}

/// The DER of a private key in hex, without separators.
fn is_key_hex(run: &[u8]) -> bool {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    run.len() >= 90 && run[..14].chunks(2).map(byte).collect::<Option<Vec<u8>>>().is_some_and(|der| is_key_der(&der))
}

#[cfg(test)]
mod tests {
    use super::super::text::{merged, replaced};
    use super::*;

    /// By shape alone: what other tests of this process know as secrets plays no part.
    fn redact(text: &str) -> String {
        replaced(text, &merged(keys_and_tokens(text))).into_owned()
    }

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
    fn a_token_with_the_number_of_an_account_goes() {
        let signed = "x-1aBcDeFgHiJkLmNoPqRsTuVwXyZ_0123456";
        for number in ["11223344556677889", "1122334455667788990"] {
            let number = STANDARD_NO_PAD.encode(number);
            assert_eq!(redact(&format!("Bot {number}.GaBcDe.{signed} up")), "Bot [redacted] up");
        }
        let word = STANDARD_NO_PAD.encode("1122-4455-7788-990");
        for text in [format!("{word}.GaBcDe.{signed}"), "MTEyMjMzNDQ1NTY2Nzc4ODk.min.js".to_owned()] {
            assert_eq!(redact(&text), text);
        }
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
        assert_eq!(runs(&format!("key {hex} b")), [(4, 4 + hex.len())]);
    }
}
