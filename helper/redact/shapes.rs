//! What a secret looks like: tunnel tokens and JWTs, private keys, the keys of well-known services, logins in URLs, long
//! runs of random letters. No names and no knowledge of the deployment.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
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
        out.push_str(if looks_secret || is_key_hex(&run) { REDACTED } else { &run });
        run.clear();
        if c != '\0' {
            out.push(c);
        }
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

/// How the keys of well-known services begin, in any case of letters, and how many letters follow at least.
const BEGINNINGS: &[(&str, usize)] = &[
    ("sk-ant-", 1),
    ("sk-proj-", 8),
    ("sk-svcacct-", 8),
    ("sk-or-", 8),
    ("sk-", 20),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("whsec_", 8),
    ("ghp_", 1),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 1),
    ("glpat-", 1),
    ("gldt-", 8),
    ("glrt-", 8),
    ("glptt-", 8),
    ("glcbt-", 8),
    ("glsoat-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxa-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xoxe-", 8),
    ("xoxe.", 8),
    ("xapp-", 8),
    ("akia", 16),
    ("asia", 16),
    ("abia", 16),
    ("acca", 16),
    ("aiza", 30),
    ("ya29.", 8),
    ("gocspx-", 8),
    ("hf_", 20),
    ("api_org_", 20),
    ("pypi-", 16),
    ("npm_", 20),
    ("rubygems_", 20),
    ("dckr_pat_", 8),
    ("dckr_oat_", 8),
    ("dop_v1_", 8),
    ("doo_v1_", 8),
    ("dor_v1_", 8),
    ("shpat_", 8),
    ("shpss_", 8),
    ("shpca_", 8),
    ("shppa_", 8),
    ("sg.", 30),
    ("atatt3", 20),
    ("atctt3", 20),
    ("lin_api_", 8),
    ("ntn_", 20),
    ("figd_", 16),
    ("glsa_", 16),
    ("glc_", 20),
    ("sntrys_", 16),
    ("sntryu_", 16),
    ("hvs.", 16),
    ("hvb.", 16),
    ("hvr.", 16),
    ("tskey-", 8),
    ("pmak-", 16),
    ("pul-", 20),
    ("r8_", 20),
    ("nvapi-", 16),
    ("gsk_", 20),
    ("xai-", 20),
    ("pplx-", 20),
    ("sbp_", 20),
    ("sb_secret_", 8),
    ("dapi", 32),
    ("v1.0-", 32),
    ("age-secret-key-1", 8),
    ("sq0atp-", 16),
    ("sq0csp-", 16),
    ("hooks.slack.com/services/", 8),
    ("hooks.slack.com/workflows/", 8),
    ("hooks.slack.com/triggers/", 8),
    ("discord.com/api/webhooks/", 8),
    ("discordapp.com/api/webhooks/", 8),
    ("webhook.office.com/", 8),
    ("api.telegram.org/bot", 8),
];

static BEGINNING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let texts = BEGINNINGS.iter().map(|(text, _)| text);
    let kind = aho_corasick::MatchKind::LeftmostLongest;
    AhoCorasick::builder().ascii_case_insensitive(true).match_kind(kind).build(texts).ok()
});

/// Replaces what follows the beginning of a well-known service's key.
pub(super) fn without_service_keys(text: &str) -> Cow<'_, str> {
    let Some(beginning) = BEGINNING.as_ref() else { return Cow::Borrowed(text) };
    let mut out = String::new();
    let mut from = 0;
    for found in beginning.find_iter(text) {
        let (start, end) = (found.start(), found.end());
        let inside_word = continued(&text[..start]).ends_with(|c: char| c.is_ascii_alphanumeric());
        let (beginning, least) = BEGINNINGS[found.pattern().as_usize()];
        let in_path = beginning.contains('/');
        let belongs =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+' | b'=') || in_path && b == b'/';
        let run = text.as_bytes()[end..].iter().take_while(|b| belongs(**b)).count();
        if start < from || inside_word && !in_path || run < least {
            continue;
        }
        // Prose behind `sk-` or `hf_` has no digits.
        let key = &text[end..end + run];
        if least >= 16 && !key.bytes().any(|b| b.is_ascii_digit()) {
            continue;
        }
        out.push_str(&text[from..end]);
        out.push_str(REDACTED);
        from = end + run;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Replaces e-mail addresses, and names and passwords in front of a URL's host.
pub(super) fn without_addresses(text: &str) -> String {
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
pub(super) fn without_logins(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::super::gate::redact;
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

    #[test]
    fn keys_of_services_go_and_words_stay() {
        for key in [
            "sk_live_qtYygX0bKRVitGoPZrpulRBP",
            "sk-proj-abcd1234",
            "sk-1234567890abcdefghijklmn",
            "ghp_abc",
            "xoxb-1234567890-abc",
            "AKIA2OGYBAH6STMMNXNN",
            "hf_abcdefghij0123456789",
            "AGE-SECRET-KEY-1EUYKL8F3X88TV6EGFEV2TVSHJPU6C5NLN7PVQXWLTAVVDZU8JFGA9RPHWY",
            "https://hooks.slack.com/services/T000/B000/abcdefgh",
            "SG.abcdefghijklmnopqrstuv.0123456789abcdefghijklmnop",
        ] {
            let clean = without_service_keys(&format!("x {key} y")).into_owned();
            assert!(clean.ends_with("[redacted] y") && clean.len() < key.len() + 14, "{clean}");
        }
        for text in [
            "task-definitions-are-long-enough",
            "sk-learn",
            "asia-northeast1 asia",
            "/api_org_chart/x",
            "npm_config_registry_of_mine",
        ] {
            assert_eq!(without_service_keys(text), text);
        }
    }
}
